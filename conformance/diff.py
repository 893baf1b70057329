"""The same seeded requests to two servers, their answers canonicalised and compared.

It says where two servers differ, not which of them is right: `run` says that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from conformance import bodies
from conformance.bodies import IMG2IMG, IMG2IMG_V2, MODELS, PROGRESS, RESULT, TXT2IMG, TXT2IMG_V2, Body
from conformance.client import Key, Says
from conformance.difference import Difference, Kind, canonical, differences
from conformance.errors import CheckEnd
from conformance.names import Names
from conformance.pixels import psnr
from conformance.session import Session
from conformance.tasks import Picture
from conformance.wire import MISSING, Exchange

WORDS = frozenset({"message", "msg", "metadata", "reason_text"})
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
HEADERS = ("content-type",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """One thing to ask of both servers.

    Attributes:
        name: a noun phrase.
        body: for a submit; made from the names of models that the server has.
        finish: whether the task that it makes is waited for and its pictures are compared.
    """

    name: str
    operation_id: str
    body: Callable[[Names], Body] | None = None
    params: tuple[tuple[str, str], ...] = ()
    says: Says = Says.VALID
    raw: bytes | None = None
    key: Key | str = Key.OWN
    finish: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A vector and where the two servers differ on it; `trouble` when one of them could not be asked to the end."""

    vector: Vector
    left: str
    right: str
    differences: tuple[Difference, ...] = ()
    trouble: str = ""


def vectors() -> tuple[Vector, ...]:
    """What is asked: about thirty requests, nine pictures for each server."""
    return (*_tasks(), *_refusals(), *_reads())


def _tasks() -> Iterator[Vector]:
    yield Vector(
        name="text to image, seeded", operation_id=TXT2IMG, body=lambda n: bodies.txt2img(n, seed=7), finish=True
    )
    yield Vector(
        name="text to image, two pictures as jpeg",
        operation_id=TXT2IMG,
        body=lambda n: bodies.txt2img(n, {"response_image_type": "jpeg"}, seed=7, image_num=2),
        finish=True,
    )
    yield Vector(
        name="text to image with detection",
        operation_id=TXT2IMG,
        body=lambda n: bodies.txt2img(n, {"enable_nsfw_detection": True, "nsfw_detection_level": 1}, seed=7),
        finish=True,
    )
    yield Vector(
        name="text to image, enlarged",
        operation_id=TXT2IMG,
        body=lambda n: bodies.txt2img(
            n, seed=7, hires_fix={"target_width": 192, "target_height": 192, "strength": 0.5, "upscaler": "Latent"}
        ),
        finish=True,
    )
    yield Vector(
        name="image to image, seeded",
        operation_id=IMG2IMG,
        body=lambda n: bodies.img2img(n, seed=7, strength=0.3),
        finish=True,
    )
    yield Vector(
        name="v2 text to image, seeded",
        operation_id=TXT2IMG_V2,
        body=lambda n: bodies.txt2img_v2(n, seed=7),
        finish=True,
    )
    yield Vector(
        name="v2 image to image, seeded",
        operation_id=IMG2IMG_V2,
        body=lambda n: bodies.img2img_v2(n, seed=7, denoising_strength=0.3),
        finish=True,
    )


def _refusals() -> Iterator[Vector]:
    def changed(path: tuple[str, ...], value: Any) -> Callable[[Names], Body]:
        return lambda names: bodies.changed(bodies.txt2img(names), path, value)

    for name, path, value in (
        ("steps beyond their range", ("request", "steps"), 101),
        ("a width below its range", ("request", "width"), 100),
        ("an unknown sampler", ("request", "sampler_name"), "No such sampler"),
        ("an empty prompt", ("request", "prompt"), ""),
        ("a string for an integer", ("request", "steps"), "4"),
        ("an empty negative prompt", ("request", "negative_prompt"), ""),
        ("null for the seed", ("request", "seed"), None),
        ("clip_skip of 0", ("request", "clip_skip"), 0),
        ("a field that nobody knows", ("request", "no_such_field"), 1),
        ("an unknown picture format", ("extra",), {"response_image_type": "tiff"}),
    ):
        yield Vector(name=name, operation_id=TXT2IMG, body=changed(path, value), says=Says.UNCHECKED)
    yield Vector(
        name="an unknown checkpoint",
        operation_id=TXT2IMG,
        body=changed(("request", "model_name"), "no_such.safetensors"),
    )
    yield Vector(name="a body that is no JSON", operation_id=TXT2IMG, raw=b"{'request': {}}", says=Says.UNCHECKED)
    yield Vector(name="no key", operation_id=TXT2IMG, body=bodies.txt2img, key=Key.NONE)
    yield Vector(name="a wrong key", operation_id=TXT2IMG, body=bodies.txt2img, key="Bearer no-such-key")
    yield Vector(
        name="a source picture that is none",
        operation_id=IMG2IMG,
        body=lambda n: bodies.img2img(n, image_base64="bm8gcGljdHVyZQ=="),
        says=Says.UNCHECKED,
    )
    yield Vector(
        name="v2 steps beyond their range",
        operation_id=TXT2IMG_V2,
        body=lambda n: bodies.txt2img_v2(n, steps=999),
        says=Says.UNCHECKED,
    )


