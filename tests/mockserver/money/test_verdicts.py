"""Double spends, safe retries and mere repeats, told apart."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from mockserver.money.verdicts import Accepted, Verdict, VerdictKind, Verdicts, repeated

SAME, OTHER = "fingerprint-of-a-request", "fingerprint-of-another"
RESET = "CONNECTION_RESET_BY_PEER"


def test_a_repeat_after_a_lost_answer_is_a_double_spend() -> None:
    """Both tasks, both instants, the amount, and how the first answer was lost."""
    judge = Verdicts()
    judge.lost(SAME, "task-a", 1_000, 2_100, RESET)

    verdict = judge.submitted(SAME, "task-b", 4_500, 2_100)

    assert verdict == Verdict(
        kind=VerdictKind.DOUBLE_SPEND,
        fingerprint=SAME,
        first_task_id="task-a",
        first_at_ms=1_000,
        task_id="task-b",
        at_ms=4_500,
        wasted_micro_usd=2_100,
        how=RESET,
    )
    assert judge.verdicts() == [verdict]
    assert (judge.double_spends, judge.safe_retries, judge.wasted_micro_usd) == (1, 0, 2_100)


def test_the_message_of_a_double_spend_tells_everything() -> None:
    """One sentence for a log, with advice."""
    judge = Verdicts()
    judge.lost(SAME, "task-a", 1_000, 2_100, RESET)

    verdict = judge.submitted(SAME, "task-b", 4_500, 2_100)

    assert verdict
    assert verdict.message.startswith(
        "double spend: the answer of task task-a was lost (CONNECTION_RESET_BY_PEER), the same request was accepted "
        "again as task task-b 3.5 s later; 0.0021 USD wasted."
    )


def test_a_repeat_after_a_refusal_is_safe() -> None:
    """Nothing had been made, however often it was refused."""
    judge = Verdicts()
    judge.refused_before_commit(SAME, 1_000, "503")
    judge.refused_before_commit(SAME, 2_000, "503")

    verdict = judge.submitted(SAME, "task-a", 4_000, 2_100)

    assert verdict
    assert verdict.kind is VerdictKind.SAFE_RETRY
    assert (verdict.first_task_id, verdict.first_at_ms, verdict.refusals, verdict.wasted_micro_usd) == (
        None,
        1_000,
        2,
        0,
    )
    assert verdict.message == (
        "safe retry: the request was refused 2 times (503), nothing had been made; task task-a was accepted 3 s later"
    )
    assert (judge.double_spends, judge.safe_retries, judge.wasted_micro_usd) == (0, 1, 0)
    assert not judge.pending


def test_another_request_is_no_repeat() -> None:
    """What is remembered stays so."""
    judge = Verdicts()
    judge.lost(SAME, "task-a", 0, 1, RESET)
    judge.refused_before_commit(SAME, 0, "503")

    assert judge.submitted(OTHER, "task-b", 1, 1) is None
    assert judge.pending
    assert judge.verdicts() == []


def test_a_lost_answer_is_made_up_for_once() -> None:
    """The third submission of a request that was lost once is not judged again."""
    judge = Verdicts()
    judge.lost(SAME, "task-a", 0, 1, RESET)

    assert judge.submitted(SAME, "task-b", 1, 1) is not None
    assert judge.submitted(SAME, "task-c", 2, 1) is None
    assert not judge.pending


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
def test_every_link_of_a_chain_counts(costs: list[int]) -> None:
    """Lost n times and then answered: n double spends, each with the task before it."""
    judge = Verdicts()
    *lost, last = enumerate([*costs, 0])
    for number, cost in lost:
        judge.submitted(SAME, f"task-{number}", number, cost)
        judge.lost(SAME, f"task-{number}", number, cost, RESET)

    judge.submitted(SAME, f"task-{last[0]}", last[0], last[1])

    pairs = [(verdict.first_task_id, verdict.task_id) for verdict in judge.verdicts()]
    assert pairs == [(f"task-{number}", f"task-{number + 1}") for number in range(len(costs))]
    assert judge.double_spends == len(costs)
    assert judge.wasted_micro_usd == sum(costs)
    assert not judge.pending


def test_two_losses_of_two_requests_alike_are_settled_in_order() -> None:
    """Two pictures ordered at once, both answers lost, both ordered again."""
    judge = Verdicts()
    judge.lost(SAME, "task-a", 0, 1, RESET)
    judge.lost(SAME, "task-b", 0, 1, RESET)

    found = [judge.submitted(SAME, "task-c", 1, 1), judge.submitted(SAME, "task-d", 1, 1)]

    assert [verdict and verdict.first_task_id for verdict in found] == ["task-a", "task-b"]


def test_a_loss_weighs_more_than_a_refusal() -> None:
    """Lost, refused, accepted: the money is gone; the refusal is told beside it."""
    judge = Verdicts()
    judge.lost(SAME, "task-a", 0, 1, RESET)
    judge.refused_before_commit(SAME, 1, "503")

    verdict = judge.submitted(SAME, "task-b", 2, 1)

    assert verdict
    assert (verdict.kind, verdict.refusals) == (VerdictKind.DOUBLE_SPEND, 1)
    assert not judge.pending
    assert judge.safe_retries == 0


def test_a_task_that_the_client_learned_of_is_not_lost() -> None:
    """Its webhook came, or it was polled: ordering again is then the client's will."""
    judge = Verdicts()
    judge.lost(SAME, "task-a", 0, 1, RESET)
    judge.lost(SAME, "task-b", 0, 1, RESET)

    judge.learned("task-a")
    judge.learned("task-nobody-knows")

    assert [loss.task_id for loss in judge.unclaimed()] == ["task-b"]
    judge.learned("task-b")
    assert not judge.pending
    assert judge.submitted(SAME, "task-c", 1, 1) is None


