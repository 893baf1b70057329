"""The main job over HTTP: submit, poll, download, in both versions."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from PIL import Image

from mockserver.pictures import decode
from tests.bodies import (
    IMG2IMG,
    IMG2IMG_V2,
    SDXL_CHECKPOINT,
    TXT2IMG,
    TXT2IMG_V2,
    base64_png,
    img2img,
    img2img_v2,
    txt2img,
    txt2img_v2,
)
from tests.conftest import Server


def picture(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_a_submit_answers_the_bare_task_id(server: Server) -> None:
    """C1: the answer holds task_id and nothing else."""
    answer = server.call("POST", TXT2IMG, json=txt2img())

    assert answer.status_code == 200
    assert list(answer.json()) == ["task_id"]
    assert len(answer.json()["task_id"]) == 36


def test_a_task_goes_from_queued_over_processing_to_succeed(server: Server) -> None:
    """Each state is what the plan says at the world's instant."""
    task_id = server.submit(TXT2IMG, txt2img())

    assert server.result(task_id)["task"]["status"] == "TASK_STATUS_QUEUED"
    server.control("POST", "/clock/advance-to-next-event")
    assert server.result(task_id)["task"]["status"] == "TASK_STATUS_PROCESSING"
    server.control("POST", "/clock/advance-to-next-event")
    done = server.result(task_id)
    assert done["task"]["status"] == "TASK_STATUS_SUCCEED"
    assert done["task"]["progress_percent"] == 100
    assert done["task"]["eta"] == 0


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_pictures_have_the_number_size_and_format_asked_for(server: Server, kind: str) -> None:
    """response_image_type, width, height and image_num decide the files."""
    done = server.finished(TXT2IMG, txt2img({"response_image_type": kind}, width=640, height=384, image_num=3))

    assert len(done["images"]) == 3
    for index, image in enumerate(done["images"]):
        answer = server.download(image["image_url"])
        assert image["image_type"] == kind
        assert answer.headers["content-type"] == f"image/{kind}"
        found = picture(answer.content)
        assert found.format == kind.upper()
        assert found.size == (640, 384)
        assert decode(answer.content).index == index


def test_the_same_request_and_seed_give_the_same_bytes(server: Server) -> None:
    """A seed other than -1 repeats the picture; another seed does not."""
    first, second, other = (
        server.download(server.finished(TXT2IMG, txt2img(seed=seed))["images"][0]["image_url"]).content
        for seed in (7, 7, 8)
    )

    assert first == second
    assert first != other


def test_a_random_seed_is_drawn_and_replays_the_picture(server: Server) -> None:
    """C2: the answer never holds -1; asking with the drawn seed gives the same picture."""
    drawn = server.finished(TXT2IMG, txt2img(seed=-1))
    seed = int(drawn["extra"]["seed"])
    replayed = server.finished(TXT2IMG, txt2img(seed=seed))

    assert seed >= 0
    assert (
        server.download(drawn["images"][0]["image_url"]).content
        == server.download(replayed["images"][0]["image_url"]).content
    )


def test_a_seed_beyond_64_bits_comes_back_unchanged(server: Server) -> None:
    """No upper bound of seed is stated: none is imposed, and no digit is lost."""
    seed = 10**30 + 7
    task = server.finished(TXT2IMG, txt2img(seed=5))
    answer = server.call(
        "POST",
        TXT2IMG,
        content=json.dumps(txt2img(seed=seed)).encode(),
        headers={"content-type": "application/json"},
    )
    server.finish_all()
    done = server.result(answer.json()["task_id"])

    assert done["extra"]["seed"] == str(seed)
    assert json.loads(done["extra"]["debug_info"]["request_info"])["seeds"] == [seed]
    assert server.download(done["images"][0]["image_url"]).status_code == 200
    assert task["extra"]["seed"] == "5"


def test_hires_fix_gives_the_target_size(server: Server) -> None:
    """hires_fix.target_width and target_height are the size of the pictures."""
    fix = {"target_width": 1024, "target_height": 768, "strength": 0.5}
    done = server.finished(TXT2IMG, txt2img(hires_fix=fix))

    assert picture(server.download(done["images"][0]["image_url"]).content).size == (1024, 768)


def test_strength_0_keeps_the_source_picture(server: Server) -> None:
    """img2img at strength 0 shows its input, pixel by pixel."""
    source = base64_png(256, 256, (10, 200, 30))
    done = server.finished(IMG2IMG, img2img(image_base64=source, width=256, height=256, strength=0))

    found = picture(server.download(done["images"][0]["image_url"]).content).convert("RGB")
    assert found.getcolors() == [(256 * 256, (10, 200, 30))]
    assert done["task"]["task_type"] == "IMG_TO_IMG"


