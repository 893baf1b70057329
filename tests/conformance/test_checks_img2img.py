"""Checks of image to image, control units, errors and hostile input: green against the mock, red for a defect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from conformance import sources
from conformance.pixels import difference, difference_outside, from_base64, like, other, psnr
from conformance.registry import load_checks
from conformance.verdict import Verdict
from openapi.requirements import load_requirements
from tests.conformance.harness import Answered, Asked, Wrapper, defect, judge, not_green, of_verdict

AREAS = ("V3-IMG2IMG", "V3-CONTROL", "V3-ERROR", "ROBUST")
SLOW = ("V3-IMG2IMG-017", "V3-IMG2IMG-018", "V3-IMG2IMG-019", "V3-ERROR-011", "ROBUST-001", "ROBUST-004", "ROBUST-008")
"""Large pictures and bodies; judged where they are what is broken."""
IMG2IMG = "/v3/async/img2img"
RESULT = "/v3/async/task-result"


def test_every_observable_requirement_has_a_check() -> None:
    registry = load_checks()
    rows = [row for row in load_requirements() if row.id.startswith(AREAS)]
    assert [row.id for row in rows if row.observable and row.id not in registry] == []


def test_the_lenient_mock_is_green_and_cheap() -> None:
    result = judge(AREAS)
    assert not_green(result) == {}
    assert result.spent.images <= 13


def test_the_strict_mock_does_nothing_in_the_tolerated_way() -> None:
    result = judge(AREAS, strict=True)
    assert not_green(result) == {}
    assert of_verdict(result, Verdict.WARN) == set()


@pytest.mark.parametrize("area", AREAS)
def test_an_area_is_decided_alone(area: str) -> None:
    result = judge([name for name in (check.requirement for check in load_checks()) if _of(name) == area][:1])
    assert not_green(result) == {}


def test_likeness_survives_a_re_encoding() -> None:
    one, two = sources.drawn(96, 96), sources.drawn(96, 96, colour=(20, 90, 200))
    first, second = from_base64(one), from_base64(two)
    assert like(first, from_base64(sources.drawn(96, 96, kind="JPEG")))
    assert other(first, second)
    assert psnr(first, first) == float("inf")
    mask = from_base64(sources.drawn(96, 96, colour=(0, 0, 0)))
    mixed = first.copy()
    mixed.paste(second, mask=mask.convert("L"))
    assert difference(first, mixed, mask) > 50
    assert difference_outside(first, mixed, mask) == 0


# Defects -------------------------------------------------------------------------------------------------------------

Change = Callable[[Any], object]
GONE = object()
"""In place of a value: the key is taken away."""


def read_as(*path: str | int, change: Change, at: str = IMG2IMG) -> Wrapper:
    """A server that reads a field as something else.

    `change` gives what the mock gets in place of a value: the value itself leaves it, `GONE` takes the key away.
    """

    def apply(asked: Asked) -> Asked:
        body = asked.json if asked.path == at else None
        holder: Any = body
        for step in path[:-1]:
            try:
                holder = holder[step]
            except (KeyError, IndexError, TypeError):
                return asked
        if not isinstance(holder, dict):
            return asked
        before = holder.get(path[-1], GONE)
        after = change(before)
        if after is before:
            return asked
        holder[path[-1]] = after
        if after is GONE:
            del holder[path[-1]]
        return asked.saying(body)

    return defect(request=apply)


def reading(value: object, as_: object) -> Change:
    """One value is read as another."""
    return lambda found: as_ if type(found) is type(value) and found == value else found


def text_is(as_: object) -> Change:
    """A text is read as a value."""
    return lambda found: as_ if isinstance(found, str) else found


def refusals(change: Callable[[Answered], object], *statuses: int) -> Wrapper:
    """Says something else in errors of v3."""

    def apply(asked: Asked, answered: Answered) -> Answered:
        is_one = asked.path.startswith("/v3/") and answered.status in (statuses or (400, 403, 404))
        return answered.saying(change(answered)) if is_one and isinstance(answered.json, dict) else answered

    return defect(answer=apply)


def with_type(kind: str) -> Wrapper:
    """Errors of another content type."""

    def apply(_: Asked, answered: Answered) -> Answered:
        headers = {**answered.headers, "content-type": kind}
        return replace(answered, headers=headers) if answered.status == 400 else answered

    return defect(answer=apply)


def larger(least: int, instead: str) -> Change:
    """A picture file from so many characters of base64 on is taken for a small one."""
    return lambda found: instead if isinstance(found, str) and len(found) >= least else found


def cut_to(text: object) -> object:
    """Base64 without what follows a star, as a lax reader takes it."""
    return sources.drawn(64, 64) if isinstance(text, str) and "*" in text else text


def loose(asked: Asked) -> Asked:
    """NaN, as a lax reader of JSON takes it."""
    return replace(asked, body=asked.body.replace(b": NaN", b": 7")) if asked.path == "/v3/async/txt2img" else asked


def with_upload(asked: Asked) -> Asked:
    """A server that knows uploaded pictures."""
    body = asked.json if asked.path == IMG2IMG else None
    request = body.get("request") if isinstance(body, dict) else None
    if isinstance(body, dict) and isinstance(request, dict) and request.pop("image_assets_id", None):
        return asked.saying({**body, "request": {**request, "image_base64": SMALL}})
    return asked


def turned(strength: object) -> object:
    """A strength the wrong way round."""
    return 1 - strength if isinstance(strength, float) or (strength == 1 and strength is not True) else strength


def faceless(answered: Answered) -> object:
    """Another tool's reason for what is no picture."""
    reason = answered.json.get("reason")
    return {**answered.json, "reason": "IMAGE_NO_FACE_DETECTED" if reason == "INVALID_IMAGE_FORMAT" else reason}


