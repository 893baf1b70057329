"""A call of an operation, read by the document: its body and query in the reading in force.

What only the lenient reading accepts becomes findings of the call; what neither does, a refusal that names the places.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson

from mockserver.core.errors import Reason, Refusal, V2Code
from mockserver.core.findings import Code, Finding
from mockserver.faults.points import Point
from mockserver.mock import Mock
from mockserver.trouble import Disturbed
from mockserver.world import World
from openapi.document import Operation, Problem, Reading

if TYPE_CHECKING:
    from mockserver.faults.effects import Effect
    from mockserver.faults.facts import Facts

MAX_PROBLEMS_SHOWN = 5

_BEFORE = frozenset({Point.AUTH, Point.SUBMIT_BEFORE})
"""Points at which nothing has been done yet: even a delay holds back the call, not its answer."""
_SIZE_FIELDS = frozenset({"width", "height", "target_width", "target_height"})
_BRACKETS = re.compile(r"\[([A-Za-z_]*)\d*\]")
_RANGE_KEYWORDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})


@dataclass(slots=True)
class Call:
    """A call of an operation.

    Attributes:
        mock: the server.
        world: the world of the call's key.
        operation: what was called.
        query: query string as sent.
        body: the request body as sent.
        base_url: scheme and host for links in the answer.
        findings: what the call did that is not documented; handlers add to it.
        number: how many calls its world had had, this one included.
        effect: what happens to its answer.
        settled: points that it is past, because it had to wait there before it was carried out.
        on_gone: called when the answer does not reach the client.
        before_answer: awaited before the answer is sent.
    """

    mock: Mock
    world: World
    operation: Operation
    query: bytes
    body: bytes
    base_url: str
    findings: list[Finding] = field(default_factory=list)
    number: int = 0
    effect: Effect | None = None
    settled: tuple[Point, ...] = ()
    on_gone: Callable[[], None] | None = None
    before_answer: Callable[[], Awaitable[None]] | None = None

    def trouble(self, point: Point, facts: Facts) -> Effect | None:
        """Asks the world's fault plan; an effect that works on the answer is noted, and given.

        Raises:
            Disturbed: the call is not to be carried out.
        """
        if point in self.settled:
            return None
        world = self.world
        effect = world.faults.decide(point, str(self.number), facts, world.clock.now_ms())
        if effect is None:
            return None
        from mockserver.faults.effects import EFFECTS

        if point in _BEFORE or (point is not Point.SUBMIT_AFTER_COMMIT and not EFFECTS[effect.kind].needs_answer):
            raise Disturbed(effect, point)
        self.effect = effect
        return effect


def read_body(call: Call) -> dict[str, Any]:
    """The body as JSON that the reading in force accepts; what is only tolerated becomes findings.

    Raises:
        Refusal: no JSON, or not what the operation takes.
    """
    operation = call.operation
    body = parse_body(call.body, operation.version)
    if not operation.is_valid(body, Reading.DOCUMENTED):
        problems = operation.problems(body, Reading.DOCUMENTED)
        if call.mock.settings.strict:
            raise refusal_of(operation, problems)
        if not operation.is_valid(body, Reading.TOLERATED):
            raise refusal_of(operation, operation.problems(body, Reading.TOLERATED))
        call.findings.extend(_tolerated(Code.TOLERATED_REQUEST, f"{operation.operation_id}:", problems))
    return body


def _never_refused(problem: Problem) -> bool:
    """Whether a query is wrong on paper only: servers pass over names that they do not know (V3-SUBMIT-012,
    V2-SUBMIT-009) and take a repeated filter as several kinds (V3-MODEL-006).
    """
    return problem.keyword == "unknown-parameter" or "O5" in problem.because


def read_query(call: Call) -> Mapping[str, Any]:
    """Typed query parameters by name; what is only tolerated becomes findings.

    Raises:
        Refusal: a parameter that is missing or is not what the operation takes.
    """
    operation = call.operation
    query = parse_qs(call.query.decode("latin-1"), keep_blank_values=True)
    strict = call.mock.settings.strict
    if not strict and any("[" in name for name in query):
        query = _dotted(query, call)
    values, problems = operation.read_query(query, Reading.TOLERATED)
    if problems:
        raise refusal_of(operation, problems)
    _, undocumented = operation.read_query(query, Reading.DOCUMENTED)
    refused = [problem for problem in undocumented if strict and not _never_refused(problem)]
    if refused:
        raise refusal_of(operation, refused)
    if undocumented:
        where = f"{operation.operation_id}: query"
        call.findings.extend(_tolerated(Code.UNDOCUMENTED_PARAMETER, where, undocumented))
    return values


def parse_body(raw: bytes, version: str) -> dict[str, Any]:
    """The JSON object of a body (C21: JSON as RFC 8259 has it, nothing else).

    Args:
        raw: the body as sent.
        version: `v2` or `v3`; v3 nests what to draw in `request`.

    Raises:
        Refusal: no JSON.
    """
    try:
        body = orjson.loads(raw)
        fields = body.get("request") if version == "v3" and isinstance(body, dict) else body
        if isinstance(fields, dict) and type(fields.get("seed")) is float:
            body = json.loads(raw)  # an integer beyond 64 bits: exact here, rounded by the fast parser
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise Refusal(
            Reason.INVALID_REQUEST_BODY, f"the body is not JSON: {error}", v2_code=V2Code.INVALID_JSON
        ) from None
    return body  # type: ignore[no-any-return]  # the schema decides next whether it is an object


def dump_body(body: dict[str, Any]) -> bytes:
    """The bytes that `parse_body` reads back to an equal body.

    Raises:
        Refusal: it is nested too deeply.
    """
    try:
        return bytes(memoryview(orjson.dumps(body)))  # a copy: the writer's own buffer is larger
    except TypeError:  # an integer beyond 64 bits, or deeper than the fast writer goes
        try:
            return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        except RecursionError:
            raise _too_deep() from None


def place(problem: Problem) -> str:
    """Where a problem lies: `request.loras[0].strength`; `body` for the whole of it."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in problem.path)
    return path.removeprefix(".") or "body"


