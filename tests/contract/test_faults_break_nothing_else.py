"""Hostile calls while faults are in force: what a fault asked for comes, and nothing else goes wrong.

In process, over the routes of the contract, with every effect at every point; what a fault does to a connection is
seen as an answer that is not there or breaks off.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from mockserver.app import MockApp, create_app
from mockserver.core.clock import ClockMode
from mockserver.faults.kinds import LOSING, Kind
from mockserver.faults.plan import Fired
from mockserver.faults.points import ANSWERS, Point
from mockserver.mock import Parts
from mockserver.outbound.sender import FakeSender
from mockserver.parts.wall import FakeWall
from mockserver.scenarios import names
from mockserver.settings import Limits, Settings
from openapi.document import Document
from tests.bodies import IMG2IMG, IMG2IMG_V2, TXT2IMG, TXT2IMG_V2
from tests.contract import asgi, hostile
from tests.contract.asgi import Answer, Headers
from tests.contract.shapes import assert_right_shape, links
from tests.mockserver.faults.strategies import effects

SUBMITS = {
    "createTxt2imgTask": TXT2IMG,
    "createImg2imgTask": IMG2IMG,
    "createTxt2imgTaskV2": TXT2IMG_V2,
    "createImg2imgTaskV2": IMG2IMG_V2,
}
KEYED: Headers = ((b"authorization", b"Bearer sk-trouble"), (b"content-type", b"application/json"))
CHANGING = {Kind.BREAK, Kind.WRONG_FILE, Kind.TRUNCATE}
"""Effects after which an answer comes that has not the form of its path."""


async def no_pause(seconds: float) -> None:
    """Waits for nothing."""


class Sufferer:
    """Calls a mock with faults, and holds what it gets against what the plan says has happened.

    Args:
        document: the contract.
        loop: where the mock runs.
    """

    def __init__(self, document: Document, loop: asyncio.AbstractEventLoop) -> None:
        self._document = document
        self._loop = loop
        chosen = Settings(clock=ClockMode.parse("manual"), limits=Limits(wait_s=0))
        parts = Parts(wall=FakeWall(), sender=FakeSender(), pause=no_pause)
        self._app: MockApp = create_app(document, chosen, parts)
        self.seen: Counter[str] = Counter()

    def send(self, method: str, target: str, body: bytes = b"", *, headers: Headers = KEYED) -> Answer | None:
        """Calls the mock; None: no whole answer, because a fault asked for that.

        Raises:
            AssertionError: no answer, a failure, or one of the wrong form, and no fault that explains it.
        """
        before = self._happened()
        sent = asgi.messages(self._loop, self._app, method, target, headers=headers, chunks=[body])
        new = [fired for fired in self._happened() if not any(fired is known for known in before)]
        kinds = {fired.effect.kind for fired in new if fired.point in ANSWERS}
        self.seen["calls"] += 1
        self.seen.update(fired.effect.kind.value for fired in new)
        whole = len(sent) > 1 and not sent[-1].get("more_body", False)
        if not whole or kinds & (LOSING | CHANGING):
            assert whole or kinds & (LOSING | CHANGING), f"no whole answer of {method} {target}, and only {kinds}"
            if whole and sent[0]["status"] >= 500:
                assert Kind.STATUS in kinds
            return None
        answer = Answer(
            status=sent[0]["status"],
            headers={name.decode().lower(): value.decode("latin-1") for name, value in sent[0]["headers"]},
            body=b"".join(message.get("body", b"") for message in sent[1:]),
        )
        assert_right_shape(self._document, method, target, answer)
        return answer

    def _happened(self) -> list[Fired]:
        return [fired for world in self._app.state.mock.worlds for fired in world.faults.fired]

    def control(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """A control call, which no fault concerns."""
        answer = self.send(method, f"/__mock{path}", b"" if body is None else json.dumps(body).encode())
        assert answer is not None
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.json()
        return found

    def live(self, operation_id: str, body: bytes) -> None:
        """Submits, polls what came of it before and after its end, downloads, and lists models."""
        self.send("POST", SUBMITS[operation_id], body)
        self.send("GET", "/v3/model?pagination.limit=2")
        poll = "/v2/progress" if operation_id.endswith("V2") else "/v3/async/task-result"
        task_ids = [task["task_id"] for task in self.control("GET", "/tasks")["tasks"]]
        for _ in range(2):
            for task_id in task_ids[-2:]:
                answer = self.send("GET", f"{poll}?task_id={task_id}")
                for link in links(answer.json())[:2] if answer is not None else ():
                    self.send("GET", "/" + link.split("/", 3)[3], headers=())
            self.control("POST", "/clock/run-until-idle")

    def look(self) -> None:
        """What was stored can be shown, and without faults a mock works as ever."""
        for path in ("/faults", "/tape", "/ledger", "/findings", "/requests", "/requests.har", "/webhooks/deliveries"):
            self.control("GET", path)
        self.control("DELETE", "/faults")
        self.control("POST", "/reset")


@pytest.fixture
def sufferer(document: Document, caplog: pytest.LogCaptureFixture) -> Iterator[Sufferer]:
    """A mock on a manual clock; nothing it logs is an error."""
    loop = asyncio.new_event_loop()
    try:
        yield Sufferer(document, loop)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


efforts = pytest.mark.parametrize("examples", [60, pytest.param(1000, marks=pytest.mark.slow)])


def for_any(examples: int, check: Callable[[DataObject], None]) -> None:
    """Runs a check with generated data. Whole bodies take minutes to shrink, and a failure is to be told in time."""

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        phases=[Phase.generate],
    )
    @given(data=st.data())
    def run(data: DataObject) -> None:
        check(data)

    run()


@st.composite
def plans(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some faults, each of which happens soon or by chance."""
    found = []
    triggers: list[dict[str, Any]] = [{}, {"times": 1}, {"every": 2}, {"probability": 0.5}, {"bounded": False}]
    for point in draw(st.lists(st.sampled_from(Point), min_size=3, max_size=8)):
        trigger = draw(st.sampled_from(triggers))
        found.append({"point": point.value, "effect": draw(effects(point)), **trigger})
    return found


