"""Text to image on v3: what a request may not say. Each body has one thing wrong."""

from __future__ import annotations

from typing import Any

from conformance.bodies import TXT2IMG, TXT2IMG_V2, Body, Path, changed, without
from conformance.checks.txt2img_v3 import entries, holding, text_of
from conformance.client import Says
from conformance.fields import Field, fields_of
from conformance.registry import Area
from conformance.trial import Trial

area = Area()

UNKNOWN_MODEL = "no_such_model_000000.safetensors"
UNKNOWN_ENTRY = "no_such_model_000000"
NO_SAMPLERS = ("", "euler a", "EULER A", "Euler A", "Euler  a", " Euler a", "Euler a ", "Euler_a", "DPM++ Karras")
"""The last is in no list, though clients send it (C23)."""
ABSENT = "it is read as absent"
BY_FILE = "it is read as the model of that file"


def request(*path: str | int) -> Path:
    """A place in the request."""
    return ("request", *path)


async def _base(t: Trial, field: Field) -> Body:
    """The smallest body that has a field, or that could have it where it is optional and at the top."""
    plain = await t.txt2img()
    return plain if field.path[1] in plain["request"] else await holding(t, str(field.path[1]), stand_in=UNKNOWN_ENTRY)


async def _refuse(t: Trial, name: str, *values: object) -> None:
    """Holds the target to refusing some values of a field, in bodies that are right otherwise."""
    field = (await fields_of(t, TXT2IMG))[name]
    base = await _base(t, field)
    await t.all(t.refused(TXT2IMG, changed(base, field.path, value), at=field.path) for value in values)


async def _refuse_beyond(t: Trial, name: str, *further: float) -> None:
    """The same for numbers just outside its range, and some further ones."""
    field = (await fields_of(t, TXT2IMG))[name]
    await _refuse(t, name, *field.outside(), *further)


@area.check("V3-TXT2IMG-003")
async def each_required_field_is_required(t: Trial) -> None:
    body = await t.txt2img()
    required = [field for field in (await fields_of(t, TXT2IMG)).values() if field.required and len(field.path) == 2]
    paths = [field.path for field in required if field.path[0] == "request"]
    await t.all(
        t.refused(TXT2IMG, one, at=path) for path in paths for one in (without(body, path), changed(body, path, None))
    )


@area.check("V3-TXT2IMG-004")
async def an_integer_is_an_integer(t: Trial) -> None:
    fields = (await fields_of(t, TXT2IMG)).values()
    whole = [field for field in fields if field.path[0] == "request" and field.whole]
    await t.all(
        _refuse(t, field.name, *(value for value in field.wrong_types() if not isinstance(value, list | dict)))
        for field in whole
    )


@area.check("V3-TXT2IMG-005")
async def every_other_field_has_its_type(t: Trial) -> None:
    fields = (await fields_of(t, TXT2IMG)).values()
    other = [field for field in fields if field.path[0] == "request" and len(field.path) > 1 and not field.whole]
    await t.all(_refuse_other_types(t, field) for field in other)


async def _refuse_other_types(t: Trial, field: Field) -> None:
    good: Any = await _base(t, field)
    for step in field.path:
        good = good[step]
    await _refuse(t, field.name, *field.wrong_types(good))


@area.check("V3-TXT2IMG-008")
async def a_sampler_is_one_of_the_list(t: Trial) -> None:
    sampler = (await fields_of(t, TXT2IMG))["request.sampler_name"]
    older = (await fields_of(t, TXT2IMG_V2))["sampler_name"].words
    await _refuse(t, sampler.name, *NO_SAMPLERS, *(word for word in older if word not in sampler.words))


@area.check("V3-TXT2IMG-009")
async def prompts_have_a_length(t: Trial) -> None:
    fields = await fields_of(t, TXT2IMG)
    await _refuse(t, "request.prompt", "")
    for name in ("request.prompt", "request.negative_prompt"):
        longest = fields[name].max_length or 0
        await _refuse(t, name, text_of(longest + 1), text_of(longest * 4))


@area.check("V3-TXT2IMG-011")
async def width_and_height_have_a_range(t: Trial) -> None:
    await t.all(_refuse_beyond(t, name, 0, -512, 8192) for name in ("request.width", "request.height"))


@area.check("V3-TXT2IMG-012")
async def the_number_of_pictures_has_a_range(t: Trial) -> None:
    await _refuse_beyond(t, "request.image_num", -1, 100)


@area.check("V3-TXT2IMG-013")
async def steps_and_guidance_have_a_range(t: Trial) -> None:
    await _refuse_beyond(t, "request.steps", -1, 1000)
    await _refuse_beyond(t, "request.guidance_scale", 0, -1, 100)


@area.check("V3-TXT2IMG-014")
async def a_seed_is_at_least_minus_one(t: Trial) -> None:
    await _refuse_beyond(t, "request.seed", -100, -4294967296)


@area.check("V3-TXT2IMG-015")
async def the_strength_of_a_lora_has_a_range(t: Trial) -> None:
    await _refuse_beyond(t, "request.loras[].strength", -1, 2)


@area.check("V3-TXT2IMG-016")
async def loras_and_embeddings_are_five_at_most_and_whole(t: Trial) -> None:
    names, fields = await t.names(), await fields_of(t, TXT2IMG)
    for field in (fields["request.loras"], fields["request.embeddings"]):
        base = await _base(t, field)
        await _refuse(t, field.name, entries(names, str(field.path[-1]), (field.max_items or 0) + 1, UNKNOWN_ENTRY))
        members = [one.path for one in fields.values() if one.required and one.path[:-2] == field.path]
        await t.all(t.refused(TXT2IMG, without(base, path), at=path) for path in members)


