"""Webhook events that are not taken at first: how often they are sent again, and when no more.

One driver moves a virtual clock for all of these checks until every inbox has what it waits for, or a day has passed;
without such a clock all wait together for as long as the target's patience allows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from conformance import stories, timing, webhooks
from conformance.errors import Broken
from conformance.receiver import Attempt
from conformance.registry import Area, Phase
from conformance.tasks import Task, links
from conformance.timing import VirtualClock
from conformance.trial import Trial
from conformance.webhooks import Told

area = Area()

GOOD = range(200, 300)
MOST_ATTEMPTS = 6
DAY_S = 86400.0
FIRST_STEP_S, GROWTH, LONGEST_STEP_S = 2.0, 1.5, 3600.0
LIMIT_S = 5.0
"""How long a receiver may take."""
REAL_LIMIT_S = 8.0
"""When a silent receiver's time is over at a target that measures it in real seconds."""
SETTLE_S = 0.02
"""Real seconds after a move of the clock, for what it sets off."""
QUIET_S, QUIET_GAPS, QUIET_STEPS = 600.0, 3.0, 6
"""How long nothing more may come, on the virtual clock: at least, in lengths of the longest gap before, in steps."""
REAL_QUIET_S = 3.0
IN_TIME_S, IN_TIME_WHEN_MOVED_S = webhooks.SLOW_S + 0.5, 0.25
"""An answer after so many real seconds was in time whatever else was slow; the second while a clock is moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """All inboxes when the time was over.

    Attributes:
        how_long: the time that passed, in words.
        virtual: whether it was that of a virtual clock: then nothing more comes.
    """

    taken: Told
    redirected: Told
    ignored: Told
    never_taken: Told
    how_long: str
    virtual: bool

    @property
    def all(self) -> tuple[Told, ...]:
        """Every one."""
        return (self.taken, self.redirected, self.ignored, self.never_taken)


@area.check("WEBHOOK-008", phase=Phase.RETRIES, needs=("WEBHOOK-003",))
async def what_was_taken_is_not_sent_again(t: Trial) -> None:
    driven = await _driven(t)
    webhooks.sent_once(driven.taken)
    if not any(_surely_taken(driven, told) for told in driven.all):
        t.not_measured("no event was answered with 2xx quickly enough; this machine is too slow")
    for told in driven.all:
        if again := _again(driven, told):
            t.fail("no further event after 2xx", again, *_seen(told))


@area.check("WEBHOOK-009", phase=Phase.RETRIES, needs=("WEBHOOK-003",))
async def what_was_refused_is_sent_again(t: Trial) -> None:
    driven = await _driven(t)
    for told in (driven.never_taken, driven.redirected, driven.ignored):
        if len(told.inbox.attempts) < 2:
            reply = told.inbox.reply_to(1)
            t.fail(f"the event again after {reply}", f"none within {driven.how_long}", *_seen(told))


@area.check("WEBHOOK-010", phase=Phase.RETRIES, needs=("WEBHOOK-003", "WEBHOOK-009"))
async def what_met_silence_is_sent_again(t: Trial) -> None:
    driven = await _driven(t)
    if not _third(t, driven, driven.ignored):
        t.fail(
            "the event again after five seconds of silence", f"none within {driven.how_long}", *_seen(driven.ignored)
        )


@area.check("WEBHOOK-011", phase=Phase.RETRIES, needs=("WEBHOOK-003", "WEBHOOK-009"))
async def what_was_hung_up_on_is_sent_again(t: Trial) -> None:
    driven = await _driven(t)
    if not _third(t, driven, driven.redirected):
        expected = "the event again after a connection that was closed without an answer"
        t.fail(expected, f"none within {driven.how_long}", *_seen(driven.redirected))


@area.check("WEBHOOK-012", phase=Phase.RETRIES, needs=("WEBHOOK-003", "WEBHOOK-009"))
async def nothing_is_sent_more_than_six_times(t: Trial) -> None:
    driven = await _driven(t)
    webhooks.sent_once(driven.taken)
    if again := _again(driven, driven.taken):  # copies are no attempts
        raise Broken("WEBHOOK-008", "no further event after 2xx", again, driven.taken.numbers)
    for told in driven.all:
        number = len(told.events)
        if number > MOST_ATTEMPTS:
            t.fail("at most six attempts", f"{number}", *_seen(told))
    number = len(driven.never_taken.events)
    if number < MOST_ATTEMPTS and not driven.virtual:
        t.not_measured(f"{number} attempts came within {driven.how_long}; a longer --patience shows whether more do")


@area.check("WEBHOOK-013", phase=Phase.RETRIES, needs=("WEBHOOK-003", "WEBHOOK-009"))
async def what_keeps_failing_is_attempted_six_times(t: Trial) -> None:
    driven = await _driven(t)
    number = len(driven.never_taken.events)
    if number >= MOST_ATTEMPTS:
        return
    if number < 2:
        raise Broken("WEBHOOK-009", "the event again after status 500", "none", driven.never_taken.numbers)
    if not driven.virtual:
        t.not_measured(f"{number} of six attempts came within {driven.how_long}; a longer --patience shows the others")
    t.fail("six attempts", f"{number} within {driven.how_long}", *_seen(driven.never_taken))


@area.check("WEBHOOK-017", phase=Phase.RETRIES, needs=("WEBHOOK-003",))
async def test_mode_that_is_off_changes_nothing(t: Trial) -> None:
    told = (await _driven(t)).never_taken
    assert told.task is not None
    try:
        task = await t.session.finish(told.task)
    except Broken as broken:
        t.fail("a task that is worked on", broken.actual, told.task)
    stories.entries_of(t, task.result)
    if not links(task.result, v2=False):
        t.fail("a task that is worked on: pictures in its result", task.result.brief(), task)
    event = told.events[0]
    if webhooks.outcome(told, event) != task.status:
        t.fail(f"an event with the task's own outcome, {task.status}", event.brief(), task)


def _surely_taken(driven: Driven, told: Told) -> list[Attempt]:
    """Events that we answered with 2xx in time, whatever else was slow."""
    most_s = IN_TIME_WHEN_MOVED_S if driven.virtual and told is not driven.taken else IN_TIME_S
    return [event for event in told.events if event.reply.status in GOOD and event.took_s <= most_s]


def _again(driven: Driven, told: Told) -> str:
    """What came after an event that we had taken; "" when nothing did."""
    for taken in _surely_taken(driven, told)[:1]:
        assert taken.answered_s is not None
        for other in told.events:
            if other.arrived_s > taken.answered_s:
                after_s = other.arrived_s - taken.answered_s
                answer = f"{taken.reply.status} in {taken.took_s:.2f} s"
                return f"another one, {after_s:.1f} s of real time after we had answered {answer}"
    return ""


def _third(t: Trial, driven: Driven, told: Told) -> bool:
    """Whether a third attempt came, after the second was not taken.

    Raises:
        Broken: there was no second.
        NotMeasured: nothing was attempted three times in the time that there was.
    """
    number = len(told.inbox.attempts)
    if number < 2:
        raise Broken("WEBHOOK-009", f"the event again after {told.inbox.reply_to(1)}", "none", told.numbers)
    most = len(driven.never_taken.inbox.attempts)
    if number == 2 and most < 3:
        if driven.virtual:
            raise Broken("WEBHOOK-013", "six attempts", f"{most}", driven.never_taken.numbers)
        t.not_measured(f"nothing was attempted three times within {driven.how_long}; --patience allows longer")
    return number > 2


# The driver -----------------------------------------------------------------------------------------------------------


async def _driven(t: Trial) -> Driven:
    """Everything that came, once all of it should have."""
    return await t.once("webhook retries", lambda: _drive(t))


async def _drive(t: Trial) -> Driven:
    taken, redirected = await asyncio.gather(webhooks.taken(t), webhooks.redirected(t))
    await t.all((webhooks.arrival(t, taken), webhooks.arrival(t, redirected)))
    if t.session.clock:
        async with t.session.alone_with_the_clock() as clock:
            assert clock is not None
            ignored, never_taken = await asyncio.gather(webhooks.ignored(t), webhooks.never_taken(t))
            wanted = ((redirected, 3), (ignored, 3), (never_taken, MOST_ATTEMPTS))
            passed_s = await _move_until_all_came(clock, wanted, watched=(taken, redirected, ignored, never_taken))
        how_long = f"{passed_s:.0f} s of its clock"
    else:
        ignored, never_taken = await asyncio.gather(webhooks.ignored(t), webhooks.never_taken(t))
        await t.all((webhooks.arrival(t, ignored), webhooks.arrival(t, never_taken, blame="WEBHOOK-017")))
        wanted = ((redirected, 3), (ignored, 3), (never_taken, MOST_ATTEMPTS))
        await asyncio.gather(*(told.inbox.wait(number, t.target.patience_s) for told, number in wanted))
        await timing.pause(webhooks.SLOW_S + REAL_QUIET_S)  # the last answer may still be on its way
        how_long = f"{t.target.patience_s:g} s (--patience)"
    for told, blame in ((ignored, "WEBHOOK-003"), (never_taken, "WEBHOOK-017")):
        if not told.events:
            raise Broken(blame, "a POST to the webhook's URL", f"none within {how_long}", told.numbers)
    return Driven(
        taken=taken,
        redirected=redirected,
        ignored=ignored,
        never_taken=never_taken,
        how_long=how_long,
        virtual=t.session.clock is not None,
    )


async def _move_until_all_came(
    clock: VirtualClock, wanted: tuple[tuple[Told, int], ...], watched: tuple[Told, ...]
) -> float:
    """Moves a clock until enough has come to all inboxes, and on for a while; gives by how many seconds."""
    passed_s, step_s, came_s, gap_s, seen, patient = 0.0, FIRST_STEP_S, 0.0, 0.0, 0, True
    silent_since_s: float | None = None
    while any(len(told.inbox.attempts) < number for told, number in wanted) and passed_s < DAY_S:
        await clock.advance(step_s, late=True)
        passed_s += step_s
        await timing.pause(SETTLE_S)
        step_s = min(step_s * GROWTH, LONGEST_STEP_S)
        number = sum(len(told.inbox.attempts) for told in watched)
        if number > seen:
            seen, gap_s, came_s = number, max(gap_s, passed_s - came_s), passed_s
        silent = [
            told.inbox for told in watched if any(one.reply.hangs and not one.left for one in told.inbox.attempts)
        ]
        silent_since_s = (silent_since_s or passed_s) if silent else None
        if silent_since_s is not None and patient and passed_s - silent_since_s > LIMIT_S:
            patient = False  # its time is measured in real seconds, which have to pass once
            await silent[0].left(REAL_LIMIT_S)
            passed_s, step_s, came_s = 0.0, FIRST_STEP_S, 0.0
    quiet_s = max(QUIET_S, QUIET_GAPS * gap_s)
    for _ in range(QUIET_STEPS):
        await clock.advance(quiet_s / QUIET_STEPS, late=True)
        await timing.pause(SETTLE_S)
    return passed_s + quiet_s


def _seen(told: Told) -> tuple[Task, ...]:
    """What shows in the wire log whose events these were."""
    return (told.task,) if told.task else ()
