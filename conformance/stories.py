"""The real tasks that checks of several areas look at together, so that few pictures tell much.

Each function gives a `Story`: what is submitted, and as which of several equal ones. Equal stories are one task of the
session. Comparisons of pictures all start from `seeded`, from which each other one departs in one thing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from conformance.bodies import IMG2IMG, PROMPT, TXT2IMG, Body, changed
from conformance.errors import Broken
from conformance.tasks import Picture, Task, ended
from conformance.wire import MISSING, Exchange

if TYPE_CHECKING:
    from conformance.trial import Trial

SEED, OTHER_SEED = 2**31, 0
"""Seeds like any others: one that 31 bits do not hold, and what is left of it there, which a careless reader takes for
no seed at all."""
ODD_SIZES = ((203, 130), (141, 222))
"""Neither square nor multiples of 8: the contract asks for neither. Neither is the other one turned or rounded."""
ODD_SEEDS = (70001, 80002)
PAIR_SIZE = (200, 136)
HIRES_SIZE = (200, 264)
"""No multiple of 64, and of another shape than the first pass: neither side can be had from the other one."""
OTHER_PROMPT = f"{PROMPT} by night, seen through a window between two yellow curtains"
"""It begins like the other one: whoever looks at the beginning alone takes them for one."""
OTHER_SAMPLER = "DDIM"
LEVEL_PROMPT = "a blue swimsuit on a clothes line"
"""Of a kind that only the highest level of detection is documented to look for, so that levels may differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A submit that several checks share.

    Attributes:
        copy: tells equal bodies apart that are to be tasks of their own.
        blame: the requirement that is broken when the submit is refused; "" for the one of the plainest submit.
        watch: whether the task is looked at often on its way.
    """

    operation_id: str
    body: Body
    copy: int = 0
    blame: str = ""
    watch: bool = False

    @property
    def images(self) -> int:
        """How many pictures it asks for."""
        number: int = self.body["request"]["image_num"]
        return number

    @property
    def size(self) -> tuple[int, int]:
        """Width and height asked for; those after the second pass where there is one."""
        asked = self.body["request"]
        last = asked.get("hires_fix")
        return (last["target_width"], last["target_height"]) if last else (asked["width"], asked["height"])

    @property
    def format(self) -> str:
        """The format asked for."""
        found: str = self.body.get("extra", {}).get("response_image_type", "png")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One answer to a question for a task that was accepted."""

    story: Story
    task: Task
    answer: Exchange

    @property
    def succeeded(self) -> bool:
        """Whether it shows the task's good end."""
        return bool(self.answer.at("task", "status") == "TASK_STATUS_SUCCEED")

    @property
    def finished(self) -> bool:
        """Whether it shows an end."""
        return ended(self.answer.at("task", "status"), v2=False)


# What is submitted ----------------------------------------------------------------------------------------------------


async def plain(t: Trial, copy: int = 0) -> Story:
    """The smallest text to image; no seed."""
    return Story(operation_id=TXT2IMG, body=await t.txt2img(), copy=copy)


async def plain_img2img(t: Trial) -> Story:
    """The smallest image to image; no seed. A target without image to image shows as much by text to image."""
    if not await t.exists(IMG2IMG):
        return await plain(t)
    return Story(operation_id=IMG2IMG, body=await t.img2img())


async def pair(t: Trial) -> Story:
    """Two pictures, wider than high, seed -1; watched closely."""
    width, height = PAIR_SIZE
    body = await t.txt2img(width=width, height=height, image_num=2, seed=-1)
    return Story(operation_id=TXT2IMG, body=body, blame="V3-TXT2IMG-006", watch=True)


async def burst(t: Trial) -> list[Story]:
    """Tasks that are submitted at the same time, each with a size and a seed that no other one has."""
    (width, height), seed = ODD_SIZES[0], ODD_SEEDS[0]
    # A server that takes some sizes only does not give what is asked for.
    first = Story(
        operation_id=TXT2IMG, body=await t.txt2img(width=width, height=height, seed=seed), blame="V3-IMAGE-002"
    )
    return [first, await undetected(t)]


