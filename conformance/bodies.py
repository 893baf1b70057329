"""Bodies of submits: the smallest documented ones, and ways to change one thing in a copy."""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.names import Names

TXT2IMG = "createTxt2imgTask"
IMG2IMG = "createImg2imgTask"
TXT2IMG_V2 = "createTxt2imgTaskV2"
IMG2IMG_V2 = "createImg2imgTaskV2"
RESULT = "getTaskResult"
PROGRESS = "getProgressV2"
MODELS = "listModels"
FOUNDATION = {
    TXT2IMG: "V3-TXT2IMG-001",
    IMG2IMG: "V3-IMG2IMG-001",
    TXT2IMG_V2: "V2-TXT2IMG-001",
    IMG2IMG_V2: "V2-IMG2IMG-001",
}
"""Which requirement says that the plainest submit of an operation is accepted."""

SIDE = 128
STEPS = 4
PROMPT = "a red circle on a green field"

Body = dict[str, Any]
Path = tuple[str | int, ...]


def txt2img(names: Names, extra: Body | None = None, **request: Any) -> Body:
    """A v3 text-to-image body with the eight required fields, as small as it may be."""
    body: Body = {
        "request": {
            "model_name": names.checkpoint,
            "prompt": PROMPT,
            "width": SIDE,
            "height": SIDE,
            "image_num": 1,
            "steps": STEPS,
            "guidance_scale": 7.5,
            "sampler_name": "Euler a",
            **request,
        }
    }
    if extra is not None:
        body["extra"] = dict(extra)
    return body


def img2img(names: Names, extra: Body | None = None, **request: Any) -> Body:
    """A v3 image-to-image body with the nine required fields."""
    return txt2img(names, extra, **{"image_base64": picture(), **request})


def txt2img_v2(names: Names, **fields: Any) -> Body:
    """A v2 text-to-image body with the thirteen required fields."""
    return {
        "prompt": PROMPT,
        "negative_prompt": "blurry",
        "model_name": names.checkpoint_in_api,
        "sampler_name": "Euler a",
        "batch_size": 1,
        "n_iter": 1,
        "steps": STEPS,
        "cfg_scale": 7,
        "seed": -1,
        "width": SIDE,
        "height": SIDE,
        "restore_faces": False,
        "restore_faces_model": None,
        **fields,
    }


def img2img_v2(names: Names, **fields: Any) -> Body:
    """A v2 image-to-image body with the ten required fields."""
    return {
        "prompt": PROMPT,
        "model_name": names.checkpoint_in_api,
        "sampler_name": "Euler a",
        "batch_size": 1,
        "n_iter": 1,
        "steps": STEPS,
        "cfg_scale": 7,
        "width": SIDE,
        "height": SIDE,
        "init_images": [picture()],
        **fields,
    }


def changed(body: Body, path: Path, value: Any) -> Body:
    """A copy with one value set; objects and list entries on the way must exist, the last key need not."""
    copied, holder = _opened(body, path)
    holder[path[-1]] = value
    return copied


def without(body: Body, path: Path) -> Body:
    """A copy that lacks one key."""
    copied, holder = _opened(body, path)
    del holder[path[-1]]
    return copied


def _opened(body: Body, path: Path) -> tuple[Body, Any]:
    """A copy of a body, and its holder of the last key; what does not lie on the path is shared with the original."""
    copied: Body = dict(body)
    holder: Any = copied
    for step in path[:-1]:
        inner = holder[step]
        holder[step] = list(inner) if isinstance(inner, list) else dict(inner)
        holder = holder[step]
    return copied, holder


@cache
def picture(width: int = 64, height: int = 64, rgb: tuple[int, int, int] = (200, 40, 40), kind: str = "PNG") -> str:
    """A source picture in base64: two colours with a border between them, so that it is no plain area."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (width, height), rgb)
    other = (255 - rgb[0], 255 - rgb[1], 255 - rgb[2])
    ImageDraw.Draw(image).rectangle((width // 4, height // 4, width * 3 // 4, height * 3 // 4), fill=other)
    return encoded(image, kind)


def encoded(image: Any, kind: str = "PNG") -> str:
    """A Pillow picture in base64."""
    held = io.BytesIO()
    image.save(held, kind)
    return base64.b64encode(held.getvalue()).decode()
