"""novita-client 0.5.7, unmodified, against the v2 operations of the mock."""

from __future__ import annotations

import pytest

from tests.clients.environments import PYTHON_V2
from tests.clients.harness import Driver, Session
from tests.clients.judging import check_one_task, check_parameters, mean_colour, receipts, s3_error

pytestmark = pytest.mark.clients


@pytest.fixture
def driver() -> Driver:
    return Driver(environment=PYTHON_V2, name="python_v2")


def test_txt2img_gives_batch_size_times_n_iter_pictures(session: Session) -> None:
    """Two runs of two pictures: four PNG files of the asked size, made with the asked seed."""
    report = session.run("txt2img")
    assert (report["code"], report["status"]) == ("NORMAL", "SUCCESSFUL")
    assert report["failed_reason"] == ""
    assert all(link.startswith(session.uri + "/") for link in report["links"])
    found = receipts(session.folder, report["files"], form="PNG", size=(384, 256))
    check_one_task(found, count=4, seed=4242)
    assert report["polls"][-1]["progress"] == 1


def test_the_clients_own_defaults_are_accepted(session: Session) -> None:
    """Nulls, an undeclared field and the checkpoint that the client names by default give one picture."""
    report = session.run("txt2img-defaults")
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(512, 512)), count=1)


def test_img2img_keeps_what_the_mask_protects(session: Session) -> None:
    """The right half lies outside the mask and stays cold."""
    report = session.run("img2img")
    (name,) = report["files"]
    check_one_task(receipts(session.folder, [name], form="PNG", size=(512, 512)), count=1, seed=7)
    red, _, blue = mean_colour(session.folder / name, left=False)
    assert blue > red + 50


def test_a_control_unit_takes_part_in_the_picture(session: Session) -> None:
    """The client's enums arrive as the documented strings and numbers."""
    report = session.run("controlnet")
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(512, 512)), count=1, seed=8)
    check_parameters(session.folder, report["files"], "control_v11p_sd15_canny", "My prompt is more important")


def test_the_hires_pass_doubles_the_size(session: Session) -> None:
    """enable_hr with the client's hr_scale of 2 turns 384 x 256 into 768 x 512."""
    report = session.run("hires")
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(768, 512)), count=1, seed=9)


def test_a_lora_tag_in_the_prompt_takes_part_in_the_picture(session: Session) -> None:
    """The client's helper writes the tag; the server takes it as a LoRA."""
    report = session.run("loras")
    assert report["prompt"] == "a cup of tea, <lora:add_detail_44319:0.6>"
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(512, 512)), count=1, seed=10)
    check_parameters(session.folder, report["files"], "Lora hashes", "add_detail_44319")


def test_progress_shows_previews_verdicts_and_times(session: Session) -> None:
    """Polls by hand: the status words come in order and the extras that were asked for are filled."""
    report = session.run("progress")
    assert report["code"] == "NORMAL"
    words = [poll["status"] for poll in report["polls"]]
    order = ["INITIALIZING", "RUNNING", "SUCCESSFUL"]
    assert [order.index(word) for word in words] == sorted(order.index(word) for word in words)
    assert words[-1] == "SUCCESSFUL"
    assert any(preview > 0 for poll in report["polls"] for preview in poll["previews"])
    assert len(report["verdicts"]) == 1
    assert 0 <= report["verdicts"][0]["confidence"] <= 100
    assert all(len(time) == len("2026-01-01 00:00:00") for time in report["times"])


def test_the_client_takes_the_error_page_of_an_expired_link_for_the_picture(session: Session) -> None:
    """v2 links live a week; after it the client hands S3's XML over as image bytes."""
    report = session.run("expired-link", meanwhile=lambda _: session.advance(604_801))
    assert s3_error((session.folder / report["files"][0]).read_bytes()) == ("AccessDenied", "Request has expired")


class TestWithARefusedKey:
    @pytest.fixture
    def key(self) -> str:
        return "sk-mock-invalid"

    def test_the_code_is_in_the_answer_and_in_the_error(self, session: Session) -> None:
        """HTTP 200 with code 4: the raw call returns it, the waiting call raises with it."""
        report = session.run("refused-key")
        assert report["progress"]["code"] == "INVALID_AUTH"
        assert report["progress"]["has_data"] is False
        assert report["submit"]["error"] == "NovitaResponseError"
        assert "INVALID_AUTH" in report["submit"]["text"]


def test_an_unknown_task_has_code_3_and_no_data(session: Session) -> None:
    """The raw poll returns the code; the client's waiting loop reads past the missing data and falls over."""
    report = session.run("unknown-task")
    assert report["progress"]["code"] == "TASK_ID_NOT_EXISTS"
    assert report["progress"]["has_data"] is False
    assert report["wait"]["error"] == "AttributeError"


def test_each_bad_request_has_its_own_code(session: Session) -> None:
    """51 steps, an unknown checkpoint, and a sampler name that only the client's list has."""
    report = session.run("bad-requests")
    assert {name: refusal["code"] for name, refusal in report.items()} == {
        "steps": "PARAM_RANGE_ERROR",
        "model": "MODEL_NOT_EXISTS",
        "sampler": "SAMPLER_NOT_EXISTS",
    }
    assert not any(refusal["has_data"] for refusal in report.values())
    assert all(refusal["msg"] for refusal in report.values())


def test_the_v2_model_list_is_outside_the_contract(session: Session) -> None:
    """/v2/models answers 404; the v3 list works from this version too."""
    report = session.run("models")
    assert report["v2"] == {"error": "NovitaResponseError", "text": "Request failed with status 404"}
    assert len(set(report["walk"])) == len(report["walk"]) > 7
