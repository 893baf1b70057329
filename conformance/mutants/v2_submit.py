"""Submitting on version 2: answers, errors, the body as a whole, `extra`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.bodies import IMG2IMG_V2, PROGRESS, TXT2IMG_V2
from conformance.mutants.making import ABSENT, accepts, answers, both, looks, puts, statuses
from conformance.mutants.v2_making import (
    CALLS,
    V2,
    a_list,
    above,
    an_object,
    below,
    coded,
    faults,
    has_code,
    is_accepted,
    is_error,
    made_up,
    null,
    number,
    refuses,
    text,
)
from conformance.mutants.values import Answer, Mutant, Request, State

_NAMES = (
    "prompt negative_prompt sampler_name batch_size n_iter steps cfg_scale seed height width model_name extra "
    "restore_faces restore_faces_model sd_vae clip_skip enable_hr hr_upscaler hr_scale hr_resize_x hr_resize_y "
    "img_expire_ttl sd_refiner controlnet_units init_images denoising_strength mask mask_blur resize_mode "
    "image_cfg_scale inpainting_fill inpaint_full_res inpaint_full_res_padding inpainting_mask_invert "
    "initial_noise_multiplier controlnet_no_detectmap"
)
FIELDS = frozenset(_NAMES.split())
"""What some page names at the top level of a body."""


def _keyless(state: State, request: Request, answer: Answer) -> bool:
    return "authorization" not in request.headers


def _omni(state: State, request: Request, answer: Answer) -> bool:
    return "x-omni-key" in request.headers and _keyless(state, request, answer)


def _untyped_refused(*ops: str) -> Any:
    def request(state: State, request: Request) -> Request | Answer:
        typed = request.headers.get("content-type", "").startswith("application/json")
        return request if typed or request.operation not in ops else coded(1)

    return request


def _queries_refused(*ops: str) -> Any:
    def request(state: State, request: Request) -> Request | Answer:
        odd = [pair for pair in request.query.split("&") if pair and not pair.startswith("task_id")]
        return coded(1) if odd and request.operation in ops else request

    return request


def _taken(wanted: Callable[[Request], bool], *ops: str) -> Any:
    """Makes no task of a body that is none, but says so."""

    def request(state: State, request: Request) -> Request | Answer:
        known = request.headers.get("authorization", "").startswith("Bearer ")
        if request.operation in ops and known and not request.large and wanted(request):
            return made_up(state)
        return request

    return request


def _no_json(request: Request) -> bool:
    return bool(request.body) and request.json is ABSENT


def _same_id(state: State, request: Request, answer: Answer) -> Answer:
    """An equal body gets the task that it got before."""
    known = state.memory.setdefault("answers", {})
    return known.setdefault((request.operation, request.body), answer)  # type: ignore[no-any-return]


def _same_id_for_like(state: State, request: Request, answer: Answer) -> Answer:
    """A body that differs in prompt, steps or sampler alone gets the task of the first."""
    known = state.memory.setdefault("answers", {})
    kept = [(key, value) for key, value in request.json.items() if key not in ("prompt", "steps", "sampler_name")]
    return known.setdefault((request.operation, repr(kept)), answer)  # type: ignore[no-any-return]


def _capitals(state: State, request: Request) -> Request:
    from dataclasses import replace

    return replace(request, query=request.query.lower()) if request.operation == PROGRESS else request


def _shouted(state: State, request: Request, answer: Answer) -> Answer:
    if request.operation not in V2 or answer.task_id is None:
        return answer
    return answer.with_json({**answer.json, "data": {**answer.json["data"], "task_id": answer.task_id.upper()}})


def _unknown_field(body: Any) -> bool:
    return not set(body) <= FIELDS


def _submit(name: str, number: str, text: str, path: str, value: Any, **more: Any) -> Mutant:
    ops = more.pop("ops", V2)
    return puts(name, f"V2-SUBMIT-{number}", text, ops, path, value, when=more.pop("when", is_accepted), **more)


def _refuses(name: str, text: str, field: str, good: Any, ops: Any = V2) -> Mutant:
    return refuses(f"v2-refuses-{name}", "V2-SUBMIT-011", text, ops, f"extra.{field}", good)


def _accepts(name: str, text: str, path: str, bad: Any, good: Any, ops: Any = V2) -> Mutant:
    return accepts(f"v2-accepts-{name}", "V2-SUBMIT-012", text, ops, path, bad, good)


MUTANTS = (
    statuses(
        "v2-errors-have-400", "V2-SUBMIT-001", "A refused submit has status 400.", V2, 200, 400, when=has_code(1, 6)
    ),
    statuses(
        "v2-keyless-has-401",
        "V2-SUBMIT-001",
        "Without a key the status is 401.",
        CALLS,
        200,
        401,
        when=both(_keyless, is_error),
    ),
    statuses(
        "v2-unknown-task-has-404",
        "V2-SUBMIT-001",
        "Progress of an unknown task has status 404.",
        PROGRESS,
        200,
        404,
        when=has_code(3),
    ),
    statuses(
        "v2-accepted-has-202", "V2-SUBMIT-001", "An accepted submit has status 202.", V2, 200, 202, when=is_accepted
    ),
    statuses(
        "v2-unknown-model-has-404",
        "V2-SUBMIT-001",
        "A checkpoint that no model has gives status 404.",
        V2,
        200,
        404,
        when=has_code(2),
    ),
    answers(
        "v2-task-id-at-the-top",
        "V2-SUBMIT-002",
        "task_id stands beside code.",
        V2,
        lambda state, request, answer: answer.with_json({"code": 0, "msg": "", **answer.json["data"]}),
        when=is_accepted,
    ),
    _submit("v2-task-id-is-a-number", "002", "task_id is a number.", "data.task_id", lambda old: int(old[:8], 16)),
    _submit("v2-task-id-is-empty", "002", "task_id is empty.", "data.task_id", "", ops=IMG2IMG_V2),
    _submit("v2-data-is-the-id", "002", "data is the id itself.", "data", lambda old: old["task_id"], ops=TXT2IMG_V2),
    _submit(
        "v2-accepted-without-code", "002", "An accepted submit has no code.", "code", ABSENT, also=("V2-CODE-001",)
    ),
    _submit("v2-accepted-code-is-text", "002", "The code 0 is text.", "code", "0", also=("V2-CODE-001",)),
    _submit("v2-accepted-code-is-false", "002", "The code 0 is false.", "code", False, also=("V2-CODE-001",)),
    _submit("v2-errors-without-msg", "003", "An error has no msg.", "msg", ABSENT, ops=CALLS, when=is_error),
    _submit("v2-unknown-task-without-msg", "003", "msg is null.", "msg", None, ops=PROGRESS, when=has_code(3)),
    _submit(
        "v2-msg-is-a-list", "003", "msg is a list of all that is wrong.", "msg", lambda old: [old], when=has_code(1, 6)
    ),
    _submit("v2-error-data-is-empty", "003", "data of an error is {}.", "data", {}, when=is_error),
    _submit("v2-unknown-task-has-data", "003", "data is an empty string.", "data", "", ops=PROGRESS, when=has_code(3)),
    _submit(
        "v2-keyless-has-data",
        "003",
        "Without a key data tells where to get one.",
        "data",
        {"see": "https://keys.example"},
        ops=CALLS,
        when=both(_keyless, is_error),
    ),
    answers(
        "v2-equal-bodies-share-a-task",
        "V2-SUBMIT-004",
        "Equal bodies get the same id.",
        V2,
        _same_id,
        when=is_accepted,
    ),
    answers(
        "v2-like-bodies-share-a-task",
        "V2-SUBMIT-004",
        "Bodies that differ in their prompt alone get the same id.",
        V2,
        _same_id_for_like,
        when=is_accepted,
    ),
    Mutant(
        name="v2-ids-in-capitals",
        breaks="V2-SUBMIT-004",
        text="Task ids are in capitals.",
        request=_capitals,
        answer=_shouted,
        strict=True,
    ),
    _submit("v2-warn-is-null", "005", "data.warn is null.", "data.warn", None, add=True),
    _submit("v2-warn-is-a-list", "005", "data.warn is a list.", "data.warn", [], add=True, ops=IMG2IMG_V2),
    Mutant(
        name="v2-submits-need-a-media-type",
        breaks="V2-SUBMIT-006",
        text="A submit without Content-Type is refused.",
        request=_untyped_refused(*V2),
    ),
    Mutant(
        name="v2-img2img-needs-a-media-type",
        breaks="V2-SUBMIT-006",
        text="Image to image without Content-Type is refused.",
        request=_untyped_refused(IMG2IMG_V2),
    ),
    Mutant(
        name="v2-accepts-empty-bodies",
        breaks="V2-SUBMIT-007",
        text="An empty body is taken.",
        request=_taken(lambda request: not request.body, *V2),
    ),
    Mutant(
        name="v2-accepts-any-bytes",
        breaks="V2-SUBMIT-007",
        text="Image to image takes a body that is no JSON.",
        request=_taken(_no_json, IMG2IMG_V2),
        also=("V2-CODE-002",),
    ),
    Mutant(
        name="v2-accepts-lists",
        breaks="V2-SUBMIT-007",
        text="A list is taken as a body.",
        request=_taken(lambda request: isinstance(request.json, list), *V2),
    ),
    Mutant(
        name="v2-accepts-null-bodies",
        breaks="V2-SUBMIT-007",
        text="null is taken as a body.",
        request=_taken(lambda request: request.json is None, TXT2IMG_V2),
    ),
    faults("v2-unknown-field-is-a-fault", "V2-SUBMIT-008", "A field unknown: the server breaks.", V2, _unknown_field),
    Mutant(
        name="v2-queries-refused",
        breaks="V2-SUBMIT-009",
        text="A submit with a query parameter is refused.",
        request=_queries_refused(*V2),
    ),
    Mutant(
        name="v2-progress-queries-refused",
        breaks="V2-SUBMIT-009",
        text="Progress with a query parameter more is refused.",
        request=_queries_refused(PROGRESS),
    ),
    answers(
        "v2-omni-key-is-odd",
        "V2-SUBMIT-010",
        "A key in X-Omni-Key is a missing task.",
        CALLS,
        lambda state, request, answer: coded(3),
        when=_omni,
    ),
    answers(
        "v2-omni-key-breaks-the-server",
        "V2-SUBMIT-010",
        "A key in X-Omni-Key is a fault.",
        CALLS,
        lambda state, request, answer: coded(-1),
        when=_omni,
    ),
    _refuses("jpeg", "jpeg is refused.", "response_image_type", "jpeg"),
    _refuses("png-of-img2img", "Image to image refuses png.", "response_image_type", "png", IMG2IMG_V2),
    _refuses("level-0", "The level 0 is refused.", "nsfw_detection_level", 0),
    _refuses("level-2", "Image to image refuses the level 2.", "nsfw_detection_level", 2, IMG2IMG_V2),
    _refuses("detection", "Detection is refused.", "enable_nsfw_detection", True, TXT2IMG_V2),
    _refuses("no-detection", "Detection cannot be switched off.", "enable_nsfw_detection", False),
    _refuses("null-previews", "enable_progress_info of null is refused.", "enable_progress_info", None),
    _refuses("no-previews", "enable_progress_info of false is refused.", "enable_progress_info", False, IMG2IMG_V2),
    _accepts("webp", "webp is taken as png.", "extra.response_image_type", "webp", "png"),
    _accepts(
        "any-format",
        "Image to image takes any format as png.",
        "extra.response_image_type",
        lambda old: text(old) and old not in ("png", "jpeg"),
        "png",
        IMG2IMG_V2,
    ),
    _accepts("formats-in-capitals", "PNG is png.", "extra.response_image_type", lambda old: old == "PNG", "png"),
    _accepts("level-3", "The level 3 is taken as 2.", "extra.nsfw_detection_level", above(2), 2),
    _accepts("level-minus-1", "A level below 0 is taken.", "extra.nsfw_detection_level", below(0), 0, IMG2IMG_V2),
    _accepts("level-in-quotes", "A level may be text.", "extra.nsfw_detection_level", text, 1),
    _accepts("detection-in-quotes", "Detection may be text.", "extra.enable_nsfw_detection", text, True),
    _accepts("detection-of-1", "Detection may be 1.", "extra.enable_nsfw_detection", number, True, IMG2IMG_V2),
    _accepts("previews-in-quotes", "Previews may be text.", "extra.enable_progress_info", text, False),
    _accepts("format-of-numbers", "A format may be a number.", "extra.response_image_type", number, "png"),
    _accepts("extra-as-list", "extra may be a list.", "extra", a_list, ABSENT),
    _accepts("extra-as-text", "extra may be text.", "extra", text, {}, IMG2IMG_V2),
    faults(
        "v2-null-extra-is-a-fault",
        "V2-SUBMIT-013",
        "extra of null: the server breaks.",
        V2,
        null("extra"),
    ),
    faults(
        "v2-null-level-is-a-fault",
        "V2-SUBMIT-013",
        "A level of null: the server breaks.",
        IMG2IMG_V2,
        lambda body: an_object(body.get("extra")) and looks("extra.nsfw_detection_level", None)(body),
    ),
)
