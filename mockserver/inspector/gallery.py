"""A task's pictures for who looks into the mock: no link, no count, no fault, no finding."""

from __future__ import annotations

from functools import partial

from mockserver.aside import draw_aside
from mockserver.core.recipe import ImageType
from mockserver.core.task import Status, Task
from mockserver.mock import Mock
from mockserver.submitting import recipe_of
from mockserver.world import World


class NoPicture(LookupError):
    """There is no such picture, or not yet; the message says why."""


async def picture(mock: Mock, world: World, task: Task, index: int) -> tuple[bytes, str]:
    """A picture's file and media type.

    Args:
        mock: draws it.
        world: whose task it is.
        task: which has ended well.
        index: from 0.

    Raises:
        NoPicture: it has not, or has fewer.
    """
    if not 0 <= index < task.count:
        raise NoPicture(f"task {task.id} has {task.count} pictures, counted from 0")
    status = task.status_at(world.clock.now_ms())
    if status is not Status.SUCCEED:
        raise NoPicture(f"task {task.id} is {status.value}: there is no picture")
    if task.delivery.test_status is not None:
        raise NoPicture(f"task {task.id} is one of webhook test mode: nothing was drawn for it")
    data = mock.cached_picture(task, index)
    if data is None:
        recipe = recipe_of(task, mock)
        slow = task.delivery.image_type is not ImageType.PNG
        data = await draw_aside(recipe, partial(mock.draw, task, index, recipe), slow=slow)
    return data, task.delivery.image_type.media_type