def broken_by(statuses: Callable[[Asked, Answered], int | None]) -> Wrapper:
    """Answers some requests with another status and the same body."""
    return defect(answer=lambda asked, answered: replace(answered, status=statuses(asked, answered) or answered.status))


REQUEST, UNIT, ADAPTER = ("request",), ("request", "controlnet", "units", 0), ("request", "ip_adapters", 0)
SMALL = sources.drawn(64, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One defect and the requirement that it breaks."""

    broken: str
    what: str
    between: Wrapper
    also: tuple[str, ...] = ()
    """Requirements whose sentence the same defect breaks as well."""


def _case(broken: str, what: str, between: Wrapper, *also: str) -> Case:
    return Case(broken=broken, what=what, between=between, also=also)


CASES = (
    _case("V3-IMG2IMG-001", "long prompts", read_as(*REQUEST, "prompt", change=reading("x" * 1024, ""))),
    _case("V3-IMG2IMG-002", "no strength of null", read_as(*REQUEST, "strength", change=reading(None, "none"))),
    _case("V3-IMG2IMG-003", "no sampler needed", read_as(*REQUEST, "sampler_name", change=reading(GONE, "Euler a"))),
    _case("V3-IMG2IMG-005", "12 layers", read_as(*REQUEST, "clip_skip", change=reading(12, 13))),
    _case("V3-IMG2IMG-007", "blanks go", read_as(*REQUEST, "sampler_name", change=reading("Euler a ", "Euler a"))),
    _case("V3-IMG2IMG-008", "an empty prompt", read_as(*REQUEST, "prompt", change=reading("", "nothing"))),
    _case("V3-IMG2IMG-010", "a strength of 1.01", read_as(*REQUEST, "strength", change=reading(1.01, 1))),
    _case(
        "V3-IMG2IMG-011",
        "six LoRAs",
        read_as(*REQUEST, "loras", change=lambda found: found[:5] if isinstance(found, list) and found[5:] else found),
    ),
    _case("V3-IMG2IMG-016", "lax base64", read_as(*REQUEST, "image_base64", change=cut_to)),
    _case("V3-IMG2IMG-017", "files of any size", read_as(*REQUEST, "image_base64", change=larger(13_900_000, SMALL))),
    _case("V3-IMG2IMG-019", "5 MB", read_as(*REQUEST, "image_base64", change=larger(7_000_000, ""))),
    _case("V3-IMG2IMG-021", "uploads", defect(request=with_upload)),
    _case("V3-IMG2IMG-023", "the source's size", read_as(*REQUEST, "width", change=reading(200, 256))),
    _case("V3-IMG2IMG-024", "no strength", read_as(*REQUEST, "strength", change=reading(1, 0.05)), "V3-IMG2IMG-025"),
    _case("V3-IMG2IMG-025", "1 less strength", read_as(*REQUEST, "strength", change=turned), "V3-IMG2IMG-024"),
    _case("V3-CONTROL-001", "a start", read_as(*UNIT, "guidance_start", change=reading(0, "0"))),
    _case("V3-CONTROL-002", "no tiles", read_as(*UNIT, "model_name", change=reading("control_v11f1e_sd15_tile", "x"))),
    _case("V3-CONTROL-003", "a share of 1.01", read_as(*UNIT, "guidance_end", change=reading(1.01, 1))),
    _case("V3-CONTROL-006", "a weight in a string", read_as(*ADAPTER, "strength", change=text_is(1))),
    _case("V3-CONTROL-009", "lax base64", read_as(*UNIT, "image_base64", change=cut_to)),
    _case(
        "V3-CONTROL-012",
        "two prompts",
        read_as(*REQUEST, "ip_adapters", change=lambda found: found[:1] if isinstance(found, list) else found),
    ),
    _case("V3-ERROR-001", "text/plain", with_type("text/plain")),
    _case("V3-ERROR-001", "no message", refusals(lambda answered: {**answered.json, "message": ""})),
    _case("V3-ERROR-002", "code 1", refusals(lambda answered: {**answered.json, "code": 1})),
    _case("V3-ERROR-003", "FORBIDDEN", refusals(lambda answered: {**answered.json, "reason": "FORBIDDEN"}, 403)),
    _case("V3-ERROR-004", "numbers", refusals(lambda answered: {**answered.json, "metadata": {"left": 1}})),
    _case("V3-ERROR-009", "an id", refusals(lambda answered: {**answered.json, "data": {"task_id": "1"}}, 404)),
    _case("V3-ERROR-016", "faces", refusals(faceless), "V3-ERROR-010"),
    _case(
        "V3-ERROR-008",
        "DELETE",
        broken_by(lambda asked, _: 204 if asked.method == "DELETE" else None),
    ),
    _case("ROBUST-002", "2.0 is 500", broken_by(lambda asked, _: 500 if b'"steps": 4.0' in asked.body else None)),
    _case("ROBUST-003", "deep lists", broken_by(lambda asked, _: 413 if asked.body[:9] == b"[" * 9 else None)),
    _case("ROBUST-006", "NaN", defect(request=loose)),
    _case("ROBUST-010", "an empty id", broken_by(lambda asked, _: 422 if asked.query == b"task_id=" else None)),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.broken}: {case.what}")
def test_a_defect_turns_its_requirement_red_and_no_other(case: Case) -> None:
    names = [check.requirement for check in load_checks() if _of(check.requirement) == _of(case.broken)]
    chosen = [name for name in names if name == case.broken or name not in SLOW]
    result = judge(chosen, transport=case.between)
    assert of_verdict(result, Verdict.FAIL, Verdict.ERROR, Verdict.UNSTABLE) <= {case.broken, *case.also}, not_green(
        result
    )
    assert result.outcomes[case.broken].verdict is Verdict.FAIL
    assert of_verdict(result, Verdict.UNTESTABLE) == set(), not_green(result)


def test_what_only_should_be_is_a_warning() -> None:
    ignored = read_as("request", "strength", change=reading(0, 0.9))
    found = judge(["V3-IMG2IMG-026"], transport=ignored).outcomes["V3-IMG2IMG-026"]
    assert found.verdict is Verdict.WARN
    assert "PSNR" in found.actual


def test_another_status_is_no_tolerated_answer() -> None:
    said = {"code": 422, "reason": "INVALID_REQUEST_BODY", "message": "clip_skip"}
    odd = defect(answer=lambda asked, found: found.saying(said, 422) if b'"clip_skip": 0' in asked.body else found)
    assert of_verdict(judge(["V3-IMG2IMG-012"], transport=odd), Verdict.FAIL) == {"V3-IMG2IMG-012"}


def _of(requirement: str) -> str:
    return requirement.rpartition("-")[0]
