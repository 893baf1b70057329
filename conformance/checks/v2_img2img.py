"""POST /v2/img2img: what each field of the request takes, and what the source picture and the mask do."""

from __future__ import annotations

from conformance.bodies import IMG2IMG_V2, Body, changed, picture, without
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
from conformance.client import Says
from conformance.fields import fields_of
from conformance.pixels import difference, difference_outside, like_up_to, other
from conformance.registry import Area
from conformance.sources import data_uri, no_pictures
from conformance.stories_v2 import (
    REFINER,
    allowed_all,
    fitted,
    for_xl,
    free,
    masked,
    only,
    opened,
    redrawn,
    refused,
    source,
    unit,
    white_left,
    wide,
)
from conformance.trial import Trial

area = Area()

NUMBERS = (
    "batch_size",
    "n_iter",
    "steps",
    "cfg_scale",
    "width",
    "height",
    "denoising_strength",
    "img_expire_ttl",
)
CHOICES = ("resize_mode", "inpainting_fill", "inpaint_full_res", "inpainting_mask_invert")
NOT_NULLABLE = ("mask_blur", "initial_noise_multiplier", "img_expire_ttl")
"""Null in the page's own sample, against its own types (C52)."""
PLAIN = ("V2-IMG2IMG-001",)


@area.check("V2-IMG2IMG-001")
async def the_ten_required_fields_are_enough(t: Trial) -> None:
    await t.submitted(IMG2IMG_V2, await t.img2img_v2())


@area.check("V2-IMG2IMG-002", needs=PLAIN)
async def optional_fields_and_nulls_are_accepted(t: Trial) -> None:
    fields, names = await fields_of(t, IMG2IMG_V2), await t.names()
    cases: list[Body] = [
        {"negative_prompt": "blurry"},
        *({"seed": value} for value in (-1, 0, 7)),
        {"denoising_strength": 0.5},
        *({"restore_faces": value} for value in (True, False)),
        *({"clip_skip": value} for value in (1, 2)),
        {"mask": white_left()},
        {"mask": white_left(), "mask_blur": 4},
        {"resize_mode": 1},
        {"image_cfg_scale": 1},
        {"mask": white_left(), "inpainting_fill": 1},
        {"mask": white_left(), "inpaint_full_res": 0},
        {"mask": white_left(), "inpaint_full_res": 1, "inpaint_full_res_padding": 32},
        {"mask": white_left(), "inpainting_mask_invert": 1},
        *({"initial_noise_multiplier": value} for value in (1, 0.5)),
        {"img_expire_ttl": 3600},
        {"sd_refiner": REFINER, **await for_xl(t)},
        {"controlnet_units": []},
        {"controlnet_units": [unit()]},
        {"init_images": [picture(kind="JPEG")]},
        *({name: None} for name, field in fields.items() if field.nullable and field.path == (name,)),
    ]
    if names.vae:
        cases.append({"sd_vae": names.vae})
    await allowed_all(t, IMG2IMG_V2, cases)


@area.check("V2-IMG2IMG-003")
async def what_clients_always_send_is_required(t: Trial) -> None:
    base = await free(t, IMG2IMG_V2)
    await t.all(refused(t, IMG2IMG_V2, without(base, (name,)), at=(name,)) for name in (*NEEDED, "init_images"))


@area.check("V2-IMG2IMG-004")
async def the_number_of_runs_is_required(t: Trial) -> None:
    body = without(no_pictures_at_all(await free(t, IMG2IMG_V2)), ("n_iter",))
    await t.refused(IMG2IMG_V2, body, at=("n_iter",), may_accept="it is accepted without n_iter")


@area.check("V2-IMG2IMG-005")
async def other_json_types_are_refused(t: Trial) -> None:
    base = await free(t, IMG2IMG_V2)
    await t.all(
        refused(t, IMG2IMG_V2, put(base, path, value), at=path) for path, value in await wrong_types(t, IMG2IMG_V2)
    )


@area.check("V2-IMG2IMG-006")
async def the_nulls_of_the_sample_are_refused(t: Trial) -> None:
    base = await free(t, IMG2IMG_V2)
    cases: list[tuple[str, str | None]] = [("mask", None)]
    cases += [(name, value) for name in NOT_NULLABLE for value in (None, "")]
    await t.all(
        t.refused(
            IMG2IMG_V2, changed(base, (name,), value), at=(name,), may_accept=f"{value!r} for {name} is read as absent"
        )
        for name, value in cases
    )


@area.check("V2-IMG2IMG-007")
async def null_is_refused_where_it_is_not_typed(t: Trial) -> None:
    base = await free(t, IMG2IMG_V2)
    refiner = {**base, **await for_xl(t), "sd_refiner": REFINER}
    cases = [
        (changed(base, ("inpainting_mask_invert",), None), ("inpainting_mask_invert",)),
        (changed(base, ("sd_refiner",), None), ("sd_refiner",)),
        (changed(refiner, ("sd_refiner", "switch_at"), None), ("sd_refiner", "switch_at")),
    ]
    await t.all(
        t.refused(IMG2IMG_V2, body, at=at, may_accept=f"null for {'.'.join(at)} is read as absent")
        for body, at in cases
    )


