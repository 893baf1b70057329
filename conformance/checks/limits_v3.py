"""Rate limits, provoked: some fifty pictures in three minutes of the target's time. Run only when asked for.

A virtual clock is moved over these minutes; without one they really pass. All checks share one course of events:
text to image until it is refused, then a minute, the same submit again and submits of several pictures, then another
minute and image to image until it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance import timing
from conformance.bodies import FOUNDATION, IMG2IMG, RESULT, TXT2IMG, Body, changed
from conformance.errors import Broken
from conformance.expect import accepted_v3, equals, status
from conformance.predicates import task_id_v3
from conformance.registry import Area, Phase
from conformance.trial import Trial
from conformance.wire import Exchange

area = Area()

MINUTE_S = 61.0
"""A minute and what clocks may differ by."""
SEVERAL = 8
"""Pictures of one submit, as many as may be asked for."""
TOO_MANY = 2
"""Twice the documented number without a refusal: there is no limit that could be found at a bearable price."""
QUESTIONS = 5


@dataclass(kw_only=True)
class Burst:
    """One-picture submits in a row, until the first that was not accepted.

    Attributes:
        allowed: how many pictures the contract allows in a minute.
        last: the answer that was no acceptance; None when all were accepted.
    """

    operation_id: str
    allowed: int
    accepted: list[Exchange] = field(default_factory=list)
    last: Exchange | None = None

    @property
    def limited(self) -> bool:
        """Whether it came to its end by a refusal for its number."""
        return self.last is not None and self.last.status == 429


@dataclass(kw_only=True)
class Several:
    """Submits of several pictures after a quiet minute and one picture.

    Attributes:
        within: answers to those that the limit has room for.
        beyond: the answer to the one that it has no room for, and then to a submit of one picture.
    """

    within: list[Exchange] = field(default_factory=list)
    beyond: list[Exchange] = field(default_factory=list)


@dataclass(kw_only=True)
class Course:
    """What happened."""

    txt2img: Burst
    img2img: Burst
    asked: list[Exchange] = field(default_factory=list)
    again: Exchange | None = None
    several: Several | None = None

    @property
    def bursts(self) -> tuple[Burst, Burst]:
        """Both."""
        return self.txt2img, self.img2img


@area.check("V3-LIMIT-001", phase=Phase.LIMITS)
async def the_documented_number_is_accepted_in_a_minute(t: Trial) -> None:
    for burst in (await _course(t)).bursts:
        if burst.last is not None and not burst.accepted and not burst.limited:
            t.expect(burst.last, accepted_v3(), blame=FOUNDATION[burst.operation_id])
        if burst.last is not None and len(burst.accepted) < burst.allowed:
            if not burst.limited:
                t.not_measured(f"submits ended with {burst.last.brief()}, which is no matter of their number")
            seen = f"status 429 after {len(burst.accepted)} of {burst.operation_id}"
            t.fail(f"{burst.allowed} pictures accepted in a minute", seen, burst.last)


@area.check("V3-LIMIT-002", phase=Phase.LIMITS)
async def a_submit_beyond_the_limit_is_answered_with_429(t: Trial) -> None:
    for burst in (await _course(t)).bursts:
        _needs_an_end(t, burst)
        assert burst.last is not None
        t.expect(burst.last, status(429), equals("reason", "RATE_LIMIT_EXCEEDED"))


@area.check("V3-LIMIT-003", phase=Phase.LIMITS)
async def several_pictures_count_as_many(t: Trial) -> None:
    course = await _course(t)
    _needs_a_429(t, course.txt2img)
    if course.several is None:
        t.not_measured("a minute after the refusal nothing was accepted, so nothing could be counted")
    limit = len(course.txt2img.accepted)
    for answer in course.several.within:
        if answer.status == 429:
            t.fail(f"{SEVERAL} pictures at a time up to the limit of {limit}", "status 429 before it", answer)
    beyond = course.several.beyond
    if beyond and all(answer.status != 429 for answer in beyond):
        seen = f"{1 + SEVERAL * (len(course.several.within) + 1)} pictures accepted in submits of {SEVERAL}"
        t.fail(f"status 429 beyond {limit} pictures in a minute", seen, *beyond)
    if len(beyond) > 1:
        t.branch("the submit that passes the limit is accepted, the next one refused")


@area.check("V3-LIMIT-004", phase=Phase.LIMITS)
async def results_can_be_asked_for_meanwhile(t: Trial) -> None:
    course = await _course(t)
    _needs_a_429(t, course.txt2img)
    if not course.asked:
        t.not_measured("no submit was accepted whose result could be asked for")
    for answer in course.asked:
        if answer.status == 429:
            t.fail("an answer other than 429 to a question for a result", answer.brief(), answer)


@area.check("V3-LIMIT-005", phase=Phase.LIMITS)
async def a_minute_later_it_is_accepted(t: Trial) -> None:
    course = await _course(t)
    _needs_a_429(t, course.txt2img)
    if course.again is None or task_id_v3(course.again.json) is None:
        seen = course.again.brief() if course.again else "no answer"
        t.fail("the same submit accepted a minute later", seen, *([course.again] if course.again else []))


def _needs_an_end(t: Trial, burst: Burst) -> None:
    """Ends the check when nothing was refused: what the account has in a minute is then not known."""
    number = len(burst.accepted)
    if burst.last is None:
        if t.target.claims.get(t.requirement.profile):
            t.fail(f"status 429 beyond {burst.allowed} pictures in a minute", f"{number} accepted", burst.accepted[-1])
        t.not_measured(
            f"{number} pictures of {burst.operation_id} were accepted in a minute: this account has no limit that "
            f"could be found (a capabilities file that claims {t.requirement.profile} makes that a violation)"
        )
    if not burst.limited and number < burst.allowed:
        t.not_measured(f"submits ended with {burst.last.brief()} before the limit")


def _needs_a_429(t: Trial, burst: Burst) -> None:
    """Ends the check when no submit was answered with 429; where one should have been, V3-LIMIT-002 says so."""
    if burst.limited:
        return
    claimed = burst.last is None and t.target.claims.get(t.requirement.profile)
    if claimed or (burst.last is not None and len(burst.accepted) >= burst.allowed):
        seen = burst.last.brief() if burst.last else f"{len(burst.accepted)} accepted"
        raise Broken("V3-LIMIT-002", f"status 429 beyond {burst.allowed} pictures in a minute", seen)
    t.not_measured(f"no submit of {burst.operation_id} was answered with 429")


# The course of events -------------------------------------------------------------------------------------------------


async def _course(t: Trial) -> Course:
    return await t.once("limits", lambda: _provoke(t))


async def _provoke(t: Trial) -> Course:
    if t.target.safe:
        t.not_measured("not measured: this orders some fifty pictures, and safe mode none of them (--no-safe)")
    body = await t.txt2img()
    await _a_minute(t)
    course = Course(txt2img=await _burst(t, TXT2IMG, body), img2img=Burst(operation_id=IMG2IMG, allowed=0))
    if course.txt2img.limited:
        known = [task_id for answer in course.txt2img.accepted[:1] if (task_id := task_id_v3(answer.json))]
        for task_id in known * QUESTIONS:
            call = t.session.client.call(
                RESULT, params={"task_id": task_id}, purpose="a result while submits are refused"
            )
            course.asked.append(await call)
        await _a_minute(t)
        course.again = await _submit(t, TXT2IMG, body, "the same submit a minute later")
        if task_id_v3(course.again.json) is not None:
            course.several = await _several(t, body, len(course.txt2img.accepted))
    await _a_minute(t)
    course.img2img = await _burst(t, IMG2IMG, await t.img2img())
    return course


async def _burst(t: Trial, operation_id: str, body: Body) -> Burst:
    allowed = t.document.operations[operation_id].pictures_per_minute
    assert allowed is not None
    burst = Burst(operation_id=operation_id, allowed=allowed)
    for number in range(1, TOO_MANY * allowed + 1):
        answer = await _submit(t, operation_id, body, f"submit {number} in a minute")
        if task_id_v3(answer.json) is None:
            burst.last = answer
            break
        burst.accepted.append(answer)
    return burst


async def _several(t: Trial, body: Body, limit: int) -> Several:
    """Submits of several pictures up to a limit, of which one picture is used, and one beyond it."""
    many, several = changed(body, ("request", "image_num"), SEVERAL), Several()
    for _ in range((limit - 1) // SEVERAL):
        several.within.append(await _submit(t, TXT2IMG, many, f"{SEVERAL} pictures within the limit"))
    several.beyond.append(await _submit(t, TXT2IMG, many, f"{SEVERAL} pictures beyond the limit"))
    if several.beyond[0].status != 429:
        several.beyond.append(await _submit(t, TXT2IMG, body, "one picture beyond the limit"))
    return several


async def _submit(t: Trial, operation_id: str, body: Body, purpose: str) -> Exchange:
    return await t.session.client.call(operation_id, body, purpose=purpose)


async def _a_minute(t: Trial) -> None:
    if t.session.clock:
        await t.session.clock.advance(MINUTE_S)
    else:
        await timing.pause(MINUTE_S)
