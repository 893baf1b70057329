"""The `parameters` text that tools for Stable Diffusion read from a picture's file (A1111's form)."""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.jobs import Job


def parameters(job: Job, seed: int, digest: str = "") -> str:
    """What a picture was made from, in A1111's words.

    Args:
        job: the job.
        seed: of this picture.
        digest: of the checkpoint, for "Model hash"; left out when empty.
    """
    lines = [_with_loras(job)]
    if job.negative_prompt:
        lines.append(f"Negative prompt: {job.negative_prompt}")
    lines.append(", ".join(f"{name}: {_quoted(value)}" for name, value in _settings(job, seed, digest)))
    return "\n".join(lines)


def _with_loras(job: Job) -> str:
    """The prompt with its LoRAs as tags, wherever the request had them: so it makes the same picture in A1111."""
    tags = "".join(f" <lora:{lora.name}:{lora.strength:g}>" for lora in job.loras)
    return job.prompt + tags


def _settings(job: Job, seed: int, digest: str) -> Iterator[tuple[str, str]]:
    yield "Steps", str(job.steps)
    yield "Sampler", job.sampler
    yield "CFG scale", f"{job.guidance:g}"
    yield "Seed", str(seed)
    yield "Size", f"{job.width}x{job.height}"
    if digest:
        yield "Model hash", digest.lower()
    yield "Model", job.model.removesuffix(".safetensors")
    if job.vae:
        yield "VAE", job.vae
    if job.source is not None:
        yield "Denoising strength", f"{job.strength:g}"
    if job.clip_skip is not None and job.clip_skip > 1:
        yield "Clip skip", str(job.clip_skip)
    if job.mask is not None:
        yield "Mask blur", str(job.mask.blur)
    if job.noise_multiplier != 1.0:
        yield "Noise multiplier", f"{job.noise_multiplier:g}"
    if job.hires is not None:
        yield "Denoising strength", f"{job.hires.strength:g}"
        yield "Hires resize", f"{job.hires.width}x{job.hires.height}"
        yield "Hires upscaler", job.hires.upscaler
    if job.refiner is not None:
        yield "Refiner", job.refiner.checkpoint.removesuffix(".safetensors")
        yield "Refiner switch at", f"{job.refiner.switch_at:g}"
    for i, control in enumerate(job.controls):
        yield f"ControlNet {i}", f"Module: {control.preprocessor}, Model: {control.model}, Weight: {control.weight:g}"


def _quoted(value: str) -> str:
    """A value that holds a separator in quotes, as A1111 reads it back."""
    if not {",", ":", "\n", '"'} & set(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