def test_losses_without_a_repeat_are_unclaimed() -> None:
    """Paid for, and nobody knows the tasks; oldest first."""
    judge = Verdicts()
    judge.lost(OTHER, "task-a", 0, 5, "EMPTY_RESPONSE")
    judge.lost(SAME, "task-b", 1, 6, RESET)

    assert [(loss.task_id, loss.micro_usd, loss.how) for loss in judge.unclaimed()] == [
        ("task-a", 5, "EMPTY_RESPONSE"),
        ("task-b", 6, RESET),
    ]


def test_memory_is_bounded_and_counts_stay_exact() -> None:
    """At the bound the oldest is forgotten and said to be."""
    judge = Verdicts(max_remembered=2, max_verdicts=1)
    for number in range(4):
        judge.lost(f"print-{number}", f"task-{number}", number, 10, RESET)
        judge.refused_before_commit(f"refused-{number}", number, "503")

    assert judge.forgotten == 4
    assert [loss.task_id for loss in judge.unclaimed()] == ["task-2", "task-3"]
    assert judge.submitted("print-1", "task-x", 9, 10) is None
    assert judge.submitted("refused-1", "task-x", 9, 10) is None
    for name in ("print-2", "print-3", "refused-2", "refused-3"):
        assert judge.submitted(name, "again", 9, 10) is not None
    assert (judge.double_spends, judge.safe_retries, judge.wasted_micro_usd) == (2, 2, 20)
    assert len(judge.verdicts()) == 1
    assert not judge.pending


def test_a_refusal_that_happens_again_is_remembered_longest() -> None:
    """The bound drops the request that was refused last the longest ago."""
    judge = Verdicts(max_remembered=2)
    for name in ("a", "b", "a", "c"):
        judge.refused_before_commit(name, 0, "503")

    assert judge.submitted("b", "task", 1, 1) is None
    assert judge.submitted("a", "task", 1, 1) is not None


