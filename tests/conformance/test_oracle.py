"""The oracle of answers: what it finds, on which row, and what it leaves alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from conformance.bodies import TXT2IMG
from conformance.budget import SUBMITS
from conformance.client import WireLog
from conformance.findings import Finding, settled
from conformance.oracle import Oracle, apply
from conformance.places import Places
from conformance.verdict import Outcome, Verdict
from conformance.wire import Exchange
from openapi.document import Document, Reading, load
from openapi.inventory import Aspect, Inventory
from openapi.requirements import Requirements, load_requirements

TASK = "3c3b6ff4-0d4c-4b3c-9f0f-2c1a5b7b1a11"
RESULT: dict[str, Any] = {
    "extra": {"seed": "42", "enable_nsfw_detection": False},
    "task": {"task_id": TASK, "status": "TASK_STATUS_SUCCEED", "reason": "", "eta": 0, "progress_percent": 100},
    "images": [{"image_url": "https://pictures.test/1.png", "image_url_ttl": "3600", "image_type": "png"}],
    "videos": [],
}
ERROR: dict[str, Any] = {"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "steps: at most 100"}
PROGRESS: dict[str, Any] = {"code": 0, "msg": "", "data": {"status": 2, "progress": 1, "imgs": ["https://p.test/1"]}}
V2_ERROR: dict[str, Any] = {"code": 6, "msg": "steps is out of range", "data": None}
MODELS: dict[str, Any] = {
    "models": [{"id": 1, "name": "tiny", "sd_name": "tiny", "status": 1, "type": {"name": "checkpoint"}}],
    "pagination": {"next_cursor": ""},
}


@pytest.fixture(scope="module")
def document() -> Document:
    return load()


@pytest.fixture(scope="module")
def rows() -> Requirements:
    return load_requirements()


@pytest.fixture(scope="module")
def oracle(document: Document, rows: Requirements) -> Oracle:
    return Oracle(document, rows)


def answered(operation_id: str, status: int | None, body: object, **changes: Any) -> Exchange:
    """An answer of an operation, as the client would log it."""
    operation = load().operations[operation_id]
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    exchange = Exchange(
        number=7,
        method=operation.method,
        url=f"http://target.test{operation.path}",
        operation_id=operation_id,
        status=status,
        headers={"content-type": "application/json"},
        body=raw,
    )
    return replace(exchange, **changes)


def changed(body: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with one value set, or taken away when it is `...`."""
    found = json.loads(json.dumps(body))
    *above, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    holder: Any = found
    for step in above:
        holder = holder[step]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    result: dict[str, Any] = found
    return result


@pytest.mark.parametrize(
    ("operation_id", "status", "body"),
    [
        ("createTxt2imgTask", 200, {"task_id": TASK}),
        ("createImg2imgTask", 400, ERROR),
        ("createTxt2imgTask", 401, {**ERROR, "code": 401, "reason": "FAILED_TO_AUTH"}),
        ("getTaskResult", 200, RESULT),
        ("getTaskResult", 200, {**RESULT, "more": {"of": ["it"]}}),
        ("listModels", 200, MODELS),
        ("listModels", 200, changed(MODELS, "models.0.cover_url", "")),
        ("getProgressV2", 200, PROGRESS),
        ("getProgressV2", 200, V2_ERROR),
        ("createTxt2imgTaskV2", 200, {"code": 0, "data": {"task_id": TASK}}),
        ("createImg2imgTaskV2", 200, V2_ERROR),
    ],
)
def test_a_right_answer_has_no_finding(oracle: Oracle, operation_id: str, status: int, body: object) -> None:
    assert oracle.judged(answered(operation_id, status, body)) == []


def test_examples_of_the_document_are_as_right_as_it_says(document: Document, oracle: Oracle) -> None:
    """An example of the tolerated reading alone has findings, and all of them are tolerated."""
    seen = 0
    for operation_id in document.operations:
        for example in document.examples(operation_id):
            if example.role != "response" or example.reading is None or example.status == 500:
                continue
            found = oracle.judged(answered(operation_id, example.status, example.value))
            assert bool(found) == (example.reading is Reading.TOLERATED), example.name
            assert all(finding.tolerated and finding.requirements for finding in found), example.name
            seen += 1
    assert seen > 20


