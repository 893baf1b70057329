"""What calls and tasks are about: the task of a journal entry, the prompt of a task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson

from mockserver.core.journal import Entry
from mockserver.core.task import Task

if TYPE_CHECKING:
    from mockserver.world import World

PROMPT_CHARACTERS = 160

POLLS = frozenset({"getTaskResult", "getProgressV2"})
SUBMITS = frozenset({"createTxt2imgTask", "createImg2imgTask", "createTxt2imgTaskV2", "createImg2imgTaskV2"})

_PICTURE = re.compile(r"/(?:prod|v2_prod)/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[/-]")
_MADE = re.compile(rb'"task_id":\s*"([0-9a-f-]{36})"')


def task_of(entry: Entry) -> str | None:
    """The id of its task; None when it is about none, or its answer was lost."""
    if entry.operation_id in POLLS:
        return dict(parse_qsl(entry.query.decode("latin-1"))).get("task_id")
    if entry.operation_id in SUBMITS:
        made = _MADE.search(entry.answer)
        return made[1].decode() if made else None
    picture = _PICTURE.match(entry.path)
    return picture[1] if picture else None


def prompt_of(task: Task, world: World) -> str:
    """The beginning of a task's prompt, the key cut out; empty when its request has none."""
    try:
        body = orjson.loads(task.body)
    except ValueError:
        return ""
    request = body.get("request", body) if isinstance(body, dict) else {}
    prompt = request.get("prompt", "") if isinstance(request, dict) else ""
    return world.journal.clean(prompt[:PROMPT_CHARACTERS]) if isinstance(prompt, str) else ""
