"""What a pass over a picture is made of, and what may take part in it beside the network: guides.

A guide is anything that leads the network call by call: a ControlNet, a T2I-Adapter, an IP-Adapter. It is opened for
one pass (a hires fix has two, at two sizes) and closed after it, whatever happens, so that it may patch the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from PIL import Image

from reference_impl.engine.cache import Cache
from reference_impl.engine.loading import Loaded
from reference_impl.engine.pictures import Box, Size, cut, resized
from reference_impl.jobs import Job, Nsfw
from reference_impl.shelf import Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the parts of an engine share. `cache` holds every model, bounded by bytes; nobody else keeps one."""

    shelf: Shelf
    cache: Cache
    device: torch.device
    dtype: torch.dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """What is generated in a pass, and which part of the finished picture it shows.

    Attributes:
        width: pixels, a multiple of the VAE's factor.
        height: likewise.
        picture: width and height of the finished picture of this pass.
        area: the part of the finished picture that fills the canvas. It reaches beyond the picture where sizes were
            rounded up, and is a small part of it where only the masked part is drawn.
    """

    width: int
    height: int
    picture: tuple[int, int]
    area: Box

    def shown(self, picture: Image.Image) -> Image.Image:
        """What the canvas shows of a picture of the finished size; beyond its edge the edge is repeated."""
        return resized(cut(picture, self.area), (self.width, self.height))

    def placed(self, drawn: Image.Image, around: Image.Image | None = None) -> Image.Image:
        """The finished picture with what was drawn on the canvas in its place.

        Args:
            drawn: of the canvas' size.
            around: the picture to put it into; None where the canvas shows all of it.
        """
        left, top, right, bottom = self.area
        out = around.copy() if around else Image.new(drawn.mode, self.picture)
        out.paste(resized(drawn, (right - left, bottom - top)), (left, top))
        return out


def whole_canvas(picture: Size, factor: int) -> Canvas:
    """A canvas for all of a picture, rounded up to the VAE's factor, the picture in its middle."""
    width, height = (-(-side // factor) * factor for side in picture)
    left, top = (picture[0] - width) // 2, (picture[1] - height) // 2
    area = (left, top, left + width, top + height)
    return Canvas(width=width, height=height, picture=picture, area=area)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the network for N pictures, as a guide sees it.

    Attributes:
        latents: (2N, 4, h, w) with the N unguided ones first; (N, 4, h, w) where `guided` is False. Scaled already.
        timestep: of the training, 0 to 999, may lie between two.
        share: how much of the sampling is done, 0 before the first step, below 1 at the last.
        text: the prompt's encoding, (2N, tokens, width), in the order of the latents.
        added: the network's `added_cond_kwargs`; empty for SD 1.5.
        guided: whether negative and positive prompt are both asked, in this order.
    """

    latents: torch.Tensor
    timestep: torch.Tensor
    share: float
    text: torch.Tensor
    added: dict[str, torch.Tensor]
    guided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """What a guide adds to a call; those of several guides are summed, `added` is merged.

    Attributes:
        down: residuals of the down blocks (`down_block_additional_residuals`).
        mid: residual of the middle block.
        intra: residuals inside of the down blocks (`down_intrablock_additional_residuals`, T2I-Adapters).
        added: for the network's `added_cond_kwargs`, such as `image_embeds`.
    """

    down: Sequence[torch.Tensor] = ()
    mid: torch.Tensor | None = None
    intra: Sequence[torch.Tensor] = ()
    added: dict[str, object] = field(default_factory=dict)


class Guide(Protocol):
    """Leads the network through one pass."""

    def lead(self, call: Call) -> Lead | None:
        """What to add to this call; None: nothing, the guide does not act at this share of the run."""


class OpenGuides(Protocol):
    """Makes the guides of a job for one pass; the work before the first step belongs here, not into `lead`."""

    def __call__(
        self, job: Job, loaded: Loaded, canvas: Canvas, tools: Tools
    ) -> AbstractContextManager[Sequence[Guide]]:
        """Guides, in any number; leaving the context takes every patch off the network again.

        Raises:
            CannotDraw: weights are missing, or do not fit the checkpoint.
        """


class CutOut(Protocol):
    """Makes the background transparent."""

    def __call__(self, picture: Image.Image, latents: torch.Tensor, job: Job, tools: Tools) -> Image.Image:
        """The RGBA picture; `latents` (1, 4, h, w) are those it was decoded from, unscaled as the sampler left them."""


class Detector(Protocol):
    """Looks at finished pictures."""

    def look(self, picture: Image.Image, level: int) -> Nsfw:
        """What it finds in an RGB picture; `level` 0 to 2 as in the request."""
