"""The usual defects in a few lines: a bad value is taken, a good one is not, one thing of an answer is other.

    accepts("accepts-steps-101", "V3-TXT2IMG-013", "101 steps are taken.", TXT2IMG, "request.steps", 101, 100)
    refuses("refuses-steps-100", "V3-TXT2IMG-006", "100 steps are refused.", TXT2IMG, "request.steps", 100)
    puts("status-in-lower-case", "V3-RESULT-007", "...", RESULT, "task.status", str.lower)

Paths are dotted; `[]` steps into each entry of a list: `request.loras[].strength`. What is looked for is a plain value
(compared with its JSON type, so that 1 is not true), a predicate, or ABSENT.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from conformance.bodies import IMG2IMG, TXT2IMG
from conformance.mutants.values import Answer, Mutant, OnAnswer, Request, State, Submitted, json_answer, refusal
from conformance.names import names_from
from conformance.predicates import type_name
from conformance.wire import MISSING

Wanted: TypeAlias = "object | Callable[[Any], bool]"
Place: TypeAlias = "tuple[Any, Any]"
When: TypeAlias = "Callable[[State, Request, Answer], bool]"

ABSENT: Final = MISSING
"""As a value that is looked for: the key is not there. As a new one: it is taken away."""
V3: Final = (TXT2IMG, IMG2IMG)


def places(body: Any, path: str) -> Iterator[Place]:
    """Where a path leads: (holder, key); the key need not be there, its holder must."""
    steps = re.findall(r"\[\]|[^.\[\]]+", path)
    holders: list[Any] = [body]
    for step in steps[:-1]:
        if step == "[]":
            holders = [item for holder in holders if isinstance(holder, list) for item in holder]
        else:
            holders = [holder[step] for holder in holders if isinstance(holder, dict) and step in holder]
    for holder in holders:
        if steps[-1] == "[]" and isinstance(holder, list):
            yield from ((holder, index) for index in range(len(holder)))
        elif steps[-1] != "[]" and isinstance(holder, dict):
            yield holder, steps[-1]


def value_at(place: Place) -> Any:
    """What is there; ABSENT when nothing is."""
    holder, key = place
    return holder[key] if isinstance(holder, list) else holder.get(key, ABSENT)


def put(place: Place, value: Any) -> None:
    """Sets a value; a function makes it from the old one, ABSENT takes the key away."""
    holder, key = place
    new = value(value_at(place)) if callable(value) else value
    if new is not ABSENT:
        holder[key] = new
    elif isinstance(holder, dict):
        holder.pop(key, None)


def is_wanted(value: Any, wanted: Wanted) -> bool:
    """Whether a value is the one that is looked for."""
    if wanted is ABSENT or value is ABSENT:
        return value is wanted
    if callable(wanted):
        try:
            return bool(wanted(value))
        except TypeError:
            return False
    return value == wanted and type_name(value) == type_name(wanted)


def looks(path: str, wanted: Wanted) -> Callable[[Any], bool]:
    """A predicate over a whole body."""
    return lambda body: any(is_wanted(value_at(place), wanted) for place in places(body, path))


def operations(ops: str | Sequence[str]) -> tuple[str, ...]:
    """One operation or several."""
    return (ops,) if isinstance(ops, str) else tuple(ops)


def accepts(
    name: str, breaks: str, text: str, ops: str | Sequence[str], path: str, bad: Wanted, good: Any, **more: Any
) -> Mutant:
    """Takes a bad value, as if a good one stood there.

    Args:
        good: what the upstream gets in its place; a function makes it from the bad one, ABSENT takes the key away.
    """
    chosen = operations(ops)

    def request(state: State, request: Request) -> Request:
        if request.operation not in chosen or request.json is MISSING:
            return request
        body, seen = request.fresh(), False
        for place in list(places(body, path)):
            if is_wanted(value_at(place), bad):
                put(place, good)
                seen = True
        return request.with_json(body) if seen else request

    return Mutant(name=name, breaks=breaks, text=text, request=request, ops=chosen, **more)


def rewrites(
    name: str, breaks: str, text: str, ops: str | Sequence[str], change: Callable[[Any], Any], **more: Any
) -> Mutant:
    """Reads a body as another one.

    Args:
        change: gets the JSON body and changes it in place, or gives another.
    """
    chosen = operations(ops)

    def request(state: State, request: Request) -> Request:
        if request.operation not in chosen or request.json is MISSING:
            return request
        body = request.fresh()
        new = change(body)
        return request.with_json(body if new is None else new)

    return Mutant(name=name, breaks=breaks, text=text, request=request, ops=chosen, **more)


def refuses(
    name: str, breaks: str, text: str, ops: str | Sequence[str], path: str, good: Wanted, **more: Any
) -> Mutant:
    """Refuses a good value, or a body that lacks an optional one (ABSENT)."""
    return refuses_when(name, breaks, text, ops, looks(path, good), **more)


def refuses_when(
    name: str, breaks: str, text: str, ops: str | Sequence[str], wanted: Callable[[Any], bool], **more: Any
) -> Mutant:
    """Refuses bodies that fulfil a predicate."""
    chosen = operations(ops)

    def request(state: State, request: Request) -> Request | Answer:
        if request.operation in chosen and isinstance(request.json, dict) and wanted(request.json):
            return refusal(request.operation)
        return request

    return Mutant(name=name, breaks=breaks, text=text, request=request, ops=chosen, **more)


def answers(
    name: str,
    breaks: str,
    text: str,
    ops: str | Sequence[str],
    change: OnAnswer,
    *,
    when: When | None = None,
    **more: Any,
) -> Mutant:
    """Changes answers of some operations, where `when` holds."""
    chosen = operations(ops)

    def answer(state: State, request: Request, answer: Answer) -> Any:
        if request.operation not in chosen or (when is not None and not when(state, request, answer)):
            return answer
        return change(state, request, answer)

    return Mutant(name=name, breaks=breaks, text=text, answer=answer, ops=chosen, **more)


def puts(
    name: str,
    breaks: str,
    text: str,
    ops: str | Sequence[str],
    path: str,
    value: Any,
    *,
    when: When | None = None,
    add: bool = False,
    **more: Any,
) -> Mutant:
    """Changes a value of answers with status 200.

    Args:
        value: the new one; a function makes it from the old one, ABSENT takes the key away.
        add: also where the key is not there.
    """

    def change(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        for place in list(places(body, path)):
            if add or value_at(place) is not ABSENT:
                put(place, value)
        return answer.with_json(body)

    def fits(state: State, request: Request, answer: Answer) -> bool:
        return answer.status == 200 and answer.json is not MISSING and (when is None or when(state, request, answer))

    return answers(name, breaks, text, ops, change, when=fits, **more)


def statuses(
    name: str,
    breaks: str,
    text: str,
    ops: str | Sequence[str],
    old: int,
    new: int,
    *,
    when: When | None = None,
    **more: Any,
) -> Mutant:
    """Answers with another status; the body stays."""

    def fits(state: State, request: Request, answer: Answer) -> bool:
        return answer.status == old and (when is None or when(state, request, answer))

    return answers(name, breaks, text, ops, lambda _state, _request, answer: answer.with_status(new), when=fits, **more)


def succeeded(state: State, request: Request, answer: Answer) -> bool:
    """Whether a result is one of a task that succeeded."""
    return answer.status_word in ("TASK_STATUS_SUCCEED", 2)


def unfinished(state: State, request: Request, answer: Answer) -> bool:
    """Whether a result is one of a task that has not ended."""
    return answer.status_word in ("TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING", 0, 1)


def made_by(*ops: str) -> When:
    """Whether a result is one of a task that some operations made."""

    def fits(state: State, request: Request, answer: Answer) -> bool:
        task = state.task_of(request)
        return task is not None and task.sent.operation in ops

    return fits


def both(*whens: When) -> When:
    """Whether all hold."""
    return lambda state, request, answer: all(when(state, request, answer) for when in whens)


def quietly(body: Any) -> None:
    """Takes the echo of the request from a result: a server that hides a value from itself must not tell it there."""
    for place in places(body, "extra.debug_info.request_info"):
        if value_at(place) is not ABSENT:
            put(place, "")


def made_up_acceptance(state: State) -> Answer:
    """The answer of a submit that makes no task."""
    number = state.count("made up")
    return json_answer(200, {"task_id": f"00000000-0000-4000-8000-{number:012d}"})


async def tried_again(state: State, request: Request, answer: Answer, change: Callable[[Any], Any]) -> Answer:
    """For a refused submit: the answer to a changed body, where that is accepted.

    Args:
        change: changes a copy of the body in place; False when there is nothing to try.
    """
    if answer.task_id is not None or request.json is MISSING:
        return answer
    body = request.fresh()
    if change(body) is False:
        return answer
    second = await state.upstream(request.with_json(body))
    return second if second.task_id is not None else answer


def takes(
    name: str, breaks: str, text: str, ops: str | Sequence[str], change: Callable[[State, Any], Any], **more: Any
) -> Mutant:
    """Accepts what the upstream refuses, whenever a changed body would be accepted.

    Args:
        change: gets what is remembered and a copy of the body, which it changes in place; False: refused all the same.
    """
    chosen = operations(ops)

    async def answer(state: State, request: Request, answer: Answer) -> Answer:
        if request.operation not in chosen:
            return answer
        await learn_model(state, request)
        return await tried_again(state, request, answer, lambda body: change(state, body))

    return Mutant(name=name, breaks=breaks, text=text, answer=answer, ops=chosen, **more)


def known_model(state: State, operation: str = TXT2IMG) -> str:
    """A checkpoint that an accepted submit of an operation named, or else a listed one (`learn_model`); "" for none."""
    for task in state.tasks.values():
        if task.sent.operation == operation and isinstance(task.sent.json, dict):
            holder = task.sent.json.get("request", task.sent.json)
            name = holder.get("model_name") if isinstance(holder, dict) else None
            if isinstance(name, str):
                return name
    return str(state.memory.get("listed model", ""))


async def learn_model(state: State, request: Request) -> None:
    """Asks the upstream once for a checkpoint, with the key of a request; for mutants that see no good submit first."""
    if "listed model" in state.memory:
        return
    listed = await state.upstream(
        Request(
            method="GET",
            path="/v3/model",
            query="filter.types=checkpoint&pagination.limit=100",
            headers={name: value for name, value in request.headers.items() if name == "authorization"},
        )
    )
    models = listed.json.get("models") if isinstance(listed.json, dict) else None
    found = names_from([one for one in models if isinstance(one, dict)] if isinstance(models, list) else [], {})
    state.memory["listed model"] = found.checkpoint


def fault() -> Answer:
    """A server that broke."""
    return json_answer(500, {"code": 500, "reason": "INTERNAL", "message": "it broke", "metadata": {}})


def breaks_on(name: str, breaks: str, text: str, ops: str | Sequence[str], path: str, bad: Wanted) -> Mutant:
    """Status 500 for a value that should be refused, or may be read in another way; no request may be answered so."""
    chosen = operations(ops)
    seen = looks(path, bad)

    def request(state: State, request: Request) -> Request | Answer:
        hit = request.operation in chosen and request.json is not MISSING and seen(request.json)
        return fault() if hit else request

    also = tuple({"ROBUST-001"} - {breaks})
    return Mutant(name=name, breaks=breaks, text=text, request=request, ops=chosen, also=also)


def found_at(body: Any, path: str, default: Any = None) -> Any:
    """The first value at a path."""
    found = [value_at(place) for place in places(body, path)]
    return found[0] if found and found[0] is not ABSENT else default


def asked(task: Submitted | None, path: str, default: Any = None) -> Any:
    """A value of the submit that made a task."""
    return found_at(task.sent.json, path, default) if task else default
