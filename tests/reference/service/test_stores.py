"""Every store keeps what it was told, hands out each task once, and takes back what was lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import psycopg
import pytest

from reference_impl.jobs import FileFormat, Nsfw
from reference_impl.store.postgres import PostgresStore
from reference_impl.store.postgres_tables import KEPT, prepare
from reference_impl.store.protocol import Ending, Owed, QueueFull, Standing, Store, StoreError
from reference_impl.store.sqlite import SqliteStore, check
from reference_impl.tasks import Bucket, Delivery, Picture, Status, Task, Webhook
from tests.reference.databases import Database

NOW = 1_700_000_000_000
HOOK = Delivery(webhook=Webhook(url="http://127.0.0.1:1/hook"))
PICTURE = Picture(
    name=f"{'0' * 32}.png",
    file_format=FileFormat.PNG,
    seed=2**64 + 1,
    width=64,
    height=32,
    nsfw=Nsfw(valid=True, confidence=12.5),
    url="https://pictures.s3.eu-west-1.amazonaws.com/a.png",
)
DONE = Ending(status=Status.SUCCEED, ended_ms=NOW + 5, pictures=(PICTURE,))


def task(name: str, **changes: object) -> Task:
    """A small task."""
    plain = Task(
        task_id=name,
        owner="o",
        operation_id="createTxt2imgTask",
        seed=2**64,
        delivery=Delivery(),
        echo={"seeds": [2**64], "model": "shapes"},
        count=1,
        work=2.0,
        submitted_ms=NOW,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # the tests' own words for its fields


Act = Callable[[Store], Awaitable[None]]
Run = Callable[[Act], None]


def opened(make: Callable[[], Store], act: Act) -> None:
    """Do something with an open store."""

    async def whole() -> None:
        store = make()
        await store.open(NOW)
        try:
            await act(store)
        finally:
            await store.close()

    asyncio.run(whole())


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.ray)])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Does something with a store of each kind; twice means after a restart."""
    if request.param == "sqlite":
        return partial(opened, lambda: SqliteStore(tmp_path / "tasks.sqlite"))
    database: Database = request.getfixturevalue("database")
    prepare(database.url)
    return partial(opened, lambda: PostgresStore(database.url))


async def claimed(store: Store, holder: str = "here", pictures: int = 1) -> list[str]:
    """The ids of what is handed out, and begun at once."""
    found = await store.claim(holder, until_ms=NOW + 1000, pictures=pictures)
    task_ids = [one.task.task_id for one in found]
    await store.begin(holder, task_ids, NOW)
    return task_ids


async def owed_at(store: Store, now_ms: int, besides: tuple[str, ...] = ()) -> list[Owed]:
    """The events that are due at an instant."""
    return await store.take_owed(now_ms=now_ms, lease_ms=1000, most=10, besides=besides)


def test_a_task_is_read_as_it_was_added(run: Run) -> None:
    whole = Delivery(
        webhook=Webhook(url="http://example.test/hook"),
        bucket=Bucket(region="eu-west-1", bucket="pictures", path="/a", directly=True),
        link_ttl_s=60,
        nsfw_detection=True,
    )

    async def act(store: Store) -> None:
        await store.add(task("a", delivery=whole, group="g"), b"body", room=9)
        assert await store.read("a") == task("a", delivery=whole, group="g")
        assert await store.read("b") is None

    run(act)


def test_tasks_are_handed_out_once_and_in_order(run: Run) -> None:
    async def act(store: Store) -> None:
        for name in "abc":
            await store.add(task(name), name.encode(), room=9)
        (first,) = await store.claim("here", until_ms=NOW + 1000, pictures=1)
        assert (first.task, first.body) == (task("a"), b"a")
        await store.begin("there", ["a"], NOW)
        assert await store.read("a") == task("a")
        await store.begin("here", ["a"], NOW + 1)
        assert await store.read("a") == task("a", status=Status.PROCESSING, started_ms=NOW + 1, attempts=1)
        assert await claimed(store, "there") == ["b"]
        assert await claimed(store) == ["c"]
        assert await claimed(store) == []

    run(act)


def test_tasks_of_one_group_come_together_within_the_room(run: Run) -> None:
    async def act(store: Store) -> None:
        for name, group in (("a", "g"), ("b", None), ("c", "g"), ("d", "h"), ("e", "g"), ("f", "g")):
            await store.add(task(name, group=group, count=2), b"", room=99)
        assert await claimed(store, pictures=6) == ["a", "c", "e"]
        assert await claimed(store, pictures=6) == ["b"]

    run(act)


def test_what_was_begun_before_is_handed_out_alone(run: Run) -> None:
    async def act(store: Store) -> None:
        for name in "abc":
            await store.add(task(name, group="g"), b"", room=9)
        assert await claimed(store, pictures=2) == ["a", "b"]
        await store.give_back("here", ["a", "b"], counts=True)
        assert await claimed(store, pictures=8) == ["a"]
        assert await claimed(store, pictures=8) == ["b"]
        assert await claimed(store, pictures=8) == ["c"]

    run(act)


