"""All pictures of a task put into its bucket, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from mockserver.core.task import Task
from mockserver.parts.ids import Ids
from mockserver.storage.keys import object_key
from mockserver.storage.uploader import FaultAt, FaultyUploader, Put, Uploader, UploadFailed

Draw = Callable[[int], bytes]
"""The file of picture `index`; called in a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A task's pictures in its bucket.

    Attributes:
        keys: one per picture, in order.
        urls: where each can be read; empty when there is no uploader and the mock's own links stay good.
    """

    keys: tuple[str, ...]
    urls: tuple[str, ...]


async def upload_all(task: Task, draw: Draw, *, ids: Ids, uploader: Uploader) -> Stored:
    """Puts every picture of a task that names a bucket, one after the other.

    Args:
        task: its delivery has a storage.
        draw: draws a picture; only those that are put are drawn.
        ids: names the files.
        uploader: puts them.

    Raises:
        UploadFailed: one was not put; those before it stay, and it names them. Those after it are not tried.
    """
    storage = task.delivery.storage
    assert storage is not None, "only tasks with a custom storage are uploaded"
    keys: list[str] = []
    urls: list[str] = []
    for index in range(task.count):
        key = object_key(task, storage, index, ids)
        put = Put(
            region=storage.region,
            bucket=storage.bucket,
            key=key,
            data=await asyncio.to_thread(draw, index),
            content_type=task.delivery.image_type.media_type,
        )
        try:
            urls.append(await uploader.put(put))
        except UploadFailed as failed:
            failed.uploaded = tuple(keys)
            raise
        keys.append(key)
    return Stored(keys=tuple(keys), urls=tuple(urls))


async def deliver(
    task: Task, draw: Draw, *, ids: Ids, uploader: Uploader | None, fault_at: FaultAt | None = None
) -> Stored | UploadFailed:
    """As `upload_all`, with faults, and the failure as a value.

    Args:
        task: its delivery has a storage.
        draw: draws a picture.
        ids: names the files.
        uploader: puts them; None: no storage is set up, and a picture without a fault stays with the mock.
        fault_at: which pictures fail on demand.
    """
    if fault_at is not None or uploader is None:
        chosen: Uploader = FaultyUploader(uploader, fault_at or _no_fault)
    else:
        chosen = uploader
    try:
        stored = await upload_all(task, draw, ids=ids, uploader=chosen)
    except UploadFailed as failed:
        if uploader is None:
            failed.uploaded = ()  # those before it lie nowhere
        return failed
    return Stored(keys=(), urls=()) if uploader is None else stored


async def _no_fault(_: int) -> None:
    """Every put goes through."""
