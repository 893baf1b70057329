"""The v2 calls of `novita-client` 0.5.7, the last version that has them, each as a caller would write it."""

from __future__ import annotations

from typing import Any

import novita_client as vendor  # type: ignore[import-not-found]  # only in the clients' own environments

from tests.clients.drivers.driving import Bench, Report, failure, run

CHECKPOINT = "dreamshaper_8_93211.safetensors"
NOWHERE = "00000000-0000-4000-8000-000000000000"


def txt2img(bench: Bench) -> Report:
    """Two runs of two pictures, waited for and downloaded by the client's one call."""
    polls: list[Report] = []
    request = vendor.Txt2ImgRequest(
        prompt="a lighthouse on a cliff, morning light",
        negative_prompt="blurry",
        model_name=CHECKPOINT,
        sampler_name=vendor.Samplers.EULER_A,
        batch_size=2,
        n_iter=2,
        steps=12,
        cfg_scale=7,
        width=384,
        height=256,
        seed=4242,
    )
    result = _client(bench).sync_txt2img(request, callback=lambda progress: polls.append(_state(progress)))
    return {**_result(bench, result), "polls": polls}


def txt2img_defaults(bench: Bench) -> Report:
    """Prompt and sampler only: the client's own checkpoint and values fill the body."""
    request = vendor.Txt2ImgRequest(prompt="a red bicycle", sampler_name=vendor.Samplers.DDIM)
    return _result(bench, _client(bench).sync_txt2img(request))


def img2img(bench: Bench) -> Report:
    """Inpainting: the left half of the picture is masked and repainted."""
    request = vendor.Img2ImgRequest(
        model_name=CHECKPOINT,
        sampler_name=vendor.Samplers.EULER_A,
        init_images=[vendor.read_image_to_base64(bench.source)],
        mask=vendor.read_image_to_base64(bench.mask),
        prompt="a field of wheat",
        cfg_scale=7.5,
        denoising_strength=0.9,
        steps=10,
        width=512,
        height=512,
        seed=7,
    )
    return _result(bench, _client(bench).sync_img2img(request))


def controlnet(bench: Bench) -> Report:
    """A control unit in the v2 form, its preprocessor and mode as the client's enums."""
    unit = vendor.ControlnetUnit(
        model="control_v11p_sd15_canny",
        module=vendor.ControlNetPreprocessor.CANNY,
        input_image=vendor.read_image_to_base64(bench.source),
        control_mode=vendor.ControlNetMode.PROMPT_IMPORTANCE,
        weight=1.0,
    )
    request = vendor.Txt2ImgRequest(
        prompt="a stained glass window", model_name=CHECKPOINT, sampler_name="UniPC", seed=8, controlnet_units=[unit]
    )
    return _result(bench, _client(bench).sync_txt2img(request))


def hires(bench: Bench) -> Report:
    """The hires pass with the client's factor of two."""
    request = vendor.Txt2ImgRequest(
        prompt="a castle in the clouds",
        model_name=CHECKPOINT,
        sampler_name=vendor.Samplers.EULER_A,
        width=384,
        height=256,
        seed=9,
        enable_hr=True,
    )
    return _result(bench, _client(bench).sync_txt2img(request))


def loras(bench: Bench) -> Report:
    """A LoRA as a tag in the prompt, put there by the client's helper."""
    request = vendor.Txt2ImgRequest(
        prompt=vendor.add_lora_to_prompt("a cup of tea", "add_detail_44319", 0.6),
        model_name=CHECKPOINT,
        sampler_name=vendor.Samplers.EULER_A,
        seed=10,
    )
    return {**_result(bench, _client(bench).sync_txt2img(request)), "prompt": request.prompt}


