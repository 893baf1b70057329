"""The bounds of what a server holds, and what happens at each (docs/limits.md)."""

from __future__ import annotations

import gc
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.clock import ClockMode
from mockserver.core.errors import Reason, Refusal
from mockserver.core.fleet import FleetSettings
from mockserver.core.journal import ENTRY_BYTES, Journal
from mockserver.core.recipe import ImageType, Recipe
from mockserver.core.task import Delivery, Task, TaskType
from mockserver.mock import Mock, Parts, PictureCache
from mockserver.parts.wall import FakeWall
from mockserver.settings import Limits, Settings
from mockserver.submissions.submission import Submission, shared_delivery
from mockserver.world import World
from tests.bodies import txt2img
from tests.mockserver.builders import make_recipe, make_task
from tests.mockserver.reading import contract, models

BODY = orjson.dumps(txt2img())
TXT = Submission(type=TaskType.TXT_TO_IMG, recipe=make_recipe(), delivery=Delivery(), findings=())


class CountingRenderer:
    """Draws a few bytes, and says how often."""

    def __init__(self, size: int = 10) -> None:
        self.size = size
        self.drawn = 0

    def render(self, recipe: Recipe, index: int, image_type: ImageType) -> bytes:
        del recipe, index, image_type
        self.drawn += 1
        return b"p" * self.size

    def preview(self, recipe: Recipe, index: int, progress: float) -> bytes:
        del recipe, index, progress
        return b""


def make_mock(renderer: CountingRenderer | None = None, *, seed: int = 0, **limits: int) -> Mock:
    """A mock on a manual clock with some of its bounds lowered."""
    settings = Settings(
        clock=ClockMode.parse("manual"), seed=seed, fleet=FleetSettings(task_ms=1_000), limits=Limits(**limits)
    )
    return Mock(contract(), models(), settings, Parts(wall=FakeWall(), renderer=renderer or CountingRenderer()))


def submit(mock: Mock, world: World, body: bytes = BODY) -> Task:
    return mock.submit(world, "createTxt2imgTask", TXT, body)


def finished(mock: Mock, world: World, number: int = 1) -> list[Task]:
    """Submits tasks and lets them end."""
    tasks = [submit(mock, world) for _ in range(number)]
    world.run_until_idle()
    return tasks


def journal(world: World, size: int) -> None:
    world.journal.write(
        at_ms=0,
        method="GET",
        path="",
        query=b"",
        operation_id="",
        status=200,
        headers=(),
        request=b"",
        answer=b"x" * size,
        findings=0,
    )


def test_a_world_is_made_on_first_use_and_found_again() -> None:
    """One key, one world."""
    mock = make_mock()

    assert mock.world("sk-1") is mock.world("sk-1")
    assert mock.world("sk-1") is not mock.world("sk-2")
    assert len(mock.worlds) == 2


def test_a_world_never_sees_a_task_of_another_key() -> None:
    """The owner of a task is one world, and only its store holds it."""
    mock = make_mock()
    mine, other = mock.world("sk-1"), mock.world("sk-2")
    task = submit(mock, mine)

    assert mock.owner(task.id) is mine
    assert other.tasks.get(task.id) is None
    assert submit(mock, other).id != task.id


def test_the_same_server_seed_repeats_ids_whatever_the_order_of_keys() -> None:
    """A parallel test run is repeatable: a world does not depend on its neighbours."""
    first, second, third = make_mock(seed=5), make_mock(seed=5), make_mock(seed=6)
    second.world("sk-neighbour")
    submit(second, second.world("sk-neighbour"))

    ids = [[submit(mock, mock.world("sk-1")).id for _ in range(3)] for mock in (first, second, third)]
    assert ids[0] == ids[1]
    assert ids[0] != ids[2]


