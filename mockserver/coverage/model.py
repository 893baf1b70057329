"""Everything there is to cover, derived from the document in its documented reading.

Only what no document can say is ours: how a task may move between its states (`core.task`), how a delivery may end,
and which faults there are. What was covered is in `mockserver.coverage.collector`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from mockserver.answers import V2_STATUS
from mockserver.core.task import Status
from mockserver.coverage import items_of_answers, items_of_requests, items_of_surroundings
from mockserver.coverage.fields import Field, Schema, flat, members, read_field
from mockserver.coverage.item import Dimension, Item
from openapi.catalogue import Catalogue
from openapi.document import Document, Operation, Reading

STATUS_AT: Mapping[str, tuple[str, ...]] = {"v3": ("task", "status"), "v2": ("data", "status")}
"""Where the answer to a poll holds the state."""


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
    states = {one.version: _states(raw, one) for one in operations if items_of_answers.is_poll(one)}
    polls = {
        one.version: f"{Dimension.OPERATIONS.value}:{one.operation_id}"
        for one in operations
        if items_of_answers.is_poll(one)
    }
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
        *items_of_answers.errors(raw, operations, bodies),
        *items_of_answers.v2_codes(raw, document),
        *items_of_answers.seen_states(states, polls),
        *items_of_answers.transitions(states, v2_status),
        *items_of_answers.outcomes(states, terminal),
        *items_of_surroundings.faults(items_of_surroundings.possible_faults() if faults is None else faults),
        *items_of_surroundings.webhooks(bodies),
        *items_of_surroundings.links(bodies, polls),
        *items_of_surroundings.models(queries, catalogue),
        *items_of_surroundings.versions(operations),
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
