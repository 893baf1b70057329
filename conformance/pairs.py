"""Every two settings of a submit together: a covering array of strength two over its fields.

A check sets one field at a time; a server may still trip over two of them at once. Some fifteen submits per operation
hold each pair of values that are valid by themselves and that no rule keeps apart, and all of them must be accepted.
They order no work; where a target offers no way to do that, they are left out.
"""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from conformance.bodies import IMG2IMG, IMG2IMG_V2, TXT2IMG, TXT2IMG_V2, Body, picture
from conformance.errors import Broken, CheckEnd
from conformance.findings import Finding, merged
from conformance.names import Names
from conformance.narrowing import SUBMITS, Narrowed, blamed, is_accepted, is_free, narrow, plain
from conformance.places import Places
from conformance.session import Session
from conformance.wire import MISSING
from openapi.requirements import load_requirements

PURPOSE = "breadth: pairs"
MOST_NARROWED = 4
"""Reasons of refusals that are looked for, of one operation; a server that refuses most of them is told a few."""
CANDIDATES = 12
"""Rows that are tried before the best one is kept; more make the array little shorter."""

ABSENT: Final = MISSING
"""A field that is not sent."""

Parameters = Mapping[tuple[str, ...], Sequence[Any]]
Row = dict[tuple[str, ...], Any]


async def explore(session: Session, seed: int) -> list[Broken]:
    """Submits with every two settings together.

    Args:
        seed: the same one sends the same bodies.

    Returns:
        What was refused, each on the row that says that it is accepted.
    """
    found: list[Broken] = []
    places = Places(session.document, load_requirements())
    for operation_id in SUBMITS:
        if await session.gone(operation_id) is None and await is_free(session, operation_id):
            found += await _explore(session, operation_id, places, seed)
    return found


async def _explore(session: Session, operation_id: str, places: Places, seed: int) -> list[Broken]:
    base = await plain(session, operation_id)
    if not is_accepted(operation_id, await session.ask(operation_id, base, purpose=PURPOSE)):
        return []  # the row of the plainest submit tells it
    parameters = parameters_of(operation_id, await session.names())
    bodies = [body_of(base, row) for row in covering(parameters, seed)]
    answers = await asyncio.gather(
        *(session.ask(operation_id, body, purpose=PURPOSE) for body in bodies), return_exceptions=True
    )
    findings: list[Finding] = []
    known: list[Narrowed] = []
    for body, answer in zip(bodies, answers, strict=True):
        if isinstance(answer, CheckEnd):
            return []  # the key or the route is gone, or the budget is: no word on pairs
        if isinstance(answer, BaseException):
            raise answer
        if is_accepted(operation_id, answer) or len(known) >= MOST_NARROWED or any(o.explains(body) for o in known):
            continue
        narrowed = await narrow(session, operation_id, body, PURPOSE)
        if narrowed is not None:
            known.append(narrowed)
            findings.append(blamed(places, operation_id, narrowed, answer))
    return [one for finding in merged(findings) for one in finding.broken()]


def parameters_of(operation_id: str, names: Names) -> Parameters:
    """Valid values of the fields of a submit, by place; the first value of each is that of the plain body."""
    if operation_id == TXT2IMG:
        return {**_v3(names), **_extra(), ("request", "hires_fix"): _HIRES, ("request", "refiner"): _REFINER, **_FACES}
    if operation_id == IMG2IMG:
        unit = {"model_name": "control_v11p_sd15_canny", "image_base64": picture(), "strength": 0.5}
        adapter = {"model_name": "ip-adapter_sd15.bin", "image_base64": picture(), "strength": 0.5}
        return {
            **_v3(names),
            **_extra(),
            ("request", "image_base64"): [picture(), picture(96, 64, (0, 90, 200), "JPEG")],
            ("request", "strength"): [ABSENT, 0, 1, None],
            ("request", "controlnet"): [ABSENT, {"units": [unit]}, {"units": [{**unit, "preprocessor": "canny"}]}],
            ("request", "ip_adapters"): [ABSENT, [adapter]],
        }
    if operation_id == TXT2IMG_V2:
        return {
            **_v2(names, [7, 30]),
            ("negative_prompt",): ["blurry", ""],
            ("restore_faces",): [False, True],
            ("enable_hr",): [ABSENT, True, None],
            ("hr_upscaler",): [ABSENT, "Latent", None],
            ("hr_scale",): [ABSENT, 1, 2, None],
            ("controlnet_units",): [ABSENT, None, [_unit_v2()]],
        }
    assert operation_id == IMG2IMG_V2
    return {
        **_v2(names, [7, 7.5]),
        ("negative_prompt",): [ABSENT, "blurry", None],
        ("init_images",): [[picture()], [picture(96, 64, (0, 90, 200), "JPEG")]],
        ("denoising_strength",): [ABSENT, 0.5, None],
        ("resize_mode",): [ABSENT, 1, None],
        ("mask",): [ABSENT, picture(64, 64, (255, 255, 255))],
        ("inpainting_fill",): [ABSENT, 1, None],
        ("inpainting_mask_invert",): [ABSENT, 1],
        ("controlnet_units",): [ABSENT, None, [{**_unit_v2(), "pixel_perfect": None}]],
    }


