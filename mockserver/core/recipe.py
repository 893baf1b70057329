"""What a picture is made from: the picture-relevant part of a submit request, the same for v2 and v3.

A recipe is version-neutral and complete: every default is filled in, the seed is drawn, names are resolved. Equal
recipes give equal pictures, whatever the delivery options (format, webhook, storage) were. Making one from a request
is `mockserver.submissions`; drawing it is `mockserver.pictures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

DEFAULT_STEPS = 20
"""What null stands for: the official Python client sends it when its caller gave no number, and means 20 (O1)."""


class ImageType(StrEnum):
    """File format of a result (`extra.response_image_type`)."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"

    @property
    def media_type(self) -> str:
        """The Content-Type of such a file."""
        return f"image/{self.value}"


class Fit(IntEnum):
    """How a source picture is fitted to the asked-for size (v2 `resize_mode`); v3 always stretches."""

    STRETCH = 0
    CROP = 1
    FILL = 2
    LATENT_STRETCH = 3


class MaskFill(IntEnum):
    """What the masked area starts from (v2 `inpainting_fill`)."""

    FILL = 0
    ORIGINAL = 1
    LATENT_NOISE = 2
    LATENT_NOTHING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """A LoRA by catalogue name (`sd_name_in_api`) and weight, usually in [0, 1] (v2 prompt tags may exceed it)."""

    name: str
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hires:
    """A second, larger pass: target size in pixels, strength in [0, 1], upscaler name as sent."""

    width: int
    height: int
    strength: float
    upscaler: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refiner:
    """An SDXL refiner pass; switch_at in [0, 1], 0 means no refining."""

    checkpoint: str
    switch_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """An inpainting mask (v2 img2img): white is repainted, black is kept, unless inverted."""

    image: bytes
    """The file as sent, base64 removed (PNG, JPEG or WebP)."""
    blur: int = 4
    """Radius in pixels of the soft edge."""
    invert: bool = False
    fill: MaskFill = MaskFill.ORIGINAL
    full_res: bool = False
    """True: only the masked part is redrawn, at the full size, with `padding` pixels round it."""
    padding: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlUnit:
    """One ControlNet unit: its picture shows by `weight`, from `start` to `end` of the run (both in [0, 1])."""

    model: str
    image: bytes
    weight: float = 1.0
    preprocessor: str = "none"
    start: float = 0.0
    end: float = 1.0
    mask: bytes | None = None
    fit: Fit = Fit.STRETCH
    control_mode: int = 0
    resolution: int | None = None
    """v2 `processor_res`, pixels."""
    thresholds: tuple[int | None, int | None] = (None, None)
    """v2 `threshold_a` and `threshold_b`; what they mean depends on the preprocessor."""
    pixel_perfect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IpAdapter:
    """A picture prompt: lends its colours by `strength` in [0, 1]."""

    model: str
    image: bytes
    strength: float


@dataclass(slots=True, kw_only=True)  # not frozen: that takes six times as long to make, 3 µs of every submit
class Recipe:
    """Everything that decides the pixels of a task's pictures. Not to be changed once it is made.

    Sizes are pixels. `seed` is the seed in use, never -1. `strength` is 1.0 without a source picture.
    """

    model: str
    prompt: str
    negative_prompt: str = ""
    width: int
    height: int
    count: int
    steps: int
    guidance: float
    sampler: str
    seed: int
    vae: str | None = None
    clip_skip: int | None = None
    loras: tuple[Lora, ...] = ()
    embeddings: tuple[str, ...] = ()
    hires: Hires | None = None
    refiner: Refiner | None = None
    restore_faces: bool = False
    transparent: bool = False
    source: bytes | None = None
    """The source picture's file (img2img), base64 removed; None for txt2img."""
    strength: float = 1.0
    fit: Fit = Fit.STRETCH
    mask: Mask | None = None
    noise_multiplier: float = 1.0
    image_guidance: float | None = None
    """v2 `image_cfg_scale`: how closely to follow the source picture."""
    control_units: tuple[ControlUnit, ...] = ()
    ip_adapters: tuple[IpAdapter, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels of the delivered pictures: the hires target where there is one."""
        return (self.hires.width, self.hires.height) if self.hires else (self.width, self.height)
