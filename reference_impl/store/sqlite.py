"""A store in one SQLite file, for one server on one machine.

Two connections. One writes, in a thread of its own: a write has reached the disk when it returns (`synchronous =
FULL`), and a crash at any instant leaves all of it or nothing. The other reads, where it is asked: a row by its key
takes some twenty microseconds and waits for no writer, less than to have another thread do it on a busy machine.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

from reference_impl.store.protocol import Claimed, Ending, Owed, QueueFull, Standing, StoreError
from reference_impl.store.rows import COLUMNS, pictures_json, row_of, task_of
from reference_impl.tasks import Status, Task

VERSION = 1
SCHEMA = f"""
CREATE TABLE tasks (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, operation_id TEXT NOT NULL, seed TEXT NOT NULL,
    delivery BLOB NOT NULL, echo BLOB NOT NULL, count INTEGER NOT NULL, work REAL NOT NULL, batch TEXT,
    status TEXT NOT NULL, submitted_ms INTEGER NOT NULL, started_ms INTEGER, ended_ms INTEGER,
    attempts INTEGER NOT NULL, pictures BLOB NOT NULL, reason TEXT NOT NULL,
    held_by TEXT, held_until_ms INTEGER
);
CREATE INDEX living ON tasks (position) WHERE ended_ms IS NULL;
CREATE INDEX ended ON tasks (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE TABLE bodies (task_id TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE events (
    task_id TEXT PRIMARY KEY, url TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due_ms INTEGER
);
CREATE INDEX due ON events (due_ms) WHERE due_ms IS NOT NULL;
PRAGMA user_version = {VERSION};
"""
FREE = "ended_ms IS NULL AND held_by IS NULL"
WAITING = f"ended_ms IS NULL AND (held_by IS NULL OR status = '{Status.QUEUED}')"
LONGEST_WAIT_S = 10.0

T = TypeVar("T")


class SqliteStore:
    """See `reference_impl.store.protocol.Store`.

    Args:
        file: made when it is not there.
    """

    is_shared = False

    def __init__(self, file: Path) -> None:
        self._file = file
        self._write_thread = ThreadPoolExecutor(1, "store-write")
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    async def open(self, now_ms: int) -> None:
        """See the protocol."""
        connect = partial(_connected, self._file)

        def free(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE tasks SET held_by = NULL, held_until_ms = NULL WHERE ended_ms IS NULL")
            connection.execute("UPDATE events SET due_ms = min(due_ms, ?) WHERE attempts > 0", (now_ms,))

        self._writer = await asyncio.get_running_loop().run_in_executor(self._write_thread, connect)
        self._reader = connect()
        await self._write(free)

    async def close(self) -> None:
        """See the protocol."""
        if self._reader is not None:
            self._reader.close()
        if self._writer is not None:
            await asyncio.get_running_loop().run_in_executor(self._write_thread, self._writer.close)
        self._write_thread.shutdown()

    async def add(self, task: Task, body: bytes, *, room: int) -> None:
        """See the protocol."""

        def act(connection: sqlite3.Connection) -> None:
            if not task.status.is_final:
                taken = _number(connection, f"SELECT coalesce(sum(count), 0) FROM tasks WHERE {WAITING}")
                if taken + task.count > room:
                    raise QueueFull(f"{taken} of {room} pictures wait")
                connection.execute("INSERT INTO bodies VALUES (?, ?)", (task.task_id, body))
            marks = ", ".join("?" * len(COLUMNS))
            connection.execute(f"INSERT INTO tasks ({', '.join(COLUMNS)}) VALUES ({marks})", row_of(task))
            if task.status.is_final:
                _owe(connection, task)

        await self._write(act)

    async def read(self, task_id: str) -> Task | None:
        """See the protocol."""

        def act(connection: sqlite3.Connection) -> Task | None:
            row = connection.execute("SELECT * FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
            return task_of(row) if row else None

        return self._read(act)

    async def claim(self, holder: str, *, until_ms: int, pictures: int) -> list[Claimed]:
        """See the protocol."""

        def act(connection: sqlite3.Connection) -> list[Claimed]:
            first = connection.execute(f"SELECT * FROM tasks WHERE {FREE} ORDER BY position LIMIT 1").fetchone()
            if first is None:
                return []
            chosen, room = [first], pictures - first["count"]
            # What was begun before and lost is drawn alone: it may be what took the worker along.
            if room > 0 and first["batch"] is not None and not first["attempts"]:
                rest = (
                    f"SELECT * FROM tasks WHERE {FREE} AND batch = ? AND attempts = 0 AND position > ? "
                    "ORDER BY position"
                )
                for row in connection.execute(rest, (first["batch"], first["position"])):
                    if row["count"] > room:
                        break
                    chosen.append(row)
                    room -= row["count"]
            hold = "UPDATE tasks SET held_by = ?, held_until_ms = ? WHERE position = ?"
            connection.executemany(hold, [(holder, until_ms, row["position"]) for row in chosen])
            return [_claimed(connection, row) for row in chosen]

        return await self._write(act)

    async def begin(self, holder: str, task_ids: Collection[str], now_ms: int) -> None:
        """See the protocol."""
        update = (
            "UPDATE tasks SET status = ?, started_ms = coalesce(started_ms, ?), attempts = attempts + 1 "
            "WHERE task_id = ? AND held_by = ?"
        )
        values = [(Status.PROCESSING.value, now_ms, task_id, holder) for task_id in task_ids]
        await self._write(lambda connection: connection.executemany(update, values))

    async def renew(self, holder: str, task_ids: Collection[str], *, until_ms: int) -> None:
        """See the protocol."""
        if task_ids:
            update = "UPDATE tasks SET held_until_ms = ? WHERE task_id = ? AND held_by = ?"
            values = [(until_ms, task_id, holder) for task_id in task_ids]
            await self._write(lambda connection: connection.executemany(update, values))

    async def give_back(self, holder: str, task_ids: Collection[str], *, counts: bool) -> None:
        """See the protocol."""

        def act(connection: sqlite3.Connection) -> None:
            for task_id in task_ids:
                connection.execute(
                    "UPDATE tasks SET held_by = NULL, held_until_ms = NULL, attempts = attempts - ? "
                    "WHERE task_id = ? AND held_by = ?",
                    (0 if counts else 1, task_id, holder),
                )

        await self._write(act)

    async def free_lost(self, now_ms: int) -> int:
        """See the protocol."""
        return await self._write(
            lambda connection: (
                connection.execute(
                    "UPDATE tasks SET held_by = NULL, held_until_ms = NULL "
                    "WHERE ended_ms IS NULL AND held_by IS NOT NULL AND held_until_ms < ?",
                    (now_ms,),
                ).rowcount
            )
        )

    async def end(self, holder: str, task_id: str, ending: Ending) -> bool:
        """See the protocol."""
        return await self._write(lambda connection: _end(connection, "held_by = ?", (holder,), task_id, ending))

    async def end_free(self, task_id: str, ending: Ending) -> bool:
        """See the protocol."""
        return await self._write(lambda connection: _end(connection, "held_by IS NULL", (), task_id, ending))

    async def ahead(self, task_id: str) -> float:
        """See the protocol."""
        query = (
            f"SELECT coalesce(sum(work), 0) FROM tasks WHERE {WAITING} "
            "AND position < (SELECT position FROM tasks WHERE task_id = ?)"
        )
        return self._read(lambda connection: _number(connection, query, (task_id,)))

    async def waiting(self) -> int:
        """See the protocol."""
        query = f"SELECT coalesce(sum(count), 0) FROM tasks WHERE {WAITING}"
        return self._read(lambda connection: int(_number(connection, query)))

    async def take_owed(self, *, now_ms: int, lease_ms: int, most: int, besides: Collection[str]) -> list[Owed]:
        """See the protocol."""

        def act(connection: sqlite3.Connection) -> list[Owed]:
            found = connection.execute(
                "SELECT * FROM events WHERE due_ms <= ? ORDER BY due_ms LIMIT ?", (now_ms, most + len(besides))
            )
            due = [row for row in found.fetchall() if row["task_id"] not in besides][:most]
            for row in due:
                connection.execute(
                    "UPDATE events SET attempts = attempts + 1, due_ms = ? WHERE task_id = ?",
                    (now_ms + lease_ms, row["task_id"]),
                )
            return [Owed(task_id=row["task_id"], url=row["url"], attempt=row["attempts"] + 1) for row in due]

        return await self._write(act)

    async def settle(self, task_id: str) -> None:
        """See the protocol."""
        await self._write(
            lambda connection: connection.execute("UPDATE events SET due_ms = NULL WHERE task_id = ?", (task_id,))
        )

    async def postpone(self, task_id: str, due_ms: int) -> None:
        """See the protocol."""
        await self._write(
            lambda connection: connection.execute("UPDATE events SET due_ms = ? WHERE task_id = ?", (due_ms, task_id))
        )

    async def next_due_ms(self) -> int | None:
        """See the protocol."""

        def act(connection: sqlite3.Connection) -> int | None:
            due: int | None = connection.execute("SELECT min(due_ms) FROM events WHERE due_ms IS NOT NULL").fetchone()[
                0
            ]
            return due

        return self._read(act)

    async def forget(self, before_ms: int, most: int) -> list[str]:
        """See the protocol."""

        def act(connection: sqlite3.Connection) -> list[str]:
            rows = connection.execute(
                "SELECT task_id FROM tasks WHERE ended_ms < ? AND NOT EXISTS "
                "(SELECT 1 FROM events WHERE events.task_id = tasks.task_id AND due_ms IS NOT NULL) LIMIT ?",
                (before_ms, most),
            ).fetchall()
            for row in rows:
                connection.execute("DELETE FROM tasks WHERE task_id = ?", (row["task_id"],))
                connection.execute("DELETE FROM events WHERE task_id = ?", (row["task_id"],))
            return [row["task_id"] for row in rows]

        return await self._write(act)

    async def known(self, task_ids: Collection[str]) -> set[str]:
        """See the protocol."""

        def act(connection: sqlite3.Connection) -> set[str]:
            query = "SELECT 1 FROM tasks WHERE task_id = ?"
            return {task_id for task_id in task_ids if connection.execute(query, (task_id,)).fetchone()}

        return await self._write(act)

    async def report(self, standings: Mapping[str, Standing]) -> None:
        """Nobody else asks: the service knows it itself."""

    async def standing(self, task_id: str) -> Standing | None:
        """Nothing was reported."""
        return None

    async def _write(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Do it in one transaction, in the writing thread."""
        connection = self._writer
        if connection is None:
            raise StoreError("the store is not open")

        def run() -> T:
            # IMMEDIATE: the lock is taken before anything is read, so that no decision rests on what has changed.
            connection.execute("BEGIN IMMEDIATE")
            try:
                done = act(connection)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
            return done

        return await asyncio.get_running_loop().run_in_executor(self._write_thread, run)

    def _read(self, act: Callable[[sqlite3.Connection], T]) -> T:
        if self._reader is None:
            raise StoreError("the store is not open")
        return act(self._reader)


def check(file: Path) -> None:
    """Whether a file can be a store; it is made when it is not there.

    Raises:
        StoreError: it cannot; the message says what helps.
    """
    _connected(file).close()


def _connected(file: Path) -> sqlite3.Connection:
    try:
        return _prepared(file)
    except sqlite3.Error as error:
        raise StoreError(f"{file} cannot be used as task store: {error}; --data names another folder") from None


def _prepared(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=LONGEST_WAIT_S, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    version = int(_number(connection, "PRAGMA user_version"))
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
    elif version != VERSION:
        connection.close()
        raise StoreError(f"{file} was made by another version of this program (format {version}, here {VERSION})")
    return connection


def _claimed(connection: sqlite3.Connection, row: sqlite3.Row) -> Claimed:
    body = connection.execute("SELECT body FROM bodies WHERE task_id = ?", (row["task_id"],)).fetchone()
    return Claimed(task=task_of(row), body=body["body"])


def _end(connection: sqlite3.Connection, condition: str, values: tuple[str, ...], task_id: str, ending: Ending) -> bool:
    ended = connection.execute(
        "UPDATE tasks SET status = ?, ended_ms = ?, started_ms = coalesce(started_ms, ?), pictures = ?, reason = ?, "
        f"held_by = NULL, held_until_ms = NULL WHERE task_id = ? AND ended_ms IS NULL AND {condition}",
        (
            ending.status.value,
            ending.ended_ms,
            ending.ended_ms,
            pictures_json(ending.pictures),
            ending.reason,
            task_id,
            *values,
        ),
    )
    if not ended.rowcount:
        return False
    connection.execute("DELETE FROM bodies WHERE task_id = ?", (task_id,))
    with closing(connection.execute("SELECT * FROM tasks WHERE task_id = ?", (task_id,))) as found:
        _owe(connection, task_of(found.fetchone()))
    return True


def _owe(connection: sqlite3.Connection, task: Task) -> None:
    webhook = task.delivery.webhook
    if webhook is not None:
        connection.execute(
            "INSERT INTO events (task_id, url, due_ms) VALUES (?, ?, ?)", (task.task_id, webhook.url, task.ended_ms)
        )


def _number(connection: sqlite3.Connection, query: str, values: tuple[object, ...] = ()) -> float:
    number: float = connection.execute(query, values).fetchone()[0]
    return number
