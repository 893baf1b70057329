"""What a submit leaves behind: magic inputs of both versions, and calls that a reset of their world overtakes."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.bodies import TXT2IMG, TXT2IMG_V2, txt2img, txt2img_v2
from tests.conftest import BASE, Server


@pytest.mark.parametrize("stray", ["text", 7, [], {"prompt": "another"}])
def test_v2_reads_magic_inputs_from_the_body_whatever_else_is_called_request(server: Server, stray: Any) -> None:
    """v3 nests what to draw in `request`; in v2 a field of this name is one that nobody knows."""
    accepted = server.call("POST", TXT2IMG_V2, json={**txt2img_v2(), "request": stray})
    assert accepted.json()["code"] == 0
    body = txt2img_v2(prompt="a fox [[mock:fail=out of memory]]")
    task_id = server.submit(TXT2IMG_V2, {**body, "request": stray})
    server.finish_all()
    assert server.progress(task_id)["data"]["failed_reason"] == "out of memory"


def test_v2_rules_match_the_prompt_of_the_body_whatever_else_is_called_request(server: Server) -> None:
    server.control("POST", "/faults", {"point": "submit.before", "effect": {"status": 503}, "match": {"prompt": "fox"}})
    answer = server.call("POST", TXT2IMG_V2, json={**txt2img_v2(prompt="a fox"), "request": {"prompt": "a dog"}})
    assert answer.status_code == 503


@pytest.mark.parametrize("point", ["submit.before", "submit.after_commit"])
def test_a_client_that_leaves_after_a_reset_leaves_nothing_behind(server: Server, point: str) -> None:
    """Its call belongs to the world's earlier life."""
    server.control("POST", "/faults", {"point": point, "effect": {"delay": "60s"}})
    world = server.mock.world(server.key)

    async def leaves_after_a_reset() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(server.app), base_url=BASE) as client:
            headers = {"authorization": f"Bearer {server.key}"}
            waiting = asyncio.ensure_future(client.post(TXT2IMG, json=txt2img(), headers=headers))
            while not world.faults.total:
                await asyncio.to_thread(int)
            server.mock.reset(world)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    server.loop.run_until_complete(leaves_after_a_reset())
    assert not world.verdicts.pending
    assert len(world.journal) == 0


def test_a_client_that_leaves_without_a_reset_is_remembered(server: Server) -> None:
    """The task is paid for, and its answer is lost."""
    server.control("POST", "/faults", {"point": "submit.after_commit", "effect": {"delay": "60s"}})
    world = server.mock.world(server.key)

    async def leaves() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(server.app), base_url=BASE) as client:
            headers = {"authorization": f"Bearer {server.key}"}
            waiting = asyncio.ensure_future(client.post(TXT2IMG, json=txt2img(), headers=headers))
            while not world.faults.total:
                await asyncio.to_thread(int)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    server.loop.run_until_complete(leaves())
    assert len(world.verdicts.unclaimed()) == 1
