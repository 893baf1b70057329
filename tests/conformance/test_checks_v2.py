"""Checks of version 2: green against the mock, red for one defect each."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from PIL import Image

from conformance.registry import load_checks
from conformance.stories_v2 import opened, source, white_left, wide
from conformance.verdict import Verdict
from openapi.requirements import load_requirements
from tests.conformance.harness import SECOND_KEY, Answered, Asked, Wrapper, defect, judge, not_green, of_verdict

TXT2IMG, IMG2IMG, PROGRESS = "/v2/txt2img", "/v2/img2img", "/v2/progress"
SUBMITS = (TXT2IMG, IMG2IMG)
MOST_PICTURES = 20

Json = dict[str, Any]


def test_every_observable_requirement_has_a_check() -> None:
    registry = load_checks()
    rows = [row for row in load_requirements() if row.id.startswith("V2-")]
    assert [row.id for row in rows if row.observable and row.id not in registry] == []


def test_the_lenient_mock_is_green_and_cheap() -> None:
    result = judge(["V2-"])
    # The mock answers a sampler outside the list with code 1 where the field may be null.
    assert set(not_green(result)) <= {"V2-CODE-006"}
    assert result.spent.images <= MOST_PICTURES


def test_the_strict_mock_does_nothing_in_the_tolerated_way() -> None:
    result = judge(["V2-"], strict=True)
    assert set(not_green(result)) <= {"V2-CODE-006"}
    assert of_verdict(result, Verdict.WARN) == set()


@pytest.mark.parametrize("row", ["V2-SUBMIT-001", "V2-SUBMIT-003", "V2-SUBMIT-004", "V2-CODE-001", "V2-IMAGE-005"])
def test_a_row_of_a_late_phase_decides_something_alone(row: str) -> None:
    result = judge([row])
    assert not_green(result) == {}
    assert result.spent.tasks > 0


def test_a_task_is_seen_at_work() -> None:
    result = judge(["V2-PROGRESS-010"])
    assert result.outcomes["V2-PROGRESS-010"].branches == ("previews were seen",)


def test_pictures_of_ours_are_what_the_story_says() -> None:
    assert opened(wide()).size == (96, 48)
    assert opened(source()).size == opened(white_left()).size == (128, 128)


# Defects --------------------------------------------------------------------------------------------------------------


def requests(change: Callable[[Json], object], *paths: str) -> Wrapper:
    """A mock that gets another body."""

    def changed(asked: Asked) -> Asked:
        body = asked.json
        if asked.path not in (paths or SUBMITS) or not isinstance(body, dict):
            return asked
        change(body)
        return asked.saying(body)

    return defect(request=changed)


def answers(change: Callable[[Asked, Json], int | None], *paths: str) -> Wrapper:
    """A mock whose answers are changed, and their status where one is given."""

    def spoiled(asked: Asked, answered: Answered) -> Answered:
        body = answered.json
        if asked.path not in (paths or (*SUBMITS, PROGRESS)) or not isinstance(body, dict):
            return answered
        status = change(asked, body)
        return answered.saying(body, status)

    return defect(answer=spoiled)


def errors(change: Callable[[Json], int | None], *paths: str) -> Wrapper:
    """The same for errors."""
    return answers(lambda _, body: change(body) if body.get("code") != 0 else None, *paths)


def progress(change: Callable[[Json], object]) -> Wrapper:
    """The same for `data` of a task that is known."""

    def known(_: Asked, body: Json) -> None:
        if body.get("code") == 0:
            change(body["data"])

    return answers(known, PROGRESS)


def refusing(when: Callable[[Json], bool], *paths: str) -> Wrapper:
    """A mock that refuses what it should take."""

    def refused(asked: Asked, body: Json) -> None:
        if isinstance(asked.json, dict) and when(asked.json):
            body.clear()
            body.update(code=6, msg="not this one", data=None)

    return answers(refused, *(paths or SUBMITS))


def pictures(change: Callable[[Asked, Answered], Answered]) -> Wrapper:
    """A mock whose files are others."""
    return defect(
        answer=lambda asked, answered: (
            change(asked, answered) if asked.path.startswith("/v2_prod/") and answered.status == 200 else answered
        )
    )


def instead(field: str, wrong: object, right: object) -> Callable[[Json], None]:
    """Reads a wrong value of a field as a right one."""

    def change(body: Json) -> None:
        if field in body and body[field] == wrong and type(body[field]) is type(wrong):
            body[field] = right

    return change


def _unit(body: Json) -> Json:
    units = body.get("controlnet_units")
    return units[0] if isinstance(units, list) and units and isinstance(units[0], dict) else {}


def _extra(body: Json) -> Json:
    extra = body.get("extra")
    return extra if isinstance(extra, dict) else {}


def _set(**values: object) -> Callable[[Json], None]:
    return lambda found: found.update(values)


def _as_webp(_: Asked, answered: Answered) -> Answered:
    held = io.BytesIO()
    Image.open(io.BytesIO(answered.body)).save(held, "WEBP")
    return replace(answered, body=held.getvalue())


def _turned(_: Asked, answered: Answered) -> Answered:
    image = Image.open(io.BytesIO(answered.body))
    held = io.BytesIO()
    image.transpose(Image.Transpose.ROTATE_90).save(held, image.format)
    return replace(answered, body=held.getvalue())


def _as_first_account(asked: Asked) -> Asked:
    if asked.path != PROGRESS or SECOND_KEY not in asked.headers.get("authorization", ""):
        return asked
    return replace(asked, headers={**asked.headers, "authorization": "Bearer sk-mock-test"})


def _previews_always(body: Json) -> None:
    if _extra(body).get("enable_progress_info") is False:
        _extra(body)["enable_progress_info"] = True


def _not_inverted(body: Json) -> None:
    if body.get("inpainting_mask_invert") == 1:
        body["inpainting_mask_invert"] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A defect and the requirement that it breaks; `near`: beginnings of other ids that are judged with it."""

    broken: str
    wrapper: Wrapper
    near: tuple[str, ...]


