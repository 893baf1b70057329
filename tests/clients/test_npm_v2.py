"""novita-sdk 1.1.0, the last version with the v2 calls, unmodified, against the mock."""

from __future__ import annotations

import pytest

from tests.clients.environments import NPM_V2
from tests.clients.harness import Driver, Session
from tests.clients.judging import check_one_task, check_parameters, mean_colour, receipts, s3_error

pytestmark = pytest.mark.clients


@pytest.fixture
def driver() -> Driver:
    return Driver(environment=NPM_V2, name="npm_v2")


def test_txt2img_sync_gives_batch_size_times_n_iter_pictures(session: Session) -> None:
    """The client submits, polls on its timer, downloads, and wraps each file in a data URI with the served type."""
    report = session.run("txt2img")
    assert report["content_types"] == ["image/png"] * 4
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(384, 256)), count=4, seed=4242)


def test_img2img_sync_keeps_what_the_mask_protects(session: Session) -> None:
    """The right half lies outside the mask and stays cold."""
    report = session.run("img2img")
    (name,) = report["files"]
    check_one_task(receipts(session.folder, [name], form="PNG", size=(512, 512)), count=1, seed=7)
    red, _, blue = mean_colour(session.folder / name, left=False)
    assert blue > red + 50


def test_a_control_unit_takes_part_in_the_picture(session: Session) -> None:
    """A unit as the client's typings describe it."""
    report = session.run("controlnet")
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(384, 256)), count=1, seed=8)
    check_parameters(session.folder, report["files"], "control_v11p_sd15_canny", "My prompt is more important")


def test_the_hires_pass_gives_the_target_size(session: Session) -> None:
    """hr_resize_x and hr_resize_y decide."""
    report = session.run("hires")
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(768, 512)), count=1, seed=9)


def test_the_clients_lora_list_becomes_a_tag_that_takes_part_in_the_picture(session: Session) -> None:
    """The client appends the tag to the prompt of the object that it was given."""
    report = session.run("loras")
    assert report["prompt"].endswith(", <lora:add_detail_44319:0.6>")
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(384, 256)), count=1, seed=10)
    check_parameters(session.folder, report["files"], "Lora hashes", "add_detail_44319")


def test_progress_by_hand_ends_with_links(session: Session) -> None:
    """Status numbers rise to 2, progress to 1, and the links need no key."""
    report = session.run("progress")
    numbers = [poll["status"] for poll in report["polls"]]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 2
    shares = [poll["progress"] for poll in report["polls"]]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert report["statuses"] == [200]
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(384, 256)), count=1, seed=4242)


def test_the_v3_calls_of_this_version_work_too(session: Session) -> None:
    """Submission, polls and download through the V3-named calls."""
    report = session.run("v3")
    assert report["status"] == "TASK_STATUS_SUCCEED"
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(384, 256)), count=1, seed=4242)


def test_an_expired_link_is_a_403_with_xml(session: Session) -> None:
    """v2 links live a week; after it a fetch sees S3's answer."""
    report = session.run("expired-link", meanwhile=lambda _: session.advance(604_801))
    assert report["statuses"] == [403]
    assert s3_error((session.folder / report["files"][0]).read_bytes()) == ("AccessDenied", "Request has expired")


class TestWithARefusedKey:
    @pytest.fixture
    def key(self) -> str:
        return "sk-mock-invalid"

    def test_v2_calls_fail_with_code_4_and_the_v3_call_with_its_reason(self, session: Session) -> None:
        """v2 has only a code and a text; INVALID_API_KEY is named where the client keeps a reason."""
        report = session.run("refused-key")
        for call in ("submit", "sync", "poll"):
            assert report[call]["isNovitaError"] is True
            assert report[call]["code"] == 4
            assert report[call]["text"]
        assert (report["v3"]["code"], report["v3"]["reason"]) == (403, "INVALID_API_KEY")


def test_an_unknown_task_has_code_3(session: Session) -> None:
    """The client adds the id that was asked for to the error's metadata; null data does not disturb it."""
    error = session.run("unknown-task")
    assert error["isNovitaError"] is True
    assert error["code"] == 3
    assert error["metadata"] == {"task_id": "00000000-0000-4000-8000-000000000000"}


def test_each_bad_request_has_its_own_code(session: Session) -> None:
    """51 steps, an unknown checkpoint, an unknown sampler."""
    report = session.run("bad-requests")
    assert {name: error["code"] for name, error in report.items()} == {"steps": 6, "model": 2, "sampler": 8}


def test_the_v2_model_list_is_outside_the_contract(session: Session) -> None:
    """/v2/models answers 404, of which this client keeps only the words of an object turned into text."""
    error = session.run("models")
    assert error["error"] == "Error"
    assert error["text"] == "[object Object]"
