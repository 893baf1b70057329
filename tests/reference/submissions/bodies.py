"""The smallest bodies of the four submits, to change at will."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

from PIL import Image


def picture(kind: str = "PNG", size: tuple[int, int] = (24, 16)) -> bytes:
    """A picture file."""
    file = BytesIO()
    Image.new("RGB", size, "teal").save(file, kind)
    return file.getvalue()


def in_base64(file: bytes) -> str:
    """The file as requests carry it."""
    return base64.b64encode(file).decode()


PICTURE = in_base64(picture())


def txt2img(extra: dict[str, Any] | None = None, **request: Any) -> dict[str, Any]:
    """A body of POST /v3/async/txt2img."""
    smallest = {
        "model_name": "shapes-sd15",
        "prompt": "a red circle",
        "width": 512,
        "height": 256,
        "image_num": 1,
        "steps": 20,
        "guidance_scale": 7.5,
        "sampler_name": "Euler a",
    }
    return {"request": {**smallest, **request}} | ({} if extra is None else {"extra": extra})


def img2img(extra: dict[str, Any] | None = None, **request: Any) -> dict[str, Any]:
    """A body of POST /v3/async/img2img."""
    return txt2img(extra, **{"image_base64": PICTURE, **request})


def txt2img_v2(**fields: Any) -> dict[str, Any]:
    """A body of POST /v2/txt2img."""
    smallest = {
        "model_name": "shapes-sd15",
        "prompt": "a red circle",
        "negative_prompt": "blurry",
        "width": 512,
        "height": 256,
        "batch_size": 1,
        "n_iter": 1,
        "steps": 20,
        "cfg_scale": 7,
        "seed": -1,
        "sampler_name": "Euler a",
        "restore_faces": False,
        "restore_faces_model": None,
    }
    return {**smallest, **fields}


def img2img_v2(**fields: Any) -> dict[str, Any]:
    """A body of POST /v2/img2img."""
    smallest = txt2img_v2()
    del smallest["restore_faces_model"]
    return {**smallest, "init_images": [PICTURE], **fields}


def unit_v2(**fields: Any) -> dict[str, Any]:
    """A control unit of v2."""
    smallest = {
        "model": "control_v11p_sd15_canny",
        "weight": 1,
        "input_image": PICTURE,
        "module": "canny",
        "control_mode": 0,
    }
    return {**smallest, **fields}
