"""Bodies and conversations that several checks of version 2 share: what is asked once serves many."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from conformance.bodies import IMG2IMG_V2, TXT2IMG_V2, Body, encoded, picture
from conformance.client import Says
from conformance.errors import Broken, NotMeasured
from conformance.fields import fields_of
from conformance.tasks import Picture, Task

if TYPE_CHECKING:
    from PIL.Image import Image

    from conformance.trial import Trial
    from conformance.wire import Exchange

REFINER = {"checkpoint": "sd_xl_refiner_1.0.safetensors", "switch_at": 0.8}
NO_MODEL = "no-such-model_000000.safetensors"
NO_SAMPLER = "No Such Sampler"
STRANGER = "00000000-0000-4000-8000-000000000000"
"""The id of no task."""
FOUND = {TXT2IMG_V2: "V2-TXT2IMG-001", IMG2IMG_V2: "V2-IMG2IMG-001"}
"""Which requirement says that the plainest submit is accepted."""

ROWS, COLUMNS = 2, 2
"""`n_iter` and `batch_size` of the task with several pictures."""
NEAR_0, NEAR_1 = 0.05, 0.95


# Submits --------------------------------------------------------------------------------------------------------------


async def plain(t: Trial, operation_id: str, **fields: Any) -> Body:
    """The smallest body of an operation, with changes."""
    return await (t.txt2img_v2(**fields) if operation_id == TXT2IMG_V2 else t.img2img_v2(**fields))


async def free(t: Trial, operation_id: str, **fields: Any) -> Body:
    """The same, asking for no runs where the target allows that: a base of what is to be refused."""
    return {**await t.session.free(operation_id, await plain(t, operation_id)), **fields}


async def both(t: Trial) -> tuple[str, ...]:
    """The v2 submits that the target has; a target without image to image has the other profile alone."""
    return (TXT2IMG_V2, IMG2IMG_V2) if await t.exists(IMG2IMG_V2) else (TXT2IMG_V2,)


async def serving(t: Trial) -> tuple[str, ...]:
    """The same, both known to accept their plainest body: for checks of what else they accept.

    Raises:
        Broken: of the requirement that says so.
    """
    found = await both(t)
    for operation_id in found:
        await t.submitted(operation_id, await plain(t, operation_id))
    return found


async def attempt(t: Trial, operation_id: str) -> Task | None:
    """The plainest submit; None where we may not order work (safe mode).

    Raises:
        Broken: it is refused.
    """
    try:
        return await t.submitted(operation_id, await plain(t, operation_id))
    except NotMeasured:
        return None


async def allowed(t: Trial, operation_id: str, fields: Body, *, blame: str = "") -> Task:
    """A submit of the plainest body with changes, accepted at no cost where the target allows that."""
    return await t.accepted(operation_id, await plain(t, operation_id, **fields), blame=blame)


async def costs_nothing(t: Trial) -> bool:
    """Whether submits of no runs are taken, so that acceptance can be asked for without work (C17)."""
    return bool((await free(t, TXT2IMG_V2))["n_iter"] == 0)


async def allowed_all(t: Trial, operation_id: str, cases: Sequence[Body]) -> None:
    """Each of these changes is accepted; where that costs pictures, changes of different fields share a submit."""
    packs = [[case] for case in cases] if await costs_nothing(t) else _packs(cases)
    await t.all(_allowed_together(t, operation_id, pack) for pack in packs)


async def _allowed_together(t: Trial, operation_id: str, pack: list[Body]) -> None:
    whole: Body = {name: value for case in pack for name, value in case.items()}
    try:
        await allowed(t, operation_id, whole)
    except Broken:
        if len(pack) == 1:
            raise
        await t.all(allowed(t, operation_id, case) for case in pack)


def _packs(cases: Sequence[Body]) -> list[list[Body]]:
    """Cases in as few groups as come of putting each into the first one where no field is set to another value."""
    packs: list[list[Body]] = []
    for case in cases:
        for pack in packs:
            if all(other.get(name, value) == value for other in pack for name, value in case.items()):
                pack.append(case)
                break
        else:
            packs.append([case])
    return packs


async def words(t: Trial, operation_id: str) -> list[tuple[Body, Body]]:
    """A sampler and a control unit of words each, so many that every word of their lists comes up.

    Where submits cost pictures, two rows share those that have both.
    """
    fields, xl = await fields_of(t, operation_id), await for_xl(t)
    samplers = fields["sampler_name"].words
    prefix = "controlnet_units[]."
    lists = {name.removeprefix(prefix): field.words for name, field in fields.items() if field.words}
    lists = {name: found for name, found in lists.items() if f"{prefix}{name}" in fields}
    cases: list[tuple[Body, Body]] = []
    for turn in range(max(map(len, lists.values()))):
        chosen = {name: found[turn % len(found)] for name, found in lists.items()}
        fits = xl if "_sd15" not in chosen["model"] else {}
        sampler = {"sampler_name": samplers[turn % len(samplers)]}
        cases.append((sampler, {**fits, "controlnet_units": [unit(**chosen)]}))
    return cases


async def allowed_words(t: Trial, own: int) -> None:
    """Samplers (`own` 0) or control units (1) of every word are accepted, in both operations where that is free."""
    if await costs_nothing(t):
        for operation_id in await serving(t):
            cases = {json.dumps(case[own], sort_keys=True): case[own] for case in await words(t, operation_id)}
            await t.all(allowed(t, operation_id, case) for case in cases.values())
        return
    for case in await words(t, TXT2IMG_V2):
        try:
            await allowed(t, TXT2IMG_V2, {**case[0], **case[1]})
        except Broken:
            await allowed(t, TXT2IMG_V2, case[own])


async def for_xl(t: Trial) -> Body:
    """The change that makes a body fit what is for SDXL alone: such a checkpoint, where the target lists one."""
    name = (await t.names()).checkpoint_sdxl_in_api
    return {"model_name": name} if name else {}


async def asked(
    t: Trial, operation_id: str, body: Body, *, at: tuple[str | int, ...] = (), says: Says = Says.WRONG
) -> Exchange:
    """The answer to a body that should be refused; rows on refusals and rows on codes share it."""

    async def ask() -> Exchange:
        wrong = ".".join(map(str, at)) or "its body"
        return await t.ask(operation_id, body, at=at, says=says, purpose=f"a submit to be refused for {wrong}")

    return await t.once(f"asked {operation_id} {json.dumps(body, sort_keys=True)}", ask)


async def refused(
    t: Trial, operation_id: str, body: Body, *, at: tuple[str | int, ...] = (), says: Says = Says.WRONG
) -> None:
    """Such a body is refused.

    Raises:
        Broken: it is accepted, or refused in another way.
    """
    t.judge_refusal(operation_id, await asked(t, operation_id, body, at=at, says=says), (), 200, "")


# Control units --------------------------------------------------------------------------------------------------------


def unit(**fields: Any) -> Body:
    """A control unit with the five required fields, and changes."""
    return {
        "model": "control_v11p_sd15_canny",
        "weight": 1,
        "input_image": picture(),
        "module": "canny",
        "control_mode": 0,
        **fields,
    }


def full_unit() -> Body:
    """A control unit with every field."""
    return unit(
        model="control_v11p_sd15_inpaint",
        module="inpaint",
        mask=white_left(),
        resize_mode=0,
        processor_res=64,
        threshold_a=64,
        threshold_b=128,
        guidance_start=0.0,
        guidance_end=1.0,
        pixel_perfect=False,
    )


# Pictures of ours -----------------------------------------------------------------------------------------------------


@cache
def wide() -> str:
    """A source picture twice as wide as high, everywhere different, so that no two ways to fit it look alike."""
    from PIL import Image

    return encoded(Image.frombytes("RGB", (96, 48), _gradient(96, 48)))


@cache
def source() -> str:
    """A source picture of the size that is asked for."""
    from PIL import Image

    return encoded(Image.frombytes("RGB", (128, 128), _gradient(128, 128)))


@cache
def white_left() -> str:
    """A mask of that size, white on its left half."""
    from PIL import Image

    mask = Image.new("L", (128, 128), 0)
    mask.paste(255, (0, 0, 64, 128))
    return encoded(mask)


def opened(text: str) -> Image:
    """One of these, decoded."""
    from PIL import Image as PillowImage

    return PillowImage.open(io.BytesIO(base64.b64decode(text)))


def _gradient(width: int, height: int) -> bytes:
    """Red grows to the right, green downwards, and blue has two bands: smooth, so that models keep it."""
    return bytes(
        level
        for y in range(height)
        for x in range(width)
        for level in (x * 255 // width, y * 255 // height, 220 if (4 * x // width) % 2 else 40)
    )


# Tasks ----------------------------------------------------------------------------------------------------------------


async def _ordered(
    t: Trial, operation_id: str, parts: Mapping[str, Body], *, watched: bool = False, copy: int = 0
) -> Task:
    """A task whose body is put together of parts; the requirement of the part that is refused is blamed.

    Args:
        parts: what each requirement says is accepted.
    """
    fields: Body = {}
    for part in parts.values():
        fields |= part | ({"extra": {**fields.get("extra", {}), **part["extra"]}} if "extra" in part else {})
    body = await plain(t, operation_id, **fields)
    try:
        if watched:
            return await t.session.watch(operation_id, body, blame=FOUND[operation_id])
        return await t.finished(operation_id, body, copy=copy)
    except Broken as refused:
        if refused.requirement != FOUND[operation_id]:
            raise
        await t.submitted(operation_id, await plain(t, operation_id))
        for row, part in parts.items():
            await allowed(t, operation_id, part, blame=row)
        raise


async def single(t: Trial) -> Task:
    """The plainest text-to-image task: nothing is asked for, so defaults show."""
    return await t.finished(TXT2IMG_V2, await t.txt2img_v2())


async def grid(t: Trial) -> Task:
    """A task of several pictures, PNG and wider than high, with detection and previews, seen at work.

    Its sides are multiples of 8, which any model can paint, but not of 64, to which some servers round.
    """
    parts: dict[str, Body] = {
        "V2-TXT2IMG-001": {"batch_size": COLUMNS, "n_iter": ROWS, "width": 200, "height": 136, "steps": 20},
        "V2-SUBMIT-011": {
            "extra": {"enable_nsfw_detection": True, "enable_progress_info": True, "response_image_type": "png"}
        },
    }
    return await _ordered(t, TXT2IMG_V2, parts, watched=True)


async def seeded(t: Trial, *, seed: int = 7, weight: float | None = 1, copy: int = 0) -> Task:
    """A task with a seed: a JPEG of twice its sides, with a control unit, a level without detection and no previews.

    Args:
        weight: of the control unit.
        copy: another number is another task of the same body.
    """
    parts: dict[str, Body] = {
        "V2-TXT2IMG-002": {"seed": seed, "width": 128, "height": 64, "enable_hr": True, "hr_scale": 2},
        "V2-CONTROL-001" if weight is not None else "V2-CONTROL-006": {"controlnet_units": [unit(weight=weight)]},
        "V2-SUBMIT-011": {
            "extra": {
                "response_image_type": "jpeg",
                "enable_progress_info": False,
                "nsfw_detection_level": 2,
            }
        },
    }
    return await _ordered(t, TXT2IMG_V2, parts, watched=seed == 7 and weight == 1 and not copy, copy=copy)


async def hires(t: Trial) -> Task:
    """A task whose second pass is to reach a size of its own."""
    sizes = {"enable_hr": True, "hr_scale": 1, "hr_resize_x": 192, "hr_resize_y": 160}
    return await _ordered(t, TXT2IMG_V2, {"V2-TXT2IMG-002": sizes})


async def fitted(t: Trial, mode: int) -> Task:
    """Image to image that changes almost nothing, from a source picture of another shape."""
    parts: dict[str, Body] = {
        "V2-IMG2IMG-002": {"init_images": [wide()], "denoising_strength": NEAR_0, "seed": 7},
        "V2-IMG2IMG-010": {"resize_mode": mode},
    }
    return await _ordered(t, IMG2IMG_V2, parts)


async def redrawn(t: Trial) -> Task:
    """Image to image from the same picture that changes almost everything; a JPEG."""
    parts: dict[str, Body] = {
        "V2-IMG2IMG-002": {"init_images": [wide()], "denoising_strength": NEAR_1, "seed": 7},
        "V2-IMG2IMG-010": {"resize_mode": 0},
        "V2-SUBMIT-011": {"extra": {"response_image_type": "jpeg"}},
    }
    return await _ordered(t, IMG2IMG_V2, parts)


async def masked(t: Trial, *, invert: int) -> Picture:
    """The picture of image to image under a mask whose left half is white."""
    parts: dict[str, Body] = {
        "V2-IMG2IMG-002": {
            "init_images": [source()],
            "mask": white_left(),
            "mask_blur": 0,
            "denoising_strength": NEAR_1,
            "seed": 7,
        },
        "V2-IMG2IMG-010": {"inpainting_mask_invert": invert, "resize_mode": 0},
    }
    return await only(t, await _ordered(t, IMG2IMG_V2, parts))


async def only(t: Trial, task: Task) -> Picture:
    """The first picture of a task that should have one; how many there are is a matter of V2-PROGRESS-007."""
    return (await t.session.pictures(task))[0]


async def tasks(t: Trial) -> list[Task]:
    """Finished tasks of several kinds, two of them seen at work: what progress answers are judged by.

    A kind that the target does not take is left out, for that is a matter of the row that says that it should.
    """
    stories = [single(t), grid(t), seeded(t), *([fitted(t, 0)] if await t.exists(IMG2IMG_V2) else [])]
    found: list[Task] = []
    for ended in await asyncio.gather(*stories, return_exceptions=True):
        if isinstance(ended, Task):
            found.append(ended)
        elif not isinstance(ended, Broken) or ended.requirement.startswith("V2-PROGRESS") or not found:
            raise ended
    return found


async def polls(t: Trial) -> list[tuple[Task, Exchange]]:
    """Every progress answer of these."""
    return [(task, poll) for task in await tasks(t) for poll in task.polls]
