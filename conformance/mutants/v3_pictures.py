"""The pictures of v3."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from conformance.bodies import RESULT, TXT2IMG
from conformance.mutants.making import (
    ABSENT,
    V3,
    asked,
    places,
    put,
    puts,
    quietly,
    succeeded,
)
from conformance.mutants.values import Answer, Link, Mutant, Request, State, Submitted

if TYPE_CHECKING:
    from PIL.Image import Image

Repaint = "Callable[[Image, dict[str, Any]], Image]"


def repainted(answer: Answer, change: Callable[[Image], Image]) -> Answer:
    """The same file with other pixels, in the same format; what is no picture stays."""
    from PIL import Image as PillowImage

    if answer.status != 200:
        return answer
    try:
        image = PillowImage.open(io.BytesIO(answer.body))
        image.load()
    except (OSError, ValueError, SyntaxError):
        return answer
    return answer.with_body(written(change(image), image.format or "PNG"))


def written(image: Image, kind: str) -> bytes:
    """A file of a picture."""
    held = io.BytesIO()
    kept = image.convert("RGB") if kind == "JPEG" else image
    kept.save(held, kind, **({"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}))
    return held.getvalue()


async def _cut_alike(
    state: State, link: Link, request: Request, answer: Answer, change: Callable[[Answer], Answer]
) -> Answer:
    """A changed file; of one that was asked for in part, the same part."""
    if answer.status != 206:
        return change(answer)
    changed = change(await state.fetch(link.origin, request.with_header("range", None)))
    size = len(changed.body)
    part = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if changed.status != 200 or part is None or part[0] == "bytes=-":
        return changed
    first = int(part[1]) if part[1] else max(0, size - int(part[2]))
    last = min(int(part[2]), size - 1) if part[1] and part[2] else size - 1
    if first > last:
        return changed.with_status(416).with_body(b"").with_header("content-range", f"bytes */{size}")
    found = changed.with_status(206).with_body(changed.body[first : last + 1])
    return found.with_header("content-range", f"bytes {first}-{last}/{size}")


def _paints(
    name: str,
    breaks: str,
    text: str,
    change: Callable[[Image, Submitted | None, Link], Image],
    *,
    when: Callable[[State, Submitted | None, Link], bool] = lambda state, task, link: True,
    **more: Any,
) -> Mutant:
    """Gives pictures other pixels."""

    async def picture(state: State, link: Link, request: Request, answer: Answer) -> Answer:
        task = state.tasks.get(link.task_id)
        if task is None or task.sent.operation not in V3 or not when(state, task, link):
            return answer
        return await _cut_alike(
            state, link, request, answer, lambda whole: repainted(whole, lambda image: change(image, task, link))
        )

    return Mutant(name=name, breaks=breaks, text=text, picture=picture, sees_links=True, **more)


def files(name: str, breaks: str, text: str, change: Callable[[Answer], Answer], **more: Any) -> Mutant:
    """Changes the answers of links."""

    async def picture(state: State, link: Link, request: Request, answer: Answer) -> Answer:
        if answer.status not in (200, 206) or link.task_id not in state.tasks:
            return answer
        return await _cut_alike(state, link, request, answer, change)

    return Mutant(name=name, breaks=breaks, text=text, picture=picture, sees_links=True, **more)


def _inverted(image: Image, task: Submitted | None = None, link: Link | None = None) -> Image:
    from PIL import ImageOps

    return ImageOps.invert(image.convert("RGB"))


def _resized(side: Callable[[int], int]) -> Any:
    return lambda image, task, link: image.resize((side(image.width), side(image.height)))


def _hires(state: State, task: Submitted | None, link: Link) -> bool:
    return isinstance(asked(task, "request.hires_fix"), dict)


def _low(image: Image, task: Submitted | None, link: Link) -> Image:
    return image.resize((asked(task, "request.width", image.width), asked(task, "request.height", image.height)))


def _as_other(kind: str) -> Callable[[Answer], Answer]:
    def change(answer: Answer) -> Answer:
        from PIL import Image as PillowImage

        return answer.with_body(written(PillowImage.open(io.BytesIO(answer.body)), kind))

    return change


def _opaque(image: Image, task: Submitted | None, link: Link) -> Image:
    return image.convert("RGB").convert("RGBA")


def _see_through(image: Image, task: Submitted | None, link: Link) -> Image:
    found = image.convert("RGBA")
    found.putalpha(128)
    return found


def _wants_alpha(state: State, task: Submitted | None, link: Link) -> bool:
    return asked(task, "request.enable_transparent_background") is True


def _plain(state: State, task: Submitted | None, link: Link) -> bool:
    return task is not None and task.sent.operation == TXT2IMG and not _wants_alpha(state, task, link)


def _asks_for(*kinds: str) -> Any:
    return lambda state, task, link: asked(task, "extra.response_image_type", "png") in kinds


def _flat(image: Image, task: Submitted | None, link: Link) -> Image:
    """Of its mean colour: what was equal stays equal."""
    return image.convert("RGB").resize((1, 1)).resize(image.size)


async def _first_of_all(state: State, link: Link, request: Request, answer: Answer) -> Answer:
    """Every picture of a task is its first."""
    first = next((one for one in state.links.values() if one.task_id == link.task_id and one.index == 0), link)
    if link.index == 0 or link.task_id not in state.tasks:
        return answer
    return await state.fetch(first.origin, request)


def _a_repetition(state: State, task: Submitted | None, link: Link) -> bool:
    """Whether it is the second, fourth ... task of an equal body."""
    earlier = [
        one for one in state.tasks.values() if task and one.number < task.number and one.sent.json == task.sent.json
    ]
    return len(earlier) % 2 == 1


def _drawn(state: State, request: Request, answer: Answer) -> bool:
    task = state.task_of(request)
    return succeeded(state, request, answer) and task is not None and asked(task, "request.seed", -1) == -1


def _blind(
    name: str,
    breaks: str,
    text: str,
    field: str,
    value: Any,
    *,
    good: Callable[[Any], bool] = bool,
    ops: tuple[str, ...] = (TXT2IMG,),
) -> Mutant:
    """Draws as if a field of the request had one value for all, and does not let the result tell.

    Args:
        good: whether a value is one that the upstream takes; only such a one is passed over.
    """

    def request(state: State, request: Request) -> Request:
        body = request.fresh()
        inner = body.get("request") if isinstance(body, dict) else None
        if request.operation not in ops or not isinstance(inner, dict) or field not in inner:
            return request
        if type(inner[field]) is not type(value) and value is not ABSENT:
            return request
        if not good(inner[field]) or (isinstance(inner[field], str) and len(inner[field]) > 200):
            return request
        for place in places(body, f"request.{field}"):
            put(place, value)
        return request.with_json(body)

    def answer(state: State, request: Request, answer: Answer) -> Answer:
        if request.operation != RESULT or answer.status != 200:
            return answer
        body = answer.fresh()
        quietly(body)
        return answer.with_json(body)

    return Mutant(name=name, breaks=breaks, text=text, request=request, answer=answer)


def _is_full(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("model_name"), str):
        return False
    strength = entry.get("strength")
    return strength == 1 and strength is not True


def _one_seed(state: State, request: Request) -> Request:
    body = request.fresh()
    inner = body.get("request") if isinstance(body, dict) else None
    if request.operation not in V3 or not isinstance(inner, dict):
        return request
    seed = inner.get("seed", -1)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < -1:
        return request
    inner["seed"] = 1
    return request.with_json(body)


def _seed_as_asked(state: State, request: Request, answer: Answer) -> Answer:
    task = state.task_of(request)
    body = answer.fresh()
    if request.operation != RESULT or answer.status != 200 or task is None or not isinstance(body.get("extra"), dict):
        return answer
    given = asked(task, "request.seed", -1)
    body["extra"]["seed"] = str(int(given) if given >= 0 else 1000 + 7919 * task.number)
    quietly(body)
    return answer.with_json(body)


MUTANTS = (
    files(
        "half-files",
        "V3-IMAGE-001",
        "Files end in the middle.",
        lambda answer: answer.with_body(answer.body[: len(answer.body) // 2]),
    ),
    files(
        "jpegs-lack-their-end",
        "V3-IMAGE-001",
        "A jpeg lacks its last bytes.",
        lambda answer: answer.with_body(answer.body[:-2]) if answer.body[:2] == b"\xff\xd8" else answer,
    ),
    files(
        "pngs-lack-their-end",
        "V3-IMAGE-001",
        "A png lacks its last chunk.",
        lambda answer: answer.with_body(answer.body[:-12]) if answer.body[:4] == b"\x89PNG" else answer,
    ),
    files(
        "files-of-text", "V3-IMAGE-001", "Files are no pictures.", lambda answer: answer.with_body(b"<html>soon</html>")
    ),
    _paints(
        "sides-swapped",
        "V3-IMAGE-002",
        "Width and height are swapped.",
        lambda image, task, link: image.resize(image.size[::-1]),
        when=lambda state, task, link: not _hires(state, task, link),
        also=("V3-IMG2IMG-023",),
    ),
    _paints(
        "sides-rounded",
        "V3-IMAGE-002",
        "Sides are rounded down to multiples of 64.",
        _resized(lambda side: side // 64 * 64 or 64),
        when=lambda state, task, link: not _hires(state, task, link),
    ),
    _paints(
        "one-column-less",
        "V3-IMAGE-002",
        "The last column is missing.",
        lambda image, task, link: image.crop((0, 0, image.width - 1, image.height)),
        when=lambda state, task, link: not _hires(state, task, link),
    ),
    _paints("hires-stays-low", "V3-IMAGE-003", "hires_fix changes no size.", _low, when=_hires),
    _paints(
        "hires-is-square",
        "V3-IMAGE-003",
        "hires_fix uses target_width for both sides.",
        lambda image, task, link: image.resize((image.width, image.width)),
        when=_hires,
    ),
    files(
        "jpeg-inside",
        "V3-IMAGE-004",
        "Every file is a jpeg, whatever its type says.",
        _as_other("JPEG"),
        also=("V3-IMAGE-013",),
    ),
    files("png-inside", "V3-IMAGE-004", "Every file is a png, whatever its type says.", _as_other("PNG")),
    _paints(
        "grey-pictures",
        "V3-IMAGE-005",
        "Pictures are grey.",
        lambda image, task, link: image.convert("L").convert("RGB"),
        when=_plain,
    ),
    _paints("flat-pictures", "V3-IMAGE-005", "Pictures are of one colour.", _flat, when=_plain),
    _paints(
        "pale-pictures",
        "V3-IMAGE-005",
        "Pictures are half transparent.",
        _see_through,
        when=lambda state, task, link: _plain(state, task, link) and _asks_for("png")(state, task, link),
    ),
    Mutant(
        name="same-picture-each-time",
        breaks="V3-IMAGE-006",
        text="All pictures of a task are the first one.",
        picture=_first_of_all,
        sees_links=True,
    ),
    _paints(
        "repetitions-differ",
        "V3-IMAGE-007",
        "An equal request with an equal seed gives another picture.",
        _inverted,
        when=lambda state, task, link: _a_repetition(state, task, link) and asked(task, "request.seed", -1) >= 0,
    ),
    puts(
        "another-seed-reported",
        "V3-IMAGE-008",
        "The seed that is reported is not the one that was drawn.",
        RESULT,
        "extra.seed",
        lambda seed: str(int(seed) + 1),
        when=_drawn,
        also=("WEBHOOK-006",),
    ),
    Mutant(
        name="seed-ignored",
        breaks="V3-IMAGE-009",
        text="All seeds give the same picture.",
        request=_one_seed,
        answer=_seed_as_asked,
        also=("WEBHOOK-006",),
    ),
    _blind("prompt-ignored", "V3-IMAGE-010", "Every prompt is read as the same one.", "prompt", "a field"),
    _blind(
        "sampler-ignored",
        "V3-IMAGE-011",
        "The usual samplers are the same one.",
        "sampler_name",
        "DDIM",
        good=lambda name: name in ("Euler a", "Euler", "DDIM", "UniPC", "DPM++ 2M"),
    ),
    _blind(
        "loras-ignored",
        "V3-IMAGE-011",
        "A LoRA of full strength changes nothing.",
        "loras",
        ABSENT,
        good=lambda loras: isinstance(loras, list) and len(loras) == 1 and _is_full(loras[0]),
    ),
    _paints(
        "webp-differs", "V3-IMAGE-012", "A webp shows something else than a png.", _inverted, when=_asks_for("webp")
    ),
    _paints(
        "jpeg-differs", "V3-IMAGE-012", "A jpeg shows something else than a png.", _inverted, when=_asks_for("jpeg")
    ),
    _paints(
        "alpha-lost",
        "V3-IMAGE-013",
        "A transparent picture has no alpha.",
        lambda image, task, link: image.convert("RGB"),
        when=_wants_alpha,
    ),
    _paints("alpha-full", "V3-IMAGE-013", "A transparent picture is nowhere transparent.", _opaque, when=_wants_alpha),
)
