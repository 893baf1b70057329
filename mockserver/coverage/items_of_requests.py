"""The items that come from what a call sends: operations, parameters, values at limits; with an example for each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from mockserver.coverage.fields import Edge, Field, Limit
from mockserver.coverage.item import Dimension, Item, Scope
from openapi.document import Operation

Fields = Mapping[str, tuple[Field, ...]]


def operation(one: Operation) -> Item:
    """An operation: a call of it was accepted."""
    return Item(
        key=f"{Dimension.OPERATIONS.value}:{one.operation_id}",
        dimension=Dimension.OPERATIONS,
        scope=Scope(one.version),
        group=one.operation_id,
        label=f"{one.method} {one.path}",
        share=1,
        needs="",
        test=f"Call {one.operation_id} so that it is accepted.",
        example=f"{one.method} {one.path}",
    )


def parameters(operations: Sequence[Operation], bodies: Fields, queries: Fields) -> Iterator[Item]:
    """Each field: sent, and left out where it is optional."""
    for one, field, needs, in_query in _fields(operations, bodies, queries):
        share = 1 if field.required else 2
        yield Item(
            key=sent_key(one.operation_id, field),
            dimension=Dimension.PARAMETERS,
            scope=Scope(one.version),
            group=f"{one.operation_id} {field.path}",
            label="sent",
            share=share,
            needs=needs,
            test=f"Send {field.path} to {one.operation_id}.",
            example=_example(one, field, field.sample, in_query),
        )
        if not field.required:
            yield Item(
                key=left_out_key(one.operation_id, field),
                dimension=Dimension.PARAMETERS,
                scope=Scope(one.version),
                group=f"{one.operation_id} {field.path}",
                label="left out",
                share=share,
                needs=needs,
                test=f"Leave {field.path} out of a call of {one.operation_id}.",
                example="",
            )


def values(operations: Sequence[Operation], bodies: Fields, queries: Fields) -> Iterator[Item]:
    """Each value at a limit of each field; the values of a field weigh as one thing."""
    for one, field, _, in_query in _fields(operations, bodies, queries):
        for edge in field.edges:
            yield Item(
                key=value_key(one.operation_id, field, edge),
                dimension=Dimension.VALUES,
                scope=Scope(one.version),
                group=f"{one.operation_id} {field.path}",
                label=_label(edge),
                share=len(field.edges),
                needs=sent_key(one.operation_id, field),
                test=f"Send {field.path} {_about(edge)} to {one.operation_id}.",
                example=_example(one, field, _shown(field, edge), in_query),
            )


def sent_key(operation_id: str, field: Field) -> str:
    """Key of the item for a field that was sent."""
    return f"{Dimension.PARAMETERS.value}:{operation_id}:{field.path}"


def left_out_key(operation_id: str, field: Field) -> str:
    """Key of the item for an optional field that was left out."""
    return f"{sent_key(operation_id, field)}:left-out"


def value_key(operation_id: str, field: Field, edge: Edge) -> str:
    """Key of the item for a value of a field."""
    shown = json.dumps(edge.value, ensure_ascii=False)
    return f"{Dimension.VALUES.value}:{operation_id}:{field.path}:{edge.limit.value}={shown}"


def _fields(
    operations: Sequence[Operation], bodies: Fields, queries: Fields
) -> Iterator[tuple[Operation, Field, str, bool]]:
    """Each field of each operation, the key of what comes before it, and whether it stands in the query."""
    for one in operations:
        root = f"{Dimension.OPERATIONS.value}:{one.operation_id}"
        for in_query, fields in ((False, bodies[one.operation_id]), (True, queries[one.operation_id])):
            for field, parent in _with_parents(fields, None):
                yield one, field, root if parent is None else sent_key(one.operation_id, parent), in_query


def _with_parents(fields: tuple[Field, ...], parent: Field | None) -> Iterator[tuple[Field, Field | None]]:
    for field in fields:
        yield field, parent
        yield from _with_parents(field.fields, field)


def _label(edge: Edge) -> str:
    match edge.limit:
        case Limit.VALUE:
            return json.dumps(edge.value, ensure_ascii=False)
        case Limit.SHORTEST | Limit.LONGEST:
            return f"{edge.limit.value} {_counted(edge.value, 'character')}"
        case Limit.FEWEST | Limit.MOST:
            return f"{edge.limit.value} {_counted(edge.value, 'entry')}"
        case _:
            return f"{edge.limit.value} {edge.value}"


def _about(edge: Edge) -> str:
    match edge.limit:
        case Limit.VALUE:
            return f"= {json.dumps(edge.value, ensure_ascii=False)}"
        case Limit.MINIMUM:
            return f"= {edge.value}, the smallest value allowed,"
        case Limit.MAXIMUM:
            return f"= {edge.value}, the largest value allowed,"
        case Limit.SHORTEST | Limit.LONGEST:
            return f"with {_counted(edge.value, 'character')}, the {edge.limit.value} allowed,"
        case Limit.FEWEST | Limit.MOST:
            return f"with {_counted(edge.value, 'entry')}, the {edge.limit.value} allowed,"


def _counted(number: object, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {'entries' if noun == 'entry' else noun + 's'}"


def _shown(field: Field, edge: Edge) -> Any:
    match edge.limit:
        case Limit.SHORTEST | Limit.LONGEST:
            return f"<{_counted(edge.value, 'character')}>"
        case Limit.FEWEST | Limit.MOST:
            assert isinstance(edge.value, int)
            return [*field.sample, f"<{edge.value - 1} more>"] if edge.value > 1 else field.sample
        case _:
            return edge.value


def _example(one: Operation, field: Field, value: Any, in_query: bool) -> str:
    if in_query:
        text = value if isinstance(value, str) else json.dumps(value)
        return f"{one.method} {one.path}?{field.path}={quote(text, safe='<> ')}"
    steps = field.path.split(".")
    wrapped: Any = {steps[-1]: value}
    for step in reversed(steps[:-1]):
        wrapped = {step.removesuffix("[]"): [wrapped] if step.endswith("[]") else wrapped}
    return json.dumps(wrapped, ensure_ascii=False)
