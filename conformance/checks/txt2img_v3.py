"""Text to image on v3: what a request may say."""

from __future__ import annotations

from typing import Any

from conformance.bodies import MODELS, TXT2IMG, Body, changed
from conformance.expect import status
from conformance.fields import fields_of
from conformance.names import Names
from conformance.registry import Area
from conformance.trial import Trial

area = Area()

NON_ASCII = ("é", "图", "\N{DECIDUOUS TREE}")
"""Characters of two, three and four bytes in UTF-8; the last is two units in UTF-16."""
HIRES = {"target_width": 256, "target_height": 256, "strength": 0.5, "upscaler": "Latent"}


def optional_values(names: Names, stand_in: str = "") -> dict[str, Any]:
    """A valid value for each optional field of the request.

    Args:
        stand_in: a name for models of which the target lists none; fields that would need it are left out when empty.
    """
    lora, embedding = names.lora or stand_in, names.embedding or stand_in
    found: dict[str, Any] = {
        "negative_prompt": "blurry",
        "sd_vae": names.vae or stand_in,
        "seed": 7,
        "loras": [{"model_name": lora, "strength": 0.5}] if lora else None,
        "embeddings": [{"model_name": embedding}] if embedding else None,
        "clip_skip": 2,
        "hires_fix": HIRES,
        "refiner": {"switch_at": 0.5},
        "enable_transparent_background": False,
        "restore_faces": True,
    }
    return {name: value for name, value in found.items() if value not in ("", None)}


async def holding(t: Trial, *fields: str, stand_in: str = "") -> Body:
    """The smallest body with some optional fields of the request set; see `optional_values`."""
    names, body = await t.names(), await t.txt2img()
    values = optional_values(names, stand_in)
    if "refiner" in fields and names.checkpoint_sdxl:
        body["request"]["model_name"] = names.checkpoint_sdxl  # it is the refiner of SDXL
    body["request"] |= {field: values[field] for field in fields}
    return body


@area.check("V3-TXT2IMG-001")
async def the_eight_required_fields_are_enough(t: Trial) -> None:
    await t.submitted(TXT2IMG, await t.txt2img())


@area.check("V3-TXT2IMG-002")
async def each_optional_field_may_be_set(t: Trial) -> None:
    values = optional_values(await t.names())
    fields = await fields_of(t, TXT2IMG)
    optional = [field.path[1] for field in fields.values() if field.path[:-1] == ("request",) and not field.required]
    missing = [str(name) for name in optional if name not in values]
    for name in missing:
        t.branch(f"{name} was not tried, for the model list names none")
    tried = [str(name) for name in optional if name in values]
    together = [name for name in tried if name != "refiner"]
    bodies = [await holding(t, *names) for names in [*([name] for name in tried), together]]
    await t.all(t.accepted(TXT2IMG, body) for body in bodies)


@area.check("V3-TXT2IMG-006", needs=("V3-TXT2IMG-002",))
async def numbers_texts_and_lists_are_accepted_at_their_ends(t: Trial) -> None:
    names, plain = await t.names(), await t.txt2img()
    cases: list[tuple[str, Body]] = []
    for field in (await fields_of(t, TXT2IMG)).values():
        if field.path[0] != "request" or not (field.ends() or field.max_length or field.max_items):
            continue
        top = str(field.path[1])
        if top not in plain["request"] and top not in optional_values(names):
            t.branch(f"{top} was not tried, for the model list names none")
            continue
        base = plain if top in plain["request"] else await holding(t, top)
        cases += [(f"{field.name} = {end:g}", changed(base, field.path, end)) for end in field.ends()]
        if field.max_length:
            words = f"{field.name} of {field.max_length} characters"
            cases.append((words, changed(base, field.path, text_of(field.max_length))))
        if field.max_items:
            words = f"{field.max_items} {field.name}"
            cases.append((words, changed(base, field.path, entries(names, top, field.max_items))))
    await t.all(t.accepted(TXT2IMG, body, purpose=f"a valid submit, {words}") for words, body in cases)


def text_of(length: int) -> str:
    """A prompt of so many characters."""
    words = "a red circle on a green field, "
    return (words * (length // len(words) + 1))[: length - 1] + "."


def entries(names: Names, field: str, number: int, stand_in: str = "") -> list[Body]:
    """So many entries of `loras` or `embeddings`, of different models where the target has as many."""
    listed, one = (names.loras, names.lora) if field == "loras" else (names.embeddings, names.embedding)
    models = listed or (one or stand_in,)
    chosen = [models[index % len(models)] for index in range(number)]
    return [{"model_name": name, **({"strength": 0.2} if field == "loras" else {})} for name in chosen]


@area.check("V3-TXT2IMG-007")
async def each_sampler_and_each_upscaler_is_accepted(t: Trial) -> None:
    fields, plain = await fields_of(t, TXT2IMG), await t.txt2img()
    sampler, upscaler = fields["request.sampler_name"], fields["request.hires_fix.upscaler"]
    larger = await holding(t, "hires_fix")
    without_one = {name: value for name, value in HIRES.items() if name != "upscaler"}
    bodies = [
        *(changed(plain, sampler.path, word) for word in sampler.words),
        *(changed(larger, upscaler.path, word) for word in upscaler.words),
        changed(larger, ("request", "hires_fix"), without_one),
    ]
    await t.all(t.accepted(TXT2IMG, body) for body in bodies)


@area.check("V3-TXT2IMG-010")
async def a_prompt_is_counted_in_characters(t: Trial) -> None:
    for operation_id, body in await t.submits():
        prompt = (await fields_of(t, operation_id))["request.prompt"]
        longest = prompt.max_length or 0
        await t.all(t.accepted(operation_id, changed(body, prompt.path, letter * longest)) for letter in NON_ASCII)


@area.check("V3-TXT2IMG-023")
async def the_names_of_the_model_list_are_accepted(t: Trial) -> None:
    names = await t.names()
    if not names.listed:
        t.expect(await t.ask(MODELS), status(200), blame="V3-MODEL-001")
        t.not_measured("the model list names no usable checkpoint")
    plain = await t.txt2img()
    checkpoints = [name for name in (names.checkpoint, names.other_checkpoint, names.checkpoint_sdxl) if name]
    bodies = [changed(plain, ("request", "model_name"), name) for name in checkpoints]
    if names.vae:
        bodies.append(changed(plain, ("request", "sd_vae"), names.vae))
    for field, listed in (("loras", names.loras), ("embeddings", names.embeddings)):
        bodies += [
            changed(plain, ("request", field), [{**entry, "model_name": name}])
            for name, entry in zip(listed[:5], entries(names, field, 5), strict=False)
        ]
    for kind, found in (("VAE", names.vae), ("LoRA", names.loras), ("embedding", names.embeddings)):
        if not found:
            t.branch(f"the model list names no {kind}")
    await t.all(t.accepted(TXT2IMG, body) for body in bodies)


@area.check("V3-TXT2IMG-027", needs=("V3-TXT2IMG-023",))
async def a_transparent_background_is_accepted_for_png(t: Trial) -> None:
    sdxl = (await t.names()).checkpoint_sdxl
    if not sdxl:
        t.not_applicable("the model list names no SDXL checkpoint")
    plain = {"model_name": sdxl, "enable_transparent_background": True}
    for extra in (None, {"response_image_type": "png"}):
        await t.accepted(TXT2IMG, await t.txt2img(extra, **plain))
