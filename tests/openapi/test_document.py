"""What `load()` gives: operations, key forms, reasons, limits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from openapi.document import COMPILED, Document, KeyForm, load
from openapi.readings import Reading
from tests.openapi.samples import contract, copy_of

OPERATIONS = {
    "createTxt2imgTaskV2": ("POST", "/v2/txt2img", "v2", True),
    "createImg2imgTaskV2": ("POST", "/v2/img2img", "v2", True),
    "getProgressV2": ("GET", "/v2/progress", "v2", False),
    "createTxt2imgTask": ("POST", "/v3/async/txt2img", "v3", True),
    "createImg2imgTask": ("POST", "/v3/async/img2img", "v3", True),
    "getTaskResult": ("GET", "/v3/async/task-result", "v3", False),
    "listModels": ("GET", "/v3/model", "v3", False),
}
REASONS = {
    400: {
        "INVALID_REQUEST_BODY",
        "IMAGE_FILE_EXCEEDS_MAX_SIZE",
        "INVALID_IMAGE_FORMAT",
        "IMAGE_EXCEEDS_MAX_RESOLUTION",
        "INVALID_IMAGE_SIZE",
        "IMAGE_NO_FACE_DETECTED",
        "INVALID_CUSTOM_OUTPUT_PATH",
        "ILLEGAL_PROMPT",
        "ILLEGAL_IMAGE_CONTENT",
        "INVALID_AUDIO_FILE",
        "BILLING_BALANCE_NOT_ENOUGH",
        "MISSING_API_KEY",
    },
    403: {
        "BILLING_AUTH_FAILED",
        "INVALID_API_KEY",
        "FEATURE_NOT_ALLOWED",
        "API_NOT_ALLOWED",
        "NEED_REAL_NAME_VERIFY",
    },
    404: {"API_NOT_FOUND", "TASK_NOT_FOUND"},
    429: {"RATE_LIMIT_EXCEEDED"},
    500: {"BILLING_FAILED", "CREATE_TASK_FAILED", "GET_RESULT_FAILED", "TASK_FAILED"},
}


def test_the_operations_are_those_of_the_pages() -> None:
    """Seven operations, each with its method, path, version and, for submits, a body."""
    found = {
        name: (one.method, one.path, one.version, one.body is not None) for name, one in contract().operations.items()
    }
    assert found == OPERATIONS
    assert set(contract().webhooks) == {"asyncTaskResult"}
    assert {name for name, one in contract().operations.items() if one.deprecated} == {
        name for name in OPERATIONS if name.endswith("V2")
    }


@pytest.mark.parametrize("operation_id", [name for name in OPERATIONS if not name.endswith("V2")])
def test_v3_answers_have_every_reason_with_its_status(operation_id: str) -> None:
    """A v3 operation answers 200 or one of five error statuses, each with the reasons of the table."""
    operation = contract().operations[operation_id]
    assert set(operation.statuses) == {200, *REASONS}
    assert {status: set(reasons) for status, reasons in operation.reasons.items()} == REASONS


def test_v2_answers_200_with_a_code() -> None:
    """Version 2 has one status and the codes -1 to 10, by the names of its page."""
    for operation in contract().operations.values():
        if operation.version == "v2":
            assert operation.statuses == (200,)
            assert not operation.reasons
    codes = contract().v2_codes
    assert sorted(codes) == list(range(-1, 11))
    assert (codes[0], codes[-1], codes[8]) == ("CodeNormal", "CodeInternalError", "CodeSamplerNotExist")


def test_reasons_lead_to_their_status() -> None:
    """Each of the 24 reasons has one status."""
    assert contract().reasons == {reason: status for status, reasons in REASONS.items() for reason in reasons}
    assert len(contract().reasons) == 24


def test_key_forms_name_what_is_undocumented() -> None:
    """Bearer is documented; a bare key is tolerated everywhere, X-Omni-Key in version 2 only."""
    bearer = KeyForm(name="bearerKey", header="Authorization", scheme="Bearer")
    bare = KeyForm(name="bareKey", header="Authorization", scheme="", because=("O3",))
    omni = KeyForm(name="omniKey", header="X-Omni-Key", scheme="", because=("O4",))
    assert contract().operations["getTaskResult"].key_forms == (bearer, bare)
    assert contract().operations["getProgressV2"].key_forms == (bearer, bare, omni)


def test_limits_are_numbers() -> None:
    """The source picture may have 16 megapixels and 10 MB; submits have a rate limit in pictures per minute."""
    limits = contract().picture_limits
    assert (limits.max_pixels, limits.max_bytes) == (4096 * 4096, 10 * 1024 * 1024)
    rates = {name: one.pictures_per_minute for name, one in contract().operations.items() if one.pictures_per_minute}
    assert rates == {"createTxt2imgTask": 20, "createImg2imgTask": 10}


def test_every_reference_says_what_it_stands_for_and_is_used() -> None:
    """An id such as C13 has a sentence, and each sentence about a choice of this document is cited somewhere."""
    text = json.dumps({key: value for key, value in contract().raw.items() if key != "x-references"})
    unused = [cited for cited in contract().references if f'"{cited}"' not in text and cited not in text]
    assert unused == []
    assert all(sentence.endswith(".") for sentence in contract().references.values())


def test_an_operation_without_a_body_takes_anything() -> None:
    """There is nothing to be wrong with a body that is not looked at."""
    operation = contract().operations["listModels"]
    assert operation.is_valid({"x": 1}, Reading.DOCUMENTED)
    assert operation.problems({"x": 1}, Reading.DOCUMENTED) == []


def test_submits_link_to_what_reads_their_task() -> None:
    """A submit answer leads to the result by its task id, in both versions."""
    responses = contract().raw["components"]["responses"]
    assert responses["Submit"]["links"]["taskResult"] == {
        "operationId": "getTaskResult",
        "description": "Ask how far the task is.",
        "parameters": {"task_id": "$response.body#/task_id"},
    }
    assert responses["V2Submit"]["links"]["progress"]["operationId"] == "getProgressV2"


def test_an_answer_of_another_status_is_not_documented() -> None:
    """Asking for the validator of a status that is not in the document fails."""
    with pytest.raises(KeyError):
        contract().response_validator("createTxt2imgTaskV2", 404)


def test_a_document_can_be_loaded_from_a_path(tmp_path: Path) -> None:
    """A changed copy is read as it is."""
    raw = copy_of(contract().raw)
    raw["info"]["version"] = "9.9.9"
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(raw), "utf-8")
    assert load(path).version == "9.9.9"
    assert isinstance(load(), Document)


def test_loading_needs_neither_yaml_nor_the_validator() -> None:
    """What a program loads at start is the compiled JSON alone."""
    program = (
        "import sys; from openapi.document import load; load(); print(*{'yaml', 'jsonschema_rs'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
    assert COMPILED.exists()