def one_id_for_one_body() -> Wrapper:
    """A mock that gives equal submits the same task."""
    first: dict[bytes, str] = {}

    def spoiled(asked: Asked, body: Json) -> None:
        if body.get("code") == 0:
            body["data"]["task_id"] = first.setdefault(asked.body, body["data"]["task_id"])

    return answers(spoiled, *SUBMITS)


def _status_400(_: Json) -> int:
    return 400


def _no_message(body: Json) -> None:
    del body["msg"]


def _code_of_text(body: Json) -> None:
    body["code"] = str(body["code"])


CASES: dict[str, Case] = {
    name: Case(broken=broken, wrapper=wrapper, near=near)
    for name, broken, wrapper, near in (
        ("errors have status 400", "V2-SUBMIT-001", errors(_status_400), ("V2-TXT2IMG-01", "V2-CODE")),
        ("an accepted submit has code text", "V2-SUBMIT-002", answers(
            lambda _, body: _code_of_text(body) if body["code"] == 0 else None, *SUBMITS
        ), ("V2-TXT2IMG-00", "V2-SUBMIT-00", "V2-CODE-001")),
        ("errors have no message", "V2-SUBMIT-003", errors(_no_message), ("V2-CODE", "V2-SUBMIT")),
        ("equal submits are one task", "V2-SUBMIT-004", one_id_for_one_body(), ("V2-SUBMIT-00", "V2-IMAGE-004")),
        ("jpeg is refused", "V2-SUBMIT-011", refusing(
            lambda body: _extra(body).get("response_image_type") == "jpeg"
        ), ("V2-SUBMIT-01", "V2-IMAGE-002", "V2-IMAGE-004")),
        ("a sampler is refused", "V2-TXT2IMG-012", refusing(
            lambda body: body.get("sampler_name") == "PLMS"
        ), ("V2-TXT2IMG", "V2-CONTROL-004")),
        ("51 steps are taken", "V2-TXT2IMG-011", requests(instead("steps", 51, 50), TXT2IMG), (
            "V2-TXT2IMG", "V2-CODE-004", "V2-IMG2IMG-008",
        )),
        ("steps in a string are taken", "V2-IMG2IMG-005", requests(instead("steps", "1", 1), IMG2IMG), (
            "V2-IMG2IMG-00", "V2-CODE-003", "V2-TXT2IMG-005",
        )),
        ("a guidance with a fraction is refused", "V2-IMG2IMG-009", refusing(
            lambda body: body.get("cfg_scale") == 7.5, IMG2IMG
        ), ("V2-IMG2IMG-00",)),
        ("a mask cannot be inverted", "V2-IMG2IMG-017", requests(_not_inverted), ("V2-IMG2IMG-01",)),
        ("no empty list is refused", "V2-IMG2IMG-019", requests(instead("init_images", [], [source()])), (
            "V2-IMG2IMG-01",
        )),
        ("a module is refused", "V2-CONTROL-004", refusing(
            lambda body: _unit(body).get("module") == "depth_anything"
        ), ("V2-CONTROL",)),
        ("a null weight acts as 0", "V2-CONTROL-006", requests(
            lambda body: instead("weight", None, 0)(_unit(body))
        ), ("V2-CONTROL",)),
        ("the status is text", "V2-PROGRESS-003", progress(
            lambda data: data.update(status=str(data["status"]))
        ), ("V2-PROGRESS", "V2-IMAGE-001")),
        ("progress is in percent", "V2-PROGRESS-006", progress(
            lambda data: data.update(progress=100 * data["progress"])
        ), ("V2-PROGRESS",)),
        ("n_iter has no effect", "V2-PROGRESS-007", progress(
            lambda data: data.update(imgs=data["imgs"][:2]) if data["imgs"] else None
        ), ("V2-PROGRESS",)),
        ("links come too early", "V2-PROGRESS-008", progress(
            lambda data: data.update(imgs=["http://mock.test/a.png"]) if data["status"] == 1 else None
        ), ("V2-PROGRESS",)),
        ("previews cannot be switched off", "V2-PROGRESS-009", requests(_previews_always), ("V2-PROGRESS",)),
        ("failed_reason is null", "V2-PROGRESS-012", progress(_set(failed_reason=None)), ("V2-PROGRESS",)),
        ("a task is shown to everybody", "V2-PROGRESS-016", defect(request=_as_first_account), ("V2-PROGRESS",)),
        ("pictures lie on their side", "V2-IMAGE-001", pictures(_turned), ("V2-IMAGE-001", "V2-IMAGE-002")),
        ("pictures are WebP", "V2-IMAGE-002", pictures(_as_webp), ("V2-IMAGE",)),
        ("seeds have no effect", "V2-IMAGE-004", requests(instead("seed", 7 + 2**31, 7)), ("V2-IMAGE",)),
        ("links live for ever", "V2-IMAGE-005", requests(instead("img_expire_ttl", 1, 604800)), ("V2-IMAGE",)),
        ("codes are text", "V2-CODE-001", errors(_code_of_text), ("V2-CODE", "V2-TXT2IMG-01")),
        ("an unknown task has code 1", "V2-CODE-007", errors(
            lambda body: body.update(code=1) if body["code"] == 3 else None
        ), ("V2-CODE", "V2-PROGRESS-016")),
    )
}  # fmt: skip


SOFT = ("V2-SUBMIT-004", "V2-SUBMIT-008", "V2-IMG2IMG-019", "V2-IMAGE-004", "V2-IMAGE-005")
"""A SHOULD: a warning, unless the judge is strict."""


@pytest.mark.parametrize("name", CASES)
def test_a_defect_is_red_where_it_belongs(name: str) -> None:
    case = CASES[name]
    result = judge([case.broken, *case.near], transport=case.wrapper)
    known = {"V2-CODE-006"} - {case.broken}
    assert result.outcomes[case.broken].verdict is (Verdict.WARN if case.broken in SOFT else Verdict.FAIL)
    assert of_verdict(result, Verdict.FAIL) - known <= {case.broken}
    assert of_verdict(result, Verdict.UNSTABLE, Verdict.ERROR, Verdict.UNTESTABLE) == set()
    blamed = {outcome.blocked_by for outcome in result.outcomes.values() if outcome.blocked_by}
    assert blamed <= {case.broken}
