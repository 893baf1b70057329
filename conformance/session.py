"""What the checks of one run share: connections, tasks that serve many checks, names of models, the receiver.

Everything is made when it is first asked for, once; an exception is remembered like a value.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from conformance import timing
from conformance.bodies import IMG2IMG, PROGRESS, RESULT, TXT2IMG, TXT2IMG_V2, Body, txt2img, txt2img_v2
from conformance.budget import pictures
from conformance.client import Client, Key, Says
from conformance.errors import Broken, CheckEnd, NotMeasured, RouteGone
from conformance.expect import accepted_v2, accepted_v3
from conformance.names import Names, names_from
from conformance.predicates import has_type, task_id_v3
from conformance.receiver import Receiver
from conformance.target import Target
from conformance.tasks import (
    WORDS_V3,
    Picture,
    Task,
    decoded,
    ended,
    links,
    odd_acceptance_v2,
    odd_acceptance_v3,
    status_of,
)
from conformance.timing import VirtualClock
from conformance.wire import MISSING, Exchange

Value = TypeVar("Value")

MOST_VIRTUAL_POLLS = 60
"""With a virtual clock a task that has not ended after these, an hour of its time, never will."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 1.0
SHORT_DEADLINE_S = 5.0
"""Real seconds for further tasks once one did not end at all."""
CLOSE_LOOKS, CLOSE_FIRST_LOOKS, CLOSE_STEP_S = 60, 10, 0.1
"""How often a watched task is looked at, and how far a virtual clock is moved between two looks while it is at work."""
NAMES, NAME_PAGES = 100, 5
"""How many models of a kind are looked at for names, and on how many pages."""
RATE_LIMIT_WAITS = 3


