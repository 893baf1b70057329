"""Preprocessors that need trained weights and find them in the user's folder, through transformers; offline.

What is expected: `preprocessors/<folder>/` below the folder of models, in transformers' layout (config.json, weights,
preprocessor_config.json). Depth: any depth estimation model (DPT, ZoeDepth, Depth Anything ...). Segmentation: any
semantic segmentation model (UPerNet, SegFormer ...), and a `palette.json` with a colour for each of its classes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForDepthEstimation, AutoModelForSemanticSegmentation

from reference_impl.engine.loading import BROKEN, bytes_of
from reference_impl.engine.plan import Tools
from reference_impl.engine.preprocessors_lines import Picture, coloured, slopes
from reference_impl.jobs import CannotDraw

SHELF_FOLDER = "preprocessors"

_METRIC = ("zoedepth", "depth_pro")
"""Model types whose numbers are metres; the others' are the nearer the greater."""


def depth(picture: Picture, folder: str, tools: Tools) -> Picture:
    """How near things are: white is near, black is far.

    Raises:
        CannotDraw: no weights lie in the folder, or they cannot be read.
    """
    return coloured(np.rint(_nearness(picture, folder, tools) * 255))


def normals(picture: Picture, folder: str, tools: Tools, background: float) -> Picture:
    """Where surfaces look, as colours, computed from the depth; `background` in [0, 1]: what is farther is flat.

    Raises:
        CannotDraw: no weights lie in the folder, or they cannot be read.
    """
    near = _nearness(picture, folder, tools)
    right, down = slopes(near[..., None])
    right, down = np.where(near < background, 0, right), np.where(near < background, 0, down)
    looks = np.stack([right, down, np.full_like(right, 2 * np.pi)], axis=2)
    looks /= np.linalg.norm(looks, axis=2, keepdims=True)
    return np.clip(np.rint(looks * 127.5 + 127.5), 0, 255).astype(np.uint8)


def segments(picture: Picture, folder: str, tools: Tools) -> Picture:
    """What each pixel belongs to, in the colour that `palette.json` gives its class.

    Raises:
        CannotDraw: no weights or no palette lie in the folder, or they cannot be read.
    """
    place = _place(folder, tools)
    palette = _palette(place)
    processor, network = _loaded(AutoModelForSemanticSegmentation, place, tools)
    with torch.inference_mode():
        scores = network(**_asked(processor, picture, tools)).logits
        full = torch.nn.functional.interpolate(scores.float(), picture.shape[:2], mode="bilinear")
    classes = full[0].argmax(0).cpu().numpy()
    if int(classes.max()) >= len(palette):
        raise CannotDraw(
            f"{SHELF_FOLDER}/{folder}/palette.json holds {len(palette)} colours for {scores.shape[1]} classes",
            "MODEL_BROKEN",
        )
    painted: Picture = palette[classes]
    return painted


def _nearness(picture: Picture, folder: str, tools: Tools) -> NDArray[np.float32]:
    """(height, width), 0 is the farthest, 1 the nearest."""
    processor, network = _loaded(AutoModelForDepthEstimation, _place(folder, tools), tools)
    with torch.inference_mode():
        found = network(**_asked(processor, picture, tools)).predicted_depth
        full = torch.nn.functional.interpolate(found[:, None].float(), picture.shape[:2], mode="bicubic")
    plane: NDArray[np.float32] = full[0, 0].cpu().numpy()
    config = network.config
    if config.model_type in _METRIC or getattr(config, "depth_estimation_type", "relative") == "metric":
        plane = -plane
    low, high = float(plane.min()), float(plane.max())
    return (plane - low) / max(high - low, 1e-9)


def _place(folder: str, tools: Tools) -> Path:
    place = tools.shelf.folder / SHELF_FOLDER / folder
    if not (place / "config.json").is_file():
        raise CannotDraw(
            f"this preprocessor needs weights that are not here: put a model in transformers' layout in "
            f"{SHELF_FOLDER}/{folder}/ of the folder of models, or send the finished map with the preprocessor none",
            "NO_MODEL",
        )
    return place


def _loaded(kind: Any, place: Path, tools: Tools) -> tuple[Any, Any]:
    """The image processor and the network of a folder, from the cache of the engine."""

    def load() -> tuple[Any, Any]:
        try:
            processor = AutoImageProcessor.from_pretrained(place, local_files_only=True)
            network = kind.from_pretrained(place, local_files_only=True, dtype=tools.dtype)
        except (*BROKEN, ImportError) as error:
            said = str(error).strip().partition("\n")[0][:200]
            message = f"{SHELF_FOLDER}/{place.name} cannot be read ({said}); put a whole model of the right kind there"
            raise CannotDraw(message, "MODEL_BROKEN") from error
        return processor, network.eval().requires_grad_(False).to(tools.device)

    size: Callable[[tuple[Any, Any]], int] = lambda pair: bytes_of(pair[1])  # noqa: E731  (a name for its type)
    return tools.cache.get((SHELF_FOLDER, place.name), load, size)


def _asked(processor: Any, picture: Picture, tools: Tools) -> dict[str, torch.Tensor]:
    pixels = processor(images=Image.fromarray(picture), return_tensors="pt")["pixel_values"]
    return {"pixel_values": pixels.to(tools.device, tools.dtype)}


def _palette(place: Path) -> Picture:
    file = place / "palette.json"
    wanted = f"{SHELF_FOLDER}/{place.name}/palette.json should hold a list of colours, one [red, green, blue] a class"
    try:
        read = np.asarray(orjson.loads(file.read_bytes()))
    except (OSError, ValueError) as error:
        raise CannotDraw(wanted, "NO_MODEL") from error
    if read.ndim != 2 or read.shape[1] != 3 or read.dtype.kind not in "iu" or read.min() < 0 or read.max() > 255:
        raise CannotDraw(wanted, "MODEL_BROKEN")
    return read.astype(np.uint8)
