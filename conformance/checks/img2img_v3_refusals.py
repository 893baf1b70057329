"""Image to image on v3: what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from conformance import sources
from conformance.bodies import IMG2IMG, IMG2IMG_V2, Body, Path, changed, without
from conformance.checks.img2img_v3 import OF_CONTROL, PLAIN, entries, img2img_with, optional_values
from conformance.client import Says
from conformance.fields import Field, fields_of
from conformance.registry import Area
from conformance.trial import Trial
from conformance.wire import Exchange

area = Area()

READ_AS_ABSENT = "it is read as absent"
READ_AS_PICTURE = "its base64 part is read as the picture"


@area.check("V3-IMG2IMG-003")
async def a_required_field_that_is_missing_or_of_another_type_is_refused(t: Trial) -> None:
    body, fields = await t.img2img(), await fields_of(t, IMG2IMG)
    required = [field for field in fields.values() if field.path[0] == "request" and field.required]
    required = [field for field in required if len(field.path) == 2]
    cases = [(field.path, without(body, field.path)) for field in required]
    cases += wrong_types(body, required)
    cases += [(field.path, changed(body, field.path, None)) for field in required if not field.tolerates_null]
    await refuse_all(t, cases)


@area.check("V3-IMG2IMG-004")
async def an_optional_field_of_another_type_is_refused(t: Trial) -> None:
    body, fields = await t.img2img(**await optional_values(t)), await fields_of(t, IMG2IMG)
    optional = [
        field
        for field in fields.values()
        if field.path[0] == "request"
        and not field.name.startswith(OF_CONTROL)
        and (len(field.path) > 2 or (len(field.path) == 2 and not field.required))
    ]
    await refuse_all(t, wrong_types(body, optional))


@area.check("V3-IMG2IMG-007")
async def a_sampler_that_is_not_in_the_list_is_refused(t: Trial) -> None:
    fields, older = await fields_of(t, IMG2IMG), await fields_of(t, IMG2IMG_V2)
    words = fields["request.sampler_name"].words
    near = [word.lower() for word in words]
    near += [
        "EULER A",
        "EULER",
        "ddim",
        "Euler_a",
        " Euler a",
        "Euler a ",
        "Euler  a",
        "DPM++ Karras",
        "k_euler_a",
        "no sampler",
        "",
    ]
    wrong = dict.fromkeys([*near, *older["sampler_name"].words])
    await refuse_values(t, ("request", "sampler_name"), [word for word in wrong if word not in words])


@area.check("V3-IMG2IMG-008")
async def a_text_outside_its_length_is_refused(t: Trial) -> None:
    await refuse_values(t, ("request", "prompt"), ["", "x" * 1025, "x" * 5000])
    await refuse_values(t, ("request", "negative_prompt"), ["x" * 1025, "x" * 5000])


@area.check("V3-IMG2IMG-009")
async def a_size_out_of_range_is_refused(t: Trial) -> None:
    fields = await fields_of(t, IMG2IMG)
    for side in (fields["request.width"], fields["request.height"]):
        await refuse_values(t, side.path, [*side.outside(), 0, -128, 1_000_000])


@area.check("V3-IMG2IMG-010")
async def a_number_out_of_range_is_refused(t: Trial) -> None:
    body, fields = await t.img2img(), await fields_of(t, IMG2IMG)
    with_lora = await t.img2img(loras=await entries(t, "loras", 1, strength=0.5))
    cases: list[tuple[Path, Body]] = []
    for name in ("image_num", "steps", "guidance_scale", "seed", "strength", "loras[].strength", "clip_skip"):
        field = fields[f"request.{name}"]
        # A clip_skip of 0 is a matter of its own: clients mean by it that it is not set.
        outside = (-1, 13) if name == "clip_skip" else field.outside()
        base = with_lora if "[]" in name else body
        cases += [(field.path, changed(base, field.path, number)) for number in outside]
    cases += [(("request", name), changed(body, ("request", name), -1)) for name in ("image_num", "steps", "strength")]
    await refuse_all(t, cases)


@area.check("V3-IMG2IMG-011")
async def too_many_entries_and_incomplete_ones_are_refused(t: Trial) -> None:
    cases: list[tuple[Path, Body]] = []
    for name, more in (("loras", {"strength": 0.2}), ("embeddings", {})):
        most = (await fields_of(t, IMG2IMG))[f"request.{name}"].max_items or 0
        cases.append((("request", name), await img2img_with(t, {name: await entries(t, name, most + 1, **more)})))
        good = await img2img_with(t, {name: await entries(t, name, 2, **more)})
        paths: list[Path] = [("request", name, 1, member) for member in ("model_name", *more)]
        cases += [(path, without(good, path)) for path in paths]
    await refuse_all(t, cases)


@area.check("V3-IMG2IMG-012")
async def an_empty_negative_prompt_and_a_clip_skip_of_zero_are_refused(t: Trial) -> None:
    body = await t.img2img()
    cases: list[tuple[Path, object]] = [(("request", "negative_prompt"), ""), (("request", "clip_skip"), 0)]
    await refuse_all(t, [(path, changed(body, path, value)) for path, value in cases], may_accept=READ_AS_ABSENT)


@area.check("V3-IMG2IMG-013")
async def nulls_and_empty_names_are_refused(t: Trial) -> None:
    body, fields = await t.img2img(), await fields_of(t, IMG2IMG)
    nulls = [
        field.path
        for field in fields.values()
        if field.path[0] == "request" and len(field.path) == 2 and field.tolerates_null and not field.nullable
    ]
    nulls.append(("request", "sd_vae"))
    cases: list[tuple[Path, Body]] = [(path, changed(body, path, None)) for path in nulls[:-1]]
    cases.append((nulls[-1], changed(body, nulls[-1], "")))
    for name, more in (("loras", {"strength": 0.5}), ("embeddings", {})):
        at: Path = ("request", name, 0, "model_name")
        cases.append((at, await img2img_with(t, {name: [{"model_name": "", **more}]})))
    await refuse_all(t, cases, may_accept=READ_AS_ABSENT)


@area.check("V3-IMG2IMG-015")
async def an_unknown_checkpoint_is_refused(t: Trial) -> None:
    names = ("nobody_has_this_model_000000.safetensors", "no model", (await t.names()).checkpoint + "x")
    cases = [await t.img2img(model_name=name) for name in names]
    await t.all(
        t.refused(
            IMG2IMG, case, says=Says.MEANING, statuses=(400, 404), purpose="a submit with a checkpoint that is none"
        )
        for case in cases
    )


@area.check("V3-IMG2IMG-016")
async def a_source_that_is_no_picture_is_refused(t: Trial) -> None:
    judge_answers(t, await answers_to_no_pictures(t), await t.session.refusal_status())


@area.check("V3-IMG2IMG-017")
async def a_source_file_of_more_than_10_mb_is_refused(t: Trial) -> None:
    judge_answers(t, [await answer_to_large_file(t)], await t.session.refusal_status())


@area.check("V3-IMG2IMG-018")
async def a_source_of_more_than_16_megapixels_is_refused(t: Trial) -> None:
    judge_answers(t, await answers_to_many_pixels(t), await t.session.refusal_status())


@area.check("V3-IMG2IMG-020")
async def a_data_uri_is_refused(t: Trial) -> None:
    at = ("request", "image_base64")
    uris = [sources.data_uri(sources.drawn(64, 64)), sources.data_uri(sources.drawn(64, 64, kind="JPEG"), "jpeg")]
    body = await t.img2img()
    await refuse_all(t, [(at, changed(body, at, uri)) for uri in uris], may_accept=READ_AS_PICTURE)
    await refuse_all(t, [(at, changed(body, at, uri_of_no_picture()))])


@area.check("V3-IMG2IMG-021")
async def an_uploaded_picture_in_place_of_the_source_is_refused(t: Trial) -> None:
    body = without(await t.img2img(image_assets_id="0123456789abcdef"), ("request", "image_base64"))
    # Two places are wrong in a strict reading, the missing one and the unknown one; both lie in `request`.
    await t.refused(IMG2IMG, body, at=("request",), purpose="a submit with image_assets_id, without image_base64")


@area.check("V3-IMG2IMG-027", needs=PLAIN)
async def a_model_named_by_its_file_is_refused(t: Trial) -> None:
    names = await t.names()
    cases: list[Body] = []
    if names.lora_file not in ("", names.lora):
        cases.append(await t.img2img(loras=[{"model_name": names.lora_file, "strength": 0.5}]))
    if names.embedding_file not in ("", names.embedding):
        cases.append(await t.img2img(embeddings=[{"model_name": names.embedding_file}]))
    if not cases:
        t.not_measured("the model list names no LoRA or embedding whose file has another name than the model")
    meant = "it is read as the model of that file"
    await t.all(
        t.refused(IMG2IMG, case, says=Says.MEANING, may_accept=meant, purpose="a submit that names a model by its file")
        for case in cases
    )


# Shared with other checks --------------------------------------------------------------------------------------------


async def refuse_all(t: Trial, cases: Iterable[tuple[Path, Body]], *, may_accept: str = "") -> None:
    """Each body is refused; its path leads to the one place that is wrong."""
    await t.all(t.refused(IMG2IMG, body, at=at, may_accept=may_accept) for at, body in cases)


async def refuse_values(t: Trial, at: Path, values: Iterable[object]) -> None:
    """The plainest submit with each of some values in one place is refused."""
    body = await t.img2img()
    await refuse_all(t, [(at, changed(body, at, value)) for value in values])


def wrong_types(body: Body, fields: Iterable[Field]) -> list[tuple[Path, Body]]:
    """The body with each field in each wrong JSON type, null apart; the fields must be set in the body."""
    return [
        (field.path, changed(body, field.path, value))
        for field in fields
        for value in field.wrong_types(value_at(body, field.path))
    ]


def value_at(body: Body, path: Path) -> Any:
    """What stands at a path of a body."""
    value: Any = body
    for step in path:
        value = value[step]
    return value


def uri_of_no_picture() -> str:
    """A data URI that nobody may take: who reads its base64 part finds no picture."""
    return sources.data_uri(sources.no_pictures()["base64 of a sentence"])


async def answers_to_no_pictures(t: Trial) -> list[Exchange]:
    """Answers to submits whose source is no picture."""
    return list((await _asked(t, "no pictures", sources.no_pictures())).values())


async def answer_to_large_file(t: Trial) -> Exchange:
    """The answer to a submit whose source picture's file is a byte too large."""
    size = t.document.picture_limits.max_bytes + 1
    [answer] = (await _asked(t, "large files", {f"a file of {size} bytes": sources.file_of(size)})).values()
    return answer


async def answers_to_many_pixels(t: Trial) -> list[Exchange]:
    """Answers to submits with whole source pictures of somewhat too many pixels, in small files."""
    limit = t.document.picture_limits.max_pixels
    side = int(limit**0.5) + 1
    wide = 2 * side, side // 2 + 1
    pictures = {"square": sources.empty_area(side, side), "wide": sources.empty_area(*wide)}
    return list((await _asked(t, "many pixels", pictures)).values())


async def _asked(t: Trial, name: str, pictures: Mapping[str, str]) -> dict[str, Exchange]:
    """Answers to submits with some sources, by what they are; asked once in a run."""

    async def ask() -> dict[str, Exchange]:
        return {
            what: await t.ask(
                IMG2IMG,
                await t.img2img(image_base64=text),
                says=Says.MEANING,
                purpose=f"a submit to be refused for its source: {what}",
            )
            for what, text in pictures.items()
        }

    return await t.once(f"sources: {name}", ask)


def judge_answers(t: Trial, answers: Iterable[Exchange], usual: int) -> None:
    """Raises unless each of them is a refusal."""
    for answer in answers:
        t.judge_refusal(IMG2IMG, answer, (), usual, "")
