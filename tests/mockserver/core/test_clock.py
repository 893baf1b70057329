"""Clocks: four ways to move, verbs that move them by hand, and never a step back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.clock import MAX_MS, Clock, ClockKind, ClockMode, parse_duration_ms
from mockserver.parts.wall import FakeWall
from tests.strategies import clock_modes, duration_texts, durations_ms

START_MS = FakeWall().now_ms


def a_clock(mode: str) -> tuple[Clock, FakeWall]:
    wall = FakeWall()
    return Clock(wall, ClockMode.parse(mode)), wall


@pytest.mark.parametrize(
    ("text", "kind", "rate"),
    [
        ("real", ClockKind.REAL, 1.0),
        (" Real ", ClockKind.REAL, 1.0),
        ("manual", ClockKind.MANUAL, 0.0),
        ("AUTO", ClockKind.AUTO, 1.0),
        ("x100", ClockKind.SCALED, 100.0),
        ("x0.5", ClockKind.SCALED, 0.5),
        ("x1000000", ClockKind.SCALED, 1_000_000.0),
    ],
)
def test_a_mode_is_a_word_or_a_factor(text: str, kind: ClockKind, rate: float) -> None:
    """`real`, `manual`, `auto` and `x<N>` are read whatever their case and the space around them."""
    assert ClockMode.parse(text) == ClockMode(kind=kind, rate=rate)


@pytest.mark.parametrize(
    "text", ["", "fast", "x", "x0", "x-1", "x1e3", "100", "x1000001", "x" + "9" * 400, "real time", "x0.0000001"]
)
def test_another_mode_is_refused_with_the_words_that_exist(text: str) -> None:
    """A slip of the pen is told what would have been right."""
    with pytest.raises(ValueError, match="real, manual, auto, or x<N>"):
        ClockMode.parse(text)


@given(clock_modes())
def test_a_mode_reads_back_from_its_text(mode: ClockMode) -> None:
    """What the control interface shows can be sent to it."""
    assert ClockMode.parse(str(mode)) == mode


@pytest.mark.parametrize(
    ("given_value", "expected_ms"),
    [
        (0, 0),
        (90, 90_000),
        (0.25, 250),
        ("90s", 90_000),
        ("1.5h", 5_400_000),
        ("2h30m", 9_000_000),
        ("500ms", 500),
        (" 1W ", 604_800_000),
        ("1d1d", 172_800_000),
    ],
)
def test_a_duration_is_seconds_or_text(given_value: float | str, expected_ms: int) -> None:
    """Numbers are seconds; text names its units."""
    assert parse_duration_ms(given_value) == expected_ms


@given(duration_texts())
def test_a_duration_is_the_sum_of_its_parts(text_and_ms: tuple[str, int]) -> None:
    """Any sequence of amounts and units adds up."""
    text, expected_ms = text_and_ms
    assert parse_duration_ms(text) == expected_ms


@pytest.mark.parametrize(
    "given_value", ["", "90", "s", "-5s", "5 s", "1y", "1h,5m", "9" * 400 + "w", -1, float("nan"), float("inf"), 1e300]
)
def test_what_is_no_duration_is_refused(given_value: float | str) -> None:
    """Text without units, negative amounts and more than the rest of time are no durations."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration_ms(given_value)


def test_a_real_clock_runs_with_the_wall() -> None:
    """One virtual millisecond per millisecond."""
    clock, wall = a_clock("real")
    wall.now_ms += 1_234

    assert clock.now_ms() == START_MS + 1_234


@pytest.mark.parametrize(("mode", "expected_ms"), [("x100", 100_000), ("x0.5", 500), ("x0.001", 1)])
def test_a_scaled_clock_runs_by_its_factor(mode: str, expected_ms: int) -> None:
    """A second of the wall is `<N>` seconds of the world."""
    clock, wall = a_clock(mode)
    wall.now_ms += 1_000

    assert clock.now_ms() == START_MS + expected_ms


def test_a_manual_clock_stands_until_it_is_moved() -> None:
    """The wall does not move it; `advance` does."""
    clock, wall = a_clock("manual")
    wall.now_ms += 86_400_000
    assert clock.now_ms() == START_MS

    clock.advance(90_000)
    assert clock.now_ms() == START_MS + 90_000


def test_only_an_auto_clock_jumps_when_polled_and_not_while_frozen() -> None:
    """`jumps` says whether a poll may move it."""
    assert [a_clock(mode)[0].jumps for mode in ("real", "x2", "manual", "auto")] == [False, False, False, True]

    clock, _ = a_clock("auto")
    clock.freeze()
    frozen = clock.jumps
    clock.resume()
    assert (frozen, clock.jumps) == (False, True)