_HIRES: Sequence[Any] = (
    ABSENT,
    {"target_width": 2048, "target_height": 2048, "strength": 0.5},
    {"target_width": 4096, "target_height": 4096, "strength": 1, "upscaler": "Latent"},
)
_REFINER: Sequence[Any] = (ABSENT, {"switch_at": 0.8})
_FACES: Parameters = {("request", "restore_faces"): [ABSENT, True, False]}


def _unit_v2() -> Body:
    return {
        "model": "control_v11p_sd15_canny",
        "weight": 1,
        "input_image": picture(),
        "module": "canny",
        "control_mode": 0,
    }


def _v3(names: Names) -> Parameters:
    lora = [ABSENT, *([[{"model_name": names.lora, "strength": 0.7}]] if names.lora else [])]
    embedding = [ABSENT, *([[{"model_name": names.embedding}]] if names.embedding else [])]
    return {
        ("request", "width"): [128, 2048],
        ("request", "height"): [128, 512],
        ("request", "image_num"): [1, 8],
        ("request", "steps"): [4, 100],
        ("request", "guidance_scale"): [7.5, 1, 30],
        ("request", "sampler_name"): ["Euler a", "DDIM", "UniPC"],
        ("request", "negative_prompt"): [ABSENT, "blurry"],
        ("request", "seed"): [ABSENT, -1, 12345],
        ("request", "clip_skip"): [ABSENT, 1, 12],
        ("request", "sd_vae"): [ABSENT, *([names.vae] if names.vae else [])],
        ("request", "loras"): lora,
        ("request", "embeddings"): embedding,
    }


def _extra() -> Parameters:
    return {
        ("extra", "response_image_type"): [ABSENT, "webp", "jpeg"],
        ("extra", "enable_nsfw_detection"): [ABSENT, True, False],
        ("extra", "nsfw_detection_level"): [ABSENT, 0, 2],
    }


def _v2(names: Names, guidance: Sequence[Any]) -> Parameters:
    return {
        ("cfg_scale",): guidance,
        ("batch_size",): [1, 8],
        ("steps",): [4, 50],
        ("width",): [128, 2048],
        ("height",): [128, 512],
        ("sampler_name",): ["Euler a", "Restart", "DDIM"],
        ("seed",): [-1, 12345],
        ("clip_skip",): [ABSENT, 2],
        ("sd_vae",): [ABSENT, None, *([names.vae] if names.vae else [])],
        ("extra", "response_image_type"): [ABSENT, "jpeg"],
        ("extra", "enable_nsfw_detection"): [ABSENT, True],
        ("extra", "enable_progress_info"): [ABSENT, True, None],
    }


def body_of(base: Body, row: Row) -> Body:
    """The base with the values of a row."""
    body = copy.deepcopy(base)
    for path, value in row.items():
        if value is ABSENT:
            continue
        holder = body
        for step in path[:-1]:
            holder = holder.setdefault(step, {})
        holder[path[-1]] = copy.deepcopy(value)
    return body


def covering(parameters: Parameters, seed: int) -> list[Row]:
    """Rows in which every two values of two parameters stand together at least once.

    Greedy: each row begins with a pair that is still missing and takes for every other parameter the value that adds
    most pairs; the best of some such rows is kept.
    """
    drawn = random.Random(seed)
    names = list(parameters)
    missing = {
        ((one, a), (other, b))
        for one, other in combinations(range(len(names)), 2)
        for a in range(len(parameters[names[one]]))
        for b in range(len(parameters[names[other]]))
    }
    rows: list[dict[int, int]] = []
    while missing:
        tried = [_row(names, parameters, missing, drawn) for _ in range(CANDIDATES)]
        best = max(tried, key=lambda row: len(_pairs(row) & missing))
        missing -= _pairs(best)
        rows.append(best)
    return [{names[place]: parameters[names[place]][value] for place, value in row.items()} for row in rows]


Pair = tuple[tuple[int, int], tuple[int, int]]


def _row(names: Sequence[Any], parameters: Parameters, missing: set[Pair], drawn: random.Random) -> dict[int, int]:
    first, second = drawn.choice(sorted(missing))
    row = dict((first, second))
    rest = [place for place in range(len(names)) if place not in row]
    drawn.shuffle(rest)
    for place in rest:
        values = list(range(len(parameters[names[place]])))
        drawn.shuffle(values)
        gains = {value: _gain(place, value, row, missing) for value in values}
        row[place] = max(gains, key=lambda value: gains[value])
    return row


def _gain(place: int, value: int, row: Mapping[int, int], missing: set[Pair]) -> int:
    return sum(_ordered((place, value), held) in missing for held in row.items())


def _ordered(one: tuple[int, int], other: tuple[int, int]) -> Pair:
    return (one, other) if one < other else (other, one)


def _pairs(row: Mapping[int, int]) -> set[Pair]:
    return {_ordered(one, other) for one, other in combinations(sorted(row.items()), 2)}
