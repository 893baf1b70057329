"""The v3 calls of `novita-client` (0.7.1; 0.5.7 has the same ones), each as a caller would write it."""

from __future__ import annotations

import base64
from typing import Any

import novita_client as vendor  # type: ignore[import-not-found]  # only in the clients' own environments

from tests.clients.drivers.driving import Bench, Report, failure, run

SD15 = "dreamshaper_8_93211.safetensors"
SDXL = "sd_xl_base_1.0.safetensors"


def txt2img(bench: Bench) -> Report:
    """Two PNG pictures with a given seed; the client submits, polls every 0.5 s and downloads."""
    polls: list[Report] = []
    result = _client(bench).txt2img_v3(
        model_name=SD15,
        prompt="a lighthouse on a cliff, morning light",
        negative_prompt="blurry",
        image_num=2,
        width=512,
        height=384,
        steps=12,
        guidance_scale=7.5,
        seed=4242,
        sampler_name=vendor.Samplers.DPMPP_M_KARRAS,
        response_image_type="png",
        callback=lambda progress: polls.append(_state(progress)),
    )
    return {**_result(bench, result), "polls": polls}


def txt2img_defaults(bench: Bench) -> Report:
    """Only what the signature demands: the client's own defaults fill the body."""
    return _result(bench, _client(bench).txt2img_v3(SD15, "a red bicycle", 1))


def shapes(bench: Bench) -> Report:
    """Three pictures of what a model of the reference implementation has learned to draw, watched while they come."""
    polls: list[Report] = []
    result = _client(bench).txt2img_v3(
        model_name="shapes-sd15",
        prompt="a red circle on a blue background",
        image_num=3,
        width=512,
        height=512,
        steps=30,
        guidance_scale=5.0,
        seed=11,
        sampler_name=vendor.Samplers.DPMPP_M_KARRAS,
        response_image_type="png",
        callback=lambda progress: polls.append(_state(progress)),
    )
    return {**_result(bench, result), "polls": polls}


def img2img(bench: Bench) -> Report:
    """A picture file goes in, the result keeps its size here."""
    result = _client(bench).img2img_v3(
        model_name=SD15,
        input_image=bench.source,
        prompt="a watercolour of two fields",
        image_num=1,
        width=512,
        height=512,
        steps=10,
        seed=7,
        strength=0.2,
        response_image_type="png",
    )
    return _result(bench, result)


def img2img_defaults(bench: Bench) -> Report:
    """Only what the signature demands: the client sends `steps: null`."""
    return _result(bench, _client(bench).img2img_v3(SD15, bench.source, "a watercolour of two fields", 1))


def controlnet(bench: Bench) -> Report:
    """A control unit with a picture file."""
    unit = vendor.Img2ImgV3ControlNetUnit(
        model_name="control_v11p_sd15_canny", image_base64=bench.source, strength=0.8, guidance_end=0.9
    )
    result = _client(bench).img2img_v3(
        model_name=SD15,
        input_image=bench.source,
        prompt="a stained glass window",
        image_num=1,
        steps=10,
        seed=8,
        controlnet_units=[unit],
        response_image_type="webp",
    )
    return _result(bench, result)


def hires(bench: Bench) -> Report:
    """hires_fix to twice the size."""
    result = _client(bench).txt2img_v3(
        SD15,
        "a castle in the clouds",
        1,
        width=384,
        height=256,
        seed=9,
        hires_fix=vendor.Txt2ImgV3HiresFix(target_width=768, target_height=512),
        response_image_type="webp",
    )
    return _result(bench, result)


def loras(bench: Bench) -> Report:
    """A LoRA and an embedding."""
    result = _client(bench).txt2img_v3(
        SD15,
        "a cup of tea",
        1,
        seed=10,
        loras=[vendor.Txt2ImgV3LoRA(model_name="add_detail_44319", strength=0.6)],
        embeddings=[vendor.Txt2ImgV3Embedding(model_name="badhandv4_16755.pt")],
        response_image_type="png",
    )
    return _result(bench, result)


