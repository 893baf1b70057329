"""Tasks with webhooks that several checks share, the inboxes that their events go to, and what came there.

Five real tasks serve all checks of events: one whose receiver behaves, one that is redirected and hung up on, one that
is refused and met with silence, one that is never taken, and one whose receiver does not exist.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance import timing
from conformance.bodies import IMG2IMG, RESULT, TXT2IMG, Body
from conformance.errors import Broken, CheckEnd
from conformance.receiver import CLOSED, SILENCE, Attempt, Inbox, Reply
from conformance.tasks import ENDED_V3, WORDS_V3, Task
from conformance.wire import MISSING, Exchange

if TYPE_CHECKING:
    from conformance.trial import Trial

LOOKS, LOOK_S, STEP_S = 60, 0.02, 2.0
"""How often an event that should be there is looked for on a virtual clock, and what passes between two looks."""
UNDER_WAY = tuple(word for word in WORDS_V3 if word not in ENDED_V3)
HELD_S = 0.1
"""How long the first event of a well-known task waits for our answer, in real seconds."""
LAG_S, LAG_LOOK_S = 1.0, 0.1
"""How far a result may lag behind its event, in real seconds, and how often it is asked for meanwhile."""
SLOW_S = 4.0
"""Within the five seconds that a receiver has."""


@dataclass(kw_only=True)
class Told:
    """A task with a webhook.

    Attributes:
        inbox: where its event goes.
        task: None until its submit was answered.
        at_arrival: what a question for the task was answered while its first event was still held up.
        early: whether that event came before the submit was answered.
    """

    operation_id: str
    inbox: Inbox
    task: Task | None = None
    at_arrival: Exchange | None = None
    early: bool = False
    known: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Its exchanges in the wire log."""
        return self.task.numbers if self.task else ()

    @property
    def events(self) -> list[Attempt]:
        """Attempts to tell of an end; what tells of a task under way is the matter of WEBHOOK-007 alone."""
        return [attempt for attempt in self.inbox.attempts if not under_way(attempt)]


