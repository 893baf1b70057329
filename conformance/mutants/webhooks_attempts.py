"""How often an event is sent, and after what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

from conformance import timing
from conformance.mutants.values import Answer, Hook, Mutant, OnEvent, Request, State
from conformance.mutants.webhooks import DONE, behind, happens

FAILED_STILL = Answer(status=500)
"""What the upstream hears so that it sends again."""
SENT_ALL = 6


def after(name: str, number: str, text: str, heard: Callable[[Answer], Answer], **more: Any) -> Mutant:
    """Delivers, and takes the receiver's answer for another one; 599 stands for none."""

    async def event(state: State, hook: Hook, request: Request) -> Answer:
        return heard(await state.deliver(hook, request))

    return happens(name, number, text, event, **more)


async def _twice(state: State, hook: Hook, request: Request) -> Answer:
    """A second copy follows at once."""
    answer = await state.deliver(hook, request)
    if 200 <= answer.status < 300:
        behind(state, state.deliver(hook, request))
    return answer


def _never_content(answer: Answer) -> Answer:
    return FAILED_STILL if 200 < answer.status < 300 else answer


def _counts_as_done(low: int, high: int) -> Callable[[Answer], Answer]:
    return lambda answer: DONE if low <= answer.status <= high else answer


async def _follows(state: State, hook: Hook, request: Request) -> Answer:
    """A redirect is followed, and what comes of it is taken for the answer."""
    from dataclasses import replace

    answer = await state.deliver(hook, request)
    if not 300 <= answer.status < 400:
        return answer
    where = urljoin(hook.origin, answer.headers.get("location", ""))
    await state.deliver(replace(hook, origin=where), request)
    return DONE


async def _patient(state: State, hook: Hook, request: Request) -> Answer:
    """Sends no more while a receiver has not answered."""
    waiting = state.memory.setdefault("waiting", set())
    if hook.url in waiting:
        return DONE
    waiting.add(hook.url)
    answer = await state.deliver(hook, request)
    waiting.discard(hook.url)
    return answer


async def _patient_once(state: State, hook: Hook, request: Request) -> Answer:
    """Sends no more once a receiver was silent for a while, and is content."""
    sent = asyncio.ensure_future(state.deliver(hook, request))
    state.memory.setdefault("behind", []).append(sent)
    done, _ = await asyncio.wait((sent,), timeout=0.5)
    return sent.result() if done else DONE


def _further(count: int) -> OnEvent:
    """Sends some more events after the last one."""

    async def more(state: State, hook: Hook, request: Request) -> None:
        for _ in range(count):
            await timing.pause(0.02)
            await state.deliver(hook, request)

    async def event(state: State, hook: Hook, request: Request) -> Answer:
        answer = await state.deliver(hook, request)
        if not 200 <= answer.status < 300 and state.count(hook.url) == SENT_ALL:
            behind(state, more(state, hook, request))
        return answer

    return event


def _gives_up_after(count: int) -> OnEvent:
    async def event(state: State, hook: Hook, request: Request) -> Answer:
        return await state.deliver(hook, request) if state.count(hook.url) <= count else DONE

    return event


MUTANTS = (
    after(
        "events-again-and-again",
        "008",
        "An event is sent again after a good answer.",
        lambda answer: FAILED_STILL if 200 <= answer.status < 300 else answer,
    ),
    after("events-again-after-204", "008", "Only 200 counts as a good answer.", _never_content),
    happens("events-twice", "008", "After a good answer a second copy follows.", _twice),
    after("no-retry", "009", "A bad answer is taken for a good one.", _counts_as_done(300, 598)),
    after("no-retry-after-404", "009", "404 is taken for a good answer.", _counts_as_done(400, 499)),
    after("no-retry-after-500", "009", "500 is taken for a good answer.", _counts_as_done(500, 598)),
    after("no-retry-after-redirect", "009", "A redirect is taken for a good answer.", _counts_as_done(300, 399)),
    happens("redirects-followed", "009", "A redirect is followed.", _follows),
    happens("no-retry-while-silent", "010", "A silent receiver is waited for without end.", _patient),
    happens("silence-is-consent", "010", "A silent receiver has taken the event.", _patient_once),
    after("no-retry-when-closed", "011", "A closed connection is taken for a good answer.", _counts_as_done(599, 599)),
    happens("seven-attempts", "012", "A seventh attempt follows.", _further(1)),
    happens("attempts-without-end", "012", "The attempts go on.", _further(20)),
    happens("two-attempts", "013", "There are two attempts.", _gives_up_after(2), also=("WEBHOOK-010", "WEBHOOK-011")),
    happens("five-attempts", "013", "There are five attempts.", _gives_up_after(5)),
)
