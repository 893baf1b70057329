"""Breaks of the contract in an answer that was right: what a client has to survive when a server changes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mockserver.faults.kinds import BreakKind, Kind

if TYPE_CHECKING:
    from mockserver.faults.effects import Effect

UNKNOWN_STATUS = "TASK_STATUS_ARCHIVED"
UNKNOWN_WORD = "mock-unknown-value"
UNKNOWN_NUMBER = 42
EXTRA_FIELD = "mock_extra_field"

DEFAULT_FIELDS: Mapping[str, str] = {
    "createTxt2imgTask": "task_id",
    "createImg2imgTask": "task_id",
    "createTxt2imgTaskV2": "data.task_id",
    "createImg2imgTaskV2": "data.task_id",
    "getTaskResult": "task.status",
    "getProgressV2": "data.status",
    "listModels": "models",
}
"""The field that a break without one concerns: the one that a client cannot do without."""
DEFAULT_EVENT_FIELD = "payload.task.status"

Json = dict[str, Any]


def broken(answer: Json, effect: Effect, default_field: str) -> Json:
    """A copy of an answer with one thing wrong.

    A field that the answer does not have is left alone, except that an extra one is added where it should be.

    Args:
        answer: what would have been sent.
        effect: a `break`.
        default_field: dotted path of the field, when the effect names none; numbers are positions in lists.
    """
    kind = BreakKind(effect.text("kind") or BreakKind.MISSING)
    if kind is BreakKind.WRAPPED:
        return {"code": 0, "msg": "", "data": answer}
    found = copy.deepcopy(answer)
    *steps, last = (effect.text("field") or default_field).split(".")
    holder: Any = found
    for step in steps:
        holder = _member(holder, step)
    if kind is BreakKind.EXTRA:
        where = holder if isinstance(holder, dict) else found
        where[EXTRA_FIELD] = {"since": "tomorrow"}
        return found
    if isinstance(holder, list):
        position = int(last) if last.isdigit() else -1
        if 0 <= position < len(holder):
            _break_in_list(holder, position, kind)
    elif isinstance(holder, dict) and last in holder:
        if kind is BreakKind.MISSING:
            del holder[last]
        else:
            holder[last] = _other(holder[last], kind)
    return found


def hides_task(effect: Effect) -> bool:
    """Whether a `break` in a submit's answer keeps the task's id from the client."""
    if effect.kind is not Kind.BREAK or effect.text("kind") == BreakKind.EXTRA:
        return False
    field = effect.text("field")
    return field is None or field.rpartition(".")[2] == "task_id" or effect.text("kind") == BreakKind.WRAPPED


def _break_in_list(holder: list[Any], position: int, kind: BreakKind) -> None:
    if kind is BreakKind.MISSING:
        del holder[position]
    else:
        holder[position] = _other(holder[position], kind)


def _member(holder: Any, step: str) -> Any:
    if isinstance(holder, dict):
        return holder.get(step)
    if isinstance(holder, list) and step.isdigit() and int(step) < len(holder):
        return holder[int(step)]
    return None


def _other(value: Any, kind: BreakKind) -> Any:
    """What stands there instead."""
    if kind is BreakKind.NULL:
        return None
    if kind is BreakKind.UNKNOWN_VALUE:
        if isinstance(value, int | float):
            return UNKNOWN_NUMBER
        return UNKNOWN_STATUS if str(value).startswith("TASK_STATUS_") else UNKNOWN_WORD
    match value:  # another type
        case str():
            return int(value) if value.isdigit() and len(value) < 19 else 7
        case bool() | int() | float():
            return str(value)
        case list():
            return dict(_numbered(value))
        case dict():
            return list(value.values())
        case _:
            return "null"


def _numbered(values: list[Any]) -> list[tuple[str, Any]]:
    """A list as the members of an object, as some languages write sparse lists."""
    return [(str(index), value) for index, value in enumerate(values)]
