"""The request of text to image on v3: what is refused though it is right."""

from __future__ import annotations

from typing import Any

from conformance.bodies import TXT2IMG
from conformance.mutants.making import ABSENT, refuses, refuses_when, value_at
from conformance.mutants.making import places as at
from conformance.mutants.values import Mutant
from conformance.predicates import type_name


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return type_name(value) in ("integer", "number")


def _inside(least: float, most: float) -> Any:
    return lambda value: _number(value) and least < value < most


def _entries(count: int) -> Any:
    return lambda value: isinstance(value, list) and len(value) == count


def _transparent(body: Any) -> bool:
    return any(value_at(place) is True for place in at(body, "request.enable_transparent_background"))


def _image_type(body: Any) -> Any:
    extra = body.get("extra")
    return extra.get("response_image_type", ABSENT) if isinstance(extra, dict) else ABSENT


def _too_many_bytes(body: Any) -> bool:
    return any(
        _text(value_at(place)) and len(value_at(place).encode()) > 1024 >= len(value_at(place))
        for place in at(body, "request.prompt")
    )


def _refuses(name: str, number: str, text: str, field: str, good: Any, **more: Any) -> Mutant:
    return refuses(f"refuses-{name}", f"V3-TXT2IMG-{number}", text, TXT2IMG, f"request.{field}", good, **more)


MUTANTS = (
    _refuses("short-bodies", "001", "A body without negative_prompt is refused.", "negative_prompt", ABSENT),
    _refuses("bodies-without-seed", "001", "A body without seed is refused.", "seed", ABSENT),
    _refuses(
        "negative-prompts",
        "002",
        "A negative_prompt of usual length is refused.",
        "negative_prompt",
        lambda text: _text(text) and 0 < len(text) < 1024,
    ),
    _refuses("restore-faces", "002", "restore_faces true is refused.", "restore_faces", True),
    _refuses("refiners", "002", "A refiner that switches in between is refused.", "refiner.switch_at", _inside(0, 1)),
    _refuses("clip-skip-in-between", "002", "A clip_skip inside its range is refused.", "clip_skip", _inside(1, 12)),
    _refuses("width-2048", "006", "A width of 2048 is refused.", "width", 2048),
    _refuses("height-2048", "006", "A height of 2048 is refused.", "height", 2048),
    _refuses("eight-pictures", "006", "Eight pictures are refused.", "image_num", 8),
    _refuses("one-step", "006", "A single step is refused.", "steps", 1),
    _refuses("steps-100", "006", "100 steps are refused.", "steps", 100),
    _refuses("guidance-30", "006", "A guidance_scale of 30 is refused.", "guidance_scale", 30),
    _refuses("guidance-1", "006", "A guidance_scale of 1 is refused.", "guidance_scale", 1),
    _refuses("clip-skip-12", "006", "A clip_skip of 12 is refused.", "clip_skip", 12),
    _refuses("five-loras", "006", "Five LoRAs are refused.", "loras", _entries(5)),
    _refuses("five-embeddings", "006", "Five embeddings are refused.", "embeddings", _entries(5)),
    _refuses("lora-strength-0", "006", "A LoRA of strength 0 is refused.", "loras[].strength", 0),
    _refuses(
        "prompts-of-1024",
        "006",
        "A prompt of 1024 characters is refused.",
        "prompt",
        lambda text: _text(text) and len(text) == 1024 and text.isascii(),
    ),
    _refuses(
        "negative-prompts-of-1024",
        "006",
        "A negative_prompt of 1024 is refused.",
        "negative_prompt",
        lambda text: _text(text) and len(text) == 1024,
    ),
    _refuses("switch-at-1", "006", "A refiner that never switches is refused.", "refiner.switch_at", 1),
    _refuses("hires-strength-0", "006", "A hires strength of 0 is refused.", "hires_fix.strength", 0),
    _refuses("plms", "007", "The sampler PLMS is refused.", "sampler_name", "PLMS"),
    _refuses("unipc", "007", "The sampler UniPC is refused.", "sampler_name", "UniPC"),
    _refuses("latent-upscaler", "007", "The upscaler Latent is refused.", "hires_fix.upscaler", "Latent"),
    _refuses("hires-without-upscaler", "007", "hires_fix needs an upscaler.", "hires_fix.upscaler", ABSENT),
    refuses_when("refuses-many-bytes", "V3-TXT2IMG-010", "A prompt is measured in bytes.", TXT2IMG, _too_many_bytes),
    _refuses(
        "listed-vaes",
        "023",
        "The names of listed VAEs are refused.",
        "sd_vae",
        lambda name: _text(name) and bool(name),
        also=("V3-TXT2IMG-002",),
    ),
    _refuses(
        "listed-embeddings",
        "023",
        "An embedding must be named with its ending.",
        "embeddings[].model_name",
        lambda name: _text(name) and "." not in name and bool(name),
        also=("V3-TXT2IMG-002", "V3-TXT2IMG-006"),
    ),
    refuses_when(
        "refuses-transparent-png",
        "V3-TXT2IMG-027",
        "A transparent png is refused.",
        TXT2IMG,
        lambda body: _transparent(body) and _image_type(body) == "png",
    ),
    refuses_when(
        "refuses-transparent-default",
        "V3-TXT2IMG-027",
        "A transparent background needs a type.",
        TXT2IMG,
        lambda body: _transparent(body) and _image_type(body) is ABSENT,
    ),
)