def refiner(bench: Bench) -> Report:
    """An SDXL checkpoint with a refiner pass."""
    result = _client(bench).txt2img_v3(
        SDXL, "a paper boat", 1, width=768, height=768, seed=11, refiner=vendor.Txt2ImgV3Refiner(switch_at=0.7)
    )
    return _result(bench, result)


def nsfw(bench: Bench) -> Report:
    """Detection switched on through the keyword arguments that become `extra`."""
    result = _client(bench).txt2img_v3(
        SD15, "a green hill", 2, seed=12, enable_nsfw_detection=True, nsfw_detection_level=2, response_image_type="png"
    )
    verdicts = [image.nsfw_detection_result for image in result.images]
    return {
        **_result(bench, result),
        "verdicts": [{"valid": verdict.valid, "confidence": verdict.confidence} for verdict in verdicts],
        "enabled": result.extra.enable_nsfw_detection,
    }


def models(bench: Bench) -> Report:
    """The whole list in the client's own walk, and again by pages of seven."""
    client = _client(bench)
    walk = client.models_v3()
    pages: list[list[int]] = []
    while not pages or pages[-1]:
        page = client.query_model_v3(limit="7", cursor=str(7 * len(pages)))
        pages.append([model.id for model in page.models])
    return {
        "walk": [model.id for model in walk],
        "visibilities": sorted({model.visibility for model in walk}),
        "available": len(walk.filter_by_available(True)),
        "pages": pages,
    }


def expired_link(bench: Bench) -> Report:
    """The links are fetched after they have ended: the client takes the error page for the picture."""
    result = _client(bench).txt2img_v3(SD15, "a clock", 1, response_image_type="png", download_images=False)
    bench.pause({"links": result.get_image_urls()})
    result.download_images()
    return {"files": bench.save([base64.b64decode(text) for text in result.images_encoded])}


def refused_key(bench: Bench) -> Report:
    """A submission and a poll with a key that is not accepted."""
    client = _client(bench)
    reports: Report = {}
    try:
        client.txt2img_v3(SD15, "a door", 1)
    except vendor.NovitaResponseError as error:
        reports["submit"] = failure(error)
    try:
        client.models_v3()
    except vendor.NovitaResponseError as error:
        reports["models"] = failure(error)
    return reports


def unknown_task(bench: Bench) -> Report:
    """A poll for a task that never was."""
    try:
        _client(bench).async_task_result("00000000-0000-4000-8000-000000000000")
    except vendor.NovitaResponseError as error:
        return failure(error)
    return {}


def bad_request(bench: Bench) -> Report:
    """More steps than allowed."""
    try:
        _client(bench).txt2img_v3(SD15, "a door", 1, steps=101)
    except vendor.NovitaResponseError as error:
        return failure(error)
    return {}


def _client(bench: Bench) -> Any:
    return vendor.NovitaClient(bench.key, bench.uri)


def _state(progress: Any) -> Report:
    return {"status": progress.task.status.value, "percent": progress.task.progress_percent, "eta": progress.task.eta}


def _result(bench: Bench, result: Any) -> Report:
    """What the client's result object holds, and the pictures it downloaded as files."""
    return {
        "task_id": result.task.task_id,
        "status": result.task.status.value,
        "task_type": result.task.task_type,
        "seed": result.extra.seed,
        "links": result.get_image_urls(),
        "types": [image.image_type for image in result.images],
        "ttls": [image.image_url_ttl for image in result.images],
        "files": bench.save([base64.b64decode(text) for text in result.images_encoded]),
    }


if __name__ == "__main__":
    run(
        {
            "txt2img": txt2img,
            "txt2img-defaults": txt2img_defaults,
            "shapes": shapes,
            "img2img": img2img,
            "img2img-defaults": img2img_defaults,
            "controlnet": controlnet,
            "hires": hires,
            "loras": loras,
            "refiner": refiner,
            "nsfw": nsfw,
            "models": models,
            "expired-link": expired_link,
            "refused-key": refused_key,
            "unknown-task": unknown_task,
            "bad-request": bad_request,
        }
    )
