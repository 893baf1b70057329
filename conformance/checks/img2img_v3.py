"""Image to image on v3: what is accepted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.bodies import IMG2IMG, Body, changed
from conformance.fields import fields_of
from conformance.registry import Area
from conformance.sources import MILLION, drawn, empty_area, file_of
from conformance.tasks import Task
from conformance.trial import Trial

area = Area()

PLAIN = ("V3-IMG2IMG-001",)
OF_CONTROL = ("request.controlnet", "request.ip_adapters")


@area.check("V3-IMG2IMG-001")
async def the_nine_required_fields_are_enough(t: Trial) -> None:
    await t.submitted(IMG2IMG, await t.img2img())
    await t.all(accepted_with(t, prompt=prompt) for prompt in ("x", "x" * 1024))


@area.check("V3-IMG2IMG-002", needs=PLAIN)
async def each_optional_field_is_accepted(t: Trial) -> None:
    good = await optional_values(t)
    cases: list[Body] = [{field: value} for field, value in good.items()]
    cases += [{"strength": None}, {"negative_prompt": "x"}, {"negative_prompt": "x" * 1024}, {"seed": -1}]
    cases += [good, {field: [] for field in ("loras", "embeddings")}]
    await t.all(accepted_with(t, **case) for case in cases)


@area.check("V3-IMG2IMG-005", needs=PLAIN)
async def numbers_reach_both_ends_and_lists_their_length(t: Trial) -> None:
    fields = await fields_of(t, IMG2IMG)
    base = await t.img2img(loras=[{"model_name": await t.named("lora"), "strength": 0.5}])
    cases = [
        changed(base if "[]" in field.name else await t.img2img(), field.path, end)
        for field in fields.values()
        if field.numeric and not field.name.startswith(OF_CONTROL)
        for end in field.ends()
    ]
    for name, entry in (("loras", {"strength": 0.2}), ("embeddings", {})):
        most = fields[f"request.{name}"].max_items or 0
        cases.append(await img2img_with(t, {name: await entries(t, name, most, **entry)}))
    await t.all(t.accepted(IMG2IMG, case) for case in cases)


@area.check("V3-IMG2IMG-006", needs=PLAIN)
async def each_sampler_is_accepted(t: Trial) -> None:
    fields = await fields_of(t, IMG2IMG)
    await t.all(accepted_with(t, sampler_name=word) for word in fields["request.sampler_name"].words)


@area.check("V3-IMG2IMG-014", needs=PLAIN)
async def names_of_the_model_list_are_accepted(t: Trial) -> None:
    names = await t.names()
    if not names.known:
        t.not_measured("the model list names no checkpoint (--name checkpoint=... would tell one)")
    cases: list[Body] = [{"model_name": name} for name in (names.checkpoint, names.other_checkpoint) if name]
    if names.checkpoint_sdxl:
        cases.append({"model_name": names.checkpoint_sdxl})
    cases.append({"sd_vae": await t.named("vae")})
    cases.append({"loras": [{"model_name": await t.named("lora"), "strength": 0.5}]})
    cases.append({"embeddings": [{"model_name": await t.named("embedding")}]})
    await t.all(accepted_with(t, **case) for case in cases)


@area.check("V3-IMG2IMG-019", needs=PLAIN)
async def source_pictures_of_any_shape_are_accepted(t: Trial) -> None:
    await t.all([accepted_with(t, image_base64=source) for source in _sources()])


def _sources() -> Iterator[str]:
    """PNG and JPEG of all kinds within the limits."""
    for width, height in ((1, 1), (64, 64), (333, 111), (20, 500), (3000, 40), (128, 2500)):
        yield drawn(width, height)
        yield drawn(width, height, kind="JPEG")
    for mode in ("RGBA", "LA", "L", "P", "1"):
        yield drawn(64, 64, mode)
    yield empty_area(64, 64, bits=16)
    yield drawn(64, 64, "L", "JPEG")
    yield drawn(64, 64, "RGB", "JPEG", progressive=True)
    yield empty_area(4000, 4000)
    yield file_of(10 * MILLION)


async def accepted_with(t: Trial, **request: Any) -> Task:
    """The plainest submit with other fields; it must be accepted."""
    return await t.accepted(IMG2IMG, await img2img_with(t, request))


async def optional_values(t: Trial) -> Body:
    """A valid value of each optional field of the request that has nothing to do with control pictures."""
    values: Body = {
        "negative_prompt": "blurry",
        "sd_vae": await t.named("vae"),
        "seed": 12345,
        "loras": [{"model_name": await t.named("lora"), "strength": 0.5}],
        "embeddings": [{"model_name": await t.named("embedding")}],
        "clip_skip": 2,
        "strength": 0.5,
    }
    fields = await fields_of(t, IMG2IMG)
    return {
        str(field.path[-1]): values[str(field.path[-1])]
        for field in fields.values()
        if field.path[0] == "request" and len(field.path) == 2 and not field.required and field.name not in OF_CONTROL
    }


async def entries(t: Trial, name: str, number: int, **more: Any) -> list[Body]:
    """So many entries of `loras` or `embeddings`, of different models as far as the target lists them."""
    names = await t.names()
    listed = {"loras": names.loras, "embeddings": names.embeddings}[name]
    models = listed or (await t.named(name.removesuffix("s")),)
    return [{"model_name": models[index % len(models)], **more} for index in range(number)]


async def img2img_with(t: Trial, request: Body) -> Body:
    """The plainest body with other fields, told as an object."""
    return await t.img2img(**request)
