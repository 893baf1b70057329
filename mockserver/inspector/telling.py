"""The story of a task as lines for a terminal; the same that the page shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mockserver.core.course import NEVER_MS

STATES = {
    "TASK_STATUS_QUEUED": "queued",
    "TASK_STATUS_PROCESSING": "running",
    "TASK_STATUS_SUCCEED": "succeeded",
    "TASK_STATUS_FAILED": "failed",
}
SIGNS = {"good": "+", "bad": "!", "plain": " "}
PLANNED = "."


def told(story: Mapping[str, Any]) -> str:
    """A story as it is given by `GET /__mock/tasks/{task_id}/story`.

    Each line begins with the time since the submit, then a sign: `+` went well, `!` did not, `.` is planned.
    """
    return "\n".join(_lines(story))


def listed(tasks: Sequence[Mapping[str, Any]]) -> str:
    """A line for each task, as `GET /__mock/tasks` gives them."""
    return (
        "\n".join(
            f"{task['task_id']}  {STATES.get(task['status'], task['status']):<9}  {plain(task['prompt'])[:60]}".rstrip()
            for task in tasks
        )
        or "no task yet: nothing was submitted to this mock"
    )


def _lines(story: Mapping[str, Any]) -> Iterator[str]:
    task, world = story["task"], story["world"]
    kind = "image to image" if task["task_type"] == "IMG_TO_IMG" else "text to image"
    pictures = f"{task['pictures']} {'picture' if task['pictures'] == 1 else 'pictures'}"
    yield f"Task {task['task_id']}: {STATES.get(task['status'], task['status'])}"
    if task["prompt"]:
        yield f"  {plain(task['prompt'])}"
    yield f"  {kind} ({task['operation_id']}), {pictures}, {task['image_type']}, seed {task['seed']}, " + (
        f"{story['money']['usd']} USD"
    )
    yield f"  world {world['key']} ({world['id']}), clock {world['clock']}, now {_instant(world['now_ms'])}"
    yield ""
    if story["forgotten"]:
        yield "  The journal has dropped its oldest calls: early polls may be missing."
    steps = story["steps"]
    offsets = [_offset(step, task["submitted_ms"]) for step in steps]
    width = max(map(len, offsets), default=0)
    for step, offset in zip(steps, offsets, strict=True):
        sign = SIGNS[step["tone"]] if step["happened"] else PLANNED
        until = f" (until {_since(step['until_ms'], task)})" if step["until_ms"] > step["at_ms"] else ""
        planned = "" if step["happened"] else " (planned)"
        yield f"  {offset:>{width}}  {sign} {plain(step['title'])}{until}{planned}"
        if step["detail"]:
            yield f"  {'':>{width}}    {plain(step['detail'])}"
    findings = story["findings"]
    if findings:
        yield ""
        yield "Findings"
        for finding in findings:
            times = f" ({finding['count']} times)" if finding["count"] > 1 else ""
            yield f"  {finding['code']} {finding['name']}, {finding['level']}{times}: {plain(finding['where'])}"
            yield f"    {plain(finding['message'])}"
            yield f"    {finding['page']}"


def plain(text: str) -> str:
    """A text on one line that can do nothing to a terminal; what a client sent may hold anything."""
    return "".join(one if one.isprintable() else " " if one.isspace() else "\ufffd" for one in text)


def _offset(step: Mapping[str, Any], submitted_ms: int) -> str:
    return "never" if step["at_ms"] >= NEVER_MS else f"+{(step['at_ms'] - submitted_ms) / 1000:.3f} s"


def _since(instant_ms: int, task: Mapping[str, Any]) -> str:
    return f"+{(instant_ms - task['submitted_ms']) / 1000:.3f} s"


def _instant(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
