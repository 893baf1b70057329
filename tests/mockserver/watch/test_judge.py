"""Findings about sequences of calls."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.core.codes import Code
from mockserver.watch.judge import judged, judged_task
from mockserver.watch.memory import MAX_REMEMBERED, Memory, Wait
from tests.bodies import TXT2IMG, txt2img
from tests.conftest import KEY, Server

SUBMIT = "/v3/async/txt2img"
OK = {"user-agent": "tests"}


def codes(server: Server) -> dict[Code, int]:
    """What is said of the client now, with how often."""
    return {finding.code: count for finding, count in judged(server.mock.world(KEY))}


def poll(server: Server, task_id: str, times: int = 1) -> None:
    for _ in range(times):
        server.result(task_id)


def test_a_client_that_does_everything_right_is_not_mentioned(server: Server) -> None:
    task_id = server.submit(SUBMIT, txt2img())
    poll(server, task_id)
    server.finish_all()
    poll(server, task_id)
    server.wall.now_ms += 3_600_000
    server.control("POST", "/clock/advance", {"duration": "1h"})
    assert codes(server) == {}


@pytest.mark.parametrize(("apart_ms", "said"), [(249, True), (250, False)])
def test_polls_that_follow_each_other_at_once_are_too_fast(make_server: Any, apart_ms: int, said: bool) -> None:
    """Five in a row on a clock that runs with the wall."""
    server: Server = make_server(clock="real")
    task_id = server.submit(SUBMIT, txt2img())
    for _ in range(6):
        poll(server, task_id)
        server.wall.now_ms += apart_ms
    assert (Code.POLLS_TOO_FAST in codes(server)) is said


def test_a_clock_that_does_not_run_says_nothing_of_the_pace(server: Server) -> None:
    task_id = server.submit(SUBMIT, txt2img())
    poll(server, task_id, 20)
    assert codes(server) == {}


@pytest.mark.parametrize(("polls", "said"), [(1, False), (2, False), (3, True)])
def test_polls_after_the_end(server: Server, polls: int, said: bool) -> None:
    """The second may fetch fresh links."""
    task_id = server.submit(SUBMIT, txt2img())
    server.finish_all()
    poll(server, task_id, polls)
    assert (Code.POLLS_AFTER_END in codes(server)) is said


def test_a_result_that_nobody_asks_for(server: Server) -> None:
    """Said ten minutes after the end; a webhook tells it too."""
    server.submit(SUBMIT, txt2img())
    server.finish_all()
    assert codes(server) == {}
    server.control("POST", "/clock/advance", {"duration": "10m"})
    assert codes(server) == {Code.RESULT_NEVER_READ: 1}


def test_a_client_that_gives_up(server: Server) -> None:
    task_id = server.submit(SUBMIT, txt2img())
    poll(server, task_id)
    server.finish_all()
    server.control("POST", "/clock/advance", {"duration": "10m"})
    assert codes(server) == {Code.GIVES_UP_EARLY: 1}


def test_a_client_that_polls_for_ever(server: Server) -> None:
    """Half an hour of a task that is stuck."""
    server.control("POST", "/faults", {"point": "progress", "effect": "stuck"})
    task_id = server.submit(SUBMIT, txt2img())
    poll(server, task_id)
    server.control("POST", "/clock/advance", {"duration": "29m59s"})
    poll(server, task_id)
    assert codes(server) == {}
    server.control("POST", "/clock/advance", {"duration": "1s"})
    poll(server, task_id)
    assert codes(server) == {Code.POLLS_FOR_EVER: 1}


@pytest.mark.parametrize("effect", [{"status": 429}, {"status": {"reason": "GET_RESULT_FAILED"}}])
def test_a_task_given_up_after_one_failed_poll(server: Server, effect: object) -> None:
    """The money is spent; asking once more clears it."""
    task_id = server.submit(SUBMIT, txt2img())
    server.control("POST", "/faults", {"point": "result", "effect": effect, "times": 1})
    assert server.call("GET", "/v3/async/task-result", params={"task_id": task_id}).status_code >= 429
    assert codes(server) == {Code.PAID_TASK_LOST: 1}
    poll(server, task_id)
    assert codes(server) == {}


def test_the_same_request_paid_twice(server: Server) -> None:
    """With a fixed seed the pictures are the same."""
    for _ in range(3):
        server.submit(SUBMIT, txt2img(seed=7))
    assert codes(server) == {Code.SAME_REQUEST_TWICE: 2}


def test_other_seeds_are_other_pictures(server: Server) -> None:
    for _ in range(3):
        server.submit(SUBMIT, txt2img(seed=-1))
    assert codes(server) == {}


def test_a_client_is_hurried_when_neither_clock_has_passed() -> None:
    """The world's clock may stand, and the wall may be slower than it."""
    memory = Memory()
    for now_ms, wall_ms, hurried in ((1999, 1999, 1), (2000, 0, 1), (0, 2000, 1), (1999, 0, 2)):
        memory.asked_to_wait("getTaskResult", Wait(0, 0, 2000))
        memory.called("getTaskResult", now_ms, wall_ms)
        assert memory.hurried == {"getTaskResult": hurried}


def test_a_wait_is_judged_once() -> None:
    memory = Memory()
    memory.asked_to_wait("listModels", Wait(0, 0, 2000))
    for _ in range(3):
        memory.called("listModels", 1, 1)
    assert memory.hurried == {"listModels": 1}


def test_memory_is_bounded() -> None:
    """The oldest go."""
    memory = Memory()
    for number in range(MAX_REMEMBERED + 5):
        memory.poll_failed(str(number), "status 500")
        memory.download_failed("task", number, "status 503")
    assert len(memory.unanswered) == len(memory.refused) == MAX_REMEMBERED
    assert "4" not in memory.unanswered
    assert "5" in memory.unanswered
    memory.clear()
    assert not memory.unanswered
    assert not memory.refused


def test_one_task_is_judged_by_itself(make_server: Any) -> None:
    """The list of findings names the first task of each kind; each task's own story names it too."""
    server = make_server(clock="real")
    tasks = [server.submit(TXT2IMG, txt2img(seed=number)) for number in range(2)]
    for task in tasks:
        poll(server, task, 7)
    world = server.mock.world(KEY)
    for task in tasks:
        told = judged_task(world, world.tasks.get(task))
        assert [finding.code for finding, _ in told] == [Code.POLLS_TOO_FAST]
        assert task in told[0][0].message
    assert [count for finding, count in judged(world) if finding.code is Code.POLLS_TOO_FAST] == [2]


def test_one_task_alone_is_lost_or_left(server: Server) -> None:
    """What was refused last, of this task and no other."""
    lost, left, other = (server.submit(TXT2IMG, txt2img(seed=number)) for number in range(3))
    server.finish_all()
    url = server.result(left)["images"][0]["image_url"]
    server.result(other)
    server.control("POST", "/faults", {"faults": [
        {"point": "result", "effect": {"status": 503}, "times": 1},
        {"point": "download", "effect": {"status": 503}, "times": 1},
    ]})  # fmt: skip
    server.call("GET", "/v3/async/task-result", params={"task_id": lost})
    server.download(url)
    world = server.mock.world(KEY)

    def found(task: str) -> list[Code]:
        kept = world.tasks.get(task)
        assert kept is not None
        return [finding.code for finding, _ in judged_task(world, kept)]

    assert (found(lost), found(left), found(other)) == ([Code.PAID_TASK_LOST], [Code.REFUSED_DOWNLOAD_LEFT], [])
