"""When a rule happens: every trigger by itself and together, and the bound of faults in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.faults.effects import Effect
from mockserver.faults.facts import Facts
from mockserver.faults.plan import DEFAULT_IN_A_ROW, FaultPlan
from mockserver.faults.points import ANSWERS, COURSE, Point
from mockserver.faults.rules import read_rule, read_rules
from mockserver.faults.tape import read_tape, tape
from tests.bodies import TXT2IMG, TXT2IMG_V2, txt2img, txt2img_v2
from tests.conftest import Server
from tests.mockserver.faults.strategies import rules

SEED = 11
SECOND = 1000


def plan(*armed: Any, seed: int = SEED, in_a_row: int | None = None) -> FaultPlan:
    """A plan with rules, armed at instant 0; without a bound unless a test is about it."""
    found = FaultPlan(seed, in_a_row=in_a_row)
    found.arm(read_rules(armed, ()), 0)
    return found


def rule(**more: Any) -> dict[str, Any]:
    """A rule of which only the trigger matters."""
    return {"point": "result", "effect": {"status": 503}, **more}


def ask(faults: FaultPlan, count: int = 1, *, now_ms: int = 0, operation: str = "getTaskResult", start: int = 1) -> str:
    """Asks so many times, a client going on after each call that passed: `x` for a fault, `.` for none."""
    found = ""
    for number in range(start, start + count):
        facts = Facts(operation_id=operation)
        effect = faults.decide(Point.RESULT, str(number), facts, now_ms)
        if effect is None:
            faults.passed(Point.RESULT, facts)
        found += "." if effect is None else "x"
    return found


@pytest.mark.parametrize(
    ("trigger", "happens"),
    [
        ({}, "xxxxxxxxxxxx"),
        ({"nth": 1}, "x..........."),
        ({"nth": 3}, "..x........."),
        ({"every": 1}, "xxxxxxxxxxxx"),
        ({"every": 3}, "..x..x..x..x"),
        ({"times": 1}, "x..........."),
        ({"times": 4}, "xxxx........"),
        ({"every": 3, "times": 2}, "..x..x......"),
        ({"every": 2, "nth": 4}, "...x........"),
        ({"every": 2, "nth": 3}, "............"),
        ({"nth": 3, "times": 5}, "..x........."),
        ({"probability": 1}, "xxxxxxxxxxxx"),
        ({"probability": 0}, "............"),
    ],
)
def test_a_trigger_says_at_which_time_it_happens(trigger: dict[str, Any], happens: str) -> None:
    assert ask(plan(rule(**trigger)), 12) == happens


def test_only_times_at_which_everything_else_fits_are_counted() -> None:
    """`nth: 2` with a match is the second time that the match holds."""
    faults = plan(rule(nth=2, match={"operation": "getTaskResult"}))
    assert ask(faults, 3, operation="getProgressV2") == "..."
    assert ask(faults, 3) == ".x."


@given(st.integers(0, 2**64 - 1))
def test_a_share_is_kept_and_the_same_seed_decides_the_same(seed: int) -> None:
    """Five standard deviations of 1,000 throws at 0.3 are 73."""
    happened = ask(plan(rule(probability=0.3), seed=seed), 1000)
    assert abs(happened.count("x") - 300) <= 73
    assert ask(plan(rule(probability=0.3), seed=seed), 1000) == happened


def test_other_seeds_and_other_rules_decide_otherwise() -> None:
    first = ask(plan(rule(probability=0.5)), 100)
    assert ask(plan(rule(probability=0.5), seed=SEED + 1), 100) != first
    assert ask(plan(rule(nth=500), rule(probability=0.5)), 100) != first


@pytest.mark.parametrize(
    ("trigger", "happens"),
    [({"after": "10s"}, "..xx"), ({"until": "10s"}, "xx.."), ({"after": "10s", "until": "20s"}, "..x.")],
)
def test_time_is_the_worlds_since_it_was_armed(trigger: dict[str, Any], happens: str) -> None:
    """Asked at 0, just before 10, at 10 and at 20 seconds."""
    faults = plan(rule(**trigger))
    found = "".join(ask(faults, now_ms=now_ms) for now_ms in (0, 10 * SECOND - 1, 10 * SECOND, 20 * SECOND))
    assert found == happens


def test_a_rule_that_was_armed_later_counts_from_then() -> None:
    faults = FaultPlan(SEED, in_a_row=None)
    faults.arm([read_rule(rule(until="10s"), ())], 100 * SECOND)
    assert ask(faults, now_ms=109 * SECOND) + ask(faults, now_ms=110 * SECOND) == "x."


def test_time_without_a_fault_is_not_counted_as_asked() -> None:
    faults = plan(rule(after="10s", nth=1))
    assert ask(faults, 5) == "....."
    assert ask(faults, 2, now_ms=10 * SECOND) == "x."


def test_the_rule_that_was_armed_first_decides() -> None:
    faults = plan(rule(every=2), {"point": "result", "effect": "no-answer"})
    asked = [faults.decide(Point.RESULT, str(n), Facts(operation_id="getTaskResult"), 0) for n in range(4)]
    assert [str(effect) for effect in asked] == ["no-answer", "status 503", "no-answer", "status 503"]


def test_a_rule_that_was_disarmed_happens_no_more() -> None:
    faults = FaultPlan(SEED, in_a_row=None)
    first, second = faults.arm([read_rule(rule(), ()), read_rule(rule(), ())], 0)
    assert faults.disarm(first.id)
    assert not faults.disarm(first.id)
    assert [armed.id for armed in faults.armed] == [second.id]
    assert ask(faults) == "x"
    assert faults.disarm_all() == 1
    assert ask(faults) == "."


def test_a_rule_knows_when_it_is_spent() -> None:
    faults = plan(rule(times=2), rule(nth=3), rule(every=5))
    ask(faults, 3)
    assert [armed.spent for armed in faults.armed] == [True, False, False]
    ask(faults, 10, start=10)
    assert [armed.spent for armed in faults.armed] == [True, True, False]


# The bound.


@pytest.mark.parametrize(("bound", "happens"), [(1, "x.x.x.x."), (2, "xx.xx.xx"), (3, "xxx.xxx."), (None, "xxxxxxxx")])
def test_never_more_than_so_many_in_a_row(bound: int | None, happens: str) -> None:
    faults = plan(rule(), in_a_row=bound)
    assert ask(faults, 8) == happens
    assert faults.suppressed == happens.count(".")


def test_three_in_a_row_unless_told_otherwise() -> None:
    assert FaultPlan(SEED).in_a_row == DEFAULT_IN_A_ROW == 3


def test_each_operation_has_a_row_of_its_own() -> None:
    faults = plan(rule(), in_a_row=2)
    found = [ask(faults, operation=operation) for operation in ("getTaskResult", "getProgressV2") * 3]
    assert "".join(found) == "xxxx.."


def test_a_call_that_passes_begins_a_new_row() -> None:
    faults = plan(rule(every=2), in_a_row=1)
    assert ask(faults, 8) == ".x.x.x.x"
    assert faults.suppressed == 0


@given(st.lists(rules().filter(lambda given: given.get("bounded", True)), min_size=1, max_size=4), st.integers(1, 4))
def test_a_client_that_tries_again_gets_through_whatever_is_armed(given_rules: Sequence[Any], bound: int) -> None:
    """At every point of an answer, within one more than the bound."""
    faults = plan(*given_rules, in_a_row=bound)
    for point in ANSWERS:
        facts = Facts(operation_id="createTxt2imgTask", task=0, picture=0)
        decided = [faults.decide(point, str(n), facts, n * SECOND) for n in range(bound + 1)]
        assert None in decided
        faults.passed(point, facts)


def test_tasks_that_are_never_tried_again_are_not_counted_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockserver.faults.plan.MAX_STREAKS", 3)
    faults = plan({"point": "webhook.attempt", "effect": "drop"}, {"point": "result", "effect": {"status": 503}})
    for number in range(20):
        facts = Facts(operation_id=TXT2IMG, task=number, attempt=1)
        assert faults.decide(Point.WEBHOOK_ATTEMPT, f"{number}.1", facts, 0) is not None
        assert faults.decide(Point.RESULT, str(number), Facts(operation_id="getTaskResult"), 0) is not None
    assert len(faults.streaks) == 3
    assert faults.streaks["getTaskResult"] == 20


def test_what_happens_to_a_task_is_no_fault_in_a_row() -> None:
    """A course full of effects leaves its submit's own faults alone."""
    armed = [{"point": point.value, "effect": {"late": 1}} for point in COURSE]
    faults = plan(*armed, {"point": "submit.after_commit", "effect": "no-answer"}, in_a_row=1)
    facts = Facts(operation_id="createTxt2imgTask", task=0)
    assert all(faults.decide(point, "0", facts, 0) for point in COURSE)
    assert faults.decide(Point.SUBMIT_AFTER_COMMIT, "1", facts, 0) is not None


