"""`kill -9` at any moment: every task that was accepted reaches its end, with the pictures it would have had."""

from __future__ import annotations

import os
import random
import threading
from io import BytesIO
from pathlib import Path

import httpx
import orjson
import pytest
from PIL import Image, ImageChops

from openapi.document import load
from reference_impl.jobs import Job
from reference_impl.submissions import Submissions
from tests.reference.fakes import finished, make_shelf
from tests.reference.receiver import Receiver, receiving
from tests.reference.servers import Server, body, start, until

TASKS = 20
LATEST_S = 1.5
"""A server is killed up to so long after the first submit: while tasks come in, wait, are drawn, or are all done."""


MOMENTS = 5


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 11))])
def test_every_accepted_task_reaches_an_end_after_the_server_is_killed(tmp_path: Path, seed: int) -> None:
    shelf = make_shelf(tmp_path / "models")
    submissions = Submissions(load(), shelf)
    dice = random.Random(seed)
    with receiving() as receiver:
        for moment in range(MOMENTS):
            data = tmp_path / f"data-{moment}"
            server = start(shelf.folder, data, "--webhook-retry", "0.1")
            accepted = _submit_until_killed(server, receiver, dice.uniform(0.05, LATEST_S), moment)
            again = start(shelf.folder, data, "--webhook-retry", "0.1")
            try:
                for task_id, asked in accepted.items():
                    job = submissions.job("createTxt2imgTask", asked, orjson.loads(asked)["request"]["seed"])
                    _is_drawn(again, task_id, job)
                    until(lambda task_id=task_id: receiver.of(task_id))  # type: ignore[misc]  # mypy knows no defaults here
            finally:
                again.stop()


def test_a_worker_ends_when_its_server_is_killed(tmp_path: Path) -> None:
    shelf = make_shelf(tmp_path / "models")
    server = start(shelf.folder, tmp_path / "data", engine="known_painter")
    worker = until(lambda: next(shelf.folder.glob("*.pid"), None))
    pid = int(worker.stem)
    assert _lives(pid)
    server.kill()
    until(lambda: not _lives(pid))


def test_a_server_that_is_stopped_draws_on_when_it_is_started_again(tmp_path: Path) -> None:
    shelf = make_shelf(tmp_path / "models")
    server = start(shelf.folder, tmp_path / "data", engine="burning_painter")
    task_ids = [server.submit(seed=seed) for seed in range(3)]
    until(lambda: server.result(task_ids[0])["task"]["status"] == "TASK_STATUS_PROCESSING")
    assert "Traceback" not in server.stop()
    again = start(shelf.folder, tmp_path / "data")
    assert again.result(task_ids[0])["task"]["status"] != "TASK_STATUS_QUEUED"
    assert [again.ended(task_id)["task"]["status"] for task_id in task_ids] == ["TASK_STATUS_SUCCEED"] * 3
    again.stop()


def _submit_until_killed(server: Server, receiver: Receiver, after_s: float, moment: int) -> dict[str, bytes]:
    """The bodies of the tasks that were accepted before the server was killed, by id."""
    killing = threading.Timer(after_s, server.process.kill)
    killing.start()
    accepted = {}
    try:
        for number in range(TASKS):
            extra = {"webhook": {"url": receiver.url}}
            asked = orjson.dumps(
                body(extra, prompt=f"task {number} of {moment}", seed=number, image_num=1 + number % 2)
            )
            answer = server.client.post(
                "/v3/async/txt2img", content=asked, headers={"Content-Type": "application/json"}
            )
            accepted[answer.json()["task_id"]] = asked
    except httpx.TransportError:
        pass  # it was killed meanwhile; what it did not answer it need not know
    killing.join()
    server.kill()
    return accepted


def _is_drawn(server: Server, task_id: str, job: Job) -> None:
    result = server.ended(task_id)
    assert result["task"]["status"] == "TASK_STATUS_SUCCEED", result
    assert len(result["images"]) == job.count
    for index, image in enumerate(result["images"]):
        picture = Image.open(BytesIO(server.client.get(image["image_url"]).content))
        expected = Image.open(BytesIO(finished(job, index).file))
        assert picture.size == expected.size
        assert ImageChops.difference(picture, expected).getbbox() is None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # What has ended and was not waited for is still listed, as a zombie.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
