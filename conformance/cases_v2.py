"""Cases that both v2 submits share: places and values made from what the document says of each field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.bodies import Body, changed
from conformance.client import Says
from conformance.errors import NotMeasured
from conformance.fields import fields_of
from conformance.stories_v2 import NO_MODEL, REFINER, allowed, for_xl, free, plain

if TYPE_CHECKING:
    from conformance.trial import Trial

NEEDED = ("prompt", "model_name", "sampler_name", "width", "height", "steps", "cfg_scale", "batch_size")
"""Required, and sent by every client (C14)."""
NEAR_SAMPLERS = ("DPM++ Karras", "euler a", "EULER A", "Euler  a", " Euler a", "Euler a ", "Euler_a", "k_euler_a", "")
"""Words that are nearly samplers."""


async def wrong_types(t: Trial, operation_id: str) -> list[tuple[tuple[str | int, ...], object]]:
    """A place and a value of another JSON type, for each field of a body but those of `extra` and control units."""
    found: list[tuple[tuple[str | int, ...], object]] = []
    for name, field in (await fields_of(t, operation_id)).items():
        if name.startswith(("extra", "controlnet_units")):
            continue
        bad = field.wrong_types()
        if name == "restore_faces_model":
            bad = ("text", True, 1, [], {})  # null alone has the right type, and three words are tolerated
        elif name == "init_images":
            bad = ("text", True, 1, {})
        elif "string" in field.tolerated_types - field.types:
            bad = ("4", *bad)  # of text nothing but the empty one is tolerated in place of a number
        found += [(field.path, value) for value in bad]
    return found


def put(body: Body, path: tuple[str | int, ...], value: object) -> Body:
    """A copy with one value set, inside of a refiner too."""
    whole = {**body, "sd_refiner": REFINER} if path[0] == "sd_refiner" else body
    return changed(whole, path, value)


def no_pictures_at_all(base: Body) -> Body:
    """The same with runs of no picture, where no runs are asked for: of what may be accepted without `n_iter`."""
    return {**base, "batch_size": 0} if base["n_iter"] == 0 else base


async def at_the_ends(t: Trial, operation_id: str) -> list[Body]:
    """Changes that put each number to a closed end of its range; the runs apart, for they order pictures."""
    fields, xl = await fields_of(t, operation_id), await for_xl(t)
    found: list[Body] = []
    for name, field in fields.items():
        if not field.numeric or field.words or name.startswith("controlnet_units"):
            continue
        ends = [end for end, is_open in ((field.low, field.above_low), (field.high, False)) if end is not None]
        if field.above_low and name in ("steps", "cfg_scale"):
            ends[0] = 1  # the least that a whole number above 0 can be
        elif field.above_low:
            ends = ends[1:]  # what is drawn one pixel wide is nobody's promise
        if name in ("hr_resize_x", "hr_resize_y"):
            found += [{"enable_hr": True, "hr_scale": 1, "hr_resize_x": 128, "hr_resize_y": 128, name: ends[0]}]
        elif name == "sd_refiner.switch_at":
            found += [{**xl, "sd_refiner": {**REFINER, "switch_at": end}} for end in ends]
        elif name == "batch_size":
            found += [{name: end} for end in ends if end]
        elif name != "n_iter":
            found += [{name: end} for end in ends]
    return found


async def eight_runs(t: Trial, operation_id: str) -> None:
    """`n_iter` at its upper end: of no picture where the target takes that, else of one."""
    eight: Body = {"n_iter": 8, "batch_size": 0}
    answer = await t.ask(operation_id, await plain(t, operation_id, **eight), purpose="eight runs of no picture (C17)")
    if answer.at("code") != 0:
        await t.accepted(operation_id, await plain(t, operation_id, n_iter=8), as_is=True)


async def outside(t: Trial, operation_id: str, names: tuple[str, ...]) -> list[tuple[str, float]]:
    """A field and a number outside its range: just beyond each bound, an open end itself, and far below 0."""
    fields = await fields_of(t, operation_id)
    cases: list[tuple[str, float]] = []
    for name in names:
        field = fields[name]
        cases += [(name, value) for value in field.outside()]
        if field.low == 0 and field.above_low:
            cases.append((name, -1))
        if field.high is not None:
            cases.append((name, 100 * int(field.high)))
    return cases


async def model_names(t: Trial, operation_id: str) -> None:
    """Names that the target lists are accepted, and a checkpoint that it cannot have is not."""
    names = await t.names()
    if not names.known:
        raise NotMeasured("the model list names no checkpoint (--name checkpoint=... would tell one)")
    checkpoints = [name for name in (names.checkpoint_in_api, names.checkpoint_sdxl_in_api) if name]
    cases: list[Body] = [{"model_name": name} for name in checkpoints]
    if names.vae:
        cases.append({"sd_vae": names.vae})
    if names.vae_sdxl and names.checkpoint_sdxl_in_api:
        cases.append({"sd_vae": names.vae_sdxl, "model_name": names.checkpoint_sdxl_in_api})
    await t.all(allowed(t, operation_id, case) for case in cases)
    base = await free(t, operation_id)
    unknown = (NO_MODEL, f"no-such-{names.checkpoint_in_api}", "no-such-model")
    await t.all(
        t.refused(operation_id, {**base, "model_name": name}, at=("model_name",), says=Says.MEANING) for name in unknown
    )
