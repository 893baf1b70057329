"""What a variation is: a correct server that differs in what the contract leaves free, made by the same proxy.

A variation is written like a mutant, but breaks nothing, so no check may turn red for it. Its random numbers come from
a seed, so that one variation stands for many servers.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from conformance.bodies import IMG2IMG, IMG2IMG_V2, MODELS, PROGRESS, RESULT, TXT2IMG, TXT2IMG_V2
from conformance.mutants.making import When, operations
from conformance.mutants.values import Answer, Mutant, OnAnswer, Request, State
from conformance.wire import MISSING

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Make: TypeAlias = "Callable[[random.Random], Mutant]"

V3_CALLS = (TXT2IMG, IMG2IMG, RESULT, MODELS)
V2_CALLS = (TXT2IMG_V2, IMG2IMG_V2, PROGRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """A server that differs from a correct one only in what is left free.

    Attributes:
        name: kebab-case, unique.
        text: one sentence that says what the server does.
        make: the proxy's part; gets the random numbers of a seed. Name and text are set by `of`.
        wire: wraps the application, for what happens below requests and answers; then the suite goes over a port.
        tolerated: the contract names it as a departure, so warnings are right, and a strict judge may refuse it.
        apart: it changes what other variations look at, so that one server cannot have both.
    """

    name: str
    text: str
    make: Make
    wire: Callable[[App], App] | None = None
    tolerated: bool = False
    apart: bool = False

    def of(self, seed: int) -> Mutant:
        """The variation for a seed, as a proxy wants it."""
        from dataclasses import replace

        made = self.make(random.Random(f"{self.name}/{seed}"))
        return replace(made, name=f"{self.name}-{seed}", text=self.text)


def plain(**parts: Any) -> Mutant:
    """A mutant that breaks nothing; `Variation.of` names it."""
    return Mutant(name="", breaks="", text="", **parts)


def requested(
    name: str,
    text: str,
    change: Callable[[State, Request], Request | Answer],
    ops: str | Sequence[str] = (),
    *,
    tolerated: bool = False,
) -> Variation:
    """Takes requests in another way."""
    return Variation(
        name=name, text=text, make=lambda _: plain(request=change, ops=operations(ops)), tolerated=tolerated
    )


def answered(
    name: str,
    text: str,
    change: OnAnswer,
    ops: str | Sequence[str] = (),
    *,
    when: When | None = None,
    tolerated: bool = False,
    **parts: Any,
) -> Variation:
    """Answers in another way, where `when` holds."""

    def answer(state: State, request: Request, answer: Answer) -> Any:
        return change(state, request, answer) if when is None or when(state, request, answer) else answer

    return Variation(
        name=name, text=text, make=lambda _: plain(answer=answer, ops=operations(ops), **parts), tolerated=tolerated
    )


def told(
    name: str,
    text: str,
    change: Callable[[Any], Any],
    ops: str | Sequence[str] = (),
    *,
    when: When | None = None,
    tolerated: bool = False,
) -> Variation:
    """Changes the JSON of answers in place, where there is an object.

    Args:
        change: may also give another body.
    """

    def answer(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        if not isinstance(body, dict):
            return answer
        new = change(body)
        return answer.with_json(body if new is None else new)

    return answered(name, text, answer, ops, when=when, tolerated=tolerated)


def with_status(*wanted: int) -> When:
    """Whether an answer has one of these statuses."""
    return lambda state, request, answer: answer.status in wanted


def is_v3_error(state: State, request: Request, answer: Answer) -> bool:
    """Whether an answer is an error of version 3."""
    return answer.status >= 400 and answer.json is not MISSING and not request.operation.endswith("V2")


def walked(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A copy of JSON in which each object is what a function makes of it, the inner ones first."""
    if isinstance(value, list):
        return [walked(item, change) for item in value]
    if isinstance(value, dict):
        return change({key: walked(item, change) for key, item in value.items()})
    return value


def together(name: str, ones: Sequence[Variation]) -> Variation:
    """One server that differs in several ways; at most one of them may change events, files or what is on the wire."""
    wires = [one.wire for one in ones if one.wire]
    seed_of = [one.make for one in ones]
    return Variation(
        name=name,
        text="; ".join(one.text for one in ones),
        make=lambda rng: _composed([make(random.Random(rng.random())) for make in seed_of]),
        wire=wires[0] if wires else None,
        tolerated=any(one.tolerated for one in ones),
    )


def _composed(parts: Sequence[Mutant]) -> Mutant:
    def of(part: Mutant, operation: str) -> bool:
        return not part.ops or operation in part.ops

    async def request(state: State, request: Request) -> Request | Answer:
        for part in parts:
            if part.request and of(part, request.operation):
                found = part.request(state, request)
                changed = await found if inspect.isawaitable(found) else found
                if isinstance(changed, Answer):
                    return changed
                request = changed
        return request

    async def answer(state: State, request: Request, answer: Answer) -> Answer:
        for part in parts:
            if part.answer and of(part, request.operation):
                found = part.answer(state, request, answer)
                answer = await found if inspect.isawaitable(found) else found
        return answer

    return plain(
        request=request,
        answer=answer,
        event=next((part.event for part in parts if part.event), None),
        picture=next((part.picture for part in parts if part.picture), None),
        sees_links=any(part.sees_links for part in parts),
        sees_webhooks=any(part.sees_webhooks for part in parts),
    )
