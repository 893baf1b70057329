"""A store in PostgreSQL, for several servers on any number of machines.

Every call is one transaction. What two servers may want at the same instant is locked row by row, and rows that
another has locked are passed over, so that none waits for another's task. Needs psycopg (the extra `postgres`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection, Error
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from reference_impl.store.postgres_tables import BODIES, EVENTS, QUEUE_LOCK, STANDINGS, TASKS
from reference_impl.store.protocol import Claimed, Ending, Owed, QueueFull, Standing, StoreError
from reference_impl.store.rows import COLUMNS, pictures_json, row_of, task_of
from reference_impl.tasks import Status, Task

FREE = "ended_ms IS NULL AND held_by IS NULL"
WAITING = f"ended_ms IS NULL AND (held_by IS NULL OR status = '{Status.QUEUED}')"
CONNECTIONS = 8
LONGEST_WAIT_S = 5.0
"""For a connection: a request is rather refused than left hanging while the database is away."""

Connection = AsyncConnection[DictRow]


class PostgresStore:
    """See `reference_impl.store.protocol.Store`.

    Args:
        url: `postgresql://user:password@host:port/database`, or another form that libpq reads. The tables are there:
            see `reference_impl.store.postgres_tables.prepare`.
    """

    is_shared = True

    def __init__(self, url: str) -> None:
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._url = url

    async def open(self, now_ms: int) -> None:
        """See the protocol. What others hold is left to them; what a lost one held comes free with its lease."""
        self._pool = AsyncConnectionPool(
            conninfo=with_patience(self._url),
            connection_class=AsyncConnection[DictRow],
            kwargs={"row_factory": dict_row, "autocommit": True},
            min_size=1,
            max_size=CONNECTIONS,
            timeout=LONGEST_WAIT_S,
            reconnect_timeout=LONGEST_WAIT_S,  # the pauses between its attempts double; whoever asks next begins anew
            check=AsyncConnectionPool.check_connection,  # the database may have been started anew meanwhile
            open=False,
        )
        try:
            await self._pool.open(wait=True, timeout=2 * LONGEST_WAIT_S)
        except Error as error:
            await self.close()
            raise StoreError(f"the database at {place(self._url)} does not answer: {error}") from None

    async def close(self) -> None:
        """See the protocol."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def add(self, task: Task, body: bytes, *, room: int) -> None:
        """See the protocol."""
        async with self._transaction() as connection:
            if not task.status.is_final:
                # One at a time: two that look at the same moment would both find the last place free. It also makes
                # the order of positions the order in which tasks were kept.
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", (QUEUE_LOCK,))
                taken = await _number(connection, f"SELECT coalesce(sum(count), 0) AS n FROM {TASKS} WHERE {WAITING}")
                if taken + task.count > room:
                    raise QueueFull(f"{taken:g} of {room} pictures wait")
                await connection.execute(f"INSERT INTO {BODIES} VALUES (%s, %s)", (task.task_id, body))
            marks = ", ".join(["%s"] * len(COLUMNS))
            await connection.execute(f"INSERT INTO {TASKS} ({', '.join(COLUMNS)}) VALUES ({marks})", row_of(task))
            if task.status.is_final:
                await _owe(connection, task)

    async def read(self, task_id: str) -> Task | None:
        """See the protocol."""
        if "\0" in task_id:  # which no text of PostgreSQL can hold
            return None
        row = await self._row(f"SELECT * FROM {TASKS} WHERE task_id = %s", (task_id,))
        return task_of(row) if row else None

    async def claim(self, holder: str, *, until_ms: int, pictures: int) -> list[Claimed]:
        """See the protocol."""
        async with self._transaction() as connection:
            query = f"SELECT * FROM {TASKS} WHERE {FREE} ORDER BY position LIMIT 1 FOR UPDATE SKIP LOCKED"
            first = await (await connection.execute(query)).fetchone()
            if first is None:
                return []
            chosen, room = [first], pictures - first["count"]
            # What was begun before and lost is drawn alone: it may be what took the worker along.
            if room > 0 and first["batch"] is not None and not first["attempts"]:
                rest = await connection.execute(
                    f"SELECT * FROM {TASKS} WHERE {FREE} AND batch = %s AND attempts = 0 AND position > %s "
                    "ORDER BY position LIMIT %s FOR UPDATE SKIP LOCKED",
                    (first["batch"], first["position"], room),
                )
                for row in await rest.fetchall():
                    if row["count"] > room:
                        break
                    chosen.append(row)
                    room -= row["count"]
            task_ids = [row["task_id"] for row in chosen]
            hold = f"UPDATE {TASKS} SET held_by = %s, held_until_ms = %s WHERE task_id = ANY(%s)"
            await connection.execute(hold, (holder, until_ms, task_ids))
            found = await connection.execute(f"SELECT * FROM {BODIES} WHERE task_id = ANY(%s)", (task_ids,))
            bodies = {row["task_id"]: row["body"] for row in await found.fetchall()}
            return [Claimed(task=task_of(row), body=bodies[row["task_id"]]) for row in chosen]

    async def begin(self, holder: str, task_ids: Collection[str], now_ms: int) -> None:
        """See the protocol."""
        await self._do(
            f"UPDATE {TASKS} SET status = %s, started_ms = coalesce(started_ms, %s), attempts = attempts + 1 "
            "WHERE task_id = ANY(%s) AND held_by = %s",
            (Status.PROCESSING.value, now_ms, list(task_ids), holder),
        )

    async def renew(self, holder: str, task_ids: Collection[str], *, until_ms: int) -> None:
        """See the protocol."""
        if task_ids:
            await self._do(
                f"UPDATE {TASKS} SET held_until_ms = %s WHERE task_id = ANY(%s) AND held_by = %s",
                (until_ms, list(task_ids), holder),
            )

    async def give_back(self, holder: str, task_ids: Collection[str], *, counts: bool) -> None:
        """See the protocol."""
        if task_ids:
            await self._do(
                f"UPDATE {TASKS} SET held_by = NULL, held_until_ms = NULL, attempts = attempts - %s "
                "WHERE task_id = ANY(%s) AND held_by = %s",
                (0 if counts else 1, list(task_ids), holder),
            )

    async def free_lost(self, now_ms: int) -> int:
        """See the protocol."""
        return await self._do(
            f"UPDATE {TASKS} SET held_by = NULL, held_until_ms = NULL "
            "WHERE ended_ms IS NULL AND held_by IS NOT NULL AND held_until_ms < %s",
            (now_ms,),
        )

    async def end(self, holder: str, task_id: str, ending: Ending) -> bool:
        """See the protocol."""
        return await self._end("held_by = %s", (holder,), task_id, ending)

    async def end_free(self, task_id: str, ending: Ending) -> bool:
        """See the protocol."""
        return await self._end("held_by IS NULL", (), task_id, ending)

    async def ahead(self, task_id: str) -> float:
        """See the protocol."""
        query = (
            f"SELECT coalesce(sum(work), 0) AS n FROM {TASKS} WHERE {WAITING} "
            f"AND position < (SELECT position FROM {TASKS} WHERE task_id = %s)"
        )
        row = await self._row(query, (task_id,))
        return float(row["n"]) if row else 0.0

    async def waiting(self) -> int:
        """See the protocol."""
        row = await self._row(f"SELECT coalesce(sum(count), 0) AS n FROM {TASKS} WHERE {WAITING}", ())
        return int(row["n"]) if row else 0

    async def take_owed(self, *, now_ms: int, lease_ms: int, most: int, besides: Collection[str]) -> list[Owed]:
        """See the protocol."""
        async with self._transaction() as connection:
            due = (
                f"SELECT task_id FROM {EVENTS} WHERE due_ms <= %s AND task_id <> ALL(%s) "
                "ORDER BY due_ms LIMIT %s FOR UPDATE SKIP LOCKED"
            )
            taken = await connection.execute(
                f"UPDATE {EVENTS} SET attempts = attempts + 1, due_ms = %s WHERE task_id IN ({due}) "
                "RETURNING task_id, url, attempts",
                (now_ms + lease_ms, now_ms, list(besides), most),
            )
            rows = await taken.fetchall()
        return [Owed(task_id=row["task_id"], url=row["url"], attempt=row["attempts"]) for row in rows]

    async def settle(self, task_id: str) -> None:
        """See the protocol."""
        await self._do(f"UPDATE {EVENTS} SET due_ms = NULL WHERE task_id = %s", (task_id,))

    async def postpone(self, task_id: str, due_ms: int) -> None:
        """See the protocol."""
        await self._do(f"UPDATE {EVENTS} SET due_ms = %s WHERE task_id = %s", (due_ms, task_id))

    async def next_due_ms(self) -> int | None:
        """See the protocol."""
        row = await self._row(f"SELECT min(due_ms) AS due FROM {EVENTS} WHERE due_ms IS NOT NULL", ())
        return row["due"] if row else None

    async def forget(self, before_ms: int, most: int) -> list[str]:
        """See the protocol."""
        async with self._transaction() as connection:
            old = (
                f"SELECT task_id FROM {TASKS} WHERE ended_ms < %s AND NOT EXISTS "
                f"(SELECT 1 FROM {EVENTS} AS e WHERE e.task_id = {TASKS}.task_id AND due_ms IS NOT NULL) "
                "LIMIT %s FOR UPDATE SKIP LOCKED"
            )
            gone = await connection.execute(
                f"DELETE FROM {TASKS} WHERE task_id IN ({old}) RETURNING task_id", (before_ms, most)
            )
            task_ids = [row["task_id"] for row in await gone.fetchall()]
            await connection.execute(f"DELETE FROM {EVENTS} WHERE task_id = ANY(%s)", (task_ids,))
            # Whoever drew one may have reported it once more just after its end.
            await connection.execute(f"DELETE FROM {STANDINGS} WHERE task_id = ANY(%s)", (task_ids,))
        return task_ids

    async def known(self, task_ids: Collection[str]) -> set[str]:
        """See the protocol."""
        async with self._transaction() as connection:
            query = f"SELECT task_id FROM {TASKS} WHERE task_id = ANY(%s)"
            return {row["task_id"] for row in await (await connection.execute(query, (list(task_ids),))).fetchall()}

    async def report(self, standings: Mapping[str, Standing]) -> None:
        """See the protocol."""
        if not standings:
            return
        update = (
            f"INSERT INTO {STANDINGS} AS old VALUES (%s, %s, %s, %s) ON CONFLICT (task_id) DO UPDATE SET "
            "share = greatest(old.share, excluded.share), eta_s = excluded.eta_s, "
            "preview = coalesce(excluded.preview, old.preview)"
        )
        async with self._transaction() as connection, connection.cursor() as cursor:
            rows = [(task_id, one.share, one.eta_s, one.preview) for task_id, one in sorted(standings.items())]
            await cursor.executemany(update, rows)

    async def standing(self, task_id: str) -> Standing | None:
        """See the protocol."""
        if "\0" in task_id:
            return None
        row = await self._row(f"SELECT * FROM {STANDINGS} WHERE task_id = %s", (task_id,))
        return Standing(share=row["share"], eta_s=row["eta_s"], preview=row["preview"]) if row else None

    async def _end(self, condition: str, values: tuple[str, ...], task_id: str, ending: Ending) -> bool:
        async with self._transaction() as connection:
            ended = await connection.execute(
                f"UPDATE {TASKS} SET status = %s, ended_ms = %s, started_ms = coalesce(started_ms, %s), pictures = %s, "
                f"reason = %s, held_by = NULL, held_until_ms = NULL "
                f"WHERE task_id = %s AND ended_ms IS NULL AND {condition} RETURNING *",
                (
                    ending.status.value,
                    ending.ended_ms,
                    ending.ended_ms,
                    pictures_json(ending.pictures),
                    ending.reason.replace("\0", "\N{REPLACEMENT CHARACTER}"),
                    task_id,
                    *values,
                ),
            )
            row = await ended.fetchone()
            if row is None:
                return False
            await connection.execute(f"DELETE FROM {BODIES} WHERE task_id = %s", (task_id,))
            await connection.execute(f"DELETE FROM {STANDINGS} WHERE task_id = %s", (task_id,))
            await _owe(connection, task_of(row))
        return True

    async def _do(self, statement: str, values: tuple[object, ...]) -> int:
        """Carry out one statement; how many rows it changed."""
        async with self._connection() as connection:
            return (await connection.execute(statement, values)).rowcount

    async def _row(self, query: str, values: tuple[object, ...]) -> dict[str, Any] | None:
        async with self._connection() as connection:
            return await (await connection.execute(query, values)).fetchone()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        async with self._connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        if self._pool is None:
            raise StoreError("the store is not open")
        async with self._pool.connection() as connection:
            yield connection


def with_patience(url: str) -> str:
    """The same, with an end to the wait for a host that does not answer, unless it names one."""
    habits: dict[str, Any] = {"connect_timeout": round(LONGEST_WAIT_S), "application_name": "novita-reference"}
    return make_conninfo(url, **habits | conninfo_to_dict(url))


def place(url: str) -> str:
    """Host, port and database of a URL, for messages: no password."""
    given = conninfo_to_dict(url)
    return f"{given.get('host', 'localhost')}:{given.get('port', 5432)}/{given.get('dbname', '')}"


async def _owe(connection: Connection, task: Task) -> None:
    webhook = task.delivery.webhook
    if webhook is not None:
        await connection.execute(
            f"INSERT INTO {EVENTS} (task_id, url, due_ms) VALUES (%s, %s, %s)",
            (task.task_id, webhook.url, task.ended_ms),
        )


async def _number(connection: Connection, query: str) -> float:
    row = await (await connection.execute(query)).fetchone()
    return float(row["n"]) if row else 0.0
