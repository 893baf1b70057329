"""Finished tasks whose pictures go into a bucket."""

from __future__ import annotations

from mockserver.core.recipe import ImageType
from mockserver.core.storage import Storage
from mockserver.core.task import Delivery, Task, TaskType

TASK_ID = "5e0a9b6c-1111-4222-8333-444455556666"


def stored_task(storage: Storage, *, count: int = 2, image_type: ImageType = ImageType.PNG) -> Task:
    """A task whose pictures belong into a bucket."""
    return Task(
        id=TASK_ID,
        operation_id="createTxt2imgTask",
        number=1,
        type=TaskType.TXT_TO_IMG,
        body=b"{}",
        delivery=Delivery(image_type=image_type, storage=storage),
        seed=1,
        count=count,
        submitted_ms=0,
        started_ms=0,
        finished_ms=1,
    )


def draw(index: int) -> bytes:
    """A file that tells its index."""
    return b"picture %d" % index
