"""Checks of keys, submits, text to image and delivery options: green against the mock, red for one defect each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest

from conformance.fields import fields_in
from conformance.names import Names
from conformance.registry import load_checks
from conformance.verdict import Verdict
from openapi.document import Document
from openapi.requirements import load_requirements
from tests.conformance.harness import KEY, SECOND_KEY, Answered, Asked, Wrapper, defect, judge, not_green, of_verdict

AREAS = ("V3-AUTH", "V3-SUBMIT", "V3-TXT2IMG", "V3-EXTRA")
SUBMITS = ("/v3/async/txt2img", "/v3/async/img2img")
ONE_ID = str(UUID(int=0x4000_8000_0000_0000_0001))

Answer = Callable[[Asked, Answered], Answered]


def test_every_observable_requirement_has_a_check() -> None:
    registry = load_checks()
    rows = [row for row in load_requirements() if row.id.startswith(AREAS)]
    assert [row.id for row in rows if row.observable and row.id not in registry] == []


def test_the_lenient_mock_is_green_and_cheap() -> None:
    result = judge(AREAS)
    assert not_green(result) == {}
    assert result.spent.images <= 10


def test_the_strict_mock_does_nothing_in_the_tolerated_way() -> None:
    result = judge(AREAS, strict=True)
    # The strict mock refuses parameters that no page names; see docs/contradictions.md, C28.
    assert set(not_green(result)) <= {"V3-SUBMIT-012"}
    assert of_verdict(result, Verdict.WARN) == set()


def test_a_value_is_known_for_each_optional_field(document: Document) -> None:
    from conformance.checks.txt2img_v3 import optional_values

    names = Names(checkpoint="a", checkpoint_in_api="a", vae="b", lora="c", embedding="d")
    fields = fields_in(document, "createTxt2imgTask").values()
    optional = {field.path[1] for field in fields if field.path[:-1] == ("request",) and not field.required}
    assert optional_values(names).keys() == optional


def submitted(answer: Answer) -> Wrapper:
    """Changes the answers of accepted submits."""

    def change(asked: Asked, answered: Answered) -> Answered:
        is_one = asked.path in SUBMITS and answered.status == 200
        return answer(asked, answered) if is_one else answered

    return defect(answer=change)


def keyless(answer: Answer, *statuses: int) -> Wrapper:
    """Changes the answers of v3 calls with one of some statuses."""

    def change(asked: Asked, answered: Answered) -> Answered:
        return answer(asked, answered) if asked.path.startswith("/v3/") and answered.status in statuses else answered

    return defect(answer=change)


def taken(*path: str | int, when: Callable[[Any], bool], instead: Any) -> Wrapper:
    """A server that takes a wrong value of a field, as if it were a right one."""

    def change(asked: Asked) -> Asked:
        body = asked.json
        holder = body
        for step in path[:-1]:
            try:
                holder = holder[step]
            except (KeyError, IndexError, TypeError):
                return asked
        if not isinstance(holder, dict) or path[-1] not in holder or not when(holder[path[-1]]):
            return asked
        holder[path[-1]] = instead
        return asked.saying(body)

    return defect(request=change)


def not_taken(*path: str | int, when: Callable[[Any], bool]) -> Wrapper:
    """A server that refuses a right value of a field."""
    return taken(*path, when=when, instead={"never": "right"})


def dropped(*path: str) -> Wrapper:
    """A server to which a missing field is no trouble: the mock gets a right one."""
    values: dict[str, Any] = {"steps": 4, "strength": 0.5}

    def change(asked: Asked) -> Asked:
        body = asked.json
        holder = body
        for step in path[:-1]:
            holder = holder.get(step) if isinstance(holder, dict) else None
        if asked.path != SUBMITS[0] or not isinstance(holder, dict) or path[-1] in holder:
            return asked
        holder[path[-1]] = values[path[-1]]
        return asked.saying(body)

    return defect(request=change)


def headed(name: str, change: Callable[[Asked], str]) -> Wrapper:
    """Gives the mock another header than was sent."""
    return defect(request=lambda asked: replace(asked, headers={**asked.headers, name: change(asked)}))


def known(asked: Asked) -> str:
    """The key of the first account in place of that of the second."""
    return asked.headers.get("authorization", "Bearer").replace(SECOND_KEY, KEY)


def wrapped(_: Asked, answered: Answered) -> Answered:
    return answered.saying({"code": 0, "msg": "", "data": answered.json})


def is_text(value: Any) -> bool:
    return isinstance(value, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One defect and the requirement that it breaks."""

    broken: str
    what: str
    between: Wrapper


