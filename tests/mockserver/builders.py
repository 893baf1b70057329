"""Small worlds, recipes and tasks for tests of the core; what a test does not name has a plain value."""

from __future__ import annotations

from typing import Any

import orjson

from mockserver.core.clock import ClockMode
from mockserver.core.fleet import FleetSettings
from mockserver.core.journal import Journal, JournalBudget
from mockserver.core.recipe import Recipe
from mockserver.core.task import Delivery, Status, Task, TaskType
from mockserver.parts.ids import SeededIds
from mockserver.parts.store import MemoryTasks
from mockserver.parts.wall import FakeWall
from mockserver.world import World, WorldSettings
from tests.bodies import txt2img

KEY = "sk-test-0123456789"


def make_recipe(**fields: Any) -> Recipe:
    """One 512x512 picture of 20 steps."""
    plain: dict[str, Any] = {
        "model": "dreamshaper_8_93211.safetensors",
        "prompt": "a cute dog",
        "width": 512,
        "height": 512,
        "count": 1,
        "steps": 20,
        "guidance": 7.5,
        "sampler": "Euler a",
        "seed": 7,
    }
    return Recipe(**{**plain, **fields})


def make_task(**fields: Any) -> Task:
    """A task that was submitted at 0, starts at 1,000 and ends at 5,000."""
    plain: dict[str, Any] = {
        "id": "4f2d0c3e-0000-4000-8000-000000000001",
        "operation_id": "createTxt2imgTask",
        "number": 0,
        "type": TaskType.TXT_TO_IMG,
        "body": orjson.dumps(txt2img()),
        "delivery": Delivery(),
        "seed": 7,
        "count": 1,
        "submitted_ms": 0,
        "started_ms": 1_000,
        "finished_ms": 5_000,
        "outcome": Status.SUCCEED,
    }
    return Task(**{**plain, **fields})


def make_world(
    key: str = KEY,
    *,
    clock: str = "manual",
    fleet: FleetSettings | None = None,
    seed: int = 0,
    wall: FakeWall | None = None,
) -> World:
    """A world of its own, on a wall that a test moves."""
    return World(
        key=key,
        settings=WorldSettings(clock=ClockMode.parse(clock), fleet=fleet or FleetSettings()),
        server_seed=seed,
        wall=wall or FakeWall(),
        tasks=MemoryTasks(),
        ids=SeededIds(),
        journal=Journal(JournalBudget()),
    )


def submit(world: World, *, delivery: Delivery | None = None, body: bytes | None = None, **recipe: Any) -> Task:
    """Submits a v3 text-to-image task to a world."""
    return world.submit(
        operation_id="createTxt2imgTask",
        type=TaskType.TXT_TO_IMG,
        recipe=make_recipe(**recipe),
        delivery=delivery or Delivery(),
        body=orjson.dumps(txt2img()) if body is None else body,
    )
