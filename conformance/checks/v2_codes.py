"""The codes of v2: which error has which."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from conformance.bodies import IMG2IMG_V2, PROGRESS, TXT2IMG_V2, Body, changed, without
from conformance.cases_v2 import NEAR_SAMPLERS, NEEDED, outside, put, wrong_types
from conformance.checks.v2_submit import answers, ask_for_errors, asked_raw, no_json
from conformance.client import Key, Says
from conformance.errors import Broken
from conformance.expect import equals, one_of, status, typed
from conformance.predicates import has_type, task_id_v3
from conformance.registry import Area, Phase
from conformance.stories_v2 import NO_MODEL, NO_SAMPLER, STRANGER, asked, attempt, both, free
from conformance.trial import Trial
from conformance.wire import Exchange

area = Area()

INVALID, NO_SUCH_MODEL, NO_SUCH_TASK, NO_KEY, OUT_OF_RANGE, NO_SUCH_SAMPLER = 1, 2, 3, 4, 6, 8
KNOWN_TO_ONE_CLIENT = 11
NUMBERS: Mapping[str, tuple[str, ...]] = {
    TXT2IMG_V2: ("batch_size", "n_iter", "steps", "cfg_scale", "width", "height", "hr_resize_x", "img_expire_ttl"),
    IMG2IMG_V2: ("batch_size", "n_iter", "steps", "cfg_scale", "width", "height", "denoising_strength"),
}
REFUSALS: Mapping[str, Mapping[str, str]] = {
    TXT2IMG_V2: {
        "missing": "V2-TXT2IMG-003",
        "type": "V2-TXT2IMG-005",
        "range": "V2-TXT2IMG-011",
        "runs": "V2-TXT2IMG-010",
        "model": "V2-TXT2IMG-015",
        "sampler": "V2-TXT2IMG-013",
    },
    IMG2IMG_V2: {
        "missing": "V2-IMG2IMG-003",
        "type": "V2-IMG2IMG-005",
        "range": "V2-IMG2IMG-008",
        "runs": "V2-IMG2IMG-008",
        "model": "V2-IMG2IMG-014",
        "sampler": "V2-IMG2IMG-011",
    },
}
"""Which requirement is broken when an error is none: what is accepted has no code to judge."""


def _judge(t: Trial, answer: Exchange, code: int, *, tolerated: int | None = None, accepting: str = "") -> None:
    """Holds an error to its code.

    Args:
        tolerated: another code that the requirement tolerates.
        accepting: the requirement that is broken when it is no error at all; "" for the one that is judged.
    """
    t.expect(answer, status(200), blame="V2-SUBMIT-001")
    told = answer.at("code")
    if not has_type(told, ["integer"]):
        t.expect(answer, typed("code", "integer"), blame="V2-CODE-001")
    if told == tolerated:
        t.tolerated(f"the code is {told}", answer)
        return
    if told not in (*t.document.v2_codes, KNOWN_TO_ONE_CLIENT):
        t.expect(answer, one_of("code", *t.document.v2_codes), blame="V2-CODE-001")
    t.expect(answer, equals("code", code), blame=accepting if told == 0 else "")


async def _coded(t: Trial, operation_id: str, body: Body, code: int, *, says: Says = Says.WRONG, **judged: Any) -> None:
    answer = await asked(t, operation_id, body, says=says)
    try:
        _judge(t, answer, code, **judged)
    except Broken:
        await attempt(t, operation_id)  # where the plainest body is refused, no code says what was wrong
        raise


@area.check("V2-CODE-001", phase=Phase.LAST)
async def every_code_is_one_of_the_list(t: Trial) -> None:
    """Of errors alone: the 0 of what went well belongs to V2-SUBMIT-002 and V2-PROGRESS-001."""
    await ask_for_errors(t)
    codes = [code for code in t.document.v2_codes if code != 0]
    for answer in await answers(t):
        went_well = task_id_v3(answer.json) is not None or bool(answer.at("data")) or answer.at("code") == 0
        if answer.status != 200 or went_well:
            continue
        t.expect(answer, typed("code", "integer"))
        if answer.at("code") == KNOWN_TO_ONE_CLIENT:
            t.tolerated(f"the code is {KNOWN_TO_ONE_CLIENT}", answer)
        else:
            t.expect(answer, one_of("code", *codes))


@area.check("V2-CODE-002")
async def what_is_no_json_has_code_1(t: Trial) -> None:
    for operation_id in await both(t):
        for what, raw in no_json(json.dumps(await free(t, operation_id))):
            answer = await asked_raw(t, operation_id, what, raw)
            _judge(t, answer, INVALID, accepting="V2-SUBMIT-007")


@area.check("V2-CODE-003")
async def missing_fields_and_other_types_have_code_1(t: Trial) -> None:
    for operation_id in await both(t):
        base, rows = await free(t, operation_id), REFUSALS[operation_id]
        await t.all(
            _coded(t, operation_id, without(base, (name,)), INVALID, tolerated=OUT_OF_RANGE, accepting=rows["missing"])
            for name in NEEDED
        )
        one_of_each = {path: value for path, value in reversed(await wrong_types(t, operation_id)) if len(path) == 1}
        await t.all(
            _coded(t, operation_id, put(base, path, value), INVALID, tolerated=OUT_OF_RANGE, accepting=rows["type"])
            for path, value in one_of_each.items()
        )


@area.check("V2-CODE-004")
async def what_is_out_of_range_has_code_6(t: Trial) -> None:
    for operation_id in await both(t):
        base, rows = await free(t, operation_id), REFUSALS[operation_id]
        await t.all(
            _coded(
                t,
                operation_id,
                changed(base, (name,), value),
                OUT_OF_RANGE,
                tolerated=INVALID,
                accepting=rows["runs" if name in ("batch_size", "n_iter") else "range"],
            )
            for name, value in await outside(t, operation_id, NUMBERS[operation_id])
        )


@area.check("V2-CODE-005")
async def an_unknown_model_has_code_2(t: Trial) -> None:
    for operation_id in await both(t):
        body = {**await free(t, operation_id), "model_name": NO_MODEL}
        rows = REFUSALS[operation_id]
        await _coded(t, operation_id, body, NO_SUCH_MODEL, says=Says.MEANING, accepting=rows["model"])


@area.check("V2-CODE-006")
async def an_unknown_sampler_has_code_8(t: Trial) -> None:
    for operation_id in await both(t):
        base, rows = await free(t, operation_id), REFUSALS[operation_id]
        await t.all(
            _coded(t, operation_id, {**base, "sampler_name": word}, NO_SUCH_SAMPLER, accepting=rows["sampler"])
            for word in (NO_SAMPLER, *NEAR_SAMPLERS)
            if word
        )


@area.check("V2-CODE-007")
async def an_unknown_task_has_code_3(t: Trial) -> None:
    for unknown in (STRANGER, "no-such-task"):
        answer = await t.ask(PROGRESS, params={"task_id": unknown}, purpose="progress of a task that nobody made")
        _judge(t, answer, NO_SUCH_TASK)


@area.check("V2-CODE-008")
async def a_call_without_a_good_key_has_code_4(t: Trial) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        (operation_id, {"body": await free(t, operation_id)}) for operation_id in await both(t)
    ]
    task = await attempt(t, TXT2IMG_V2)
    calls.append((PROGRESS, {"params": {"task_id": task.task_id if task else STRANGER}}))
    for operation_id, call in calls:
        for key in (Key.NONE, f"Bearer {t.target.wrong_key}"):
            what = "without a key" if key is Key.NONE else "with a wrong key"
            answer = await t.ask_as(key, operation_id, **call, purpose=f"a call {what}")
            _judge(t, answer, NO_KEY)