def at(attempt: Attempt, *path: str | int) -> Any:
    """A value of the payload of an event; MISSING when there is none."""
    value: Any = attempt.json
    for step in ("payload", *path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return value


def under_way(attempt: Attempt) -> bool:
    """Whether an event says that its task has not ended."""
    return at(attempt, "task", "status") in UNDER_WAY


# What is submitted ----------------------------------------------------------------------------------------------------


async def taken(t: Trial) -> Told:
    """Text to image; its event is taken at once."""
    return await _told(t, "taken", TXT2IMG, watched=True)


async def redirected(t: Trial) -> Told:
    """Image to image; its event is redirected, then hung up on, then taken with another 2xx than 200."""
    elsewhere = await t.once("webhook: elsewhere", lambda: _inbox(t))
    plan = (Reply(status=302, location=elsewhere.url), CLOSED)
    return await _told(t, "redirected", IMG2IMG, plan=plan, then=Reply(status=204))


async def ignored(t: Trial) -> Told:
    """Image to image; its event is refused with 404, then met with silence, then taken: slowly, in real time."""
    last = Reply() if t.session.clock else Reply(after_s=SLOW_S)
    return await _told(t, "ignored", IMG2IMG, plan=(Reply(status=404), SILENCE, last))


async def never_taken(t: Trial) -> Told:
    """Text to image with test mode off; its event is always answered with 500."""
    off = {"enabled": False, "return_task_status": "TASK_STATUS_FAILED"}
    return await _told(t, "never taken", TXT2IMG, then=Reply(status=500), blame="WEBHOOK-017", test_mode=off)


async def test_event(t: Trial, operation_id: str, status: str, blame: str) -> Told:
    """A made-up event."""
    on = {"enabled": True, "return_task_status": status}
    return await _told(t, f"{operation_id} {status}", operation_id, blame=blame, test_mode=on)


async def body_with(t: Trial, operation_id: str, webhook: object) -> Body:
    """The plain body with a webhook."""
    return await (t.txt2img if operation_id == TXT2IMG else t.img2img)({"webhook": webhook})


async def _inbox(t: Trial) -> Inbox:
    return t.receiver.inbox()


async def _told(
    t: Trial,
    name: str,
    operation_id: str,
    *,
    plan: tuple[Reply, ...] = (),
    then: Reply | None = None,
    blame: str = "WEBHOOK-001",
    watched: bool = False,
    **webhook: object,
) -> Told:
    async def make() -> Told:
        told = Told(operation_id=operation_id, inbox=t.receiver.inbox(plan, then=then or Reply()))
        if watched:
            told.inbox.before = lambda attempt: _look(t, told, attempt)
        body = await body_with(t, operation_id, {"url": told.inbox.url, **webhook})
        told.task = await t.session.submit(operation_id, body, blame=blame, purpose="a submit with a webhook")
        told.known.set()
        return told

    return await t.once(f"webhook: {name}", make)


async def _look(t: Trial, told: Told, attempt: Attempt) -> None:
    """Asks how a task is doing while its event is still unanswered, and leaves time for one sent beside it."""
    if attempt.number > 1:
        return
    await timing.pause(HELD_S)
    told.early = told.task is None
    task_id = at(attempt, "task", "task_id")
    if not isinstance(task_id, str) or (told.task and told.task.task_id != task_id):
        await told.known.wait()
        assert told.task is not None
        task_id = told.task.task_id
    purpose = "how the task is doing when its event arrives"
    until_s = timing.now() + LAG_S
    with suppress(CheckEnd):  # that answers do not come, or with 429, is another matter
        while told.at_arrival is None or (told.at_arrival.at("task", "status") in UNDER_WAY and timing.now() < until_s):
            if told.at_arrival is not None:
                await timing.pause(LAG_LOOK_S)
            told.at_arrival = await t.session.ask(RESULT, params={"task_id": task_id}, purpose=purpose)


# What comes -----------------------------------------------------------------------------------------------------------


async def arrival(t: Trial, told: Told, *, blame: str = "WEBHOOK-003", finished: bool = True) -> Attempt:
    """The first event of a task that has ended.

    Args:
        t: the trial.
        told: the task.
        blame: the requirement that is broken when none comes.
        finished: wait for the task's end first; a made-up event has none to be waited for.

    Raises:
        Broken: none comes.
    """
    assert told.task is not None
    if finished:
        await _end_of(t, told.task)
    how_long = f"{t.target.patience_s:g} s"
    if t.session.clock:
        for _ in range(LOOKS):
            if told.events:
                break
            await t.session.pass_time(STEP_S, LOOK_S)
        how_long = f"{LOOKS * STEP_S:g} s of its clock"
    else:
        until_s = timing.now() + t.target.patience_s
        while not told.events and timing.now() < until_s:
            await told.inbox.wait(len(told.inbox.attempts) + 1, until_s - timing.now())
    if not told.events:
        expected = "a POST to the webhook's URL" + (" once its task has finished" if finished else "")
        seen = told.inbox.attempts[0].brief() if told.inbox.attempts else "none"
        raise Broken(blame, expected, f"{seen} within {how_long}", told.numbers)
    return told.events[0]


async def _end_of(t: Trial, task: Task) -> None:
    """Waits until a task with a webhook has ended.

    Raises:
        Broken: it does not, or cannot be read, though one without a webhook does.
    """
    try:
        await t.session.finish(task)
    except Broken as broken:
        await t.finished(TXT2IMG, await t.txt2img())
        raise Broken("WEBHOOK-018", broken.expected, broken.actual, broken.exchanges) from None


async def event_of(t: Trial, told: Told, **how: Any) -> Attempt:
    """The same, with a payload.

    Raises:
        Broken: none comes, or one without a payload.
    """
    event = await arrival(t, told, **how)
    _hold_payload(told, event)
    return event


def _hold_payload(told: Told, event: Attempt) -> None:
    if not isinstance(event.json, dict):
        raise Broken("WEBHOOK-003", "a POST with a JSON body", event.brief(), told.numbers)
    if not isinstance(at(event), dict):
        raise Broken("WEBHOOK-004", "an event with an object payload", event.brief(), told.numbers)


def outcome(told: Told, event: Attempt) -> object:
    """The status that an event tells.

    Raises:
        Broken: it has no payload, or one without a status.
    """
    _hold_payload(told, event)
    status = at(event, "task", "status")
    if status is MISSING:
        raise Broken("WEBHOOK-005", "a payload with a status", event.brief(), told.numbers)
    return status


def pictures(told: Told, event: Attempt) -> list[Any]:
    """The entries of `images` in an event; none when the key is absent or null.

    Raises:
        Broken: they are no list.
    """
    images = at(event, "images")
    if images is MISSING or images is None:
        return []
    if not isinstance(images, list):
        raise Broken("WEBHOOK-005", "a payload with a list images", repr(images)[:160], told.numbers)
    return images


def sent_once(told: Told) -> None:
    """Holds the first event to being one POST, not several at the same time.

    Raises:
        Broken: another one came before we had answered it.
    """
    for first in told.events[:1]:
        for other in told.events[1:]:
            if first.answered_s is not None and other.arrived_s < first.answered_s:
                raise Broken("WEBHOOK-003", "one POST", "another one before we had answered the first", told.numbers)
