"""The life of a task: readable at once, only forward, and the same for ever once it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from conformance import ageing, stories
from conformance.errors import Broken, CheckEnd
from conformance.expect import between, equals, status
from conformance.registry import Area, Phase
from conformance.stories import Story, Told
from conformance.tasks import ENDED_V3, Task, ended, links, status_of
from conformance.trial import Trial
from conformance.wire import MISSING, Exchange

area = Area()

RANKS = {"TASK_STATUS_QUEUED": 0, "TASK_STATUS_PROCESSING": 1, "TASK_STATUS_SUCCEED": 2, "TASK_STATUS_FAILED": 2}


async def several(t: Trial) -> list[Story]:
    """Tasks of both operations and of several formats, none of which is watched."""
    return [await stories.plain(t), await stories.plain_img2img(t), await stories.as_format(t, "jpeg")]


@area.check("V3-LIFE-001")
async def a_task_can_be_asked_for_at_once(t: Trial) -> None:
    which = [*await several(t), await stories.seeded(t), await stories.other_seed(t), *await stories.burst(t)]

    for task in await t.all(stories.finished(t, story) for story in which):  # blames an id that is unknown at first
        t.expect(task.polls[0], status(200), seen=(task.submit.number,))


@area.check("V3-LIFE-002", phase=Phase.EXPIRY)
async def a_task_succeeds_whether_or_not_anybody_asks(t: Trial) -> None:
    await t.all(stories.finished(t, story) for story in (await stories.plain(t), await stories.plain_img2img(t)))
    found = await ageing.unasked(t)
    t.expect(found.first, status(200), blame="V3-RESULT-001", seen=(found.task.submit.number,))
    had = ended(status_of(found.first, v2=False), v2=False)
    if found.long_enough and not had:
        shown = str(found.first.at("task", "status"))
        t.fail(f"an end, though first asked for after {found.alone}", shown, found.task.submit, found.first)
    await t.session.finish(found.task)
    t.branch(f"it {'had' if had else 'had not'} ended when first asked for after {found.alone}")


@area.check("V3-LIFE-003")
async def the_status_only_moves_forward(t: Trial) -> None:
    seen: set[str] = set()
    for task, polls in by_task(await stories.told_closely(t, *await several(t))):
        for earlier, later in in_order(polls):
            was, found = (RANKS.get(str(status_of(one, v2=False)), -1) for one in (earlier, later))
            if -1 < found < was:
                words = [status_of(one, v2=False) for one in (earlier, later)]
                t.fail(f"{words[0]} or what comes after it", f"{words[1]}", task.submit, earlier, later)
        seen |= {str(status_of(one, v2=False)) for one in polls}
    t.branch("seen: " + ", ".join(sorted(seen, key=lambda word: RANKS.get(word, -1))))


@area.check("V3-LIFE-004", phase=Phase.EXPIRY)
async def a_finished_task_does_not_change(t: Trial) -> None:
    which = [*await several(t), await stories.pair(t)]
    tasks = await t.all(stories.finished(t, story) for story in which)
    for _ in range(2):
        await t.all(t.session.poll(task) for task in tasks)
    _same_facts(t, tasks)
    async with t.session.alone_with_the_clock():  # or links die while they are compared
        for story, task in zip(which, tasks, strict=True):
            await _same_order(t, story, task, task.result)
    with suppress(CheckEnd):  # what comes of links is not judged here
        await ageing.aged(t)  # hours later, where there is a clock to move
    await t.all(t.session.poll(task) for task in tasks)
    _same_facts(t, tasks)


def _same_facts(t: Trial, tasks: Sequence[Task]) -> None:
    for task in tasks:
        polls = [answer for answer in task.polls if answer.status == 200]
        first = task.result
        for answer in polls[polls.index(first) + 1 :]:
            if facts(answer) != facts(first):
                t.fail(str(facts(first)), str(facts(answer)), task.submit, first, answer)


def facts(answer: Exchange) -> dict[str, object]:
    """What stays once a task has ended."""
    found = answer.at("images")
    pictures = found if isinstance(found, list) else []
    return {
        "status": status_of(answer, v2=False),
        "seed": answer.at("extra", "seed"),
        "task_type": answer.at("task", "task_type"),
        "image_types": [one.get("image_type") if isinstance(one, dict) else one for one in pictures],
    }


async def _same_order(t: Trial, story: Story, task: Task, first: Exchange) -> None:
    if story.images < 2:
        return
    try:
        was = [picture.data for picture in await stories.pictures(t, story)]
    except Broken as end:
        if end.requirement != "V3-LINK-001":
            raise
        first = await t.session.poll(task)  # its first links may have died while others moved the clock
        was = [await _picture_behind(t, entry, first) for entry in links(first, v2=False)]
    answer = await t.session.poll(task)
    if answer.status != 200:
        return  # it need not be readable for ever
    again = [await t.session.fetch(entry["image_url"]) for entry in links(answer, v2=False)]
    found = [one.body for one in again]
    if was != found and sorted(was) == sorted(found):
        t.fail("pictures in the order of the first result", "the same ones in another order", first, answer)


async def _picture_behind(t: Trial, entry: dict[str, Any], answer: Exchange) -> bytes:
    download = await t.session.fetch(entry["image_url"])
    t.expect(download, status(200), blame="V3-LINK-001", seen=(answer.number,))
    return download.body


@area.check("V3-LIFE-005")
async def progress_does_not_sink(t: Trial) -> None:
    for task, polls in by_task(await stories.told_closely(t, *await several(t))):
        # What a finished task says is a matter of V3-RESULT-011, which lets it fall back to 0.
        for earlier, later in in_order([poll for poll in polls if poll.at("task", "status") not in ENDED_V3]):
            was, found = (one.at("task", "progress_percent") for one in (earlier, later))
            if isinstance(was, int | float) and isinstance(found, int | float) and found < was:
                t.fail(f"progress_percent of at least {was}", f"{found}", task.submit, earlier, later)


@area.check("V3-LIFE-006")
async def there_are_no_pictures_before_success(t: Trial) -> None:
    for told in await stories.told_closely(t, *await several(t)):
        found = told.answer.at("images")
        if told.succeeded or found is MISSING or found is None or found == []:
            continue  # null is a matter of V3-RESULT-012
        if told.answer.at("task", "status") == "TASK_STATUS_PROCESSING":
            t.tolerated("images holds previews while the task is at work", told.task.submit, told.answer)
        else:
            expected = "images empty or absent before success"
            t.fail(expected, f"{len(found)} entries" if isinstance(found, list) else f"{found!r}", told.answer)


@area.check("V3-LIFE-007")
async def two_results_lead_to_the_same_files(t: Trial) -> None:
    for story in await several(t):
        pictures = await stories.pictures(t, story)
        task = await stories.finished(t, story)
        answer = await t.session.poll(task)
        t.expect(answer, equals("task.status", "TASK_STATUS_SUCCEED"), blame="V3-LIFE-004", seen=task.numbers)
        again = [await t.session.fetch(entry["image_url"]) for entry in links(answer, v2=False)]
        for one in again:
            t.expect(one, status(200), blame="V3-LINK-001", seen=(answer.number,))
        if len(again) != len(pictures):
            t.fail(f"{len(pictures)} links", f"{len(again)} links", task, blame="V3-LIFE-004")
        was = {picture.data for picture in pictures}
        for one in again:
            if one.body not in was:
                expected = f"the {len(pictures[0].data)} bytes that the first link gave"
                t.fail(expected, f"{len(one.body)} other bytes", task, pictures[0].download, answer, one)


@area.check("V3-LIFE-008")
async def tasks_at_the_same_time_keep_their_own_pictures(t: Trial) -> None:
    """Red for what belongs to another task; what belongs to none is a matter of sizes and seeds."""
    which = await stories.burst(t)
    shown = await t.all(stories.pictures(t, story) for story in which)
    tasks = [await stories.finished(t, story) for story in which]
    await t.all(t.session.poll(task) for task in (*tasks, *reversed(tasks)))
    sizes = {story.size: task for story, task in zip(which, tasks, strict=True)}
    seeds = {str(story.body["request"]["seed"]): task for story, task in zip(which, tasks, strict=True)}
    holders: dict[str, Task] = {}
    for task, pictures in zip(tasks, shown, strict=True):
        for picture in pictures:
            if sizes.get(picture.size, task) is not task:
                _mixed(t, task, sizes[picture.size], f"a picture of {picture.size[0]} x {picture.size[1]}")
        for answer in task.polls:
            seed = str(answer.at("extra", "seed"))
            if seeds.get(seed, task) is not task:
                _mixed(t, task, seeds[seed], f"the seed {seed}")
            for entry in links(answer, v2=False) if answer is task.result else ():
                link = str(entry["image_url"])
                if holders.setdefault(link, task) is not task:
                    _mixed(t, task, holders[link], f"the link {link}")


def _mixed(t: Trial, task: Task, other: Task, what: str) -> NoReturn:
    t.fail("what its own request asked for", f"{what}, which belongs to a task sent at the same time", other, task)


@area.check("V3-LIFE-009")
async def eta_at_the_end_is_0(t: Trial) -> None:
    for told in await stories.told(t, *await several(t)):
        if told.finished:
            t.expect(told.answer, between("task.eta", 0, None, optional=True), blame="V3-RESULT-010")
            t.expect(told.answer, equals("task.eta", 0, optional=True))


@area.check("V3-LIFE-010", phase=Phase.EXPIRY)
async def a_result_lives_as_long_as_its_links(t: Trial) -> None:
    found = await ageing.aged(t)
    if not found.still_readable:
        t.not_applicable("its links live for no stated time")
    for task, answer in found.still_readable:
        t.expect(answer, status(200), equals("task.status", "TASK_STATUS_SUCCEED"), seen=(task.submit.number,))


# Order ----------------------------------------------------------------------------------------------------------------


def by_task(all_told: Sequence[Told]) -> Iterator[tuple[Task, list[Exchange]]]:
    """Answers of each task, in the order in which they were asked for."""
    tasks = {told.task.task_id: told.task for told in all_told}
    for task_id, task in tasks.items():
        found = [told.answer for told in all_told if told.task.task_id == task_id]
        yield task, sorted(found, key=lambda answer: answer.number)


def in_order(polls: Sequence[Exchange]) -> Iterator[tuple[Exchange, Exchange]]:
    """Pairs of which the first was answered before the second was asked; others may overtake each other."""
    for index, later in enumerate(polls):
        for earlier in polls[:index]:
            if earlier.started_s + earlier.took_s <= later.started_s:
                yield earlier, later