def test_a_queue_that_is_full_keeps_nothing_more_until_work_begins(run: Run) -> None:
    async def act(store: Store) -> None:
        await store.add(task("a", count=6), b"", room=8)
        with pytest.raises(QueueFull):
            await store.add(task("b", count=3), b"", room=8)
        assert await store.read("b") is None
        await store.add(task("c", count=2), b"", room=8)
        assert await store.waiting() == 8
        await claimed(store)
        await store.add(task("b", count=3), b"", room=8)

    run(act)


def test_what_is_given_back_waits_at_its_old_place_and_is_still_shown_as_begun(run: Run) -> None:
    async def act(store: Store) -> None:
        for name in "ab":
            await store.add(task(name), b"", room=9)
        await claimed(store)
        await store.give_back("here", ["a"], counts=False)
        given = await store.read("a")
        assert given is not None
        assert (given.status, given.attempts) == (Status.PROCESSING, 0)
        assert await claimed(store) == ["a"]
        await store.give_back("there", ["a"], counts=True)
        assert await claimed(store) == ["b"]

    run(act)


def test_a_lease_that_ends_frees_the_task_and_its_old_holder_cannot_end_it(run: Run) -> None:
    async def act(store: Store) -> None:
        await store.add(task("a"), b"", room=9)
        await claimed(store)
        await store.renew("here", ["a"], until_ms=NOW + 5000)
        assert await store.free_lost(NOW + 4000) == 0
        assert await store.free_lost(NOW + 6000) == 1
        assert not await store.end("here", "a", DONE)
        assert await claimed(store, "there") == ["a"]
        assert await store.end("there", "a", DONE)
        assert not await store.end("there", "a", replace(DONE, status=Status.FAILED))

    run(act)


def test_an_ended_task_is_kept_across_a_restart(run: Run) -> None:
    async def before(store: Store) -> None:
        for name in "ab":
            await store.add(task(name), b"", room=9)
        await claimed(store)
        await claimed(store)
        await store.end("here", "a", DONE)

    async def after(store: Store) -> None:
        ended = await store.read("a")
        assert ended is not None
        assert (ended.status, ended.ended_ms, ended.pictures) == (Status.SUCCEED, NOW + 5, (PICTURE,))
        await store.free_lost(NOW + 2000)
        assert await claimed(store) == ["b"]

    run(before)
    run(after)


def test_after_a_restart_what_was_held_comes_free_at_once_where_nobody_else_can_hold_it(tmp_path: Path) -> None:
    async def before(store: Store) -> None:
        await store.add(task("a"), b"", room=9)
        await claimed(store)

    async def after(store: Store) -> None:
        assert await claimed(store) == ["a"]

    for act in (before, after):
        opened(lambda: SqliteStore(tmp_path / "tasks.sqlite"), act)


def test_work_ahead_is_what_waits_before_a_task(run: Run) -> None:
    async def act(store: Store) -> None:
        for name in "abcd":
            await store.add(task(name), b"", room=9)
        await claimed(store)
        assert await store.ahead("b") == 0
        assert await store.ahead("d") == 4

    run(act)


def test_a_waiting_task_can_be_ended_and_a_held_one_not(run: Run) -> None:
    async def act(store: Store) -> None:
        for name in "ab":
            await store.add(task(name, delivery=HOOK), b"", room=9)
        await claimed(store)
        assert not await store.end_free("a", DONE)
        assert await store.end_free("b", DONE)
        assert [owed.task_id for owed in await owed_at(store, NOW + 5)] == ["b"]

    run(act)


def test_an_event_is_owed_from_the_end_of_its_task_until_it_is_settled(run: Run) -> None:
    async def act(store: Store) -> None:
        await store.add(task("a", delivery=HOOK), b"", room=9)
        await store.add(task("b"), b"", room=9)
        await claimed(store)
        assert await store.next_due_ms() is None
        await store.end("here", "a", DONE)
        assert await store.next_due_ms() == NOW + 5
        assert await owed_at(store, NOW + 4) == []
        (owed,) = await owed_at(store, NOW + 5)
        assert (owed.task_id, owed.url, owed.attempt) == ("a", "http://127.0.0.1:1/hook", 1)
        assert await owed_at(store, NOW + 6) == []
        await store.postpone("a", NOW + 100)
        assert await owed_at(store, NOW + 100, besides=("a",)) == []
        (owed,) = await owed_at(store, NOW + 100)
        assert owed.attempt == 2
        await store.settle("a")
        assert await store.next_due_ms() is None

    run(act)


def test_an_attempt_that_a_crash_cut_short_counts(run: Run) -> None:
    async def before(store: Store) -> None:
        await store.add(task("a", status=Status.SUCCEED, ended_ms=NOW, delivery=HOOK), b"", room=0)
        assert len(await owed_at(store, NOW)) == 1

    async def after(store: Store) -> None:
        (owed,) = await owed_at(store, NOW if not store.is_shared else NOW + 1000)
        assert owed.attempt == 2

    run(before)
    run(after)


