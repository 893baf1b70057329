"""novita-sdk 3.1.3 (v3 only), unmodified, against the mock. It sends the key without the word Bearer."""

from __future__ import annotations

import pytest

from tests.clients.environments import NPM_V3
from tests.clients.harness import Driver, Session
from tests.clients.judging import check_links, check_one_task, check_parameters, receipts, s3_error

pytestmark = pytest.mark.clients


@pytest.fixture
def driver() -> Driver:
    return Driver(environment=NPM_V3, name="npm_v3")


def test_txt2img_submits_polls_and_downloads_what_was_asked_for(session: Session) -> None:
    """Two pictures of the asked size arrive; the format left open is PNG; the seed comes back as digits."""
    report = session.run("txt2img")
    assert report["status"] == "TASK_STATUS_SUCCEED"
    assert report["task_type"] == "TXT_TO_IMG"
    assert report["seed"] == "4242"
    assert report["statuses"] == [200, 200]
    assert report["verdicts"] == [None, None]
    check_links(report["links"], session.uri, report["task_id"], ttl_s=3600)
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(512, 384)), count=2, seed=4242)
    assert all(isinstance(poll["percent"], int | float) for poll in report["polls"])


def test_img2img_takes_bare_base64(session: Session) -> None:
    """The source goes in as the typings say; the result has the asked size and format."""
    report = session.run("img2img")
    assert report["task_type"] == "IMG_TO_IMG"
    check_one_task(receipts(session.folder, report["files"], form="JPEG", size=(512, 512)), count=1, seed=7)


def test_a_control_unit_takes_part_in_the_picture(session: Session) -> None:
    """A unit as the client's typings describe it, and a WebP picture."""
    report = session.run("controlnet")
    check_one_task(receipts(session.folder, report["files"], form="WEBP", size=(512, 384)), count=1, seed=8)
    check_parameters(session.folder, report["files"], "ControlNet 0", "control_v11p_sd15_canny", "Module: canny")


def test_hires_fix_gives_the_target_size(session: Session) -> None:
    """A 384 x 256 draft with a 768 x 512 target arrives as 768 x 512."""
    report = session.run("hires")
    check_one_task(receipts(session.folder, report["files"], form="WEBP", size=(768, 512)), count=1, seed=9)


def test_loras_and_embeddings_take_part_in_the_picture(session: Session) -> None:
    """A LoRA and an embedding as the typings describe them."""
    report = session.run("loras")
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(512, 384)), count=1, seed=10)
    check_parameters(session.folder, report["files"], "<lora:add_detail_44319:0.6>", "badhandv4_16755")


def test_nsfw_results_are_complete(session: Session) -> None:
    """With detection on, the picture carries both parts of its verdict."""
    (verdict,) = session.run("nsfw")["verdicts"]
    assert isinstance(verdict["valid"], bool)
    assert 0 <= verdict["confidence"] <= 100


def test_paging_yields_every_model_once(session: Session) -> None:
    """Following next_cursor ends and sees no model twice, in the typed (nested) form of the query and in a flat one."""
    report = session.run("models")
    flat = [model for page in report["flat"] for model in page]
    assert len(set(flat)) == len(flat) > 7
    assert report["nested"] == report["flat"]
    assert set(report["lora_kinds"]) == {"lora", "locon"}  # a locon is used as a LoRA


def test_an_expired_link_is_a_403_with_xml(session: Session) -> None:
    """The client has no download of its own: the caller's fetch sees S3's answer."""
    report = session.run("expired-link", meanwhile=lambda _: session.advance(3601))
    assert report["statuses"] == [403]
    assert s3_error((session.folder / report["files"][0]).read_bytes()) == ("AccessDenied", "Request has expired")


class TestWithARefusedKey:
    @pytest.fixture
    def key(self) -> str:
        return "sk-mock-invalid"

    def test_every_call_fails_with_code_and_reason(self, session: Session) -> None:
        """Submission, poll and model list reject with a NovitaError that names INVALID_API_KEY."""
        report = session.run("refused-key")
        for call in ("submit", "poll", "models"):
            assert report[call]["isNovitaError"] is True
            assert (report[call]["code"], report[call]["reason"]) == (403, "INVALID_API_KEY")
            assert report[call]["text"]


def test_an_unknown_task_is_a_404_with_its_reason(session: Session) -> None:
    """The client adds the id that was asked for to the error's metadata."""
    error = session.run("unknown-task")
    assert (error["code"], error["reason"]) == (404, "TASK_NOT_FOUND")
    assert error["metadata"]["task_id"] == "00000000-0000-4000-8000-000000000000"


def test_a_value_out_of_range_is_refused_with_its_reason(session: Session) -> None:
    """101 steps: 400 INVALID_REQUEST_BODY with a message for the reader."""
    error = session.run("bad-request")
    assert (error["code"], error["reason"]) == (400, "INVALID_REQUEST_BODY")
    assert "steps" in error["text"]