@pytest.mark.parametrize(
    ("operation_id", "status", "body", "row", "tolerated"),
    [
        ("createTxt2imgTask", 200, {"task_id": 5}, "V3-SUBMIT-002", False),
        ("createTxt2imgTask", 200, b"ok", "V3-SUBMIT-002", False),
        ("createTxt2imgTask", 202, {"id": TASK}, "V3-SUBMIT-002", False),
        ("createTxt2imgTask", 200, {"code": 0, "msg": "", "data": {"task_id": TASK}}, "V3-SUBMIT-002", True),
        ("createImg2imgTask", 200, {"task_id": "task-1"}, "V3-SUBMIT-003", True),
        ("getTaskResult", 200, changed(RESULT, "task", ...), "V3-RESULT-005", False),
        ("getTaskResult", 200, changed(RESULT, "task.status", ...), "V3-RESULT-005", False),
        ("getTaskResult", 200, changed(RESULT, "task.status", "DONE"), "V3-RESULT-007", True),
        ("getTaskResult", 200, changed(RESULT, "task.eta", "soon"), "V3-RESULT-010", False),
        ("getTaskResult", 200, changed(RESULT, "task.progress_percent", 101), "V3-RESULT-010", False),
        ("getTaskResult", 200, changed(RESULT, "task.reason", None), "V3-RESULT-009", False),
        ("getTaskResult", 200, changed(RESULT, "images", None), "V3-RESULT-012", False),
        ("getTaskResult", 200, changed(RESULT, "videos", None), "V3-RESULT-012", False),
        ("getTaskResult", 200, changed(RESULT, "images.0.image_url", "/1.png"), "V3-RESULT-014", False),
        ("getTaskResult", 200, changed(RESULT, "images.0.image_url_ttl", "1 h"), "V3-RESULT-015", False),
        ("getTaskResult", 200, changed(RESULT, "images.0.image_type", "image/png"), "V3-RESULT-016", False),
        ("getTaskResult", 200, changed(RESULT, "images.0.nsfw_detection_result", {}), "V3-NSFW-002", True),
        ("getTaskResult", 200, changed(RESULT, "extra", []), "V3-RESULT-017", False),
        ("getTaskResult", 200, changed(RESULT, "extra.seed", 42), "V3-RESULT-018", True),
        ("getTaskResult", 200, changed(RESULT, "extra.seed", "x"), "V3-RESULT-018", False),
        ("getTaskResult", 400, b"<html>", "V3-ERROR-001", False),
        ("getTaskResult", 404, changed({**ERROR, "code": 404}, "reason", ...), "V3-ERROR-001", False),
        ("createTxt2imgTask", 400, changed(ERROR, "message", 5), "V3-ERROR-001", False),
        ("createTxt2imgTask", 400, changed(ERROR, "code", 4), "V3-ERROR-002", False),
        ("createTxt2imgTask", 401, {**ERROR, "code": 400}, "V3-ERROR-002", False),
        ("createTxt2imgTask", 400, changed(ERROR, "reason", "bad"), "V3-ERROR-003", False),
        ("createTxt2imgTask", 403, {**ERROR, "code": 403, "reason": "NOT_ENOUGH_BUDGET"}, "V3-ERROR-003", True),
        ("createTxt2imgTask", 400, {**ERROR, "metadata": {"steps": 5}}, "V3-ERROR-004", False),
        ("listModels", 200, changed(MODELS, "models", None), "V3-MODEL-001", False),
        ("listModels", 200, changed(MODELS, "models.0.id", "1"), "V3-MODEL-002", False),
        ("listModels", 200, changed(MODELS, "models.0.tags", "a,b"), "V3-MODEL-003", False),
        ("listModels", 200, changed(MODELS, "pagination.next_cursor", 5), "V3-MODEL-015", False),
        ("createTxt2imgTaskV2", 200, {"code": 0, "msg": "", "data": {}}, "V2-SUBMIT-002", False),
        ("createTxt2imgTaskV2", 200, {"code": 0, "data": {"task_id": "t1"}}, "V2-SUBMIT-004", True),
        ("createTxt2imgTaskV2", 200, {"code": 99, "msg": "no", "data": None}, "V2-CODE-001", False),
        ("createTxt2imgTaskV2", 200, {"code": 11, "msg": "no", "data": None}, "V2-CODE-001", True),
        ("createTxt2imgTaskV2", 200, {"code": "1", "msg": "no"}, "V2-CODE-001", False),
        ("createTxt2imgTaskV2", 200, changed(V2_ERROR, "msg", ...), "V2-SUBMIT-003", False),
        ("createTxt2imgTaskV2", 200, changed(V2_ERROR, "data", {}), "V2-SUBMIT-003", False),
        ("createTxt2imgTaskV2", 400, V2_ERROR, "V2-SUBMIT-001", False),
        ("getProgressV2", 200, changed(PROGRESS, "data.status", "2"), "V2-PROGRESS-003", False),
        ("getProgressV2", 200, changed(PROGRESS, "data.progress", 100), "V2-PROGRESS-006", False),
        ("getProgressV2", 200, changed(PROGRESS, "data.imgs", "x"), "V2-PROGRESS-007", False),
        ("getProgressV2", 200, changed(PROGRESS, "data.current_images", ["UE5H"]), "V2-PROGRESS-010", False),
    ],
)
def test_a_wrong_answer_is_found_on_the_row_that_says_so(
    oracle: Oracle, operation_id: str, status: int, body: object, row: str, tolerated: bool
) -> None:
    found = oracle.judged(answered(operation_id, status, body))

    assert {finding.requirements for finding in found} == {(row,)}
    assert all(finding.tolerated == tolerated for finding in found)
    assert all(finding.exchanges == (7,) and finding.expected and finding.actual for finding in found)