def test_beyond_the_bound_the_world_used_longest_ago_is_forgotten() -> None:
    """With its tasks and its journal; using a world keeps it."""
    mock = make_mock(worlds=2)
    oldest, other = mock.world("sk-1"), mock.world("sk-2")
    forgotten = submit(mock, other)
    journal(other, 100)
    mock.world("sk-1")
    mock.world("sk-3")

    assert [world.label for world in mock.worlds] == [oldest.label, mock.world("sk-3").label]
    assert mock.owner(forgotten.id) is None
    assert mock.budget.total_bytes == 0
    assert mock.forgotten_worlds == 1
    assert mock.world("sk-2") is not other


def test_a_world_that_is_made_again_starts_again() -> None:
    """Its first task has the id of its first task: nothing of the forgotten one is left."""
    mock = make_mock(worlds=1)
    before = submit(mock, mock.world("sk-1"))
    mock.world("sk-2")
    again = submit(mock, mock.world("sk-1"))

    assert again.id == before.id
    assert again is not before
    assert mock.owner(again.id) is mock.world("sk-1")


def test_beyond_the_bound_of_tasks_the_oldest_finished_one_is_forgotten() -> None:
    """Then it is TASK_NOT_FOUND; the number forgotten is told."""
    mock = make_mock(tasks=3)
    world = mock.world("sk-1")
    first, second, third = finished(mock, world, 3)
    new = submit(mock, world)

    assert world.tasks.get(first.id) is None
    assert mock.owner(first.id) is None
    assert list(world.tasks) == [second, third, new]
    assert (world.dropped, world.created) == (1, 4)


def test_a_task_that_still_works_is_never_forgotten() -> None:
    """If none has ended, the submission is refused: 500 CREATE_TASK_FAILED, and the message says what to do."""
    mock = make_mock(tasks=2)
    world = mock.world("sk-1")
    kept = [submit(mock, world), submit(mock, world)]
    with pytest.raises(Refusal, match="move the clock, reset a world, or raise") as refused:
        submit(mock, world)

    assert (refused.value.reason, refused.value.status) == (Reason.CREATE_TASK_FAILED, 500)
    assert list(world.tasks) == kept
    world.run_until_idle()
    assert submit(mock, world).number == 2


def test_a_world_pays_for_its_own_tasks_first() -> None:
    """A busy key does not push out another key's results, as long as it has some of its own."""
    mock = make_mock(tasks=4)
    quiet, busy = mock.world("sk-quiet"), mock.world("sk-busy")
    kept = finished(mock, quiet, 2)
    for _ in range(10):
        finished(mock, busy)

    assert list(quiet.tasks) == kept
    assert len(busy.tasks) == 2
    assert busy.dropped == 8


def test_a_world_without_finished_tasks_takes_the_place_of_the_world_used_longest_ago() -> None:
    """Results of an idle key go before a new submission is refused."""
    mock = make_mock(tasks=2)
    idle, other = mock.world("sk-idle"), mock.world("sk-other")
    [first] = finished(mock, idle)
    [second] = finished(mock, other)
    new = submit(mock, mock.world("sk-new"))

    assert [mock.owner(task.id) for task in (first, second, new)] == [None, other, mock.world("sk-new")]
    assert idle.dropped == 1


def test_the_bytes_of_requests_are_bounded_too() -> None:
    """As many finished tasks go as the new one needs."""
    mock = make_mock(task_bytes=3_000)
    world = mock.world("sk-1")
    small = [submit(mock, world, b"x" * 1_000) for _ in range(3)]
    world.run_until_idle()
    large = submit(mock, world, b"x" * 2_000)

    assert list(world.tasks) == [small[2], large]


def test_a_reset_gives_tasks_bytes_and_pictures_back() -> None:
    """As if the key had not been used: the same ids again, and none of the old pictures under them."""
    mock = make_mock(tasks=2, task_bytes=2 * len(BODY))
    world = mock.world("sk-1")
    before = [submit(mock, world), submit(mock, world)]
    mock.draw(before[0], 0, TXT.recipe)
    mock.reset(world)

    assert len(world.tasks) == 0
    assert [mock.owner(task.id) for task in before] == [None, None]
    after = [submit(mock, world), submit(mock, world)]
    assert [task.id for task in after] == [task.id for task in before]
    assert mock.cached_picture(after[0], 0) is None


