"""What a check holds in its hand: ask the target, share tasks, and say what is wrong.

    @area.check("V3-TXT2IMG-013")
    async def steps_and_guidance_have_a_range(t: Trial) -> None:
        body = await t.txt2img()
        at = ("request", "steps")
        await t.all(t.refused(TXT2IMG, changed(body, at, steps), at=at) for steps in (0, 101))

Whatever does not hold raises `Broken`; a check that returns has not found its requirement broken.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from conformance import bodies
from conformance.bodies import FOUNDATION, Body
from conformance.budget import pictures as pictures_asked_for
from conformance.client import Key, Says, Streamed
from conformance.errors import Broken, CheckEnd, NotApplicable, NotMeasured, NotSent
from conformance.expect import Claim, refused_v2, refused_v3
from conformance.predicates import has_type, task_id_v3
from conformance.tasks import Picture, Task, odd_acceptance_v3
from conformance.wire import Exchange

if TYPE_CHECKING:
    from conformance.names import Names
    from conformance.receiver import Receiver
    from conformance.session import Session
    from conformance.target import Target
    from openapi.document import Document
    from openapi.requirements import Requirement

Value = TypeVar("Value")

MOST_NAMED = 6
"""So many further cases that do not hold are named in a message."""
MOST_UNDUE, UNDUE_AT_ONCE = 4, 4
"""After so many cases of one check that were accepted and should not have been, no more are sent that would order
pictures; and so many are under way at the same time."""
_WITH = "a valid submit, "
_REFUSED_FOR = "a submit to be refused for "
_MORE_CASES = re.compile(r" \(and \d+ more of \d+ cases[^()]*\)$")


class Trial:
    """One run of one check.

    Attributes:
        requirement: what is judged.
        session: what is shared with other checks.
        tolerances: what the target did in the tolerated way, with the C-numbers.
        branches: which allowed way it took where several are.
    """

    def __init__(self, requirement: Requirement, session: Session) -> None:
        self.requirement = requirement
        self.session = session
        self.target: Target = session.target
        self.document: Document = session.document
        self.receiver: Receiver = session.receiver
        self.tolerances: list[tuple[str, tuple[str, ...], tuple[int, ...]]] = []
        self.branches: list[str] = []
        self._undue = 0
        self._orders = asyncio.Semaphore(UNDUE_AT_ONCE)

    # Bodies -----------------------------------------------------------------------------------------------------------

    async def names(self) -> Names:
        """Names of models that the target has."""
        return await self.session.names()

    async def named(self, field: str) -> str:
        """One of these names.

        Raises:
            NotMeasured: the target lists no such model.
        """
        found: str = getattr(await self.names(), field)
        if not found:
            raise NotMeasured(f"the model list names no {field.replace('_', ' ')} (--name {field}=... would tell one)")
        return found

    async def txt2img(self, extra: Body | None = None, **request: Any) -> Body:
        """The smallest v3 text-to-image body, with changes."""
        return bodies.txt2img(await self.names(), extra, **request)

    async def img2img(self, extra: Body | None = None, **request: Any) -> Body:
        """The smallest v3 image-to-image body, with changes."""
        return bodies.img2img(await self.names(), extra, **request)

    async def txt2img_v2(self, **fields: Any) -> Body:
        """The smallest v2 text-to-image body, with changes."""
        return bodies.txt2img_v2(await self.names(), **fields)

    async def img2img_v2(self, **fields: Any) -> Body:
        """The smallest v2 image-to-image body, with changes."""
        return bodies.img2img_v2(await self.names(), **fields)

    # Asking -----------------------------------------------------------------------------------------------------------

    async def ask(self, operation_id: str, body: object = None, **how: Any) -> Exchange:
        """Calls an operation; see `Client.call` for how. Foundations that fail are blamed on their own requirement."""
        return await self.session.ask(operation_id, body, **how)

    async def ask_as(self, key: Key | str, operation_id: str, body: object = None, **how: Any) -> Exchange:
        """Calls an operation with another key, or none; whatever comes is returned."""
        if key is Key.SECOND and not self.target.second_key:
            raise NotMeasured("needs the key of a second account (--second-key)")
        return await self.session.client.call(operation_id, body, key=key, **how)

    async def request(self, method: str, url: str, **how: Any) -> Exchange:
        """Any other request; see `Client.request`."""
        return await self.session.client.request(method, url, **how)

    async def submits(self) -> list[tuple[str, Body]]:
        """The v3 submits that the target has, each with its smallest body.

        Raises:
            RouteGone: it has neither.
        """
        plain = ((bodies.TXT2IMG, await self.txt2img()), (bodies.IMG2IMG, await self.img2img()))
        found = [(operation_id, body) for operation_id, body in plain if await self.exists(operation_id)]
        if not found:
            await self.ask(*plain[0])
        return found

    async def exists(self, operation_id: str) -> bool:
        """Whether the target has the operation at all."""
        return await self.session.gone(operation_id) is None

    async def free(self, operation_id: str, body: Body) -> Body:
        """The same submit, ordering no work where the target allows that; to be sent as often as one likes.

        Raises:
            NotMeasured: it would order work, in safe mode.
        """
        found = await self.session.free(operation_id, body)
        if self.target.safe and pictures_asked_for(operation_id, found):
            raise NotMeasured("not measured: safe mode orders one small task and no more (--no-safe allows it)")
        return found

    async def accepted(
        self,
        operation_id: str,
        body: Body,
        *,
        as_is: bool = False,
        says: Says = Says.VALID,
        blame: str = "",
        purpose: str = "",
    ) -> Task:
        """A submit that must be accepted. No work is ordered where the target allows that, unless `as_is`.

        Raises:
            Broken: it is refused; where the plainest submit is refused too, that is what is broken.
        """
        sent = body if as_is else await self.session.free(operation_id, body)
        try:
            return await self.session.submit(
                operation_id, sent, blame=blame or self.requirement.id, says=says, purpose=purpose or "a valid submit"
            )
        except Broken as end:
            if end.requirement == self.requirement.id != FOUNDATION[operation_id]:
                await self._look_at_the_plainest(operation_id)
            raise

    async def _look_at_the_plainest(self, operation_id: str, *, as_is: bool = False) -> None:
        """Blames its own requirement when the plainest submit is refused as well; in test mode unless `as_is`."""
        makers = {
            bodies.TXT2IMG: self.txt2img,
            bodies.IMG2IMG: self.img2img,
            bodies.TXT2IMG_V2: self.txt2img_v2,
            bodies.IMG2IMG_V2: self.img2img_v2,
        }
        plain = await makers[operation_id]()
        sent = plain if as_is else await self.session.free(operation_id, plain)
        await self.session.submit(operation_id, sent, blame=FOUNDATION[operation_id], purpose="the plainest submit")

    async def refused(
        self,
        operation_id: str,
        body: object = None,
        *,
        at: tuple[str | int, ...] = (),
        says: Says | None = None,
        raw: bytes | Streamed | None = None,
        statuses: tuple[int, ...] = (),
        may_accept: str = "",
        headers: dict[str, str | None] | None = None,
        purpose: str = "",
        timeout_s: float | None = None,
    ) -> Exchange:
        """A submit that must be refused.

        Args:
            at: the one place that is wrong, as a path into the body.
            says: WRONG when not given, UNCHECKED for `raw`.
            statuses: of a v3 refusal, other than 400 alone.
            may_accept: what a tolerated acceptance means, in words; "" when none is tolerated. A body that may be
                accepted asks for no work where the target allows that.

        Raises:
            Broken: it is accepted, or refused in another way.
            NotMeasured: anything is refused, for want of a model; NotSent: it was not worth the pictures any more.
        """
        if raw is None:
            await self.session.know_a_model(operation_id)
        if may_accept and isinstance(body, dict):
            body = await self.free(operation_id, body)
        said = says or (Says.UNCHECKED if raw is not None else Says.WRONG)

        async def send() -> Exchange:
            return await self.session.ask(
                operation_id,
                body,
                raw=raw,
                at=at,
                says=said,
                headers=headers,
                purpose=purpose or f"{_REFUSED_FOR}{'.'.join(map(str, at)) or 'its body'}",
                timeout_s=timeout_s,
            )

        if may_accept or raw is not None or not pictures_asked_for(operation_id, body):
            answer = await send()
        else:
            answer = await self._with_care(send)
        self.judge_refusal(operation_id, answer, statuses, await self._usual(operation_id), may_accept)
        return answer

    async def _with_care(self, send: Callable[[], Awaitable[Exchange]]) -> Exchange:
        """Sends what orders pictures where it should be refused and is not."""
        async with self._orders:
            if self._undue >= MOST_UNDUE:
                raise NotSent(f"{self._undue} cases that should have been refused were accepted already")
            answer = await send()
            self._undue += task_id_v3(answer.json) is not None
            return answer

    async def _usual(self, operation_id: str) -> int:
        return 200 if operation_id.endswith("V2") else await self.session.refusal_status()

    def judge_refusal(
        self, operation_id: str, answer: Exchange, statuses: tuple[int, ...], usual: int, may_accept: str
    ) -> None:
        """Raises unless an answer is a refusal; `usual` is the status with which the target refuses."""
        v2 = operation_id.endswith("V2")
        claim = refused_v2() if v2 else refused_v3(*(statuses or (400,)))
        holds, found = claim.judge(answer)
        if holds:
            return
        task_id = task_id_v3(answer.json)
        taken = answer.status is not None and 200 <= answer.status <= 299 and task_id is not None
        if v2:
            taken = taken and answer.at("code") == 0
        if taken and may_accept:
            self.tolerated(may_accept, answer)
            return
        blame = self.requirement.id
        if may_accept and not v2:
            blame = odd_acceptance_v3(answer) or blame
        code = answer.at("code")
        if v2 and answer.status == 200 and not (taken and code == 0):
            if not has_type(code, ["integer"]):
                blame = "V2-CODE-001" if task_id is None else "V2-SUBMIT-002"
            elif code != 0:
                blame = "V2-SUBMIT-003"  # an error, but with an id beside it
            elif may_accept:
                blame = "V2-SUBMIT-002"  # it says that it accepts, but where is the id?
        elif not taken and answer.status is not None and 400 <= answer.status <= 499:
            if v2:
                blame = "V2-SUBMIT-001"
            elif task_id is not None:
                blame = "V3-ERROR-009"
            elif answer.status == usual != 400:
                blame = "V3-SUBMIT-010"  # every refusal has this status; the plainest one is judged for all
        raise Broken(blame, claim.words, found, (answer.number,), ((answer.number, claim),))

    async def submitted(self, operation_id: str, body: Body, *, copy: int = 0, blame: str = "") -> Task:
        """A task of this body as it is, whatever became of it so far; equal bodies share one unless `copy` differs."""
        send = self.session.submit(
            operation_id, body, copy=copy, blame=blame or FOUNDATION[operation_id], purpose="a valid submit"
        )
        return await self.unless_plain_ones_are_refused(operation_id, send, blame)

    async def unless_plain_ones_are_refused(self, operation_id: str, send: Awaitable[Task], blame: str) -> Task:
        """A task, for whose refusal a requirement is to blame unless the plainest submit is refused as well."""
        try:
            return await send
        except Broken as end:
            if blame and end.requirement == blame:
                await self._look_at_the_plainest(operation_id, as_is=True)
            raise

    async def finished(self, operation_id: str, body: Body, *, copy: int = 0, blame: str = "") -> Task:
        """The same, waited for until it has ended well.

        Args:
            blame: the requirement that is broken when the submit is refused; by default that a plain one is accepted.
        """
        return await self.session.finish(await self.submitted(operation_id, body, copy=copy, blame=blame))

    async def pictures(self, operation_id: str, body: Body, *, copy: int = 0, blame: str = "") -> tuple[Picture, ...]:
        """The pictures of such a task."""
        return await self.session.pictures(await self.submitted(operation_id, body, copy=copy, blame=blame))

    async def once(self, name: str, make: Callable[[], Awaitable[Value]]) -> Value:
        """Something that several checks share."""
        return await self.session.once(name, make)

    async def all(self, trials: Iterable[Awaitable[Value]]) -> list[Value]:
        """Awaits all, and raises what ended the first of them that ended early; our own requirement's trouble first."""
        results = await asyncio.gather(*trials, return_exceptions=True)
        ends = [result for result in results if isinstance(result, BaseException)]
        for end in ends:
            if not isinstance(end, CheckEnd):
                raise end
        ends.sort(key=lambda end: isinstance(end, NotSent))
        own = [end for end in ends if isinstance(end, Broken) and end.requirement == self.requirement.id]
        for end in (*own, *ends):
            if isinstance(end, Broken) and len(own) > 1 and end is own[0]:
                sent = sum(not isinstance(result, NotSent) for result in results)
                unsent = f"; {len(results) - sent} were not sent" if sent < len(results) else ""
                more = f"(and {len(own) - 1} more of {sent} cases{self._named(own)}{unsent})"
                end.actual = f"{_MORE_CASES.sub('', end.actual)} {more}"  # cases within cases are told once
            raise end
        return [result for result in results if not isinstance(result, BaseException)]

    def _named(self, broken: list[Broken]) -> str:
        """What the further ones of some broken cases were about, so that all can be mended at once."""
        log = self.session.client.log.exchanges
        asked = [log[end.exchanges[-1]].purpose for end in broken if end.exchanges and end.exchanges[-1] in log]
        about = list(dict.fromkeys(purpose.removeprefix(_REFUSED_FOR).removeprefix(_WITH) for purpose in asked))[1:]
        more = ", ..." if len(about) > MOST_NAMED else ""
        return f": {', '.join(about[:MOST_NAMED])}{more}" if about else ""

    # Judging ----------------------------------------------------------------------------------------------------------

    def expect(
        self, answer: Exchange, *claims: Claim, blame: str = "", seen: tuple[int, ...] = (), actual: str = ""
    ) -> None:
        """Holds an answer to claims.

        Args:
            blame: another requirement than the one that is judged.
            seen: exchanges before it that belong to the story.
            actual: what was found, where the check knows it better than a claim can say it.

        Raises:
            Broken: the first claim that does not hold.
        """
        for claim in claims:
            holds, found = claim.judge(answer)
            if not holds:
                numbers = (*seen, answer.number)
                said = actual or found
                raise Broken(blame or self.requirement.id, claim.words, said, numbers, ((answer.number, claim),))

    def fail(self, expected: str, actual: str, *seen: Exchange | Task, blame: str = "") -> NoReturn:
        """Says that the requirement is broken.

        Args:
            expected, actual: noun phrases.
            seen: what shows it, the telling one last.
        """
        raise Broken(blame or self.requirement.id, expected, actual, numbers(seen))

    def tolerated(self, what: str, *seen: Exchange | Task, because: tuple[str, ...] = ()) -> None:
        """Says that the target did it in the way that `tolerated` of the requirement allows.

        Args:
            what: what it did, a clause.
            because: C-numbers; those of the requirement when none are given.
        """
        self.tolerances.append((what, because or self.requirement.contradictions, numbers(seen)))

    def branch(self, words: str) -> None:
        """Notes which of several allowed ways the target took."""
        if words not in self.branches:
            self.branches.append(words)

    def not_measured(self, reason: str) -> NoReturn:
        """Ends the check without a verdict on the target; the reason says what would make one possible."""
        raise NotMeasured(reason)

    def not_applicable(self, reason: str) -> NoReturn:
        """Ends the check: the target does not offer this, and need not."""
        raise NotApplicable(reason)


def numbers(seen: Iterable[Exchange | Task]) -> tuple[int, ...]:
    """Numbers in the wire log."""
    found: list[int] = []
    for one in seen:
        found += one.numbers if isinstance(one, Task) else (one.number,)
    return tuple(dict.fromkeys(found))
