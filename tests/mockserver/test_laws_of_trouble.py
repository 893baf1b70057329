"""The laws that hold whatever goes wrong: several worlds of one server, every fault, every verb, in every order.

A bystander keeps count of his own (`trouble_book`) of what must have been made, paid, lost and told; after every step
the world that it concerned is held against it, and all others must be as they were. In the end the whole run is played
once more on another server, from the tape and without its rules, the worlds' steps in another order: every answer,
every event and every fault must come again byte for byte.

Nothing is normalised for that: each step of the second run sees the wall as the first one did. Worlds are reset and
forgotten on the way; each of their lives has its own line on the tape.
"""

from __future__ import annotations

import random
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from mockserver.core.task import Status, Task
from mockserver.faults.kinds import LOSING, Kind
from mockserver.faults.plan import Fired
from mockserver.faults.points import ANSWERS, Point
from mockserver.faults.tape import read_tape
from mockserver.money.amounts import parse_usd
from mockserver.webhooks.delivery import Cause, Delivery, Origin
from mockserver.webhooks.settings import WebhookSettings
from mockserver.world import World, world_id
from tests.mockserver.trouble_book import (
    ANSWERED,
    SPACING_MS,
    STOPPING,
    Book,
    check_deliveries,
    check_lives,
    check_money,
    check_rows,
    check_verdicts,
    final_of,
    is_refused,
    of_call,
    price_micro_usd,
    remains,
    shot,
    told_id,
)
from tests.mockserver.trouble_inputs import BROKEN_SUBMITS, accounts, clock_calls, rules, submits
from tests.mockserver.trouble_site import KEYS, Answer, Manner, Site, Step

OPERATIONS = {
    "/v3/async/txt2img": "createTxt2imgTask",
    "/v3/async/img2img": "createImg2imgTask",
    "/v2/txt2img": "createTxt2imgTaskV2",
    "/v2/img2img": "createImg2imgTaskV2",
    "/v3/async/task-result": "getTaskResult",
    "/v2/progress": "getProgressV2",
    "/v3/model": "listModels",
}
JUMPS = ("/clock/reset", "/clock/resume", "/clock")
"""Verbs after which a clock may pass a task's end without stopping at it."""

BEGINNINGS = (("POST", "/__mock/reset"), ("DELETE", "/__mock/worlds/current"))
"""What a world's next life begins with."""
VERBS = ("replay", "duplicate", "hold", "release", "drop", "delay", "conflict")
ODD_JOBS = ("receiver", "receiver", "wall", "account", "hold or release", "end", "disarm one", "look", "nonsense",
            "disarm all", "start again", "start again")  # fmt: skip

keys = st.sampled_from([KEYS[0]] * 4 + [KEYS[1]] * 2 + [KEYS[2]])
"""Trouble needs company: most of it meets in one world."""


