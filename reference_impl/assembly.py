"""The table of contents of the server: every part made from the settings, and put together. Nothing runs yet."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from starlette.applications import Starlette

from openapi.document import Reading, load
from reference_impl.clock import Clock, RandomIds, RealClock, ShiftedClock
from reference_impl.gallery import Gallery
from reference_impl.http.app import make_app
from reference_impl.http.results import Results
from reference_impl.levels import LevelsError, check_detector
from reference_impl.links import Links
from reference_impl.outbound.buckets import S3Buckets
from reference_impl.outbound.guard import Guard
from reference_impl.outbound.post import Post
from reference_impl.service import Parts, Service
from reference_impl.settings import Settings
from reference_impl.shelf import Kind, Shelf
from reference_impl.store.protocol import Store
from reference_impl.store.sqlite import SqliteStore, check
from reference_impl.submissions import Submissions
from reference_impl.test_clock import clock_routes
from reference_impl.worker.crew import ChildWorker
from reference_impl.worker.process import EngineOptions
from reference_impl.worker.protocol import Worker

STORE_MARK = "store-id"
"""In a folder that belongs to a shared store: which one."""


class CannotStart(Exception):
    """The server cannot start as it is told to; the message says why and what helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFolder:
    """Everything a server keeps, in one folder: its own while it runs, or shared by all who share a store.

    Attributes:
        secret: that links are signed with.
        store: URL of the shared store; None: tasks are in a file of this folder.
    """

    folder: Path
    secret: bytes
    store: str | None = None

    @property
    def tasks(self) -> Path:
        """The file of the task store, where it is one."""
        return self.folder / "tasks.sqlite"

    @property
    def pictures(self) -> Path:
        """The folder of finished pictures."""
        return self.folder / "pictures"


@contextmanager
def data_folder(folder: Path, store: str | None = None) -> Iterator[DataFolder]:
    """A folder that is this process's while the block lasts; with a shared store, that of all who share it.

    Raises:
        CannotStart: it cannot be written, or another server runs on it, or on another store.
        StoreError: the store cannot be used.
    """
    if store is not None:
        yield shared_folder(folder, store)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("ab")
    except OSError as error:
        raise _useless(folder, error) from None
    with lock:
        if (folder / STORE_MARK).exists():
            raise CannotStart(f"{folder} belongs to a shared task store; --data names another folder")
        if not _locked(lock):
            raise CannotStart(f"another server uses {folder}; --data names another folder")
        try:
            secret = _secret(folder / "link-secret")
        except OSError as error:
            raise _useless(folder, error) from None
        data = DataFolder(folder=folder, secret=secret)
        check(data.tasks)
        yield data


def make_service(settings: Settings, shelf: Shelf, data: DataFolder, base_url: str, clock: Clock) -> Service:
    """The service and all behind it.

    Args:
        settings: what was chosen.
        shelf: the models.
        data: where tasks and pictures are kept.
        base_url: what links begin with, without a slash at the end.
        clock: what time it is.
    """
    document = load()
    links = Links(data.secret, base_url, clock)
    reading = Reading.DOCUMENTED if settings.strict else Reading.TOLERATED
    token = secrets.token_hex(4)
    return Service(
        Parts(
            store=_store(data),
            workers=_workers(settings),
            gallery=Gallery(data.pictures, writer=token if data.store else None),
            buckets=S3Buckets(settings.s3_endpoint),
            post=Post(Guard(private=settings.allow_private_webhooks, loopback=settings.is_local)),
            links=links,
            clock=clock,
            ids=RandomIds(),
            job_of=Submissions(document, shelf, reading).job,
            payload_of=Results(links, settings.link_ttl_s).event,
            holder=f"{socket.gethostname()}-{os.getpid()}-{token}",
            room=settings.queue,
            batch=settings.batch,
            keep_s=settings.keep_s,
            retry_s=settings.webhook_retry_s,
            lease_ms=settings.lease_s * 1000,
        )
    )


