"""Delivery options of v3 submits: `extra` as far as it is no matter of webhooks, buckets or unsafe pictures."""

from __future__ import annotations

from conformance import stories
from conformance.bodies import IMG2IMG, TXT2IMG, Body, Path, changed
from conformance.checks.img2img_v3_pictures import NEAR_1, source_body
from conformance.errors import Broken
from conformance.fields import Field, fields_of
from conformance.registry import Area
from conformance.trial import Trial

area = Area()

FORMAT = "extra.response_image_type"
NO_FORMATS = ("", "jpg", "PNG", "Jpeg", "gif", "bmp", "image/png", "png ")
STORAGE = {"region": "us-east-1", "bucket": "pictures", "path": "/"}
IN_STORAGE = ("extra.custom_storage.aws_s3", "extra.custom_storage.aws_s3.save_to_path_directly")
"""What they mean is judged with buckets, null for them here."""
ORDERS_WORK: dict[str, Path] = {TXT2IMG: ("extra", "webhook"), IMG2IMG: ("extra",)}
"""Null in either place leaves no room for test mode, so that a server that takes it draws: each is tried once."""


async def _options(t: Trial, operation_id: str) -> list[Field]:
    """`extra`, and the fields below it that no other area judges."""
    fields = (await fields_of(t, operation_id)).values()
    elsewhere = (("extra", "webhook"), ("extra", "custom_storage"))
    return [
        field
        for field in fields
        if field.path[0] == "extra" and (field.path[:2] not in elsewhere or len(field.path) == 2)
    ]


def _base(body: Body, path: Path) -> Body:
    """A body with all objects that lead to a field."""
    extra: Body = {}
    if path[1:2] == ("custom_storage",) and len(path) > 2:
        extra = {"custom_storage": {"aws_s3": STORAGE} if len(path) > 3 else {}}
    elif len(path) > 2:
        extra = {str(path[1]): {}}
    return {**body, "extra": extra} if len(path) > 1 else body


@area.check("V3-EXTRA-001")
async def extra_may_be_absent_or_empty(t: Trial) -> None:
    empty = {TXT2IMG: (await stories.other_prompt(t)).body, IMG2IMG: await source_body(t, NEAR_1, first=False)}
    for operation_id, body in await t.submits():
        await t.submitted(operation_id, body)
        await t.accepted(operation_id, empty[operation_id], as_is=True)


@area.check("V3-EXTRA-002")
async def options_have_their_types(t: Trial) -> None:
    for operation_id, body in await t.submits():
        await t.all(
            t.refused(operation_id, changed(_base(body, field.path), field.path, value), at=field.path)
            for field in await _options(t, operation_id)
            for value in field.wrong_types()
        )


@area.check("V3-EXTRA-003")
async def null_for_an_option_is_refused(t: Trial) -> None:
    for operation_id, body in await t.submits():
        fields = await fields_of(t, operation_id)
        paths = [field.path for field in await _options(t, operation_id) if not field.required]
        paths += [fields[name].path for name in IN_STORAGE]
        paths.remove(ORDERS_WORK[operation_id])
        await t.all(
            t.refused(
                operation_id, changed(_base(body, path), path, None), at=path, may_accept="null is read as absent"
            )
            for path in paths
        )


@area.check("V3-EXTRA-004")
async def each_format_is_accepted(t: Trial) -> None:
    for operation_id, body in await t.submits():
        field = (await fields_of(t, operation_id))[FORMAT]
        await t.all(
            t.accepted(operation_id, changed(_base(body, field.path), field.path, word)) for word in field.words
        )


@area.check("V3-EXTRA-005")
async def other_formats_are_refused(t: Trial) -> None:
    for operation_id, body in await t.submits():
        field = (await fields_of(t, operation_id))[FORMAT]
        await t.all(
            t.refused(operation_id, changed(_base(body, field.path), field.path, word), at=field.path)
            for word in NO_FORMATS
        )


@area.check("V3-EXTRA-006")
async def a_plan_that_is_not_enabled_is_accepted(t: Trial) -> None:
    for operation_id, body in await t.submits():
        plans: tuple[Body, ...] = ({}, {"enabled": False})
        try:
            await t.all(t.accepted(operation_id, {**body, "extra": {"enterprise_plan": plan}}) for plan in plans)
        except Broken as end:
            if end.requirement != "V3-AUTH-001":
                raise
            await t.accepted(operation_id, body)  # else it is no matter of plans that the key is not served
            raise Broken(
                t.requirement.id, "a plan that is not enabled to be accepted", end.actual, end.exchanges
            ) from end
