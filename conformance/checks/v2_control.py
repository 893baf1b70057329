"""Control units of v2: what each field takes, and that a null weight is a weight of 1."""

from __future__ import annotations

from conformance.bodies import TXT2IMG_V2, changed, picture, without
from conformance.client import Says
from conformance.fields import Field, fields_of
from conformance.pixels import degree, like
from conformance.registry import Area
from conformance.sources import data_uri, no_pictures
from conformance.stories_v2 import (
    allowed_all,
    allowed_words,
    both,
    free,
    full_unit,
    only,
    seeded,
    serving,
    unit,
    white_left,
)
from conformance.trial import Trial

area = Area()

PLAIN = ("V2-TXT2IMG-001",)
UNITS, FIRST = "controlnet_units", ("controlnet_units", 0)
NEEDED = ("model", "weight", "input_image", "module")
NO_LISTS: tuple[object, ...] = ("text", 1, True)
WRONG_WORDS: tuple[tuple[str, object], ...] = (
    ("model", "canny"),
    ("model", "control_v11p_sd15_Canny"),
    ("model", "control_v11p_sd15_canny.safetensors"),
    ("module", "no_such_module"),
    ("module", "Canny"),
    ("control_mode", -1),
    ("control_mode", 3),
    ("resize_mode", -1),
    ("resize_mode", 3),
)


async def _fields(t: Trial, operation_id: str) -> dict[str, Field]:
    """The fields of a unit by their names in it."""
    prefix = f"{UNITS}[]."
    found = await fields_of(t, operation_id)
    return {name.removeprefix(prefix): field for name, field in found.items() if name.startswith(prefix)}


@area.check("V2-CONTROL-001", needs=PLAIN)
async def a_unit_needs_five_fields_and_may_have_all(t: Trial) -> None:
    for operation_id in await serving(t):
        cases = ([unit()], [full_unit()], [unit(), unit(model="control_v11f1p_sd15_depth", module="depth")])
        await allowed_all(t, operation_id, [{UNITS: case} for case in cases])


@area.check("V2-CONTROL-002")
async def a_unit_lacks_nothing_and_has_words_of_the_lists(t: Trial) -> None:
    for operation_id in await both(t):
        base = {**await free(t, operation_id), UNITS: [full_unit()]}
        await t.all(t.refused(operation_id, without(base, (*FIRST, name)), at=(*FIRST, name)) for name in NEEDED)
        await t.all(
            t.refused(operation_id, changed(base, (*FIRST, name), word), at=(*FIRST, name))
            for name, word in WRONG_WORDS
        )


@area.check("V2-CONTROL-003")
async def a_unit_has_a_mode(t: Trial) -> None:
    for operation_id in await both(t):
        body = without({**await free(t, operation_id), UNITS: [unit()]}, (*FIRST, "control_mode"))
        await t.refused(
            operation_id, body, at=(*FIRST, "control_mode"), may_accept="it is accepted without control_mode"
        )


@area.check("V2-CONTROL-004", needs=PLAIN)
async def every_word_of_the_lists_is_accepted(t: Trial) -> None:
    """Words of several lists share a unit, for each is judged alike; 46 modules make as many submits."""
    await allowed_words(t, own=1)


@area.check("V2-CONTROL-005")
async def other_json_types_are_refused(t: Trial) -> None:
    for operation_id in await both(t):
        base = {**await free(t, operation_id), UNITS: [full_unit()]}
        cases: list[tuple[tuple[str | int, ...], object]] = [((UNITS,), value) for value in NO_LISTS]
        cases += [(FIRST, value) for value in (*NO_LISTS, [])]
        for name, field in (await _fields(t, operation_id)).items():
            cases += [((*FIRST, name), value) for value in field.wrong_types()]
        await t.all(t.refused(operation_id, changed(base, at, value), at=at) for at, value in cases)
        single = changed(base, (UNITS,), unit())
        await t.refused(operation_id, single, at=(UNITS,), may_accept="a single unit is read as an array of one")


@area.check("V2-CONTROL-006", needs=PLAIN)
async def null_is_accepted_where_it_is_typed(t: Trial) -> None:
    for operation_id in await serving(t):
        nullable = [name for name, field in (await _fields(t, operation_id)).items() if field.nullable]
        await allowed_all(t, operation_id, [{UNITS: [unit(**{name: None})]} for name in nullable])
    one, again = await only(t, await seeded(t)), await only(t, await seeded(t, copy=1))
    null = await only(t, await seeded(t, weight=None))
    if not like(one.image, again.image):
        t.branch("a seed gives no picture twice here, so what a null weight does is not seen")
    elif not like(one.image, null.image):
        expected = f"the picture of weight 1 (a repetition: {degree(one.image, again.image)})"
        t.fail(expected, f"another one ({degree(one.image, null.image)})", one.download, null.download)


@area.check("V2-CONTROL-007")
async def an_empty_unit_is_refused(t: Trial) -> None:
    for operation_id in await both(t):
        base = await free(t, operation_id)
        empty = {**base, UNITS: [unit(model="", input_image="")]}
        await t.refused(operation_id, empty, at=FIRST, may_accept="an empty unit is dropped")
    base = {**await free(t, TXT2IMG_V2), UNITS: [full_unit()]}
    fields = await _fields(t, TXT2IMG_V2)
    names = [name for name, field in fields.items() if field.tolerates_null and not field.nullable]
    await t.all(
        t.refused(
            TXT2IMG_V2,
            changed(base, (*FIRST, name), None),
            at=(*FIRST, name),
            may_accept=f"null for {name} is read as absent",
        )
        for name in names
    )


@area.check("V2-CONTROL-008")
async def what_is_no_picture_is_refused(t: Trial) -> None:
    for operation_id in await both(t):
        base = {**await free(t, operation_id), UNITS: [full_unit()]}
        await t.all(
            t.refused(
                operation_id,
                changed(base, (*FIRST, name), text),
                at=(*FIRST, name),
                says=Says.MEANING,
                purpose=f"{what} as {name}",
            )
            for name in ("input_image", "mask")
            for what, text in no_pictures().items()
            if text
        )


@area.check("V2-CONTROL-009")
async def data_uris_are_refused(t: Trial) -> None:
    for operation_id in await both(t):
        base = {**await free(t, operation_id), UNITS: [full_unit()]}
        await t.all(
            t.refused(
                operation_id,
                changed(base, (*FIRST, name), data_uri(text)),
                at=(*FIRST, name),
                may_accept=f"the base64 of a data URI in {name} is read",
            )
            for name, text in (("input_image", picture()), ("mask", white_left()))
        )
