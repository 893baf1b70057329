"""GET /v2/progress: what it says of a task that waits, works and has ended, and to whom."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Any

from conformance.bodies import IMG2IMG_V2, PROGRESS, TXT2IMG_V2
from conformance.client import Key, Says
from conformance.expect import between, count, empty, equals, matches, one_of, refused_v2, status, typed
from conformance.registry import Area
from conformance.stories_v2 import COLUMNS, ROWS, STRANGER, both, fitted, grid, plain, polls, seeded, single, tasks
from conformance.tasks import Task, decoded
from conformance.trial import Trial
from conformance.wire import MISSING, Exchange

area = Area()

ENDED_WELL, ENDED = 2, (2, 3, 4)
STATUSES = (0, 1, *ENDED)
LOOKS_AFTER = 3
"""How often a task is asked for again after its end."""
TIMES = ("submit_time", "execution_time", "txt2img_time", "finish_time")
TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
PLAIN = ("V2-TXT2IMG-001",)


@area.check("V2-PROGRESS-001", needs=PLAIN)
async def an_own_task_has_code_0_and_data(t: Trial) -> None:
    for operation_id in await both(t):
        task = await t.submitted(operation_id, await plain(t, operation_id))
        answer = await t.session.poll(task)
        t.expect(
            answer,
            status(200),
            equals("code", 0),
            typed("data", "object"),
            blame="" if answer.status == 200 or answer.at("code") != 0 else "V2-SUBMIT-001",
            seen=(task.submit.number,),
        )
    await _several_ids(t)


async def _several_ids(t: Trial) -> None:
    """Two ids in one call are no documented question; whoever answers it speaks of the first."""
    first, second = await single(t), await grid(t)
    params = [("task_id", first.task_id), ("task_id", second.task_id)]
    for _ in range(2):
        answer = await t.ask(PROGRESS, params=params, says=Says.LENIENT, purpose="progress of two tasks at once")
        if answer.at("code") != 0:
            t.branch("a call with two ids is refused")
            return
        if _links(answer) == _number(first):
            t.tolerated("of two ids the first one counts", answer)
            return
        # A finished task that changes is another matter: it is asked for alone before anybody is blamed.
        alone = await t.session.poll(first)
        if _links(alone) != _number(first):
            t.fail("the links of a finished task", f"{_links(alone)} links", first, alone, blame="V2-PROGRESS-005")
    expected = f"a refusal, or the {_number(first)} link of the first of two ids"
    t.fail(expected, f"{_links(answer)} links", first, second, answer)


def _links(answer: Exchange) -> int:
    told = answer.at("data", "imgs")
    return len(told) if isinstance(told, list) else 0


def _number(task: Task) -> int:
    return _links(task.result)


@area.check("V2-PROGRESS-002")
async def an_id_is_needed(t: Trial) -> None:
    answer = await t.ask(PROGRESS, says=Says.WRONG, purpose="progress without a task_id")
    t.judge_refusal(PROGRESS, answer, (), 200, "")


@area.check("V2-PROGRESS-003", needs=PLAIN)
async def the_status_is_a_number_from_0_to_4(t: Trial) -> None:
    for _, poll in await polls(t):
        t.expect(poll, one_of("data.status", *STATUSES))


@area.check("V2-PROGRESS-004", needs=PLAIN)
async def a_valid_task_ends_well(t: Trial) -> None:
    for operation_id in await both(t):
        await t.finished(operation_id, await plain(t, operation_id))


@area.check("V2-PROGRESS-005", needs=PLAIN)
async def the_status_moves_forward_alone(t: Trial) -> None:
    for task in await tasks(t):
        for _ in range(LOOKS_AFTER):
            await t.session.poll(task)
        for before, after in zip(task.polls, task.polls[1:], strict=False):
            was, then = before.at("data", "status"), after.at("data", "status")
            t.expect(after, one_of("data.status", *STATUSES), blame="V2-PROGRESS-003")
            if was == then:
                continue
            if was in ENDED or then < was:
                t.fail(f"status {was}, or a later one", f"status {then}", task, before, after)


@area.check("V2-PROGRESS-006", needs=PLAIN)
async def progress_grows_from_0_to_1(t: Trial) -> None:
    """That a task which has ended says 0 is a habit of some servers, and no step back."""
    for task in await tasks(t):
        last: float = 0
        for poll in task.polls:
            t.expect(poll, between("data.progress", 0, 1, optional=True))
            t.expect(poll, between("data.eta_relative", 0, None, optional=True))
            share = poll.at("data", "progress")
            if share is MISSING or (share == 0 and poll.at("data", "status") in ENDED):
                continue
            if share < last:
                t.fail(f"a progress of at least {last:g}, where it was", f"{share:g}", task, poll)
            last = share


@area.check("V2-PROGRESS-007", needs=PLAIN)
async def a_task_that_ended_well_has_its_links(t: Trial) -> None:
    found = [(await grid(t), ROWS * COLUMNS), (await single(t), 1), (await seeded(t), 1)]
    if await t.exists(IMG2IMG_V2):
        found.append((await fitted(t, 0), 1))
    for task, number in found:
        t.expect(
            task.result,
            count("data.imgs", number),
            matches("data.imgs[]", r"https?://[^\s]+", "links in data.imgs"),
            seen=(task.submit.number,),
        )


@area.check("V2-PROGRESS-008", needs=PLAIN)
async def no_links_before_the_end(t: Trial) -> None:
    for _, poll in await polls(t):
        if poll.at("data", "status") != ENDED_WELL:
            t.expect(poll, empty("data.imgs"))


@area.check("V2-PROGRESS-009", needs=PLAIN)
async def previews_can_be_switched_off(t: Trial) -> None:
    task = await seeded(t)
    for poll in task.polls:
        if poll.at("data", "current_images") not in (MISSING, None, [], [""]):
            found = f"{len(poll.at('data', 'current_images'))} previews"
            t.fail("no preview in data.current_images with enable_progress_info false", found, task, poll)


@area.check("V2-PROGRESS-010", needs=PLAIN)
async def previews_are_jpegs(t: Trial) -> None:
    number = 0
    for task, poll in await polls(t):
        t.expect(poll, typed("data.current_images", "array", optional=True))
        if poll.at("data", "current_images") is MISSING:
            continue
        t.expect(poll, typed("data.current_images[]", "string"))
        for text in poll.at("data", "current_images"):
            if text:
                number += 1
                _expect_jpeg(t, text, task, poll)
    t.branch("previews were seen" if number else "no preview was seen")


def _expect_jpeg(t: Trial, text: str, task: Task, poll: Exchange) -> None:
    expected = "a JPEG in base64 for a preview"
    try:
        kind = decoded(base64.b64decode(text, validate=True)).format
    except (binascii.Error, OSError, ValueError, SyntaxError) as error:
        t.fail(expected, f"{text[:40]!r}: {error}", task, poll)
    if kind != "JPEG":
        t.fail(expected, f"a {kind}", task, poll)


@area.check("V2-PROGRESS-011", needs=PLAIN)
async def times_are_dates_in_order(t: Trial) -> None:
    for task, poll in await polls(t):
        last, last_name = datetime.min, ""  # noqa: DTZ901  # the dates of v2 name no zone
        for name in TIMES:
            told = poll.at("data", name)
            if told in (MISSING, ""):
                continue
            try:
                if not isinstance(told, str) or not TIME.fullmatch(told):
                    raise ValueError  # noqa: TRY301  # one message for a wrong form and for no date
                when = datetime.fromisoformat(told)
            except ValueError:
                t.fail(f"{name} as YYYY-MM-DD HH:MM:SS or empty", repr(told), task, poll)
            if when < last:
                t.fail(f"{name} not before {last_name} {last}", str(when), task, poll)
            last, last_name = when, name


@area.check("V2-PROGRESS-012", needs=PLAIN)
async def the_small_fields_say_what_was_asked_and_what_failed(t: Trial) -> None:
    for task, poll in await polls(t):
        t.expect(
            poll,
            typed("data.failed_reason", "string", optional=True),
            typed("data.info", "string", optional=True),
            equals("data.enable_nsfw_detection", _detects(task), optional=True),
        )
        if poll.at("data", "status") not in (3, 4):
            t.expect(poll, empty("data.failed_reason"))


def _detects(task: Task) -> bool:
    extra: dict[str, Any] = task.body.get("extra", {})
    return bool(extra.get("enable_nsfw_detection"))


@area.check("V2-PROGRESS-013", needs=PLAIN)
async def detection_has_a_result_for_each_picture(t: Trial) -> None:
    task = await grid(t)
    told, shown = task.result.at("data", "nsfw_detection_result"), _number(task)
    # How many pictures there must be is another matter: a result for each that is shown will do.
    number = shown if shown and isinstance(told, list) and len(told) == shown else ROWS * COLUMNS
    t.expect(
        task.result,
        count("data.nsfw_detection_result", number),
        typed("data.nsfw_detection_result[]", "object"),
        typed("data.nsfw_detection_result[].valid", "boolean"),
        between("data.nsfw_detection_result[].confidence", 0, 100),
        seen=(task.submit.number,),
    )


@area.check("V2-PROGRESS-014", needs=PLAIN)
async def without_detection_there_is_no_result(t: Trial) -> None:
    for task, poll in await polls(t):
        if not _detects(task):
            t.expect(poll, empty("data.nsfw_detection_result"), seen=(task.submit.number,))


@area.check("V2-PROGRESS-015", needs=PLAIN)
async def debug_info_holds_four_instants(t: Trial) -> None:
    for _, poll in await polls(t):
        t.expect(poll, typed("data.debug_info", "object", optional=True))
        if poll.at("data", "debug_info") is not MISSING:
            t.expect(poll, *(typed(f"data.debug_info.{name}_ms", "integer") for name in TIMES))


@area.check("V2-PROGRESS-016", needs=PLAIN)
async def a_task_is_not_shown_to_another_account(t: Trial) -> None:
    stranger = await t.ask_as(
        Key.SECOND, PROGRESS, params={"task_id": STRANGER}, purpose="an unknown id, asked with the second key"
    )
    own = await t.ask(PROGRESS, params={"task_id": STRANGER}, purpose="the same, asked with the first key")
    if stranger.at("code") != own.at("code"):
        t.not_measured(f"the second key is not served like the first: {stranger.brief()}")
    ended = await single(t)
    fresh = await t.submitted(TXT2IMG_V2, await t.txt2img_v2())
    for task in (ended, fresh, await grid(t)):
        answer = await t.ask_as(
            Key.SECOND, PROGRESS, params={"task_id": task.task_id}, purpose="a task of another account"
        )
        shown = any(answer.at("data", name) is not MISSING for name in ("status", "progress", "imgs"))
        if shown or answer.at("code") == 0:
            t.expect(answer, refused_v2(), seen=(task.submit.number,))
            t.fail("no data of another account's task", answer.brief(), task, answer)
