"""The benchmark runs wherever the tests run, and says what it found; what it found is not judged here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.reference.bare import Drawn
from benchmarks.reference.cases import COMPILED, PARTS, TINY, Case, cases
from benchmarks.reference.results import Results, Row
from benchmarks.reference.serving import Started, pace_s

ROOT = Path(__file__).resolve().parents[2]
ALONE = Case(part="tiny", model=TINY, size=512, steps=20, pictures=12, limit_s=1.0)
EIGHT = Case(part="tiny", model=TINY, size=512, steps=20, pictures=24, batch=8)
FULL = Case(part="sd15", model="random-sd15", size=512, steps=20, pictures=12, share=0.97, compiled=COMPILED)


def called(*flags: str) -> subprocess.CompletedProcess[str]:
    """What the command does."""
    command = [sys.executable, "-m", "benchmarks.reference", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_smallest_sizes_run_on_a_cpu() -> None:
    """Both sides draw, and every part has its line."""
    done = called("--device", "cpu", "--smallest", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    assert f"| {TINY}, 128 px, 2 steps, float32, 2 at once, one thread |" in done.stdout
    assert "Polls while the device is saturated" in done.stdout
    assert "From the command: the first answer after" in done.stdout
    assert "Not measured" not in done.stdout, done.stdout


def test_without_a_gpu_it_says_so() -> None:
    code = (
        "import sys, types; sys.argv[1:] = ['--device', 'cuda'];"
        "sys.modules['torch'] = types.SimpleNamespace(cuda=types.SimpleNamespace(is_available=lambda: False));"
        "from benchmarks.reference.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, "--device cpu measures what there is" in done.stderr) == (2, True), done.stderr


def test_a_gpu_is_given_every_size_in_both_half_precisions_with_and_without_compiling() -> None:
    rows = cases("cuda")
    assert {(row.part, row.dtype) for row in rows} >= {(part, kind) for part in ("sd15", "sdxl") for kind in HALVES}
    assert all(row.compiled == COMPILED for row in rows if row.part != "tiny")
    assert {row.part for row in rows} <= set(PARTS)
    assert len({row.name for row in rows}) == len(rows)


HALVES = ("float16", "bfloat16")


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        ([1000, 1500, 2000, 2500], 0.5),  # one by one
        ([1000, 3000, 3010, 3020, 3030, 5000, 5010, 5020, 5030], 0.50375),  # one that was early, then four at once
        ([1000], 0.0),
    ],
)
def test_the_pace_is_counted_from_the_end_of_the_first_call(ended: list[int], expected: float) -> None:
    assert pace_s(ended) == pytest.approx(expected)


def test_what_was_found_is_held_against_what_is_wanted() -> None:
    """Ratios within a round count, and the batch is held against its like."""
    rows = [
        Row(case=ALONE, served=[drawn(0.8)], bare=[drawn(0.79)]),
        Row(case=EIGHT, served=[drawn(0.6)], bare=[drawn(0.6)]),
        Row(
            case=FULL,
            served=[drawn(1.0), drawn(4.0)],
            bare=[drawn(0.96), drawn(3.96)],
            compiled={how: drawn(0.5) for how in COMPILED},
        ),
    ]
    results = Results(device="cuda", device_name="a GPU", when="2026-01-01", load=0.1, rounds=2, rows=rows)
    results.polls_ms = (1.0, 19.0)
    results.started = Started(answers_s=1.2, ready_s=9.0)
    assert [(figure, verdict) for _, _, figure, verdict in results.aims()] == [
        ("0.8 s", "reached"),
        ("0.975", "reached"),
        ("1.333", "NOT reached"),
        ("19 ms", "reached"),
        ("1.2 s", "NOT reached"),
    ]
    assert "default 0.20, reduce-overhead 0.20" in results.text()


def drawn(pace: float) -> Drawn:
    """A round at this pace."""
    return Drawn(pace_s=pace, memory_mb=100.0)
