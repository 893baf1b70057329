"""The pictures themselves: whole, of the size and format asked for, and made from what was asked for."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from conformance import pixels, stories
from conformance.registry import Area
from conformance.stories import Story
from conformance.tasks import Picture
from conformance.trial import Trial

if TYPE_CHECKING:
    from PIL.Image import Image

area = Area()

LEAST_COLOUR = 8
"""By how much two channels of some pixel differ in a picture in colour; lossy formats tint grey by less."""


async def of_all_formats(t: Trial) -> list[tuple[Story, Picture]]:
    """A picture of each operation and of each format."""
    formats = [await stories.as_format(t, kind) for kind in ("jpeg", "webp")]
    which = [await stories.plain(t), await stories.plain_img2img(t), *formats]
    found = await t.all(stories.pictures(t, story) for story in which)
    return [(story, picture) for story, pictures in zip(which, found, strict=True) for picture in pictures]


@area.check("V3-IMAGE-001")
async def each_file_is_a_whole_picture(t: Trial) -> None:
    for _, picture in await of_all_formats(t):  # all of it was decoded
        if not whole(picture.data):
            t.fail("a whole file", f"{len(picture.data)} bytes that lack their end", picture.download)


def whole(data: bytes) -> bool:
    """Whether a file has the end that its format demands; decoders forgive one that was cut there."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _whole_png(data)
    if data[:4] == b"RIFF":
        return len(data) >= int.from_bytes(data[4:8], "little") + 8
    return b"\xff\xd9" in data[-64:] if data[:2] == b"\xff\xd8" else True


