"""The request of image to image on v3: what is refused though it is right."""

from __future__ import annotations

from typing import Any

from conformance.bodies import IMG2IMG
from conformance.mutants.making import ABSENT, refuses
from conformance.mutants.values import Answer, Mutant, Request, State, refusal
from conformance.mutants.wanted import MEGABYTE, between, depicts, entries, filled, text


def _refuses(name: str, number: str, words: str, field: str, good: Any, **more: Any) -> Mutant:
    return refuses(f"i2i-refuses-{name}", f"V3-IMG2IMG-{number}", words, IMG2IMG, f"request.{field}", good, **more)


def _file_in_letters(state: State, request: Request) -> Request | Answer:
    """Counts the letters of base64 as bytes of the file."""
    hit = request.operation == IMG2IMG and 10 * MEGABYTE < request.length <= 10 * MEGABYTE * 4 / 3 + 20_000
    return refusal(IMG2IMG, "IMAGE_FILE_EXCEEDS_MAX_SIZE") if hit else request


MUTANTS = (
    _refuses("bodies-without-strength", "001", "A body without strength is refused.", "strength", ABSENT),
    _refuses("bodies-without-negative", "001", "A body without negative_prompt is refused.", "negative_prompt", ABSENT),
    _refuses("null-strength", "002", "A strength of null is refused.", "strength", None),
    _refuses("strength-in-between", "002", "A strength inside its range is refused.", "strength", between(0.1, 0.9)),
    _refuses("negative-prompts", "002", "A negative_prompt is refused.", "negative_prompt", filled),
    _refuses("clip-skip", "002", "A clip_skip inside its range is refused.", "clip_skip", between(1, 12)),
    _refuses("seeds", "002", "A seed of usual size is refused.", "seed", between(-1, 2**31)),
    _refuses("strength-0", "005", "A strength of 0 is refused.", "strength", 0),
    _refuses("strength-1", "005", "A strength of 1 is refused.", "strength", 1),
    _refuses("width-2048", "005", "A width of 2048 is refused.", "width", 2048),
    _refuses("height-2048", "005", "A height of 2048 is refused.", "height", 2048),
    _refuses("eight-pictures", "005", "Eight pictures are refused.", "image_num", 8),
    _refuses("one-step", "005", "A single step is refused.", "steps", 1),
    _refuses("steps-100", "005", "100 steps are refused.", "steps", 100),
    _refuses("guidance-30", "005", "A guidance_scale of 30 is refused.", "guidance_scale", 30),
    _refuses("guidance-1", "005", "A guidance_scale of 1 is refused.", "guidance_scale", 1),
    _refuses("clip-skip-12", "005", "A clip_skip of 12 is refused.", "clip_skip", 12),
    _refuses("seed-minus-1", "005", "A seed of -1 is refused.", "seed", -1, also=("V3-IMG2IMG-002",)),
    _refuses("lora-strength-0", "005", "A LoRA of strength 0 is refused.", "loras[].strength", 0),
    _refuses("five-loras", "005", "Five LoRAs are refused.", "loras", entries(5)),
    _refuses("five-embeddings", "005", "Five embeddings are refused.", "embeddings", entries(5)),
    _refuses("plms", "006", "The sampler PLMS is refused.", "sampler_name", "PLMS"),
    _refuses(
        "karras", "006", "Samplers of Karras are refused.", "sampler_name", lambda name: text(name) and "Karras" in name
    ),
    _refuses("listed-vaes", "014", "Listed VAEs are refused.", "sd_vae", filled, also=("V3-IMG2IMG-002",)),
    _refuses(
        "listed-loras",
        "014",
        "A LoRA must be named with its ending.",
        "loras[].model_name",
        lambda name: filled(name) and "." not in name,
        also=("V3-IMG2IMG-002", "V3-IMG2IMG-005"),
    ),
    Mutant(
        name="i2i-letters-count-as-bytes",
        breaks="V3-IMG2IMG-019",
        text="A source picture file of 9 MB is refused, for its base64 has more than 10 MB.",
        request=_file_in_letters,
        ops=(IMG2IMG,),
    ),
    _refuses(
        "jpeg", "019", "A source picture in JPEG is refused.", "image_base64", depicts(lambda one: one.format == "JPEG")
    ),
    _refuses(
        "panoramas",
        "019",
        "A source picture four times as wide as high is refused.",
        "image_base64",
        depicts(lambda one: one.width >= 4 * one.height and one.height >= 32),
    ),
    _refuses(
        "odd-sides",
        "019",
        "The sides of a source picture must be even.",
        "image_base64",
        depicts(lambda one: one.width < 4096 and (one.width % 2 == 1 or one.height % 2 == 1)),
    ),
    _refuses(
        "large-pictures",
        "019",
        "A source picture of more than 2048 x 2048 is refused.",
        "image_base64",
        depicts(lambda one: 2048 * 2048 < one.width * one.height <= 16 * 1024 * 1024),
    ),
)
