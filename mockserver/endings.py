"""A task's end, as the outside sees it: first its pictures lie where they should, then its webhook tells."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mockserver.core.course import NEVER_MS
from mockserver.core.storage import StorageFault
from mockserver.core.task import Status
from mockserver.faults.facts import Facts
from mockserver.faults.kinds import Kind
from mockserver.faults.points import Point
from mockserver.logs import log
from mockserver.submitting import recipe_of
from mockserver.world import Ending

if TYPE_CHECKING:
    from mockserver.core.task import Task
    from mockserver.mock import Mock
    from mockserver.world import World


async def ending(mock: Mock, world: World, task: Task) -> None:
    """Carries out what a task's end leads to; one whose end was put off is looked at again then."""
    now_ms = world.clock.now_ms()
    if now_ms < task.finished_ms:
        if task.finished_ms < NEVER_MS:
            world.enter(task.finished_ms, Ending(task))
        return
    await _stored(mock, world, task)
    if task.delivery.webhook_url is not None:
        mock.courier.owe(world, task)


async def _stored(mock: Mock, world: World, task: Task) -> None:
    """Puts the pictures of a task into its bucket, where its end waits for that; a failure is the task's."""
    course = task.course
    if course is None or not course.held:
        return
    from mockserver.storage.deliver import deliver
    from mockserver.storage.uploader import UploadFailed

    recipe = recipe_of(task, mock)
    try:
        found = await deliver(
            task,
            lambda index: mock.draw(task, index, recipe),
            ids=mock.ids,
            uploader=mock.uploader,
            fault_at=partial(_fault_at, mock, world, task) if world.faults.active else None,
        )
    except Exception:  # our fault; without an end the task would be waited for for ever
        log.exception("upload.failed", extra={"task_id": task.id, "world": world.label})
        if task.ended_at(world.clock.now_ms()):
            return
        task.end(world.clock.now_ms(), Status.FAILED, "the mock failed to upload the pictures; its log tells why")
        return
    if task.ended_at(world.clock.now_ms()):  # a test ended it meanwhile; what it answers then is its last word
        return
    if isinstance(found, UploadFailed):
        task.end(world.clock.now_ms(), Status.FAILED, found.message)
        return
    storage = mock.settings.storage
    course.links = found.urls
    course.links_ttl_s = (storage.presign_s or 0) if storage is not None else 0
    course.held = False


async def _fault_at(mock: Mock, world: World, task: Task, index: int) -> StorageFault | None:
    """What the fault plan does to one picture's upload."""
    facts = Facts(operation_id=task.operation_id, body=task.body, task=task.number, picture=index)
    effect = world.faults.decide(Point.STORAGE_PUT, f"{task.number}.{index}", facts, world.clock.now_ms())
    if effect is None:
        world.faults.passed(Point.STORAGE_PUT, facts)
        return None
    if effect.kind is Kind.DELAY:
        await mock.pause(effect.time_ms() / 1000)
        return None
    return StorageFault(effect.text("kind") or StorageFault.OTHER)
