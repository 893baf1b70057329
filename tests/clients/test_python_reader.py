"""What the strict readers of novita-client demand of an answer: the table in docs/clients.md, row by row.

Each row is an answer of the mock's shape with one place changed. A row that reads differently one day says that the
table is out of date.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from tests.clients.environments import PYTHON_V2, PYTHON_V3, Environment
from tests.clients.harness import Driver, Report, Session

pytestmark = pytest.mark.clients

TASK_RESULT = {
    "extra": {
        "seed": "4242",
        "enable_nsfw_detection": False,
        "debug_info": {
            "request_info": "",
            "submit_time_ms": "1767225600000",
            "execute_time_ms": "1767225600069",
            "complete_time_ms": "1767225603855",
        },
    },
    "task": {
        "task_id": "0d0b5b5e-8c5e-4b8e-9a57-3c1f6a1f0a11",
        "status": "TASK_STATUS_SUCCEED",
        "reason": "",
        "task_type": "TXT_TO_IMG",
        "eta": 0,
        "progress_percent": 100,
    },
    "images": [
        {
            "image_url": "http://127.0.0.1/a.png",
            "image_url_ttl": "3600",
            "image_type": "png",
            "nsfw_detection_result": None,
        }
    ],
    "videos": [],
    "audios": [],
}
MODEL_LIST = {
    "models": [
        {
            "id": 1,
            "name": "one",
            "sd_name": "one.safetensors",
            "type": {"name": "checkpoint", "display_name": "Checkpoint"},
            "status": 1,
        }
    ],
    "pagination": {"next_cursor": ""},
}
V2_SUBMIT = {"code": 0, "msg": "", "data": {"task_id": "0d0b5b5e-8c5e-4b8e-9a57-3c1f6a1f0a11", "warn": ""}}
V2_PROGRESS = {
    "code": 0,
    "msg": "",
    "data": {
        "status": 2,
        "progress": 1,
        "eta_relative": 0,
        "imgs": ["http://127.0.0.1/a.png"],
        "info": "",
        "failed_reason": "",
        "current_images": [""],
        "submit_time": "2026-01-01 00:00:00",
        "execution_time": "2026-01-01 00:00:00",
        "txt2img_time": "2026-01-01 00:00:04",
        "finish_time": "2026-01-01 00:00:04",
        "enable_nsfw_detection": False,
        "nsfw_detection_result": None,
        "debug_info": {"submit_time_ms": 1, "execution_time_ms": 1, "txt2img_time_ms": 1, "finish_time_ms": 1},
    },
}
BASES: dict[str, dict[str, Any]] = {
    "task-result": TASK_RESULT,
    "model-list": MODEL_LIST,
    "v2-submit": V2_SUBMIT,
    "v2-progress": V2_PROGRESS,
}
ABSENT = object()

BROKEN = [
    # place, value, the error that the client's caller gets
    ("task-result extra", None, "MissingData"),
    ("task-result extra.debug_info", {}, "MissingFields"),
    ("task-result extra.debug_info.complete_time_ms", ABSENT, "MissingFields"),
    ("task-result task", ABSENT, "MissingFields"),
    ("task-result task.status", "TASK_STATUS_UNKNOWN", "ValueError"),
    ("task-result task.progress_percent", True, "TypeError"),
    ("task-result images", None, "TypeError"),
    ("task-result images.0.image_url_ttl", ABSENT, "MissingFields"),
    ("task-result images.0.nsfw_detection_result", {}, "MissingFields"),
    ("task-result images.0.nsfw_detection_result", {"valid": True}, "MissingFields"),
    ("task-result videos", None, "TypeError"),
    ("model-list models", None, "TypeError"),
    ("model-list models.0.id", ABSENT, "MissingFields"),
    ("model-list models.0.status", 2, "ValueError"),
    ("model-list models.0.type.display_name", ABSENT, "MissingFields"),
    ("model-list pagination", None, "MissingData"),
    ("v2-submit data", {}, "MissingFields"),
    ("v2-submit msg", ABSENT, "MissingFields"),
    ("v2-progress data", {}, "MissingFields"),
    ("v2-progress data.debug_info", {}, "MissingFields"),
]
READ = [
    # place, value, what the client makes of it
    ("task-result extra.debug_info", None, None),
    ("task-result extra.debug_info", ABSENT, None),
    ("task-result extra.debug_info.complete_time_ms", "", 0),
    ("task-result extra.seed", "18446744073709551615", 18446744073709551615),
    ("task-result task.progress_percent", 33.4, 33),
    ("task-result task.progress_percent", None, None),
    ("task-result task.eta", "12", 12),
    ("task-result images.0.image_url_ttl", 3600, 3600),
    ("task-result images.0.nsfw_detection_result", ABSENT, None),
    ("task-result audios", None, ABSENT),
    ("model-list pagination", ABSENT, None),
    ("model-list pagination.next_cursor", ABSENT, None),
    ("v2-submit data", None, None),
    ("v2-submit code", "0", 100),
    ("v2-submit code", 11, 100),
    ("v2-progress data", None, None),
    ("v2-progress data.progress", 0.37, 0),
    ("v2-progress data.imgs", None, None),
    ("v2-progress data.debug_info", ABSENT, None),
    ("v2-progress data.nsfw_detection_result", [], []),
]


@pytest.fixture(scope="module", params=[PYTHON_V3, PYTHON_V2], ids=lambda environment: environment.version)
def reports(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What the client made of every row, in one run of it."""
    environment: Environment = request.param
    environment.require()
    folder = tmp_path_factory.mktemp("answers")
    cases = {_name(place, value): _case(place, value) for place, value, _ in [*BROKEN, *READ]}
    cases |= {reader: {"reader": reader, "answer": answer} for reader, answer in BASES.items()}
    (folder / "answers.json").write_text(json.dumps(cases))
    driver = Driver(environment=environment, name="python_reader")
    return Session(driver=driver, uri="http://127.0.0.1", key="none", folder=folder).run("read")


@pytest.mark.parametrize("reader", BASES)
def test_the_mocks_shape_is_readable(reports: Report, reader: str) -> None:
    """Unchanged, every answer is read."""
    assert "read" in reports[reader]


@pytest.mark.parametrize(("place", "value", "error"), BROKEN)
def test_an_answer_that_the_client_cannot_read(reports: Report, place: str, value: object, error: str) -> None:
    """The client raises while reading: a server must never answer so."""
    assert reports[_name(place, value)] == {"error": error}


@pytest.mark.parametrize(("place", "value", "expected"), READ)
def test_an_answer_that_the_client_reads(reports: Report, place: str, value: object, expected: object) -> None:
    """The client takes the value, some of them in a form of its own."""
    found = _at(reports[_name(place, value)]["read"], place.split()[1].split("."))
    assert found is expected if expected is ABSENT else found == expected


def _name(place: str, value: object) -> str:
    return f"{place} = {'absent' if value is ABSENT else json.dumps(value)}"


def _case(place: str, value: object) -> dict[str, Any]:
    reader, path = place.split()
    answer = deepcopy(BASES[reader])
    _change(answer, path.split("."), value)
    return {"reader": reader, "answer": answer}


def _change(answer: Any, path: list[str], value: object) -> None:
    *parents, last = path
    for step in parents:
        answer = answer[int(step) if step.isdigit() else step]
    if value is ABSENT:
        del answer[last]
    else:
        answer[last] = value


def _at(found: Any, path: list[str]) -> object:
    for step in path:
        found = found[int(step)] if step.isdigit() else found.get(step, ABSENT)
    return found
