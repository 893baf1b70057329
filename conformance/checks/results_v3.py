"""GET /v3/async/task-result: what an answer holds, field by field."""

from __future__ import annotations

import json
from typing import Any

from conformance import ageing, stories
from conformance.bodies import RESULT
from conformance.client import Says
from conformance.errors import Broken
from conformance.expect import (
    absent,
    between,
    count,
    empty,
    equals,
    json_body,
    matches,
    not_null,
    status,
    typed,
)
from conformance.registry import Area, Phase
from conformance.stories import Story, Told
from conformance.tasks import WORDS_V3
from conformance.trial import Trial
from conformance.wire import MISSING, Exchange

area = Area()

NOBODYS = "7d9f1c52-3b64-4e0a-9a41-5c2e8f7b6d10"
MALFORMED = "no-such-task"
TIMES = ("submit_time_ms", "execute_time_ms", "complete_time_ms")


async def both_plain(t: Trial) -> tuple[Story, Story]:
    """A text-to-image and an image-to-image task."""
    return await stories.plain(t), await stories.plain_img2img(t)


async def all_results(t: Trial) -> list[Told]:
    """Answers of every kind: waiting, at work and finished; of both operations, with one picture and with two."""
    return await stories.told_closely(t, *await both_plain(t), await stories.as_format(t, "jpeg"))


async def ends(t: Trial, *which: Story) -> list[Told]:
    """Those of them that show the task's end."""
    return [told for told in await stories.told(t, *which) if told.finished]


@area.check("V3-RESULT-001")
async def an_own_task_is_answered_with_200_and_an_object(t: Trial) -> None:
    for story in await both_plain(t):
        try:
            task = await stories.finished(t, story)
        except Broken as end:
            if end.requirement == t.requirement.id and await _header_is_missed(t, story):
                raise Broken("V3-RESULT-004", end.expected, end.actual, end.exchanges) from end
            raise
        t.expect(task.result, status(200), json_body("object"), seen=(task.submit.number,))


@area.check("V3-RESULT-002")
async def a_call_without_an_id_is_answered_with_400(t: Trial) -> None:
    answer = await t.ask(RESULT, says=Says.WRONG, purpose="a result call without task_id")
    t.expect(answer, status(400, 404))
    if answer.status == 404:
        t.tolerated("it is answered with status 404", answer)


@area.check("V3-RESULT-003", needs=("V3-RESULT-004",))
async def an_id_that_no_task_has_is_answered_with_404(t: Trial) -> None:
    task = await stories.submitted(t, await stories.plain(t))
    last = "0" if task.task_id[-1:] != "0" else "1"
    for name, unknown in (("no task's id", NOBODYS), ("an id but for its last digit", task.task_id[:-1] + last)):
        answer = await t.ask(RESULT, params={"task_id": unknown}, purpose=f"a result call with {name}")
        t.expect(answer, status(404))
    answer = await t.ask(RESULT, params={"task_id": MALFORMED}, says=Says.UNCHECKED, purpose="an id of another form")
    t.expect(answer, status(404, 400))
    t.branch(f"an id that is no UUID is answered with {answer.status}")


@area.check("V3-RESULT-004")
async def a_call_needs_no_content_type(t: Trial) -> None:
    story = await stories.plain(t)
    try:
        await stories.finished(t, story)  # no call for it had one
    except Broken as end:
        if end.requirement == "V3-RESULT-001" and await _header_is_missed(t, story):
            raise Broken(t.requirement.id, end.expected, end.actual, end.exchanges) from end
        raise


async def _header_is_missed(t: Trial, story: Story) -> bool:
    """Whether a call that is refused is served once it has a `Content-Type`."""
    task = await stories.submitted(t, story)
    refused = task.polls[-1].status if task.polls else None
    if refused is None or not 400 <= refused <= 499:
        return False
    headers, query = {"Content-Type": "application/json"}, {"task_id": task.task_id}
    return (await t.ask(RESULT, params=query, headers=headers, purpose="the same with a Content-Type")).status == 200


@area.check("V3-RESULT-005")
async def a_result_holds_a_task_with_id_and_status(t: Trial) -> None:
    for told in await stories.told(t, *await both_plain(t)):
        t.expect(told.answer, typed("task", "object"))
        t.expect(told.answer, typed("task.task_id", "string"), typed("task.status", "string"))


@area.check("V3-RESULT-006")
async def the_id_is_the_one_that_was_asked_for(t: Trial) -> None:
    others = (await stories.seeded(t), await stories.other_seed(t), await stories.other_prompt(t))
    for told in await stories.told(t, *await both_plain(t), *others):
        t.expect(told.answer, typed("task.task_id", "string"), blame="V3-RESULT-005")
        t.expect(told.answer, equals("task.task_id", told.task.task_id))