def test_a_forgotten_world_gives_everything_back() -> None:
    """Its tasks and its journal's bytes; other worlds stay."""
    mock = make_mock()
    world, other = mock.world("sk-1"), mock.world("sk-2")
    task, kept = submit(mock, world), submit(mock, other)
    journal(world, 100)
    mock.forget(world)

    assert mock.worlds == [other]
    assert (mock.owner(task.id), mock.owner(kept.id)) == (None, other)
    assert mock.budget.total_bytes == 0


def test_a_drawn_picture_is_kept_for_the_next_download() -> None:
    """A client that asks for a picture in ranges has it drawn once."""
    renderer = CountingRenderer()
    mock = make_mock(renderer=renderer)
    [task] = finished(mock, mock.world("sk-1"))
    assert mock.cached_picture(task, 0) is None

    data = mock.draw(task, 0, TXT.recipe)
    assert mock.cached_picture(task, 0) == data
    assert mock.cached_picture(task, 1) is None
    assert renderer.drawn == 1


def test_drawn_pictures_are_bounded_by_last_use() -> None:
    """The ones used longest ago are drawn again when asked for; one that never fits is not kept."""
    cache, task = PictureCache(max_bytes=30), make_task()
    for index in (0, 1, 2):
        cache.put(task, index, b"x" * 10)
    cache.get(task, 0)
    cache.put(task, 3, b"x" * 10)
    cache.put(task, 4, b"x" * 31)

    assert [cache.get(task, index) is not None for index in range(5)] == [True, False, True, True, False]


def test_a_kept_picture_is_its_tasks_own() -> None:
    """A world that starts again gives the same ids again, even while an old picture is still being drawn."""
    mock = make_mock()
    world = mock.world("sk-1")
    old = submit(mock, world)
    mock.reset(world)
    new = submit(mock, world)
    mock.draw(old, 0, TXT.recipe)

    assert old.id == new.id
    assert mock.cached_picture(new, 0) is None


def test_pictures_drawn_in_threads_are_counted_exactly() -> None:
    """Many threads at once neither lose count nor break the bound."""
    cache, tasks = PictureCache(max_bytes=100), [make_task() for _ in range(8)]

    def use(task: Task) -> None:
        for index in range(500):
            cache.put(task, index, b"x" * 10)
            cache.get(task, index // 2)

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(use, task) for task in tasks]:
            done.result()
    kept = [(task, index) for task in tasks for index in range(500) if cache.get(task, index) is not None]
    assert len(kept) == 10


def test_all_journals_share_a_budget() -> None:
    """Many worlds do not hold more than one."""
    mock = make_mock(journal_bytes=10 * (ENTRY_BYTES + 1_000))
    for number in range(50):
        for _ in range(5):
            journal(mock.world(f"sk-{number}"), 1_000)

    assert mock.budget.total_bytes <= 10 * (ENTRY_BYTES + 1_000)
    assert [len(mock.world(f"sk-{number}").journal) for number in (0, 47, 48, 49)] == [0, 0, 5, 5]


