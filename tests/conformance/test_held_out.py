"""Defects that the authors of the checks did not think of: held out until the checks were done.

They were written from the sentences of requirements.yaml alone, before the checks and their mutants were read, as
changes of the mock's own handlers: what a programmer gets wrong (a seed kept in 31 bits, a prompt cut off, a cache with
the wrong key, the second page, the other account), not what a proxy can do to an answer.

First kill rate, before anything was mended, in default runs (for those that were killed at once, in runs of their area
and its neighbours): of 93 defects, 79 were red in a requirement that they break, 5 only in another one than was meant,
1 was unstable, 8 were not seen. Then checks were mended. Here are all that the mended checks see now, and those of the
others that say most; what is still not seen is not here: a third picture that repeats the first one (v3 orders no task
of three; v2 sees it), an event with fewer pictures than its result when there are several, and pictures of another
task that are seen as wrong sizes and seeds, not as V3-LIFE-008.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from typing import Any, TypeAlias

import orjson
import pytest

from conformance.verdict import Verdict
from mockserver import answers, calls, downloads, gateway, operations, submitting
from mockserver.calls import Call
from mockserver.core.errors import Reason, Refusal, V2Code
from mockserver.core.recipe import ImageType, Recipe
from mockserver.core.task import Status, Task
from mockserver.outbound.sender import ErrorKind, HttpSender, Outcome, Outgoing
from mockserver.parts.renderer import ReceiptRenderer
from mockserver.submissions import v2, v3
from mockserver.webhooks import event
from mockserver.webhooks.settings import WebhookSettings
from openapi.catalogue import Catalogue, Model
from tests.conformance.harness import judge

Json: TypeAlias = dict[str, Any]
Defect: TypeAlias = Callable[[pytest.MonkeyPatch], None]

_DEFECTS: list[tuple[str, bool, Defect]] = []
BAD = (Verdict.FAIL, Verdict.WARN)
"""WARN is red for a SHOULD; none of these requirements has it on the mock as it is."""


def breaks(requirement: str, *, sends: bool = False) -> Callable[[Defect], Defect]:
    """Names the requirement that a defect breaks, and whether events have to be sent to show it."""

    def noted(defect: Defect) -> Defect:
        _DEFECTS.append((requirement, sends, defect))
        return defect

    return noted


def drawing(patch: pytest.MonkeyPatch, change: Callable[[Recipe], Recipe]) -> None:
    """Draws from another recipe than was asked for."""
    plain = ReceiptRenderer.render

    def render(self: ReceiptRenderer, recipe: Recipe, index: int, image_type: ImageType) -> bytes:
        return plain(self, change(recipe), index, image_type)

    patch.setattr(ReceiptRenderer, "render", render)


def telling(patch: pytest.MonkeyPatch, change: Callable[[Task, int, Json], None]) -> None:
    """Changes results, in answers and in events."""
    plain = answers.task_result

    def told(task: Task, now_ms: int, view: answers.View) -> Json:
        body = plain(task, now_ms, view)
        change(task, now_ms, body)
        return body

    patch.setattr(answers, "task_result", told)
    patch.setattr(event, "task_result", told)


def telling_v2(patch: pytest.MonkeyPatch, change: Callable[[Task, Json], None]) -> None:
    """Changes what progress answers hold."""
    plain = answers.progress

    def told(task: Task, now_ms: int, *more: Any) -> Json:
        body = plain(task, now_ms, *more)
        change(task, body)
        return body

    patch.setattr(answers, "progress", told)


def handling(patch: pytest.MonkeyPatch, operation_id: str, handle: Callable[[Call, Callable[[], Json]], Json]) -> None:
    """Puts something round a handler; it gets the call and what handles it."""
    plain: Any = operations.HANDLERS[operation_id]
    patch.setitem(operations.HANDLERS, operation_id, lambda call: handle(call, lambda: plain(call)))


def outcomes(patch: pytest.MonkeyPatch, taken: Callable[[Outcome], bool]) -> None:
    """Judges anew whether a receiver took an event."""
    patch.setattr(Outcome, "ok", property(taken))


# Pictures and links ---------------------------------------------------------------------------------------------------


@breaks("V3-IMAGE-009")
def seeds_of_31_bits(patch: pytest.MonkeyPatch) -> None:
    drawing(patch, lambda recipe: replace(recipe, seed=recipe.seed % 2**31))


@breaks("V2-IMAGE-004")
def seeds_of_31_bits_on_v2(patch: pytest.MonkeyPatch) -> None:
    drawing(patch, lambda recipe: replace(recipe, seed=recipe.seed % 2**31))


@breaks("V3-IMAGE-010")
def a_prompt_of_twenty_characters(patch: pytest.MonkeyPatch) -> None:
    drawing(patch, lambda recipe: replace(recipe, prompt=recipe.prompt[:20]))


@breaks("V3-IMAGE-003")
def a_second_pass_that_keeps_the_shape(patch: pytest.MonkeyPatch) -> None:
    def shaped(recipe: Recipe) -> Recipe:
        if recipe.hires is None:
            return recipe
        return replace(recipe, hires=replace(recipe.hires, height=recipe.hires.width * recipe.height // recipe.width))

    drawing(patch, shaped)


@breaks("V3-IMAGE-008")
def a_seed_that_is_drawn_twice(patch: pytest.MonkeyPatch) -> None:
    """One is told, with the other one the picture is made."""
    plain = submitting.recipe_of

    def recipe_of(task: Task, mock: Any) -> Recipe:
        recipe = plain(task, mock)
        drawn = not task.is_v2 and orjson.loads(task.body)["request"].get("seed", -1) == -1
        return replace(recipe, seed=recipe.seed ^ 1) if drawn else recipe

    patch.setattr("mockserver.downloads.recipe_of", recipe_of)


@breaks("V3-CONTROL-010")
def inputs_told_apart_by_their_heads(patch: pytest.MonkeyPatch) -> None:
    """Two pictures of one size and kind are one to the store."""
    patch.setattr("mockserver.submissions.inputs.blake2b", lambda data, **how: blake2b(data[:33], **how))


@breaks("V3-LINK-003")
def links_that_live_from_the_end_of_the_task(patch: pytest.MonkeyPatch) -> None:
    plain = answers._images
    patch.setattr(answers, "_images", lambda task, now_ms, view: plain(task, min(now_ms, task.finished_ms), view))


@breaks("V3-LINK-006")
def the_beginning_for_the_end(patch: pytest.MonkeyPatch) -> None:
    """`bytes=-12` gives the first twelve."""
    plain = downloads._part

    def part(header: str, length: int) -> range | None:
        found = plain(header, length)
        return range(len(found)) if found and header.startswith("bytes=-") else found

    patch.setattr(downloads, "_part", part)


# Results --------------------------------------------------------------------------------------------------------------


@breaks("V3-RESULT-013")
def the_last_of_several_lost(patch: pytest.MonkeyPatch) -> None:
    telling(patch, lambda task, _, body: body.update(images=body["images"][: max(1, task.count - 1)]))


@breaks("V3-RESULT-019")
def seed_0_taken_for_none(patch: pytest.MonkeyPatch) -> None:
    plain = v3._common

    def common(*how: Any) -> Json:
        found = plain(*how)
        return {**found, "seed": found["seed"] or -1}

    patch.setattr(v3, "_common", common)


@breaks("V3-RESULT-022")
def times_swapped_for_other_formats(patch: pytest.MonkeyPatch) -> None:
    def swap(task: Task, _: int, body: Json) -> None:
        times = body["extra"]["debug_info"]
        if task.delivery.image_type is not ImageType.PNG and times["complete_time_ms"]:
            times.update(execute_time_ms=times["complete_time_ms"], complete_time_ms=times["execute_time_ms"])

    telling(patch, swap)


@breaks("V3-IMG2IMG-022")
def another_type_while_queued(patch: pytest.MonkeyPatch) -> None:
    def mistake(task: Task, now_ms: int, body: Json) -> None:
        if task.status_at(now_ms) is Status.QUEUED:
            body["task"]["task_type"] = "TXT_TO_IMG"

    telling(patch, mistake)


@breaks("V3-LIFE-004")
def pictures_in_another_order_each_time(patch: pytest.MonkeyPatch) -> None:
    def turn(task: Task, _: int, body: Json) -> None:
        if task.polls % 2:
            body["images"].reverse()

    telling(patch, turn)


@breaks("V3-LIFE-010")
def a_result_forgotten_before_its_links(patch: pytest.MonkeyPatch) -> None:
    def handle(call: Call, plain: Callable[[], Json]) -> Json:
        found = plain()
        task = call.world.tasks.get(found["task"]["task_id"])
        if task is not None and call.world.clock.now_ms() > task.finished_ms + 600_000:
            raise Refusal(Reason.TASK_NOT_FOUND, "no such task")
        return found

    handling(patch, "getTaskResult", handle)


@breaks("V3-AUTH-006")
def finished_tasks_for_everybody(patch: pytest.MonkeyPatch) -> None:
    def handle(call: Call, plain: Callable[[], Json]) -> Json:
        try:
            return plain()
        except Refusal:
            task_id = call.query.decode().removeprefix("task_id=")
            owner = call.mock.owner(task_id)
            task = owner.tasks.get(task_id) if owner else None
            if owner is None or task is None or not task.ended_at(owner.clock.now_ms()):
                raise
            return answers.task_result(task, owner.clock.now_ms(), operations._view(call))

    handling(patch, "getTaskResult", handle)


@breaks("ROBUST-005")
def texts_in_another_encoding(patch: pytest.MonkeyPatch) -> None:
    def garble(_: Task, __: int, body: Json) -> None:
        info = body["extra"]["debug_info"]
        info["request_info"] = info["request_info"].encode("utf-8", "replace").decode("latin-1")

    telling(patch, garble)


# Submits, models and errors -------------------------------------------------------------------------------------------


@breaks("V3-EXTRA-006")
def an_empty_plan_refused_for_the_account(patch: pytest.MonkeyPatch) -> None:
    plain = v3.read_delivery

    def read(extra: Json) -> Any:
        if extra.get("enterprise_plan") == {}:
            raise Refusal(Reason.FEATURE_NOT_ALLOWED, "this account has no plan")
        return plain(extra)

    patch.setattr(v3, "read_delivery", read)


@breaks("V3-NSFW-002")
def a_level_that_switches_detection_on(patch: pytest.MonkeyPatch) -> None:
    plain = v3.read_delivery

    def read(extra: Json) -> Any:
        return replace(plain(extra), nsfw=bool(extra.get("enable_nsfw_detection") or extra.get("nsfw_detection_level")))

    patch.setattr(v3, "read_delivery", read)


@breaks("V3-MODEL-012")
def texts_read_as_patterns(patch: pytest.MonkeyPatch) -> None:
    """The `_` of SQL's LIKE fits every letter."""
    plain = Catalogue.query

    def query(self: Catalogue, *, query: str | None = None, **how: Any) -> list[Model]:
        fits = re.compile(re.escape(query or "").replace("_", "."), re.IGNORECASE)
        found = plain(self, **how)
        return [one for one in found if any(fits.search(text) for text in (one.sd_name, one.name, *one.tags))]

    patch.setattr(Catalogue, "query", query)


