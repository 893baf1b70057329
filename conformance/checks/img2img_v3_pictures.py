"""Image to image on v3: what the task says of itself, and what becomes of the source picture."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.bodies import IMG2IMG, Body
from conformance.expect import equals
from conformance.pixels import degree, difference, from_base64, like
from conformance.registry import Area
from conformance.sources import drawn
from conformance.tasks import Picture
from conformance.trial import Trial
from conformance.wire import MISSING

area = Area()

PLAIN = ("V3-IMG2IMG-001",)
OF_STRENGTH = (*PLAIN, "V3-IMG2IMG-002", "V3-IMG2IMG-005")
"""A seed is accepted, and a strength at both ends."""
SEED = 20240229
WIDTH, HEIGHT = 200, 136
"""Of the pictures that are compared, no multiples of 64; the first source has this size, so that strength 0 leaves
nothing to scale."""
NEAR_0, NEAR_1 = 0.05, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Pictures of one seed and strength, made of two sources."""

    first: Picture
    second: Picture

    @property
    def apart(self) -> float:
        """Their mean absolute difference."""
        return difference(self.first.image, self.second.image)


@area.check("V3-IMG2IMG-022")
async def the_task_type_is_img_to_img(t: Trial) -> None:
    task = await t.finished(IMG2IMG, await t.img2img())
    if isinstance(task.result.at("task"), dict) and task.result.at("task", "task_type") is MISSING:
        t.tolerated("the key task.task_type is absent", task.result)
        return
    for answer in task.polls[: task.polls.index(task.result) + 1]:  # whatever comes later is a matter of V3-LIFE-004
        if answer.status == 200:
            equal = equals("task.task_type", "IMG_TO_IMG", optional=answer is not task.result)
            t.expect(answer, equal, seen=task.numbers[:1])


@area.check("V3-IMG2IMG-023", needs=OF_STRENGTH)
async def pictures_have_the_size_asked_for(t: Trial) -> None:
    plain = await t.img2img()
    asked = (plain["request"]["width"], plain["request"]["height"])
    found = [(asked, picture) for picture in await t.pictures(IMG2IMG, plain)]
    pair = await _pair(t, NEAR_0)
    found += [((WIDTH, HEIGHT), pair.first), ((WIDTH, HEIGHT), pair.second)]
    for (width, height), picture in found:
        if picture.size != (width, height):
            t.fail(f"{width} x {height} pixels", "{} x {}".format(*picture.size), picture.download)


@area.check("V3-IMG2IMG-024", needs=OF_STRENGTH)
async def strength_1_makes_the_source_matter_less(t: Trial) -> None:
    weak, strong = await _pair(t, NEAR_0), await _pair(t, NEAR_1)
    if strong.apart >= weak.apart:
        t.fail(
            f"pictures of two sources that lie less than {weak.apart:.1f} apart with strength {NEAR_1}, "
            f"as far as they do with {NEAR_0}",
            f"{strong.apart:.1f}",
            *(picture.download for pair in (weak, strong) for picture in (pair.first, pair.second)),
        )


@area.check("V3-IMG2IMG-025", needs=OF_STRENGTH)
async def little_strength_keeps_more_of_the_source(t: Trial) -> None:
    source = from_base64(_source(first=True))
    weak, strong = (await _pair(t, NEAR_0)).first, (await _pair(t, NEAR_1)).first
    near, far = difference(source, weak.image), difference(source, strong.image)
    if near >= far:
        t.fail(
            f"a picture nearer to its source than {far:.1f}, which is that of strength {NEAR_1}",
            f"{near:.1f} with strength {NEAR_0}",
            strong.download,
            weak.download,
        )


@area.check("V3-IMG2IMG-026", needs=OF_STRENGTH)
async def strength_0_keeps_the_source(t: Trial) -> None:
    source = from_base64(_source(first=True))
    [picture] = await t.pictures(IMG2IMG, await source_body(t, 0, first=True))
    words = degree(source, picture.image)
    if not like(source, picture.image, through_model=True):
        t.fail("a picture like its source", f"one that differs: {words}", picture.download)
    t.branch(f"strength 0 against the source: {words}")


async def _pair(t: Trial, strength: float) -> Pair:
    asked = [await source_body(t, strength, first=first) for first in (True, False)]
    pictures = await t.all(t.pictures(IMG2IMG, body, blame="V3-EXTRA-001" if "extra" in body else "") for body in asked)
    return Pair(first=pictures[0][0], second=pictures[1][0])


async def source_body(t: Trial, strength: float, *, first: bool) -> Body:
    """A seeded body with one of two sources; the one of the second at full strength has an empty `extra`, too."""
    empty: Body | None = {} if strength == NEAR_1 and not first else None
    source = _source(first=first)
    return await t.img2img(empty, image_base64=source, width=WIDTH, height=HEIGHT, seed=SEED, strength=strength)


def _source(*, first: bool) -> str:
    """The first has the size that is asked for, the second another size, shape and look."""
    return drawn(WIDTH, HEIGHT) if first else drawn(100, 240, colour=(20, 90, 200))