@area.check("V3-RESULT-007")
async def the_status_is_one_of_four_words(t: Trial) -> None:
    for told in await all_results(t):
        found = told.answer.at("task", "status")
        if found in WORDS_V3:
            continue
        if not isinstance(found, str) or not found or found.upper() != found:
            t.fail("one of the four words", f"task.status = {found!r}", told.answer)
        t.tolerated(f"it says {found} while the task is not finished", told.answer)


@area.check("V3-RESULT-008")
async def the_type_of_a_text_to_image_task(t: Trial) -> None:
    for told in await stories.told(t, await stories.plain(t), await stories.seeded(t)):
        t.expect(told.answer, equals("task.task_type", "TXT_TO_IMG", optional=True))
        if told.answer.at("task", "task_type") is MISSING:
            t.tolerated("task_type is absent", told.answer)


@area.check("V3-RESULT-009")
async def the_reason_is_empty_unless_the_task_failed(t: Trial) -> None:
    for told in await all_results(t):
        t.expect(told.answer, equals("task.reason", "", optional=True))


@area.check("V3-RESULT-010")
async def eta_and_progress_are_numbers_within_their_bounds(t: Trial) -> None:
    for told in await all_results(t):
        t.expect(told.answer, between("task.eta", 0, None, optional=True))
        t.expect(told.answer, between("task.progress_percent", 0, 100, optional=True))


@area.check("V3-RESULT-011")
async def progress_at_success_is_100(t: Trial) -> None:
    for told in await ends(t, *await both_plain(t)):
        found = told.answer.at("task", "progress_percent")
        if found is MISSING or (found == 0 and not isinstance(found, bool)):
            t.tolerated(f"progress_percent is {'absent' if found is MISSING else found}", told.answer)
        else:
            t.expect(told.answer, between("task.progress_percent", 0, 100), blame="V3-RESULT-010")
            t.expect(told.answer, equals("task.progress_percent", 100))


@area.check("V3-RESULT-012")
async def pictures_stand_in_images_and_no_list_is_null(t: Trial) -> None:
    for told in await all_results(t):
        t.expect(told.answer, typed("images", "array", optional=not told.succeeded), absent("imgs"))
        t.expect(told.answer, not_null("videos"), not_null("audios"))


@area.check("V3-RESULT-013")
async def there_are_as_many_pictures_as_asked_for(t: Trial) -> None:
    for told in await stories.told(t, *await both_plain(t), await stories.pair(t)):
        if told.succeeded:
            stories.entries_of(t, told.answer)
            t.expect(told.answer, count("images", told.story.images), seen=(told.task.submit.number,))


@area.check("V3-RESULT-014")
async def each_picture_has_an_absolute_link(t: Trial) -> None:
    for told in await ends(t, *await both_plain(t)):
        link = matches("images[].image_url", r"https?://[^/?#\s]+[^\s]*", "images[].image_url as a http or https URL")
        t.expect(told.answer, link)


@area.check("V3-RESULT-015")
async def the_life_of_a_link_is_a_number_of_seconds(t: Trial) -> None:
    for told in await ends(t, *await both_plain(t)):
        t.expect(told.answer, typed("images[].image_url_ttl", "integer", "string"))
        for index in range(len(stories.entries_of(t, told.answer))):
            seconds = stories.ttl_of(t, told.answer, index)
            kind = "a string" if isinstance(told.answer.at("images", index, "image_url_ttl"), str) else "an integer"
            t.branch(f"image_url_ttl is {kind}" + ("" if seconds else ", 0"))


@area.check("V3-RESULT-016")
async def the_type_of_a_picture_is_the_format_asked_for(t: Trial) -> None:
    formats = [await stories.as_format(t, kind) for kind in ("jpeg", "webp")]
    for told in await ends(t, *await both_plain(t), *formats):
        t.expect(told.answer, equals("images[].image_type", told.story.format), seen=(told.task.submit.number,))


@area.check("V3-RESULT-017")
async def extra_is_an_object_and_there_at_the_end(t: Trial) -> None:
    for told in await all_results(t):
        t.expect(told.answer, typed("extra", "object", optional=not told.finished))


@area.check("V3-RESULT-018")
async def the_seed_is_a_string_of_digits(t: Trial) -> None:
    digits = matches("extra.seed", "[0-9]+", "extra.seed as a string of digits", optional=True)
    for told in await stories.told(t, *await both_plain(t), await stories.seeded(t)):
        found = told.answer.at("extra", "seed")
        if isinstance(found, int) and not isinstance(found, bool) and found >= 0:
            t.tolerated("extra.seed is an integer", told.answer)
        else:
            t.expect(told.answer, digits)


@area.check("V3-RESULT-019")
async def a_seed_in_the_request_is_reported_unchanged(t: Trial) -> None:
    asked = [await stories.seeded(t), await stories.other_seed(t)]
    drawn = await stories.plain_img2img(t)
    if (await stories.finished(t, drawn)).result.at("extra", "seed") is not MISSING:
        asked.append(await stories.replayed(t, drawn))
    for told in await ends(t, *asked):
        wanted, found = told.story.body["request"]["seed"], stories.seed_of(t, told.answer)
        if found != wanted:
            t.fail(f"the seed {wanted} of the request", f"extra.seed {found}", told.task)


