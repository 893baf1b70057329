"""Findings over sequences as a client's calls lead to them: what the gateway and the downloads remember, and tell."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mockserver.app import create_app
from mockserver.core.clock import ClockMode
from mockserver.faults.effects import read_effect
from mockserver.faults.points import Point
from mockserver.mock import Parts
from mockserver.parts.wall import FakeWall
from mockserver.settings import Settings
from mockserver.trouble import PATIENCE_S, Troubled, play
from openapi.document import Document
from tests.bodies import txt2img, txt2img_v2
from tests.conftest import Server

SUBMIT, SUBMIT_V2 = "/v3/async/txt2img", "/v2/txt2img"
MODELS = "/v3/model"


def told(server: Server) -> dict[str, int]:
    """Codes of the findings as a client of the control interface gets them, with how often."""
    return {finding["code"]: finding["count"] for finding in server.findings()}


class TestRetryAfter:
    """NV102: called again before the time was over that an answer had asked for."""

    def refuse(self, server: Server) -> None:
        effect = {"status": {"code": 429, "retry_after": "2s"}}
        server.control("POST", "/faults", {"point": "models", "effect": effect, "times": 1})

    @pytest.mark.parametrize(("wait_ms", "said"), [(0, True), (1999, True), (2000, False)])
    def test_a_call_before_its_time_is_a_finding(self, server: Server, wait_ms: int, said: bool) -> None:
        self.refuse(server)
        assert server.call("GET", MODELS).headers["retry-after"] == "2"
        server.wall.now_ms += wait_ms
        server.call("GET", MODELS)
        assert told(server) == ({"NV102": 1} if said else {})

    def test_the_worlds_clock_counts_as_well(self, server: Server) -> None:
        """A test that moves it has waited."""
        self.refuse(server)
        server.call("GET", MODELS)
        server.control("POST", "/clock/advance", {"duration": "2s"})
        server.call("GET", MODELS)
        assert told(server) == {}

    def test_another_operation_may_be_called(self, server: Server) -> None:
        self.refuse(server)
        server.call("GET", MODELS)
        server.submit(SUBMIT, txt2img())
        assert told(server) == {}

    def test_each_call_that_is_refused_again_counts(self, server: Server) -> None:
        server.control(
            "POST", "/faults", {"point": "auth", "effect": {"status": {"code": 503, "retry_after": "9s"}}, "times": 3}
        )
        for _ in range(4):
            server.call("GET", MODELS)
        assert told(server) == {"NV102": 3}

    def test_a_refusal_of_v2_keeps_its_header(self, server: Server) -> None:
        """The reason makes it 200 with a code; the header is there all the same."""
        effect = {"status": {"reason": "RATE_LIMIT_EXCEEDED", "retry_after": "2s"}}
        server.control("POST", "/faults", {"point": "submit.before", "effect": effect, "times": 1})
        for _ in range(2):
            server.call("POST", SUBMIT_V2, json=txt2img_v2())
        assert told(server)["NV102"] == 1

    def test_the_limit_of_the_account_asks_to_wait_too(self, server: Server) -> None:
        account = {"rate_limits": {"createTxt2imgTask": 1}, "retry_after": True}
        server.control(
            "PUT",
            "/scenario",
            {"scenario": {"name": "one-a-minute", "description": "One picture a minute.", "account": account}},
        )
        for _ in range(3):
            server.call("POST", SUBMIT, json=txt2img())
        assert told(server)["NV102"] == 1


class TestPatience:
    """NV602: a connection without an answer is kept for longer than any client should."""

    @pytest.mark.parametrize(
        ("effect", "leaves_after_s", "said"),
        [
            ("no-answer", PATIENCE_S, True),
            ("no-answer", 120, False),
            ({"delay": "1h"}, PATIENCE_S, True),
            ({"delay": "120s"}, 3600, False),
            ({"delay": "1h"}, 30, False),
        ],
    )
    def test_who_stays_beyond_all_patience_is_told(self, effect: object, leaves_after_s: float, said: bool) -> None:
        """The client leaves at the first moment at which it has waited so long; the wall is a sum of pauses."""
        held: list[bool] = []
        left = asyncio.run(self._play(effect, leaves_after_s, held))
        assert held == ([True] if said else [])
        assert left is (effect == "no-answer" or leaves_after_s < 3600)

    async def _play(self, effect: object, leaves_after_s: float, held: list[bool]) -> bool:
        waited, leaving, left = [0.0], asyncio.Event(), []

        async def pause(seconds: float) -> None:
            if waited[0] + seconds > leaves_after_s:
                leaving.set()
                await asyncio.Event().wait()
            waited[0] += seconds

        async def receive() -> Any:
            if waited[0] >= leaves_after_s:
                leaving.set()
            await leaving.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            del message

        troubled = Troubled(
            (200, [], b"{}"),
            read_effect(effect, Point.RESULT, ()),
            seed=1,
            on_held=lambda: held.append(True),
            on_gone=lambda: left.append(True),
        )
        await play(troubled, {"type": "http"}, receive, send, pause)
        return bool(left)


@pytest.mark.parametrize(
    ("point", "where"),
    [("auth", "listModels"), ("submit.after_commit", "createTxt2imgTask"), ("download", "picture link")],
)
def test_every_kind_of_call_can_be_waited_for_too_long(document: Document, point: str, where: str) -> None:
    """The mock's waits pass at once here: the client has its answer, an hour late."""

    async def pause(seconds: float) -> None:
        del seconds

    wall = FakeWall()
    settings = Settings(clock=ClockMode.parse("manual"))
    server = Server(create_app(document, settings, Parts(wall=wall, pause=pause)), wall)
    url = server.finished(SUBMIT, txt2img())["images"][0]["image_url"]
    server.control("POST", "/faults", {"point": point, "effect": {"delay": "1h"}, "times": 1})
    if point == "auth":
        server.call("GET", MODELS)
    elif point == "download":
        server.download(url)
    else:
        server.submit(SUBMIT, txt2img())
    found = [(finding["code"], finding["where"]) for finding in server.findings()]
    server.close()
    assert found == [("NV602", where)]


