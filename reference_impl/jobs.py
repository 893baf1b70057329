"""What an engine is asked to draw: the one value that HTTP, queue and engine share. No torch and no HTTP here.

A job is complete: defaults are filled in, the seed is drawn, source pictures are files that have been judged already.
Names of models are those of the shelf (`reference_impl.shelf`). Equal jobs give equal pixels on the same device.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class FileFormat(StrEnum):
    """File format of a finished picture (`extra.response_image_type`)."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"

    @property
    def media_type(self) -> str:
        """The Content-Type of such a file."""
        return f"image/{self.value}"


class Resize(IntEnum):
    """How a source picture is brought to the size asked for (v2 `resize_mode`); v3 stretches."""

    STRETCH = 0
    CROP = 1
    PAD = 2
    LATENT = 3


class MaskStart(IntEnum):
    """What the masked area starts from (v2 `inpainting_fill`)."""

    FILL = 0
    ORIGINAL = 1
    LATENT_NOISE = 2
    LATENT_NOTHING = 3


class Guess(IntEnum):
    """What leads, prompt or control picture (v2 `control_mode`)."""

    BALANCED = 0
    PROMPT = 1
    CONTROL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """A LoRA by its name on the shelf, and its weight; 0 changes nothing."""

    name: str
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hires:
    """A second pass at a larger size: pixels, strength in [0, 1], upscaler by the name in the request."""

    width: int
    height: int
    strength: float
    upscaler: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refiner:
    """The checkpoint that takes over after the share `switch_at` of the steps, in [0, 1]; 1 leaves it nothing."""

    checkpoint: str
    switch_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """Where an img2img job may paint: white is painted anew, black is kept, unless inverted (v2 img2img).

    Attributes:
        file: PNG, JPEG or WebP, any size; it is brought to the source's.
        blur: radius in pixels of the soft edge.
        whole: the whole picture is drawn; False draws only the masked part, at full size, `padding` pixels round it.
    """

    file: bytes
    blur: int = 4
    invert: bool = False
    start: MaskStart = MaskStart.ORIGINAL
    whole: bool = True
    padding: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One ControlNet or T2I-Adapter: its picture leads by `weight` between the shares `start` and `end` of the steps.

    Attributes:
        file: the picture, before the preprocessor has seen it.
        resolution: pixels at which the preprocessor works; None lets it choose.
        thresholds: of the preprocessor; what they mean depends on it.
    """

    model: str
    file: bytes
    weight: float = 1.0
    preprocessor: str = "none"
    start: float = 0.0
    end: float = 1.0
    mask: bytes | None = None
    resize: Resize = Resize.STRETCH
    guess: Guess = Guess.BALANCED
    resolution: int | None = None
    thresholds: tuple[float | None, float | None] = (None, None)
    pixel_perfect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePrompt:
    """An IP-Adapter by its name on the shelf, the picture that speaks, and how loud, in [0, 1]."""

    model: str
    file: bytes
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything that decides the pixels of one task.

    Attributes:
        count: pictures; picture i is made from seed + i.
        clip_skip: layers counted from the end as A1111 does: 1 is the last layer; None is the checkpoint's habit.
        source: the picture that img2img starts from; None for txt2img.
        strength: of img2img in [0, 1]; 0 keeps the source.
        source_guidance: how closely a checkpoint for instructions follows the source (v2 `image_cfg_scale`).
    """

    model: str
    prompt: str
    negative_prompt: str = ""
    width: int
    height: int
    count: int = 1
    steps: int = 20
    guidance: float = 7.5
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
    strength: float = 1.0
    resize: Resize = Resize.STRETCH
    mask: Mask | None = None
    noise_multiplier: float = 1.0
    source_guidance: float | None = None
    controls: tuple[Control, ...] = ()
    picture_prompts: tuple[PicturePrompt, ...] = ()
    file_format: FileFormat = FileFormat.PNG
    nsfw_level: int | None = None
    """How strict the detector is asked to be, 0 to 2; None: nobody asks."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the finished pictures in pixels."""
        return (self.hires.width, self.hires.height) if self.hires else (self.width, self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nsfw:
    """What a detector says of a picture.

    Attributes:
        valid: whether a detector has looked at all (the contract's word for it).
        confidence: in percent, 0 to 100; 0 where nothing was found or nobody looked.
    """

    valid: bool
    confidence: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """One finished picture: a file in the job's format, with the `parameters` text inside, and the seed it is from."""

    file: bytes
    seed: int
    width: int
    height: int
    nsfw: Nsfw | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far a batch has come: calls of the network, done and in all; now and then a small PNG of it."""

    done: int
    total: int
    preview: bytes | None = None


class CannotDraw(Exception):
    """A job that this server cannot carry out: a model without its weights, memory that does not suffice.

    Args:
        reason: for the user: what is missing and what helps.
        code: machine-readable, such as `UNSUPPORTED` or `OUT_OF_MEMORY`.
    """

    def __init__(self, reason: str, code: str = "UNSUPPORTED") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class Cancelled(Exception):
    """Raised from a step's callback: nobody wants the pictures any more."""
