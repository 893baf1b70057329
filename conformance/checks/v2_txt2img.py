"""POST /v2/txt2img, the request: what each field takes and what it does not."""

from __future__ import annotations

from conformance.bodies import TXT2IMG_V2, Body, changed, without
from conformance.cases_v2 import (
    NEAR_SAMPLERS,
    NEEDED,
    at_the_ends,
    eight_runs,
    model_names,
    no_pictures_at_all,
    outside,
    put,
    wrong_types,
)
from conformance.fields import fields_of
from conformance.registry import Area
from conformance.stories_v2 import (
    REFINER,
    allowed,
    allowed_all,
    allowed_words,
    both,
    for_xl,
    free,
    refused,
    serving,
    unit,
)
from conformance.trial import Trial

area = Area()

ON_PAPER = ("negative_prompt", "n_iter", "seed", "restore_faces", "restore_faces_model")
"""Required by the page, left out by clients (C14)."""
NUMBERS = ("steps", "cfg_scale", "width", "height", "hr_resize_x", "hr_resize_y", "img_expire_ttl")
NO_NUMBERS: tuple[object, ...] = ("7", "7.5", True, [7], {})
PLAIN = ("V2-TXT2IMG-001",)


@area.check("V2-TXT2IMG-001")
async def the_thirteen_required_fields_are_enough(t: Trial) -> None:
    await t.submitted(TXT2IMG_V2, await t.txt2img_v2())


@area.check("V2-TXT2IMG-002", needs=PLAIN)
async def optional_fields_are_accepted(t: Trial) -> None:
    fields, names, xl = await fields_of(t, TXT2IMG_V2), await t.names(), await for_xl(t)
    cases: list[Body] = [
        *({"clip_skip": value} for value in (1, 2)),
        *({"enable_hr": value} for value in (True, False)),
        *({"enable_hr": True, "hr_upscaler": word} for word in fields["hr_upscaler"].words),
        *({"enable_hr": True, "hr_scale": factor} for factor in fields["hr_scale"].words),
        {"enable_hr": True, "hr_scale": 1, "hr_resize_x": 256, "hr_resize_y": 192},
        {"enable_hr": True, "hr_scale": 2, "hr_resize_x": 256, "hr_resize_y": 256},
        {"enable_hr": True, "hr_resize_x": 256},
        {"enable_hr": True, "hr_resize_y": 256},
        {"img_expire_ttl": 3600},
        {"sd_refiner": REFINER, **xl},
        {"controlnet_units": []},
        {"controlnet_units": [unit()]},
        *({name: None} for name, field in fields.items() if field.nullable and field.path == (name,)),
    ]
    if names.vae:
        cases.append({"sd_vae": names.vae})
    await allowed_all(t, TXT2IMG_V2, cases)


@area.check("V2-TXT2IMG-003")
async def what_clients_always_send_is_required(t: Trial) -> None:
    base = await free(t, TXT2IMG_V2)
    await t.all(refused(t, TXT2IMG_V2, without(base, (name,)), at=(name,)) for name in NEEDED)


@area.check("V2-TXT2IMG-004")
async def what_the_page_requires_beyond_that_is_required(t: Trial) -> None:
    base = no_pictures_at_all(await free(t, TXT2IMG_V2))
    await t.all(
        t.refused(TXT2IMG_V2, without(base, (name,)), at=(name,), may_accept=f"it is accepted without {name}")
        for name in ON_PAPER
    )


@area.check("V2-TXT2IMG-005")
async def other_json_types_are_refused(t: Trial) -> None:
    base = await free(t, TXT2IMG_V2)
    cases = await wrong_types(t, TXT2IMG_V2)
    cases += [((name,), None) for name in NEEDED]
    await t.all(refused(t, TXT2IMG_V2, put(base, path, value), at=path) for path, value in cases)


@area.check("V2-TXT2IMG-006")
async def a_guidance_with_a_fraction_is_refused(t: Trial) -> None:
    base, at = await free(t, TXT2IMG_V2), ("cfg_scale",)
    cases: list[tuple[object, str]] = [(number, f"a cfg_scale of {number} is accepted") for number in (7.5, 0.5, 29.5)]
    cases += [(value, "") for value in NO_NUMBERS]
    await t.all(t.refused(TXT2IMG_V2, changed(base, at, value), at=at, may_accept=may) for value, may in cases)


