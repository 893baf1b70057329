"""Submitting on v2: the envelope of its answers, what is around the body, and `extra`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from conformance.bodies import PROGRESS, TXT2IMG_V2, Body, changed
from conformance.client import Key, Says
from conformance.errors import Broken
from conformance.expect import accepted_v2, matches, status, typed
from conformance.fields import fields_of
from conformance.predicates import task_id_v3
from conformance.registry import Area, Phase
from conformance.stories_v2 import (
    FOUND,
    NO_MODEL,
    REFINER,
    STRANGER,
    allowed_all,
    attempt,
    both,
    free,
    plain,
    serving,
    unit,
)
from conformance.trial import Trial
from conformance.wire import Exchange
from openapi.document import Reading

area = Area()

LATER_STATUS = (429,)
"""How a gateway may refuse for the number of calls; no page of v2 speaks of that."""
LARGE = 1_000_000
"""Bytes of a body beyond which a gateway may answer in place of the service."""
EXTRA_VALUES: tuple[Body, ...] = (
    {},
    *({"enable_nsfw_detection": value} for value in (True, False)),
    *({"nsfw_detection_level": value} for value in (0, 1, 2)),
    *({"enable_nsfw_detection": True, "nsfw_detection_level": value} for value in (0, 1, 2)),
    *({"enable_progress_info": value} for value in (True, False, None)),
    *({"response_image_type": value} for value in ("png", "jpeg")),
    {
        "enable_nsfw_detection": True,
        "nsfw_detection_level": 1,
        "enable_progress_info": True,
        "response_image_type": "png",
    },
)


# The envelope ---------------------------------------------------------------------------------------------------------


async def ask_for_errors(t: Trial) -> None:
    """Asks for some errors of every kind; whoever judges answers finds them in the wire log."""
    for operation_id in await both(t):
        good = await free(t, operation_id)
        await t.ask(operation_id, changed(good, ("steps",), 51), says=Says.WRONG, purpose="a value out of its range")
        await t.ask(operation_id, changed(good, ("model_name",), NO_MODEL), says=Says.MEANING, purpose="no such model")
        await t.ask(operation_id, raw=b"{", says=Says.UNCHECKED, purpose="a body that is no JSON")
        await t.ask_as(Key.NONE, operation_id, good, purpose="a submit without a key")
    await t.ask(PROGRESS, says=Says.WRONG, purpose="progress of nothing")
    unknown = {"task_id": STRANGER}
    await t.ask(PROGRESS, params=unknown, purpose="progress of an unknown task")
    await t.ask_as(Key.NONE, PROGRESS, params=unknown, purpose="progress without a key")


async def answers(t: Trial) -> list[Exchange]:
    """Every v2 answer of the run so far, but for routes that are gone."""
    present = [*await both(t), *([PROGRESS] if await t.exists(PROGRESS) else [])]
    log = t.session.client.log.exchanges
    return [one for one in list(log.values()) if one.operation_id in present and one.status is not None]


@area.check("V2-SUBMIT-001", phase=Phase.LAST)
async def every_answer_of_v2_has_status_200(t: Trial) -> None:
    with suppress(Broken):  # whatever came lies in the wire log
        await attempt(t, TXT2IMG_V2)
    await ask_for_errors(t)
    for answer in await answers(t):
        if answer.status not in LATER_STATUS and answer.sent_bytes < LARGE:
            t.expect(answer, status(200))


@area.check("V2-SUBMIT-002")
async def an_accepted_submit_has_code_0_and_a_task_id(t: Trial) -> None:
    for operation_id in await both(t):
        task = await t.submitted(operation_id, await plain(t, operation_id))
        t.expect(task.submit, typed("code", "integer"), typed("data.task_id", "string", filled=True))


@area.check("V2-SUBMIT-003", phase=Phase.LAST)
async def an_error_has_a_message_and_no_data(t: Trial) -> None:
    await ask_for_errors(t)
    for answer in await answers(t):
        code = answer.at("code")
        if answer.status == 200 and isinstance(code, int) and code != 0:
            t.expect(answer, typed("msg", "string"), typed("data", "null", optional=True))


@area.check("V2-SUBMIT-004", phase=Phase.LAST)
async def task_ids_are_uuids_of_their_own(t: Trial) -> None:
    """The same body twice at once is two submits, and so two ids."""
    for operation_id in await both(t):
        body = await free(t, operation_id)
        await t.all(
            t.session.submit(
                operation_id, body, blame=FOUND[operation_id], fresh=True, purpose="one of two equal submits"
            )
            for _ in range(2)
        )
    pattern = t.document.shared(Reading.DOCUMENTED)["components"]["schemas"]["TaskId"]["pattern"]
    seen: dict[str, Exchange] = {}
    for answer in await answers(t):
        task_id = task_id_v3(answer.json)
        if answer.method != "POST" or answer.at("code") != 0 or task_id is None:
            continue
        if task_id in seen:
            t.fail("an id of its own for every task", f"{task_id} twice", seen[task_id], answer)
        seen[task_id] = answer
        if answer.at("data", "task_id") == task_id and not matches("data.task_id", pattern).judge(answer)[0]:
            t.tolerated(f"the task id is {task_id!r}, no UUID in lower case", answer)


@area.check("V2-SUBMIT-005", phase=Phase.LAST)
async def a_warning_is_a_string(t: Trial) -> None:
    await t.submitted(TXT2IMG_V2, await t.txt2img_v2())
    for answer in await answers(t):
        if task_id_v3(answer.json) is not None and isinstance(answer.at("data"), dict):
            t.branch("some submits have a warning" if "warn" in answer.at("data") else "submits have no warning")
            t.expect(answer, typed("data.warn", "string", optional=True))


# Around the body ------------------------------------------------------------------------------------------------------


@area.check("V2-SUBMIT-006", needs=("V2-TXT2IMG-001",))
async def a_content_type_is_not_needed(t: Trial) -> None:
    for operation_id in await serving(t):
        body = await free(t, operation_id)
        for media in (None, "application/json"):
            answer = await t.ask(
                operation_id, body, headers={"Content-Type": media}, purpose=f"a submit with Content-Type {media}"
            )
            t.expect(answer, accepted_v2())


@area.check("V2-SUBMIT-007")
async def only_a_json_object_is_a_body(t: Trial) -> None:
    for operation_id in await both(t):
        good = json.dumps(await free(t, operation_id))
        for what, raw in no_objects(good):
            t.judge_refusal(operation_id, await asked_raw(t, operation_id, what, raw), (), 200, "")


async def asked_raw(t: Trial, operation_id: str, what: str, raw: str) -> Exchange:
    """The answer to a body that is no JSON object; two rows share it."""

    async def ask() -> Exchange:
        return await t.ask(operation_id, raw=raw.encode(), says=Says.UNCHECKED, purpose=f"a submit of {what}")

    return await t.once(f"raw {operation_id} {what}", ask)


def no_json(good: str) -> Iterator[tuple[str, str]]:
    """Bodies that are no JSON, made from one that is; what each is, first."""
    yield "a word", "hello"
    yield "a body cut off", good[:-1]
    yield "an object and more", good + "x"
    yield "a comma too many", good[:-1] + ",}"
    yield "single quotes", good.replace('"', "'")
    yield "a raw line break inside a string", good.replace('"prompt": "', '"prompt": "\n', 1)
    yield "a form", "prompt=a+red+circle&steps=4"


def no_objects(good: str) -> Iterator[tuple[str, str]]:
    """The same, and bodies that are empty or JSON of another type."""
    yield "an empty body", ""
    yield "blanks", "  "
    yield from no_json(good)
    yield "a list of one", f"[{good}]"
    for text in ("[]", "null", "true", "1", '"text"', json.dumps(good)):
        yield f"a body {text[:8]}", text


@area.check("V2-SUBMIT-008")
async def unknown_fields_are_refused(t: Trial) -> None:
    for operation_id in await both(t):
        base = await free(t, operation_id)
        refiner = {**base, "sd_refiner": {**REFINER, "strength": 1}}
        cases: list[tuple[Body, tuple[str | int, ...]]] = [
            ({**base, "unheard_of": 1}, ("unheard_of",)),
            ({**base, "controlnet_no_detectmap": False}, ("controlnet_no_detectmap",)),
            ({**base, "extra": {"unheard_of": True}}, ("extra", "unheard_of")),
            (refiner, ("sd_refiner", "strength")),
            ({**base, "controlnet_units": [unit(lowvram=False)]}, ("controlnet_units", 0, "lowvram")),
        ]
        await t.all(
            t.refused(operation_id, body, at=at, may_accept=f"{'.'.join(map(str, at))} is ignored")
            for body, at in cases
        )


@area.check("V2-SUBMIT-009", needs=("V2-TXT2IMG-001", "V2-PROGRESS-001"))
async def unknown_query_parameters_are_ignored(t: Trial) -> None:
    for operation_id in await serving(t):
        body = await free(t, operation_id)
        answer = await t.ask(operation_id, body, params={"unheard_of": "1"}, purpose="a submit with a query")
        t.expect(answer, accepted_v2())
    task = await t.submitted(TXT2IMG_V2, await t.txt2img_v2())
    told = await t.ask(
        PROGRESS,
        params=[("unheard_of", "1"), ("task_id", task.task_id)],
        says=Says.LENIENT,
        purpose="progress with another parameter before the id",
    )
    t.expect(told, typed("data", "object"), seen=(task.submit.number,))


@area.check("V2-SUBMIT-010", needs=("V2-TXT2IMG-001",))
async def the_old_header_serves_or_is_no_key(t: Trial) -> None:
    header: dict[str, str | None] = {"X-Omni-Key": t.target.key}
    task = await t.submitted(TXT2IMG_V2, await t.txt2img_v2())
    calls: list[tuple[str, dict[str, Any]]] = [(PROGRESS, {"params": {"task_id": task.task_id}})]
    calls += [(operation_id, {"body": await free(t, operation_id)}) for operation_id in await serving(t)]
    for operation_id, call in calls:
        without_key = await t.ask_as(Key.NONE, operation_id, **call, purpose="a call without a key")
        answer = await t.ask_as(Key.NONE, operation_id, **call, headers=header, purpose="a key in X-Omni-Key")
        served = answer.status == 200 and answer.at("code") == 0
        t.branch("a key in X-Omni-Key is served" if served else "a key in X-Omni-Key is no key")
        if not served and (answer.status, answer.at("code")) != (without_key.status, without_key.at("code")):
            if answer.status == 200 and answer.at("data") is not None:  # served after all, with an odd code
                told = "V2-PROGRESS-001" if operation_id == PROGRESS else "V2-SUBMIT-002"
                t.expect(answer, typed("code", "integer"), blame=told)
            expected = f"code 0, or the answer to a missing key: {without_key.brief()}"
            t.fail(expected, answer.brief(), without_key, answer)


# extra ----------------------------------------------------------------------------------------------------------------


@area.check("V2-SUBMIT-011", needs=("V2-TXT2IMG-001",))
async def every_documented_value_of_extra_is_accepted(t: Trial) -> None:
    for operation_id in await serving(t):
        await allowed_all(t, operation_id, [{"extra": extra} for extra in EXTRA_VALUES])


@area.check("V2-SUBMIT-012")
async def other_values_of_extra_are_refused(t: Trial) -> None:
    for operation_id in await both(t):
        fields, base = await fields_of(t, operation_id), await free(t, operation_id)
        cases: list[tuple[Body, str]] = [({**base, "extra": value}, "extra") for value in ("text", 1, True, ["png"])]
        for name in ("enable_nsfw_detection", "nsfw_detection_level", "enable_progress_info", "response_image_type"):
            field = fields[f"extra.{name}"]
            bad: list[object] = list(field.wrong_types())
            if name == "response_image_type":
                bad += ["webp", "jpg", "PNG", "image/png", ""]
            if name == "nsfw_detection_level":
                bad += [-1, 3]
            cases += [({**base, "extra": {name: value}}, f"extra.{name}") for value in bad]
        await t.all(t.refused(operation_id, body, at=tuple(at.split("."))) for body, at in cases)


@area.check("V2-SUBMIT-013")
async def null_in_extra_is_refused(t: Trial) -> None:
    for operation_id in await both(t):
        base = await free(t, operation_id)
        cases: list[tuple[object, tuple[str, ...]]] = [(None, ("extra",))]
        cases += [
            ({name: None}, ("extra", name))
            for name in ("enable_nsfw_detection", "nsfw_detection_level", "response_image_type")
        ]
        await t.all(
            t.refused(
                operation_id,
                {**base, "extra": value},
                at=at,
                may_accept=f"null for {'.'.join(at)} is read as absent",
            )
            for value, at in cases
        )