@given(st.lists(rules(), min_size=1, max_size=5), st.integers(0, 2**64 - 1))
def test_a_tape_replays_a_run_without_its_rules(given_rules: Sequence[Any], seed: int) -> None:
    """The same positions, the same effects; drawn times are on the tape as they were drawn."""
    first = plan(*given_rules, seed=seed, in_a_row=2)
    wanted = _run(first)
    read_seed, decisions = read_tape(_dumped(tape(seed, [("world", first.fired), ("other", [])])))
    again = FaultPlan(seed + 1, in_a_row=2, replay=decisions.get("world", {}))
    again.arm(read_rules([rule()], ()), 0)
    assert read_seed == seed
    assert _run(again) == wanted
    assert [(one.position, one.effect) for one in again.fired] == [(one.position, one.effect) for one in first.fired]


def _run(faults: FaultPlan) -> list[Effect | None]:
    found = []
    for n in range(6):
        for point in Point:
            facts = Facts(operation_id="createTxt2imgTask", body=b'{"seed": 1}', task=n, picture=0, attempt=1)
            found.append(faults.decide(point, str(n), facts, n * 60 * SECOND))
            if found[-1] is None:
                faults.passed(point, facts)
    return found


def _dumped(value: Any) -> bytes:
    import json  # a seed may have more than 63 bits, which the fast writer refuses

    return json.dumps(value).encode()


