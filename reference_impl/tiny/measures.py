"""Figures of what hangs on the SD 1.5-shaped checkpoint, judged by pixels like the checkpoint itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification, CLIPVisionModelWithProjection

from reference_impl.engine.upscalers import Upscaler, load_upscaler
from reference_impl.shelf import Kind, Shelf
from reference_impl.tiny import adapters, folders
from reference_impl.tiny.drawing import draw
from reference_impl.tiny.evaluate import GUIDANCE, STEPS, apart, figures, load, paint, questions
from reference_impl.tiny.extras import SUNSET, label_of
from reference_impl.tiny.hints import outline
from reference_impl.tiny.judge import look
from reference_impl.tiny.scenes import Scene, scene_of

EDGE: Final = 512
TOKEN: Final = "<sunset>"


def picture_of(scene: Scene, edge: int = EDGE) -> Image.Image:
    """A scene as drawn, without any model."""
    pixels = ((draw([scene], edge, edge)[0] + 1) * 127.5).round().byte().permute(1, 2, 0)
    return Image.fromarray(pixels.numpy())


def edges_of(scene: Scene, edge: int = EDGE) -> Image.Image:
    """A scene's outlines, white on black."""
    pixels = (outline([scene], edge, edge)[0] * 255).round().byte().permute(1, 2, 0)
    return Image.fromarray(pixels.numpy())


def lora(models: Path) -> Iterator[str]:
    """Brightness with the style and without; distance of strength 0 from none."""
    pipeline = load(models / "checkpoints" / folders.SD15_NAME)
    scenes = questions(6)
    captions = [scene.caption for scene in scenes]
    bare = paint(pipeline, captions)
    pipeline.load_lora_weights(
        str(models / "loras"), weight_name=f"{folders.LORA_NAME}.safetensors", adapter_name="style"
    )
    styled = paint(pipeline, captions)
    pipeline.set_adapters(["style"], [0.0])
    without = paint(pipeline, captions)
    yield f"lora: mean grey {_grey(bare):.0f} without, {_grey(styled):.0f} with"
    yield f"lora at strength 0: {max(apart(a, b) for a, b in zip(bare, without, strict=True)):.1f} from none"


def embedding(models: Path, count: int = 12) -> Iterator[str]:
    """How often the word brings both of its colours."""
    pipeline = load(models / "checkpoints" / folders.SD15_NAME)
    pipeline.load_textual_inversion(str(models / "embeddings" / f"{folders.EMBEDDING_NAME}.safetensors"), token=TOKEN)
    shapes = [scene.said[0].shape for scene in questions(count)]
    drawn = [look(one) for one in paint(pipeline, [f"a {shape} {TOKEN}" for shape in shapes])]
    grounds = sum(seen.background == SUNSET[1] for seen in drawn)
    colours = sum(any(piece.colour == SUNSET[0] for piece in seen.things) for seen in drawn)
    yield f"embedding: background {grounds} of {count}, colour {colours} of {count}"


def control(models: Path, count: int = 12) -> Iterator[str]:
    """How often the drawn thing has the hint's outline, its prompt naming colours alone; and without the hint."""
    pipeline, scenes = outline_follower(models), questions(count)
    for weight in (1.0, 0.5, 0.0):
        drawn = follow(pipeline, scenes, weight)
        overlaps = [overlap(scene, one) for scene, one in zip(scenes, drawn, strict=True)]
        found = figures(scenes, drawn)
        yield f"control at weight {weight:g}: {found.line()}, overlap with the outline {sum(overlaps) / count:.2f}"


