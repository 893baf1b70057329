"""novita-client 0.7.1 (v3 only), unmodified, against the mock; 0.5.7 plays the calls that both have."""

from __future__ import annotations

import pytest

from tests.clients.environments import PYTHON_V2, PYTHON_V3
from tests.clients.harness import Driver, Session
from tests.clients.judging import check_links, check_one_task, check_parameters, mean_colour, receipts, s3_error

pytestmark = pytest.mark.clients

NEW = Driver(environment=PYTHON_V3, name="python_v3")
OLD = Driver(environment=PYTHON_V2, name="python_v3")


@pytest.fixture
def driver() -> Driver:
    return NEW


@pytest.mark.parametrize("driver", [NEW, OLD], ids=lambda driver: driver.environment.version)
def test_txt2img_submits_polls_and_downloads_what_was_asked_for(session: Session) -> None:
    """Two pictures of the asked size and format arrive, made with the asked seed."""
    report = session.run("txt2img")
    assert report["status"] == "TASK_STATUS_SUCCEED"
    assert report["task_type"] == "TXT_TO_IMG"
    assert report["seed"] == 4242
    assert report["types"] == ["png", "png"]
    assert report["ttls"] == [3600, 3600]
    check_links(report["links"], session.uri, report["task_id"], ttl_s=3600)
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(512, 384)), count=2, seed=4242)


def test_progress_is_a_number_that_only_grows(session: Session) -> None:
    """Every poll carries a number, the last one 100, and the auto clock ends the task within five polls."""
    polls = session.run("txt2img")["polls"]
    percents = [poll["percent"] for poll in polls]
    assert all(isinstance(percent, int) for percent in percents)
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert 1 <= len(polls) <= 5
    assert polls[-1]["eta"] == 0


def test_the_clients_own_defaults_are_accepted(session: Session) -> None:
    """The body full of nulls and empty objects gives one 512 x 512 JPEG with a seed drawn by the server."""
    report = session.run("txt2img-defaults")
    assert report["types"] == ["jpeg"]
    assert report["seed"] >= 0
    found = receipts(session.folder, report["files"], form="JPEG", size=(512, 512))
    check_one_task(found, count=1, seed=report["seed"])


def test_img2img_shows_its_source_at_a_low_strength(session: Session) -> None:
    """The warm half of the source stays warm, the cold half cold."""
    report = session.run("img2img")
    assert report["task_type"] == "IMG_TO_IMG"
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(512, 512)), count=1, seed=7)
    red, _, blue = mean_colour(session.folder / report["files"][0], left=True)
    assert red > blue
    red, _, blue = mean_colour(session.folder / report["files"][0], left=False)
    assert blue > red


def test_img2img_without_steps_is_accepted(session: Session) -> None:
    """The client writes `steps: null` when its caller names none; the lenient reading takes it."""
    report = session.run("img2img-defaults")
    check_one_task(receipts(session.folder, report["files"], form="JPEG", size=(512, 512)), count=1)


def test_a_control_unit_takes_part_in_the_picture(session: Session) -> None:
    """The control unit of the client's own class arrives with its model, preprocessor and weight."""
    report = session.run("controlnet")
    check_one_task(receipts(session.folder, report["files"], form="WEBP", size=(512, 512)), count=1, seed=8)
    check_parameters(session.folder, report["files"], "ControlNet 0", "control_v11p_sd15_canny", "Module: canny")


def test_hires_fix_gives_the_target_size(session: Session) -> None:
    """A 384 x 256 draft with a 768 x 512 target arrives as 768 x 512."""
    report = session.run("hires")
    check_one_task(receipts(session.folder, report["files"], form="WEBP", size=(768, 512)), count=1, seed=9)


def test_loras_and_embeddings_take_part_in_the_picture(session: Session) -> None:
    """The client's LoRA and embedding classes arrive with name and weight."""
    report = session.run("loras")
    check_one_task(receipts(session.folder, report["files"], form="PNG", size=(512, 512)), count=1, seed=10)
    check_parameters(session.folder, report["files"], "<lora:add_detail_44319:0.6>", "badhandv4_16755")


def test_a_refiner_goes_with_an_sdxl_checkpoint(session: Session) -> None:
    """The refiner object is accepted beside an SDXL checkpoint."""
    report = session.run("refiner")
    check_one_task(receipts(session.folder, report["files"], form="JPEG", size=(768, 768)), count=1, seed=11)
    check_parameters(session.folder, report["files"], "Refiner switch at: 0.7")


def test_nsfw_results_are_complete(session: Session) -> None:
    """With detection on, each picture has a verdict that the client's strict reader takes."""
    report = session.run("nsfw")
    assert report["enabled"] is True
    assert len(report["verdicts"]) == 2
    for verdict in report["verdicts"]:
        assert isinstance(verdict["valid"], bool)
        assert 0 <= verdict["confidence"] <= 100


@pytest.mark.parametrize("driver", [NEW, OLD], ids=lambda driver: driver.environment.version)
def test_paging_yields_every_model_once(session: Session) -> None:
    """The client's walk by hundreds and a walk by sevens see the same models, none twice."""
    report = session.run("models")
    walk, pages = report["walk"], report["pages"]
    assert len(walk) > 7
    assert len(set(walk)) == len(walk)
    assert sorted(model for page in pages for model in page) == sorted(walk)  # the walk asks for private models last
    assert all(len(page) == 7 for page in pages[:-2])
    assert set(report["visibilities"]) == {"public", "private"}
    assert report["available"] >= 1


def test_the_client_takes_the_error_page_of_an_expired_link_for_the_picture(session: Session) -> None:
    """S3 answers 403 with XML; the client looks at no status and hands the XML over as image bytes."""
    report = session.run("expired-link", meanwhile=lambda _: session.advance(3601))
    assert len(report["files"]) == 1
    assert s3_error((session.folder / report["files"][0]).read_bytes()) == ("AccessDenied", "Request has expired")


class TestWithARefusedKey:
    @pytest.fixture
    def key(self) -> str:
        return "sk-mock-invalid"

    def test_the_reason_is_in_the_error_of_a_submission_only(self, session: Session) -> None:
        """The client quotes the body of a refused POST and drops that of a refused GET."""
        report = session.run("refused-key")
        assert report["submit"]["error"] == "NovitaResponseError"
        assert "status 403" in report["submit"]["text"]
        assert "INVALID_API_KEY" in report["submit"]["text"]
        assert report["models"] == {"error": "NovitaResponseError", "text": "Request failed with status 403"}


def test_an_unknown_task_is_a_404(session: Session) -> None:
    """The client raises with the status."""
    assert session.run("unknown-task") == {
        "error": "NovitaResponseError",
        "text": "Request failed with status 404",
    }


def test_a_value_out_of_range_is_refused_with_its_reason(session: Session) -> None:
    """101 steps: 400 INVALID_REQUEST_BODY, quoted in the error."""
    report = session.run("bad-request")
    assert "status 400" in report["text"]
    assert "INVALID_REQUEST_BODY" in report["text"]
