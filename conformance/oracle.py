"""The document as a judge of every answer: jsonschema with the schemas of answers, in both readings.

Checks look at what their row is about. This looks at all answers of a run, also those that some other check asked for,
and finds what the document refuses: a wrong type in a field that no check reads, an error body without its parts.
What it leaves alone: answers that did not come, methods that the operation does not have, faults of the server (the
check whose question led there says that), and statuses that no page lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from conformance.bodies import MODELS
from conformance.client import WireLog
from conformance.findings import Finding, merged, settled
from conformance.places import Places, Step
from conformance.verdict import Outcome
from conformance.wire import MISSING, Exchange
from openapi.document import Document, Operation, Reading
from openapi.problems import describe, show
from openapi.requirements import Requirement, Requirements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

    from openapi.validators import Validator
    from openapi.vocabulary import JsonObject

LIKE_400 = (401, 415, 422)
"""Statuses that no page lists and rows tolerate in places; their bodies are v3 errors all the same."""
GONE = (404, 405, 410, 501)
"""An operation that never answers otherwise does not exist at the target (C50), and says so in its own way."""
V2_WRONG = (201, 202, 204, 400, 401, 402, 403, 422)
"""Statuses of an application where v2 knows only 200; others come from servers and gateways before it."""
MOST_OF_ONE = 20
"""Places that are told of one answer."""


@dataclass(frozen=True, slots=True)
class _Wrong:
    """One place of an answer that the documented reading refuses."""

    path: tuple[Step, ...]
    keyword: str
    expected: str
    actual: str
    tolerated: bool = False


class Oracle:
    """The judge of answers.

    Args:
        document: the contract.
        rows: all requirements.
        places: looks up rows; made when not given.
    """

    def __init__(self, document: Document, rows: Iterable[Requirement], places: Places | None = None) -> None:
        self._document = document
        self._rows = tuple(rows)
        self._held_places = places
        self._validators: dict[tuple[str, int, Reading], dict[str, Draft202012Validator]] = {}
        self._fast: dict[tuple[str, int], Validator] = {}
        self._seen: dict[tuple[str, int, bytes], tuple[_Wrong, ...]] = {}

    def judged(self, exchange: Exchange) -> list[Finding]:
        """What the document does not allow in an answer, or only in its tolerated reading; empty when it is right."""
        operation = self._document.operations.get(exchange.operation_id)
        if operation is None or exchange.status is None or exchange.error:
            return []
        if exchange.method != operation.method or urlsplit(exchange.url).path.endswith(operation.path) is False:
            return []
        status, listed = exchange.status, self._listed(operation, exchange.status)
        if operation.version == "v2" and status in V2_WRONG:
            return [self._wrong_status(operation, exchange)]
        if listed is None:
            return []
        found = [self._finding(operation, listed, wrong, exchange) for wrong in self._wrongs(operation, exchange)]
        if status >= 400 and exchange.media_type != "application/json" and exchange.json is not MISSING:
            found.append(self._wrong_media(operation, listed, exchange))
        return found

    def _listed(self, operation: Operation, status: int) -> int | None:
        """The status whose schema an answer is held to; None when it is none of the document's matters."""
        if status in operation.statuses and status < 500:
            return status
        if 200 < status <= 299 and operation.version == "v3":
            return 200
        return 400 if status in LIKE_400 and operation.version == "v3" else None

    def _wrongs(self, operation: Operation, exchange: Exchange) -> tuple[_Wrong, ...]:
        """What is wrong with a body; equal bodies are looked at once."""
        assert exchange.status is not None
        key = (operation.operation_id, exchange.status, exchange.body)
        found = self._seen.get(key)
        if found is None:
            if exchange.json is MISSING:
                found = (_Wrong((), "type", "a JSON object", exchange.brief()),)
            else:
                found = tuple(self._compared(operation, exchange.status, exchange.json))
            self._seen[key] = found
        return found

    def _compared(self, operation: Operation, status: int, body: Any) -> Iterator[_Wrong]:
        if self._is_plain(operation, status, body):
            return
        documented = self._errors(operation, status, body, Reading.DOCUMENTED)
        if not documented:
            return
        refused = [wrong.path for wrong in self._errors(operation, status, body, Reading.TOLERATED)]
        for wrong in documented[:MOST_OF_ONE]:
            taken = not any(_touch(wrong.path, path) for path in refused)
            yield _Wrong(wrong.path, wrong.keyword, wrong.expected, wrong.actual, taken)

    def _is_plain(self, operation: Operation, status: int, body: Any) -> bool:
        """Whether it is an error or a model list without fault: most of what a run reads is.

        The faster library sees that at once, and looks at no formats, of which these have none that count.
        """
        error = status != 200 or (isinstance(body, dict) and bool(body.get("code")))
        if status not in operation.statuses or not (error or operation.operation_id == MODELS):
            return False
        key = (operation.operation_id, status)
        fast = self._fast.get(key)
        if fast is None:
            fast = self._fast[key] = self._document.response_validator(*key)
        return fast.is_valid(body)

    def _errors(self, operation: Operation, status: int, body: Any, reading: Reading) -> list[_Wrong]:
        branches = self._branches(operation, status, reading)
        if len(branches) == 1:
            [branch] = branches.values()
        else:
            code = body.get("code", MISSING) if isinstance(body, dict) else MISSING
            name = "0" if code == 0 and not isinstance(code, bool) else "error"
            branch = branches[name]
        found = [wrong for error in branch.iter_errors(body) for wrong in _located(error, branch.schema)]
        code_is_wrong = operation.version == "v2" and any(wrong.path == ("code",) for wrong in found)
        return [wrong for wrong in found if wrong.path == ("code",)] if code_is_wrong else found

    def _branches(self, operation: Operation, status: int, reading: Reading) -> dict[str, Draft202012Validator]:
        """The validator of an answer; two of them for v2, whose `code` says which of the two forms it has."""
        key = (operation.operation_id, status, reading)
        held = self._validators.get(key)
        if held is None:
            rendered = self._document.shared(reading)
            schema = self._schema(operation, status, rendered)
            components = {"components": rendered["components"]}
            listing = operation.operation_id == MODELS
            options = self._options(schema, rendered) if operation.version == "v2" else {"": schema}
            held = self._validators[key] = {
                name: _validator({**option, **components}, formats=not listing) for name, option in options.items()
            }
        return held

    def _schema(self, operation: Operation, status: int, rendered: JsonObject) -> JsonObject:
        listed = self._listed(operation, status)
        if listed == 400 and status != 400:
            return {"$ref": "#/components/schemas/Error", "properties": {"code": {"const": status}}}
        response = rendered["paths"][operation.path][operation.method.lower()]["responses"][str(listed)]
        if "$ref" in response:
            response = rendered["components"]["responses"][response["$ref"].rpartition("/")[2]]
        schema: JsonObject = response["content"]["application/json"]["schema"]
        return schema

    def _options(self, schema: JsonObject, rendered: JsonObject) -> dict[str, JsonObject]:
        """The good form and the error of a v2 answer."""
        while "$ref" in schema:
            schema = rendered["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        found: dict[str, JsonObject] = {}
        for option in schema["oneOf"]:
            name = option["$ref"].rpartition("/")[2]
            code = rendered["components"]["schemas"][name]["properties"]["code"]
            found["0" if code.get("const") == 0 else "error"] = option
        return found

    @property
    def _places(self) -> Places:
        """Made when the first answer is found wrong, for most runs of few checks find none."""
        self._held_places = self._held_places or Places(self._document, self._rows)
        return self._held_places

    def _finding(self, operation: Operation, listed: int, wrong: _Wrong, exchange: Exchange) -> Finding:
        spot = self._places.of_answer(
            operation.operation_id, listed, wrong.path, wrong.keyword, tolerated=wrong.tolerated
        )
        return Finding(
            requirements=spot.requirements,
            expected=wrong.expected,
            actual=wrong.actual,
            exchanges=(exchange.number,),
            place=spot.place,
            tolerated=wrong.tolerated,
            because=spot.because,
            related=spot.related,
        )

    def _wrong_status(self, operation: Operation, exchange: Exchange) -> Finding:
        return Finding(
            requirements=("V2-SUBMIT-001",),
            expected="status 200, as of every answer of v2",
            actual=exchange.brief(),
            exchanges=(exchange.number,),
            place=f"{operation.operation_id}:200",
        )

    def _wrong_media(self, operation: Operation, listed: int, exchange: Exchange) -> Finding:
        return Finding(
            requirements=("V3-ERROR-001",),
            expected="an error sent as application/json",
            actual=f"Content-Type: {exchange.headers.get('content-type', 'none')}",
            exchanges=(exchange.number,),
            place=f"{operation.operation_id}:{listed}",
        )


def apply(
    outcomes: Mapping[str, Outcome], log: WireLog, rows: Requirements, document: Document, strict: bool
) -> dict[str, Outcome]:
    """The outcomes of a run after a look at all of its answers.

    Args:
        outcomes: what the checks say; rows that are red already stay as they are.
        log: every exchange of the run.
        strict: what is only tolerated fails.
    """
    oracle = Oracle(document, rows)
    exchanges = [log.exchanges[number] for number in sorted(log.exchanges)]
    gone = gone_operations(exchanges)
    found = [one for exchange in exchanges if exchange.operation_id not in gone for one in oracle.judged(exchange)]
    return settled(outcomes, merged(found), rows, strict=strict)


def gone_operations(exchanges: Iterable[Exchange]) -> set[str]:
    """Operations that the target does not have."""
    statuses: dict[str, set[int | None]] = {}
    for exchange in exchanges:
        statuses.setdefault(exchange.operation_id, set()).add(exchange.status)
    return {name for name, seen in statuses.items() if name and seen <= {*GONE, None}}


def _validator(schema: JsonObject, *, formats: bool) -> Draft202012Validator:
    """What jsonschema makes of a schema; it is loaded when the first answer is judged.

    The model list is held to types alone: the address of a cover may be empty.
    """
    from jsonschema import Draft202012Validator, FormatChecker

    checker = FormatChecker(formats=())
    if formats:
        checker.checks("uri")(_is_address)
        checker.checks("base64-image")(_is_preview)
    return Draft202012Validator(schema, format_checker=checker)


def _is_address(text: object) -> bool:
    """An absolute http or https URL."""
    if not isinstance(text, str):
        return True
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _is_preview(text: object) -> bool:
    """Base64 of a JPEG file, or nothing; the check of previews decodes them, here the first bytes are enough."""
    return not isinstance(text, str) or not text or re.match(r"/9j/[A-Za-z0-9+/]*={0,2}\Z", text) is not None


def _touch(one: tuple[Step, ...], other: tuple[Step, ...]) -> bool:
    """Whether one place is the other or holds it."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _located(error: ValidationError, root: Any) -> Iterator[_Wrong]:
    """An error at the place and with the keyword that a reader would name."""
    path = tuple(error.absolute_path)
    schema: Any = error.schema
    value: Any = error.validator_value
    keyword = str(error.validator)
    if keyword in ("anyOf", "oneOf"):
        branch = _likeliest(error)
        for inner in branch:
            yield from _located(inner, root)
        if not branch:
            yield _Wrong(path, "type", describe(root, schema), f"{_name(path)} = {show(error.instance)}")
    elif keyword == "required":
        instance: Any = error.instance
        for name in value:
            if name not in instance:
                where = _name((*path, name))
                yield _Wrong((*path, name), keyword, f"{where} to be there", f"no {where}")
    else:
        wanted = _FORMATS[value] if keyword == "format" else describe(root, schema)
        said = "null" if keyword == "type" and value == "null" else keyword
        yield _Wrong(path, said, f"{_name(path)} as {wanted}", f"{_name(path)} = {show(error.instance)}")


_FORMATS = {"uri": "an absolute http or https URL", "base64-image": "a JPEG in base64, or an empty text"}


def _likeliest(error: ValidationError) -> list[ValidationError]:
    """The errors of the alternative that the value does not miss as a whole; empty when it misses each."""
    branches: dict[object, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    here = len(error.absolute_path)
    for branch in branches.values():
        if not any(len(one.absolute_path) == here and one.validator in ("type", "const", "enum") for one in branch):
            return branch
    return []


def _name(path: tuple[Step, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
    return text or "the body"