@area.check("V3-RESULT-020", phase=Phase.EXPIRY)
async def each_task_draws_a_seed_of_its_own(t: Trial) -> None:
    alone = await ageing.unasked(t)  # equal to the plain one in everything, so that only the draw differs
    without = [await stories.finished(t, await stories.plain(t)), await t.session.finish(alone.task)]
    minus = await t.all(stories.finished(t, story) for story in (await stories.pair(t), await stories.hires(t)))
    for tasks, words in ((without, "without seed"), (minus, "with seed -1")):
        answers = [task.result for task in tasks]
        if any(answer.at("extra", "seed") is MISSING for answer in answers):
            t.branch("the seed that was drawn is not reported")
            continue
        if len({task.task_id for task in tasks}) < len(tasks):
            t.fail("an id of its own for each submit", f"{tasks[0].task_id} for two", *tasks, blame="V3-SUBMIT-004")
        seeds = [stories.seed_of(t, answer) for answer in answers]
        if len(set(seeds)) < len(seeds):
            t.fail(f"another seed for each task {words}", f"seeds {', '.join(map(str, seeds))}", *tasks)


@area.check("V3-RESULT-021")
async def debug_info_holds_three_times(t: Trial) -> None:
    for told in await stories.told(t, *await both_plain(t)):
        t.expect(told.answer, typed("extra.debug_info", "object", optional=True))
        if told.answer.at("extra", "debug_info") is not MISSING:
            words = "{} as a string of digits or empty"
            paths = [f"extra.debug_info.{name}" for name in TIMES]
            t.expect(told.answer, *(matches(path, "[0-9]*", words.format(path)) for path in paths))


@area.check("V3-RESULT-022")
async def the_three_times_are_in_order(t: Trial) -> None:
    for told in await ends(t, *await both_plain(t), await stories.as_format(t, "jpeg"), await stories.pair(t)):
        texts = [told.answer.at("extra", "debug_info", name) for name in TIMES]
        times = [int(text) for text in texts if isinstance(text, str) and text.isascii() and text.isdigit()]
        if times != sorted(times):
            t.fail("submitted, begun and ended in this order", " > ".join(map(str, times)), told.answer)
        if len(times) < len(TIMES):
            t.branch("not all three times are told")


@area.check("V3-RESULT-023")
async def request_info_repeats_the_request(t: Trial) -> None:
    which = [await stories.pair(t), await stories.seeded(t), await stories.plain_img2img(t)]
    for told in await ends(t, *which):
        info = told.answer.at("extra", "debug_info", "request_info")
        if info is MISSING or info == "":
            t.branch(f"request_info is {'absent' if info is MISSING else 'empty'}")
            continue
        read = _read(info)
        if not isinstance(read, dict):
            t.fail("an empty string or JSON text of an object", f"request_info = {info!r}"[:300], told.answer)
        wanted = _repeated(told)
        for name, value in wanted.items():
            if name in read and read[name] != value:
                t.fail(f"{name} = {value!r} in request_info", f"{name} = {read[name]!r}", *told_of(told))
        if not wanted.keys() & read.keys():
            t.fail(f"values of the request: {', '.join(wanted)}", f"request_info with {sorted(read)}", *told_of(told))


def told_of(told: Told) -> tuple[Exchange, Exchange]:
    """The submit and the answer."""
    return told.task.submit, told.answer


def _read(text: object) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _repeated(told: Told) -> dict[str, object]:
    """What request_info says of a request, by the names that it uses there."""
    asked = told.story.body["request"]
    names = {
        "model": "model_name",
        "height": "height",
        "width": "width",
        "guidance_scale": "guidance_scale",
        "num_images_per_prompt": "image_num",
        "num_inference_steps": "steps",
        "sampler_name": "sampler_name",
    }
    found: dict[str, object] = {name: asked[field] for name, field in names.items()}
    found["prompts"] = [asked["prompt"]]
    if asked.get("seed", -1) >= 0:
        found["seeds"] = [asked["seed"]]
    return found


@area.check("V3-RESULT-024")
async def further_keys_are_free(t: Trial) -> None:
    for told in await ends(t, *await both_plain(t)):
        t.expect(told.answer, typed("extra.has_nsfw_contents", "array", optional=True))
        t.expect(told.answer, typed("extra.webhook", "object", optional=True))
        keys = told.answer.json if isinstance(told.answer.json, dict) else {}
        for name in sorted(keys.keys() - {"extra", "task", "images", "videos", "audios"}):
            t.branch(f"a further key {name}")


@area.check("V3-RESULT-025")
async def there_are_no_videos_and_no_audios(t: Trial) -> None:
    for told in await stories.told(t, *await both_plain(t)):
        for name in ("videos", "audios"):
            t.expect(told.answer, not_null(name), blame="V3-RESULT-012")
            t.expect(told.answer, typed(name, "array", optional=True), empty(name))
