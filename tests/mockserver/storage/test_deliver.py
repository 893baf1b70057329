"""All pictures of a task, put in order, by a storage that fails on demand."""

from __future__ import annotations

import asyncio

import pytest

from mockserver.core.recipe import ImageType
from mockserver.core.storage import Storage, StorageFault
from mockserver.core.task import Task
from mockserver.parts.ids import SeededIds
from mockserver.storage.deliver import Stored, deliver
from mockserver.storage.keys import object_key
from mockserver.storage.uploader import SAID, FaultAt, Put, Uploader, UploadFailed
from tests.mockserver.storage.tasks import draw, stored_task

STORAGE = Storage("us-east-2", "my-pictures", "out")
IDS = SeededIds()


class Bucket:
    """Keeps what is put."""

    def __init__(self) -> None:
        self.puts: list[Put] = []

    async def put(self, put: Put) -> str:
        """Keeps it."""
        self.puts.append(put)
        return f"https://bucket.test/{put.key}"


def delivered(task: Task, uploader: Uploader | None, fault_at: FaultAt | None = None) -> Stored | UploadFailed:
    return asyncio.run(deliver(task, draw, ids=IDS, uploader=uploader, fault_at=fault_at))


def at(*indices: int, fault: StorageFault) -> FaultAt:
    """Fails the pictures of these indices."""

    async def fault_at(index: int) -> StorageFault | None:
        return fault if index in indices else None

    return fault_at


def keys_of(task: Task) -> tuple[str, ...]:
    return tuple(object_key(task, STORAGE, index, IDS) for index in range(task.count))


def test_every_picture_is_put_once_and_in_order() -> None:
    task = stored_task(STORAGE, count=3, image_type=ImageType.WEBP)
    bucket = Bucket()

    stored = delivered(task, bucket)

    assert [put.data for put in bucket.puts] == [b"picture 0", b"picture 1", b"picture 2"]
    assert {(put.region, put.bucket, put.content_type) for put in bucket.puts} == {
        ("us-east-2", "my-pictures", "image/webp")
    }
    assert tuple(put.key for put in bucket.puts) == keys_of(task)
    assert stored == Stored(keys=keys_of(task), urls=tuple(f"https://bucket.test/{key}" for key in keys_of(task)))


@pytest.mark.parametrize("fault", StorageFault)
def test_a_fault_fails_the_delivery_and_says_what_it_means(fault: StorageFault) -> None:
    """The message names bucket and key."""
    bucket = Bucket()
    task = stored_task(STORAGE)

    failed = delivered(task, bucket, at(0, fault=fault))

    assert isinstance(failed, UploadFailed)
    assert (failed.kind, failed.bucket, failed.key, failed.uploaded) == (fault, "my-pictures", keys_of(task)[0], ())
    assert SAID[fault] in failed.message
    assert "'my-pictures'" in failed.message
    assert repr(keys_of(task)[0]) in failed.message
    assert str(failed) == failed.message
    assert bucket.puts == []


def test_half_way_what_was_put_stays_and_is_named() -> None:
    """The second of three fails: the first is there, the third is not tried."""
    bucket = Bucket()
    task = stored_task(STORAGE, count=3)
    first, second, third = keys_of(task)

    failed = delivered(task, bucket, at(1, fault=StorageFault.DENIED))

    assert isinstance(failed, UploadFailed)
    assert failed.uploaded == (first,)
    assert failed.key == second
    assert [put.key for put in bucket.puts] == [first]
    assert failed.message.endswith(f"in the bucket: {first!r}")
    assert third not in failed.message


def test_a_cut_connection_says_how_much_was_sent() -> None:
    failed = delivered(stored_task(STORAGE), Bucket(), at(0, fault=StorageFault.PARTIAL))
    assert isinstance(failed, UploadFailed)
    assert "4 of 9 bytes" in failed.message


def test_without_a_storage_set_up_the_pictures_stay_where_they_are() -> None:
    """No URL of a bucket is made up."""
    assert delivered(stored_task(STORAGE), None) == Stored(keys=(), urls=())


def test_faults_need_no_storage() -> None:
    """Nothing is said to be in a bucket that nobody put there."""
    failed = delivered(stored_task(STORAGE), None, at(1, fault=StorageFault.NO_BUCKET))
    assert isinstance(failed, UploadFailed)
    assert (failed.kind, failed.uploaded) == (StorageFault.NO_BUCKET, ())


def test_a_drawing_that_breaks_is_no_failure_of_the_storage() -> None:
    """It is ours, and is raised."""

    def broken(index: int) -> bytes:
        raise ZeroDivisionError(index)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(deliver(stored_task(STORAGE), broken, ids=IDS, uploader=Bucket()))
