"""What becomes of tasks, links and results as time passes: asked once for all checks that want to know.

How links age needs a virtual clock of the target, or links so short-lived that they can be waited for. Others may move
the clock at the same time, so that what was seen before the end of a link counts only if the clock says that it was.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance import stories, timing
from conformance.errors import CheckEnd, NotMeasured
from conformance.expect import equals, status
from conformance.tasks import Picture, Task, links

if TYPE_CHECKING:
    from conformance.session import Session
    from conformance.trial import Trial
    from conformance.wire import Exchange

EARLY = 0.9
"""The part of its life after which a link is tried: late enough to show one that dies early."""
LATE_S = 60.0
"""Virtual seconds after its end when a link must be dead; clocks of two machines differ by less."""
LATE_REAL_S = 1.5
TRIES = 3
UNASKED_S = 3600.0
"""Virtual seconds in which nobody asks for a task."""
UNASKED_TIMES, UNASKED_REAL_S = 2.0, 0.2
"""The same without a virtual clock: so many times as long as a task took that was asked for, and a little more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unasked:
    """A task for which nobody asked for a long while.

    Attributes:
        first: the first answer of all.
        alone: for how long and by which clock it was left alone, in words.
        long_enough: whether it must have ended by then.
    """

    task: Task
    first: Exchange
    alone: str
    long_enough: bool


async def unasked(t: Trial) -> Unasked:
    """The plain task once more, left alone; for checks of Phase.EXPIRY, and never asked for in another way."""
    return await t.once("the unasked task", lambda: _leave_alone(t))


async def _leave_alone(t: Trial) -> Unasked:
    asked = await stories.finished(t, await stories.plain(t))
    task, clock = await stories.submitted(t, await stories.plain(t, copy=1)), t.session.clock
    if clock:
        with suppress(CheckEnd):  # links are looked at first: this leap may end them, and what they belong to
            await aged(t)
        async with t.session.alone_with_the_clock():
            await clock.advance(UNASKED_S)
        alone = f"{UNASKED_S:.0f} s of the clock"
    else:  # how long a queue is nobody knows, so that this proves an early end and no late one
        usual_s = asked.result.started_s - asked.submit.started_s
        seconds = min(UNASKED_TIMES * usual_s + UNASKED_REAL_S, t.target.patience_s)
        await timing.pause(seconds)
        alone = f"{seconds:.1f} s"
    return Unasked(task=task, first=await t.session.poll(task), alone=alone, long_enough=clock is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """What time did to links.

    Attributes:
        alive: for each link the result that held it, the picture that it gave at first, and the answer shortly before
            its end; and the same for links of a later result, when those of the first were dead.
        late: for each link of the first result the picture and the answer after its end.
        still_readable: tasks and their results shortly before the end of their links.
        answer: the first result, whose links age.
    """

    ttl_s: int
    answer: Exchange
    alive: tuple[tuple[Exchange, Picture, Exchange], ...] = ()
    late: tuple[tuple[Picture, Exchange], ...] = ()
    still_readable: tuple[tuple[Task, Exchange], ...] = ()


async def aged(t: Trial) -> Aged:
    """What became of the links of plain tasks; for checks of Phase.EXPIRY.

    Raises:
        NotMeasured: there is no clock to move and the links live too long.
    """
    return await t.once("aged links", lambda: _age(t))


async def _age(t: Trial) -> Aged:
    pictures, task = await _readable(t)
    time = _Time(t.session)
    for _ in range(TRIES):
        answer = await t.session.poll(task)
        still = (status(200), equals("task.status", "TASK_STATUS_SUCCEED"))
        t.expect(answer, *still, blame="V3-LIFE-004", seen=(task.submit.number, task.result.number))
        held = [str(entry["image_url"]) for entry in links(answer, v2=False)]
        if len(held) != len(pictures):
            expected, found = f"{len(pictures)} links, as at first", f"{len(held)}"
            t.fail(expected, found, task.result, answer, blame="V3-LIFE-004")
        ttl_s, start_s = stories.ttl_of(t, answer), time.passed()
        if ttl_s == 0:
            return Aged(ttl_s=0, answer=answer)  # it is not stated (C3)
        time.can_wait(ttl_s)
        await time.wait(EARLY * ttl_s)
        early = [await t.session.fetch(link) for link in held]
        readable = await t.session.poll(task)
        if time.passed() - start_s < ttl_s:
            break
    else:
        raise NotMeasured("the clock was moved too far by others to see a link shortly before its end")
    await time.wait(ttl_s - (time.passed() - start_s) + time.late_s)
    late = [await t.session.fetch(link) for link in held]
    alive = [(answer, picture, download) for picture, download in zip(pictures, early, strict=True)]
    alive += await _renewed(t, time, readable, pictures, start_s)
    return Aged(
        ttl_s=ttl_s,
        answer=answer,
        alive=tuple(alive),
        late=tuple(zip(pictures, late, strict=True)),
        still_readable=((task, readable),),
    )


async def _renewed(
    t: Trial, time: _Time, readable: Exchange, pictures: tuple[Picture, ...], start_s: float
) -> list[tuple[Exchange, Picture, Exchange]]:
    """Links of the later result, which was answered after `start_s`; none where they need not live any more.

    A server that counts the life of links from another event than the answer gives links there that die too early.
    """
    entries = links(readable, v2=False)
    if len(entries) != len(pictures):
        return []  # what a later result holds is a matter of V3-LIFE-004
    ttl_s = stories.ttl_of(t, readable)
    downloads = [await t.session.fetch(str(entry["image_url"])) for entry in entries]
    if time.passed() - start_s >= (1 + EARLY) * ttl_s:
        return []  # others moved the clock too far
    return [(readable, picture, download) for picture, download in zip(pictures, downloads, strict=True)]


async def _readable(t: Trial) -> tuple[tuple[Picture, ...], Task]:
    """The plain task, or a new one where its result is gone: the clock may have been moved by hours since it ended."""
    first, second = await stories.plain(t), await stories.plain(t, copy=2)
    task = await stories.finished(t, first)
    story = second if (await t.session.poll(task)).status == 404 else first
    return await stories.pictures(t, story), await stories.finished(t, story)


class _Time:
    """The target's virtual clock, or the real one for short waits."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._clock = session.clock
        self._patience_s = session.target.patience_s
        self.late_s = LATE_S if self._clock else LATE_REAL_S

    def passed(self) -> float:
        """Seconds; only differences mean something."""
        return self._clock.moved_s if self._clock else timing.now()

    def can_wait(self, seconds: float) -> None:
        """Raises unless so long a wait is possible."""
        if self._clock is None and seconds > self._patience_s:
            raise NotMeasured(f"links live for {seconds:g} s: needs a virtual clock (--clock), or more --patience")

    async def wait(self, seconds: float) -> None:
        """Lets time pass."""
        if self._clock:
            async with self._session.alone_with_the_clock():
                await self._clock.advance(max(seconds, 0.0))
        else:
            await timing.pause(max(seconds, 0.0))