@given(
    limits=st.builds(dict, worlds=st.integers(1, 3), tasks=st.integers(1, 5), task_bytes=st.integers(100, 1_000)),
    steps=st.lists(
        st.tuples(
            st.sampled_from("abcd"), st.sampled_from(["submit", "submit", "end", "reset", "forget"]), st.integers(0, 99)
        ),
        max_size=40,
    ),
)
def test_no_order_of_calls_breaks_a_bound_or_loses_count(
    limits: dict[str, int], steps: list[tuple[str, str, int]]
) -> None:
    """After every step: bounds hold, a task that is held has its owner, and one that is not has none."""
    mock = make_mock(None, **limits)
    made: set[str] = set()
    for key, what, size in steps:
        world = mock.world(key)
        try:
            match what:
                case "submit":
                    made.add(submit(mock, world, b"x" * size).id)
                case "end":
                    world.run_until_idle()
                case "reset":
                    mock.reset(world)
                case "forget":
                    mock.forget(world)
        except Refusal as refusal:
            unfinished = [task for world in mock.worlds for task in world.tasks]
            assert refusal.reason is Reason.CREATE_TASK_FAILED  # noqa: PT017  # what came before is the point
            assert unfinished
        held = [(task, world) for world in mock.worlds for task in world.tasks]
        assert len(mock.worlds) <= limits["worlds"]
        assert len(held) <= limits["tasks"]
        assert sum(len(task.body) for task, _ in held) <= limits["task_bytes"]
        assert all(mock.owner(task.id) is owner for task, owner in held)
        assert all(mock.owner(task_id) is None for task_id in made - {task.id for task, _ in held})
    for world in mock.worlds:
        world.run_until_idle()
    largest = submit(mock, mock.world("a"), b"x" * limits["task_bytes"])
    assert mock.owner(largest.id) is mock.world("a"), "no byte was lost count of"


def test_a_finished_task_costs_about_a_kilobyte() -> None:
    """Its pictures are drawn from its request when asked for; equal deliveries are shared."""
    mock = make_mock()
    world = mock.world("sk-1")
    delivery = shared_delivery(ImageType.PNG, False, 0)
    submission = replace(TXT, delivery=delivery)
    bodies = [orjson.dumps(txt2img(prompt=f"a cute dog, number {number}")) for number in range(3_000)]
    for body in bodies[:500]:
        mock.submit(world, "createTxt2imgTask", submission, body)
    world.run_until_idle()
    gc.collect()
    tracemalloc.start()
    try:
        for body in bodies[500:]:
            mock.submit(world, "createTxt2imgTask", submission, bytes(bytearray(body)))
        world.run_until_idle()
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert taken / 2_500 < 1_200


def test_a_server_at_its_bounds_does_not_grow() -> None:
    """Ten times as many worlds and tasks as it may hold take no more memory than the first that filled it."""
    mock = make_mock(worlds=10, tasks=50, journal_bytes=50_000)

    def use(keys: range) -> None:
        for number in keys:
            world = mock.world(f"sk-{number}")
            finished(mock, world, 10)
            for _ in range(20):
                journal(world, 500)

    tracemalloc.start()
    try:
        use(range(100))
        gc.collect()
        full, _ = tracemalloc.get_traced_memory()
        use(range(100, 400))
        gc.collect()
        later, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert later < full * 1.25


def test_nothing_holds_on_to_a_forgotten_world() -> None:
    """Neither the budget nor the cache of pictures keeps a world of keys that come and go."""

    def journals() -> list[Journal]:
        gc.collect()
        # Not isinstance(): that wakes proxies of other libraries.
        return [found for found in gc.get_objects() if type(found) is Journal]

    mock = make_mock(worlds=2)
    others = {id(kept): kept for kept in journals()}  # held, or what other tests left might go meanwhile
    for number in range(20):
        finished(mock, mock.world(f"sk-{number}"))
        journal(mock.world(f"sk-{number}"), 100)

    assert len([found for found in journals() if id(found) not in others]) == 2


def test_two_servers_in_one_process_share_nothing() -> None:
    """No global state: the same key is another world in another server."""
    first, second = make_mock(), make_mock()
    task = submit(first, first.world("sk-1"))

    assert second.worlds == []
    assert second.owner(task.id) is None


def test_parts_have_real_versions_by_default() -> None:
    """A server is made from nothing but document, catalogue and settings."""
    mock: Any = Mock(contract(), models(), Settings(), Parts())

    assert mock.world("sk-1").clock.now_ms() > 1_700_000_000_000