class Trouble(RuleBasedStateMachine):
    """A server with three worlds, and what is known of each."""

    site: Site
    sound = True

    @initialize(
        seed=st.integers(0, 3),
        in_a_row=st.sampled_from([1, 2, 3, 3, None]),
        retries=st.sampled_from([0, 2, 5]),
        given=st.lists(rules(), max_size=6),
        first=st.lists(submits(KEYS[0]), max_size=4),
        manner=st.sampled_from(Manner),
        clock=st.sampled_from(["manual"] * 4 + ["auto"] * 2 + ["real", "x100"]),
    )
    def a_server_starts(
        self,
        seed: int,
        in_a_row: int | None,
        retries: int,
        given: list[dict[str, Any]],
        first: list[tuple[str, dict[str, Any]]],
        manner: Manner,
        clock: str,
    ) -> None:
        """Any clock, seed, bound of faults in a row and number of retries; three keys are used, one in trouble."""
        self.options: dict[str, Any] = {
            "seed": seed,
            "in_a_row": in_a_row,
            "clock": clock,
            "webhooks": WebhookSettings(retries=retries, spacing_ms=SPACING_MS),
        }
        self.site = Site(**self.options)
        self.in_a_row = in_a_row
        self.wall_ms = self.site.wall()
        self.books = {key: Book(walked=clock == "manual") for key in KEYS}
        self.before: dict[str, tuple[list[Step], list[Answer]]] = {key: ([], []) for key in KEYS}
        self.shots: dict[str, tuple[object, ...]] = {}
        for key in KEYS:
            self.do(key, "GET", "/__mock/clock")
        self.shots = {key: shot(self.site.world(key)) for key in KEYS}
        self.the_receiver_changes(KEYS[0], manner)
        if given:
            self.arm(KEYS[0], given)
        for path, body in first:
            self.submitted(KEYS[0], path, body)

    def teardown(self) -> None:
        """Everything comes to its end; then the run once more, from its tape."""
        if not hasattr(self, "site"):
            return
        if not self.sound:  # it has failed already; that is what should be told
            self.site.close()
            return
        try:
            for key in KEYS:
                self.control(key, "POST", "/clock/run-until-idle")
                self.check(key)
                for number in range(self.world(key).created):
                    self.poll(key, number, 1, other=False)
                self.look(key)
            self.the_same_tape_gives_the_same_bytes()
        finally:
            self.site.close()

    # Steps

    def do(self, key: str, method: str, target: str, body: object = None, *, signed: bool = False) -> Answer:
        """A call, by which no other world is changed."""
        sent = b"" if body is None else orjson.dumps(body)
        step = Step(wall_ms=self.wall_ms, key=key, method=method, target=target, body=sent, signed=signed)
        self.sound = False
        answer = self.site.play(step)
        assert answer is not None
        self.note(step, answer)
        self.sound = True
        return answer

    def note(self, step: Step, answer: Answer | None = None) -> None:
        """Writes a step down, and looks at the others."""
        book = self.books[step.key]
        book.steps.append(step)
        if answer is not None and not step.is_control:
            book.answers.append(answer)
        for key, before in self.shots.items():
            if key != step.key:
                assert shot(self.site.world(key)) == before, "another world was changed"
        if self.shots:
            self.shots[step.key] = shot(self.site.world(step.key))

    def control(self, key: str, method: str, path: str, body: object = None) -> Any:
        """A control call that must succeed."""
        answer = self.do(key, method, f"/__mock{path}", body)
        assert answer.status == 200, answer.body
        return answer.json

    def ask(
        self, key: str, method: str, target: str, body: object = None, *, signed: bool = False
    ) -> tuple[Answer, list[Fired]]:
        """A call of the contract or of a link, with what struck it; faults in a row are counted."""
        world, book = self.world(key), self.books[key]
        total, tries = world.faults.total, len(self.site.attempts[key])
        path = urlsplit(target).path
        operation = OPERATIONS.get(path, Point.DOWNLOAD.value)
        always = operation != Point.DOWNLOAD and book.always_at(Point.AUTH)
        answer = self.do(key, method, target, body, signed=signed)
        new = world.faults.total - total
        happened = list(world.faults.fired)[len(world.faults.fired) - new :]
        fired = of_call(happened, world.calls)
        assert fired == [one for one in happened if one.point in ANSWERED], "they stand at the place of this call"
        if always and (self.in_a_row is None or book.streaks[operation] < self.in_a_row):
            assert any(one.point is Point.AUTH for one in fired), "each call was to suffer something"
        through = not fired if operation != Point.DOWNLOAD else not fired and answer.status in (200, 206)
        if through:
            book.streaks[operation] = 0
        book.streaks[operation] += sum(book.is_bounded(one) for one in fired if one.point in ANSWERS)
        assert self.in_a_row is None or book.streaks[operation] <= self.in_a_row
        self.heard = self.site.attempts[key][tries:]
        return answer, fired

    def world(self, key: str) -> World:
        """A world's inside."""
        return self.site.world(key)

    def task(self, key: str, number: int) -> Task | None:
        """One of a world's tasks, if it has any."""
        tasks = list(self.world(key).tasks)
        return tasks[number % len(tasks)] if tasks else None

    def check(self, key: str) -> None:
        """The laws of one world."""
        self.sound = False
        world, book = self.world(key), self.books[key]
        for delivery, attempt in self.site.attempts[key]:
            if attempt.ok and delivery.origin is Origin.TASK:
                book.learned(delivery.task_id)
        check_money(world, book)
        check_verdicts(world, book)
        check_lives(world, book)
        check_deliveries(world, book, self.site.attempts[key], self.site.receivers.came[key])
        check_rows(world, book, self.in_a_row)
        next_ms = world.agenda.next_ms()
        waits = next_ms is not None and world.clock.wall_s_until(next_ms) is not None
        assert self.site.has_alarm(key) or not waits, "a clock that runs wakes its world when something falls due"
        self.sound = True

    # Rules: those that a run is made of, and all the others as odd jobs, so that enough of the former meet.

    @rule(key=keys, data=st.data(), job=st.sampled_from(ODD_JOBS))
    def do_an_odd_job(self, key: str, data: st.DataObject, job: str) -> None:
        """Anything else that a test or its client may do."""
        number = data.draw(st.integers(0, 30), label="number")
        match job:
            case "nonsense":
                request = data.draw(st.sampled_from(BROKEN_SUBMITS))
                self.ask_for_nonsense(key, request, number, data.draw(keys))
            case "end":
                self.end_a_task(key, number, data.draw(st.booleans()))
            case "disarm one":
                self.disarm_one(key, number)
            case "disarm all":
                self.disarm_all(key)
            case "hold or release":
                self.hold_or_release_all(key, data.draw(st.sampled_from([None, "as-is", "reversed"])))
            case "account":
                self.change_the_account(key, data.draw(accounts()))
            case "look":
                self.look(key)
                self.top_up()
            case "start again":
                self.start_again(key, data.draw(st.booleans()))
            case "wall":
                self.the_wall_goes_on(data.draw(st.sampled_from([1, 300, 5_000, 60_000])))
            case _:
                self.the_receiver_changes(key, data.draw(st.sampled_from(Manner)))

    @rule(key=keys, data=st.data(), times=st.integers(1, 3))
    def submit(self, key: str, data: st.DataObject, times: int) -> None:
        """A client asks for pictures: a task is made and paid for unless something stood before it."""
        for _ in range(times):
            path, body = data.draw(submits(key), label="submit")
            self.submitted(key, path, body)

    @rule(key=keys, data=st.data(), patience=st.integers(2, 5))
    def submit_until_it_is_answered(self, key: str, data: st.DataObject, patience: int) -> None:
        """A client that sends the same request until it gets an id, whatever happened to the ones before."""
        path, body = data.draw(submits(key), label="submit")
        for _ in range(patience):
            if told_id(self.submitted(key, path, body), path) is not None:
                break

    @rule(key=keys, choice=st.integers(0, 99))
    def submit_again(self, key: str, choice: int) -> None:
        """A client sends a request that it has sent before."""
        sent = [step for step in self.books[key].steps if step.target in OPERATIONS and step.body]
        if sent:
            step = sent[choice % len(sent)]
            self.submitted(key, step.target, orjson.loads(step.body))

    def ask_for_nonsense(self, key: str, request: tuple[str, dict[str, Any]], number: int, other: str) -> None:
        """A request that the contract refuses makes nothing and costs nothing; a strange task is unknown."""
        before = self.world(key).created
        self.ask(key, "POST", *request)
        assert self.world(key).created == before
        self.ask(key, "GET", "/v3/model?pagination.limit=1")
        self.poll_of_a_stranger(key, other, number)
        self.check(key)

    def submitted(self, key: str, path: str, body: dict[str, Any]) -> Answer:
        """What a submit must have led to."""
        world, book = self.world(key), self.books[key]
        request = (path, orjson.dumps(body))
        answer, fired = self.ask(key, "POST", path, body)
        stopped = any(one.point in STOPPING and one.effect.kind is not Kind.DELAY for one in fired)
        struck = any(one.point is Point.SUBMIT_AFTER_COMMIT for one in fired)
        refused = not struck and is_refused(answer)
        made = world.created - book.created
        assert made == (0 if stopped or refused else 1), (answer, fired)
        if made:
            task = list(world.tasks)[-1]
            price = price_micro_usd(*request)
            assert task.price_micro_usd == price
            book.created += 1
            book.spent_micro_usd += price
            if book.balance_micro_usd is not None:
                book.balance_micro_usd -= price
            if losses := book.lost.get(request):
                book.double_spends += 1
                book.wasted_micro_usd += price
                verdict = world.verdicts.verdicts()[-1]
                assert (verdict.first_task_id, verdict.task_id) == (losses.pop(0), task.id)
                event("a double spend")
            told = told_id(answer, path)
            assert told in (None, task.id) or struck
            if told != task.id:
                book.lost.setdefault(request, []).append(task.id)
                book.ever_lost[task.id] = request
                event("a lost answer")
        self.check(key)
        return answer

    @rule(key=keys, number=st.integers(0, 30), times=st.integers(1, 3), other=st.sampled_from([False] * 5 + [True]))
    def poll(self, key: str, number: int, times: int, other: bool) -> None:
        """A client asks for a task, now and then by the wrong version."""
        task = self.task(key, number)
        if task is None:
            return
        path = "/v2/progress" if task.is_v2 is not other else "/v3/async/task-result"
        for _ in range(times):
            unknown = self.books[key].vanished | ({task.id} if other else set())
            answer, fired = self.ask(key, "GET", f"{path}?task_id={task.id}")
            stopped = any(one.point is Point.AUTH and one.effect.kind is not Kind.DELAY for one in fired)
            lost = any(one.point is Point.RESULT and one.effect.kind in LOSING for one in fired)
            if task.id in unknown:
                assert fired or is_refused(answer)
            elif not stopped and not lost:
                self.books[key].learned(task.id)
                if not fired and task.delivery.storage is None:
                    self.is_shown_as_it_is(key, task, answer)
            self.check(key)

    def is_shown_as_it_is(self, key: str, task: Task, answer: Answer) -> None:
        """What a client got is what the task's plan says of this instant."""
        now_ms = self.world(key).clock.now_ms()
        found = answer.json["data"]["status"] if task.is_v2 else answer.json["task"]["status"]
        status = task.status_at(now_ms)
        assert found == (list(Status).index(status) if task.is_v2 else status.value)
        if status.terminal and not task.is_v2:
            shown = orjson.loads(final_of(task, now_ms))
            assert answer.json["task"] == shown["task"]
            assert len(answer.json["images"]) == len(shown["images"])

    def poll_of_a_stranger(self, key: str, other: str, number: int) -> None:
        """A key is told nothing of another key's task."""
        task = self.task(other, number)
        if task is None or key == other:
            return
        polls = task.polls
        path = "/v2/progress" if task.is_v2 else "/v3/async/task-result"
        answer, fired = self.ask(key, "GET", f"{path}?task_id={task.id}")
        assert fired or is_refused(answer)
        assert task.polls == polls
        self.check(key)

    @rule(key=keys, seconds=st.integers(1, 20), patience=st.integers(3, 8))
    def wait_for_everything(self, key: str, seconds: int, patience: int) -> None:
        """A client that polls until its tasks have ended, and fetches what there is."""
        for _ in range(patience):
            if all(task.id in self.books[key].finals for task in self.world(key).tasks):
                break
            for number in range(min(10, self.world(key).created)):
                self.poll(key, number, 1, other=False)
            self.control(key, "POST", "/clock/advance", {"seconds": seconds})
            self.check(key)
        for task in list(self.world(key).tasks):
            self.fetch(key, task)

    def fetch(self, key: str, task: Task) -> None:
        """A client fetches a picture by the link that a poll gave."""
        book = self.books[key]
        if task.id not in book.finals or task.outcome is not Status.SUCCEED or task.id in book.vanished:
            return
        path = "/v2/progress" if task.is_v2 else "/v3/async/task-result"
        answer, fired = self.ask(key, "GET", f"{path}?task_id={task.id}")
        if fired:
            self.check_learned(key, task, fired)
            return
        self.books[key].learned(task.id)
        found = answer.json
        image = found["data"]["imgs"][0] if task.is_v2 else found["images"][0]["image_url"]
        parts = urlsplit(image)
        if parts.hostname == "127.0.0.1" and not parts.path.startswith("/test_data/"):  # samples are nobody's
            for _ in range(2):
                self.ask(key, "GET", f"{parts.path}?{parts.query}", signed=True)
        self.check(key)

    def check_learned(self, key: str, task: Task, fired: list[Fired]) -> None:
        """A poll that something happened to may have told of its task all the same."""
        stopped = any(one.point is Point.AUTH and one.effect.kind is not Kind.DELAY for one in fired)
        if not stopped and not any(one.point is Point.RESULT and one.effect.kind in LOSING for one in fired):
            self.books[key].learned(task.id)
        self.check(key)

    @rule(key=keys, verb=clock_calls())
    def move_the_clock(self, key: str, verb: tuple[str, str, dict[str, Any]]) -> None:
        """A test moves a world's clock."""
        method, path, body = verb
        if path in JUMPS:
            self.books[key].walked = False
        self.control(key, method, path, body or None)
        self.check(key)

    def the_wall_goes_on(self, ms: int) -> None:
        """Real time passes in all worlds."""
        self.wall_ms += ms
        self.shots.clear()
        for key in KEYS:
            self.do_nothing(key)
        self.shots = {key: shot(self.world(key)) for key in KEYS}
        for key in KEYS:
            self.check(key)

    def do_nothing(self, key: str) -> None:
        """The alarm of a clock that runs."""
        step = Step(wall_ms=self.wall_ms, key=key)
        self.site.play(step)
        self.note(step)

    def end_a_task(self, key: str, number: int, failed: bool) -> None:
        """A test ends a task; one that has ended refuses."""
        task = self.task(key, number)
        if task is None:
            return
        ended = task.id in self.books[key].finals
        status = Status.FAILED if failed else Status.SUCCEED
        answer = self.do(key, "POST", f"/__mock/tasks/{task.id}/end", {"status": status.value})
        assert answer.status == (409 if ended else 200)
        if not ended:
            self.books[key].ended_by_test.add(task.id)
        self.check(key)

    @rule(key=keys, given=st.lists(rules(), min_size=1, max_size=6))
    def arm(self, key: str, given: list[dict[str, Any]]) -> None:
        """Something is to go wrong."""
        armed = self.control(key, "POST", "/faults", {"faults": given})["armed"]
        self.books[key].rules.update({one["id"]: rule for one, rule in zip(armed, given, strict=True)})
        self.check(key)

    def disarm_one(self, key: str, number: int) -> None:
        """Something is to go wrong no more."""
        in_force = [id for id, rule in self.books[key].rules.items() if "gone" not in rule]
        if in_force:
            id = in_force[number % len(in_force)]
            self.control(key, "DELETE", f"/faults/{id}")
            self.forget_rule(key, id)
        self.check(key)

    def forget_rule(self, key: str, id: int) -> None:
        """Its faults stay where they are; only it strikes no more."""
        book = self.books[key]
        book.rules[id] = {**book.rules[id], "gone": True}

    def disarm_all(self, key: str) -> None:
        """Nothing is to go wrong any more."""
        self.control(key, "DELETE", "/faults")
        book = self.books[key]
        for id in book.rules:
            self.forget_rule(key, id)
        book.streaks.clear()
        book.swept = True
        self.check(key)

    def the_receiver_changes(self, key: str, manner: Manner) -> None:
        """The client's server takes events in another way."""
        step = Step(wall_ms=self.wall_ms, key=key, manner=manner)
        self.site.play(step)
        self.note(step)

    @rule(key=keys, verbs=st.lists(st.sampled_from(VERBS), min_size=1, max_size=3), number=st.integers(0, 30),
          times=st.integers(1, 3))  # fmt: skip
    def laboratory(self, key: str, verbs: list[str], number: int, times: int) -> None:
        """A test does something to a delivery; to one that is still owed, if there is any."""
        for verb in verbs:
            deliveries = [one for one in self.world(key).desk if one.state.owed] or list(self.world(key).desk)
            if deliveries:
                self.do_to(key, deliveries[number % len(deliveries)], verb, times)

    def do_to(self, key: str, delivery: Delivery, verb: str, times: int) -> None:
        """A verb of the laboratory."""
        bodies = {"duplicate": {"times": times, "at_once": times > 1}, "delay": {"duration": times}}
        answer = self.do(key, "POST", f"/__mock/webhooks/deliveries/{delivery.id}/{verb}", bodies.get(verb))
        book = self.books[key]
        assert answer.status in (200, 409)
        book.touched.add(delivery.id)
        if answer.status == 200:
            event(verb)
            if verb == "replay":
                book.copies[delivery.id, Cause.REPLAY] += 1
            elif verb == "duplicate":
                book.copies[delivery.id, Cause.DUPLICATE] += times
            elif verb == "drop":
                book.dropped.add(delivery.id)
        self.check(key)

    def hold_or_release_all(self, key: str, order: str | None) -> None:
        """A test keeps all events back, or lets them go."""
        self.books[key].let_be = False
        if order is None:
            self.control(key, "POST", "/webhooks/hold")
        else:
            self.control(key, "POST", "/webhooks/release", {"order": order})
        self.check(key)

    def change_the_account(self, key: str, account: dict[str, Any]) -> None:
        """An account refuses something from now on, or no more."""
        self.control(key, "PATCH", "/worlds/current", {"account": account})
        if "balance" in account:
            given = account["balance"]
            book, found = self.books[key], None if given is None else parse_usd(given)
            if found != book.balance_set:
                book.balance_set = book.balance_micro_usd = found
        self.check(key)

    def top_up(self) -> None:
        """An account gets more."""
        for key, book in self.books.items():
            if book.balance_micro_usd is not None:
                self.control(key, "POST", "/ledger/top-up", {"usd": "0.01"})
                book.balance_micro_usd += 10_000
                self.check(key)

    def look(self, key: str) -> None:
        """A test asks for everything, and is told of its own world only."""
        book = self.books[key]
        found = self.control(key, "GET", "/worlds/current")
        assert found["id"] == world_id(key)
        assert found["tasks"]["created"] == book.created
        ledger = self.control(key, "GET", "/ledger")
        assert ledger["spent"]["micro_usd"] == book.spent_micro_usd
        assert ledger["balance_micro_usd"] == book.balance_micro_usd
        assert ledger["wasted_micro_usd"] == book.wasted_micro_usd
        assert {rule["id"] for rule in self.control(key, "GET", "/faults")["armed"]} <= set(book.rules)
        attempts = sum(one["attempts"] for one in self.control(key, "GET", "/webhooks/deliveries")["deliveries"])
        assert attempts == len(self.site.receivers.came[key])
        assert found["requests"]["written"] == len(book.answers)
        assert self.control(key, "GET", "/requests/count")["count"] == min(len(book.answers), found["requests"]["held"])

    def start_again(self, key: str, forget: bool) -> None:
        """A world is reset or forgotten: from here on it is as if its key had not been used; it begins as before."""
        before = [step for step in self.books[key].steps if step.target in OPERATIONS or step.method == "PATCH"]
        if forget:
            self.control(key, "DELETE", "/worlds/current")
        else:
            self.control(key, "POST", "/reset")
        manner = self.site.receivers.manners[key]
        self.site.receivers.came[key].clear()
        self.site.attempts[key].clear()
        steps, answers = self.before[key]
        steps += self.books[key].steps
        answers += self.books[key].answers
        self.books[key] = Book(walked=self.options["clock"] == "manual")
        self.note(Step(wall_ms=self.wall_ms, key=key, manner=manner))
        self.control(key, "GET", "/clock")
        assert not self.books[key].answers
        self.check(key)
        for step in [step for step in before if step.body][:4]:
            body = orjson.loads(step.body)
            if step.method == "PATCH":
                self.change_the_account(key, body["account"])
            elif (step.target, body) not in BROKEN_SUBMITS:
                self.submitted(key, step.target, body)

    # The end

    def the_same_tape_gives_the_same_bytes(self) -> None:
        """Another server, no rules, the worlds' steps in another order."""
        tape = cast(
            Answer, self.site.play(Step(wall_ms=self.wall_ms, key=KEYS[0], method="GET", target="/__mock/tape"))
        )
        seed, decisions = read_tape(tape.body)
        assert seed == self.options["seed"]
        event(f"{min(sum(map(len, decisions.values())), 5)} faults on the tape, or more")
        steps = {key: [*self.before[key][0], *self.books[key].steps] for key in KEYS}
        first = steps[KEYS[0]][0].wall_ms
        again = Site(**self.options, wall_ms=first, replay=decisions)
        try:
            answers: dict[str, list[Answer]] = {key: [] for key in KEYS}
            for step in shuffled(steps):
                if step.arms:
                    continue
                answer = again.play(step)
                if (step.method, step.target) in BEGINNINGS:
                    again.receivers.came[step.key].clear()
                    again.attempts[step.key].clear()
                if answer is not None and not step.is_control:
                    answers[step.key].append(answer)
            for key in KEYS:
                assert answers[key] == [*self.before[key][1], *self.books[key].answers]
                expected, found = remains(self.site, key), remains(again, key)
                for name, value in expected.items():
                    assert found[name] == value, name
        finally:
            again.close()


def shuffled(steps: dict[str, list[Step]]) -> list[Step]:
    """The steps of all worlds in another order; that of each world stays."""
    order = [key for key, found in steps.items() for _ in found]
    random.Random(len(order)).shuffle(order)
    left = {key: iter(found) for key, found in steps.items()}
    return [next(left[key]) for key in order]


Trouble.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestTrouble = Trouble.TestCase


@pytest.mark.slow
def test_the_laws_hold_for_longer() -> None:
    """The same with more and longer lives: a minute or two."""
    run_state_machine_as_test(Trouble, settings=settings(max_examples=300, stateful_step_count=80, deadline=None))
