"""The texts in a picture file: the `parameters` that Stable Diffusion tools read, and a small JSON for programs.

Form of the first, as the web interface of AUTOMATIC1111 writes and reads it: the prompt; a line that begins with
"Negative prompt: "; last, one line of `Key: value` pairs with commas between, where a value that holds a comma, a
colon, a quotation mark or a line break is written as a JSON string. LoRAs stand in the prompt as `<lora:name:weight>`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import blake2b

from mockserver.core.recipe import Fit, MaskFill, Recipe

from . import exif, png
from .receipt import Origin, Parent, Receipt

KEYWORD = "parameters"
MACHINE_KEYWORD = "novita-mock"
_VERSION = 1

_FITS = {
    Fit.STRETCH: "Just Resize",
    Fit.CROP: "Crop and Resize",
    Fit.FILL: "Resize and Fill",
    Fit.LATENT_STRETCH: "Just Resize (latent upscale)",
}
_FILLS = {
    MaskFill.FILL: "fill",
    MaskFill.ORIGINAL: "original",
    MaskFill.LATENT_NOISE: "latent noise",
    MaskFill.LATENT_NOTHING: "latent nothing",
}
_CONTROL_MODES = ("Balanced", "My prompt is more important", "ControlNet is more important")


def parameters_text(recipe: Recipe, index: int) -> str:
    """The generation parameters of one picture of a recipe, in the form described above.

    The size is that of the first pass, as the tools expect; the seed is the task's, with the picture's place in the
    batch beside it.
    """
    tags = [f"<lora:{lora.name}:{lora.strength:g}>" for lora in recipe.loras]
    prompt = " ".join([recipe.prompt, *(tag for tag in tags if tag not in recipe.prompt)]).strip()
    lines = [prompt]
    if recipe.negative_prompt:
        lines.append(f"Negative prompt: {recipe.negative_prompt}")
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in _pairs(recipe, index)))
    text = "\n".join(lines).strip()
    # what no text chunk can hold becomes a sign that every one can: so the text in a file is always this one
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def machine_text(digest: bytes, index: int, recipe: Recipe, parent: Receipt | None) -> str:
    """The receipt as JSON in ASCII, with that of the source picture where it carried one."""
    content: dict[str, object] = {
        "version": _VERSION,
        "digest": digest.hex(),
        "index": index,
        "seed": recipe.seed % (1 << 64),
    }
    if parent:
        content["parent"] = {"digest": parent.digest.hex(), "index": parent.index, "seed": parent.seed}
    return json.dumps(content, separators=(",", ":"))


def read_parameters(data: bytes) -> str | None:
    """The `parameters` text of a PNG, JPEG or WebP file, or None where it has none that can be read."""
    if data.startswith(png.SIGNATURE):
        return png.text_chunks(data).get(KEYWORD)
    return exif.read(exif.block_of(data)).comment


def read_machine_text(data: bytes) -> Receipt | None:
    """The receipt that the file's text states, or None; pixels are not looked at."""
    if data.startswith(png.SIGNATURE):
        text = png.text_chunks(data).get(MACHINE_KEYWORD)
    else:
        text = exif.read(exif.block_of(data)).description
    if not text or len(text) > 4096:
        return None
    try:
        content = json.loads(text)
        if content["version"] != _VERSION:
            return None
        parent = content.get("parent")
        return Receipt(
            digest=_digest(content),
            index=int(content["index"]),
            seed=int(content["seed"]),
            origin=Origin.TEXT,
            parent=parent and Parent(digest=_digest(parent), index=int(parent["index"]), seed=int(parent["seed"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # somebody else's text under our keyword


def _digest(content: dict[str, str]) -> bytes:
    return bytes.fromhex(content["digest"])


def _pairs(recipe: Recipe, index: int) -> Iterator[tuple[str, object]]:
    yield "Steps", recipe.steps
    yield "Sampler", recipe.sampler
    yield "CFG scale", recipe.guidance
    yield "Seed", recipe.seed
    if recipe.restore_faces:
        yield "Face restoration", "CodeFormer"
    yield "Size", f"{recipe.width}x{recipe.height}"
    yield "Model", _stem(recipe.model)
    if recipe.vae:
        yield "VAE", recipe.vae
    if recipe.source is not None:
        yield "Denoising strength", recipe.strength
    elif recipe.hires:
        yield "Denoising strength", recipe.hires.strength
    if recipe.clip_skip is not None:
        yield "Clip skip", recipe.clip_skip
    if recipe.noise_multiplier != 1:
        yield "Noise multiplier", recipe.noise_multiplier
    yield from _mask_pairs(recipe)
    if hires := recipe.hires:
        yield "Hires upscale", round(hires.width / recipe.width, 4)
        yield "Hires resize", f"{hires.width}x{hires.height}"
        yield "Hires upscaler", hires.upscaler
    if recipe.refiner:
        yield "Refiner", _stem(recipe.refiner.checkpoint)
        yield "Refiner switch at", recipe.refiner.switch_at
    for number, unit in enumerate(recipe.control_units):
        parts: dict[str, object] = {
            "Module": unit.preprocessor,
            "Model": unit.model,
            "Weight": unit.weight,
            "Resize Mode": _FITS[unit.fit],
            "Guidance Start": unit.start,
            "Guidance End": unit.end,
            "Control Mode": _CONTROL_MODES[unit.control_mode] if 0 <= unit.control_mode < 3 else unit.control_mode,
        }
        yield f"ControlNet {number}", ", ".join(f"{key}: {_number(value)}" for key, value in parts.items())
    for number, adapter in enumerate(recipe.ip_adapters):
        yield f"IP-Adapter {number}", f"Model: {adapter.model}, Weight: {_number(adapter.strength)}"
    if recipe.loras:
        yield "Lora hashes", ", ".join(f"{lora.name}: {_hash_of_name(lora.name)}" for lora in recipe.loras)
    if recipe.embeddings:
        yield "TI hashes", ", ".join(f"{name}: {_hash_of_name(name)}" for name in recipe.embeddings)
    if recipe.transparent:
        yield "Transparent background", True
    if recipe.count > 1:
        yield "Batch size", recipe.count
        yield "Batch pos", index
    yield "Version", "novita-mock"


def _mask_pairs(recipe: Recipe) -> Iterator[tuple[str, object]]:
    if recipe.source is not None and recipe.fit is not Fit.STRETCH:
        yield "Resize mode", _FITS[recipe.fit]
    if mask := recipe.mask:
        yield "Mask blur", mask.blur
        if mask.invert:
            yield "Mask mode", "Inpaint not masked"
        yield "Masked content", _FILLS[mask.fill]
        if mask.full_res:
            yield "Inpaint area", "Only masked"
            yield "Masked area padding", mask.padding


def _hash_of_name(name: str) -> str:
    """Twelve digits that stand for a file that the mock does not have: made from the name."""
    return blake2b(name.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _stem(name: str) -> str:
    """A checkpoint as the tools name it: without the ending of its file."""
    return name.removesuffix(".safetensors") or name


def _quoted(value: object) -> str:
    text = _number(value)
    plain = text.strip() == text and not any(sign in text for sign in ',:"\n\r')
    return text if plain and text else json.dumps(text, ensure_ascii=False)


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
