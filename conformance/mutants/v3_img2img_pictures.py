"""What image to image on v3 makes of its source picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.bodies import IMG2IMG, RESULT
from conformance.mutants.making import asked, made_by, places, put, puts, quietly, value_at
from conformance.mutants.v3_pictures import repainted
from conformance.mutants.values import Answer, Link, Mutant, Request, State
from conformance.mutants.wanted import number, opened
from conformance.wire import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

    from conformance.mutants.values import Submitted


def unheeded(
    name: str, breaks: str, words: str, field: str, change: Any, *, when: Callable[[Any], bool], **more: Any
) -> Mutant:
    """Draws as if a field of an image-to-image request had another value, and does not let the result tell."""

    def request(state: State, request: Request) -> Request:
        if request.operation != IMG2IMG or not isinstance(request.json, dict):
            return request
        body, seen = request.fresh(), False
        for place in list(places(body, f"request.{field}")):
            if when(value_at(place)):
                put(place, change)
                seen = True
        return request.with_json(body) if seen else request

    def answer(state: State, request: Request, answer: Answer) -> Answer:
        if request.operation != RESULT or answer.status != 200 or answer.json is MISSING:
            return answer
        body = answer.fresh()
        quietly(body)
        return answer.with_json(body)

    return Mutant(name=name, breaks=breaks, text=words, request=request, answer=answer, **more)


def _paints(
    name: str,
    number: str,
    words: str,
    change: Callable[[Image, Submitted, State], Image],
    *,
    when: Callable[[Any], bool] = lambda strength: True,
    **more: Any,
) -> Mutant:
    """Other pixels for image-to-image pictures whose strength fulfils a predicate."""

    def picture(state: State, link: Link, request: Request, answer: Answer) -> Answer:
        task = state.tasks.get(link.task_id)
        if task is None or task.sent.operation != IMG2IMG or not when(asked(task, "request.strength")):
            return answer
        return repainted(answer, lambda image: change(image, task, state))

    return Mutant(name=name, breaks=f"V3-IMG2IMG-{number}", text=words, picture=picture, sees_links=True, **more)


def _source(task: Submitted) -> Image | None:
    return opened(asked(task, "request.image_base64"))


def _size_of_source(image: Image, task: Submitted, state: State) -> Image:
    source = _source(task)
    return image.resize(source.size) if source else image


def _shape_of_source(image: Image, task: Submitted, state: State) -> Image:
    """As large as fits into the size asked for."""
    source = _source(task)
    if source is None:
        return image
    scale = min(image.width / source.width, image.height / source.height)
    return image.resize((max(1, round(source.width * scale)), max(1, round(source.height * scale))))


def _sixty_fourths(image: Image, task: Submitted, state: State) -> Image:
    return image.resize((image.width // 64 * 64 or 64, image.height // 64 * 64 or 64))


def _by_source(image: Image, task: Submitted, state: State) -> Image:
    """Nearly black for one source picture, nearly white for the next."""
    from PIL import Image as PillowImage

    seen = state.memory.setdefault("sources", [])
    source = asked(task, "request.image_base64")
    if source not in seen:
        seen.append(source)
    shade = 255 * (seen.index(source) % 2)
    flat = PillowImage.new("RGB", image.size, (shade, shade, shade))
    return PillowImage.blend(image.convert("RGB"), flat, 0.9)


def _inverted(image: Image, task: Submitted, state: State) -> Image:
    from PIL import ImageOps

    return ImageOps.invert(image.convert("RGB"))


def _between(least: float, most: float) -> Callable[[Any], bool]:
    return lambda strength: number(strength) and least <= strength <= most


MUTANTS = (
    puts(
        "i2i-task-type-of-txt2img",
        "V3-IMG2IMG-022",
        "An image-to-image task is one of text to image.",
        RESULT,
        "task.task_type",
        "TXT_TO_IMG",
        when=made_by(IMG2IMG),
    ),
    puts(
        "i2i-task-type-in-small-letters",
        "V3-IMG2IMG-022",
        "The type of an image-to-image task is img2img.",
        RESULT,
        "task.task_type",
        "img2img",
        when=made_by(IMG2IMG),
    ),
    _paints("i2i-size-of-source", "023", "Pictures are as large as the source picture.", _size_of_source),
    _paints("i2i-shape-of-source", "023", "Pictures have the shape of the source picture.", _shape_of_source),
    _paints("i2i-sides-in-64ths", "023", "Sides are rounded down to multiples of 64.", _sixty_fourths),
    unheeded(
        "i2i-strength-ignored",
        "V3-IMG2IMG-024",
        "Every strength is read as a half.",
        "strength",
        0.5,
        when=_between(0, 1),
        also=("V3-IMG2IMG-025", "V3-IMG2IMG-026"),
    ),
    unheeded(
        "i2i-strength-upside-down",
        "V3-IMG2IMG-025",
        "The larger the strength, the more is kept.",
        "strength",
        lambda strength: 1 - strength,
        when=_between(0, 1),
        also=("V3-IMG2IMG-024", "V3-IMG2IMG-026"),
    ),
    _paints(
        "i2i-source-shines-through",
        "024",
        "With strength 1 the source decides the shade.",
        _by_source,
        when=_between(0.95, 1),
    ),
    _paints(
        "i2i-weak-is-inverted",
        "025",
        "With a small strength the source picture is inverted.",
        _inverted,
        when=_between(0, 0.3),
        also=("V3-IMG2IMG-026",),
    ),
    unheeded(
        "i2i-strength-0-is-the-default",
        "V3-IMG2IMG-026",
        "A strength of 0 is taken for an absent one, which means 0.8.",
        "strength",
        0.8,
        when=_between(0, 0),
    ),
)
