"""Request bodies of the operations: smallest documented ones, changed by each test where it needs."""

from __future__ import annotations

import base64
import copy
import struct
import zlib
from collections.abc import Mapping
from typing import Any

TXT2IMG = "/v3/async/txt2img"
IMG2IMG = "/v3/async/img2img"
TXT2IMG_V2 = "/v2/txt2img"
IMG2IMG_V2 = "/v2/img2img"
CHECKPOINT = "dreamshaper_8_93211.safetensors"
SDXL_CHECKPOINT = "sd_xl_base_1.0.safetensors"


def png(width: int = 64, height: int = 64, rgb: tuple[int, int, int] = (200, 40, 40)) -> bytes:
    """A PNG of one colour, made without a drawing library."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\x00" + bytes(rgb) * width
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(row * height, 1))
        + chunk(b"IEND", b"")
    )


def base64_png(width: int = 64, height: int = 64, rgb: tuple[int, int, int] = (200, 40, 40)) -> str:
    """The same, as requests carry it."""
    return base64.b64encode(png(width, height, rgb)).decode()


def txt2img(extra: Mapping[str, Any] | None = None, **request: Any) -> dict[str, Any]:
    """A v3 text-to-image body."""
    body: dict[str, Any] = {
        "request": {
            "model_name": CHECKPOINT,
            "prompt": "a cute dog",
            "width": 512,
            "height": 512,
            "image_num": 1,
            "steps": 20,
            "guidance_scale": 7.5,
            "sampler_name": "Euler a",
            **request,
        }
    }
    if extra is not None:
        body["extra"] = dict(extra)
    return copy.deepcopy(body)


def img2img(extra: Mapping[str, Any] | None = None, **request: Any) -> dict[str, Any]:
    """A v3 image-to-image body."""
    return txt2img(extra, **{"image_base64": base64_png(), **request})


def txt2img_v2(**fields: Any) -> dict[str, Any]:
    """A v2 text-to-image body with every field that the page requires."""
    return {
        "prompt": "a cute dog",
        "negative_prompt": "blurry",
        "sampler_name": "DPM++ 2M Karras",
        "batch_size": 1,
        "n_iter": 1,
        "steps": 20,
        "cfg_scale": 7,
        "seed": -1,
        "height": 512,
        "width": 512,
        "model_name": CHECKPOINT,
        "restore_faces": False,
        "restore_faces_model": None,
        **fields,
    }


def img2img_v2(**fields: Any) -> dict[str, Any]:
    """A v2 image-to-image body with every field that the page requires."""
    body = txt2img_v2(init_images=[base64_png()])
    for name in ("restore_faces_model", "restore_faces", "seed", "negative_prompt"):
        del body[name]
    return {**body, **fields}
