"""Submits, and what they rest on: names of models, whether a route exists, how much the target lets through.

Everything is made when it is first asked for, once; an exception is remembered like a value.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from conformance import timing
from conformance.bodies import (
    IMG2IMG,
    IMG2IMG_V2,
    RESULT,
    TXT2IMG,
    TXT2IMG_V2,
    Body,
    img2img,
    img2img_v2,
    txt2img,
    txt2img_v2,
)
from conformance.budget import USD_PER_PICTURE, Cost, pictures
from conformance.client import Client, Key, Says
from conformance.errors import Broken, CheckEnd, NotMeasured, RouteGone
from conformance.expect import accepted_v2, accepted_v3
from conformance.names import Names, names_from
from conformance.predicates import task_id_v3
from conformance.receiver import Receiver
from conformance.target import Target
from conformance.tasks import Task, odd_acceptance_v2, odd_acceptance_v3
from conformance.timing import VirtualClock
from conformance.wire import Exchange

Value = TypeVar("Value")

NAMES, NAME_PAGES = 100, 5
"""How many models of a kind are looked at for names, and on how many pages."""
RATE_LIMIT_WAITS = 3
PLAINEST: Mapping[str, Callable[[Names], Body]] = {
    TXT2IMG: txt2img,
    IMG2IMG: img2img,
    TXT2IMG_V2: txt2img_v2,
    IMG2IMG_V2: img2img_v2,
}
"""The plainest submit of each operation."""
TEST_MODE_S, TEST_MODE_LOOKS_S = 1.5, 0.1
"""How long a task of test mode may seem to be at work, and how often it is looked at."""


class Submitting:
    """The part of a session that submits.

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
            NotMeasured: nobody told a model of the target, and it may have been refused for the one that was named.
        """

        async def send() -> Exchange:
            return await self.ask(operation_id, body, says=says, purpose=purpose)

        if self.target.safe and not self._cheap(operation_id, body):
            raise NotMeasured("not measured: safe mode orders one small task and no more (--no-safe allows it)")
        name = _submit_name(operation_id, copy, body)
        # The answer is shared, a refusal is not: whoever asked for the task blames what they rest on.
        answer = await send() if fresh else await self.once(f"submit {name}", send)
        try:
            task = self.task_of(operation_id, body, answer, blame=blame)
        except Broken:
            await self.know_a_model(operation_id)
            raise
        if fresh:
            return task

        async def share() -> Task:
            return task

        return await self.once(f"task {name}", share)

    async def know_a_model(self, operation_id: str) -> None:
        """Goes on where refusals of an operation tell something: not where any model that we name may be unknown.

        Raises:
            NotMeasured: neither the model list nor the user told a checkpoint, and the plainest submit is refused.
        """
        if operation_id in PLAINEST and not (await self.names()).known:
            why = await self.once(f"model {operation_id}", partial(self._why_no_model, operation_id))
            if why:
                raise NotMeasured(why)

    async def _why_no_model(self, operation_id: str) -> str:
        body = PLAINEST[operation_id](await self.names())
        if self.target.safe and not self._cheap(operation_id, body):
            return ""

        async def send() -> Exchange:
            return await self.ask(operation_id, body, purpose="the plainest submit, with a made-up model")

        answer = await self.once(f"submit {_submit_name(operation_id, 0, body)}", send)
        v2 = operation_id.endswith("V2")
        holds, found = (accepted_v2() if v2 else accepted_v3()).judge(answer)
        refused = answer.status is not None and (400 <= answer.status <= 499 or (v2 and answer.status == 200))
        if holds or not refused:
            return ""
        field, model = (
            ("checkpoint_in_api", body["model_name"]) if v2 else ("checkpoint", body["request"]["model_name"])
        )
        return (
            f"name a model that the server has (--name {field}=...): its list of models tells none, "
            f"and a submit that names {model!r} is refused ({found})"
        )

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
            return {**body, "extra": {**extra, "webhook": self._made_up("TASK_STATUS_SUCCEED")}}
        return body

    def _made_up(self, status: str) -> Body:
        return {"url": self.receiver.sink_url, "test_mode": {"enabled": True, "return_task_status": status}}

    async def _test_mode(self) -> bool:
        if not self.receiver.reachable:
            return False
        body = txt2img(await self.names(), {"webhook": self._made_up("TASK_STATUS_FAILED")})
        try:
            task = await self.submit(TXT2IMG, body, blame="", purpose="whether test mode is offered")
        except (Broken, NotMeasured, RouteGone):
            return False
        seen = await self._work_of(task)
        if seen:
            self.client.budget.accepted(Cost(images=1, usd=USD_PER_PICTURE))
            self.client.notes.append(
                f"test mode is not used, since the target seems to work in extra.webhook.test_mode: {seen}"
            )
        return not seen

    async def _work_of(self, task: Task) -> str:
        """What shows that work is done for a task of test mode that should tell a failure; "" when nothing does.

        A server that knows no test mode takes the submit as any other. What a result shows in test mode is written
        nowhere: no task, a failure or a status of none of the kinds of work are all well.
        """
        started_s = timing.now()
        while True:
            answer = await self.ask(RESULT, params={"task_id": task.task_id}, purpose="whether test mode does no work")
            status = answer.at("task", "status")
            if answer.status != 200 or not isinstance(status, str) or "FAIL" in status.upper():
                return ""
            ended = status.upper().endswith(("SUCCEED", "SUCCESS", "SUCCEEDED"))
            if ended or timing.now() - started_s > TEST_MODE_S:
                return f"a task that should fail has status {status!r}"
            await timing.pause(TEST_MODE_LOOKS_S)

    async def _takes_none(self, field: str) -> bool:
        body = {**txt2img_v2(await self.names()), field: 0}
        return await self._is_accepted(TXT2IMG_V2, body, f"whether {field} 0 is accepted (C17)")

    async def _is_accepted(self, operation_id: str, body: Body, purpose: str) -> bool:
        try:
            await self.submit(operation_id, body, blame="", purpose=purpose)
        except (Broken, NotMeasured, RouteGone):
            return False
        return True

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


def _submit_name(operation_id: str, copy: int, body: Body) -> str:
    """Under which a submit is shared."""
    return f"{operation_id} {copy} {json.dumps(body, sort_keys=True)}"
