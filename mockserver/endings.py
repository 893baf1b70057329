"""A task's end, as the outside sees it: first its pictures lie where they should, then its webhook tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.core.course import NEVER_MS
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
    """Puts the pictures of a task into its bucket, where it names one and uploads are set up."""
    del mock, world, task