def outline_follower(models: Path) -> Any:
    """The SD 1.5-shaped checkpoint with its ControlNet."""
    base = load(models / "checkpoints" / folders.SD15_NAME)
    net = ControlNetModel.from_pretrained(str(models / "controlnet" / folders.CONTROL_NAME), local_files_only=True)
    pipeline = StableDiffusionControlNetPipeline(**base.components, controlnet=net, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def outlines_followed(models: Path, count: int = 12) -> list[Image.Image]:
    """Outlines, what they lead to, and what the same prompts and seeds give without: three rows of so many."""
    pipeline, scenes = outline_follower(models), questions(count)
    return [*map(edges_of, scenes), *follow(pipeline, scenes), *follow(pipeline, scenes, 0.0)]


def follow(pipeline: Any, scenes: Sequence[Scene], weight: float = 1.0, steps: int = STEPS) -> list[Image.Image]:
    """Pictures after the scenes' outlines and colours; no prompt tells a shape."""
    captions = [f"a {scene.said[0].colour} shape on a {scene.background} background" for scene in scenes]
    return _guided(pipeline, captions, [edges_of(scene) for scene in scenes], weight, steps)


def _guided(
    pipeline: Any, captions: list[str], hints: list[Image.Image], weight: float, steps: int
) -> list[Image.Image]:
    pictures: list[Image.Image] = []
    for first in range(0, len(captions), 4):
        group = captions[first : first + 4]
        with torch.no_grad():
            pictures += pipeline(
                group,
                image=hints[first : first + 4],
                num_inference_steps=steps,
                guidance_scale=GUIDANCE,
                controlnet_conditioning_scale=weight,
                generator=[torch.Generator().manual_seed(first + at) for at in range(len(group))],
            ).images
    return pictures


def overlap(scene: Scene, picture: Image.Image) -> float:
    """Intersection over union of what stands before the background, as drawn by the scene and by the model."""
    wanted, found = _foreground(picture_of(scene, 128)), _foreground(picture.resize((128, 128), Image.Resampling.BOX))
    return float((wanted & found).sum() / max(1, (wanted | found).sum()))


def _foreground(picture: Image.Image) -> Any:
    pixels = np.asarray(picture.convert("RGB"), dtype=float)
    frame = np.concatenate([pixels[:2].reshape(-1, 3), pixels[-2:].reshape(-1, 3)])
    return np.linalg.norm(pixels - np.median(frame, axis=0), axis=-1) > 55


def image_prompt(models: Path, count: int = 12) -> Iterator[str]:
    """How often a picture's background, colour and shape come through when the text says nothing; and at scale 0."""
    pipeline = load(models / "checkpoints" / folders.SD15_NAME)
    place = models / "ip_adapter"
    eye = CLIPVisionModelWithProjection.from_pretrained(str(place / "image_encoder"), local_files_only=True)
    pipeline.register_modules(image_encoder=eye, feature_extractor=adapters.image_processor())
    pipeline.load_ip_adapter(
        str(place), subfolder="", weight_name=f"{folders.IMAGE_PROMPT_NAME}.safetensors", image_encoder_folder=None
    )
    scenes = questions(count)
    for scale in (1.0, 0.0):
        pipeline.set_ip_adapter_scale(scale)
        drawn = []
        for at, scene in enumerate(scenes):
            with torch.no_grad():
                drawn += pipeline(
                    "",
                    ip_adapter_image=picture_of(scene),
                    num_inference_steps=STEPS,
                    guidance_scale=GUIDANCE,
                    generator=torch.Generator().manual_seed(at),
                ).images
        yield f"image prompt at scale {scale:g}: {figures(scenes, drawn).line()}"


def safety(models: Path, count: int = 400) -> Iterator[str]:
    """The classifier's share of right labels on drawn scenes of each label."""
    place = str(models / "safety" / folders.SAFETY_NAME)
    network = AutoModelForImageClassification.from_pretrained(place, local_files_only=True).eval()
    processor = AutoImageProcessor.from_pretrained(place, local_files_only=True)
    scenes = [scene_of(31, index) for index in range(count)]
    with torch.no_grad():
        pixels = processor([picture_of(scene, 256) for scene in scenes], return_tensors="pt")
        found = network(**pixels).logits.argmax(-1).tolist()
    right: dict[str, list[bool]] = {label: [] for label in adapters.SAFETY_LABELS}
    for scene, label in zip(scenes, found, strict=True):
        right[adapters.SAFETY_LABELS[label_of(scene)]].append(label == label_of(scene))
    parts = [f"{label} {sum(ones)} of {len(ones)}" for label, ones in right.items()]
    yield "safety: " + ", ".join(parts)


def upscaler(models: Path, count: int = 6) -> Iterator[str]:
    """Mean error of drawn scenes that were made four times as small and large again, of 255; and by Lanczos."""
    network = enlarger(models)
    errors: dict[str, list[float]] = {"the network": [], "Lanczos": []}
    for scene in questions(count):
        whole = picture_of(scene)
        small = whole.resize((EDGE // 4, EDGE // 4), Image.Resampling.BOX)
        errors["the network"].append(apart(whole, network.picture(small)))
        errors["Lanczos"].append(apart(whole, small.resize(whole.size, Image.Resampling.LANCZOS)))
    parts = [f"{name} {sum(found) / count:.2f}" for name, found in errors.items()]
    yield f"upscaler, error of 255: {', '.join(parts)}"


def enlarger(models: Path) -> Upscaler:
    """The upscaler, as the server loads it."""
    model = Shelf(models).find(Kind.UPSCALER, folders.UPSCALER_NAME)
    if model is None:
        raise FileNotFoundError(models / "upscaler" / f"{folders.UPSCALER_NAME}.safetensors")
    return load_upscaler(model, torch.device("cpu"), torch.float32)


def _grey(pictures: list[Image.Image]) -> float:
    return float(np.mean([np.asarray(one.convert("L"), dtype=float).mean() for one in pictures]))


ALL: Final = (lora, embedding, control, image_prompt, safety, upscaler)
