"""What the answer to a generated call must be, from the bytes that were sent and the document alone.

Schemathesis knows of a case whether it was made to be valid; here only the bytes count. A call must be accepted when
the documented reading takes it and `Tamer` vouches for its meaning, must be refused when the reading that the target is
held to refuses it, and may be either otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from conformance.expect import Claim, refused_v2, refused_v3, status_between
from conformance.findings import Finding
from conformance.fuzz_bodies import Tamer
from conformance.fuzz_reading import NO_JSON, also_refused, by_place, is_json, no_pictures, parsed, value_at
from conformance.oracle import Oracle
from conformance.places import Places, Spot
from conformance.predicates import task_id_v3
from conformance.wire import Exchange
from openapi.document import Document, Operation, Problem, Reading

OURS = ("UnicodeEncodeError", "LocalProtocolError", "InvalidURL", "ValueError", "UnsupportedProtocol", "TypeError")
"""Errors of our own side: the request could not be sent at all."""
SAFE_METHODS = ("HEAD", "OPTIONS", "TRACE")
"""A server may answer these on any route."""
_FAULTS = "ROBUST-001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A generated request.

    Attributes:
        operation: of the document; the method may be another.
        target: path and query.
        positive: whether the generator made it to be valid.
    """

    operation: Operation
    method: str
    target: str
    headers: dict[str, str]
    content: bytes | None
    phase: str
    positive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A body that must be accepted and was not; what of it is to blame has still to be found out."""

    operation_id: str
    body: dict[str, Any]
    exchange: Exchange


@dataclass(slots=True, kw_only=True)
class Judge:
    """Judges the answers to generated calls, one after the other.

    Args:
        document: the contract.
        places: looks up rows.
        oracle: of answers.
        tamer: vouches for bodies.
        strict: whether the documented reading is what the target is held to.
        key: the value of `Authorization` that is ours.
        trusted: operations whose plainest submit was accepted; of others nothing is vouched for.

    Attributes:
        findings: what is wrong.
        refused: what is left to find out.
        notes: what was odd and breaks no row.
        tasks: ids that the target gave out.
        in_a_row: faults of the server without another answer between.
    """

    document: Document
    places: Places
    oracle: Oracle
    tamer: Tamer
    strict: bool
    key: str
    trusted: frozenset[str]
    tasks: set[str]
    findings: list[Finding] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    verdicts: dict[str, int] = field(default_factory=dict)
    in_a_row: int = 0

    def take(self, call: Call, exchange: Exchange) -> None:
        """Looks at one answer."""
        task_id = task_id_v3(exchange.json)
        if task_id is not None:
            self.tasks.add(task_id)
        if exchange.status is None and exchange.error.startswith(OURS):
            return
        other_method = call.method != call.operation.method
        if exchange.status is None or (exchange.status >= 500 and not (other_method and exchange.status == 501)):
            self._fault(call, exchange)
            return
        self.in_a_row = 0
        if exchange.status == 429:
            return
        if other_method:
            self._other_method(call, exchange)
            return
        self.findings += [one for one in self.oracle.judged(exchange) if self.strict or not one.tolerated]
        if call.headers.get("authorization") != self.key:
            return
        if call.operation.method == "GET":
            self._query(call, exchange)
        else:
            self._body(call, exchange)

    def _fault(self, call: Call, exchange: Exchange) -> None:
        self.in_a_row += 1
        body = parsed(call.content)
        wrong = call.operation.problems(body, Reading.DOCUMENTED) if call.content and body is not NO_JSON else []
        spots = [self._spot(call.operation, body, problem) for problem in wrong]
        self._found(
            (_FAULTS,),
            "an answer other than a fault of the server",
            exchange,
            claim=status_between(100, 499),
            place=call.operation.operation_id,
            related=tuple(row for spot in spots for row in (*spot.requirements, *spot.related)),
        )

    def _other_method(self, call: Call, exchange: Exchange) -> None:
        assert exchange.status is not None
        served = exchange.status < 300 or exchange.status == 501
        if call.method not in SAFE_METHODS and call.operation.version == "v3" and served:
            self._found(
                ("V3-ERROR-008",),
                f"a status from 400 through 499 for {call.method}",
                exchange,
                place=call.operation.path,
            )

    # Queries ----------------------------------------------------------------------------------------------------------

    def _query(self, call: Call, exchange: Exchange) -> None:
        operation_id = call.operation.operation_id
        query = parse_qs(urlsplit(call.target).query, keep_blank_values=True)
        if operation_id == "listModels":
            self._listing(call, query, exchange)
            return
        served = exchange.status == 200 and (operation_id == "getTaskResult" or exchange.at("code") == 0)
        ids = query.get("task_id", [])
        if not served or any(one in self.tasks for one in ids):
            self._count("either")
            return
        self._count("refused")
        v2 = call.operation.version == "v2"
        missing, unknown = ("V2-PROGRESS-002", "V2-CODE-007") if v2 else ("V3-RESULT-002", "V3-RESULT-003")
        expected = "the answer to an id that no task has" if ids else "a refusal of a call without task_id"
        self._found((unknown if ids else missing,), expected, exchange, place=f"{operation_id}:query.task_id")

    def _listing(self, call: Call, query: dict[str, list[str]], exchange: Exchange) -> None:
        _, problems = call.operation.read_query(query, Reading.DOCUMENTED)
        plain = all(text.isprintable() and text.isascii() for texts in query.values() for text in texts)
        if problems or not plain or any(query.get("pagination.cursor", [])):
            self._count("either")
            return
        self._count("accepted")
        if exchange.status != 200:
            spots = [self.places.of_query(call.operation.operation_id, name) for name in query]
            related = tuple(row for spot in spots for row in spot.related)
            self._found(
                ("V3-MODEL-001",), "status 200 for a documented query", exchange, place=call.target, related=related
            )

    # Bodies -----------------------------------------------------------------------------------------------------------

    def _body(self, call: Call, exchange: Exchange) -> None:
        operation, body = call.operation, parsed(call.content)
        if not is_json(call.headers.get("content-type", "")):
            self._count("either")
            return
        taken = self._taken(operation, exchange)
        if body is NO_JSON:
            self._count("refused")
            if taken:
                row = "V2-SUBMIT-007" if operation.version == "v2" else "V3-SUBMIT-008"
                self._found((row,), "a refusal of what is no JSON", exchange, place=f"{operation.operation_id}:body")
            return
        documented = operation.problems(body, Reading.DOCUMENTED)
        refused = documented if self.strict else also_refused(documented, operation, body)
        if refused:
            self._count("refused")
            if taken:
                self._undue(operation, body, refused, exchange)
        elif documented:
            self._count("tolerated")
        elif odd := list(no_pictures(body)):
            self._count("refused")
            if taken and len(odd) == 1:
                self._undue_spot(
                    self.places.of_request(operation.operation_id, odd[0], "format"), exchange, "no picture"
                )
        elif (
            call.positive
            and operation.operation_id in self.trusted
            and self.tamer.valid(operation.operation_id, body) == body
        ):
            self._count("accepted")
            if not taken:
                self._refusal(operation, body, exchange)
        else:
            self._count("either")

    def _taken(self, operation: Operation, exchange: Exchange) -> bool:
        assert exchange.status is not None
        if task_id_v3(exchange.json) is None:
            return False
        return exchange.at("code") == 0 if operation.version == "v2" else 200 <= exchange.status <= 299

    def _undue(self, operation: Operation, body: Any, problems: list[Problem], exchange: Exchange) -> None:
        """An accepted body that is refused at one place, or at several that the same rows speak of."""
        spots = {self._spot(operation, body, problem): problem for problem in by_place(problems)}
        groups = {spot.requirements for spot in spots}
        if len(groups) > 1:
            self.notes.append(
                f"accepted in spite of {'; '.join(map(str, problems))[:300]} (exchange {exchange.number})"
            )
            return
        spot, problem = next(iter(spots.items()))
        self._undue_spot(spot, exchange, str(problem)[:300])

    def _undue_spot(self, spot: Spot, exchange: Exchange, why: str) -> None:
        if not spot.requirements:
            self.notes.append(f"accepted, though the document refuses it: {why} (exchange {exchange.number})")
            return
        self._found(
            spot.requirements,
            f"a refusal: {why}",
            exchange,
            place=spot.place,
            related=spot.related,
            because=spot.because,
            claim=refused_v2() if exchange.operation_id.endswith("V2") else refused_v3(400, 404, 422),
        )

    def _refusal(self, operation: Operation, body: Any, exchange: Exchange) -> None:
        about_the_account = exchange.status in (401, 402, 403) or exchange.at("code") in (4, 5, 7, 9)
        if about_the_account:
            self.notes.append(f"a valid submit was answered {exchange.brief()} (exchange {exchange.number})")
        else:
            self.refused.append(Refused(operation_id=operation.operation_id, body=body, exchange=exchange))

    def _spot(self, operation: Operation, body: Any, problem: Problem) -> Spot:
        tolerated = bool(problem.because) and not operation.problems(body, Reading.TOLERATED)
        return self.places.of_request(
            operation.operation_id,
            problem.path,
            problem.keyword,
            null=value_at(body, problem.path) is None,
            tolerated=tolerated,
        )

    # Writing down -----------------------------------------------------------------------------------------------------

    def _count(self, what: str) -> None:
        self.verdicts[what] = self.verdicts.get(what, 0) + 1

    def _found(
        self,
        rows: tuple[str, ...],
        expected: str,
        exchange: Exchange,
        *,
        place: str,
        related: tuple[str, ...] = (),
        because: tuple[str, ...] = (),
        claim: Claim | None = None,
    ) -> None:
        self.findings.append(
            Finding(
                requirements=rows,
                expected=expected,
                actual=exchange.brief(),
                exchanges=(exchange.number,),
                place=place,
                because=because,
                related=related,
                claims=((exchange.number, claim),) if claim else (),
            )
        )