def test_a_cleared_judge_starts_again() -> None:
    """A world that is reset owes nothing."""
    judge = Verdicts()
    judge.lost(SAME, "task-a", 0, 1, RESET)
    judge.submitted(SAME, "task-b", 1, 1)
    judge.lost(SAME, "task-b", 1, 1, RESET)
    judge.refused_before_commit(OTHER, 1, "503")

    judge.clear()

    assert not judge.pending
    assert not judge.verdicts()
    assert not judge.unclaimed()
    assert (judge.double_spends, judge.wasted_micro_usd, judge.forgotten) == (0, 0, 0)
    assert judge.submitted(SAME, "task-c", 2, 1) is None


EVENTS = st.lists(
    st.tuples(st.sampled_from(["answered", "lost", "refused", "learned"]), st.sampled_from("xyz"), st.integers(0, 9)),
    max_size=40,
)


@given(EVENTS)
def test_every_lost_answer_ends_in_one_way(events: list[tuple[str, str, int]]) -> None:
    """Repeated, learned of, or still unclaimed; whatever happens in between, nothing is counted twice."""
    judge, lost, learned = Verdicts(), set[str](), set[str]()
    for number, (event, print_, cost) in enumerate(events):
        task_id = f"task-{number}"
        if event == "refused":
            judge.refused_before_commit(print_, number, "503")
        elif event == "learned":
            known = {loss.task_id for loss in judge.unclaimed()} & {f"task-{cost}"}
            learned |= known
            judge.learned(f"task-{cost}")
        else:
            judge.submitted(print_, task_id, number, cost)
            if event == "lost":
                judge.lost(print_, task_id, number, cost, RESET)
                lost.add(task_id)

    repeats = [one for one in judge.verdicts() if one.kind is VerdictKind.DOUBLE_SPEND]
    settled = [one.first_task_id for one in repeats]
    unclaimed = [loss.task_id for loss in judge.unclaimed()]
    assert sorted([*settled, *learned, *unclaimed], key=str) == sorted(lost)
    assert judge.double_spends == len(repeats)
    assert judge.wasted_micro_usd == sum(one.wasted_micro_usd for one in repeats)
    assert judge.safe_retries == len(judge.verdicts()) - len(repeats)
    assert len({one.task_id for one in judge.verdicts()}) == len(judge.verdicts())
    assert all(one.at_ms > one.first_at_ms for one in judge.verdicts())


def accepted(task_id: str, seed: int, at_ms: int, prompt: str = "a cute dog") -> Accepted:
    """A txt2img submission of 0.0021 USD."""
    body = json.dumps({"request": {"prompt": prompt, "seed": seed}}).encode()
    return Accepted(task_id, "createTxt2imgTask", body, at_ms, 2_100)


def test_the_same_pictures_ordered_twice_are_a_repeat() -> None:
    """Same request, fixed seed, both answers arrived: weaker than a double spend, and paid twice all the same."""
    found = repeated([accepted("task-a", 7, 0), accepted("task-b", 8, 1), accepted("task-c", 7, 2_000)])

    [verdict] = found
    assert (verdict.kind, verdict.first_task_id, verdict.task_id) == (VerdictKind.REPEATED, "task-a", "task-c")
    assert verdict.wasted_micro_usd == 2_100
    assert verdict.message == (
        "repeated: task task-c asks for the pictures of task task-a again, 2 s later and with the same seed; "
        "0.0021 USD for pictures that were there already"
    )


def test_a_random_seed_makes_every_order_a_new_one() -> None:
    """Clients send -1 again and again, and get new pictures each time."""
    assert repeated([accepted("task-a", -1, 0), accepted("task-b", -1, 1)]) == []


def test_a_double_spend_is_not_told_twice() -> None:
    """The repeat after a lost answer is judged already; one more repeat after that is not."""
    judge = Verdicts()
    judge.lost(SAME, "task-a", 0, 2_100, RESET)
    judge.submitted(SAME, "task-b", 1, 2_100)
    orders = [accepted(f"task-{name}", 7, at) for at, name in enumerate("abc")]

    found = repeated(orders, judge.verdicts())

    assert [(verdict.first_task_id, verdict.task_id) for verdict in found] == [("task-b", "task-c")]
