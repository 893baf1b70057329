"""One row of the control interface: a route, its handler, and what the OpenAPI document says of both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from mockserver.mock import Mock
from mockserver.world import World

Schema = Mapping[str, Any]
Answer = Mapping[str, Any] | Response

OBJECT: Schema = {"type": "object"}


def closed(properties: Mapping[str, Schema], *required: str) -> Schema:
    """A schema of an object with these members and no other."""
    schema: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    if required:
        schema["required"] = list(required)
    return schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A control call whose arguments were checked.

    Attributes:
        mock: the server.
        world: the world of the key; None on routes that need none.
        path: path parameters.
        query: query parameters, typed.
        body: the JSON body; empty when there is none.
        raw: the body's bytes.
        headers: values by lower-case name.
        base_url: scheme and host that it was called by.
    """

    mock: Mock
    world: World | None
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any]
    raw: bytes
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    base_url: str = ""

    @property
    def own(self) -> World:
        """The world; only on routes that need a key."""
        assert self.world is not None, "routes without a key never ask for the world"
        return self.world


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A route of the control interface.

    Attributes:
        method, path: as in the document, path parameters in braces, without the `/__mock` prefix.
        operation_id, summary: for the document.
        handler: gives the answer's body, or a whole answer that is not JSON.
        key: `required` acts on a world; `optional` also works without; `none` ignores it.
        query: schemas of query parameters, each a string, integer or boolean.
        body: schema of a JSON body; None: no body is read.
        binary: the body is a file, not JSON.
        checked: the body is held against its schema first; else the handler reads any object, and says more.
        answer: schema of the answer; None: it has no JSON body, and any status.
        also: media types of the answers that are not JSON.
    """

    method: str
    path: str
    operation_id: str
    summary: str
    handler: Callable[[Call], Answer | Awaitable[Answer]]
    key: str = "required"
    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    binary: bool = False
    checked: bool = True
    answer: Schema | None = field(default_factory=lambda: OBJECT)
    also: tuple[str, ...] = ()
