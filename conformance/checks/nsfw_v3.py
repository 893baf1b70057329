"""Detection of unsafe pictures: what it says of each picture, and how strict its levels are."""

from __future__ import annotations

from itertools import pairwise

from conformance import pixels, stories
from conformance.bodies import IMG2IMG, TXT2IMG, Body
from conformance.expect import between, equals, present, typed
from conformance.registry import Area
from conformance.stories import Story, Told
from conformance.trial import Trial
from conformance.wire import MISSING

area = Area()

RESULT_OF = "images[].nsfw_detection_result"
LEVELS = (0, 1, 2)
NO_LEVELS: tuple[object, ...] = (-1, 3, 100, 0.5, "1", "", True, [], [1], {})
ROUNDING = 0.01
"""Two runs of one detector may differ in the last digits."""


async def detections(t: Trial) -> list[Told]:
    """Results of tasks with detection, of both operations and of each level."""
    which = [await stories.detected(t), await stories.detected(t, 2), await stories.detected_img2img(t)]
    return [told for told in await stories.told(t, *which) if told.succeeded]


@area.check("V3-NSFW-001", needs=("V3-NSFW-005",))
async def each_picture_has_a_result_of_detection(t: Trial) -> None:
    for told in await detections(t):
        stories.entries_of(t, told.answer)
        submit = (told.task.submit.number,)
        t.expect(told.answer, typed(RESULT_OF, "object"), seen=submit)
        t.expect(told.answer, present(f"{RESULT_OF}.valid"), present(f"{RESULT_OF}.confidence"), seen=submit)


@area.check("V3-NSFW-002")
async def without_detection_there_is_no_result_of_it(t: Trial) -> None:
    which = [await stories.plain(t), await stories.plain_img2img(t), await stories.undetected(t)]
    for told in await stories.told(t, *which):
        if not told.succeeded:
            continue
        for index in range(len(stories.entries_of(t, told.answer))):
            found = told.answer.at("images", index, "nsfw_detection_result")
            if found == {}:
                t.tolerated("it is an empty object", told.answer)
            elif found is not MISSING and found is not None:
                t.fail("null or no result of detection", f"{found!r}", told.task.submit, told.answer)
            t.branch(f"it is {'absent' if found is MISSING else 'null' if found is None else 'empty'}")


@area.check("V3-NSFW-003", needs=("V3-NSFW-005",))
async def valid_is_a_boolean_and_confidence_a_percentage(t: Trial) -> None:
    for told in await detections(t):
        _shape(t, told)
        t.expect(told.answer, typed(f"{RESULT_OF}.valid", "boolean"), between(f"{RESULT_OF}.confidence", 0, 100))


def _shape(t: Trial, told: Told) -> None:
    t.expect(told.answer, typed(RESULT_OF, "object"), blame="V3-NSFW-001")
    t.expect(told.answer, present(f"{RESULT_OF}.valid"), present(f"{RESULT_OF}.confidence"), blame="V3-NSFW-001")


@area.check("V3-NSFW-004", needs=("V3-NSFW-005",))
async def a_result_says_whether_detection_was_asked_for(t: Trial) -> None:
    on = [await stories.detected(t), await stories.detected_img2img(t)]
    off = [await stories.plain(t), await stories.plain_img2img(t), await stories.undetected(t)]
    for which, asked in ((on, True), (off, False)):
        for told in await stories.told(t, *which):
            if told.finished:
                repeats = equals("extra.enable_nsfw_detection", asked, optional=True)
                t.expect(told.answer, repeats, seen=(told.task.submit.number,))


@area.check("V3-NSFW-005")
async def each_level_is_accepted(t: Trial) -> None:
    switches: list[Body] = [{}, {"enable_nsfw_detection": True}, {"enable_nsfw_detection": False}]
    extras = [{"nsfw_detection_level": level, **switch} for level in LEVELS for switch in switches]
    texts = [(TXT2IMG, await t.txt2img(extra)) for extra in extras]
    sources = [(IMG2IMG, await t.img2img(extra)) for extra in extras]
    await t.all(t.accepted(operation_id, body) for operation_id, body in (*texts, *sources))


@area.check("V3-NSFW-006")
async def no_other_level_is_accepted(t: Trial) -> None:
    at = ("extra", "nsfw_detection_level")
    extras: list[Body] = [{"nsfw_detection_level": level} for level in NO_LEVELS]
    extras.append({"nsfw_detection_level": 3, "enable_nsfw_detection": True})
    texts = [(TXT2IMG, await t.txt2img(extra)) for extra in extras]
    sources = [(IMG2IMG, await t.img2img(extra)) for extra in extras]
    await t.all(t.refused(operation_id, body, at=at) for operation_id, body in (*texts, *sources))


@area.check("V3-NSFW-007")
async def a_higher_level_does_not_trust_more(t: Trial) -> None:
    levels = [await stories.detected(t, level) for level in LEVELS]
    confidences = await _confidences(t, levels)
    for level, (lower, higher) in enumerate(pairwise(confidences)):
        if higher < lower - ROUNDING:
            tasks = [await stories.finished(t, story) for story in levels[level : level + 2]]
            t.fail(f"a confidence of at least {lower} at level {level + 1}, as at level {level}", f"{higher}", *tasks)


@area.check("V3-NSFW-008")
async def without_a_level_it_is_level_0(t: Trial) -> None:
    which = [await stories.detected(t, 0), await stories.detected(t)]
    at_0, without = await _confidences(t, which)
    if abs(at_0 - without) > ROUNDING:
        tasks = [await stories.finished(t, story) for story in which]
        t.fail(f"the confidence {at_0} of level 0", f"{without}", *tasks)


async def _confidences(t: Trial, which: list[Story]) -> list[float]:
    """What detection says of one picture, drawn by several tasks.

    Raises:
        Broken: they did not draw the same one, or what it says has another shape.
    """
    pictures = await t.all(stories.picture(t, story) for story in which)
    for picture in pictures[1:]:
        if not pixels.like(pictures[0].rgb, picture.rgb):
            downloads = (pictures[0].download, picture.download)
            t.fail("the same picture for the same seed", "another one", *downloads, blame="V3-IMAGE-007")
    found: list[float] = []
    for told in (told for told in await stories.told(t, *which) if told.succeeded):
        _shape(t, told)
        t.expect(told.answer, between(f"{RESULT_OF}.confidence", 0, 100), blame="V3-NSFW-003")
        found.append(float(told.answer.at("images", 0, "nsfw_detection_result", "confidence")))
    return found