class Session:
    """Shared state of one run; a second one, made from the same client, starts afresh.

    Args:
        client: the way to the target.
        clock: the target's virtual clock, None when it has none.
        receiver: where webhooks arrive.
    """

    def __init__(self, client: Client, clock: VirtualClock | None, receiver: Receiver) -> None:
        self.client = client
        self.target: Target = client.target
        self.document = client.document
        self.ledger = client.ledger
        self.clock = clock
        self.receiver = receiver
        self._made: dict[str, asyncio.Future[Any]] = {}
        self._moving = asyncio.Lock()
        self._moves = 0
        self._one_never_ended = False

    def afresh(self) -> Session:
        """A session with the same target that shares nothing with this one yet."""
        return Session(self.client, self.clock, self.receiver)

    async def once(self, name: str, make: Callable[[], Awaitable[Value]]) -> Value:
        """A value that is made by the first who asks; the others wait for it."""
        self.ledger.use(name)
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = asyncio.get_running_loop().create_future()
            made.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody else may ask
            try:
                with self.ledger.making(name):
                    made.set_result(await make())
            except asyncio.CancelledError:
                made.cancel()
                raise
            except BaseException as error:
                made.set_exception(error)
        return await asyncio.shield(made)

    # Names ------------------------------------------------------------------------------------------------------------

    async def names(self) -> Names:
        """Names of models that submits may use."""
        return await self.once("names", self._ask_names)

    async def _ask_names(self) -> Names:
        found: list[dict[str, Any]] = []
        for kind in ("checkpoint", "lora", "vae", "textualinversion"):
            found += await self._listed(kind)
        return names_from(found, self.target.names)

    async def _listed(self, kind: str) -> list[dict[str, Any]]:
        """The first hundred models of a kind, or so; a server may put fewer on a page than it was asked for."""
        found: list[dict[str, Any]] = []
        cursor: object = ""
        for _ in range(NAME_PAGES):
            asked = {"filter.types": kind, "pagination.limit": str(NAMES)}
            after = {"pagination.cursor": cursor} if isinstance(cursor, str) and cursor else {}
            answer = await self.client.call("listModels", params=asked | after, purpose=f"names of the kind {kind}")
            listed, cursor = answer.at("models"), answer.at("pagination", "next_cursor")
            found += [model for model in listed if isinstance(model, dict)] if isinstance(listed, list) else []
            if len(found) >= NAMES or not isinstance(cursor, str) or not cursor:
                break
        return found

    # Submits ----------------------------------------------------------------------------------------------------------

    async def submit(
        self,
        operation_id: str,
        body: Body,
        *,
        blame: str,
        copy: int = 0,
        says: Says = Says.VALID,
        fresh: bool = False,
        purpose: str = "",
    ) -> Task:
        """An accepted submit; equal ones are sent once, unless `copy` differs or `fresh` says otherwise.

        Args:
            blame: the requirement that is broken when it is refused.

        Raises:
            Broken: it was refused.
        """

        async def send() -> Exchange:
            return await self.ask(operation_id, body, says=says, purpose=purpose)

        if self.target.safe and not self._cheap(operation_id, body):
            raise NotMeasured("not measured: safe mode orders one small task and no more (--no-safe allows it)")
        if fresh:
            return self.task_of(operation_id, body, await send(), blame=blame)
        name = f"{operation_id} {copy} {json.dumps(body, sort_keys=True)}"
        # The answer is shared, a refusal is not: whoever asked for the task blames what they rest on.
        task = self.task_of(operation_id, body, await self.once(f"submit {name}", send), blame=blame)

        async def share() -> Task:
            return task

        return await self.once(f"task {name}", share)

    def _cheap(self, operation_id: str, body: Body) -> bool:
        """Whether safe mode may send it: the smallest task, of which there is one, or a made-up event."""
        if operation_id != TXT2IMG:
            return False
        plain = txt2img(Names(checkpoint="", checkpoint_in_api=""))
        smallest = {**plain, "request": {**plain["request"], "model_name": body.get("request", {}).get("model_name")}}
        return body == smallest or pictures(operation_id, body) == 0

    def task_of(self, operation_id: str, body: Body, answer: Exchange, *, blame: str) -> Task:
        """The task that a submit made.

        Raises:
            Broken: the submit was not accepted.
        """
        v2 = operation_id.endswith("V2")
        claim = accepted_v2() if v2 else accepted_v3()
        holds, found = claim.judge(answer)
        task_id = task_id_v3(answer.json)
        if not holds or task_id is None:
            if not v2:
                blame = odd_acceptance_v3(answer) or blame
            elif answer.status is not None and 200 <= answer.status <= 299:
                blame = odd_acceptance_v2(answer) or blame
            raise Broken(blame, claim.words, found, (answer.number,), ((answer.number, claim),))
        return Task(operation_id=operation_id, body=body, submit=answer, task_id=task_id)

    async def ask(self, operation_id: str, body: object = None, **how: Any) -> Exchange:
        """Calls an operation with a good key; an answer 429 is waited out, a route that is gone told apart.

        Raises:
            RouteGone: the operation does not exist there.
            Broken: V3-AUTH-001 or V2-AUTH: the key that we were given is not taken.
            NotMeasured: the target refuses further calls for their number.
        """
        for waited in range(RATE_LIMIT_WAITS + 1):
            answer = await self.client.call(operation_id, body, **how)
            if answer.status != 429:
                break
            if waited < RATE_LIMIT_WAITS:
                await self.wait_out(answer)
        else:
            raise NotMeasured("the target answers 429; ask for less at once, or later (--workers, --only)")
        if answer.status in (404, 405, 410, 501) and answer.at("reason") not in ("TASK_NOT_FOUND", "MODEL_NOT_FOUND"):
            await self._look_whether_gone(operation_id, answer)
        if answer.status in (401, 403) and how.get("key", Key.OWN) is Key.OWN and not operation_id.endswith("V2"):
            raise Broken("V3-AUTH-001", "the key to be served", answer.brief(), (answer.number,))
        return answer

    async def wait_out(self, answer: Exchange) -> None:
        """Waits until an answer 429 allows to ask again.

        Raises:
            NotMeasured: that would take longer than the user's patience.
        """
        said = answer.headers.get("retry-after", "")
        seconds = min(float(said) if said.isdigit() else 60.0, 61.0)
        if self.clock:
            await self.clock.advance(seconds)
        elif seconds <= self.target.patience_s:
            await timing.pause(seconds)
        else:
            raise NotMeasured(f"the target answers 429 and would have to be waited for {seconds:g} s (--patience)")

    async def gone(self, operation_id: str) -> Exchange | None:
        """The answer that shows that an operation does not exist at the target; None when it does."""

        async def look() -> Exchange | None:
            operation = self.document.operations[operation_id]
            empty: Body | None = {} if operation.method == "POST" else None
            answer = await self.client.call(
                operation_id, empty, says=Says.UNCHECKED, purpose="whether the route exists"
            )
            if answer.status in (405, 410, 501):
                return answer
            known = ("TASK_NOT_FOUND", "MODEL_NOT_FOUND")
            if answer.status == 404 and operation_id != RESULT and answer.at("reason") not in known:
                return answer
            return None

        return await self.once(f"gone {operation_id}", look)

    async def _look_whether_gone(self, operation_id: str, answer: Exchange) -> None:
        shown = await self.gone(operation_id)
        if shown is not None and shown.status == answer.status:
            raise RouteGone(operation_id, f"answered {shown.brief()}")

    # Free submits -----------------------------------------------------------------------------------------------------

    async def free(self, operation_id: str, body: Body) -> Body:
        """The same submit, asking for no work where the target offers that: for checks of acceptance alone.

        v3 has test mode (a made-up event in place of work); v2 allows no runs at all (C17). A target that does not
        offer them gets the body as it is.
        """
        if operation_id.endswith("V2"):
            # What a check is about stays as it is: a body whose own n_iter is odd asks for no pictures per run.
            for field in ("n_iter", "batch_size"):
                if body.get(field) == 1 and await self.once(f"no {field}", partial(self._takes_none, field)):
                    return {**body, field: 0}
            return body
        extra = body.get("extra", {})
        if isinstance(extra, dict) and "webhook" not in extra and await self.once("test mode", self._test_mode):
            return {**body, "extra": {**extra, "webhook": self._made_up()}}
        return body

    def _made_up(self) -> Body:
        return {
            "url": self.receiver.sink_url,
            "test_mode": {"enabled": True, "return_task_status": "TASK_STATUS_SUCCEED"},
        }

    async def _test_mode(self) -> bool:
        if not self.receiver.reachable:
            return False
        body = txt2img(await self.names(), {"webhook": self._made_up()})
        return await self._is_accepted(TXT2IMG, body, "whether test mode is offered")

    async def _takes_none(self, field: str) -> bool:
        body = {**txt2img_v2(await self.names()), field: 0}
        return await self._is_accepted(TXT2IMG_V2, body, f"whether {field} 0 is accepted (C17)")

    async def _is_accepted(self, operation_id: str, body: Body, purpose: str) -> bool:
        try:
            await self.submit(operation_id, body, blame="", purpose=purpose)
        except (Broken, NotMeasured, RouteGone):
            return False
        return True

    # Waiting ----------------------------------------------------------------------------------------------------------

    async def poll(self, task: Task) -> Exchange:
        """Asks once for a task and keeps the answer with it."""
        operation_id = PROGRESS if task.v2 else RESULT
        answer = await self.ask(operation_id, params={"task_id": task.task_id}, purpose="how the task is doing")
        task.polls.append(answer)
        return answer

    async def finish(self, task: Task) -> Task:
        """Asks until the task has ended well.

        Raises:
            Broken: it cannot be asked for, does not end in time, or fails.
        """
        return await self.once(
            f"finish {task.operation_id} {task.task_id} {task.submit.number}", lambda: self._finish(task)
        )

    async def _finish(self, task: Task) -> Task:
        started_s, wait_s, step_s = timing.now(), FIRST_PAUSE_S, 2.0
        seen_before = len(task.polls)
        while True:
            moves = self._moves
            # An end that was seen already counts: that it stays is a matter of its own.
            known = bool(task.polls) and ended(task.status, v2=task.v2)
            answer = task.result if known else await self.poll(task)
            status = self._status(task, answer)
            if ended(status, v2=task.v2):
                break
            late_s = min(self.target.task_timeout_s, SHORT_DEADLINE_S if self._one_never_ended else 1e9)
            if timing.now() - started_s > late_s or (self.clock and len(task.polls) - seen_before > MOST_VIRTUAL_POLLS):
                self._one_never_ended = True
                self._never_ended(task, answer, timing.now() - started_s)
            if self.clock:
                await self._move(step_s, since=moves)
                step_s = min(step_s * 1.2, 120.0)
            else:
                await timing.pause(wait_s)
                wait_s = min(wait_s * 1.5, LONGEST_PAUSE_S)
        good = status == (2 if task.v2 else "TASK_STATUS_SUCCEED")
        if not good:
            blame = "V2-PROGRESS-004" if task.v2 else "V3-LIFE-002"
            raise Broken(blame, "a task that ends well", answer.brief(), task.numbers)
        return task

    async def watch(self, operation_id: str, body: Body, *, blame: str) -> Task:
        """A task of this body, ended, that was looked at often enough to be seen at work.

        A virtual clock is moved in small steps for it, while nobody else moves it; that is why it is submitted here.
        A body that is watched must not be asked for in another way as well, or it may have ended before.
        """

        async def look() -> Task:
            if not self.clock:
                return await self.finish(await self.submit(operation_id, body, blame=blame, purpose="a valid submit"))
            async with self._moving:
                task = await self.submit(operation_id, body, blame=blame, purpose="a valid submit")
                for _ in range(CLOSE_LOOKS):
                    answer = await self.poll(task)
                    status = self._status(task, answer)
                    if ended(status, v2=task.v2):
                        break
                    await self.clock.advance(_close_step(task, answer, status))
                    self._moves += 1
            return await self.finish(task)

        return await self.once(f"watch {operation_id} {json.dumps(body, sort_keys=True)}", look)

    async def pass_time(self, seconds: float, pause_s: float) -> None:
        """Lets a little time pass for who waits for something to come.

        Args:
            seconds: of a virtual clock.
            pause_s: real ones.
        """
        if self.clock:
            await self._move(seconds, since=self._moves)
        await timing.pause(pause_s)

    @asynccontextmanager
    async def alone_with_the_clock(self) -> AsyncIterator[VirtualClock | None]:
        """The virtual clock, which nobody else moves during the block; who waits for it looks again afterwards."""
        async with self._moving:
            try:
                yield self.clock
            finally:
                self._moves += 1

    async def _move(self, seconds: float, *, since: int) -> None:
        """Moves the clock once for all who wait; whoever finds it moved since its last look asks again first."""
        assert self.clock is not None
        async with self._moving:
            if self._moves == since:
                await self.clock.advance(seconds)
                self._moves += 1

    def _status(self, task: Task, answer: Exchange) -> Any:
        if task.v2:
            told = answer.at("code") == 0 and isinstance(answer.at("data"), dict)
            if answer.status != 200 or not told:
                blame = "V2-SUBMIT-001" if told else "V2-PROGRESS-001"
                expected = "status 200, code 0 and an object data"
                raise Broken(blame, expected, answer.brief(), (task.submit.number, answer.number))
            if not has_type(answer.at("data", "status"), ["integer"]):
                expected = "an integer data.status"
                raise Broken("V2-PROGRESS-003", expected, answer.brief(), (task.submit.number, answer.number))
        elif answer.status != 200:
            # Known at once or not at all: an id that is unknown right after its submit breaks V3-LIFE-001.
            blame = "V3-LIFE-001" if answer.status == 404 and len(task.polls) == 1 else "V3-RESULT-001"
            raise Broken(blame, "status 200", answer.brief(), (task.submit.number, answer.number))
        elif not isinstance(answer.json, dict):
            raise Broken("V3-RESULT-001", "a JSON object", answer.brief(), (task.submit.number, answer.number))
        status = status_of(answer, v2=task.v2)
        if not task.v2 and status is MISSING:
            raise Broken(
                "V3-RESULT-005", "an object task with a status", answer.brief(), (*task.numbers[:1], answer.number)
            )
        return status

    def _never_ended(self, task: Task, answer: Exchange, waited_s: float) -> None:
        how_long = f"{self.clock.moved_s:.0f} s of its clock" if self.clock else f"{waited_s:.0f} s"
        status = status_of(answer, v2=task.v2)
        strange = status not in range(5) if task.v2 else status not in WORDS_V3
        if strange:
            blame = "V2-PROGRESS-003" if task.v2 else "V3-RESULT-007"
            raise Broken(blame, "a documented status", repr(status), task.numbers)
        blame = "V2-PROGRESS-004" if task.v2 else "V3-LIFE-002"
        raise Broken(blame, f"a task that has ended after {how_long}", answer.brief(), task.numbers)

    # Pictures ---------------------------------------------------------------------------------------------------------

    async def pictures(self, task: Task) -> tuple[Picture, ...]:
        """The pictures of a task that ended well, in the order of its result.

        Raises:
            Broken: a link does not give a picture.
        """
        await self.finish(task)
        return await self.once(f"pictures {task.operation_id} {task.task_id}", lambda: self._pictures(task))

    async def _pictures(self, task: Task) -> tuple[Picture, ...]:
        entries = links(task.result, v2=task.v2)
        if not entries:
            blame = "V2-PROGRESS-007" if task.v2 else "V3-RESULT-013"
            if not task.v2 and task.result.at("images", 0) is not MISSING:
                blame = "V3-RESULT-014"  # there are entries, but none with a link
            raise Broken(blame, "links to pictures", task.result.brief(), task.numbers)
        return tuple([await self.picture(task, index, entry) for index, entry in enumerate(entries)])

    async def picture(self, task: Task, index: int, entry: dict[str, Any]) -> Picture:
        """One picture behind a link of a task.

        Raises:
            Broken: the link does not give a picture.
        """
        download = await self.fetch(entry["image_url"])
        seen = (*task.numbers, download.number)
        if download.status != 200:
            blame = "V2-IMAGE-001" if task.v2 else "V3-LINK-001"
            if task.v2 and not entry["image_url"].startswith(("http://", "https://")):
                blame = "V2-PROGRESS-007"  # no link at all
            raise Broken(blame, "status 200", download.brief(), seen)
        try:
            image = decoded(download.body)
        except (OSError, ValueError, SyntaxError) as error:
            blame = "V2-IMAGE-001" if task.v2 else "V3-IMAGE-001"
            raise Broken(blame, "a whole picture", f"{len(download.body)} bytes: {error}", seen) from None
        return Picture(index=index, entry=entry, download=download, image=image)

    async def fetch(self, url: str, **how: Any) -> Exchange:
        """GET of a link, as anybody would: without a key."""
        return await self.client.request("GET", url, purpose="the picture behind a link", **how)

    # Foundations ------------------------------------------------------------------------------------------------------

    async def refusal_status(self) -> int:
        """With which status of 4xx the target refuses the plainest bad submit; 400 when it takes it or breaks."""

        async def look() -> int:
            answer = await self.ask(
                TXT2IMG if await self.gone(TXT2IMG) is None else IMG2IMG,
                {},
                says=Says.WRONG,
                purpose="how the target refuses a submit without a request",
            )
            plain = answer.status is not None and 400 <= answer.status <= 499 and task_id_v3(answer.json) is None
            return answer.status or 400 if plain else 400

        try:
            return await self.once("refusal", look)
        except CheckEnd:
            return 400


def _close_step(task: Task, answer: Exchange, status: object) -> float:
    """Seconds of a virtual clock after which a watched task is worth another look: half of its rest while it waits."""
    rest = answer.at("data", "eta_relative") if task.v2 else answer.at("task", "eta")
    waits = status in (0, "TASK_STATUS_QUEUED")
    # The first looks are close whatever is told: a rest of 1 may stand for a tenth of a second.
    longer = waits and len(task.polls) > CLOSE_FIRST_LOOKS and has_type(rest, ["number"])
    return max(CLOSE_STEP_S, float(rest) / 2) if longer else CLOSE_STEP_S
