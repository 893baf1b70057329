"""Everything there is to cover, derived from the document in its documented reading.

Only what no document can say is ours: how a task may move between its states (`core.task`), how a delivery may end,
and which faults there are. What was covered is in `mockserver.coverage.collector`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from mockserver.answers import V2_STATUS
from mockserver.core.task import TRANSITIONS, Status
from mockserver.coverage import items_of_requests
from mockserver.coverage.fields import Field, Schema, flat, members, read_field, referred
from mockserver.coverage.item import Dimension, Item, Scope
from mockserver.faults.effects import effects_at
from mockserver.faults.points import Point
from openapi.catalogue import Catalogue, Kind
from openapi.document import Document, Operation, Reading

_CITED = re.compile(r" ?\([CO][0-9]+\)")

STATUS_AT: Mapping[str, tuple[str, ...]] = {"v3": ("task", "status"), "v2": ("data", "status")}
"""Where the answer to a poll holds the state."""

IMAGE_TYPE_AT = "extra.response_image_type"
"""Where a request of either version says which format its pictures have."""


class WebhookOutcome(StrEnum):
    """How a delivery ended."""

    DELIVERED = "delivered"
    """Taken at the first attempt."""
    RETRIED = "retried"
    """Taken at a later attempt."""
    EXHAUSTED = "exhausted"
    """Never taken."""


class LinkOutcome(StrEnum):
    """What a picture link gave."""

    OPENED = "opened"
    EXPIRED = "expired"


_WEBHOOK_TESTS = {
    WebhookOutcome.DELIVERED: "Let the receiver take an event at the first attempt.",
    WebhookOutcome.RETRIED: "Let the receiver refuse the first attempt and take a later one.",
    WebhookOutcome.EXHAUSTED: "Let the receiver refuse every attempt, and learn the outcome by polling.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Universe:
    """All items, and the fields they are about.

    Attributes:
        contract: version of the document.
        items: in the order of the dimensions and of the document.
        places: position of an item by its key.
        bodies, queries: the fields of each operation's body and query.
        states: the states of each version that an answer may show; `terminal`: the ones nothing leads out of.
    """

    contract: str
    items: tuple[Item, ...]
    places: Mapping[str, int]
    bodies: Mapping[str, tuple[Field, ...]]
    queries: Mapping[str, tuple[Field, ...]]
    states: Mapping[str, tuple[str | int, ...]]
    terminal: frozenset[str | int]

    @property
    def digest(self) -> str:
        """The same for equal items: reports with another one cannot be added up."""
        return digest_of(self.items)


def possible_faults() -> list[tuple[str, str]]:
    """Each point with each effect that makes sense there."""
    return [(point.value, kind.value) for point in Point for kind in effects_at(point)]


def digest_of(items: Iterable[Item]) -> str:
    """A short text that is the same for equal items."""
    told = "\n".join(f"{item.key}\t{item.group}\t{item.share}\t{item.needs}" for item in items)
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def universe(
    document: Document, catalogue: Catalogue | None = None, faults: Iterable[tuple[str, str]] | None = None
) -> Universe:
    """Derives what there is to cover.

    Args:
        document: the contract.
        catalogue: the models; without it no item tells checkpoints apart.
        faults: pairs of point and effect; None: all that can happen.
    """
    raw = document.rendered(Reading.DOCUMENTED)
    operations = sorted(document.operations.values(), key=lambda one: one.deprecated)
    bodies = {one.operation_id: _body(raw, one) for one in operations}
    queries = {one.operation_id: _query(raw, one) for one in operations}
    states = {one.version: _states(raw, one) for one in operations if _is_poll(one)}
    v2_status = {status: int(found) for status, found in V2_STATUS.items()}
    known = set(v2_status.values())
    ended = {v2_status[status] for status in Status if status.terminal}
    terminal: set[str | int] = {status.value for status in Status if status.terminal}
    # A number that stands for no state of ours, such as 4 (took too long), is an end: nothing leads out of it.
    terminal |= {state for state in states.get("v2", {}) if state in ended or state not in known}
    items = (
        *(items_of_requests.operation(one) for one in operations),
        *items_of_requests.parameters(operations, bodies, queries),
        *items_of_requests.values(operations, bodies, queries),
        *_errors(raw, operations, bodies),
        *_v2_codes(raw, document),
        *_seen_states(states),
        *_transitions(states, v2_status),
        *_outcomes(states, terminal),
        *_faults(possible_faults() if faults is None else faults),
        *_webhooks(bodies),
        *_links(bodies),
        *_models(queries, catalogue),
        *_versions(operations),
    )
    return Universe(
        contract=document.version,
        items=items,
        places={item.key: place for place, item in enumerate(items)},
        bodies=bodies,
        queries=queries,
        states={version: tuple(found) for version, found in states.items()},
        terminal=frozenset(terminal),
    )


def _raw(raw: Schema, operation: Operation) -> Schema:
    found: Schema = raw["paths"][operation.path][operation.method.lower()]
    return found


def _body(raw: Schema, operation: Operation) -> tuple[Field, ...]:
    body = _raw(raw, operation).get("requestBody")
    return members(raw, flat(raw, body["content"]["application/json"]["schema"])) if body else ()


def _query(raw: Schema, operation: Operation) -> tuple[Field, ...]:
    return tuple(
        read_field(raw, one["schema"], name=one["name"], path=one["name"], required=one.get("required", False))
        for one in _raw(raw, operation).get("parameters", ())
    )


def _is_poll(operation: Operation) -> bool:
    return any(parameter.name == "task_id" for parameter in operation.parameters)


def _states(raw: Schema, operation: Operation) -> dict[str | int, str]:
    """What an answer to a poll may show, and what it means."""
    schema = _raw(raw, operation)["responses"]["200"]["content"]["application/json"]["schema"]
    found = next(_at(raw, schema, STATUS_AT[operation.version]))
    meanings = found.get("x-meanings", {})
    return {state: meanings.get(str(state), "") for state in found["enum"]}


def _at(raw: Schema, schema: Schema, steps: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The schemas at a place, whichever alternative holds it."""
    whole = flat(raw, schema)
    for alternative in whole.get("oneOf", ()):
        yield from _at(raw, alternative, steps)
    if not steps:
        yield whole
    elif steps[0] in whole.get("properties", {}):
        yield from _at(raw, whole["properties"][steps[0]], steps[1:])