def test_an_error_has_its_content_type(oracle: Oracle) -> None:
    exchange = answered("getTaskResult", 400, ERROR, headers={"content-type": "text/plain"})

    [finding] = oracle.judged(exchange)

    assert finding.requirements == ("V3-ERROR-001",)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "DELETE", "status": 405, "body": b"no"},
        {"status": None, "error": "ReadTimeout", "body": b""},
        {"status": 502, "body": b"<html>bad gateway"},
        {"status": 413, "body": b"too large"},
        {"operation_id": "", "body": b"no"},
        {"url": "http://target.test/v3/async/other", "body": b"no"},
    ],
)
def test_what_is_no_matter_of_it_is_left_alone(oracle: Oracle, changes: dict[str, Any]) -> None:
    assert oracle.judged(replace(answered("getTaskResult", 200, RESULT), **changes)) == []


def log_of(*exchanges: Exchange) -> WireLog:
    log = WireLog()
    for exchange in exchanges:
        log.add(exchange)
    return log


def passed(*ids: str) -> dict[str, Outcome]:
    return {row: Outcome(requirement=row, verdict=Verdict.PASS) for row in ids}


def verdicts(outcomes: dict[str, Outcome]) -> dict[str, Verdict]:
    return {row: outcome.verdict for row, outcome in outcomes.items()}


def test_a_finding_turns_a_green_row_red_and_names_the_exchange(document: Document, rows: Requirements) -> None:
    log = log_of(answered("getTaskResult", 200, changed(RESULT, "task.eta", "soon")))

    found = apply(passed("V3-RESULT-010", "V3-RESULT-009"), log, rows, document, strict=False)

    assert verdicts(found) == {"V3-RESULT-010": Verdict.FAIL, "V3-RESULT-009": Verdict.PASS}
    assert found["V3-RESULT-010"].exchanges == (7,)
    assert "soon" in found["V3-RESULT-010"].actual


