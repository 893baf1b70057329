"""Writes docs/fault-table.md: every effect at every point, and what a client saw of it on a real socket.

`python docs/make_fault_table.py --write` plays every scene of tests/mockserver/faults/driving.py against a mock of its
own and writes down what it saw; `--check` plays them too, and exits 1 when the page says something else.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the scenes are tests, which are not installed

from mockserver.faults.effects import EFFECTS, Kind  # noqa: E402  # after the path
from mockserver.faults.points import ANSWERS, COURSE, Point  # noqa: E402
from tests.mockserver.faults.driving import SCENES, Observed, Pair, observe  # noqa: E402
from tests.mockserver.faults.stage import Stage, running  # noqa: E402

PAGE = ROOT / "docs" / "fault-table.md"
HEAD = """<!-- Written by docs/make_fault_table.py from a run; do not edit. -->

# What each fault looks like

Every row was played over a real socket by the test run that this page is written from
(`tests/mockserver/faults/test_points_and_effects.py`): a client made a call on a connection that had served one before,
looked at every byte that came, and made the call once more.

Arm a row with `POST /__mock/faults` and the JSON in it; `"times": 1` makes it happen once, and
`{"max_in_a_row": null}` lifts the bound of three in a row. Course rows were polled once per second of a task that waits
less than a second and works ten; a status is shown as the poll had it. Waits of `delay` and `dribble` were played
shorter than their rows say.
"""


_VIEWERS = {Point.WEBHOOK_ATTEMPT: "a receiver", Point.STORAGE_PUT: "who looks at bucket and task"}


def observations() -> dict[Pair, Observed]:
    """What each scene saw."""
    with running() as server:
        return {(point, kind): observe(lambda key: Stage(server, key), point, kind) for point, kind in SCENES}


def page(seen: dict[Pair, Observed]) -> str:
    """The page."""
    parts = [HEAD, "## Points and effects\n", _matrix()]
    for point in Point:
        parts.append(f"## `{point.value}`\n\n{_upper(point.about)}.\n")
        parts.append(f"| effect | armed by | {_VIEWERS.get(point, 'a client')} sees |\n| --- | --- | --- |")
        for kind, about in EFFECTS.items():
            if point in about.points:
                observed = seen[point, kind]
                parts.append(f"| `{kind.value}` | {_code(observed.rule)} | {observed.sees} |")
        parts.append("")
    parts.append("## What makes no sense, and why\n\n| effect | not at | because |\n| --- | --- | --- |")
    for kind, about in EFFECTS.items():
        missing = ", ".join(_family(kind))
        parts.append(f"| `{kind.value}` | {missing} | {about.only} |")
    return "\n".join(parts) + "\n"


def _matrix() -> str:
    """Which effects there are at which points."""
    columns = [("calls", ANSWERS), ("course", COURSE)]
    others = [point for point in Point if point not in ANSWERS and point not in COURSE]
    names = [name for name, _ in columns] + [f"`{point.value}`" for point in others]
    lines = [f"| effect | {' | '.join(names)} | what happens |", f"| --- |{' --- |' * len(names)} --- |"]
    for kind, about in EFFECTS.items():
        cells = [_share([point for point in points if point in about.points], points) for _, points in columns]
        cells += ["yes" if point in about.points else "" for point in others]
        lines.append(f"| `{kind.value}` | {' | '.join(cells)} | {about.what} |")
    return "\n".join(lines) + "\n"


def _share(found: list[Point], points: tuple[Point, ...]) -> str:
    if len(found) == len(points):
        return "all"
    return ", ".join(f"`{point.value}`" for point in found)


def _family(kind: Kind) -> list[str]:
    """The points at which an effect makes no sense, families of them by their name."""
    missing = [point for point in Point if point not in EFFECTS[kind].points]
    found = []
    for name, points in (("all calls", ANSWERS), ("the whole course", COURSE)):
        if set(points) <= set(missing):
            found.append(name)
            missing = [point for point in missing if point not in points]
    return found + [f"`{point.value}`" for point in missing]


def _code(rule: object) -> str:
    return f"`{json.dumps(rule)}`"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def main() -> int:
    """Plays, and writes or compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="write the page")
    mode.add_argument("--check", action="store_true", help="exit 1 when the page is stale")
    write = parser.parse_args().write
    wanted = page(observations())
    if write:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write(f"{PAGE} is stale; run: python docs/make_fault_table.py --write\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