def _item(dimension: Dimension, scope: str, name: str, *, label: str, test: str, **rest: Any) -> Item:
    given = {"group": name, "share": 1, "needs": "", "example": "", **rest}
    return Item(
        key=f"{dimension.value}:{name}", dimension=dimension, scope=Scope(scope), label=label, test=test, **given
    )


def _errors(raw: Schema, operations: list[Operation], bodies: Mapping[str, tuple[Field, ...]]) -> Iterator[Item]:
    """Each documented reason by operation; the operations of a reason weigh as one thing."""
    listed: dict[tuple[int, str], list[Operation]] = {}
    for operation in operations:
        for status, reasons in operation.reasons.items():
            for reason in reasons:
                listed.setdefault((status, reason), []).append(operation)
    meanings = _meanings_of_reasons(raw)
    for (status, reason), found in listed.items():
        for one in sorted(found, key=lambda one: not _likely(reason, one, bodies[one.operation_id])):
            yield _item(
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
        return _is_poll(operation)
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


def _v2_codes(raw: Schema, document: Document) -> Iterator[Item]:
    meanings = raw["components"]["schemas"]["V2Error"]["properties"]["code"]["x-meanings"]
    for code, name in document.v2_codes.items():
        if code != 0:
            test = f"Let a v2 call be answered with code {code}{_because(meanings[str(code)].partition('. ')[2])}."
            yield _item(Dimension.V2_CODES, "v2", str(code), label=f"{code} {name}", test=test, group="codes")


def _seen_states(states: Mapping[str, Mapping[str | int, str]]) -> Iterator[Item]:
    for version, found in states.items():
        for state, meaning in found.items():
            test = f"Ask for a {version} task while its state is {_named(state, meaning)}."
            label = _named(state, meaning)
            yield _item(
                Dimension.STATES, version, f"{version}:{state}", label=label, group=f"{version} states", test=test
            )


def _named(state: str | int, meaning: str) -> str:
    """A state for people; a number says nothing without its meaning."""
    return f"{state} ({_plain(meaning)})" if isinstance(state, int) and meaning else str(state)


def _plain(meaning: str) -> str:
    """A meaning inside a sentence, without the ids of contradictions."""
    text = _CITED.sub("", meaning).rstrip(" .")
    return text[:1].lower() + text[1:]


def _transitions(states: Mapping[str, Mapping[str | int, str]], v2_status: Mapping[Status, int]) -> Iterator[Item]:
    """Pairs that a client may see in a row: it may look away while a state passes."""
    for version, meanings in states.items():
        for first in Status:
            for then in Status:
                if then in _ahead(first):
                    before, after = (v2_status[one] if version == "v2" else one.value for one in (first, then))
                    one, other = _named(before, meanings[before]), _named(after, meanings[after])
                    yield _item(
                        Dimension.TRANSITIONS,
                        version,
                        f"{version}:{before}->{after}",
                        group=f"{version} transitions",
                        label=f"{one} to {other}",
                        test=f"Ask for a {version} task while it is {one}, and the next time when it is {other}.",
                    )


def _ahead(status: Status) -> set[Status]:
    """The other states that a task may be in later."""
    found, fresh = {status}, {status}
    while fresh:
        fresh = {then for one in fresh for then in TRANSITIONS[one].values()} - found
        found |= fresh
    return found - {status}


def _outcomes(states: Mapping[str, Mapping[str | int, str]], terminal: set[str | int]) -> Iterator[Item]:
    for version, found in states.items():
        for state, meaning in found.items():
            if state in terminal:
                label = _named(state, meaning)
                test = f"Let a {version} task end as {label}: the client sees it and stops asking."
                yield _item(
                    Dimension.OUTCOMES,
                    version,
                    f"{version}:{state}",
                    label=label,
                    group=f"{version} outcomes",
                    test=test,
                )


def _faults(pairs: Iterable[tuple[str, str]]) -> Iterator[Item]:
    listed = list(dict.fromkeys(pairs))
    points = [point for point, _ in listed]
    for point, effect in listed:
        yield _item(
            Dimension.FAULTS,
            "any",
            f"{point}:{effect}",
            group=point,
            label=effect,
            share=points.count(point),
            test=f"Plan a fault at {point} ({effect}), and let the client get through it.",
        )


def _webhooks(bodies: Mapping[str, tuple[Field, ...]]) -> Iterator[Item]:
    for outcome in WebhookOutcome:
        test = _WEBHOOK_TESTS[outcome]
        yield _item(Dimension.WEBHOOKS, "v3", outcome.value, label=outcome.value, test=test, group="deliveries")
    path = "extra.webhook.test_mode.return_task_status"
    words = {
        edge.value: None
        for fields in bodies.values()
        for one in fields
        for field in one.walk()
        if field.path == path
        for edge in field.edges
    }
    for word in words:
        mode = {"enabled": True, "return_task_status": word}
        example = {"extra": {"webhook": {"url": "<address of your receiver>", "test_mode": mode}}}
        yield _item(
            Dimension.WEBHOOKS,
            "v3",
            f"test-mode={word}",
            group="test mode",
            label=str(word),
            test=f"Let test mode deliver {word}.",
            example=json.dumps(example),
        )


def _links(bodies: Mapping[str, tuple[Field, ...]]) -> Iterator[Item]:
    for version in ("v3", "v2"):
        words: dict[str, None] = {}
        for operation_id, fields in bodies.items():
            if operation_id.endswith("V2") == (version == "v2"):
                for field in (inner for one in fields for inner in one.walk()):
                    if field.path == IMAGE_TYPE_AT:
                        words.update({str(edge.value): None for edge in field.edges if edge.value is not None})
        for word in words:
            yield _item(
                Dimension.LINKS,
                version,
                f"{version}:opened:{word}",
                group=f"{version} pictures",
                label=f"{word} opened",
                share=len(words),
                test=f"Open the link of a {version} picture in format {word}.",
                example=json.dumps({"extra": {"response_image_type": word}}),
            )
        for name, label, test in (
            ("expired", "expired", f"Open the link of a {version} picture after it has expired."),
            ("renewed", "renewed", f"After an expired {version} link, ask for the task again and open the fresh link."),
        ):
            yield _item(
                Dimension.LINKS, version, f"{version}:{name}", label=label, group=f"{version} expiry", test=test
            )


def _models(queries: Mapping[str, tuple[Field, ...]], catalogue: Catalogue | None) -> Iterator[Item]:
    for field in queries.get("listModels", ()):
        if field.name == "filter.types":
            for edge in field.edges:
                test = f"Name a model of kind {edge.value} in a request."
                yield _item(
                    Dimension.MODELS, "any", f"kind={edge.value}", label=str(edge.value), test=test, group="kinds"
                )
    for base in bases(catalogue or ()):
        test = f"Name a checkpoint made for {base} in a request."
        yield _item(Dimension.MODELS, "any", f"checkpoint={base}", label=base, test=test, group="checkpoints")


def bases(catalogue: Catalogue | tuple[()]) -> dict[str, list[str]]:
    """The sorts of checkpoints that requests may name, and the names of each."""
    found: dict[str, list[str]] = {}
    for model in catalogue:
        if model.kind is Kind.CHECKPOINT and model.usable:
            base = f"{model.base_model} {model.base_model_type}"
            found.setdefault(base, []).extend((model.sd_name, model.sd_name_in_api))
    return dict(sorted(found.items()))


def _versions(operations: list[Operation]) -> Iterator[Item]:
    for version in sorted({one.version for one in operations}, reverse=True):
        test = f"Call an operation of {version}."
        yield _item(Dimension.VERSIONS, "any", version, label=version, test=test, group="versions")
