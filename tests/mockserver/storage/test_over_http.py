"""Custom storage as a client sees it: a submit, polls, and a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest

from mockserver.core.clock import ClockMode
from mockserver.running import ServerThread
from mockserver.settings import Settings
from mockserver.storage.s3 import StorageSettings
from tests.bodies import TXT2IMG, txt2img

KEY = {"authorization": "Bearer sk-mock-storage"}


@pytest.fixture(scope="module")
def mock(s3_url: str) -> Iterator[ServerThread]:
    """A mock that puts pictures into the S3 server."""
    storage = StorageSettings(endpoint_url=s3_url, access_key="access", secret_key="secret", timeout_s=5)
    with ServerThread(Settings(clock=ClockMode.parse("manual"), storage=storage)) as running:
        yield running


@pytest.fixture
def client(mock: ServerThread) -> Iterator[httpx.Client]:
    """A client whose world starts again."""
    with httpx.Client(base_url=mock.url, headers=KEY) as found:
        found.post("/__mock/reset")
        yield found


@pytest.fixture(scope="module")
def s3(s3_url: str) -> Any:
    """The same server as its owner sees it, with the bucket `shelf`."""
    found = boto3.client(
        "s3",
        endpoint_url=s3_url,
        region_name="us-east-1",
        aws_access_key_id="access",
        aws_secret_access_key="secret",
    )
    found.create_bucket(Bucket="shelf")
    return found


def submit(client: httpx.Client, bucket: str = "shelf", path: str = "/out", **request: Any) -> str:
    extra = {"custom_storage": {"aws_s3": {"region": "us-east-1", "bucket": bucket, "path": path}}}
    answer = client.post(TXT2IMG, json=txt2img(extra, **request))
    assert answer.status_code == 200, answer.text
    task_id: str = answer.json()["task_id"]
    return task_id


def result(client: httpx.Client, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/v3/async/task-result", params={"task_id": task_id}).json()
    return found


def test_pictures_lie_in_the_bucket_when_the_task_has_ended(client: httpx.Client, s3: Any) -> None:
    """The links point there, and the files are the pictures."""
    task_id = submit(client, image_num=2)
    client.post("/__mock/clock/run-until-idle")
    found = result(client, task_id)
    assert found["task"]["status"] == "TASK_STATUS_SUCCEED"
    keys = [urlsplit(image["image_url"]).path.removeprefix("/shelf/") for image in found["images"]]
    assert len(set(keys)) == 2
    for key in keys:
        stored = s3.get_object(Bucket="shelf", Key=key)
        assert stored["ContentType"] == "image/png"
        assert stored["Body"].read().startswith(b"\x89PNG\r\n")


def test_nothing_is_said_of_a_storage_that_works(client: httpx.Client, s3: Any) -> None:
    """The finding is for mocks that keep the pictures."""
    assert s3 is not None
    submit(client)
    assert client.get("/__mock/findings").json()["findings"] == []


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("denied", "denied"),
        ("no-bucket", "no bucket of this name"),
        ("wrong-region", "region"),
        ("timeout", "time"),
        ("partial", "bytes were sent"),
    ],
)
def test_a_bucket_that_refuses_fails_the_task(client: httpx.Client, s3: Any, kind: str, word: str) -> None:
    """It ends with a reason that names the bucket; no picture is shown."""
    assert s3 is not None
    rule = {"point": "storage.put", "effect": {"refuse": kind}, "times": 1}
    assert client.post("/__mock/faults", json=rule).status_code == 200
    task_id = submit(client)
    client.post("/__mock/clock/run-until-idle")
    found = result(client, task_id)
    assert found["task"]["status"] == "TASK_STATUS_FAILED"
    assert "'shelf'" in found["task"]["reason"]
    assert word in found["task"]["reason"]
    assert found["images"] == []


def test_a_bucket_that_is_not_there_fails_the_task(client: httpx.Client, s3: Any) -> None:
    """Said by the server itself."""
    assert s3 is not None
    task_id = submit(client, bucket="nowhere")
    client.post("/__mock/clock/run-until-idle")
    assert "no bucket of this name" in result(client, task_id)["task"]["reason"]


def test_a_half_way_failure_names_what_lies_there(client: httpx.Client, s3: Any) -> None:
    """The first of three pictures was put, the second was not, the third was not tried."""
    rule = {"point": "storage.put", "effect": "refuse", "match": {"picture": 1}}
    client.post("/__mock/faults", json=rule)
    task_id = submit(client, path="/half", image_num=3)
    client.post("/__mock/clock/run-until-idle")
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket="shelf", Prefix="half/")["Contents"]]
    assert len(keys) == 1
    assert keys[0] in result(client, task_id)["task"]["reason"]


def test_a_task_is_at_work_until_its_pictures_are_put(client: httpx.Client, mock: ServerThread, s3: Any) -> None:
    """Between the end of the drawing and the end of the upload it shows 99 %."""
    assert s3 is not None
    task_id = submit(client)

    def drawn() -> None:
        world = mock.mock.world("sk-mock-storage")
        task = world.tasks.get(task_id)
        assert task is not None
        world.clock.jump_to(task.finished_ms)  # nobody is told: the upload does not begin

    mock.call(drawn)
    shown = result(client, task_id)["task"]
    assert (shown["status"], shown["progress_percent"]) == ("TASK_STATUS_PROCESSING", 99)
    client.post("/__mock/clock/run-until-idle")
    assert result(client, task_id)["task"]["status"] == "TASK_STATUS_SUCCEED"


def test_a_mock_without_storage_keeps_the_pictures_and_says_so() -> None:
    """The submit works, and a finding names the flag."""
    with ServerThread(Settings(clock=ClockMode.parse("auto"))) as running:
        client = httpx.Client(base_url=running.url, headers=KEY)
        task_id = submit(client)
        client.post("/__mock/clock/run-until-idle")
        assert result(client, task_id)["images"][0]["image_url"].startswith(running.url)
        [finding] = client.get("/__mock/findings").json()["findings"]
        assert finding["code"] == "NV900"
        assert "--s3" in finding["message"]
        client.close()
