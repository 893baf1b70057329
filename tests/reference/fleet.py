"""Several servers that share a store: tasks handed to them in turn, and what each task must come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import orjson
from PIL import Image, ImageChops

from openapi.document import load
from reference_impl.shelf import Shelf
from reference_impl.submissions import Submissions
from tests.reference.fakes import finished
from tests.reference.receiver import Receiver
from tests.reference.servers import Server, body, until

END_S = 45.0


@dataclass(slots=True, kw_only=True)
class Accepted:
    """Tasks that were accepted.

    Attributes:
        bodies: of the requests, by task id.
    """

    shelf: Shelf
    receiver: Receiver
    bodies: dict[str, bytes] = field(default_factory=dict)

    def submit(self, servers: Sequence[Server], count: int, steps: int = 10) -> list[str]:
        """Hand so many tasks to the servers in turn; their ids."""
        new = []
        for number in range(count):
            asked = body({"webhook": {"url": self.receiver.url}}, prompt=f"task {number}", seed=number, steps=steps)
            answer = servers[number % len(servers)].client.post("/v3/async/txt2img", json=asked)
            assert answer.status_code == 200, answer.text
            new.append(answer.json()["task_id"])
            self.bodies[new[-1]] = orjson.dumps(asked)
        return new

    def all_end_well(self, server: Server, *, once: bool = True) -> None:
        """Every task ends with the pictures that its request asks for, and its webhook is told.

        Args:
            server: that is asked, whoever took the task.
            once: no event comes a second time; a server that is killed between the event and the note of it repeats it.
        """
        submissions = Submissions(load(), self.shelf)
        for task_id, asked in self.bodies.items():
            result = server.ended(task_id, END_S)
            assert result["task"]["status"] == "TASK_STATUS_SUCCEED", result
            job = submissions.job("createTxt2imgTask", asked, orjson.loads(asked)["request"]["seed"])
            assert len(result["images"]) == job.count
            for index, image in enumerate(result["images"]):
                _same(served(server, image["image_url"]), finished(job, index).file)
            until(lambda task_id=task_id: self.receiver.of(task_id), END_S)  # type: ignore[misc]  # mypy: no defaults
        if once:
            assert all(len(self.receiver.of(task_id)) == 1 for task_id in self.bodies)


def served(server: Server, link: str) -> bytes:
    """What a server gives for a link, also for another's: as if both were behind one name."""
    answer = server.client.get(link[link.index("/pictures/") :])
    assert answer.status_code == 200, answer.text
    return answer.content


def in_hand(server: Server, task_ids: Sequence[str]) -> Mapping[str, Any]:
    """Those of the tasks that are being drawn now, with their progress in percent."""
    found = {task_id: server.result(task_id)["task"] for task_id in task_ids}
    return {
        task_id: task["progress_percent"]
        for task_id, task in found.items()
        if task["status"] == "TASK_STATUS_PROCESSING" and task["progress_percent"] > 0
    }


def _same(file: bytes, expected: bytes) -> None:
    ours, theirs = Image.open(BytesIO(file)).convert("RGB"), Image.open(BytesIO(expected)).convert("RGB")
    assert ours.size == theirs.size
    assert ImageChops.difference(ours, theirs).getbbox() is None