@breaks("V3-MODEL-015")
def a_filter_lost_on_the_second_page(patch: pytest.MonkeyPatch) -> None:
    plain = calls.read_query

    def read(call: Call) -> Json:
        found = dict(plain(call))
        if found.get("pagination.cursor") not in (None, "", "c_0"):
            found.pop("filter.types", None)
        return found

    patch.setattr("mockserver.operations.read_query", read)


@breaks("V2-CODE-004")
def another_code_for_one_range(patch: pytest.MonkeyPatch) -> None:
    plain = calls.read_body

    def read(call: Call) -> Json:
        try:
            return plain(call)
        except Refusal as refusal:
            if "n_iter" in refusal.message:
                refusal.v2_code = V2Code.INVALID_JSON
            raise

    patch.setattr("mockserver.submitting.read_body", read)


@breaks("V2-SUBMIT-001")
def a_status_of_its_own_for_unknown_tasks(patch: pytest.MonkeyPatch) -> None:
    plain = gateway.Contract._finish

    def finish(self: gateway.Contract, operation: Any, *how: Any) -> Any:
        found = plain(self, operation, *how)
        unknown = any(isinstance(one, Refusal) and one.reason is Reason.TASK_NOT_FOUND for one in how)
        return (404, *found[1:]) if unknown and operation.version == "v2" and isinstance(found, tuple) else found

    patch.setattr(gateway.Contract, "_finish", finish)


