"""Draws docs/life-cycle.md from the table in mockserver/core/task.py, so that the picture stays true.

`python docs/make_life_cycle.py --write` writes the page;
`python docs/make_life_cycle.py --check` exits 1 when the page is not what the table says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mockserver.answers import V2_STATUS
from mockserver.core.task import TRANSITIONS, Event, Status

PAGE = Path(__file__).with_name("life-cycle.md")

STATUS_TEXT = {
    Status.QUEUED: "Accepted; waits for a worker.",
    Status.PROCESSING: "A worker draws; progress grows evenly, v2 shows previews.",
    Status.SUCCEED: "The pictures can be downloaded.",
    Status.FAILED: "`task.reason` says why; there are no pictures.",
}
EVENT_TEXT = {
    Event.STARTED: "The worker begins.",
    Event.RENDERED: "The last picture is done.",
    Event.FELL_BACK: "A fault: the task waits again and starts from nothing.",
    Event.BROKE: "The task is ended as a failure, before its work or during it.",
}


def page() -> str:
    """The page as Markdown: a Mermaid state diagram and what its words mean."""
    first = next(iter(TRANSITIONS))
    arrows = [f"    [*] --> {first.value}: submitted"]
    for status, ways in TRANSITIONS.items():
        arrows += [f"    {status.value} --> {end.value}: {event.value}" for event, end in ways.items()]
        if status.terminal:
            arrows.append(f"    {status.value} --> [*]")
    statuses = [f"| `{status.value}` | {int(V2_STATUS[status])} | {STATUS_TEXT[status]} |" for status in Status]
    events = [f"| {event.value} | {EVENT_TEXT[event]} |" for event in Event]
    return "\n".join(
        [
            "# The life of a task",
            "",
            "This page is made by `python docs/make_life_cycle.py --write` from the table `TRANSITIONS` in",
            "`mockserver/core/task.py`. Nothing ticks: when a task is submitted its whole life is planned, and what a",
            "poll shows is the table walked with the events due at the world's instant. A finished task never changes.",
            "",
            "```mermaid",
            "stateDiagram-v2",
            *arrows,
            "```",
            "",
            "| `task.status` (v3) | `data.status` (v2) | meaning |",
            "|---|---|---|",
            *statuses,
            "",
            "| event | meaning |",
            "|---|---|",
            *events,
            "",
        ]
    )


def main() -> int:
    """Writes or checks the page."""
    parser = argparse.ArgumentParser(description=page.__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write the page")
    what.add_argument("--check", action="store_true", help="exit 1 when the page is stale")
    if parser.parse_args().write:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write(f"{PAGE.name} is stale: python docs/make_life_cycle.py --write\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