def test_what_is_tolerated_is_a_warning_and_strict_it_fails(document: Document, rows: Requirements) -> None:
    log = log_of(answered("getTaskResult", 200, changed(RESULT, "extra.seed", 42)))

    lenient = apply(passed("V3-RESULT-018"), log, rows, document, strict=False)["V3-RESULT-018"]
    strict = apply(passed("V3-RESULT-018"), log, rows, document, strict=True)["V3-RESULT-018"]

    assert (lenient.verdict, strict.verdict) == (Verdict.WARN, Verdict.FAIL)
    assert "C2" in lenient.because


def test_a_wrapped_submit_answer_is_no_mere_tolerance(document: Document, rows: Requirements) -> None:
    """C1: the document's tolerated reading takes it, the row does not."""
    log = log_of(answered("createTxt2imgTask", 200, {"code": 0, "data": {"task_id": TASK}}))

    found = apply(passed("V3-SUBMIT-002"), log, rows, document, strict=False)

    assert verdicts(found) == {"V3-SUBMIT-002": Verdict.FAIL}


def test_a_should_that_is_not_followed_is_a_warning(document: Document, rows: Requirements) -> None:
    log = log_of(answered("getTaskResult", 200, changed(RESULT, "extra.debug_info", "none")))

    assert verdicts(apply(passed("V3-RESULT-021"), log, rows, document, strict=False)) == {
        "V3-RESULT-021": Verdict.WARN
    }
    assert verdicts(apply(passed("V3-RESULT-021"), log, rows, document, strict=True)) == {"V3-RESULT-021": Verdict.FAIL}


def test_one_defect_turns_one_row_red(document: Document, rows: Requirements) -> None:
    """A red row that speaks of the same field, or that rests on the same answer, has said it already."""
    log = log_of(answered("getTaskResult", 200, changed(RESULT, "task.status", 5)))
    same_field = passed("V3-RESULT-005") | {
        "V3-RESULT-007": Outcome(requirement="V3-RESULT-007", verdict=Verdict.FAIL, exchanges=(3,))
    }
    same_answer = passed("V3-RESULT-005") | {
        "V3-LIFE-002": Outcome(requirement="V3-LIFE-002", verdict=Verdict.FAIL, exchanges=(7,))
    }

    assert apply(same_field, log, rows, document, strict=False) == same_field
    assert apply(same_answer, log, rows, document, strict=False) == same_answer
    assert verdicts(apply(passed("V3-RESULT-005"), log, rows, document, strict=False)) == {
        "V3-RESULT-005": Verdict.FAIL
    }


@pytest.mark.parametrize("verdict", [Verdict.BLOCKED, Verdict.UNTESTABLE, Verdict.ERROR, Verdict.NOT_APPLICABLE])
def test_a_row_that_was_not_decided_stays_so(rows: Requirements, verdict: Verdict) -> None:
    before = {"V3-RESULT-010": Outcome(requirement="V3-RESULT-010", verdict=verdict)}
    finding = Finding(requirements=("V3-RESULT-010",), expected="a number", actual="a word", exchanges=(7,))

    assert settled(before, [finding], rows, strict=True) == before


def test_an_operation_that_is_gone_has_no_wrong_answers(document: Document, rows: Requirements) -> None:
    """C50: what stands where the route was is no answer of the API."""
    gone = answered("createTxt2imgTask", 404, b"route not found")

    assert apply(passed("V3-ERROR-001"), log_of(gone), rows, document, strict=True) == passed("V3-ERROR-001")


def test_every_place_of_an_answer_leads_to_a_row(document: Document, rows: Requirements) -> None:
    """Also where nobody has thought of a case: no finding falls through."""
    places = Places(document, rows)
    named = {name for row in rows for name in row.names}
    for thing in Inventory.of(document.raw).things:
        place, _, aspect = thing.partition("#")
        operation_id, _, rest = place.partition(":")
        status, _, field = rest.partition(".")
        if not status.isdigit() or not field or int(status) >= 500 or aspect != "type" or thing not in named:
            continue
        path: tuple[str | int, ...] = ()
        for step in field.split(".") if field != "body" else ():
            name, mark, _ = step.partition("[]")
            path += (name, 0) if mark else (name,)
        assert places.of_answer(operation_id, int(status), path, "type").requirements, thing


