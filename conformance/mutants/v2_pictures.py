"""The pictures of version 2, and what image to image does with its source."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from conformance.bodies import IMG2IMG_V2, TXT2IMG_V2
from conformance.mutants.making import ABSENT, accepts, asked
from conformance.mutants.v2_making import V2, is_picture, number
from conformance.mutants.v3_pictures import repainted, written
from conformance.mutants.values import Answer, Link, Mutant, Request, State, Submitted, json_answer
from conformance.predicates import type_name

if TYPE_CHECKING:
    from PIL.Image import Image


def _served(
    name: str, number: str, text: str, change: Any, *, when: Any = lambda state, task, link: True, **more: Any
) -> Mutant:
    """Changes what links of version 2 give."""

    def picture(state: State, link: Link, request: Request, answer: Answer) -> Any:
        task = state.tasks.get(link.task_id)
        if task is None or task.sent.operation not in V2 or not when(state, task, link):
            return answer
        return change(state, task, link, request, answer)

    return Mutant(name=name, breaks=f"V2-IMAGE-{number}", text=text, picture=picture, sees_links=True, **more)


def _paints(name: str, number: str, text: str, change: Callable[[Image, Submitted], Image], **more: Any) -> Mutant:
    """Gives pictures other pixels."""

    def painted(state: State, task: Submitted, link: Link, request: Request, answer: Answer) -> Answer:
        return repainted(answer, lambda image: change(image, task))

    return _served(name, number, text, painted, **more)


def _as_kind(kind: str) -> Any:
    def change(state: State, task: Submitted, link: Link, request: Request, answer: Answer) -> Answer:
        import io

        from PIL import Image as PillowImage

        if answer.status != 200:
            return answer
        image = PillowImage.open(io.BytesIO(answer.body))
        return answer.with_body(written(image, kind)).with_header("content-type", f"image/{kind.lower()}")

    return change


def _inverted(image: Image, task: Submitted) -> Image:
    from PIL import ImageOps

    return ImageOps.invert(image.convert("RGB"))


def _hires(state: State, task: Submitted, link: Link) -> bool:
    return asked(task, "enable_hr") is True


def _low(state: State, task: Submitted, link: Link) -> bool:
    return not _hires(state, task, link)


def _asks_for(*kinds: Any) -> Any:
    return lambda state, task, link: asked(task, "extra.response_image_type") in kinds


def _a_repetition(state: State, task: Submitted, link: Link) -> bool:
    earlier = (one for one in state.tasks.values() if one.number < task.number)
    return asked(task, "seed", -1) >= 0 and any(one.sent.json == task.sent.json for one in earlier)


def _needs_key(state: State, task: Submitted, link: Link, request: Request, answer: Answer) -> Answer:
    return answer if "authorization" in request.headers else Answer(status=401)


async def _first_of_all(state: State, task: Submitted, link: Link, request: Request, answer: Answer) -> Answer:
    first = next((one for one in state.links.values() if one.task_id == link.task_id and one.index == 0), link)
    return await state.fetch(first.origin, request)


def _drawn_anew(state: State, task: Submitted, link: Link, request: Request, answer: Answer) -> Answer:
    """A picture in place of one that is gone."""
    from PIL import Image as PillowImage

    if answer.status < 400:
        return answer
    image = PillowImage.linear_gradient("L").resize((asked(task, "width"), asked(task, "height")))
    return json_answer(200, {}).with_body(written(image, "PNG")).with_header("content-type", "image/png")


def _reads(name: str, breaks: str, text: str, ops: Any, path: str, old: Any, new: Any, **more: Any) -> Mutant:
    """Reads a valid value as another valid one."""
    return accepts(name, breaks, text, ops, path, old, new, **more)


def _seed(value: Any) -> bool:
    return type_name(value) == "integer" and value >= -1


def _share(value: Any) -> bool:
    return number(value) and 0 <= value <= 1


def _mask(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and is_picture(value)


def _inverts(state: State, request: Request) -> Request:
    """Paints outside of the white of the mask."""
    body = request.fresh()
    if request.operation != IMG2IMG_V2 or not isinstance(body, dict) or not _mask(body.get("mask")):
        return request
    invert = body.get("inpainting_mask_invert", 0)
    if type_name(invert) != "integer" or invert not in (0, 1):
        return request
    return request.with_json({**body, "inpainting_mask_invert": 1 - invert})


def _source(name: str, row: str, text: str, field: str, old: Any, new: Any, **more: Any) -> Mutant:
    return _reads(f"v2-{name}", f"V2-IMG2IMG-{row}", text, IMG2IMG_V2, field, old, new, **more)


MUTANTS = (
    _served("v2-links-need-a-key", "001", "A link needs the key.", _needs_key),
    _served(
        "v2-links-born-dead", "001", "No link works.", lambda state, task, link, request, answer: Answer(status=404)
    ),
    _served(
        "v2-half-files",
        "001",
        "Files end in the middle.",
        lambda state, task, link, request, answer: answer.with_body(answer.body[: len(answer.body) // 2]),
    ),
    _paints(
        "v2-sides-swapped",
        "001",
        "Width and height are swapped.",
        lambda image, task: image.resize(image.size[::-1]),
        when=_low,
    ),
    _paints(
        "v2-one-row-less",
        "001",
        "The last row is missing.",
        lambda image, task: image.crop((0, 0, image.width, image.height - 1)),
        when=_low,
    ),
    _paints(
        "v2-sides-of-64",
        "001",
        "Sides are rounded down to multiples of 64.",
        lambda image, task: image.resize((image.width // 64 * 64 or 64, image.height // 64 * 64 or 64)),
        when=_low,
    ),
    _paints(
        "v2-pictures-of-the-source-size",
        "001",
        "Image to image keeps the size of its source.",
        lambda image, task: image.resize((64, 64)),
        when=lambda state, task, link: task.sent.operation == IMG2IMG_V2,
    ),
    _served("v2-always-png", "002", "A jpeg is a png.", _as_kind("PNG"), when=_asks_for("jpeg")),
    _served("v2-jpeg-by-default", "002", "Without a format there is a jpeg.", _as_kind("JPEG"), when=_asks_for(None)),
    _served("v2-png-is-webp", "002", "A png is a webp.", _as_kind("WEBP"), when=_asks_for("png")),
    _reads("v2-hr-ignored", "V2-IMAGE-003", "enable_hr changes nothing.", TXT2IMG_V2, "enable_hr", True, False),
    _paints(
        "v2-hr-sides-swapped",
        "003",
        "hr_resize_x is the height.",
        lambda image, task: image.resize(image.size[::-1]),
        when=_hires,
    ),
    _paints(
        "v2-hr-scale-ignored",
        "003",
        "hr_scale changes nothing.",
        lambda image, task: image.resize((asked(task, "width"), asked(task, "height"))),
        when=lambda state, task, link: _hires(state, task, link) and asked(task, "hr_scale") == 2,
    ),
    _paints(
        "v2-hr-targets-ignored",
        "003",
        "hr_resize_x and hr_resize_y change nothing.",
        lambda image, task: image.resize((asked(task, "width"), asked(task, "height"))),
        when=lambda state, task, link: _hires(state, task, link) and asked(task, "hr_scale") != 2,
    ),
    _paints(
        "v2-repetitions-differ",
        "004",
        "An equal request with an equal seed gives another picture.",
        _inverted,
        when=_a_repetition,
    ),
    _reads("v2-seed-ignored", "V2-IMAGE-004", "All seeds give the same picture.", V2, "seed", _seed, 1),
    _reads(
        "v2-seed-random",
        "V2-IMAGE-004",
        "A seed is not looked at, each task draws one.",
        V2,
        "seed",
        _seed,
        -1,
    ),
    _served(
        "v2-same-picture-each-time",
        "004",
        "All pictures of a task are the first one.",
        _first_of_all,
        when=lambda state, task, link: link.index > 0,
    ),
    _served("v2-links-never-die", "005", "A link works for ever.", _drawn_anew),
    _reads(
        "v2-ttl-ignored",
        "V2-IMAGE-005",
        "Links live for a week, whatever img_expire_ttl says.",
        V2,
        "img_expire_ttl",
        lambda old: type_name(old) == "integer" and 0 < old < 604800,
        ABSENT,
    ),
    _reads(
        "v2-ttl-in-minutes",
        "V2-IMAGE-005",
        "img_expire_ttl counts minutes.",
        V2,
        "img_expire_ttl",
        lambda old: type_name(old) == "integer" and 0 < old < 604800,
        lambda old: min(old * 60, 604800),
    ),
    _source("denoising-ignored", "015", "denoising_strength changes nothing.", "denoising_strength", _share, 0.75),
    _source(
        "denoising-upside-down",
        "015",
        "A higher strength keeps more.",
        "denoising_strength",
        _share,
        lambda old: 1 - old,
        also=("V2-IMG2IMG-016", "V2-IMG2IMG-017", "V2-IMG2IMG-018"),
    ),
    _source("mask-ignored", "016", "A mask changes nothing.", "mask", _mask, ABSENT, also=("V2-IMG2IMG-017",)),
    Mutant(
        name="v2-mask-inverted",
        breaks="V2-IMG2IMG-016",
        text="The black of a mask is painted.",
        request=_inverts,
        also=("V2-IMG2IMG-017",),
    ),
    _source("invert-ignored", "017", "A mask cannot be inverted.", "inpainting_mask_invert", 1, 0),
    _source(
        "resize-mode-ignored",
        "018",
        "resize_mode changes nothing.",
        "resize_mode",
        lambda old: type(old) is int and old in (1, 2),
        0,
    ),
    _source("fill-is-crop", "018", "resize_mode 2 crops.", "resize_mode", 2, 1),
    _source("crop-is-stretch", "018", "resize_mode 1 stretches.", "resize_mode", 1, 0),
)