async def seeded(t: Trial) -> Story:
    """One picture of a given seed: what all comparisons start from."""
    return Story(operation_id=TXT2IMG, body=await t.txt2img(seed=SEED))


async def same_again(t: Trial) -> Story:
    """Exactly the same request again."""
    return replace(await seeded(t), copy=1)


async def other_seed(t: Trial) -> Story:
    """`seeded` with seed 0."""
    return await _but(t, seed=OTHER_SEED)


async def other_prompt(t: Trial) -> Story:
    """`seeded` with another prompt; its empty `extra` says nothing."""
    story = await _but(t, prompt=OTHER_PROMPT)
    return replace(story, body={**story.body, "extra": {}}, blame="V3-EXTRA-001")


async def other_sampler(t: Trial) -> Story:
    """`seeded` with another sampler."""
    return replace(await _but(t, sampler_name=OTHER_SAMPLER), blame="V3-TXT2IMG-007")


async def other_checkpoint(t: Trial) -> Story:
    """`seeded` with another checkpoint of the same family."""
    return replace(await _but(t, model_name=await t.named("other_checkpoint")), blame="V3-TXT2IMG-023")


async def with_lora(t: Trial) -> Story:
    """`seeded` with a LoRA."""
    loras = [{"model_name": await t.named("lora"), "strength": 1}]
    return replace(await _but(t, loras=loras), blame="V3-TXT2IMG-023")


async def as_format(t: Trial, kind: str) -> Story:
    """`seeded` in another format."""
    return await with_extra(t, blame="V3-EXTRA-004", response_image_type=kind)


async def hires(t: Trial) -> Story:
    """A second pass to a larger size, higher than wide, seed -1."""
    width, height = HIRES_SIZE
    second = {"target_width": width, "target_height": height, "strength": 0.5}
    body = await t.txt2img(width=128, height=192, seed=-1, hires_fix=second)
    return Story(operation_id=TXT2IMG, body=body, blame="V3-TXT2IMG-007")


async def transparent(t: Trial) -> Story:
    """A transparent background, for which an SDXL checkpoint is needed (C46)."""
    body = await t.txt2img(
        {"response_image_type": "png"},
        model_name=await t.named("checkpoint_sdxl"),
        enable_transparent_background=True,
        seed=SEED,
    )
    return Story(operation_id=TXT2IMG, body=body, blame="V3-TXT2IMG-027")


async def detected(t: Trial, level: int | None = None) -> Story:
    """`seeded` of another prompt with detection of unsafe pictures."""
    levels = {} if level is None else {"nsfw_detection_level": level}
    story = await with_extra(t, blame="V3-NSFW-005", enable_nsfw_detection=True, **levels)
    return replace(story, body=changed(story.body, ("request", "prompt"), LEVEL_PROMPT))


async def detected_img2img(t: Trial) -> Story:
    """Two pictures of image to image with detection; for checks that need V3-NSFW-005."""
    if not await t.exists(IMG2IMG):
        return await detected(t)
    body = await t.img2img({"enable_nsfw_detection": True, "nsfw_detection_level": 1}, image_num=2)
    return Story(operation_id=IMG2IMG, body=body, blame="V3-IMG2IMG-005")


async def undetected(t: Trial) -> Story:
    """A level with detection switched off, which is without effect (C51); the second of `burst`."""
    (width, height), seed = ODD_SIZES[1], ODD_SEEDS[1]
    extra = {"enable_nsfw_detection": False, "nsfw_detection_level": 2}
    body = await t.txt2img(extra, width=width, height=height, seed=seed)
    return Story(operation_id=TXT2IMG, body=body, blame="V3-NSFW-005")


async def with_extra(t: Trial, *, blame: str, **extra: object) -> Story:
    """`seeded`, delivered in another way."""
    return replace(await seeded(t), body={**(await seeded(t)).body, "extra": extra}, blame=blame)


async def replayed(t: Trial, drawn: Story) -> Story:
    """A story without seed, with the seed put in that was drawn for it."""
    seed = seed_of(t, (await finished(t, drawn)).result)
    return replace(drawn, body=changed(drawn.body, ("request", "seed"), seed))


async def _but(t: Trial, **request: object) -> Story:
    story = await seeded(t)
    return replace(story, body={**story.body, "request": {**story.body["request"], **request}})