# Progress of v2 -------------------------------------------------------------------------------------------------------


@breaks("V2-PROGRESS-007")
def runs_not_counted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(v2, "_count", lambda body, _: int(body.get("batch_size") or 1))


@breaks("V2-PROGRESS-013")
def one_verdict_for_all_pictures(patch: pytest.MonkeyPatch) -> None:
    telling_v2(patch, lambda _, body: body.update(nsfw_detection_result=(body["nsfw_detection_result"] or [])[:1]))


@breaks("V2-IMAGE-005")
def a_life_in_minutes(patch: pytest.MonkeyPatch) -> None:
    plain = v2._delivery

    def delivery(*how: Any) -> Any:
        found = plain(*how)
        return replace(found, ttl_s=found.ttl_s and found.ttl_s * 60)

    patch.setattr(v2, "_delivery", delivery)


# Events ---------------------------------------------------------------------------------------------------------------


@breaks("WEBHOOK-003", sends=True)
def the_query_of_a_url_lost(patch: pytest.MonkeyPatch) -> None:
    plain = HttpSender.send

    async def send(self: HttpSender, outgoing: Outgoing, *, timeout_s: float) -> Outcome:
        return await plain(self, replace(outgoing, url=outgoing.url.partition("?")[0]), timeout_s=timeout_s)

    patch.setattr(HttpSender, "send", send)