def _whole_png(data: bytes) -> bool:
    place = 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4])
        kind, end = data[place + 4 : place + 8], place + 12 + length
        if end > len(data) or zlib.crc32(data[place + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            return False
        if kind == b"IEND":
            return True
        place = end
    return False


@area.check("V3-IMAGE-002")
async def pictures_have_the_size_asked_for(t: Trial) -> None:
    which = [await stories.plain(t), await stories.seeded(t), *await stories.burst(t)]
    await _sizes(t, which)


async def _sizes(t: Trial, which: list[Story]) -> None:
    for story, pictures in zip(which, await t.all(stories.pictures(t, one) for one in which), strict=True):
        task = await stories.finished(t, story)
        for picture in pictures:
            if picture.size != story.size:
                wanted, found = (f"{width} x {height}" for width, height in (story.size, picture.size))
                t.fail(f"a picture of {wanted}", f"one of {found}", task, picture.download)


@area.check("V3-IMAGE-003")
async def a_second_pass_gives_the_target_size(t: Trial) -> None:
    await _sizes(t, [await stories.hires(t)])


@area.check("V3-IMAGE-004")
async def the_bytes_are_of_the_format_that_is_told(t: Trial) -> None:
    for _, picture in await of_all_formats(t):
        told = picture.entry.get("image_type")
        if told not in ("png", "jpeg", "webp"):
            t.fail("png, webp or jpeg", f"image_type = {told!r}", picture.download, blame="V3-RESULT-016")
        if picture.format != told:
            t.fail(f"the bytes of a {told}", f"those of a {picture.format or 'file of another kind'}", picture.download)


@area.check("V3-IMAGE-005")
async def a_picture_is_in_colour_and_opaque(t: Trial) -> None:
    from PIL import ImageChops

    for _, picture in await of_all_formats(t):
        red, green, blue = picture.rgb.split()
        if all(low == high for low, high in map(_extremes, (red, green, blue))):
            t.fail("a picture of more than one colour", "one flat colour", picture.download)
        apart = (ImageChops.difference(red, green), ImageChops.difference(green, blue))
        if max(high for _, high in map(_extremes, apart)) < LEAST_COLOUR:
            t.fail("a picture in colour", "shades of grey", picture.download)
        alpha = pixels.alpha_range(picture.image)
        if alpha is not None and alpha[0] < 255:
            t.fail("an opaque picture", f"alpha from {alpha[0]} through {alpha[1]}", picture.download)


def _extremes(channel: Image) -> tuple[int, int]:
    levels = [level for level, number in enumerate(channel.histogram()) if number]
    return levels[0], levels[-1]


@area.check("V3-IMAGE-006")
async def pictures_of_one_task_differ(t: Trial) -> None:
    first, *rest = await stories.pictures(t, await stories.pair(t))
    if not rest:
        t.fail("two pictures", "one", first.download, blame="V3-RESULT-013")
    for picture in rest:
        _other(t, first, picture, "another picture than the first one")


@area.check("V3-IMAGE-007")
async def the_same_seed_and_settings_give_the_same_picture(t: Trial) -> None:
    await _same(t, await stories.seeded(t), await stories.same_again(t))


@area.check("V3-IMAGE-008")
async def the_seed_that_was_drawn_gives_the_picture_again(t: Trial) -> None:
    for drawn in (await stories.plain(t), await stories.plain_img2img(t)):
        await _same(t, drawn, await stories.replayed(t, drawn))


@area.check("V3-IMAGE-009")
async def another_seed_gives_another_picture(t: Trial) -> None:
    first, second = await stories.both(t, await stories.seeded(t), await stories.other_seed(t))
    _other(t, first, second, "another picture for another seed")


@area.check("V3-IMAGE-010")
async def another_prompt_gives_another_picture(t: Trial) -> None:
    first, second = await stories.both(t, await stories.seeded(t), await stories.other_prompt(t))
    _other(t, first, second, "another picture for another prompt")


@area.check("V3-IMAGE-011")
async def another_checkpoint_sampler_or_lora_gives_another_picture(t: Trial) -> None:
    names = await t.names()
    which = {"sampler": await stories.other_sampler(t)}
    if names.other_checkpoint:
        which["checkpoint"] = await stories.other_checkpoint(t)
    if names.lora:
        which["LoRA"] = await stories.with_lora(t)
    first = await stories.picture(t, await stories.seeded(t))
    for what, second in zip(which, await t.all(stories.picture(t, one) for one in which.values()), strict=True):
        _other(t, first, second, f"another picture for another {what}")
    t.branch("tried: another " + ", ".join(which))


@area.check("V3-IMAGE-012")
async def the_format_does_not_change_the_picture(t: Trial) -> None:
    first = await stories.picture(t, await stories.seeded(t))
    for kind in ("webp", "jpeg"):
        second = await stories.picture(t, await stories.as_format(t, kind))
        if first.size != second.size:
            t.fail(f"pictures of one size, {first.size}", f"{second.size}", second.download, blame="V3-IMAGE-002")
        degree = pixels.degree(first.rgb, second.rgb)
        if not pixels.like(first.rgb, second.rgb):
            t.fail(f"as {kind} the picture that png shows", f"another one ({degree})", first.download, second.download)
        t.branch(f"{kind}: {degree}")


@area.check("V3-IMAGE-013")
async def a_transparent_background_is_transparent(t: Trial) -> None:
    picture = await stories.picture(t, await stories.transparent(t))
    alpha = pixels.alpha_range(picture.image)
    if alpha is None:
        t.fail("an alpha channel", f"a picture of mode {picture.image.mode}", picture.download)
    if alpha[0] == 255:
        t.fail("pixels that are not opaque", "an alpha channel that is opaque everywhere", picture.download)


async def _same(t: Trial, one: Story, again: Story) -> None:
    first, second = await stories.both(t, one, again)
    tasks = (await stories.finished(t, one), await stories.finished(t, again))
    degree = pixels.degree(first.rgb, second.rgb)
    equal = (
        first.size == second.size and first.image.convert("RGBA").tobytes() == second.image.convert("RGBA").tobytes()
    )
    if not equal and (first.size != second.size or not pixels.like(first.rgb, second.rgb)):
        t.fail("the same picture", f"another one ({degree})", *tasks, first.download, second.download)
    t.branch("bit-exact" if equal else degree)
    if not equal:
        t.tolerated(f"the picture is a like one ({degree})", *tasks, first.download, second.download)


def _other(t: Trial, first: Picture, second: Picture, expected: str) -> None:
    if not pixels.other(first.rgb, second.rgb):
        degree = pixels.degree(first.rgb, second.rgb)
        t.fail(expected, f"the same one ({degree})", first.download, second.download)