@pytest.mark.parametrize(
    ("operation_id", "path", "keyword", "null", "row"),
    [
        ("createTxt2imgTask", ("request", "steps"), "maximum", False, "V3-TXT2IMG-013"),
        ("createTxt2imgTask", ("request", "steps"), "type", False, "V3-TXT2IMG-004"),
        ("createTxt2imgTask", ("request", "steps"), "type", True, "V3-TXT2IMG-003"),
        ("createTxt2imgTask", ("request", "steps"), "required", False, "V3-TXT2IMG-003"),
        ("createTxt2imgTask", ("request", "loras", 0, "strength"), "maximum", False, "V3-TXT2IMG-015"),
        ("createTxt2imgTask", ("request", "loras"), "maxItems", False, "V3-TXT2IMG-016"),
        ("createTxt2imgTask", ("request", "more"), "additionalProperties", False, "V3-SUBMIT-011"),
        ("createImg2imgTask", ("request", "image_base64"), "format", False, "V3-IMG2IMG-016"),
        ("createImg2imgTask", ("request", "controlnet", "units", 0, "model_name"), "enum", False, "V3-CONTROL-003"),
        ("createTxt2imgTaskV2", ("n_iter",), "maximum", False, "V2-TXT2IMG-010"),
        ("createImg2imgTaskV2", ("width",), "required", False, "V2-IMG2IMG-003"),
    ],
)
def test_a_wrong_place_of_a_body_leads_to_the_row_that_refuses_it(
    document: Document,
    rows: Requirements,
    operation_id: str,
    path: tuple[str | int, ...],
    keyword: str,
    null: bool,
    row: str,
) -> None:
    assert Places(document, rows).of_request(operation_id, path, keyword, null=null).requirements == (row,)


@pytest.mark.parametrize(
    ("path", "aspects", "empty", "row"),
    [
        (("request", "steps"), (Aspect.RANGE,), False, "V3-TXT2IMG-006"),
        (("request", "sampler_name"), (Aspect.ENUM,), False, "V3-TXT2IMG-007"),
        (("request", "restore_faces"), (), False, "V3-TXT2IMG-002"),
        (("extra", "custom_storage"), (), True, "V3-STORAGE-003"),
        (("extra", "custom_storage"), (), False, "V3-STORAGE-001"),
    ],
)
def test_a_refused_value_leads_to_the_row_that_accepts_it(
    document: Document,
    rows: Requirements,
    path: tuple[str, ...],
    aspects: tuple[Aspect, ...],
    empty: bool,
    row: str,
) -> None:
    assert Places(document, rows).of_acceptance(TXT2IMG, path, aspects, empty=empty).requirements == (row,)


def test_nearly_every_wrong_place_of_a_body_leads_to_one_row(document: Document, rows: Requirements) -> None:
    """Only an unknown VAE of image to image may be accepted: no row says that it is refused."""
    places = Places(document, rows)
    keywords = {"type": "type", "required": "required", "range": "minimum", "enum": "enum", "items": "maxItems"}
    seen = 0
    for thing in Inventory.of(document.raw).things:
        place, _, aspect = thing.partition("#")
        operation_id, _, field = place.partition(":")
        if operation_id not in SUBMITS or aspect not in keywords or field[:1].isdigit() or field.startswith("query"):
            continue
        path: tuple[str | int, ...] = ()
        for step in field.split(".") if field != "body" else ():
            name, mark, _ = step.partition("[]")
            path += (name, 0) if mark else (name,)
        assert len(places.of_request(operation_id, path, keywords[aspect]).requirements) == 1, thing
        seen += 1
    assert seen > 300
