"""Carries out the attempts of deliveries: asks the fault plan, sends, judges the answer, plans the next one.

A bounded number of requests is under way at a time, and a bounded number of these to one receiver
(`mockserver.outbound.lanes`); the rest waits for its turn, and no call of the contract waits for any of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import orjson

from mockserver.answers import View
from mockserver.core.course import NEVER_MS
from mockserver.faults.breaks import DEFAULT_EVENT_FIELD, broken
from mockserver.faults.effects import Effect
from mockserver.faults.facts import Facts
from mockserver.faults.kinds import Kind
from mockserver.faults.points import Point
from mockserver.logs import log
from mockserver.outbound.guard import LOOPBACK, BadTarget, lane_of, read_url
from mockserver.outbound.lanes import Lanes
from mockserver.outbound.sender import LOOP_HEADER, ErrorKind, Outcome, Outgoing
from mockserver.webhooks.delivery import ANSWER_BYTES, Attempt, Cause, Delivery, Origin, State, Try
from mockserver.webhooks.event import event_body, event_payload
from mockserver.webhooks.inbox import PATH
from mockserver.webhooks.judging import findings_about, verdict
from mockserver.webhooks.opposite import opposite
from mockserver.webhooks.signature import Signer, SigningUnavailable

if TYPE_CHECKING:
    from mockserver.core.task import Task
    from mockserver.mock import Mock
    from mockserver.webhooks.under_way import Waiting
    from mockserver.world import World

EARLY_TIMEOUT_S = 60.0
"""How long a submit waits at most for the event that is to come before its answer."""
REORDER_MS = 60_000
"""How long a delivery waits at most for one that goes before it, by the world's clock."""
HOPELESS = frozenset({ErrorKind.REFUSED_TARGET, ErrorKind.BAD_URL, ErrorKind.BAD_REQUEST})
"""Errors that are ours and the same at every attempt."""
SIGNATURE = "webhook-signature"
OWN_PREFIXES = ("/__mock", "/prod/", "/v2_prod/", "/test_data/")
"""Paths of the mock beside those of its operations."""

_LOOPBACK = frozenset((*LOOPBACK, "localhost"))


