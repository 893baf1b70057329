"""Refusals on the wire, and what nobody should send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from openapi.document import Document, Reading
from reference_impl.http.bodies import MAX_BYTES
from tests.reference.fakes import PaintingWorker
from tests.reference.http.conftest import MakeFront
from tests.reference.http.front import Front
from tests.reference.submissions.bodies import img2img, img2img_v2, txt2img, txt2img_v2

SMALL: dict[str, Any] = {"width": 128, "height": 128, "steps": 1}


@pytest.mark.parametrize(
    ("path", "body", "reason", "field"),
    [
        ("/v3/async/txt2img", txt2img(steps=0), "INVALID_REQUEST_BODY", "request.steps"),
        ("/v3/async/txt2img", txt2img(width=127), "INVALID_IMAGE_SIZE", "request.width"),
        ("/v3/async/txt2img", txt2img(model_name="no"), "INVALID_REQUEST_BODY", "request.model_name"),
        ("/v3/async/txt2img", [], "INVALID_REQUEST_BODY", None),
        ("/v3/async/img2img", img2img(image_base64="no"), "INVALID_IMAGE_FORMAT", "request.image_base64"),
        (
            "/v3/async/txt2img",
            txt2img({"custom_storage": {"aws_s3": {"region": "r", "bucket": "b", "path": ".."}}}),
            "INVALID_CUSTOM_OUTPUT_PATH",
            "extra.custom_storage.aws_s3.path",
        ),
    ],
)
def test_a_refusal_of_v3_has_a_reason_and_names_the_field(
    lenient: Front, document: Document, path: str, body: object, reason: str, field: str | None
) -> None:
    """V3-ERROR-001 to 005."""
    answer = lenient.call("POST", path, json=body)
    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["reason"]) == (400, reason)
    assert answer.json()["metadata"] == ({"field": field} if field else {})
    validator = document.response_validator("createTxt2imgTask", 400, Reading.DOCUMENTED)
    assert validator.problems(answer.json()) == []


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v2/txt2img", [], 1),
        ("/v2/txt2img", txt2img_v2(steps="20"), 1),
        ("/v2/txt2img", txt2img_v2(steps=51), 6),
        ("/v2/txt2img", txt2img_v2(model_name="no"), 2),
        ("/v2/txt2img", txt2img_v2(sampler_name="DPM++ Karras"), 8),
        ("/v2/img2img", img2img_v2(sampler_name="DPM++ Karras"), 8),
        ("/v2/img2img", img2img_v2(init_images=["no"]), 1),
    ],
)
def test_a_refusal_of_v2_has_a_code_and_status_200(
    lenient: Front, document: Document, path: str, body: object, code: int
) -> None:
    """V2-CODE-002 to 006."""
    answer = lenient.call("POST", path, json=body)
    assert (answer.status_code, answer.json()["code"], answer.json()["data"]) == (200, code, None)
    validator = document.response_validator("createTxt2imgTaskV2", 200, Reading.DOCUMENTED)
    assert validator.problems(answer.json()) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v3/models"),
        ("GET", "/v3/model/"),
        ("DELETE", "/v3/model"),
        ("GET", "/v3/async/txt2img"),
        ("POST", "/v2/progress"),
        ("GET", "/v3/%00%ff"),
        ("OPTIONS", "/v3/model"),
    ],
)
def test_where_no_operation_is_the_answer_says_so(lenient: Front, method: str, path: str) -> None:
    """V3-ERROR-007 and 008."""
    answer = lenient.call(method, path)
    assert (answer.status_code, answer.json()["reason"]) == (404, "API_NOT_FOUND")
    assert method in answer.json()["message"]


@pytest.mark.parametrize("task_id", ["", "x", "x" * 5000, "6469ca5b-0000-4000-8000-000000000000", "\x00", "é"])
def test_an_unknown_task_is_not_found(lenient: Front, task_id: str) -> None:
    """ROBUST-010."""
    v3 = lenient.call("GET", "/v3/async/task-result", params={"task_id": task_id})
    v2 = lenient.call("GET", "/v2/progress", params={"task_id": task_id})
    assert (v3.status_code, v3.json()["reason"]) == (404, "TASK_NOT_FOUND")
    assert v2.json()["code"] == 3


def test_a_question_without_a_task_is_refused(lenient: Front) -> None:
    """V3-RESULT-002, V2-PROGRESS-002."""
    v3 = lenient.call("GET", "/v3/async/task-result")
    assert (v3.status_code, v3.json()["message"]) == (400, "task_id: this query parameter is missing")
    assert lenient.call("GET", "/v2/progress").json()["code"] == 1


def test_parameters_that_no_page_names_are_ignored_by_strict_servers_too(strict: Front) -> None:
    """V3-SUBMIT-012."""
    assert strict.call("GET", "/v3/model", params={"a": "b"}).status_code == 200
    assert strict.call("POST", "/v3/async/txt2img?a=b", json=txt2img(**SMALL)).status_code == 200


def test_of_several_ids_the_first_counts_unless_the_server_is_strict(make_front: MakeFront) -> None:
    """V2-PROGRESS-001."""
    front = make_front()
    task_id = front.submit("/v2/txt2img", txt2img_v2(**SMALL))
    twice = [("task_id", task_id), ("task_id", "x")]
    assert front.call("GET", "/v2/progress", params=twice).json()["code"] == 0


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 400),
        ("multipart/form-data; boundary=x", 400),
        ("", 400),
    ],
)
def test_a_strict_server_takes_json_by_its_header_on_v3(strict: Front, content_type: str, status: int) -> None:
    """V3-SUBMIT-006 and 007."""
    answer = strict.call("POST", "/v3/async/txt2img", json=txt2img(**SMALL), headers={"content-type": content_type})
    assert answer.status_code == status


def test_v2_and_lenient_servers_look_at_the_body_alone(lenient: Front) -> None:
    """V2-SUBMIT-006."""
    for path, body in (("/v3/async/txt2img", txt2img(**SMALL)), ("/v2/txt2img", txt2img_v2(**SMALL))):
        lenient.submit(path, body)
        answer = lenient.call("POST", path, json=body, headers={"content-type": "text/plain"})
        assert answer.status_code == 200
        assert answer.json().get("code", 0) == 0


def test_a_body_that_is_announced_as_too_large_is_not_read(lenient: Front) -> None:
    """ROBUST-004."""
    headers = {"content-length": str(MAX_BYTES + 1), "content-type": "application/json"}
    answer = lenient.call("POST", "/v3/async/txt2img", content=b"{", headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST_BODY")
    assert f"at most {MAX_BYTES} bytes" in answer.json()["message"]
    assert lenient.call("POST", "/v2/txt2img", content=b"{", headers=headers).json()["code"] == 1


def test_a_body_that_does_not_say_how_large_it_is_is_read_up_to_the_limit(lenient: Front) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1_000_000)

    answer = lenient.call("POST", "/v3/async/txt2img", content=endless())
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST_BODY")


def test_a_full_queue_is_answered_like_a_limit(make_front: MakeFront) -> None:
    """V3-LIMIT-002."""
    front = make_front(room=8, worker=PaintingWorker(ready=False))
    answers = [front.call("POST", "/v3/async/txt2img", json=txt2img(**SMALL, image_num=4)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["reason"] == "RATE_LIMIT_EXCEEDED"
    v2 = front.call("POST", "/v2/txt2img", json=txt2img_v2(**(SMALL | {"batch_size": 8})))
    assert (v2.status_code, v2.json()["code"]) == (200, 5)


def test_a_fault_of_the_server_is_an_answer_too(lenient: Front, caplog: pytest.LogCaptureFixture) -> None:
    """V3-ERROR-015."""

    async def broken(*args: object, **kwargs: object) -> str:
        raise RuntimeError("the disk is gone")

    lenient.house.service.submit = lenient.house.service.read = broken  # type: ignore[assignment,method-assign]
    submitted = lenient.call("POST", "/v3/async/txt2img", json=txt2img(**SMALL))
    assert (submitted.status_code, submitted.json()["reason"]) == (500, "CREATE_TASK_FAILED")
    assert "disk" not in submitted.text
    read = lenient.call("GET", "/v3/async/task-result", params={"task_id": "x"})
    assert (read.status_code, read.json()["reason"]) == (500, "GET_RESULT_FAILED")
    v2 = lenient.call("POST", "/v2/txt2img", json=txt2img_v2(**SMALL))
    assert (v2.status_code, v2.json()["code"]) == (200, -1)
    assert [record.getMessage() for record in caplog.records].count("operation.failed") == 3