def make_server(settings: Settings, data: DataFolder, base_url: str) -> Starlette:
    """The application: HTTP front and service; its lifespan starts and stops everything.

    Raises:
        ShelfError: the folder of models is not as expected.
        CannotStart: the detector asked for is not in it, or the detector does not say which labels count.
    """
    shelf = Shelf(settings.models, dict(settings.aliases))
    if settings.nsfw is not None and shelf.find(Kind.SAFETY, settings.nsfw) is None:
        names = ", ".join(model.name for model in shelf.of(Kind.SAFETY)) or "none"
        raise CannotStart(f"there is no detector {settings.nsfw!r} in {settings.models / Kind.SAFETY}; there: {names}")
    detector = shelf.find(Kind.SAFETY, settings.nsfw) if settings.nsfw else next(iter(shelf.of(Kind.SAFETY)), None)
    if detector is not None:
        try:
            check_detector(detector)
        except LevelsError as error:
            raise CannotStart(str(error)) from None
    clock = ShiftedClock() if settings.test_clock else RealClock()
    service = make_service(settings, shelf, data, base_url, clock)
    app = make_app(service, shelf, load(), settings, clock)
    if isinstance(clock, ShiftedClock):
        app.router.routes.extend(clock_routes(clock, service))
    return app


def shared_folder(folder: Path, store: str) -> DataFolder:
    """The folder of pictures of all servers that share a store.

    Raises:
        CannotStart: it cannot be written, or belongs to another store, whose pictures would be taken for lost ones.
        StoreError: the store cannot be used.
    """
    try:
        from reference_impl.store.postgres_tables import prepare
    except ImportError as error:
        raise CannotStart(f"{error}; --store needs psycopg: pip install 'novita-mock[postgres]'") from None
    secret = prepare(store)
    mark = folder / STORE_MARK
    ours = hashlib.sha256(b"store-id" + secret).hexdigest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: another server may read it at this moment.
        unfinished = folder / f"store-id.{secrets.token_hex(4)}"
        unfinished.write_text(ours)
        with contextlib.suppress(FileExistsError):
            mark.hardlink_to(unfinished)
        unfinished.unlink()
        theirs = mark.read_text()
    except OSError as error:
        raise _useless(folder, error) from None
    if theirs != ours or (folder / "lock").exists():
        raise CannotStart(f"{folder} holds the pictures of another task store; --data names another folder")
    return DataFolder(folder=folder, secret=secret, store=store)


def _store(data: DataFolder) -> Store:
    if data.store is None:
        return SqliteStore(data.tasks)
    from reference_impl.store.postgres import PostgresStore

    return PostgresStore(data.store)


def _workers(settings: Settings) -> Sequence[Worker]:
    if settings.ray is None:
        return [ChildWorker(_options(settings, device), settings.engine) for device in settings.devices]
    from reference_impl.cluster.worker import Cluster, RayWorker

    cluster = Cluster(settings.ray)
    return [RayWorker(cluster, number) for number in range(settings.ray_batches)]


def _options(settings: Settings, device: str) -> EngineOptions:
    return EngineOptions(
        models=settings.models,
        aliases=dict(settings.aliases),
        device=device,
        dtype=settings.dtype,
        threads=settings.threads,
        cache_bytes=settings.cache_bytes,
        batch=settings.batch,
        nsfw=settings.nsfw,
    )


def _useless(folder: Path, error: OSError) -> CannotStart:
    return CannotStart(f"{folder} cannot be used for data: {error.strerror}; --data names another folder")


def _locked(lock: IO[bytes]) -> bool:
    """Whether this process has the lock now; the system lets go of it when the process ends, however it does.

    Where the system knows no such locks nothing is guarded.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _secret(file: Path) -> bytes:
    """The secret that links are signed with; made once, so that links outlive a restart."""
    if not file.exists():
        unfinished = file.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(secrets.token_bytes(32))
        unfinished.replace(file)
    return file.read_bytes()