def test_a_frozen_clock_moves_by_its_verbs_only_and_goes_on_where_it_stopped() -> None:
    """`freeze` stops time, `advance` still moves it, `resume` loses and gains nothing."""
    clock, wall = a_clock("x10")
    wall.now_ms += 100
    clock.freeze()
    wall.now_ms += 5_000
    assert (clock.frozen, clock.now_ms()) == (True, START_MS + 1_000)

    clock.advance(7)
    clock.resume()
    assert (clock.frozen, clock.now_ms()) == (False, START_MS + 1_007)

    wall.now_ms += 1
    assert clock.now_ms() == START_MS + 1_017


def test_a_jump_into_the_past_changes_nothing() -> None:
    """An instant that has passed is already there."""
    clock, _ = a_clock("manual")
    clock.jump_to(START_MS - 1)

    assert clock.now_ms() == START_MS


def test_setting_an_earlier_instant_is_refused() -> None:
    """Time only goes back by a reset, and the message says so."""
    clock, _ = a_clock("manual")
    clock.set(START_MS)
    clock.set(START_MS + 5)
    with pytest.raises(ValueError, match="reset the world"):
        clock.set(START_MS + 4)

    assert clock.now_ms() == START_MS + 5


@pytest.mark.parametrize("move", [Clock.jump_to, Clock.set, Clock.advance], ids=["jump_to", "set", "advance"])
def test_no_verb_goes_beyond_the_end_of_time(move: Callable[[Clock, int], None]) -> None:
    """The end is there to be reached; one millisecond more is refused and moves nothing."""
    clock, _ = a_clock("manual")
    clock.jump_to(MAX_MS)
    with pytest.raises(ValueError, match="9999"):
        move(clock, MAX_MS + 1)

    assert clock.now_ms() == MAX_MS


def test_a_running_clock_stops_at_the_end_of_time() -> None:
    """Running on is no error: the last instant stays."""
    clock, wall = a_clock("x1000000")
    wall.now_ms += 10**12

    assert clock.now_ms() == MAX_MS


def test_the_end_of_time_has_a_date_in_every_zone() -> None:
    """Dates of v2 answers are Beijing's, and zones go up to 14 hours east."""
    farthest = timezone(timedelta(hours=14))

    assert datetime.fromtimestamp(MAX_MS / 1000, farthest).year == 9999


def test_another_mode_goes_on_from_the_present_instant() -> None:
    """`change` moves nothing, and a frozen clock waits for `resume`."""
    clock, wall = a_clock("x100")
    wall.now_ms += 10
    clock.freeze()
    clock.change(ClockMode.parse("real"))
    wall.now_ms += 7
    assert clock.frozen
    assert clock.now_ms() == START_MS + 1_000

    clock.resume()
    wall.now_ms += 3
    assert clock.now_ms() == START_MS + 1_003
    assert clock.mode == ClockMode.parse("real")


def test_a_reset_gives_the_first_mode_and_the_walls_time() -> None:
    """A world that starts again has a clock that starts again."""
    clock, wall = a_clock("manual")
    clock.advance(10**9)
    clock.change(ClockMode.parse("x7"))
    clock.freeze()
    wall.now_ms += 50
    clock.reset(keep_time=False)

    assert str(clock.mode) == "manual"
    assert not clock.frozen
    assert clock.now_ms() == START_MS + 50


def test_a_reset_that_keeps_time_never_goes_back() -> None:
    """The clock's own reset must not un-finish tasks."""
    clock, wall = a_clock("manual")
    clock.advance(1_000)
    clock.reset(keep_time=True)
    assert clock.now_ms() == START_MS + 1_000

    wall.now_ms += 5_000
    clock.reset(keep_time=True)
    assert clock.now_ms() == START_MS + 5_000


VERBS: dict[str, Callable[[Clock, int], None]] = {
    "advance": Clock.advance,
    "jump_to": lambda clock, ms: clock.jump_to(START_MS + ms),
    "set": lambda clock, ms: clock.set(clock.now_ms() + ms),
    "freeze": lambda clock, _: clock.freeze(),
    "resume": lambda clock, _: clock.resume(),
    "manual": lambda clock, _: clock.change(ClockMode.parse("manual")),
    "real": lambda clock, _: clock.change(ClockMode.parse("real")),
    "x3.7": lambda clock, _: clock.change(ClockMode.parse("x3.7")),
    "reset": lambda clock, _: clock.reset(keep_time=True),
}


@given(
    mode=clock_modes(),
    moves=st.lists(st.tuples(st.sampled_from(sorted(VERBS)), durations_ms(), st.integers(0, 10_000)), max_size=20),
)
def test_no_sequence_of_verbs_takes_time_back(mode: ClockMode, moves: list[tuple[str, int, int]]) -> None:
    """What was finished stays finished: time only moves forward until the world is reset."""
    wall = FakeWall()
    clock = Clock(wall, mode)
    seen = [clock.now_ms()]
    for verb, ms, passed_ms in moves:
        wall.now_ms += passed_ms
        seen.append(clock.now_ms())
        if clock.now_ms() + ms <= MAX_MS:
            VERBS[verb](clock, ms)
        seen.append(clock.now_ms())

    assert seen == sorted(seen)