@area.check("V2-IMG2IMG-008")
async def numbers_outside_their_range_are_refused(t: Trial) -> None:
    base = await free(t, IMG2IMG_V2)
    cases = await outside(t, IMG2IMG_V2, NUMBERS)
    await t.all(refused(t, IMG2IMG_V2, changed(base, (name,), value), at=(name,)) for name, value in cases)


@area.check("V2-IMG2IMG-009", needs=PLAIN)
async def numbers_are_accepted_at_their_ends(t: Trial) -> None:
    cases = [*await at_the_ends(t, IMG2IMG_V2), {"cfg_scale": 7.5}]
    await allowed_all(t, IMG2IMG_V2, cases)
    await eight_runs(t, IMG2IMG_V2)


@area.check("V2-IMG2IMG-010", needs=PLAIN)
async def every_documented_choice_is_accepted(t: Trial) -> None:
    fields = await fields_of(t, IMG2IMG_V2)
    cases = [{"mask": white_left(), name: word} for name in CHOICES for word in fields[name].words]
    await allowed_all(t, IMG2IMG_V2, cases)


@area.check("V2-IMG2IMG-011")
async def other_choices_and_samplers_are_refused(t: Trial) -> None:
    base, fields = await free(t, IMG2IMG_V2), await fields_of(t, IMG2IMG_V2)
    cases: list[tuple[str, object]] = [
        (name, value) for name in CHOICES for value in (-1, max(fields[name].words) + 1, 100)
    ]
    cases += [("sampler_name", word) for word in NEAR_SAMPLERS]
    await t.all(refused(t, IMG2IMG_V2, changed(base, (name,), value), at=(name,)) for name, value in cases)


@area.check("V2-IMG2IMG-012")
async def what_is_no_picture_is_refused(t: Trial) -> None:
    base = await free(t, IMG2IMG_V2)
    cases: list[tuple[str, Body, tuple[str | int, ...]]] = []
    for what, text in no_pictures().items():
        cases.append((what, changed(base, ("init_images",), [text]), ("init_images", 0)))
        if text:
            cases.append((what, changed(base, ("mask",), text), ("mask",)))
    cases.append(("no second picture", changed(base, ("init_images",), [picture(), "text"]), ("init_images", 1)))
    await t.all(
        t.refused(IMG2IMG_V2, body, at=at, says=Says.MEANING, purpose=f"{what} as {at[0]}") for what, body, at in cases
    )


@area.check("V2-IMG2IMG-013")
async def data_uris_are_refused(t: Trial) -> None:
    base = await free(t, IMG2IMG_V2)
    cases: list[tuple[Body, tuple[str | int, ...]]] = [
        (changed(base, ("init_images",), [data_uri(picture())]), ("init_images", 0)),
        (changed(base, ("mask",), data_uri(white_left())), ("mask",)),
    ]
    await t.all(
        t.refused(IMG2IMG_V2, body, at=at, may_accept=f"the base64 of a data URI in {at[0]} is read")
        for body, at in cases
    )


@area.check("V2-IMG2IMG-014", needs=PLAIN)
async def names_of_the_model_list_are_accepted(t: Trial) -> None:
    await model_names(t, IMG2IMG_V2)


@area.check("V2-IMG2IMG-019")
async def an_empty_list_of_sources_is_refused(t: Trial) -> None:
    body = changed(await free(t, IMG2IMG_V2), ("init_images",), [])
    await t.refused(IMG2IMG_V2, body, at=("init_images",))


# Pictures -------------------------------------------------------------------------------------------------------------


@area.check("V2-IMG2IMG-015", needs=PLAIN)
async def a_low_strength_keeps_the_source(t: Trial) -> None:
    kept, drawn = await only(t, await fitted(t, 0)), await only(t, await redrawn(t))
    near, far = (difference(one.image, opened(wide())) for one in (kept, drawn))
    if near >= far:
        expected = f"a picture nearer to its source than with strength near 1, {far:.1f} of 255 away"
        t.fail(expected, f"one {near:.1f} away", drawn.download, kept.download)


@area.check("V2-IMG2IMG-016", needs=PLAIN)
async def a_mask_protects_what_is_black(t: Trial) -> None:
    found, before = await masked(t, invert=0), opened(source())
    change = difference_outside(found.image, before, opened(white_left()))
    most = like_up_to(before, before, through_model=True)
    if change > most:
        t.fail(f"the half under black as it was, within {most:.1f} of 255", f"{change:.1f} away", found.download)


@area.check("V2-IMG2IMG-017", needs=PLAIN)
async def an_inverted_mask_protects_what_is_white(t: Trial) -> None:
    found, before = await masked(t, invert=1), opened(source())
    change = difference(found.image, before, opened(white_left()))
    most = like_up_to(before, before, through_model=True)
    if change > most:
        t.fail(f"the half under white as it was, within {most:.1f} of 255", f"{change:.1f} away", found.download)


@area.check("V2-IMG2IMG-018", needs=PLAIN)
async def each_resize_mode_fits_in_its_own_way(t: Trial) -> None:
    found = [await only(t, await fitted(t, mode)) for mode in (0, 1, 2)]
    for one, two in ((0, 1), (0, 2), (1, 2)):
        if not other(found[one].image, found[two].image):
            expected = f"other pictures for resize_mode {one} and {two}"
            t.fail(expected, "like pictures", found[one].download, found[two].download)