@area.check("V3-TXT2IMG-017")
async def hires_fix_and_refiner_are_whole(t: Trial) -> None:
    fields = (await fields_of(t, TXT2IMG)).values()
    for field in fields:
        if field.required and field.path[:-1] in (request("hires_fix"), request("refiner")):
            await t.refused(TXT2IMG, without(await _base(t, field), field.path), at=field.path)


@area.check("V3-TXT2IMG-018")
async def members_of_hires_fix_and_refiner_have_a_range(t: Trial) -> None:
    fields = await fields_of(t, TXT2IMG)
    for name in ("target_width", "target_height"):
        await _refuse_beyond(t, f"request.hires_fix.{name}", 0, -256)
    for name in ("request.hires_fix.strength", "request.refiner.switch_at"):
        await _refuse_beyond(t, name, -1, 2)
    upscaler = fields["request.hires_fix.upscaler"]
    older = (await fields_of(t, TXT2IMG_V2))["hr_upscaler"].words
    wrong = [word for word in older if word not in upscaler.words]
    await _refuse(t, upscaler.name, "", "latent", "Latent ", "no_such_upscaler", *wrong)


@area.check("V3-TXT2IMG-019")
async def clip_skip_has_a_range(t: Trial) -> None:
    highest = (await fields_of(t, TXT2IMG))["request.clip_skip"].outside()[-1]
    await _refuse(t, "request.clip_skip", -1, highest)


async def _refused_or_absent(t: Trial, body: Body, at: Path) -> None:
    await t.refused(TXT2IMG, body, at=at, may_accept=ABSENT)


@area.check("V3-TXT2IMG-020")
async def a_clip_skip_of_0_is_refused(t: Trial) -> None:
    await _refused_or_absent(t, await t.txt2img(clip_skip=0), request("clip_skip"))


@area.check("V3-TXT2IMG-021")
async def an_empty_negative_prompt_is_refused(t: Trial) -> None:
    await _refused_or_absent(t, await t.txt2img(negative_prompt=""), request("negative_prompt"))


@area.check("V3-TXT2IMG-022")
async def null_and_blanks_are_refused(t: Trial) -> None:
    plain, fields = await t.txt2img(), (await fields_of(t, TXT2IMG)).values()
    cases: list[tuple[Body, Path]] = []
    for field in fields:
        if field.path[0] == "request" and field.tolerates_null and not field.required:
            base = await _base(t, field) if len(field.path) > 2 else plain
            cases.append((changed(base, field.path, None), field.path))
    for name, blank in (
        ("sd_vae", ""),
        ("loras", [{"model_name": "", "strength": 0.5}]),
        ("embeddings", [{"model_name": ""}]),
        ("hires_fix", {"target_width": None, "target_height": None, "strength": None}),
        ("refiner", {"switch_at": None}),
    ):
        cases.append((changed(plain, request(name), blank), request(name)))
    await t.all(_refused_or_absent(t, body, at) for body, at in cases)


@area.check("V3-TXT2IMG-024")
async def an_unknown_checkpoint_is_refused(t: Trial) -> None:
    body = await t.txt2img(model_name=UNKNOWN_MODEL)
    await t.refused(
        TXT2IMG, body, says=Says.MEANING, statuses=(400, 404), purpose="a submit with an unknown checkpoint"
    )


@area.check("V3-TXT2IMG-025")
async def unknown_further_models_are_refused(t: Trial) -> None:
    unknown: dict[str, Any] = {
        "loras": [{"model_name": UNKNOWN_ENTRY, "strength": 0.5}],
        "embeddings": [{"model_name": UNKNOWN_ENTRY}],
        "sd_vae": UNKNOWN_MODEL,
    }
    for field, value in unknown.items():
        body = changed(await t.txt2img(), request(field), value)
        purpose = f"a submit whose {field} names no model"
        await t.refused(TXT2IMG, body, says=Says.MEANING, statuses=(400, 404), purpose=purpose)


@area.check("V3-TXT2IMG-026")
async def a_transparent_background_needs_png(t: Trial) -> None:
    names = await t.names()
    model = names.checkpoint_sdxl or names.checkpoint
    for kind in ("jpeg", "webp"):
        body = await t.txt2img({"response_image_type": kind}, model_name=model, enable_transparent_background=True)
        await t.refused(TXT2IMG, body, at=("extra", "response_image_type"))


@area.check("V3-TXT2IMG-028")
async def a_transparent_background_needs_sdxl(t: Trial) -> None:
    body = await t.txt2img(enable_transparent_background=True)
    await t.refused(TXT2IMG, body, says=Says.MEANING, purpose="a transparent background without an SDXL checkpoint")


@area.check("V3-TXT2IMG-029")
async def loras_and_embeddings_are_not_named_by_their_files(t: Trial) -> None:
    names = await t.names()
    files = (("loras", names.lora, names.lora_file), ("embeddings", names.embedding, names.embedding_file))
    differ = [(field, file) for field, name, file in files if file and file != name]
    if not differ:
        t.not_applicable("the model list gives no LoRA and no embedding another name than its file")
    for field, file in differ:
        [entry] = entries(names, field, 1)
        body = changed(await t.txt2img(), request(field), [{**entry, "model_name": file}])
        # A file's name is no model's name: the answer may be that of an unknown model.
        await t.refused(
            TXT2IMG,
            body,
            says=Says.MEANING,
            statuses=(400, 404),
            may_accept=BY_FILE,
            purpose=f"a submit whose {field} names a file",
        )
