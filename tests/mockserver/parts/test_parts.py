"""The parts: ids, stores of tasks and pictures, time sources, renderers; the fake ones keep the real ones' promises."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.course import Course
from mockserver.core.recipe import ImageType
from mockserver.parts.ids import SeededIds
from mockserver.parts.inputs import MemoryInputs
from mockserver.parts.renderer import ReceiptRenderer
from mockserver.parts.store import MemoryTasks
from mockserver.parts.wall import FakeWall, SystemWall
from mockserver.pictures import decode, recipe_digest
from tests.mockserver.builders import make_recipe, make_task

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@given(st.integers(0, 2**64 - 1), st.integers(0, 10**9))
def test_task_ids_are_lower_case_uuids_of_version_4_form(seed: int, number: int) -> None:
    """The form of every documented id, as a function of seed and number."""
    task_id = SeededIds().task_id(seed, number)

    assert UUID4.fullmatch(task_id)
    assert task_id == SeededIds().task_id(seed, number)


def test_ids_do_not_repeat() -> None:
    """Ten thousand tasks of two seeds have as many ids."""
    ids = SeededIds()

    assert len({ids.task_id(seed, number) for seed in (1, 2) for number in range(5_000)}) == 10_000


def test_picture_names_are_32_hex_digits_of_task_and_index() -> None:
    """The documented file names of v3 pictures."""
    ids = SeededIds()
    names = [ids.picture_name("4f2d0c3e", index) for index in range(8)]

    assert len(set(names)) == 8
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in names)
    assert names[1] != ids.picture_name("4f2d0c3", 41)


def test_a_store_gives_tasks_by_id_in_order_of_submission() -> None:
    """An unknown id is nothing."""
    store = MemoryTasks()
    tasks = [make_task(id=str(number)) for number in (3, 1, 2)]
    for task in tasks:
        store.add(task)

    assert list(store) == tasks
    assert len(store) == 3
    assert store.get("1") is tasks[1]
    assert store.get("4") is None


def test_a_store_forgets_the_oldest_task_that_has_ended() -> None:
    """A task that still works is never forgotten, however old."""
    store = MemoryTasks()
    working, first, second = (make_task(id=name, finished_ms=end) for name, end in (("a", 99), ("b", 10), ("c", 5)))
    for task in (working, first, second):
        store.add(task)

    assert [store.drop_oldest_finished(now_ms=50) for _ in range(3)] == [first, second, None]
    assert list(store) == [working]


def test_a_task_whose_pictures_are_on_their_way_is_not_forgotten() -> None:
    """Its work is done, its end waits for an upload, and its client for its end."""
    store = MemoryTasks()
    store.add(make_task(finished_ms=10, course=Course(held=True)))
    assert store.drop_oldest_finished(now_ms=50) is None


def test_pictures_over_the_bound_go_by_last_use() -> None:
    """What was put or asked for last stays; the number dropped is told."""
    inputs = MemoryInputs(max_bytes=30)
    for name in "abc":
        inputs.put(name, name.encode() * 10)
    inputs.get("a")
    inputs.put("b", b"b" * 10)
    inputs.put("d", b"d" * 10)

    assert [inputs.get(name) is not None for name in "abcd"] == [True, True, False, True]
    assert (inputs.total_bytes, inputs.dropped) == (30, 1)


def test_the_same_picture_is_kept_once() -> None:
    """A client that sends one picture a thousand times costs its size once."""
    inputs = MemoryInputs()
    for _ in range(1_000):
        inputs.put("a", b"a" * 10)

    assert inputs.total_bytes == 10


def test_a_picture_larger_than_the_bound_is_kept_alone() -> None:
    """The task that needs it was just accepted; it goes with the next one."""
    inputs = MemoryInputs(max_bytes=5)
    inputs.put("a", b"aaa")
    inputs.put("b", b"b" * 50)
    assert (inputs.get("a"), inputs.total_bytes) == (None, 50)

    inputs.put("c", b"c")
    assert (inputs.get("b"), inputs.total_bytes) == (None, 1)


def test_clearing_pictures_drops_them_all() -> None:
    """Nothing is left and nothing is counted."""
    inputs = MemoryInputs()
    inputs.put("a", b"a")
    inputs.clear()

    assert inputs.get("a") is None
    assert inputs.total_bytes == 0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 20)), max_size=40), st.integers(0, 50))
def test_the_bytes_of_pictures_are_counted_exactly(puts: list[tuple[str, int]], max_bytes: int) -> None:
    """The total is the sum of the files, and above the bound only for a single one."""
    inputs = MemoryInputs(max_bytes)
    sizes: dict[str, int] = {}
    for name, size in puts:
        sizes.setdefault(name, size)
        if inputs.get(name) is None:
            sizes[name] = size
        inputs.put(name, b"x" * size)
        held = [len(data) for name in "abcdef" if (data := inputs.get(name)) is not None]
        assert inputs.total_bytes == sum(held)
        assert inputs.total_bytes <= max_bytes or len(held) == 1


def test_the_machines_wall_never_runs_backwards() -> None:
    """It is milliseconds since the epoch, counted by the monotonic clock."""
    wall = SystemWall()
    seen = [wall() for _ in range(1_000)]

    assert seen == sorted(seen)
    assert seen[0] > 1_700_000_000_000


def test_a_fake_wall_says_what_it_is_told() -> None:
    """Tests move it."""
    wall = FakeWall(5)
    wall.now_ms += 2

    assert wall() == 7


@pytest.mark.parametrize("kind", list(ImageType))
def test_the_renderer_draws_receipts(kind: ImageType) -> None:
    """Equal arguments give equal bytes, and the picture tells its recipe and index."""
    recipe = make_recipe(width=256, height=192, count=2)
    first, again, second = (ReceiptRenderer().render(recipe, index, kind) for index in (0, 0, 1))

    assert first == again != second
    receipt = decode(second)
    assert (receipt.digest, receipt.index, receipt.seed) == (recipe_digest(recipe), 1, 7)


def test_a_preview_is_a_small_jpeg() -> None:
    """v2 shows it while the task works."""
    preview = ReceiptRenderer().preview(make_recipe(), 0, 0.5)

    assert preview.startswith(b"\xff\xd8\xff")
    assert len(preview) < 20_000


def test_no_drawing_library_is_loaded_at_start() -> None:
    """Making the parts imports neither Pillow nor the drawing code."""
    program = (
        "import sys, mockserver.parts.renderer as r; r.ReceiptRenderer();"
        "sys.exit(any(name == 'PIL' or name.startswith('mockserver.pictures') for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
