"""What became of a program: each verdict from the evidence that leads to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mockserver.core.codes import Code
from mockserver.faults.points import Point
from mockserver.sweep.cases import CASES, Best, Case, of_scenarios
from mockserver.sweep.files import Kind, Seen
from mockserver.sweep.judging import Evidence, Mark, Rating, judge

PICTURE = Seen(path="out.png", kind=Kind.RECEIPT, what="picture 0")
CLEAN = Evidence(
    exit_code=0,
    seconds=1.0,
    stopped_after_ms=0,
    tasks=1,
    micro_usd=1500,
    double_spends=0,
    unclaimed=0,
    findings={},
    fired=(),
    files=(PICTURE,),
    leaks=(),
    points=frozenset({Point.AUTH}),
    last_words="",
)
STRUCK = replace(CLEAN, fired=("result#2",))
FAILED = replace(STRUCK, exit_code=1, files=(), last_words="a line\nRuntimeError: no more\n")
BY_ID = {case.id: case for case in CASES}


def case(best: Best = Best.SURVIVE) -> Case:
    return next(one for one in CASES if one.best is best and one.rules)


def test_who_gets_everything_has_survived() -> None:
    verdict = judge(case(), CLEAN, STRUCK)
    assert (verdict.marks, verdict.rating, verdict.detail) == ((Mark.SURVIVED,), Rating.GOOD, "")


def test_who_gives_up_where_it_could_have_gone_on_is_weak_and_the_last_line_says_why() -> None:
    verdict = judge(case(), CLEAN, FAILED)
    assert (verdict.marks, verdict.rating) == ((Mark.FAILED,), Rating.WEAK)
    assert verdict.detail == "exit code 1: RuntimeError: no more"


@pytest.mark.parametrize(
    "words",
    [
        "failed Error: read ECONNRESET\n    at app.js:3:1\n    at process.task (node:95:5)\n",
        "throw error;\n^\nfailed Error: read ECONNRESET\n    at a.js:3 {\n  code: 1\n}\n\nNode.js v20.1.0\n",
    ],
)
def test_what_node_prints_after_an_error_is_not_taken_for_its_words(words: str) -> None:
    verdict = judge(case(), CLEAN, replace(FAILED, last_words=words))
    assert verdict.detail == "exit code 1: failed Error: read ECONNRESET"


@pytest.mark.parametrize("best", [Best.FAIL, Best.START_AGAIN])
def test_who_fails_where_nothing_else_is_left_has_done_well(best: Best) -> None:
    assert judge(case(best), CLEAN, FAILED).rating is Rating.GOOD


@pytest.mark.parametrize("best", list(Best))
def test_who_says_that_all_is_well_without_its_picture_is_red(best: Best) -> None:
    verdict = judge(case(best), CLEAN, replace(STRUCK, files=()))
    assert (verdict.marks, verdict.silent, verdict.rating) == ((Mark.FAILED,), True, Rating.BAD)


def test_who_had_to_be_stopped_has_hung() -> None:
    verdict = judge(case(), CLEAN, replace(STRUCK, exit_code=None, seconds=10.0, stopped_after_ms=65_000))
    assert (verdict.marks, verdict.rating) == ((Mark.HUNG,), Rating.BAD)
    assert verdict.detail == "stopped after 10 s, 65 s of the world's clock"


def test_who_pays_more_than_without_failure_has_paid_twice() -> None:
    verdict = judge(case(), CLEAN, replace(STRUCK, tasks=2, micro_usd=3000))
    assert (verdict.marks, verdict.rating) == ((Mark.PAID_TWICE, Mark.SURVIVED), Rating.BAD)
    assert verdict.detail == "paid 0.0030 USD instead of 0.0015"


def test_who_starts_again_after_a_task_that_will_never_end_has_done_well() -> None:
    again = replace(STRUCK, tasks=2, micro_usd=3000)
    assert judge(case(Best.START_AGAIN), CLEAN, again).rating is Rating.GOOD
    assert judge(case(Best.START_AGAIN), CLEAN, replace(again, double_spends=1)).rating is Rating.BAD


def test_who_saves_something_else_for_a_picture_has_saved_garbage() -> None:
    garbage = Seen(path="out.png", kind=Kind.GARBAGE, what="a web page")
    verdict = judge(case(), CLEAN, replace(STRUCK, files=(garbage,)))
    assert verdict.marks == (Mark.SAVED_GARBAGE, Mark.FAILED)
    assert verdict.detail.startswith("out.png: a web page; exit code 0, though 1 picture")


@pytest.mark.parametrize(
    "leaking",
    [
        replace(STRUCK, leaks=("stdout",)),
        replace(STRUCK, findings={Code.KEY_SENT_TO_IMAGE_HOST: 1}),
        replace(STRUCK, findings={Code.KEY_IN_URL_OR_BODY: 2}),
    ],
)
def test_who_tells_the_key_has_leaked_it_wherever_it_stands(leaking: Evidence) -> None:
    verdict = judge(case(), CLEAN, leaking)
    assert (verdict.marks, verdict.rating) == ((Mark.LEAKED_KEY, Mark.SURVIVED), Rating.BAD)


def test_the_worst_comes_first() -> None:
    all_wrong = replace(
        STRUCK, exit_code=None, leaks=("stderr",), micro_usd=9000, files=(replace_kind(PICTURE, Kind.GARBAGE),)
    )
    marks = judge(case(), CLEAN, all_wrong).marks
    assert marks == (Mark.LEAKED_KEY, Mark.PAID_TWICE, Mark.SAVED_GARBAGE, Mark.HUNG)


def replace_kind(seen: Seen, kind: Kind) -> Seen:
    return replace(seen, kind=kind)


def test_a_failure_that_did_not_happen_says_nothing() -> None:
    verdict = judge(case(), CLEAN, CLEAN)
    assert (verdict.marks, verdict.rating) == ((Mark.NOT_REACHED,), Rating.NONE)


def test_a_scenario_without_faults_is_judged_all_the_same() -> None:
    assert judge(BY_ID["busy-fleet"], CLEAN, CLEAN).marks == (Mark.SURVIVED,)


def test_a_lost_answer_tells_of_the_task_that_nobody_knows() -> None:
    assert judge(case(Best.FAIL), CLEAN, replace(FAILED, unclaimed=1)).detail.endswith(
        "1 task paid for, and nobody knows it"
    )


def test_every_case_is_a_situation_that_the_mock_can_be_in() -> None:
    """Read as the mock reads rules; each has a name of its own."""
    assert len(BY_ID) == len(CASES) == len({one.name for one in CASES})
    for one in CASES:
        assert all(rule.point is one.point for rule in one.situation().faults) or one.scenario


def test_a_scenario_of_the_library_can_be_a_case() -> None:
    [found] = of_scenarios(["rate-limited"])
    assert found.situation().name == "rate-limited"
