"""Submitting on v3: what is accepted, what is refused, and what the answer holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from conformance.bodies import MODELS, RESULT, TXT2IMG, Body, Path, changed
from conformance.client import Says
from conformance.expect import matches, status, typed
from conformance.registry import Area
from conformance.tasks import Task
from conformance.trial import Trial
from conformance.wire import Exchange
from openapi.document import Reading

area = Area()

JSON_TYPES = ("application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8")
OTHER_TYPES = ("text/plain", "application/x-www-form-urlencoded")
STRAY_FIELD, STRAY_VALUE = "no_such_field", "stray"
STRAY_PARAMETER = ("no_such_parameter", "1")
PICTURE_KEYS = ("images", "imgs", "image", "image_url", "image_urls", "image_base64", "image_file")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
PICTURE_STARTS = ("iVBORw0KGgo", "/9j/", "UklGR", "data:image/")
"""Of PNG, JPEG and WebP in base64, and of a picture in a URL."""


@area.check("V3-SUBMIT-001")
async def a_valid_submit_is_answered_with_200(t: Trial) -> None:
    for operation_id, body in await t.submits():
        # An id with another status than one of 2xx ends the submit, and is this requirement's matter.
        task = await t.submitted(operation_id, body)
        if task.submit.status != 200:
            t.tolerated(f"it is answered with status {task.submit.status}", task.submit)


@area.check("V3-SUBMIT-002")
async def the_task_id_stands_at_the_top_level(t: Trial) -> None:
    for operation_id, body in await t.submits():
        task = await t.submitted(operation_id, body)
        answer = task.submit
        inside = answer.at("data", "task_id")
        wrapped = f"status {answer.status} with the id in data.task_id, the wrapped answer of v2 (C1)"
        actual = wrapped if inside == task.task_id != answer.at("task_id") else ""
        t.expect(answer, typed("task_id", "string", filled=True), actual=actual)


@area.check("V3-SUBMIT-003")
async def a_task_id_is_a_uuid(t: Trial) -> None:
    pattern = t.document.shared(Reading.DOCUMENTED)["components"]["schemas"]["TaskId"]["pattern"].strip("^$")
    uuid = matches("task_id", pattern)
    for operation_id, body in await t.submits():
        task = await t.submitted(operation_id, body)
        bare = task.submit.at("task_id") == task.task_id
        holds, _ = uuid.judge(task.submit) if bare else (True, "")
        if not holds:
            t.tolerated(f"the id is {task.task_id!r}", task.submit)


@area.check("V3-SUBMIT-004")
async def each_accepted_submit_gets_an_id_of_its_own(t: Trial) -> None:
    tasks: list[Task] = []
    for operation_id, body in await t.submits():
        free = await t.free(operation_id, body)
        tasks += [await t.submitted(operation_id, free, copy=copy) for copy in (1, 2)]
        tasks += await t.all(t.submitted(operation_id, free, copy=copy) for copy in (3, 4, 5))
    operation_id, plain = (await t.submits())[0]
    # Two that order work: a made-up event may get its id in another way than a picture does.
    tasks += [await t.submitted(operation_id, plain, copy=copy) for copy in ((0,) if t.target.safe else (0, 1))]
    first: dict[str, Task] = {}
    for task in tasks:
        other = first.setdefault(task.task_id, task)
        if other is not task:
            t.fail("an id of its own for each submit", f"the same id for two, {task.task_id}", other, task)


@area.check("V3-SUBMIT-005")
async def the_answer_of_a_submit_holds_no_pictures(t: Trial) -> None:
    for operation_id, body in await t.submits():
        task = await t.submitted(operation_id, body)
        for place, value in _leaves(task.submit.json, ""):
            if _is_picture(place, value):
                t.fail("no pictures and no links to them", f"{place} = {str(value)[:80]!r}", task.submit)


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{index}]")
    else:
        yield place, value


def _is_picture(place: str, value: Any) -> bool:
    """A picture, or the address of one: by its name, or by what it looks like."""
    if not isinstance(value, str) or not value:
        return False
    named = any(step.partition("[")[0] in PICTURE_KEYS for step in place.split("."))
    return named or value.startswith(PICTURE_STARTS) or value.partition("?")[0].lower().endswith(PICTURE_ENDINGS)


@area.check("V3-SUBMIT-006")
async def json_is_taken_with_and_without_a_charset(t: Trial) -> None:
    for operation_id, body in await t.submits():
        free = await t.free(operation_id, body)
        await t.submitted(operation_id, body)  # what is refused whatever its type says nothing of types
        for media_type in JSON_TYPES:
            answer = await t.ask(
                operation_id, free, headers={"Content-Type": media_type}, purpose=f"a submit as {media_type}"
            )
            t.session.task_of(operation_id, free, answer, blame=t.requirement.id)


@area.check("V3-SUBMIT-007")
async def other_content_types_are_refused(t: Trial) -> None:
    for operation_id, body in await t.submits():
        await t.all(
            t.refused(
                operation_id,
                body,
                says=Says.MEANING,
                headers={"Content-Type": media_type},
                statuses=(400, 415),
                may_accept=f"it is accepted as {media_type}, for its body is JSON all the same",
                purpose=f"a submit as {media_type}",
            )
            for media_type in OTHER_TYPES
        )


@area.check("V3-SUBMIT-008")
async def a_body_that_is_no_json_is_refused(t: Trial) -> None:
    for operation_id, body in await t.submits():
        text = json.dumps(await t.free(operation_id, body))
        broken = {
            "single quotes": text.replace('"', "'"),
            "a trailing comma": f"{text[:-1]},}}",
            "names without quotes": text.replace('"request"', "request"),
            "its last brace missing": text[:-1],
            "something after its end": f"{text} {text}",
            "a comment": f"/* no JSON */ {text}",
            "a number that JSON has no word for": text.replace("7.5", "NaN"),
            "blanks alone": " \n",
            "plain words": "a red circle on a green field",
        }
        await t.all(
            t.refused(operation_id, raw=raw.encode(), purpose=f"a body with {what}") for what, raw in broken.items()
        )


@area.check("V3-SUBMIT-009")
async def a_body_that_is_empty_or_no_object_is_refused(t: Trial) -> None:
    for operation_id, body in await t.submits():
        await t.all(
            [
                t.refused(operation_id, raw=b"", purpose="a body that is empty"),
                *(t.refused(operation_id, other) for other in (None, [], [body], json.dumps(body), "text", 1, True)),
            ]
        )


@area.check("V3-SUBMIT-010")
async def a_body_without_an_object_request_is_refused(t: Trial) -> None:
    at = ("request",)
    for operation_id, body in await t.submits():
        flat = body["request"]
        others: tuple[object, ...] = (None, [], [flat], "text", json.dumps(flat), 1, True)
        await t.all(
            [
                t.refused(operation_id, {}, at=at),
                t.refused(operation_id, {"extra": {}}, at=at),
                # Nothing but `request` is missing, yet the document finds each field that stands in the wrong place.
                t.refused(operation_id, flat, says=Says.UNCHECKED, purpose="a submit with its fields at the top level"),
                *(t.refused(operation_id, {"request": other}, at=at) for other in others),
            ]
        )


@area.check("V3-SUBMIT-011")
async def a_field_that_no_page_names_is_refused(t: Trial) -> None:
    for operation_id, body in await t.submits():
        await t.all(
            t.refused(
                operation_id,
                changed(whole, (*path, STRAY_FIELD), STRAY_VALUE),
                at=(*path, STRAY_FIELD),
                may_accept="a field that no page names is ignored",
            )
            for whole, path in await _holders(t, operation_id, body)
        )


async def _holders(t: Trial, operation_id: str, body: Body) -> list[tuple[Body, Path]]:
    """Bodies with the objects that a stray field can stand in, and where those are."""
    names = await t.names()
    webhook = (await t.free(operation_id, body)).get("extra", {}).get("webhook")
    storage = {"region": "us-east-1", "bucket": "pictures", "path": "/"}
    found: list[tuple[Body, Path]] = [
        (body, ()),
        (body, ("request",)),
        ({**body, "extra": {}}, ("extra",)),
    ]
    if webhook:
        hooked = {**body, "extra": {"webhook": webhook}}
        found += [(hooked, ("extra", "webhook")), (hooked, ("extra", "webhook", "test_mode"))]
    kept: tuple[tuple[str, Body, tuple[str, ...]], ...] = (
        ("custom_storage", {}, ()),
        ("custom_storage", {"aws_s3": storage}, ("aws_s3",)),
        ("enterprise_plan", {}, ()),
    )
    found += [({**body, "extra": {name: value}}, ("extra", name, *below)) for name, value, below in kept]
    if names.lora:
        with_lora = changed(body, ("request", "loras"), [{"model_name": names.lora, "strength": 0.5}])
        found.append((with_lora, ("request", "loras", 0)))
    if names.embedding:
        with_embedding = changed(body, ("request", "embeddings"), [{"model_name": names.embedding}])
        found.append((with_embedding, ("request", "embeddings", 0)))
    if operation_id == TXT2IMG:
        larger = {"target_width": 256, "target_height": 256, "strength": 0.5}
        found.append((changed(body, ("request", "hires_fix"), larger), ("request", "hires_fix")))
        found.append((changed(body, ("request", "refiner"), {"switch_at": 0.5}), ("request", "refiner")))
    return found


@area.check("V3-SUBMIT-012")
async def a_query_parameter_that_no_page_names_is_ignored(t: Trial) -> None:
    tasks = []
    for operation_id, body in await t.submits():
        tasks.append(await t.submitted(operation_id, body))
        free = await t.free(operation_id, body)
        answer = await t.ask(operation_id, free, params=[STRAY_PARAMETER], purpose="a submit with a stray parameter")
        t.session.task_of(operation_id, free, answer, blame=t.requirement.id)
    task = tasks[0]
    await _is_ignored(t, RESULT, {"task_id": task.task_id})
    if not await t.exists(MODELS):
        return
    plain, strayed = await _is_ignored(t, MODELS, {"pagination.limit": "5"})
    if _listed(plain) != _listed(strayed):
        t.fail("the models that are listed without it", f"others: {_listed(strayed)}", plain, strayed)


async def _is_ignored(t: Trial, operation_id: str, params: Body) -> tuple[Exchange, Exchange]:
    """The answers without and with a stray parameter; their statuses are alike."""
    plain = await t.ask(operation_id, params=params)
    strayed = await t.ask(
        operation_id,
        params=[*params.items(), STRAY_PARAMETER],
        says=Says.UNCHECKED,  # the documented reading has no such parameter, and yet demands that it is ignored
        purpose="a call with a stray parameter",
    )
    t.expect(strayed, status(plain.status or 200), seen=(plain.number,))
    return plain, strayed


def _listed(answer: Exchange) -> list[Any]:
    models = answer.at("models")
    return [model.get("sd_name") for model in models if isinstance(model, dict)] if isinstance(models, list) else []
