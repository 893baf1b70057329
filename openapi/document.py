"""The one reader of the contract: `load()` gives operations, validators and examples to every other package.

It reads the compiled JSON (`python -m openapi.build` makes it), so that no program pays for YAML at start. Validators
are compiled when they are first used. A keyword that the reader does not know is an error here, not a surprise later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from openapi.problems import Problem
from openapi.query import Parameter, QueryValue, read_query
from openapi.readings import Reading, rendered
from openapi.validators import Validator
from openapi.vocabulary import JsonObject, check, resolve

__all__ = [
    "BodyValidator",
    "Document",
    "Example",
    "KeyForm",
    "Operation",
    "PictureLimits",
    "Problem",
    "Reading",
    "load",
]

COMPILED = Path(__file__).parent / "compiled" / "contract.json"


class BodyValidator:
    """A body in both readings, each made when it is first asked for.

    Args:
        make: the validator of a reading.
    """

    __slots__ = ("_by_reading", "_make")

    def __init__(self, make: Callable[[Reading], Validator]) -> None:
        self._make = make
        self._by_reading: dict[Reading, Validator] = {}

    def is_valid(self, body: object, reading: Reading) -> bool:
        """Whether the body is accepted."""
        return self._validator(reading).is_valid(body)

    def problems(self, body: object, reading: Reading) -> list[Problem]:
        """What is wrong with the body, in the order of its places."""
        return self._validator(reading).problems(body)

    def _validator(self, reading: Reading) -> Validator:
        validator = self._by_reading.get(reading)
        if validator is None:
            validator = self._by_reading[reading] = self._make(reading)
        return validator


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyForm:
    """One way to hand over the API key: a header, and the word before the key ("" for none).

    `because` is empty for the documented form.
    """

    name: str
    header: str
    scheme: str
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An example of the document.

    `role` is request, response or webhook; `status` the HTTP status of a response. `reading` is the strictest reading
    that accepts it, None when both refuse it; `because` are the reasons of a lenient acceptance or of a refusal.
    """

    name: str
    operation_id: str
    role: str
    summary: str
    file: str
    value: Any
    status: int | None = None
    reading: Reading | None = Reading.DOCUMENTED
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """How large a source picture may be: pixels once decoded, bytes of the file (C43)."""

    max_pixels: int
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method and path of the document.

    `reasons` are the documented reasons by HTTP status (empty for v2, whose codes are `Document.v2_codes`).
    """

    operation_id: str
    method: str
    path: str
    version: str
    deprecated: bool
    parameters: tuple[Parameter, ...]
    body: BodyValidator | None
    statuses: tuple[int, ...]
    reasons: Mapping[int, tuple[str, ...]]
    key_forms: tuple[KeyForm, ...]
    unknown_parameters_because: tuple[str, ...]
    pictures_per_minute: int | None = None
    """The documented rate limit, where the operation has one."""

    def is_valid(self, body: object, reading: Reading) -> bool:
        """Whether the body is accepted; True for an operation without one."""
        return self.body is None or self.body.is_valid(body, reading)

    def problems(self, body: object, reading: Reading) -> list[Problem]:
        """What is wrong with the body; empty for an operation without one."""
        return [] if self.body is None else self.body.problems(body, reading)

    def read_query(
        self, query: Mapping[str, Sequence[str]], reading: Reading
    ) -> tuple[dict[str, QueryValue], list[Problem]]:
        """Typed query parameters by name, defaults filled in, and what is wrong with the query.

        Args:
            query: every value of every name, percent-decoded, in the order of the URL.
            reading: names that no page lists are a problem in the documented reading and ignored in the lenient one.
        """
        return read_query(self.parameters, query, reading, self.unknown_parameters_because)


class Document:
    """The contract.

    Args:
        raw: the compiled document: plain JSON, references unresolved, example bodies inside.

    Raises:
        DocumentError: the document says something unknown or does not hold together.
    """

    def __init__(self, raw: JsonObject) -> None:
        check(raw)
        self.raw = raw
        self.version: str = raw["info"]["version"]
        self.references: Mapping[str, str] = MappingProxyType(raw["x-references"])
        """What each id such as C13 stands for, in a sentence."""
        self._rendered: dict[Reading, JsonObject] = {}
        self.operations: Mapping[str, Operation] = MappingProxyType(
            {operation.operation_id: operation for operation in self._operations()}
        )
        self.webhooks: Mapping[str, BodyValidator] = MappingProxyType(
            {name: self._body(("webhooks", name, "post")) for name in raw["webhooks"]}
        )
        """Validators of what the service posts to its callers, by the name of the webhook."""
        schemas = raw["components"]["schemas"]
        limits = schemas["Img2imgRequest"]["properties"]["image_base64"]["x-picture"]
        self.picture_limits = PictureLimits(max_pixels=limits["max-pixels"], max_bytes=limits["max-bytes"])
        meanings = schemas["V2Error"]["properties"]["code"]["x-meanings"]
        self.v2_codes: Mapping[int, str] = MappingProxyType(
            {0: "CodeNormal", **{int(code): text.partition(".")[0] for code, text in meanings.items()}}
        )
        """Name of each documented v2 code."""
        self.reasons: Mapping[str, int] = MappingProxyType(
            {
                reason: status
                for operation in self.operations.values()
                for status, reasons in operation.reasons.items()
                for reason in reasons
            }
        )
        """HTTP status of each documented v3 reason."""

    def rendered(self, reading: Reading) -> JsonObject:
        """A complete, plain OpenAPI document in one reading; the caller's own copy."""
        return deepcopy(self._reading(reading))

    def shared(self, reading: Reading) -> JsonObject:
        """The same document, held by everybody who asks: to look at, never to change."""
        return self._reading(reading)

    def response_validator(self, operation_id: str, status: int, reading: Reading = Reading.DOCUMENTED) -> Validator:
        """What validates an answer of an operation.

        Raises:
            KeyError: no such operation, or the status is not documented for it.
        """
        operation = self.operations[operation_id]
        steps = ("paths", operation.path, operation.method.lower(), "responses", str(status))
        return self._validator(steps, reading)

    def examples(self, operation_id: str) -> list[Example]:
        """The examples of an operation (or of a webhook, by its name): of requests first, then of answers."""
        if operation_id in self.webhooks:
            operation = self.raw["webhooks"][operation_id]["post"]
            return list(_media_examples(operation_id, operation["requestBody"], "webhook", None))
        known = self.operations[operation_id]
        operation = self.raw["paths"][known.path][known.method.lower()]
        found = list(_media_examples(operation_id, operation.get("requestBody", {}), "request", None))
        for status, response in operation["responses"].items():
            found += _media_examples(operation_id, _followed(self.raw, response), "response", int(status))
        return found

    def _operations(self) -> Iterator[Operation]:
        for path, item in self.raw["paths"].items():
            for method, operation in item.items():
                steps = ("paths", path, method)
                tolerance = operation.get("x-tolerated", {})
                yield Operation(
                    operation_id=operation["operationId"],
                    method=method.upper(),
                    path=path,
                    version=path.split("/")[1],
                    deprecated=operation.get("deprecated", False),
                    parameters=tuple(self._parameter(p, path, method) for p in operation.get("parameters", ())),
                    body=self._body(steps) if "requestBody" in operation else None,
                    statuses=tuple(int(status) for status in operation["responses"]),
                    reasons=MappingProxyType(dict(self._reasons(operation))),
                    key_forms=tuple(self._key_forms(path)),
                    unknown_parameters_because=tuple(tolerance.get("because", ())),
                    pictures_per_minute=operation.get("x-rate-limit", {}).get("pictures-per-minute"),
                )

    def _parameter(self, raw: JsonObject, path: str, method: str) -> Parameter:
        tolerance = raw.get("x-tolerated", {})
        schema = _followed(self.raw, raw["schema"])
        components = self.raw["components"]
        return Parameter(
            name=raw["name"],
            location=raw["in"],
            required=raw.get("required", False),
            type=schema["type"],
            description=raw["description"],
            default=schema.get("default"),
            repeated=tolerance.get("repeated", "no"),
            words=MappingProxyType(tolerance.get("words", {})),
            because=tuple(tolerance.get("because", ())),
            # The schema of one value is the same in both readings; what differs is how the text is read.
            validator=Validator(schema, components, (schema, components), Reading.DOCUMENTED),
        )

    def _reasons(self, operation: JsonObject) -> Iterator[tuple[int, tuple[str, ...]]]:
        for status, response in operation["responses"].items():
            schema = _followed(self.raw, _json(_followed(self.raw, response))["schema"])
            reason = schema.get("properties", {}).get("reason", {})
            if status != "200" and "enum" in reason:
                yield int(status), tuple(reason["enum"])

    def _key_forms(self, path: str) -> Iterator[KeyForm]:
        for name, scheme in self.raw["components"]["securitySchemes"].items():
            tolerance = scheme.get("x-tolerated", {})
            if path.startswith(tolerance.get("paths", "/")):
                yield KeyForm(
                    name=name,
                    header=scheme.get("name", "Authorization"),
                    scheme="Bearer" if scheme.get("scheme") == "bearer" else "",
                    because=tuple(tolerance.get("because", ())),
                )

    def _body(self, steps: tuple[str, ...]) -> BodyValidator:
        return BodyValidator(lambda reading: self._validator((*steps, "requestBody"), reading))

    def _reading(self, reading: Reading) -> JsonObject:
        """The document in one reading; not every run needs both, so each is made when it is asked for."""
        if reading not in self._rendered:
            self._rendered[reading] = rendered(self.raw, reading)
        return self._rendered[reading]

    def _validator(self, steps: tuple[str, ...], reading: Reading) -> Validator:
        """The validator of the JSON that a request body or a response holds."""
        pair = []
        for document in (self._reading(reading), self.raw):
            node: Any = document
            for step in steps:
                node = node[step]
            pair.append((_json(_followed(document, node))["schema"], document["components"]))
        (schema, components), raw = pair
        return Validator(schema, components, raw, reading)