def refusal_of(operation: Operation, problems: Sequence[Problem]) -> Refusal:
    """The refusal that names what a request did wrong; the first problem decides its reason and code."""
    shown = "; ".join(f"{place(problem)}: {problem.message}" for problem in problems[:MAX_PROBLEMS_SHOWN])
    if len(problems) > MAX_PROBLEMS_SHOWN:
        shown += f"; and {len(problems) - MAX_PROBLEMS_SHOWN} more"
    first = problems[0]
    name = first.path[-1] if first.path else ""
    out_of_range = first.keyword in _RANGE_KEYWORDS
    if operation.version == "v2":
        code = V2Code.INVALID_JSON
        # A list of words that may be null too fails as a whole; a text in its place is a word that is not in the list.
        is_word = first.keyword == "enum" or (first.keyword == "anyOf" and first.value_repr.startswith('"'))
        if is_word and name == "sampler_name":
            code = V2Code.SAMPLER_NOT_EXIST
        elif out_of_range or first.keyword == "enum":
            code = V2Code.PARAM_RANGE_OUT_OF_LIMIT
        return Refusal(Reason.INVALID_REQUEST_BODY, shown, v2_code=code)
    if out_of_range and name in _SIZE_FIELDS:
        return Refusal(Reason.INVALID_IMAGE_SIZE, shown)
    return Refusal(Reason.INVALID_REQUEST_BODY, shown)


def _tolerated(code: Code, where: str, problems: Iterable[Problem]) -> Iterator[Finding]:
    for problem in problems:
        yield Finding(code, f"{where} {place(problem)}", problem.message, problem.because)


def _dotted(query: Mapping[str, list[str]], call: Call) -> dict[str, list[str]]:
    """`filter[types]` as `filter.types`: how the HTTP library of the JavaScript client writes nested objects."""
    dotted: dict[str, list[str]] = {}
    for name, values in query.items():
        flat = _BRACKETS.sub(r".\1", name).rstrip(".")
        if flat != name:
            call.findings.append(
                Finding(
                    Code.UNDOCUMENTED_PARAMETER,
                    f"{call.operation.operation_id}: query {name}",
                    f"read as {flat}, the documented way to write it",
                    ("C28",),
                )
            )
        dotted.setdefault(flat, []).extend(values)
    return dotted


def _too_deep() -> Refusal:
    return Refusal(Reason.INVALID_REQUEST_BODY, "the body is nested too deeply to be a request")