def bodies(document: Document, operation_id: str) -> st.SearchStrategy[bytes]:
    """Full bodies, as they are and with some places changed."""
    body = hostile.full_body(document, operation_id)
    return st.just(json.dumps(body).encode()) | hostile.changed_bodies(body)


@efforts
def test_any_faults_and_any_bodies(sufferer: Sufferer, document: Document, examples: int) -> None:
    """Random rules at random points, hostile and good bodies: each answer is in form or is what a fault asked for."""

    def check(data: DataObject) -> None:
        sufferer.control(
            "POST", "/faults", {"faults": data.draw(plans()), "max_in_a_row": data.draw(st.integers(1, 3))}
        )
        for operation_id in data.draw(st.lists(st.sampled_from(sorted(SUBMITS)), min_size=1, max_size=3)):
            sufferer.live(operation_id, data.draw(bodies(document, operation_id)))
        sufferer.look()

    for_any(examples, check)

    assert sufferer.seen["calls"] > 10 * examples
    assert len(sufferer.seen) > 10, f"too few effects were met: {sufferer.seen}"


@pytest.mark.parametrize("scenario", names())
def test_any_bodies_in_every_scenario(sufferer: Sufferer, document: Document, scenario: str) -> None:
    """A situation of the library, and hostile bodies in it."""

    def check(data: DataObject) -> None:
        sufferer.control("PUT", "/scenario", {"name": scenario})
        sufferer.control("PUT", "/clock", {"mode": "manual"})
        for operation_id in data.draw(st.permutations(sorted(SUBMITS))):
            sufferer.live(operation_id, data.draw(bodies(document, operation_id)))
        sufferer.control("DELETE", "/scenario")
        sufferer.look()

    for_any(4, check)