def test_what_ended_long_ago_is_forgotten_unless_its_event_is_still_owed(run: Run) -> None:
    async def act(store: Store) -> None:
        await store.add(task("old", status=Status.SUCCEED, ended_ms=NOW), b"", room=0)
        await store.add(task("owed", status=Status.SUCCEED, ended_ms=NOW, delivery=HOOK), b"", room=0)
        await store.add(task("new", status=Status.SUCCEED, ended_ms=NOW + 10), b"", room=0)
        await store.add(task("waits"), b"", room=9)
        assert await store.forget(NOW + 5, 100) == ["old"]
        assert await store.known(["old", "owed", "new", "waits"]) == {"owed", "new", "waits"}

    run(act)


def test_a_file_that_is_no_store_of_ours_is_refused_with_what_helps(tmp_path: Path) -> None:
    strange = tmp_path / "strange"
    strange.write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="--data names another folder"):
        check(strange)
    newer = tmp_path / "newer"
    check(newer)
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="format 99"):
        check(newer)


# What only a shared store has


@pytest.fixture
def shared(database: Database) -> Callable[[Act], None]:
    """Does something with a store in PostgreSQL."""
    prepare(database.url)
    return partial(opened, lambda: PostgresStore(database.url))


@pytest.mark.ray
def test_servers_that_ask_together_never_get_the_same_task_or_event(shared: Run) -> None:
    async def act(store: Store) -> None:
        names = [f"t{number:02d}" for number in range(40)]
        await asyncio.gather(*(store.add(task(name, delivery=HOOK), b"", room=99) for name in names))
        askers = [store.claim(f"server-{number}", until_ms=NOW + 1000, pictures=1) for number in range(60)]
        found = [one.task.task_id for claims in await asyncio.gather(*askers) for one in claims]
        rest: list[str] = []
        while more := await store.claim("late", until_ms=NOW + 1000, pictures=1):
            rest.append(more[0].task.task_id)
        assert sorted(found + rest) == names
        for name in names:
            for holder in (*(f"server-{number}" for number in range(60)), "late"):
                if await store.end(holder, name, DONE):
                    break
        owed = await asyncio.gather(*(owed_at(store, NOW + 5) for _ in range(8)))
        last = await owed_at(store, NOW + 5)
        assert sorted(one.task_id for some in [*owed, last] for one in some) == names

    shared(act)


@pytest.mark.ray
def test_the_last_place_of_a_queue_is_given_to_one(shared: Run) -> None:
    async def act(store: Store) -> None:
        adding = [store.add(task(f"t{number}"), b"", room=5) for number in range(20)]
        answers = await asyncio.gather(*adding, return_exceptions=True)
        assert sum(isinstance(answer, QueueFull) for answer in answers) == 15
        assert await store.waiting() == 5

    shared(act)


@pytest.mark.ray
def test_progress_that_was_reported_is_shown_by_all_and_never_sinks(shared: Run) -> None:
    async def act(store: Store) -> None:
        await store.add(task("a"), b"", room=9)
        await claimed(store)
        assert await store.standing("a") is None
        await store.report({"a": Standing(share=0.5, eta_s=4.0, preview=b"picture")})
        await store.report({"a": Standing(share=0.3, eta_s=3.0)})
        assert await store.standing("a") == Standing(share=0.5, eta_s=3.0, preview=b"picture")
        await store.end("here", "a", DONE)
        assert await store.standing("a") is None

    shared(act)


@pytest.mark.ray
def test_words_that_a_database_cannot_hold_do_no_harm(shared: Run) -> None:
    async def act(store: Store) -> None:
        await store.add(task("a"), b"", room=9)
        await claimed(store)
        await store.end("here", "a", Ending(status=Status.FAILED, ended_ms=NOW, reason="no model 'a\0b'"))
        ended = await store.read("a")
        assert ended is not None
        assert ended.reason == "no model 'a\N{REPLACEMENT CHARACTER}b'"
        assert await store.read("a\0") is None

    shared(act)


@pytest.mark.ray
def test_all_who_share_a_store_sign_with_one_secret(database: Database) -> None:
    assert prepare(database.url) == prepare(database.url)


@pytest.mark.ray
def test_tables_of_another_version_are_refused_with_what_helps(database: Database) -> None:
    prepare(database.url)
    with psycopg.connect(database.url) as connection:
        connection.execute(f"UPDATE {KEPT} SET version = 99")
    with pytest.raises(StoreError, match="format 99, here 1"):
        prepare(database.url)


@pytest.mark.ray
def test_a_database_that_does_not_answer_is_named_without_the_password() -> None:
    with pytest.raises(StoreError, match="--store expects") as refused:
        prepare("postgresql://somebody:secret-word@127.0.0.1:1/tasks")
    assert "secret-word" not in str(refused.value)
