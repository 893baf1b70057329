"""Making pictures larger before the second pass of hires fix: resampling, or a network of the ESRGAN kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from reference_impl.engine.latents import picture_of
from reference_impl.engine.loading import BROKEN, broken, bytes_of
from reference_impl.engine.pictures import Size, covering
from reference_impl.engine.plan import Tools
from reference_impl.jobs import CannotDraw
from reference_impl.shelf import Kind, Model, Shelf

RESAMPLERS: Mapping[str, Image.Resampling] = {
    "None": Image.Resampling.LANCZOS,
    "Lanczos": Image.Resampling.LANCZOS,
    "Nearest": Image.Resampling.NEAREST,
}
"""Upscalers that need no weights; "None" is A1111's word for leaving the scaling to the resize that follows."""

TILE, MARGIN = 256, 16
"""Pixels: a picture goes through the network in squares, so that memory does not grow with it; they overlap by the
margin, which is what one output pixel sees of its surroundings as far as it shows."""


def enlarged(picture: Image.Image, upscaler: str, size: Size, tools: Tools) -> Image.Image:
    """The picture at a larger size.

    Args:
        picture: RGB.
        upscaler: one of `RESAMPLERS`, or the name of an upscaler on the shelf.
        size: wanted; where the shape differs the picture covers it, and what is too much is cut off evenly.
        tools: shelf and cache.

    Raises:
        CannotDraw: there are no weights for this name.
    """
    model = needed(upscaler, tools.shelf)
    if model is None:
        factor = max(size[0] / picture.width, size[1] / picture.height)
        wanted = (max(round(picture.width * factor), size[0]), max(round(picture.height * factor), size[1]))
        return covering(picture.resize(wanted, RESAMPLERS[upscaler]), size)
    network = tools.cache.get(
        (Kind.UPSCALER, model.name), lambda: load_upscaler(model, tools.device, tools.dtype), bytes_of
    )
    while picture.width < size[0] or picture.height < size[1]:
        picture = network.picture(picture)
    return covering(picture, size)


def needed(upscaler: str, shelf: Shelf) -> Model | None:
    """The weights that an upscaler works with; None for those of `RESAMPLERS`.

    Raises:
        CannotDraw: there are no weights for this name.
    """
    if upscaler in RESAMPLERS:
        return None
    model = shelf.find(Kind.UPSCALER, upscaler)
    if model is None:
        raise CannotDraw(
            f"the upscaler {upscaler} needs weights that this server has not: put {upscaler}.safetensors into the "
            "folder upscaler of its models, or ask for Latent"
        )
    return model


def load_upscaler(model: Model, device: torch.device, dtype: torch.dtype) -> Upscaler:
    """A network from a file in Real-ESRGAN's layout.

    Args:
        model: on the shelf.
        device: where it goes.
        dtype: of its weights.

    Raises:
        CannotDraw: the file is damaged or of another layout.
    """
    try:
        if model.path.suffix == ".safetensors":
            weights: dict[str, Any] = dict(load_file(model.path))
        else:
            weights = torch.load(model.path, map_location="cpu", weights_only=True)
        for wrapped in ("params_ema", "params"):
            weights = weights.get(wrapped, weights)
        blocks = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("body."))
        first, growth = weights["conv_first.weight"], weights["body.0.rdb1.conv1.weight"]
        network = Upscaler(first.shape[0], growth.shape[0], blocks, entry=first.shape[1])
        network.load_state_dict(weights)
    except BROKEN as error:
        raise broken(model, error) from error
    network.eval().requires_grad_(False)
    network.to(device, dtype)
    return network


class Upscaler(nn.Module):
    """RRDBNet (arXiv 1809.00219), four times as large; the attributes' names are those of the published files.

    Args:
        width: channels.
        growth: channels that each convolution of a dense block adds.
        blocks: how many residual-in-residual blocks.
        entry: channels at the entry: 3; 12 or 48 for networks of factor 2 or 1, which fold pixels into channels first.
    """

    def __init__(self, width: int, growth: int, blocks: int, entry: int = 3) -> None:
        super().__init__()
        self._fold = {3: 1, 12: 2, 48: 4}[entry]
        self.conv_first = _conv(entry, width)
        self.body = nn.Sequential(*(_Residual(width, growth) for _ in range(blocks)))
        self.conv_body = _conv(width, width)
        self.conv_up1 = _conv(width, width)
        self.conv_up2 = _conv(width, width)
        self.conv_hr = _conv(width, width)
        self.conv_last = _conv(width, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, h, w) in [0, 1] to (n, 3, 4 h, 4 w), or 2 or 1 times for folding networks."""
        first = self.conv_first(functional.pixel_unshuffle(pixels, self._fold))
        hidden = first + self.conv_body(self.body(first))
        for conv in (self.conv_up1, self.conv_up2):
            hidden = functional.leaky_relu(conv(functional.interpolate(hidden, scale_factor=2.0)), 0.2)
        out: Tensor = self.conv_last(functional.leaky_relu(self.conv_hr(hidden), 0.2))
        return out

    def picture(self, picture: Image.Image) -> Image.Image:
        """The picture, enlarged tile by tile.

        Raises:
            CannotDraw: it is a network of factor 1, which never reaches a larger size.
        """
        factor = 4 // self._fold
        if factor == 1:
            raise CannotDraw("this upscaler does not enlarge")
        weight = self.conv_first.weight
        pixels = torch.from_numpy(np.array(picture, dtype=np.float32)).permute(2, 0, 1)[None] / 255
        height, width = pixels.shape[-2:]
        pad = MARGIN + (-height) % 4, MARGIN + (-width) % 4
        pixels = functional.pad(pixels, (MARGIN, pad[1], MARGIN, pad[0]), mode="replicate")
        out = torch.empty(1, 3, height * factor, width * factor)
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                tile = pixels[..., top : top + TILE + 2 * MARGIN, left : left + TILE + 2 * MARGIN]
                drawn = self(tile.to(weight)).float().cpu()[..., MARGIN * factor :, MARGIN * factor :]
                part = out[..., top * factor : (top + TILE) * factor, left * factor : (left + TILE) * factor]
                part.copy_(drawn[..., : part.shape[-2], : part.shape[-1]])
        return picture_of(out[0] * 2 - 1)


class _Dense(nn.Module):
    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        for i in range(1, 6):
            self.add_module(f"conv{i}", _conv(width + (i - 1) * growth, growth if i < 5 else width))

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for i in range(1, 5):
            seen.append(functional.leaky_relu(self.get_submodule(f"conv{i}")(torch.cat(seen, 1)), 0.2))
        out: Tensor = self.get_submodule("conv5")(torch.cat(seen, 1)) * 0.2 + x
        return out


class _Residual(nn.Module):
    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (_Dense(width, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.rdb3(self.rdb2(self.rdb1(x))) * 0.2 + x
        return out


def _conv(entry: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(entry, out, 3, padding=1)