# Over calls.


@pytest.mark.parametrize(
    ("point", "path", "body"),
    [
        ("auth", TXT2IMG, txt2img()),
        ("submit.before", TXT2IMG, txt2img()),
        ("submit.after_commit", TXT2IMG, txt2img()),
        ("submit.before", TXT2IMG_V2, txt2img_v2()),
        ("submit.after_commit", TXT2IMG_V2, txt2img_v2()),
    ],
)
def test_a_client_that_submits_until_it_is_answered_is_answered(
    server: Server, point: str, path: str, body: dict[str, Any]
) -> None:
    server.control("POST", "/faults", {"point": point, "effect": {"status": 503}})
    statuses = [server.call("POST", path, json=body).status_code for _ in range(8)]
    assert statuses == [503, 503, 503, 200] * 2
    made = 8 if point == "submit.after_commit" else 2
    assert server.control("GET", "/tasks")["total"] == made


def test_a_client_that_polls_and_downloads_until_it_is_answered_is_answered(server: Server) -> None:
    task_id = server.submit(TXT2IMG, txt2img())
    server.finish_all()
    server.control("POST", "/faults", {"faults": [rule(), {"point": "download", "effect": {"status": 503}}]})
    polls = [server.call("GET", "/v3/async/task-result", params={"task_id": task_id}) for _ in range(4)]
    assert [answer.status_code for answer in polls] == [503, 503, 503, 200]
    url = polls[-1].json()["images"][0]["image_url"]
    assert [server.download(url).status_code for _ in range(5)] == [503, 503, 503, 200, 503]


def test_the_bound_is_set_by_a_control_call(server: Server) -> None:
    server.control("POST", "/faults", {"max_in_a_row": 1, "faults": [{"point": "models", "effect": {"status": 500}}]})
    assert [server.call("GET", "/v3/model").status_code for _ in range(4)] == [500, 200, 500, 200]
    server.control("POST", "/faults", {"max_in_a_row": None})
    assert [server.call("GET", "/v3/model").status_code for _ in range(6)] == [500] * 6


def test_time_of_a_rule_is_moved_by_the_worlds_clock(server: Server) -> None:
    server.control("POST", "/faults", {"point": "models", "effect": {"status": 500}, "after": "1h", "until": "2h"})
    found = []
    for _ in range(4):
        found.append(server.call("GET", "/v3/model").status_code)
        server.control("POST", "/clock/advance", {"seconds": 3599})
    assert found == [200, 200, 500, 200]


def test_a_rule_that_matches_one_task_leaves_the_others_alone(server: Server) -> None:
    server.control("POST", "/faults", {"point": "progress", "effect": "fail", "match": {"task": 2}})
    tasks = [server.submit(TXT2IMG, txt2img()) for _ in range(3)]
    server.finish_all()
    ends = [server.result(task_id)["task"]["status"] for task_id in tasks]
    assert ends == ["TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED", "TASK_STATUS_SUCCEED"]