class Courier:
    """Brings the events of all worlds.

    Args:
        mock: whose worlds they are; gives sender, link signer, ids and time.
    """

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        self._lanes = Lanes()
        self._signer: tuple[str, Signer] | None = None

    def plan(self, world: World, delivery: Delivery, at_ms: int) -> None:
        """The next attempt of a delivery is to be made at an instant of its world."""
        _withdraw(world, delivery)
        world.enter(at_ms, world.desk.plan(delivery, at_ms))

    def owe(self, world: World, task: Task) -> None:
        """A task has ended: its event is owed from now on."""
        now_ms = world.clock.now_ms()
        delivery = world.desk.owe(task, now_ms)
        if delivery is not None and delivery.state is State.PENDING:
            self.plan(world, delivery, now_ms)

    async def carry_out(self, world: World, errand: Try) -> None:
        """Makes the attempt that an errand stands for, unless its turn has passed."""
        delivery = world.desk.take(errand)
        if delivery is None:
            return
        try:
            await self._attempt(world, delivery)
        except Exception:
            if delivery.state is State.PENDING and delivery.due_ms is None:  # nobody would look at it again
                world.desk.end(delivery, State.FAILED, "the mock failed; its log tells why")
            raise

    async def release(self, world: World, deliveries: Sequence[Delivery]) -> None:
        """Releases held deliveries and makes their attempts, one after the other in the order given."""
        for delivery in deliveries:
            if delivery.state is State.HELD and world.desk.is_here(delivery):
                delivery.note = ""
                if delivery.busy:  # held while an attempt was under way: what that brings decides
                    delivery.state = State.PENDING
                    continue
                await self.carry_out(world, world.desk.plan(delivery, world.clock.now_ms()))

    async def send_again(
        self, world: World, delivery: Delivery, cause: Cause, times: int = 1, *, at_once: bool = False
    ) -> list[Attempt]:
        """Sends an event some more times; what is planned for it stays, unless a copy is taken.

        Args:
            world: whose it is.
            delivery: which event.
            cause: why.
            times: how many copies.
            at_once: at the same time rather than one after the other.
        """
        body = self._body(world, delivery)
        if at_once:
            return list(await asyncio.gather(*(self._send(world, delivery, cause, body) for _ in range(times))))
        return [await self._send(world, delivery, cause, body) for _ in range(times)]

    def contradict(self, world: World, delivery: Delivery) -> Delivery:
        """Plans a second event that says the opposite of a delivery's."""
        now_ms = world.clock.now_ms()
        other = world.desk.contradict(
            delivery, opposite(self._body(world, delivery), self._view(world), now_ms), now_ms
        )
        self.plan(world, other, now_ms)
        return other

    def hold(self, world: World, delivery: Delivery, note: str) -> None:
        """Makes a delivery wait until it is released; an attempt under way is not called back."""
        _withdraw(world, delivery)
        world.desk.hold(delivery, note)

    def drop(self, world: World, delivery: Delivery, note: str) -> None:
        """Gives a delivery up: no attempt is made any more."""
        _withdraw(world, delivery)
        world.desk.end(delivery, State.DROPPED, note)

    async def told(self, world: World, task: Task) -> None:
        """Waits until the first attempt to tell of a task's end was made, or is known not to be made now."""
        epoch = world.desk.epoch

        def is_told() -> bool:
            delivery = world.desk.of_task(task.id)
            if delivery is None or world.desk.epoch != epoch:  # not yet, or the world was reset meanwhile
                return world.desk.epoch != epoch
            late = delivery.due_ms is not None and delivery.due_ms > world.clock.now_ms()
            return len(delivery.attempts) > 0 or delivery.state is not State.PENDING or late  # `made` has begun only

        await world.desk.bell.wait_until(is_told, EARLY_TIMEOUT_S)

    async def _attempt(self, world: World, delivery: Delivery) -> None:
        """A try that counts: the first or a retry."""
        desk, tries = world.desk, delivery.tries + 1
        effect = self._decided(world, delivery, tries)
        match effect.kind if effect is not None else None:
            case Kind.DROP:
                desk.end(delivery, State.DROPPED, "lost by the fault plan")
                return
            case Kind.HOLD:
                desk.hold(delivery, "held by the fault plan")
                return
            case Kind.LATE:
                assert effect is not None
                delivery.note = f"late by the fault plan: {effect}"
                self.plan(world, delivery, min(world.clock.now_ms() + effect.time_ms(), NEVER_MS - 1))
                return
            case Kind.REORDER if not desk.waiting:  # else it is the one that another waits for
                delivery.note = "lets the next one of its world go first"
                self.plan(world, delivery, min(world.clock.now_ms() + REORDER_MS, NEVER_MS - 1))
                desk.waiting.append(delivery)
                return
        delivery.note = "" if delivery.origin is Origin.TASK else delivery.note
        delivery.tries = tries
        behind = list(desk.waiting)
        body = self._body(world, delivery)
        cause = Cause.FIRST if tries == 1 else Cause.RETRY
        await self._send(world, delivery, cause, altered(body, effect), effect)
        if effect is not None and effect.kind is Kind.DUPLICATE:
            await self.send_again(world, delivery, Cause.DUPLICATE, (effect.integer("times") or 2) - 1)
        if not desk.is_here(delivery):
            return
        if effect is not None and effect.kind is Kind.CONFLICT:
            self.contradict(world, delivery)
        for other in behind:
            if other in desk.waiting:
                _withdraw(world, other)
                await self.carry_out(world, desk.plan(other, world.clock.now_ms()))

    def _decided(self, world: World, delivery: Delivery, tries: int) -> Effect | None:
        """What the fault plan does to a try; it is asked once for each."""
        task = delivery.task
        if not world.faults.active or task is None or delivery.asked >= tries:
            return None
        delivery.asked = tries
        facts = Facts(operation_id=task.operation_id, body=task.body, task=task.number, attempt=tries)
        position = f"{task.number}.{tries}"  # the delivery's own number tells which task's end was carried out first
        effect = world.faults.decide(Point.WEBHOOK_ATTEMPT, position, facts, world.clock.now_ms())
        if effect is None:
            world.faults.passed(Point.WEBHOOK_ATTEMPT, facts)
        return effect

    async def _send(
        self, world: World, delivery: Delivery, cause: Cause, body: bytes, effect: Effect | None = None
    ) -> Attempt:
        """One POST, written down and judged."""
        delivery.busy += 1
        try:
            with world.desk.under_way.one() as waiting:
                async with self._lanes.turn(lane_of(delivery.url)):
                    at_ms = world.clock.now_ms()
                    delivery.made += 1
                    number = delivery.made
                    headers, outcome = await self._answered(world, delivery, body, waiting)
        finally:
            delivery.busy -= 1
        attempt = Attempt(
            number=number,
            cause=cause,
            at_ms=at_ms,
            sent_ms=outcome.started_ms,
            took_ms=outcome.elapsed_ms,
            headers={
                name: "..." if name == SIGNATURE else value
                for name, value in {**headers, LOOP_HEADER.lower(): delivery.id}.items()
            },
            sent_bytes=len(body),
            status=outcome.status,
            answer_headers=_clean_headers(world, delivery, outcome),
            answer=clean(world.desk.redactor.request(outcome.answer, ANSWER_BYTES)[0], delivery),
            error=None if outcome.error is None else outcome.error.value,
            message=outcome.message,
            effect="" if effect is None else str(effect),
            ok=outcome.ok,
            verdict=verdict(outcome),
        )
        if world.desk.is_here(delivery):
            self._write_down(world, delivery, attempt, outcome)
        return attempt

    async def _answered(
        self, world: World, delivery: Delivery, body: bytes, waiting: Waiting
    ) -> tuple[dict[str, str], Outcome]:
        """The headers sent, and what came of it."""
        settings = world.settings.webhooks
        headers = {"content-type": "application/json"}
        began, started_ms = asyncio.get_running_loop().time(), self._mock.wall()
        try:
            if settings.secret is not None:
                headers |= self._signed(settings.secret, delivery.id, body)
            async with waiting.until(world.clock.now_ms() + settings.timeout_ms):
                return headers, await self._outcome(world, delivery, headers, body, settings.timeout_ms / 1000)
        except SigningUnavailable as error:
            return headers, Outcome(error=ErrorKind.INTERNAL, message=str(error), started_ms=started_ms)
        except TimeoutError:  # the clock was moved beyond its time
            return headers, Outcome(
                error=ErrorKind.TIMEOUT,
                message=f"no whole answer within {settings.timeout_ms / 1000:g} s of the world's clock",
                started_ms=started_ms,
                elapsed_ms=round((asyncio.get_running_loop().time() - began) * 1000),
            )

    def _write_down(self, world: World, delivery: Delivery, attempt: Attempt, outcome: Outcome) -> None:
        """What an attempt means for its delivery, and for what is known of the receiver."""
        desk = world.desk
        if attempt.ok:
            _withdraw(world, delivery)
            if delivery.origin is Origin.TASK:
                world.verdicts.learned(delivery.task_id)
        desk.record(delivery, attempt)
        if delivery.state.owed and attempt.cause in (Cause.FIRST, Cause.RETRY):
            wait_ms = world.settings.webhooks.wait_ms(delivery.tries)
            if outcome.error in HOPELESS:
                desk.end(delivery, State.FAILED, "not tried again: it would fail in the same way")
            elif wait_ms is None:
                desk.end(delivery, State.FAILED, f"given up after {delivery.tries} attempts")
            elif delivery.state is State.PENDING:
                next_ms = max(world.clock.now_ms(), attempt.at_ms + wait_ms)
                self.plan(world, delivery, min(next_ms, NEVER_MS - 1))
        if not (self._own_route(world, delivery.url) or "").startswith(PATH):  # an inbox does as a test tells it
            world.findings.add(findings_about(delivery.shown, attempt))
        log.info(
            "delivery.attempted",
            extra={
                "world": world.label,
                "task_id": delivery.task_id,
                "delivery": delivery.id,
                "attempt": attempt.number,
                "status": attempt.status,
                "error": attempt.error,
                "state": delivery.state.value,
            },
        )
        if self._mock.on_attempt is not None:
            self._mock.on_attempt(world, delivery, attempt)

    async def _outcome(
        self, world: World, delivery: Delivery, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Outcome:
        where = self._own_route(world, delivery.url)
        if where == PATH + world.id:
            return await self._to_inbox(world, delivery, headers, body, timeout_s)
        if where is not None and not where.startswith(PATH) and self._answers(where):
            return Outcome(
                error=ErrorKind.REFUSED_TARGET,
                message="the mock sends no events to its own routes; the world's inbox is at " + PATH + world.id,
                started_ms=self._mock.wall(),
            )
        outgoing = Outgoing(url=delivery.url, headers=headers, body=body, id=delivery.id)
        return await self._mock.sender.send(outgoing, timeout_s=timeout_s)

    async def _to_inbox(
        self, world: World, delivery: Delivery, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Outcome:
        """The world's own inbox is reached without a socket: it is there whatever name the client knows the mock by."""
        began, started_ms = asyncio.get_running_loop().time(), self._mock.wall()
        came = {name.lower().encode(): value.encode("latin-1") for name, value in headers.items()}
        came |= {LOOP_HEADER.lower().encode(): delivery.id.encode(), b"content-length": b"%d" % len(body)}
        answer = world.desk.inbox.receive(
            came, body, at_ms=world.clock.now_ms(), received_ms=started_ms, shown=clean(body, delivery)
        )
        status: int | None = answer.status
        error, message = None, ""
        if answer.delay_ms:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._mock.pause(answer.delay_ms / 1000)
            except TimeoutError:
                status, error, message = None, ErrorKind.TIMEOUT, f"no whole answer within {timeout_s:g} s"
        elapsed_ms = round((asyncio.get_running_loop().time() - began) * 1000)
        return Outcome(status=status, error=error, message=message, started_ms=started_ms, elapsed_ms=elapsed_ms)

    def _answers(self, path: str) -> bool:
        """Whether a path is one of the mock's own; a proxy may put others behind the same address."""
        own = {operation.path for operation in self._mock.document.operations.values()}
        return path in own or path.startswith(OWN_PREFIXES)

    def _own_route(self, world: World, url: str) -> str | None:
        """The path of a URL that leads to this mock under the address that its client knows; None for any other."""
        try:
            parts, host, port = read_url(url)
            _, own_host, own_port = read_url(self._base_url(world))
        except BadTarget:
            return None
        same = host == own_host or (host in _LOOPBACK and own_host in _LOOPBACK)
        return parts.path if same and port == own_port else None

    def _body(self, world: World, delivery: Delivery) -> bytes:
        """The event, made when it is first needed: links are signed then."""
        if delivery.body is None:
            assert delivery.task is not None, "a task is let go only when its event is made"
            delivery.body = event_body(event_payload(delivery.task, world.clock.now_ms(), self._view(world)))
            if not delivery.state.owed:
                delivery.task = None
        return delivery.body

    def _view(self, world: World) -> View:
        return View(
            base_url=self._base_url(world),
            signer=self._mock.signer,
            ids=self._mock.ids,
            link_ttl_s=world.link_ttl_s,
        )

    def _base_url(self, world: World) -> str:
        return self._mock.settings.public_base_url or world.base_url

    def _signed(self, secret: str, id: str, body: bytes) -> dict[str, str]:
        """Headers of the signature; a receiver holds its time against the machine's, not the world's."""
        if self._signer is None or self._signer[0] != secret:
            self._signer = secret, Signer(secret)
        return self._signer[1].headers(id=id, instant_ms=self._mock.wall(), body=body)


def altered(body: bytes, effect: Effect | None) -> bytes:
    """An event as it is sent in one attempt: broken or cut, where the fault plan says so."""
    if effect is not None and effect.kind is Kind.BREAK:
        return orjson.dumps(broken(orjson.loads(body), effect, DEFAULT_EVENT_FIELD))
    if effect is not None and effect.kind is Kind.TRUNCATE:
        return body[: min(len(body) - 1, int(len(body) * effect.number("share")))]
    return body


def clean(text: bytes, delivery: Delivery) -> bytes:
    """A text as it may be kept and shown: the webhook's URL stands in it without what may be a secret."""
    if delivery.url == delivery.shown:
        return text
    return text.replace(_in_json(delivery.url), _in_json(delivery.shown)).replace(
        delivery.url.encode(), delivery.shown.encode()
    )


def _withdraw(world: World, delivery: Delivery) -> None:
    """The next attempt that was planned is not made."""
    if delivery.due_ms is not None:
        world.withdraw(Try(delivery.id, delivery.turn))


def _in_json(text: str) -> bytes:
    return orjson.dumps(text)[1:-1]


def _clean_headers(world: World, delivery: Delivery, outcome: Outcome) -> dict[str, str]:
    given = tuple((name.encode(), value.encode("utf-8", "replace")) for name, value in outcome.answer_headers.items())
    return {
        name.decode(): clean(value, delivery).decode("utf-8", "replace")
        for name, value in world.desk.redactor.headers(given)
    }