CASES = (
    Case(
        broken="V3-AUTH-002",
        what="without a key 404",
        between=defect(
            answer=lambda asked, answered: (
                answered.saying({"code": 404, "reason": "NOT_FOUND", "message": "", "metadata": {}}, 404)
                if "authorization" not in asked.headers and asked.path.startswith("/v3/")
                else answered
            )
        ),
    ),
    Case(
        broken="V3-AUTH-003",
        what="a wrong key is served",
        between=headed("authorization", lambda asked: asked.headers.get("authorization", "").replace("invalid", "any")),
    ),
    Case(
        broken="V3-AUTH-004",
        what="another reason",
        between=keyless(lambda _, answered: answered.saying({**answered.json, "reason": "FORBIDDEN"}), 403),
    ),
    Case(broken="V3-AUTH-006", what="tasks of others are shown", between=headed("authorization", known)),
    Case(
        broken="V3-AUTH-007",
        what="the key in a header",
        between=keyless(
            lambda asked, answered: replace(
                answered, headers={**answered.headers, "x-caller": asked.headers.get("authorization", "")}
            ),
            200,
        ),
    ),
    Case(
        broken="V3-SUBMIT-002",
        what="the wrapped answer",
        between=submitted(wrapped),
    ),
    Case(
        broken="V3-SUBMIT-004",
        what="equal bodies, equal ids",
        between=submitted(lambda _, answered: answered.saying({"task_id": ONE_ID})),
    ),
    Case(
        broken="V3-SUBMIT-005",
        what="a link in the answer",
        between=submitted(
            lambda _, answered: answered.saying({**answered.json, "preview": "http://pictures.test/a.png?x=1"})
        ),
    ),
    Case(
        broken="V3-SUBMIT-006",
        what="no charset",
        between=defect(
            answer=lambda asked, answered: (
                answered.saying({"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "", "metadata": {}}, 400)
                if "charset" in asked.headers.get("content-type", "")
                else answered
            )
        ),
    ),
    Case(
        broken="V3-SUBMIT-009",
        what="a list of one body",
        between=defect(
            request=lambda asked: asked.saying(asked.json[0]) if isinstance(asked.json, list) and asked.json else asked
        ),
    ),
    Case(
        broken="V3-SUBMIT-010",
        what="a flat body is taken",
        between=defect(
            request=lambda asked: (
                asked.saying({"request": asked.json})
                if asked.path in SUBMITS and isinstance(asked.json, dict) and "prompt" in asked.json
                else asked
            )
        ),
    ),
    Case(broken="V3-TXT2IMG-003", what="steps may be missing", between=dropped("request", "steps")),
    Case(
        broken="V3-TXT2IMG-004",
        what="a number in a string",
        between=taken("request", "height", when=is_text, instead=128),
    ),
    Case(
        broken="V3-TXT2IMG-005",
        what="a word for a flag",
        between=taken("request", "restore_faces", when=is_text, instead=True),
    ),
    Case(
        broken="V3-TXT2IMG-006",
        what="100 steps are too many",
        between=not_taken("request", "steps", when=lambda value: value == 100),
    ),
    Case(
        broken="V3-TXT2IMG-007",
        what="no UniPC",
        between=not_taken("request", "sampler_name", when=lambda value: value == "UniPC"),
    ),
    Case(
        broken="V3-TXT2IMG-008",
        what="lower case will do",
        between=taken("request", "sampler_name", when=lambda value: value == "euler a", instead="Euler a"),
    ),
    Case(
        broken="V3-TXT2IMG-011",
        what="a width of 127",
        between=taken("request", "width", when=lambda value: value == 127, instead=128),
    ),
    Case(
        broken="V3-TXT2IMG-013",
        what="0 steps",
        between=taken("request", "steps", when=lambda value: value == 0 and value is not False, instead=1),
    ),
    Case(
        broken="V3-TXT2IMG-015",
        what="a strength of 1.01",
        between=taken("request", "loras", 0, "strength", when=lambda value: value == 1.01, instead=1),
    ),
    Case(broken="V3-TXT2IMG-017", what="strength may be missing", between=dropped("request", "hires_fix", "strength")),
    Case(
        broken="V3-TXT2IMG-018",
        what="a side of 4097",
        between=taken("request", "hires_fix", "target_width", when=lambda value: value == 4097, instead=4096),
    ),
    Case(
        broken="V3-EXTRA-002",
        what="a level in a string",
        between=taken("extra", "nsfw_detection_level", when=is_text, instead=0),
    ),
    Case(
        broken="V3-EXTRA-004",
        what="no webp",
        between=not_taken("extra", "response_image_type", when=lambda value: value == "webp"),
    ),
    Case(
        broken="V3-EXTRA-005",
        what="jpg is jpeg",
        between=taken("extra", "response_image_type", when=lambda value: value == "jpg", instead="jpeg"),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.broken}: {case.what}")
def test_a_defect_turns_its_requirement_red_and_no_other(case: Case) -> None:
    own = case.broken.rpartition("-")[0]
    result = judge({"V3-SUBMIT", own}, transport=case.between)
    assert of_verdict(result, Verdict.FAIL, Verdict.ERROR, Verdict.UNSTABLE) == {case.broken}, not_green(result)
    assert of_verdict(result, Verdict.UNTESTABLE) == set(), not_green(result)


def test_the_wrapped_answer_is_named() -> None:
    found = judge(["V3-SUBMIT-002"], transport=submitted(wrapped)).outcomes["V3-SUBMIT-002"]
    assert found.actual == "status 200 with the id in data.task_id, the wrapped answer of v2 (C1)"


def test_a_401_for_the_key_is_tolerated_and_a_202_for_a_submit() -> None:
    unauthorized = keyless(lambda _, answered: replace(answered, status=401), 403)
    assert of_verdict(judge(["V3-AUTH"], transport=unauthorized), Verdict.WARN) == {"V3-AUTH-002", "V3-AUTH-003"}
    later = submitted(lambda _, answered: replace(answered, status=202))
    assert of_verdict(judge(AREAS, transport=later), Verdict.FAIL) == set()
    assert "V3-SUBMIT-001" in of_verdict(judge(["V3-SUBMIT"], transport=later), Verdict.WARN)