@breaks("WEBHOOK-008", sends=True)
def only_200_counts(patch: pytest.MonkeyPatch) -> None:
    outcomes(patch, lambda outcome: outcome.error is None and outcome.status == 200)


@breaks("WEBHOOK-010", sends=True)
def silence_taken_for_consent(patch: pytest.MonkeyPatch) -> None:
    def taken(outcome: Outcome) -> bool:
        fine = outcome.error is None and outcome.status is not None and 200 <= outcome.status < 300
        return fine or outcome.error is ErrorKind.TIMEOUT

    outcomes(patch, taken)


@breaks("WEBHOOK-013", sends=True)
def five_attempts_in_all(patch: pytest.MonkeyPatch) -> None:
    plain = WebhookSettings.wait_ms
    patch.setattr(WebhookSettings, "wait_ms", lambda self, tries: None if tries >= 5 else plain(self, tries))


@pytest.mark.parametrize(
    ("requirement", "sends", "defect"), _DEFECTS, ids=[f"{name} {defect.__name__}" for name, _, defect in _DEFECTS]
)
def test_a_held_out_defect_is_seen(
    requirement: str, sends: bool, defect: Defect, monkeypatch: pytest.MonkeyPatch
) -> None:
    defect(monkeypatch)
    found = judge([requirement], sends=sends).outcomes[requirement]
    assert found.verdict in BAD, f"{found.verdict}: {found.message}"
    assert found.actual
