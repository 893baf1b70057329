"""Laws of deliveries, whatever a test, the receiver and the fault plan do to them, in any order."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from mockserver.app import create_app
from mockserver.core.clock import ClockMode
from mockserver.mock import Parts
from mockserver.outbound.sender import ErrorKind, FakeSender, Outcome
from mockserver.parts.wall import FakeWall
from mockserver.settings import Settings
from openapi.document import load
from tests.conftest import Server
from tests.mockserver.webhooks.lab import Lab

DOCUMENT = load()
URL = "http://receiver.test/hook"
OUTCOMES = st.sampled_from(
    [
        Outcome(status=200),
        Outcome(status=500),
        Outcome(status=302),
        Outcome(error=ErrorKind.TIMEOUT),
        Outcome(error=ErrorKind.RESET),
    ]
)
EFFECTS = st.sampled_from(["drop", "hold", "reorder", "duplicate", "conflict", {"late": "2m"}, {"truncate": 0.5}])
VERBS = st.sampled_from(["hold", "hold", "release", "drop", "delay", "replay", "replay", "duplicate", "conflict"])
ENDED = ("delivered", "failed", "dropped")


class Deliveries(RuleBasedStateMachine):
    """One world, and a receiver that answers as it likes."""

    tasks: Bundle[str] = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.sender, wall = FakeSender(), FakeWall()
        app = create_app(DOCUMENT, Settings(clock=ClockMode.parse("manual")), Parts(wall=wall, sender=self.sender))
        self.lab = Lab(Server(app, wall))
        self.submitted: list[str] = []

    @rule(target=tasks, mode=st.sampled_from(["", "", "TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"]))
    def submit(self, mode: str) -> Any:
        """A client submits."""
        task_id = self.lab.submit(URL, test_mode=mode)
        self.submitted.append(task_id)
        return multiple() if mode else task_id

    @rule(outcomes=st.lists(OUTCOMES, min_size=1, max_size=8))
    def answer(self, outcomes: list[Outcome]) -> None:
        """What the receiver is going to say."""
        self.sender.script.extend(outcomes)

    @rule(outcome=OUTCOMES.filter(lambda outcome: not outcome.ok))
    def refuse(self, outcome: Outcome) -> None:
        """The receiver is out of order for long."""
        self.sender.script.extend([outcome] * 12)

    @rule(task=consumes(tasks))
    def end(self, task: str) -> None:
        """A test ends a task, if it has not ended."""
        if self.lab.server.result(task)["task"]["status"] != "TASK_STATUS_SUCCEED":
            self.lab.end(task)

    @rule(seconds=st.sampled_from([0, 1, 5, 40, 700]))
    def advance(self, seconds: int) -> None:
        """Time goes on."""
        self.lab.server.control("POST", "/clock/advance", {"seconds": seconds})

    @rule(effect=EFFECTS, times=st.integers(1, 3))
    def arm(self, effect: object, times: int) -> None:
        """Something goes wrong with the next attempts."""
        self.lab.arm(effect, times=times)

    @rule(verb=VERBS, which=st.integers(0, 20))
    def interfere(self, verb: str, which: int) -> None:
        """A test does something to a delivery; what makes no sense is refused."""
        found = self.lab.deliveries()
        if found:
            id = found[which % len(found)]["id"]
            body = {"delay": {"duration": "3m"}, "duplicate": {"times": 2}}.get(verb)
            answer = self.lab.server.call("POST", f"/__mock/webhooks/deliveries/{id}/{verb}", json=body)
            assert answer.status_code in (200, 409), answer.text

    @rule(order=st.sampled_from(["as-is", "reversed"]))
    def hold_and_release(self, order: str) -> None:
        """All that is held goes."""
        self.lab.server.control("POST", "/webhooks/hold")
        self.advance(5)
        self.lab.server.control("POST", "/webhooks/release", {"order": order})

    @invariant()
    def each_attempt_follows_the_rules(self) -> None:
        """At most six tries; none after the event was taken; never before the task's end."""
        for delivery in self._whole():
            tries = [one for one in delivery["history"] if one["cause"] in ("first", "retry")]
            assert len(tries) <= 6
            taken = [n for n, one in enumerate(delivery["history"]) if one["ok"]]
            later = delivery["history"][taken[0] + 1 :] if taken else []
            assert all(one["cause"] in ("replay", "duplicate") for one in later)
            assert (delivery["state"] == "delivered") == bool(taken)
            assert all(one["at_ms"] >= delivery["owed_since_ms"] for one in delivery["history"])

    def teardown(self) -> None:
        """In the end each task has one delivery, none is pending, and nothing lies on the agenda."""
        self.lab.settle()
        self.lab.server.control("DELETE", "/faults")
        self.lab.server.control("POST", "/webhooks/release")
        self.lab.finish()
        found = self.lab.deliveries()
        owed = [one["task_id"] for one in found if one["origin"] == "task"]
        assert sorted(owed) == sorted(self.submitted)
        assert all(one["state"] in ENDED for one in found), found
        assert not [one["note"] for one in found if "the mock failed" in one["note"]]
        assert self.lab.server.control("GET", "/clock")["next_event_ms"] is None
        ids = {one["id"] for one in found}
        assert {outgoing.id for outgoing, _ in self.sender.sent} <= ids
        assert len(self.sender.sent) == sum(one["attempts"] for one in found)
        self.each_attempt_follows_the_rules()
        self.lab.close()
        self.lab.server.close()

    def _whole(self) -> list[dict[str, Any]]:
        return [self.lab.delivery(one["id"]) for one in self.lab.deliveries()]


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=40, stateful_step_count=30)
