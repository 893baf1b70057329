"""What a failed test's world saw, for the report of the failure: calls, faults and webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from mockserver.testing.worlds import OpenWorld

if TYPE_CHECKING:
    from mockserver.core.journal import Entry
    from mockserver.world import World

MOST = 20
"""Calls that are told; of more, the last ones."""
WIDTH = 160
"""Characters of what an answer said."""


def witnessed(opened: OpenWorld) -> list[str]:
    """The lines of a failed test's report.

    Args:
        opened: the test's world, not yet closed.
    """
    mock, key = opened.server.mock, opened.world.key

    def tell() -> list[str]:
        world = mock.world(key)
        elsewhere = sum(other.calls for other in mock.worlds if other is not world)
        return [*_calls(world, opened, elsewhere), *_webhooks(world)]

    lines: list[str] = opened.server.call(tell)
    return lines


def _calls(world: World, opened: OpenWorld, elsewhere: int) -> Iterator[str]:
    entries = list(world.journal)
    if not entries:
        yield (
            f"no call came to this test's world: the client has to call {opened.world.url} with the key "
            f"{opened.world.key}. Both are in NOVITA_API_URI and NOVITA_API_KEY while the test runs; an app that reads "
            "these when it is imported, or goes by other names, has to be handed novita_world.url and novita_world.key"
        )
        if elsewhere:
            yield f"calls with other keys, in this session: {elsewhere}"
    if len(entries) > MOST:
        yield f"{len(entries)} calls, of which the last {MOST} are:"
    for entry in entries[-MOST:]:
        after_s = (entry.at_ms - opened.opened_ms) / 1000
        path = entry.path if len(entry.path) <= WIDTH else f"{entry.path[:WIDTH]}..."
        said = _said(entry)
        fault = f"  (fault: {entry.fault})" if entry.fault else ""
        yield f"{after_s:+9.3f} s  {entry.method} {path}: {entry.status}{'  ' if said else ''}{said}{fault}"


def _said(entry: Entry) -> str:
    """What an answer comes to: a task's status, or why it was refused."""
    try:
        body: Any = orjson.loads(entry.answer)
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    task = body.get("task")
    if isinstance(task, dict):
        words = [task.get("status"), task.get("reason")]
    elif "task_id" in body:
        words = ["task", body["task_id"]]
    else:
        words = [body.get("reason"), body.get("message") or body.get("msg")]
    return " ".join(str(word) for word in words if word)[:WIDTH]


def _webhooks(world: World) -> Iterator[str]:
    for delivery in world.desk:
        last = f", {delivery.attempts[-1].verdict}" if delivery.attempts else ""
        state = f"{delivery.state.value}{last} (attempts: {delivery.made})"
        yield f"webhook of task {delivery.task_id} to {delivery.shown}: {state}"
