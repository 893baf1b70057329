"""Ends of tasks that somebody outside waits for, where two ends meet."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from mockserver.core.storage import StorageFault
from mockserver.core.task import Status
from mockserver.storage.uploader import Put, UploadFailed
from mockserver.webhooks.settings import WebhookSettings
from tests.bodies import TXT2IMG, txt2img
from tests.mockserver.trouble_book import final_of
from tests.mockserver.trouble_site import KEYS, RECEIVERS, Answer, Site, Step

KEY = KEYS[0]
STORAGE = {"aws_s3": {"region": "us-east-2", "bucket": "my-pictures", "path": "out/"}}


def post(site: Site, path: str, body: object) -> Answer:
    """A POST of the key's client."""
    step = Step(wall_ms=site.wall(), key=KEY, method="POST", target=path, body=orjson.dumps(body))
    answer = site.play(step)
    assert answer is not None
    assert answer.status == 200, answer
    return answer


class Interrupted:
    """A bucket during whose uploads a test ends the task."""

    def __init__(self, fails: BaseException | None) -> None:
        self.site: Site
        self.fails = fails
        self.finals: list[bytes] = []

    async def put(self, put: Put) -> str:
        """The test's call comes while the file is on its way."""
        world = self.site.world(KEY)
        (task,) = world.tasks
        world.end_task(task, Status.SUCCEED)
        self.finals.append(final_of(task, world.clock.now_ms()))
        if self.fails is not None:
            raise self.fails
        return f"https://{put.bucket}.s3.test/{put.key}"


@pytest.mark.parametrize(
    "fails",
    [None, UploadFailed(StorageFault.DENIED, bucket="my-pictures", key="out/one.png"), RuntimeError("a slip of ours")],
)
def test_a_task_that_is_ended_during_its_upload_stays_as_it_ended(
    fails: BaseException | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the links nor the failure of the upload change a finished task; its event is owed once."""
    bucket = Interrupted(fails)
    site = Site(seed=0, in_a_row=3, webhooks=WebhookSettings(), uploader=bucket)
    bucket.site = site
    post(site, TXT2IMG, txt2img({"custom_storage": STORAGE, "webhook": {"url": RECEIVERS + KEY}}))
    post(site, "/__mock/clock/run-until-idle", {})
    (task,) = site.world(KEY).tasks

    assert [final_of(task, site.world(KEY).clock.now_ms())] == bucket.finals
    assert len(site.receivers.came[KEY]) == 1
    assert "errand.failed" not in [record.message for record in caplog.records]
    site.close()


def test_a_submit_does_not_wait_for_the_event_of_a_task_that_is_unknown_already() -> None:
    """Vanished tasks owe no event; their submit is answered at once."""
    site = Site(seed=0, in_a_row=3, webhooks=WebhookSettings())
    rules: list[dict[str, Any]] = [
        {"point": "queue", "effect": {"vanish": 0}},
        {"point": "webhook.before_reply", "effect": "early"},
    ]
    post(site, "/__mock/faults", {"faults": rules})

    answer = post(site, TXT2IMG, txt2img({"webhook": {"url": RECEIVERS + KEY}}))

    assert "task_id" in answer.json
    assert [fired.effect.kind.value for fired in site.world(KEY).faults.fired] == ["vanish"]
    site.close()