def _reads() -> Iterator[Vector]:
    yield Vector(name="an unknown task", operation_id=RESULT, params=(("task_id", UNKNOWN_ID),))
    yield Vector(name="a result without task_id", operation_id=RESULT, says=Says.UNCHECKED)
    yield Vector(name="an unknown v2 task", operation_id=PROGRESS, params=(("task_id", UNKNOWN_ID),))
    for kind in ("checkpoint", "lora", "vae"):
        yield Vector(
            name=f"one model: {kind}", operation_id=MODELS, params=(("filter.types", kind), ("pagination.limit", "1"))
        )
    yield Vector(
        name="a limit that is no number",
        operation_id=MODELS,
        params=(("pagination.limit", "many"),),
        says=Says.UNCHECKED,
    )


async def compare(left: Session, right: Session, chosen: Sequence[Vector] | None = None) -> list[Compared]:
    """Asks both servers the same things, one after the other."""
    return [await _compare(left, right, vector) for vector in chosen or vectors()]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    answer: Exchange
    result: Exchange | None = None
    pictures: tuple[Picture, ...] = ()

    def __str__(self) -> str:
        last = self.result or self.answer
        said = f"{last.status}" if last.status is not None else "no answer"
        code = last.at("code")
        reason = last.at("reason")
        for one in (reason, None if code in (MISSING, last.status) else f"code {code}"):
            said += f" {one}" if isinstance(one, str) and one else ""
        return said + (f", {len(self.pictures)} picture(s)" if self.pictures else "")


async def _compare(left: Session, right: Session, vector: Vector) -> Compared:
    try:
        one, other = await _see(left, vector), await _see(right, vector)
    except CheckEnd as end:
        return Compared(vector=vector, left="", right="", trouble=str(end))
    return Compared(vector=vector, left=str(one), right=str(other), differences=tuple(_differences(one, other)))


async def _see(session: Session, vector: Vector) -> _Seen:
    body = vector.body(await session.names()) if vector.body is not None else None
    answer = await session.client.call(
        vector.operation_id,
        body,
        params=vector.params,
        says=vector.says,
        raw=vector.raw,
        key=vector.key,
        purpose=vector.name,
    )
    if not vector.finish or body is None:
        return _Seen(answer=answer)
    task = session.task_of(vector.operation_id, body, answer, blame="the submit")
    pictures = await session.pictures(task)
    return _Seen(answer=answer, result=task.result, pictures=pictures)


def _differences(one: _Seen, other: _Seen) -> Iterator[Difference]:
    yield from _of_answers(one.answer, other.answer, "")
    if one.result is not None and other.result is not None:
        yield from _of_answers(one.result, other.result, "result: ")
    for mine, theirs in zip(one.pictures, other.pictures, strict=False):
        yield from _of_pictures(mine, theirs)


def _of_answers(one: Exchange, other: Exchange, where: str) -> Iterator[Difference]:
    if one.status != other.status:
        yield Difference(kind=Kind.STATUS, place=f"{where}status", left=str(one.status), right=str(other.status))
    for name in HEADERS:
        mine, theirs = one.headers.get(name, "none"), other.headers.get(name, "none")
        if mine.replace(" ", "").lower() != theirs.replace(" ", "").lower():
            yield Difference(kind=Kind.HEADER, place=f"{where}{name}", left=mine, right=theirs)
    for found in differences(canonical(one.json), canonical(other.json), words=WORDS):
        yield Difference(
            kind=found.kind, place=f"{where}{found.place or 'the body'}", left=found.left, right=found.right
        )
    if _magnitude(one.took_s) != _magnitude(other.took_s):
        yield Difference(
            kind=Kind.TIME, place=f"{where}time to answer", left=_magnitude(one.took_s), right=_magnitude(other.took_s)
        )


def _of_pictures(one: Picture, other: Picture) -> Iterator[Difference]:
    place = f"picture {one.index + 1}"
    for what, mine, theirs in (
        ("format", one.format, other.format),
        ("size", "x".join(map(str, one.size)), "x".join(map(str, other.size))),
        ("mode", one.image.mode, other.image.mode),
    ):
        if mine != theirs:
            yield Difference(kind=Kind.PICTURE, place=f"{place}: {what}", left=mine, right=theirs)
    if one.size == other.size and one.rgb.tobytes() != other.rgb.tobytes():
        likeness = f"{psnr(one.rgb, other.rgb):.0f} dB"
        yield Difference(kind=Kind.PICTURE, place=f"{place}: pixels", left="as drawn", right=f"PSNR {likeness}")


def _magnitude(seconds: float) -> str:
    for bound_s, word in ((0.1, "under 0.1 s"), (1.0, "under 1 s"), (10.0, "under 10 s")):
        if seconds < bound_s:
            return word
    return "10 s or more"