@area.check("V2-TXT2IMG-007")
async def null_is_refused_where_it_is_not_typed(t: Trial) -> None:
    base, xl = no_pictures_at_all(await free(t, TXT2IMG_V2)), await for_xl(t)
    refiner = {**base, **xl, "sd_refiner": REFINER}
    cases: list[tuple[Body, tuple[str, ...]]] = [
        (base, (name,)) for name in ("negative_prompt", "n_iter", "seed", "restore_faces", "clip_skip")
    ]
    cases.append((refiner, ("sd_refiner", "switch_at")))
    await t.all(
        t.refused(TXT2IMG_V2, changed(body, at, None), at=at, may_accept=f"null for {'.'.join(at)} is read as absent")
        for body, at in cases
    )


@area.check("V2-TXT2IMG-008")
async def a_face_restorer_is_refused(t: Trial) -> None:
    base, at = await free(t, TXT2IMG_V2), ("restore_faces_model",)
    await t.all(
        t.refused(TXT2IMG_V2, changed(base, at, word), at=at, may_accept=f"restore_faces_model {word!r} is accepted")
        for word in ("", "GFPGAN", "CodeFormer")
    )


@area.check("V2-TXT2IMG-009", needs=PLAIN)
async def numbers_are_accepted_at_their_ends(t: Trial) -> None:
    await allowed_all(t, TXT2IMG_V2, await at_the_ends(t, TXT2IMG_V2))
    await eight_runs(t, TXT2IMG_V2)


@area.check("V2-TXT2IMG-010")
async def eight_runs_of_eight_are_the_most(t: Trial) -> None:
    base = await free(t, TXT2IMG_V2)
    cases = [(name, value) for name in ("batch_size", "n_iter") for value in (-1, 9, 100)]
    await t.all(refused(t, TXT2IMG_V2, changed(base, (name,), value), at=(name,)) for name, value in cases)


@area.check("V2-TXT2IMG-011")
async def numbers_outside_their_range_are_refused(t: Trial) -> None:
    base = await free(t, TXT2IMG_V2)
    cases = await outside(t, TXT2IMG_V2, NUMBERS)
    await t.all(refused(t, TXT2IMG_V2, changed(base, (name,), value), at=(name,)) for name, value in cases)


@area.check("V2-TXT2IMG-012", needs=PLAIN)
async def every_sampler_is_accepted(t: Trial) -> None:
    await allowed_words(t, own=0)


@area.check("V2-TXT2IMG-013")
async def other_samplers_are_refused(t: Trial) -> None:
    base = await free(t, TXT2IMG_V2)
    await t.all(
        refused(t, TXT2IMG_V2, changed(base, ("sampler_name",), word), at=("sampler_name",)) for word in NEAR_SAMPLERS
    )


@area.check("V2-TXT2IMG-014")
async def other_words_of_the_second_pass_and_the_refiner_are_refused(t: Trial) -> None:
    base = {**await free(t, TXT2IMG_V2), "enable_hr": True}
    upscalers = ("latent", "ESRGAN", "R-ESRGAN 4x", "4x-UltraSharp", "")
    cases = [("hr_upscaler", word) for word in upscalers] + [("hr_scale", factor) for factor in (0, 1.5, 3, 4)]
    await t.all(t.refused(TXT2IMG_V2, changed(base, (name,), value), at=(name,)) for name, value in cases)
    checkpoint, share = ("sd_refiner", "checkpoint"), ("sd_refiner", "switch_at")
    wrong: list[tuple[tuple[str, ...], object]] = [(share, -0.01), (share, 1.01)]
    wrong += [(checkpoint, word) for word in ("sd_xl_base_1.0.safetensors", "sd_xl_refiner_1.0", "")]
    for operation_id in await both(t):
        whole = {**await free(t, operation_id), **await for_xl(t), "sd_refiner": REFINER}
        await t.all(t.refused(operation_id, without(whole, path), at=path) for path in (checkpoint, share))
        await t.all(t.refused(operation_id, changed(whole, path, value), at=path) for path, value in wrong)


@area.check("V2-TXT2IMG-015", needs=PLAIN)
async def names_of_the_model_list_are_accepted(t: Trial) -> None:
    await model_names(t, TXT2IMG_V2)


@area.check("V2-TXT2IMG-016", needs=PLAIN)
async def a_prompt_may_name_a_lora(t: Trial) -> None:
    name = await t.named("lora")
    for operation_id in await serving(t):
        for prompt in (f"a red circle, <lora:{name}:0.7>", f"<lora:{name}:1> a red circle"):
            await allowed(t, operation_id, {"prompt": prompt})
