"""Errors of v3: their form in every refusal of a run, and their reasons in some that are asked for here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from conformance.bodies import IMG2IMG, MODELS, RESULT, TXT2IMG, Body, Path, changed, without
from conformance.checks.img2img_v3_refusals import (
    answer_to_large_file,
    answers_to_many_pixels,
    answers_to_no_pictures,
)
from conformance.client import Key, Says
from conformance.expect import absent, equals, header, json_body, one_of, present, status, status_between, typed
from conformance.hostile import HOSTILE
from conformance.predicates import task_id_v3
from conformance.registry import Area, Phase
from conformance.trial import Trial
from conformance.wire import MISSING, Exchange
from openapi.document import Reading

area = Area()

OPERATIONS = (TXT2IMG, IMG2IMG, RESULT, MODELS)
NOBODYS_TASK = str(UUID(int=0x5F0C_11AA_0000_4000_8000_0000_0000_0001))
SIZES = ("width", "height")
NO_OBJECT = "V3-SUBMIT-010"
OF_OTHER_TOOLS = ("IMAGE_NO_FACE_DETECTED", "INVALID_AUDIO_FILE")


# Whatever the target refused in this run -----------------------------------------------------------------------------


@area.check("V3-ERROR-001", phase=Phase.LAST)
async def an_error_is_an_object_with_code_reason_and_message(t: Trial) -> None:
    for answer in await errors(t):
        t.expect(
            answer,
            json_body("object"),
            header("content-type", r"(?i)application/json\s*(;.*)?", "Content-Type: application/json"),
            present("code"),
            typed("reason", "string"),
            typed("message", "string", filled=True),
        )


@area.check("V3-ERROR-002", phase=Phase.LAST)
async def the_code_is_the_http_status(t: Trial) -> None:
    for answer in await errors(t):
        if answer.at("code") is not MISSING:
            t.expect(answer, equals("code", answer.status))


@area.check("V3-ERROR-003", phase=Phase.LAST)
async def the_reason_is_in_the_table_of_its_status(t: Trial) -> None:
    tables = {reading: _table(t, reading) for reading in Reading}
    for answer in await errors(t):
        reason, at = answer.at("reason"), (answer.operation_id, answer.status or 0)
        if not isinstance(reason, str) or reason in tables[Reading.DOCUMENTED][at]:
            continue
        if reason in tables[Reading.TOLERATED][at]:
            t.tolerated(f"the reason with status {answer.status} is {reason}", answer)
        else:
            t.expect(answer, one_of("reason", *tables[Reading.DOCUMENTED][at]))


@area.check("V3-ERROR-004", phase=Phase.LAST)
async def metadata_is_an_object_of_strings(t: Trial) -> None:
    for answer in await errors(t):
        if isinstance(answer.json, dict) and "metadata" in answer.json:
            t.expect(answer, typed("metadata", "object"))
            t.expect(answer, *(typed(f"metadata.{key}", "string") for key in answer.json["metadata"] if _plain(key)))


@area.check("V3-ERROR-009", phase=Phase.LAST)
async def no_error_holds_a_task_id(t: Trial) -> None:
    for answer in await errors(t):
        if isinstance(answer.json, dict):
            t.expect(answer, absent("task_id"), absent("data.task_id"))


@area.check("V3-ERROR-016", phase=Phase.LAST)
async def reasons_of_other_tools_do_not_occur(t: Trial) -> None:
    for answer in await errors(t):
        if answer.at("reason") in OF_OTHER_TOOLS:
            t.fail("a reason of this service", str(answer.at("reason")), answer)


# Asked for here ------------------------------------------------------------------------------------------------------


@area.check("V3-ERROR-005")
async def a_broken_form_has_its_reason(t: Trial) -> None:
    """What is taken though its form is broken has no reason; that it is taken breaks the row of its field."""
    form = ("INVALID_REQUEST_BODY",)
    told: list[Exchange] = []
    taken: list[Exchange] = []
    for operation_id, body in await t.submits():
        for at, broken in _broken_forms(body):
            answer = await _refusal(t, operation_id, broken, at)
            (told if _is_refusal(answer) else taken).append(answer)
            if _is_refusal(answer):
                judge_reason(t, answer, (*form, "INVALID_IMAGE_SIZE") if at[-1] in SIZES else form, blame=NO_OBJECT)
        for raw in (b"{", b"", b"[]", b"{'request': {}}"):
            answer = await t.ask(operation_id, raw=raw, says=Says.UNCHECKED, purpose="a submit whose body is no object")
            (told if _is_refusal(answer) else taken).append(answer)
            if _is_refusal(answer):
                judge_reason(t, answer, form, blame=NO_OBJECT)
    if not told:
        t.fail("a refusal", "none of all the broken submits was refused", *taken[:1], blame=NO_OBJECT)


def _broken_forms(body: Body) -> Iterator[tuple[Path, Body]]:
    """Where a form is broken, and the body with that."""
    for name, value in _BROKEN:
        yield ("request", name), changed(body, ("request", name), value)
    for value in _NO_REQUESTS:
        yield ("request",), changed(body, ("request",), value)
    for name in ("model_name", "prompt", *SIZES):
        yield ("request", name), without(body, ("request", name))


_NO_REQUESTS: tuple[object, ...] = (None, [], "text")
_BROKEN: tuple[tuple[str, object], ...] = (
    ("model_name", 7),
    ("prompt", ""),
    ("prompt", "x" * 1025),
    ("negative_prompt", "x" * 1025),
    ("width", 64),
    ("width", 4096),
    ("height", 64),
    ("height", 4096),
    ("image_num", 0),
    ("image_num", 9),
    ("steps", "20"),
    ("steps", 101),
    ("guidance_scale", 31),
    ("sampler_name", "no sampler"),
    ("seed", -2),
    ("clip_skip", 13),
    ("loras", {}),
)


@area.check("V3-ERROR-006")
async def an_unknown_task_has_its_reason(t: Trial) -> None:
    answer = await t.ask(RESULT, params={"task_id": NOBODYS_TASK}, purpose="a task that nobody made")
    if answer.status is not None and 200 <= answer.status <= 299:
        t.fail("an error for a task that nobody made", answer.brief(), answer)
    t.expect(answer, typed("reason", "string"), blame="V3-ERROR-001")
    t.expect(answer, equals("reason", "TASK_NOT_FOUND"))


@area.check("V3-ERROR-007")
async def a_route_that_does_not_exist_is_told(t: Trial) -> None:
    for method, path in (("GET", "/v3/no-such-route"), ("POST", "/v3/async/no-such-tool"), ("GET", "/v3/async")):
        answer = await t.request(
            method,
            path,
            key=Key.OWN,
            content=b"{}" if method == "POST" else None,
            headers={"Content-Type": "application/json"} if method == "POST" else {},
            purpose="a route that does not exist",
        )
        t.expect(answer, status(404), equals("reason", "API_NOT_FOUND"))


@area.check("V3-ERROR-008")
async def another_method_is_refused(t: Trial) -> None:
    for operation_id in OPERATIONS:
        if not await t.exists(operation_id):
            continue
        operation = t.document.operations[operation_id]
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            if method == operation.method:
                continue
            query = "?task_id=" + NOBODYS_TASK if operation_id == RESULT else ""
            answer = await t.request(
                method, operation.path + query, key=Key.OWN, purpose=f"{method} for {operation.method}"
            )
            t.expect(answer, status_between(400, 499))


@area.check("V3-ERROR-010", needs=("V3-IMG2IMG-001", "V3-IMG2IMG-016"))
async def what_is_no_picture_has_its_reason(t: Trial) -> None:
    for answer in await answers_to_no_pictures(t):
        judge_reason(t, answer, ("INVALID_IMAGE_FORMAT", "INVALID_REQUEST_BODY"), blame="V3-IMG2IMG-016")


@area.check("V3-ERROR-011", needs=("V3-IMG2IMG-001", "V3-IMG2IMG-017", "V3-IMG2IMG-018"))
async def too_large_a_picture_has_its_reason(t: Trial) -> None:
    judge_reason(t, await answer_to_large_file(t), ("IMAGE_FILE_EXCEEDS_MAX_SIZE",), blame="V3-IMG2IMG-017")
    for answer in await answers_to_many_pixels(t):
        judge_reason(t, answer, ("IMAGE_EXCEEDS_MAX_RESOLUTION", "INVALID_IMAGE_SIZE"), blame="V3-IMG2IMG-018")


# Helpers -------------------------------------------------------------------------------------------------------------


def judge_reason(t: Trial, answer: Exchange, allowed: tuple[str, ...], *, blame: str) -> None:
    """Holds the reason of a refusal to some words; what is no refusal is blamed on another requirement."""
    if not _is_refusal(answer):
        t.fail("a refusal", answer.brief(), answer, blame=blame)
    t.expect(answer, typed("reason", "string"), blame="V3-ERROR-001")
    t.expect(answer, one_of("reason", *allowed))


def _is_refusal(answer: Exchange) -> bool:
    return answer.status is not None and 400 <= answer.status <= 499 and task_id_v3(answer.json) is None


async def _refusal(t: Trial, operation_id: str, body: object, at: Path) -> Exchange:
    return await t.ask(operation_id, body, says=Says.WRONG, at=at, purpose="a submit whose form is broken")


async def errors(t: Trial) -> list[Exchange]:
    """Every answer of an operation of v3 in this run that is an error the document names, for messages one may send.

    What is hostile down to the bytes may be turned away by a server in front, which knows nothing of these errors.
    """
    await t.once("plain refusals", lambda: _plain_refusals(t))
    there = {operation_id for operation_id in OPERATIONS if await t.exists(operation_id)}
    return [answer for answer in _documented_errors(t) if answer.operation_id in there]


def _documented_errors(t: Trial) -> Iterator[Exchange]:
    for _, answer in sorted(t.session.client.log.exchanges.items()):
        if answer.operation_id not in OPERATIONS or answer.purpose.startswith(HOSTILE):
            continue
        if answer.status in t.document.operations[answer.operation_id].statuses and 400 <= answer.status <= 499:
            yield answer


async def _plain_refusals(t: Trial) -> None:
    """One error of each kind that costs nothing, so that there is something to judge when nothing else is chosen."""
    call = t.session.client.call
    for operation_id in OPERATIONS:
        post = t.document.operations[operation_id].method == "POST"
        params = {"task_id": NOBODYS_TASK} if operation_id == RESULT else {}
        body: Body | None = {} if post else None
        for key in (Key.OWN, f"Bearer {t.target.wrong_key}"):
            if key is Key.OWN and operation_id == MODELS:
                continue
            await call(operation_id, body, params=params, says=Says.UNCHECKED, key=key, purpose="a plain refusal")


def _table(t: Trial, reading: Reading) -> dict[tuple[str, int], tuple[str, ...]]:
    """The reasons of each operation and status in a reading."""
    whole = t.document.shared(reading)
    schemas: dict[int, dict[str, Any]] = {
        schema["properties"]["code"]["const"]: schema
        for schema in whole["components"]["schemas"].values()
        if "const" in schema.get("properties", {}).get("code", {}) and "reason" in schema["properties"]
    }
    return {
        (operation_id, number): tuple(schemas[number]["properties"]["reason"]["enum"])
        for operation_id in OPERATIONS
        for number in t.document.operations[operation_id].statuses
        if number in schemas
    }


def _plain(key: str) -> bool:
    """Whether a key can be a step of a claim's path."""
    return key.replace("_", "").replace("-", "").isalnum()