# What becomes of it ---------------------------------------------------------------------------------------------------


async def submitted(t: Trial, story: Story) -> Task:
    """The task, whatever became of it so far."""
    if story.watch:
        watch = t.session.watch(story.operation_id, story.body, blame=story.blame)
        return await t.unless_plain_ones_are_refused(story.operation_id, watch, story.blame)
    return await t.submitted(story.operation_id, story.body, copy=story.copy, blame=story.blame)


async def finished(t: Trial, story: Story) -> Task:
    """The task when it has ended well."""
    return await t.session.finish(await submitted(t, story))


async def pictures(t: Trial, story: Story) -> tuple[Picture, ...]:
    """Its pictures."""
    return await t.session.pictures(await submitted(t, story))


async def picture(t: Trial, story: Story) -> Picture:
    """Its first picture."""
    return (await pictures(t, story))[0]


async def both(t: Trial, one: Story, other: Story) -> tuple[Picture, Picture]:
    """The first pictures of two stories, which are submitted at the same time."""
    first, second = await asyncio.gather(picture(t, one), picture(t, other))
    return first, second


async def told(t: Trial, *which: Story) -> list[Told]:
    """Every answer about some tasks through the first one that shows their good end, oldest first.

    What is answered after that is a matter of V3-LIFE-004 alone.
    """
    tasks = await t.all(finished(t, story) for story in which)
    return [one for story, task in zip(which, tasks, strict=True) for one in _until_the_end(story, task)]


def _until_the_end(story: Story, task: Task) -> Iterator[Told]:
    for answer in task.polls:
        if answer.status == 200:
            one = Told(story=story, task=task, answer=answer)
            yield one
            if one.finished:
                return


async def watched(t: Trial) -> tuple[Story, Task]:
    """A task that was looked at often from its submit to its end."""
    story = await pair(t)
    try:
        return story, await finished(t, story)
    except Broken as end:
        if end.requirement != story.blame:
            raise
    story = replace(await _but(t, seed=SEED + 1), watch=True)  # any task will do when two pictures are refused
    return story, await finished(t, story)


async def told_closely(t: Trial, *which: Story) -> list[Told]:
    """Like `told`, with the watched task among them."""
    story, task = await watched(t)
    return [*_until_the_end(story, task), *await told(t, *which)]


# Reading answers ------------------------------------------------------------------------------------------------------


def entries_of(t: Trial, answer: Exchange) -> list[object]:
    """Entries of `images` of a task that succeeded.

    Raises:
        Broken: there is no array (V3-RESULT-012).
    """
    found = answer.at("images")
    if not isinstance(found, list):
        t.fail("an array images", f"images = {found!r}", answer, blame="V3-RESULT-012")
    return found


def seed_of(t: Trial, answer: Exchange) -> int:
    """The seed that a result reports.

    Raises:
        Broken: it reports none (V3-RESULT-019; V3-RESULT-017 without `extra`), or not as digits (V3-RESULT-018).
    """
    found = answer.at("extra", "seed")
    if found is MISSING:
        blame = "V3-RESULT-017" if answer.at("extra") is MISSING else "V3-RESULT-019"
        t.fail("extra.seed", "a result without it", answer, blame=blame)
    text = str(found)
    if isinstance(found, bool) or not isinstance(found, str | int) or not (text.isascii() and text.isdigit()):
        t.fail("digits in extra.seed", f"extra.seed = {found!r}", answer, blame="V3-RESULT-018")
    return int(text)


def ttl_of(t: Trial, answer: Exchange, index: int = 0) -> int:
    """Seconds that a link lives from this answer on.

    Raises:
        Broken: the answer does not say so as V3-RESULT-015 wants it.
    """
    found = answer.at("images", index, "image_url_ttl")
    whole = isinstance(found, int) and not isinstance(found, bool) and found >= 0
    if not whole and not (isinstance(found, str) and found.isascii() and found.isdigit()):
        expected = "seconds, as an integer of at least 0 or as digits"
        t.fail(expected, f"images[{index}].image_url_ttl = {found!r}", answer, blame="V3-RESULT-015")
    return int(found)