def load(path: Path | None = None) -> Document:
    """The contract, from the compiled JSON (by default the one that is shipped).

    Raises:
        DocumentError: the document says something unknown or does not hold together.
        FileNotFoundError: it was not compiled: `python -m openapi.build`.
    """
    raw: JsonObject = json.loads((path or COMPILED).read_bytes())
    return Document(raw)


def _followed(document: JsonObject, node: JsonObject) -> JsonObject:
    """The object itself, or what its `$ref` points at."""
    return resolve(document, node["$ref"]) if "$ref" in node and len(node) == 1 else node


def _json(holder: JsonObject) -> JsonObject:
    media: JsonObject = holder["content"]["application/json"]
    return media


def _media_examples(operation_id: str, holder: JsonObject, role: str, status: int | None) -> Iterator[Example]:
    media = holder.get("content", {}).get("application/json", {})
    for group in ("examples", "x-refused-examples"):
        for name, raw in media.get(group, {}).items():
            lenient = raw.get("x-tolerated", {}).get("because", ())
            refused = group == "x-refused-examples"
            yield Example(
                name=name,
                operation_id=operation_id,
                role=role,
                summary=raw["summary"],
                file=raw["x-file"],
                value=raw["value"],
                status=status,
                reading=None if refused else Reading.TOLERATED if lenient else Reading.DOCUMENTED,
                because=tuple(raw.get("because", lenient)),
            )
