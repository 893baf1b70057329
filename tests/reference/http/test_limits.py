"""Pictures per minute."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reference.http.conftest import MakeFront
from tests.reference.http.front import SEPARATE, Front
from tests.reference.submissions.bodies import img2img, txt2img, txt2img_v2

SMALL: dict[str, Any] = {"width": 128, "height": 128, "steps": 1}


def status(front: Front, pictures: int, path: str = "/v3/async/txt2img", **options: Any) -> int:
    body = img2img(**SMALL, image_num=pictures) if "img2img" in path else txt2img(**SMALL, image_num=pictures)
    return front.call("POST", path, json=body, **options).status_code


@pytest.fixture
def limited(make_front: MakeFront) -> Front:
    return make_front(pictures_per_minute=0)


def test_the_documented_numbers_are_accepted_in_a_minute(limited: Front) -> None:
    """V3-LIMIT-001 to 003."""
    assert [status(limited, 8), status(limited, 8), status(limited, 5), status(limited, 4), status(limited, 1)] == [
        *(200, 200, 429),
        *(200, 429),
    ]
    assert [status(limited, 8, "/v3/async/img2img"), status(limited, 3, "/v3/async/img2img")] == [200, 429]


def test_a_minute_later_there_is_room_again(limited: Front) -> None:
    """V3-LIMIT-005."""
    assert status(limited, 8) == 200
    limited.clock.advance(30)
    assert [status(limited, 8), status(limited, 8)] == [200, 429]
    limited.clock.advance(31)
    assert [status(limited, 8), status(limited, 8)] == [200, 429]


def test_the_answer_says_how_long_to_wait(limited: Front) -> None:
    assert [status(limited, 8), status(limited, 8)] == [200, 200]
    limited.clock.advance(45)
    answer = limited.call("POST", "/v3/async/txt2img", json=txt2img(**SMALL, image_num=8))
    assert answer.json()["reason"] == "RATE_LIMIT_EXCEEDED"
    assert answer.json()["message"].startswith("at most 20 pictures in a minute; try again in ")
    assert int(answer.headers["retry-after"]) in range(14, 17)


def test_accounts_operations_and_refusals_do_not_count_for_each_other(limited: Front) -> None:
    assert [status(limited, 8), status(limited, 8)] == [200, 200]
    assert status(limited, 8, key=SEPARATE) == 200
    assert status(limited, 8, "/v3/async/img2img") == 200
    assert limited.call("POST", "/v3/async/txt2img", json=txt2img(steps=0)).status_code == 400
    assert status(limited, 4) == 200


def test_reading_and_v2_have_no_limit(limited: Front) -> None:
    """V3-LIMIT-004."""
    task_id = limited.submit("/v3/async/txt2img", txt2img(**SMALL, image_num=8))
    for _ in range(4):
        limited.submit("/v2/txt2img", txt2img_v2(**SMALL, batch_size=8))
    assert {limited.result(task_id)["task"]["task_id"] for _ in range(30)} == {task_id}


def test_a_number_of_ones_own_holds_for_every_operation_with_a_limit(make_front: MakeFront) -> None:
    front = make_front(pictures_per_minute=3)
    assert [status(front, 4), status(front, 3), status(front, 1)] == [429, 200, 429]
    assert [status(front, 3, "/v3/async/img2img"), status(front, 1, "/v3/async/img2img")] == [200, 429]


def test_without_being_asked_for_there_is_no_limit(lenient: Front) -> None:
    assert {status(lenient, 8) for _ in range(6)} == {200}