def test_a_task_that_the_service_forgot_was_not_given_up(server: Server) -> None:
    """The client was told that there is no such task."""
    server.control("POST", "/faults", {"point": "progress", "effect": "vanish"})
    read, unread = server.submit(SUBMIT, txt2img()), server.submit(SUBMIT, txt2img())
    server.result(read)
    server.finish_all()
    server.control("POST", "/clock/advance", {"duration": "1h"})
    assert server.call("GET", "/v3/async/task-result", params={"task_id": unread}).status_code == 404
    assert told(server) == {}


def test_a_task_lost_by_a_failed_poll_is_not_called_unread_as_well(server: Server) -> None:
    """One finding names one mistake."""
    task_id = server.submit(SUBMIT, txt2img())
    server.control("POST", "/faults", {"point": "result", "effect": {"status": 500}, "times": 1})
    server.call("GET", "/v3/async/task-result", params={"task_id": task_id})
    server.finish_all()
    server.control("POST", "/clock/advance", {"duration": "1h"})
    assert told(server) == {"NV303": 1}


class TestDownloads:
    """NV205: what came was no picture, and the client left it at that."""

    def link(self, server: Server) -> str:
        url: str = server.finished(SUBMIT, txt2img())["images"][0]["image_url"]
        return url

    @pytest.mark.parametrize(
        ("kind", "said"), [("xml", True), ("html", True), ("empty", True), ("corrupt", True), ("content-type", False)]
    )
    def test_another_file_in_the_pictures_place_counts_as_refused(self, server: Server, kind: str, said: bool) -> None:
        """With status 200; the picture under another Content-Type is the picture all the same."""
        url = self.link(server)
        server.control("POST", "/faults", {"point": "download", "effect": {"wrong-file": kind}, "times": 1})
        assert server.download(url).status_code == 200
        assert told(server) == ({"NV205": 1} if said else {})
        assert server.download(url).status_code == 200
        assert told(server) == {}

    def test_the_finding_says_what_came(self, server: Server) -> None:
        url = self.link(server)
        server.control("POST", "/faults", {"point": "download", "effect": {"wrong-file": "html"}, "times": 1})
        server.download(url)
        (finding,) = server.findings()
        assert "wrong-file html" in finding["message"]


def test_what_is_judged_stands_in_the_export_too(server: Server) -> None:
    task_id = server.submit(SUBMIT, txt2img())
    server.control("POST", "/faults", {"point": "result", "effect": {"status": 429}, "times": 1})
    server.call("GET", "/v3/async/task-result", params={"task_id": task_id})
    (run,) = server.control("GET", "/findings.sarif")["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["NV303"]
    server.control("DELETE", "/findings")
    assert server.findings() == []
