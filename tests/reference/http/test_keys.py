from __future__ import annotations

import pytest

from tests.reference.http.conftest import MakeFront
from tests.reference.http.front import KEY, SEPARATE, Front
from tests.reference.submissions.bodies import txt2img, txt2img_v2

V3, V2 = "/v3/model", "/v2/progress?task_id=x"


def served(front: Front, path: str, headers: dict[str, str]) -> bool:
    answer = front.call("GET", path, headers=headers, key=None)
    if path == V2:
        assert answer.status_code == 200
        return bool(answer.json()["code"] != 4)
    assert answer.status_code in (200, 403)
    return answer.status_code == 200


@pytest.mark.parametrize("path", [V3, V2])
@pytest.mark.parametrize("spelling", ["Bearer", "bearer", "BEARER  "])
def test_the_documented_form_of_a_key_is_served(strict: Front, path: str, spelling: str) -> None:
    """V3-AUTH-001."""
    assert served(strict, path, {"Authorization": f"{spelling} {KEY}"})


@pytest.mark.parametrize(
    ("path", "headers"),
    [(V3, {"Authorization": KEY}), (V2, {"Authorization": KEY}), (V2, {"X-Omni-Key": KEY})],
)
def test_other_forms_are_served_by_a_lenient_server_alone(
    make_front: MakeFront, path: str, headers: dict[str, str]
) -> None:
    """V3-AUTH-008, V2-SUBMIT-010."""
    assert served(make_front(), path, headers)


@pytest.mark.parametrize(
    ("path", "headers"),
    [(V3, {"Authorization": KEY}), (V2, {"Authorization": KEY}), (V2, {"X-Omni-Key": KEY})],
)
def test_a_strict_server_answers_other_forms_as_a_missing_key(
    strict: Front, path: str, headers: dict[str, str]
) -> None:
    assert not served(strict, path, headers)


@pytest.mark.parametrize("path", [V3, V2])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer a b"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Token {KEY}"},
    ],
)
def test_what_is_no_key_is_not_served(lenient: Front, path: str, headers: dict[str, str]) -> None:
    assert not served(lenient, path, headers)


def test_the_header_of_old_clients_is_not_served_on_v3(lenient: Front) -> None:
    assert not served(lenient, V3, {"X-Omni-Key": KEY})


def test_only_keys_of_the_server_are_served_when_it_has_some(make_front: MakeFront) -> None:
    """V3-AUTH-003, V2-CODE-008."""
    front = make_front(api_keys=(KEY,))
    assert served(front, V3, {"Authorization": f"Bearer {KEY}"})
    assert not served(front, V3, {"Authorization": f"Bearer {SEPARATE}"})
    assert not served(front, V2, {"Authorization": f"Bearer {SEPARATE}"})


def test_the_key_is_judged_before_the_body(lenient: Front) -> None:
    """V3-AUTH-005."""
    answer = lenient.call("POST", "/v3/async/txt2img", content=b"{", key=None)
    assert (answer.status_code, answer.json()["reason"]) == (403, "INVALID_API_KEY")


def test_a_task_of_another_account_is_an_unknown_one(lenient: Front) -> None:
    """V3-AUTH-006, V2-PROGRESS-016."""
    task_id = lenient.submit("/v3/async/txt2img", txt2img(width=128, height=128))
    other = lenient.call("GET", "/v3/async/task-result", params={"task_id": task_id}, key=SEPARATE)
    assert (other.status_code, other.json()["reason"]) == (404, "TASK_NOT_FOUND")
    task_id = lenient.submit("/v2/txt2img", txt2img_v2(width=128, height=128))
    other = lenient.call("GET", "/v2/progress", params={"task_id": task_id}, key=SEPARATE)
    assert other.json() == {"code": 3, "msg": "no task of this account has this id", "data": None}