def progress(bench: Bench) -> Report:
    """Submission and polls by hand, with previews and detection switched on."""
    client = _client(bench)
    submitted = client.txt2img(
        vendor.Txt2ImgRequest(
            prompt="a green hill",
            model_name=CHECKPOINT,
            sampler_name=vendor.Samplers.EULER_A,
            seed=12,
            extra=vendor.Txt2ImgExtra(enable_nsfw_detection=True, nsfw_detection_level=2, enable_progress_info=True),
        )
    )
    polls: list[Report] = []
    answer = client.progress(submitted.data.task_id)
    while True:
        polls.append({**_state(answer), "previews": [len(text) for text in answer.data.current_images or []]})
        if answer.data.status.finished() or len(polls) == 50:
            break
        answer = client.progress(submitted.data.task_id)
    verdicts = answer.data.nsfw_detection_result or []
    return {
        "code": submitted.code.name,
        "polls": polls,
        "verdicts": [{"valid": verdict.valid, "confidence": verdict.confidence} for verdict in verdicts],
        "times": [answer.data.submit_time, answer.data.execution_time, answer.data.finish_time],
    }


def expired_link(bench: Bench) -> Report:
    """The links are fetched after they have ended: the client takes the error page for the picture."""
    request = vendor.Txt2ImgRequest(prompt="a clock", model_name=CHECKPOINT, sampler_name="Euler a")
    result = _client(bench).sync_txt2img(request, download_images=False)
    bench.pause({"links": result.data.imgs})
    result.download_images()
    return {"files": bench.save(result.data.imgs_bytes)}


def refused_key(bench: Bench) -> Report:
    """A submission and a poll with a key that is not accepted."""
    client = _client(bench)
    reports: Report = {"progress": _refusal(client.progress(NOWHERE))}
    try:
        client.sync_txt2img(vendor.Txt2ImgRequest(prompt="a door", model_name=CHECKPOINT, sampler_name="Euler a"))
    except vendor.NovitaResponseError as error:
        reports["submit"] = failure(error)
    return reports


def unknown_task(bench: Bench) -> Report:
    """A poll for a task that never was; the client's own waiting then stumbles over the empty answer."""
    client = _client(bench)
    reports: Report = {"progress": _refusal(client.progress(NOWHERE))}
    try:
        client.wait_for_task(NOWHERE)
    except AttributeError as error:
        reports["wait"] = failure(error)
    return reports


def bad_requests(bench: Bench) -> Report:
    """One submission per v2 code that a caller can provoke."""
    client = _client(bench)
    wrong: dict[str, Report] = {
        "steps": {"steps": 51},
        "model": {"model_name": "no_such_model.safetensors"},
        "sampler": {"sampler_name": vendor.Samplers.DPMPP_KARRAS},
    }
    return {
        name: _refusal(
            client.txt2img(
                vendor.Txt2ImgRequest(
                    **{"prompt": "a door", "model_name": CHECKPOINT, "sampler_name": "Euler a", **fields}
                )
            )
        )
        for name, fields in wrong.items()
    }


def models(bench: Bench) -> Report:
    """The v2 model list lies outside the contract; the v3 one is in this version too."""
    client = _client(bench)
    reports: Report = {"walk": [model.id for model in client.models_v3()]}
    try:
        client.models()
    except vendor.NovitaResponseError as error:
        reports["v2"] = failure(error)
    return reports


def _client(bench: Bench) -> Any:
    return vendor.NovitaClient(bench.key, bench.uri)


def _state(answer: Any) -> Report:
    return {"status": answer.data.status.name, "progress": answer.data.progress, "eta": answer.data.eta_relative}


def _refusal(answer: Any) -> Report:
    return {"code": answer.code.name, "msg": answer.msg, "has_data": answer.data is not None}


def _result(bench: Bench, answer: Any) -> Report:
    """What the client's answer object holds, and the pictures it downloaded as files."""
    return {
        "code": answer.code.name,
        "status": answer.data.status.name,
        "info": answer.data.info,
        "failed_reason": answer.data.failed_reason,
        "links": answer.data.imgs,
        "files": bench.save(answer.data.imgs_bytes),
    }


if __name__ == "__main__":
    run(
        {
            "txt2img": txt2img,
            "txt2img-defaults": txt2img_defaults,
            "img2img": img2img,
            "controlnet": controlnet,
            "hires": hires,
            "loras": loras,
            "progress": progress,
            "expired-link": expired_link,
            "refused-key": refused_key,
            "unknown-task": unknown_task,
            "bad-requests": bad_requests,
            "models": models,
        }
    )