def test_a_transparent_background_has_alpha(server: Server) -> None:
    """C46: PNG and SDXL give an alpha channel with transparent pixels."""
    done = server.finished(TXT2IMG, txt2img(model_name=SDXL_CHECKPOINT, enable_transparent_background=True))

    alpha = picture(server.download(done["images"][0]["image_url"]).content).getchannel("A").getextrema()
    assert alpha == (0, 255)


def test_a_v2_task_is_read_by_progress(server: Server) -> None:
    """v2: 200 with code 0, data.task_id, then states 0, 1, 2 and plain links."""
    task_id = server.submit(TXT2IMG_V2, txt2img_v2(batch_size=2, n_iter=2))

    assert server.progress(task_id)["data"]["status"] == 0
    server.control("POST", "/clock/advance-to-next-event")
    running = server.progress(task_id)["data"]
    assert running["status"] == 1
    assert running["imgs"] is None
    server.finish_all()
    done = server.progress(task_id)["data"]
    assert done["status"] == 2
    assert done["progress"] == 1
    assert len(done["imgs"]) == 4
    assert picture(server.download(done["imgs"][3]).content).size == (512, 512)


def test_v2_shows_pictures_in_progress_unless_told_not_to(server: Server) -> None:
    """enable_progress_info false leaves current_images empty."""
    shown = server.submit(TXT2IMG_V2, txt2img_v2())
    hidden = server.submit(TXT2IMG_V2, txt2img_v2(extra={"enable_progress_info": False}))
    server.control("POST", "/clock/advance", {"seconds": 0.3})

    previews = server.progress(shown)["data"]["current_images"]
    assert len(previews) == 1
    assert previews[0].startswith("/9j/")
    assert server.progress(hidden)["data"]["current_images"] == [""]


def test_v2_shows_no_more_pictures_in_progress_than_one_run_has(server: Server) -> None:
    """Eight runs of eight pictures: previews of eight, links to all."""
    task_id = server.submit(TXT2IMG_V2, txt2img_v2(batch_size=8, n_iter=8))
    server.control("POST", "/clock/advance-to-next-event")
    server.control("POST", "/clock/advance", {"seconds": 1})

    assert len(server.progress(task_id)["data"]["current_images"]) == 8
    server.finish_all()
    assert len(server.progress(task_id)["data"]["imgs"]) == 64


def test_a_v2_lora_tag_changes_the_picture(server: Server) -> None:
    """`<lora:name:weight>` in the prompt is read; an unknown name is code 2."""
    lora = next(model.sd_name_in_api for model in server.mock.catalogue if model.kind == "lora")
    plain = server.submit(TXT2IMG_V2, txt2img_v2(seed=1))
    tagged = server.submit(TXT2IMG_V2, txt2img_v2(seed=1, prompt=f"a cute dog <lora:{lora}:0.8>"))
    unknown = server.call("POST", TXT2IMG_V2, json=txt2img_v2(prompt="a <lora:no_such_lora:1> dog"))
    server.finish_all()

    first, second = (server.download(server.progress(task)["data"]["imgs"][0]).content for task in (plain, tagged))
    assert first != second
    assert unknown.json()["code"] == 2
    assert unknown.json()["data"] is None


def test_a_v2_mask_keeps_what_it_protects(server: Server) -> None:
    """Black in the mask is kept: a black mask gives the source picture back."""
    fields: dict[str, Any] = {
        "init_images": [base64_png(128, 128, (9, 9, 200))],
        "mask": base64_png(128, 128, (0, 0, 0)),
        "mask_blur": 0,
        "width": 128,
        "height": 128,
        "denoising_strength": 1,
    }
    task_id = server.submit(IMG2IMG_V2, img2img_v2(**fields))
    server.finish_all()

    found = picture(server.download(server.progress(task_id)["data"]["imgs"][0]).content).convert("RGB")
    assert found.getcolors() == [(128 * 128, (9, 9, 200))]


def test_the_auto_clock_ends_any_task_in_three_polls(make_server: Any) -> None:
    """`auto`: queued, processing, succeed, whatever the task's length."""
    server: Server = make_server(clock="auto")
    task_id = server.submit(TXT2IMG, txt2img(width=2048, height=2048, image_num=8, steps=100))

    seen = [server.result(task_id)["task"]["status"] for _ in range(3)]
    assert seen == ["TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING", "TASK_STATUS_SUCCEED"]


def test_keys_do_not_see_each_others_tasks(server: Server) -> None:
    """A world per key: another key's task is not found, in both versions."""
    task_id = server.submit(TXT2IMG, txt2img())
    task_id_v2 = server.submit(TXT2IMG_V2, txt2img_v2())

    other = server.call("GET", "/v3/async/task-result", params={"task_id": task_id}, key="sk-other")
    other_v2 = server.call("GET", "/v2/progress", params={"task_id": task_id_v2}, key="sk-other")
    assert other.status_code == 404
    assert other.json()["reason"] == "TASK_NOT_FOUND"
    assert other_v2.json()["code"] == 3
