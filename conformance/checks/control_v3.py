"""Control units and picture prompts of v3 image to image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance import sources
from conformance.bodies import IMG2IMG, Body, Path, changed, without
from conformance.checks.img2img_v3_refusals import READ_AS_PICTURE, refuse_all, uri_of_no_picture, wrong_types
from conformance.client import Says
from conformance.fields import Field, fields_of
from conformance.pixels import degree, other
from conformance.registry import Area
from conformance.sources import drawn
from conformance.tasks import Picture
from conformance.trial import Trial

area = Area()

PLAIN = ("V3-IMG2IMG-001",)
UNITS: Path = ("request", "controlnet", "units")
UNIT: Path = (*UNITS, 0)
ADAPTERS: Path = ("request", "ip_adapters")
ADAPTER: Path = (*ADAPTERS, 0)
OPTIONAL = {"preprocessor": "canny", "guidance_start": 0, "guidance_end": 1}
SEED = 20240301


@area.check("V3-CONTROL-001", needs=PLAIN)
async def a_unit_with_the_least_and_one_with_every_field_are_accepted(t: Trial) -> None:
    least = await t.img2img(controlnet={"units": [await unit(t)]})
    full = await t.img2img(controlnet={"units": [await full_unit(t)]})
    await t.all([t.accepted(IMG2IMG, least), t.accepted(IMG2IMG, full)])


@area.check("V3-CONTROL-002", needs=(*PLAIN, "V3-CONTROL-001"))
async def each_control_model_and_preprocessor_is_accepted(t: Trial) -> None:
    models, names = await fitting(t, f"{_of(UNIT)}.model_name"), await t.names()
    preprocessors = (await fields_of(t, IMG2IMG))[f"{_of(UNIT)}.preprocessor"].words
    # Any model with any preprocessor: each of both at least once, few of them made for each other.
    usual, turns = models[False], max(len(models[False]), len(preprocessors))
    pairs = [(usual[(turn + 5) % len(usual)], preprocessors[turn % len(preprocessors)]) for turn in range(turns)]
    mixed = [
        await t.img2img(controlnet={"units": [await unit(t, model_name=name, preprocessor=word)]})
        for name, word in pairs
    ]
    large: list[Body] = []
    if names.checkpoint_sdxl:
        large = [
            await t.img2img(model_name=names.checkpoint_sdxl, controlnet={"units": [await unit(t, model_name=name)]})
            for name in models[True]
        ]
    else:
        t.branch("no SDXL checkpoint is listed; control models for SDXL were not tried")
    await t.all(t.accepted(IMG2IMG, body) for body in (*mixed, *large))


@area.check("V3-CONTROL-003")
async def a_word_that_is_not_in_its_list_and_a_share_out_of_range_are_refused(t: Trial) -> None:
    fields, body = await fields_of(t, IMG2IMG), await both(t)
    strange: Mapping[Path, tuple[str, ...]] = {
        (*UNIT, "model_name"): ("canny", "CONTROL_V11P_SD15_CANNY", "control_v11p_sd15_canny ", "no_such_model", ""),
        (*UNIT, "preprocessor"): ("none", "Canny", "clip_vision", "no_such_preprocessor", ""),
        (*ADAPTER, "model_name"): ("ip-adapter_sd15", "IP-ADAPTER_SD15.BIN", "ip-adapter_xl", "no_such_adapter", ""),
    }
    cases = [(at, changed(body, at, word)) for at, words in strange.items() for word in words]
    cases += [
        (field.path, changed(body, field.path, number))
        for field in _within(fields)
        if field.numeric
        for number in (*field.outside(), -1, 2)
    ]
    await refuse_all(t, cases)


@area.check("V3-CONTROL-004")
async def a_required_member_that_is_missing_is_refused(t: Trial) -> None:
    body = await both(t)
    # A unit without strength is a matter of its own: C29.
    required = [field.path for field in _within(await fields_of(t, IMG2IMG)) if field.required]
    paths = [path for path in required if path != (*UNIT, "strength")]
    await refuse_all(t, [(path, without(body, path)) for path in paths])


@area.check("V3-CONTROL-005")
async def a_unit_without_strength_is_refused(t: Trial) -> None:
    body, at = await t.img2img(controlnet={"units": [await unit(t)]}), (*UNIT, "strength")
    await refuse_all(t, [(at, without(body, at)), (at, changed(body, at, None))], may_accept="it is read as 1")


@area.check("V3-CONTROL-006")
async def another_type_is_refused(t: Trial) -> None:
    await refuse_all(t, wrong_types(await both(t), _within(await fields_of(t, IMG2IMG))))


@area.check("V3-CONTROL-007")
async def a_null_and_an_unknown_field_are_refused(t: Trial) -> None:
    body, fields = await both(t), _within(await fields_of(t, IMG2IMG))
    nulls = [field.path for field in fields if field.path[:-1] == UNIT and not field.required and not field.nullable]
    unknown: list[Path] = [(*UNIT, "no_such_field"), (*UNITS[:-1], "no_such_field"), (*ADAPTER, "no_such_field")]
    cases = [(path, changed(body, path, None)) for path in nulls]
    cases += [(path, changed(body, path, 1)) for path in unknown]
    await refuse_all(t, cases, may_accept="it is ignored")


@area.check("V3-CONTROL-008")
async def a_data_uri_is_refused(t: Trial) -> None:
    body, uri = await both(t), sources.data_uri(drawn(64, 64))
    cases = [(path, changed(body, path, uri)) for path in _PICTURES]
    await refuse_all(t, cases, may_accept=READ_AS_PICTURE)
    await refuse_all(t, [(path, changed(body, path, uri_of_no_picture())) for path in _PICTURES])


@area.check("V3-CONTROL-009")
async def what_is_no_picture_is_refused(t: Trial) -> None:
    body = await both(t)
    cases = [(path, what, text) for path in _PICTURES for what, text in sources.no_pictures().items()]
    await t.all(
        t.refused(IMG2IMG, changed(body, path, text), says=Says.MEANING, purpose=f"a submit with {what} in {_of(path)}")
        for path, what, text in cases
    )


@area.check("V3-CONTROL-010", needs=(*PLAIN, "V3-IMG2IMG-002", "V3-CONTROL-001", "V3-CONTROL-011"))
async def another_control_picture_or_picture_prompt_gives_another_picture(t: Trial) -> None:
    # Of one size: only what they show differs, colours for the picture prompt and outlines for the control model. A
    # detector of edges sees the same in one drawing in two colours.
    one, two = drawn(96, 96), drawn(96, 96, colour=(20, 90, 200), corner=True)
    body = changed(changed(await both(t, seed=SEED), _PICTURES[0], one), _PICTURES[1], one)
    bodies = [body, *(changed(body, path, two) for path in _PICTURES)]
    [first], *others = await t.all(t.pictures(IMG2IMG, each) for each in bodies)
    for path, [second] in zip(_PICTURES, others, strict=True):
        _judge_other(t, first, second, _of(path))


def _judge_other(t: Trial, first: Picture, second: Picture, of: str) -> None:
    if not other(first.image, second.image):
        t.fail(
            f"pictures that differ, made with two different {of}",
            f"two that are alike: {degree(first.image, second.image)}",
            first.download,
            second.download,
        )


@area.check("V3-CONTROL-011", needs=PLAIN)
async def one_fitting_picture_prompt_is_accepted(t: Trial) -> None:
    names = await t.names()
    bodies = [await t.img2img(ip_adapters=[await prompt(t)])]
    if names.checkpoint_sdxl:
        bodies.append(await t.img2img(model_name=names.checkpoint_sdxl, ip_adapters=[await prompt(t, sdxl=True)]))
    else:
        t.branch("no SDXL checkpoint is listed; the adapter for SDXL was not tried")
    fields = await fields_of(t, IMG2IMG)
    ends = fields[f"{_of(ADAPTER)}.strength"].ends()
    bodies += [changed(bodies[0], (*ADAPTER, "strength"), end) for end in ends]
    await t.all(t.accepted(IMG2IMG, body) for body in bodies)


@area.check("V3-CONTROL-012")
async def two_picture_prompts_are_refused(t: Trial) -> None:
    two = await t.img2img(ip_adapters=[await prompt(t), await prompt(t)])
    await t.refused(IMG2IMG, two, at=ADAPTERS)


@area.check("V3-CONTROL-013", needs=(*PLAIN, "V3-CONTROL-011"))
async def an_adapter_for_the_other_base_model_is_refused(t: Trial) -> None:
    bodies = [await t.img2img(ip_adapters=[await prompt(t, sdxl=True)])]
    large = (await t.names()).checkpoint_sdxl
    if large:
        bodies.append(await t.img2img(model_name=large, ip_adapters=[await prompt(t)]))
    for body in bodies:
        await t.refused(
            IMG2IMG,
            await t.session.free(IMG2IMG, body),
            says=Says.MEANING,
            purpose="a submit whose adapter does not fit its checkpoint",
        )


# Bodies --------------------------------------------------------------------------------------------------------------

_PICTURES: tuple[Path, ...] = ((*UNIT, "image_base64"), (*ADAPTER, "image_base64"))


async def fitting(t: Trial, field: str) -> dict[bool, list[str]]:
    """Words of a list of models: those for SD 1.5 under False, those for SDXL under True."""
    words = [str(word) for word in (await fields_of(t, IMG2IMG))[field].words]
    return {large: [word for word in words if ("xl" in word.lower()) is large] for large in (False, True)}


async def unit(t: Trial, **more: object) -> Body:
    """A control unit with the three fields that it needs, for SD 1.5."""
    models = (await fitting(t, f"{_of(UNIT)}.model_name"))[False]
    usual = next((name for name in models if "canny" in name), models[0])
    return {"model_name": usual, "image_base64": drawn(64, 64), "strength": 0.8, **more}


async def full_unit(t: Trial) -> Body:
    """A control unit with every field."""
    return await unit(t, **OPTIONAL)


async def prompt(t: Trial, *, sdxl: bool = False) -> Body:
    """A picture prompt for checkpoints of a base model."""
    models = await fitting(t, f"{_of(ADAPTER)}.model_name")
    return {"model_name": models[sdxl][0], "image_base64": drawn(64, 64), "strength": 0.7}


async def both(t: Trial, **request: Any) -> Body:
    """A body with a full control unit and a picture prompt."""
    return await t.img2img(controlnet={"units": [await full_unit(t)]}, ip_adapters=[await prompt(t)], **request)


def _within(fields: Mapping[str, Field]) -> list[Field]:
    """The fields of control units and picture prompts, and these lists themselves."""
    return [field for field in fields.values() if field.path[:2] in (UNITS[:2], ADAPTERS)]


def _of(path: Path) -> str:
    """The name of a field, as requirements write it."""
    return ".".join("[]" if step == 0 else str(step) for step in path).replace(".[]", "[]")
