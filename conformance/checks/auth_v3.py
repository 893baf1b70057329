"""Keys on v3: which are taken, what the others are answered, and where no key may stand."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote
from uuid import UUID

from conformance.bodies import MODELS, RESULT, TXT2IMG, Body
from conformance.client import Key, Says
from conformance.expect import equals, status, typed
from conformance.registry import Area, Phase
from conformance.trial import Trial
from conformance.wire import MISSING, Exchange

area = Area()

KEY_REASONS = ("INVALID_API_KEY", "MISSING_API_KEY", "FAILED_TO_AUTH")
"""Reasons of a refusal for the key; the last is one of other products of the service (C35)."""
SHORTEST_KEY = 8
"""A shorter key could stand in an answer by chance."""
UNKNOWN_TASK = str(UUID(int=0x5EED_0000_0000_4000_8000_0000_0000_0001))
FORMS_WITHOUT = (Key.NONE, "Bearer")
"""No header at all, and one in which nothing follows the word."""

Call = tuple[str, Body | None, dict[str, Any]]


async def _calls(t: Trial) -> list[Call]:
    """A valid call of each v3 operation that the target has: operation, body, further arguments."""
    found: list[Call] = [(operation_id, body, {}) for operation_id, body in await t.submits()]
    operation_id, body = (await t.submits())[0]
    task = await t.submitted(operation_id, body)
    found.append((RESULT, None, {"params": {"task_id": task.task_id}}))
    if await t.exists(MODELS):
        found.append((MODELS, None, {"params": {"pagination.limit": "1"}}))
    return found


async def _all_as(t: Trial, *keys: Key | str) -> list[Exchange]:
    """What each v3 operation answers to each of some keys."""
    return await t.all(
        t.ask_as(key, operation_id, body, headers={"Accept": "application/json"}, purpose=_purpose(key), **how)
        for operation_id, body, how in await _calls(t)
        for key in keys
    )


def _purpose(key: Key | str) -> str:
    return "a call without a key" if key in FORMS_WITHOUT else "a call with another key"


def _wrong(t: Trial) -> str:
    return f"Bearer {t.target.wrong_key}"


@area.check("V3-AUTH-001")
async def a_valid_key_is_served(t: Trial) -> None:
    calls: list[Call] = [(MODELS, None, {"params": {"pagination.limit": "1"}})]
    calls = calls if await t.exists(MODELS) else []
    calls += [(operation_id, await t.free(operation_id, body), {}) for operation_id, body in await t.submits()]
    answers = [await t.ask(operation_id, body, **how) for operation_id, body, how in calls]
    found = next((answer.at("task_id") for answer in answers if isinstance(answer.at("task_id"), str)), UNKNOWN_TASK)
    answers.append(await t.ask(RESULT, params={"task_id": found}))
    for answer in answers:
        if answer.status is None or answer.at("reason") in KEY_REASONS:
            t.fail("the key to be served", answer.brief(), answer)


@area.check("V3-AUTH-002")
async def a_call_without_a_key_is_answered_with_403(t: Trial) -> None:
    for answer in await _all_as(t, *FORMS_WITHOUT):
        if answer.status == 401 or (answer.status == 400 and answer.at("reason") == "MISSING_API_KEY"):
            t.tolerated(f"a call without a key is answered with status {answer.status}", answer)
        else:
            t.expect(answer, status(403))


@area.check("V3-AUTH-003")
async def a_wrong_key_is_answered_with_403(t: Trial) -> None:
    for answer in await _all_as(t, _wrong(t)):
        if answer.status == 401:
            t.tolerated("a wrong key is answered with status 401", answer)
        else:
            t.expect(answer, status(403))


@area.check("V3-AUTH-004")
async def a_403_for_the_key_says_so(t: Trial) -> None:
    refused = [answer for answer in await _all_as(t, *FORMS_WITHOUT, _wrong(t)) if answer.status == 403]
    if not refused:
        t.not_applicable("no call without a key, or with a wrong one, is answered with status 403")
    for answer in refused:
        t.expect(answer, typed("reason", "string"), blame="V3-ERROR-001")
        t.expect(answer, equals("reason", "INVALID_API_KEY"))


@area.check("V3-AUTH-005")
async def the_key_is_judged_before_the_body(t: Trial) -> None:
    for operation_id, body in await t.submits():
        alone = await t.ask_as(_wrong(t), operation_id, body, purpose="a call with another key")
        t.expect(alone, status(401, 403), blame="V3-AUTH-003")
        at = ("request", "steps")
        bad = {**body, "request": {**body["request"], "steps": 0}}
        wrong = _wrong(t)
        answers = await t.all(
            [
                t.ask_as(wrong, operation_id, {}, says=Says.WRONG, purpose="a wrong key and no request"),
                t.ask_as(wrong, operation_id, bad, says=Says.WRONG, at=at, purpose="a wrong key and no steps"),
                t.ask_as(wrong, operation_id, says=Says.UNCHECKED, raw=b"{", purpose="a wrong key and no JSON"),
            ]
        )
        for answer in answers:
            t.expect(answer, status(401, 403))


@area.check("V3-AUTH-006")
async def a_task_is_not_shown_to_another_account(t: Trial) -> None:
    if t.target.second_key in ("", t.target.key):
        t.not_measured("needs the key of a second account (--second-key)")
    operation_id, body = (await t.submits())[0]
    task = await t.finished(operation_id, body)
    other = await t.ask_as(
        Key.SECOND, RESULT, params={"task_id": UNKNOWN_TASK}, purpose="an unknown task, with the key of another account"
    )
    if other.status == 401 or other.at("reason") in KEY_REASONS:
        t.not_measured(f"the key of the second account is not served: {other.brief()}")
    shown = await t.ask_as(
        Key.SECOND, RESULT, params={"task_id": task.task_id}, purpose="a task, with the key of another account"
    )
    if shown.at("task", "status") is not MISSING and shown.at("task", "status") != other.at("task", "status"):
        t.fail("the answer of an unknown task, or 403", shown.brief(), task, other, shown)
    t.expect(shown, status(*sorted({403, 404, other.status or 404})), seen=(*task.numbers, other.number))


@area.check("V3-AUTH-007", phase=Phase.LAST)
async def the_key_stands_in_no_answer(t: Trial) -> None:
    log = t.session.client.log.exchanges
    if not any(exchange.operation_id == RESULT for exchange in log.values()):
        await t.finished(TXT2IMG, await t.txt2img())  # few checks were chosen: nothing was said so far
    keys = [key for key in (t.target.key, t.target.second_key) if len(key) >= SHORTEST_KEY]
    if not keys:
        t.not_measured(
            f"the key has fewer than {SHORTEST_KEY} characters, which could stand in an answer by chance; "
            "an account with a longer one would tell"
        )
    texts = "|".join(re.escape(text) for key in keys for text in sorted({key, quote(key, safe="")}))
    pattern = re.compile(rf"(?<![\w-])({texts})(?![\w-])".encode())
    for exchange in log.values():
        if _of_the_contract(t, exchange):
            headers = "\n".join(f"{name}: {value}" for name, value in exchange.headers.items()).encode()
            for where, data in (("its headers", headers), ("its body", exchange.body)):
                if pattern.search(data):
                    t.fail("an answer without the key", f"the key in {where}, status {exchange.status}", exchange)


def _of_the_contract(t: Trial, exchange: Exchange) -> bool:
    """An answer of an operation or a picture; what a control interface of the target says is its own affair."""
    control = t.target.control
    return bool(exchange.operation_id) or not (control and exchange.url.startswith(t.target.url + control))


@area.check("V3-AUTH-008")
async def a_key_without_the_word_bearer_is_served_or_refused_like_a_wrong_one(t: Trial) -> None:
    calls = [call for call in await _calls(t) if call[0] in (RESULT, MODELS)]
    for operation_id, body, how in calls:
        good = await t.ask_as(Key.OWN, operation_id, body, **how)
        wrong = await t.ask_as(_wrong(t), operation_id, body, purpose="a call with another key", **how)
        bare = await t.ask_as(
            t.target.key, operation_id, body, purpose="a call with the key alone in its header", **how
        )
        if bare.status == good.status != wrong.status:
            t.branch("the key alone is served")
        else:
            t.expect(bare, status(wrong.status or 403), seen=(good.number, wrong.number))
            t.branch("the key alone is answered as a wrong one is")
