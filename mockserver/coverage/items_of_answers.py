"""The items that come from what an answer shows: error reasons and codes, states of tasks, changes, ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mockserver.core.task import TRANSITIONS, Event, Status
from mockserver.coverage.fields import Field, Schema, referred
from mockserver.coverage.item import Dimension, Item, make_item
from openapi.document import Document, Operation

_CITED = re.compile(r" ?\([CO][0-9]+\)")


def is_poll(operation: Operation) -> bool:
    """Whether an operation reads the state of a task."""
    return any(parameter.name == "task_id" for parameter in operation.parameters)


def errors(raw: Schema, operations: list[Operation], bodies: Mapping[str, tuple[Field, ...]]) -> Iterator[Item]:
    """Each documented reason by operation; the operations of a reason weigh as one thing."""
    listed: dict[tuple[int, str], list[Operation]] = {}
    for operation in operations:
        for status, reasons in operation.reasons.items():
            for reason in reasons:
                listed.setdefault((status, reason), []).append(operation)
    meanings = _meanings_of_reasons(raw)
    for (status, reason), found in listed.items():
        for one in sorted(found, key=lambda one: not _likely(reason, one, bodies[one.operation_id])):
            yield make_item(
                Dimension.ERRORS,
                one.version,
                f"{one.operation_id}:{reason}",
                group=f"{status} {reason}",
                label=one.operation_id,
                share=len(found),
                needs="",
                test=f"Let {one.operation_id} be refused with {status} {reason}{_because(meanings.get(reason, ''))}.",
            )


def _because(meaning: str) -> str:
    return f": {_plain(meaning)}" if meaning else ""


def _likely(reason: str, operation: Operation, fields: tuple[Field, ...]) -> bool:
    """Whether an operation is the one that people think of first."""
    if reason in ("TASK_NOT_FOUND", "GET_RESULT_FAILED", "TASK_FAILED"):
        return is_poll(operation)
    if "IMAGE" in reason:
        return any(field.format == "base64-image" and field.required for one in fields for field in one.walk())
    return operation.method == "POST"


def _meanings_of_reasons(raw: Schema) -> dict[str, str]:
    found: dict[str, str] = {}
    for response in raw["components"]["responses"].values():
        schema = response["content"]["application/json"]["schema"]
        if "$ref" in schema:
            properties = referred(raw, schema["$ref"]).get("properties", {})
            found.update(properties.get("reason", {}).get("x-meanings", {}))
    return found


def v2_codes(raw: Schema, document: Document) -> Iterator[Item]:
    """Each documented code of v2 other than 0."""
    meanings = raw["components"]["schemas"]["V2Error"]["properties"]["code"]["x-meanings"]
    for code, name in document.v2_codes.items():
        if code != 0:
            test = f"Let a v2 call be answered with code {code}{_because(meanings[str(code)].partition('. ')[2])}."
            yield make_item(Dimension.V2_CODES, "v2", str(code), label=f"{code} {name}", test=test, group="codes")


def seen_states(states: Mapping[str, Mapping[str | int, str]], polls: Mapping[str, str]) -> Iterator[Item]:
    """Each state that a poll may be answered with."""
    for version, found in states.items():
        for state, meaning in found.items():
            test = f"Ask for a {version} task while its state is {_named(state, meaning)}."
            label = _named(state, meaning)
            yield make_item(
                Dimension.STATES,
                version,
                f"{version}:{state}",
                label=label,
                group=f"{version} states",
                needs=polls[version],
                test=test,
            )


def _named(state: str | int, meaning: str) -> str:
    """A state for people; a number says nothing without its meaning."""
    return f"{state} ({_plain(meaning)})" if isinstance(state, int) and meaning else str(state)


def _plain(meaning: str) -> str:
    """A meaning inside a sentence, without the ids of contradictions."""
    text = _CITED.sub("", meaning).rstrip(" .")
    return text[:1].lower() + text[1:]


def transitions(states: Mapping[str, Mapping[str | int, str]], v2_status: Mapping[Status, int]) -> Iterator[Item]:
    """Pairs that a client may see in a row: it may look away while a state passes."""
    for version, meanings in states.items():
        for first in Status:
            for then in Status:
                if then in _ahead(first):
                    before, after = (v2_status[one] if version == "v2" else one.value for one in (first, then))
                    one, other = _named(before, meanings[before]), _named(after, meanings[after])
                    yield make_item(
                        Dimension.TRANSITIONS,
                        version,
                        f"{version}:{before}->{after}",
                        group=f"{version} transitions",
                        label=f"{one} to {other}",
                        needs=f"{Dimension.STATES.value}:{version}:{before}",
                        test=f"Ask for a {version} task while it is {one}, and the next time when it is {other}.",
                    )


def _ahead(status: Status) -> set[Status]:
    """The other states that a task may be in later; falling back is none of the contract's."""
    found, fresh = {status}, {status}
    while fresh:
        ways = (way for one in fresh for way in TRANSITIONS[one].items())
        fresh = {then for event, then in ways if event is not Event.FELL_BACK} - found
        found |= fresh
    return found - {status}


def outcomes(states: Mapping[str, Mapping[str | int, str]], terminal: set[str | int]) -> Iterator[Item]:
    """Each state that is an end."""
    for version, found in states.items():
        for state, meaning in found.items():
            if state in terminal:
                label = _named(state, meaning)
                test = f"Let a {version} task end as {label}: the client sees it and stops asking."
                yield make_item(
                    Dimension.OUTCOMES,
                    version,
                    f"{version}:{state}",
                    label=label,
                    group=f"{version} outcomes",
                    needs=f"{Dimension.STATES.value}:{version}:{state}",
                    test=test,
                )
