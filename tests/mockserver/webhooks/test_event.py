"""The body of an event: valid against the document, and the same as the poll of its task."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mockserver.answers import View, task_result
from mockserver.core.links import LinkSigner
from mockserver.core.recipe import ImageType
from mockserver.core.task import Delivery, Status, Task, TaskType
from mockserver.parts.ids import SeededIds
from mockserver.webhooks.event import event_body, event_payload, made_up_payload
from openapi.document import Document, Reading
from tests import bodies

VIEW = View(base_url="http://mock.test", signer=LinkSigner(b"secret"), ids=SeededIds())
URL = "https://client.test/novita-events"
ID = "f10333f2-2dd7-4f56-a177-e3c02a774d9a"
END_MS = 1_709_284_803_800


def task(*, outcome: Status = Status.SUCCEED, count: int = 1, **delivery: Any) -> Task:
    return Task(
        id=ID,
        operation_id="createTxt2imgTask",
        number=1,
        type=TaskType.TXT_TO_IMG,
        body=json.dumps(bodies.txt2img()).encode(),
        delivery=Delivery(webhook_url=URL, **delivery),
        seed=77,
        count=count,
        submitted_ms=END_MS - 3_800,
        started_ms=END_MS - 3_700,
        finished_ms=END_MS,
        outcome=outcome,
        reason="the picture could not be drawn" if outcome is Status.FAILED else "",
    )


def valid(document: Document, body: bytes) -> dict[str, Any]:
    """The payload of an event that the documented reading accepts."""
    found: dict[str, Any] = json.loads(body)
    assert document.webhooks["asyncTaskResult"].problems(found, Reading.DOCUMENTED) == []
    assert found["event_type"] == "ASYNC_TASK_RESULT"
    payload: dict[str, Any] = found["payload"]
    return payload


@pytest.mark.parametrize("outcome", [Status.SUCCEED, Status.FAILED])
@pytest.mark.parametrize("nsfw", [False, True])
def test_an_event_is_the_result_of_its_task_and_where_it_goes(document: Document, outcome: Status, nsfw: bool) -> None:
    """WEBHOOK-004, 005 and 006, and the echo of C10."""
    done = task(outcome=outcome, count=2, nsfw=nsfw)
    payload = valid(document, event_body(event_payload(done, END_MS + 5, VIEW)))
    assert payload["extra"].pop("webhook") == {"url": URL}
    assert payload == json.loads(json.dumps(task_result(done, END_MS + 5, VIEW)))


def test_a_failed_event_has_a_reason_and_no_pictures(document: Document) -> None:
    payload = valid(document, event_body(event_payload(task(outcome=Status.FAILED), END_MS, VIEW)))
    assert payload["task"]["status"] == "TASK_STATUS_FAILED"
    assert payload["task"]["reason"] == "the picture could not be drawn"
    assert (payload["images"], payload["videos"], payload["audios"]) == ([], [], [])


def test_a_task_that_works_owes_no_event() -> None:
    """WEBHOOK-007."""
    with pytest.raises(ValueError, match="has not ended"):
        event_payload(task(), END_MS - 1, VIEW)


@pytest.mark.parametrize("kind", list(ImageType))
def test_test_mode_makes_up_its_pictures(document: Document, kind: ImageType) -> None:
    """WEBHOOK-014: the documented path, with the file type that was asked for, and one name per picture."""
    made_up = task(test_status=Status.SUCCEED, image_type=kind, count=2)
    payload = valid(document, event_body(event_payload(made_up, END_MS, VIEW)))
    links = [image["image_url"].partition("?")[0] for image in payload["images"]]
    assert links == [f"http://mock.test/test_data/image_0{number}.{kind}" for number in (1, 2)]
    assert payload["task"]["status"] == "TASK_STATUS_SUCCEED"


def test_test_mode_makes_up_a_failure(document: Document) -> None:
    """WEBHOOK-015."""
    made_up = task(test_status=Status.FAILED, outcome=Status.FAILED)
    payload = valid(document, event_body(event_payload(made_up, END_MS, VIEW)))
    assert payload["task"]["status"] == "TASK_STATUS_FAILED"
    assert payload["task"]["reason"]
    assert payload["images"] == []


@pytest.mark.parametrize("outcome", [Status.SUCCEED, Status.FAILED])
def test_a_made_up_payload_is_valid_too(document: Document, outcome: Status) -> None:
    made = made_up_payload(task_id=ID, outcome=outcome, url=URL, now_ms=END_MS, seed=7, pictures=3, reason="no luck")
    payload = valid(document, event_body(made))
    assert len(payload["images"]) == (3 if outcome is Status.SUCCEED else 0)
    assert payload["task"]["reason"] == ("" if outcome is Status.SUCCEED else "no luck")
