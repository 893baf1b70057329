"""A contact sheet of what the mock draws: `python -m mockserver.pictures.gallery OUT.png`.

Every tile is made by the public functions from a recipe, so the sheet shows what users get.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from mockserver.core.recipe import (
    ControlUnit,
    Fit,
    Hires,
    ImageType,
    IpAdapter,
    Lora,
    Mask,
    MaskFill,
    Recipe,
    Refiner,
)

from . import NotAReceipt, Origin, decode, preview, render

_TILE, _GAP, _LABEL, _COLUMNS = 228, 14, 22, 6
_PAPER, _INK = (250, 249, 246), (40, 40, 46)

BASE = Recipe(
    model="dreamshaper_8_93211.safetensors",
    prompt="a lighthouse on a cliff at dawn, volumetric light",
    width=512,
    height=512,
    count=4,
    steps=20,
    guidance=7.5,
    sampler="Euler a",
    seed=42,
)


def scene(width: int = 512, height: int = 512) -> bytes:
    """A small landscape as a PNG file: the source and control picture of the examples."""
    image = Image.linear_gradient("L").resize((width, height))
    top, bottom = Image.new("RGB", image.size, (64, 98, 168)), Image.new("RGB", image.size, (250, 206, 160))
    sky = Image.composite(bottom, top, image)
    draw = ImageDraw.Draw(sky)
    x, y = width / 512, height / 512
    draw.ellipse((330 * x, 90 * y, 420 * x, 180 * y), fill=(255, 240, 190))
    draw.polygon(
        [(0, 330 * y), (150 * x, 250 * y), (330 * x, 360 * y), (512 * x, 300 * y), (width, height), (0, height)],
        (74, 112, 98),
    )
    draw.polygon([(0, 420 * y), (220 * x, 350 * y), (512 * x, 450 * y), (width, height), (0, height)], (38, 66, 66))
    draw.polygon([(140 * x, 370 * y), (150 * x, 180 * y), (190 * x, 180 * y), (200 * x, 370 * y)], (240, 236, 226))
    draw.rectangle((147 * x, 240 * y, 194 * x, 275 * y), (196, 60, 54))
    draw.rectangle((143 * x, 305 * y, 198 * x, 338 * y), (196, 60, 54))
    draw.polygon([(144 * x, 180 * y), (170 * x, 140 * y), (196 * x, 180 * y)], (196, 60, 54))
    return _file(sky)


def mask(width: int = 512, height: int = 512) -> bytes:
    """White where the scene's sun is: the part to repaint."""
    image = Image.new("L", (width, height))
    ImageDraw.Draw(image).ellipse((width * 0.55, height * 0.1, width * 0.92, height * 0.45), fill=255)
    return _file(image)


def examples() -> Iterator[tuple[str, bytes]]:
    """A label and a picture file for each tile of the sheet."""
    png = ImageType.PNG
    yield "txt2img", render(BASE, 0, png)
    yield "the next of the same task", render(BASE, 1, png)
    yield "another seed", render(replace(BASE, seed=7), 0, png)
    yield "another model", render(replace(BASE, model="sd_xl_base_1.0.safetensors"), 0, png)
    yield "a third model", render(replace(BASE, model="realisticVisionV51_v51VAE_94301.safetensors"), 0, png)
    yield "portrait, 512 x 768", render(replace(BASE, height=768, prompt="portrait of a gardener, film grain"), 0, png)
    loras = (Lora(name="add_detail_44319", strength=0.7), Lora(name="foodphoto", strength=0.25))
    yield "LoRAs, an embedding", render(replace(BASE, loras=loras, embeddings=("easynegative",)), 0, png)
    hires = Hires(width=1024, height=1024, strength=0.6, upscaler="RealESRGAN_x4plus_anime_6B")
    yield "hires to 1024 x 1024", render(replace(BASE, hires=hires), 0, png)
    yield "another upscaler", render(replace(BASE, hires=replace(hires, upscaler="Latent", strength=1.0)), 0, png)
    refiner = Refiner(checkpoint="sd_xl_refiner_1.0.safetensors", switch_at=0.5)
    yield "refiner at 0.5", render(replace(BASE, refiner=refiner), 0, png)
    yield "VAE, clip skip 9", render(replace(BASE, vae="vae-ft-mse-840000-ema-pruned", clip_skip=9), 0, png)
    yield "faces, transparent", render(replace(BASE, restore_faces=True, transparent=True), 0, png)
    source = scene()
    for strength in (0.0, 0.3, 0.6, 0.85):
        yield f"img2img, strength {strength:g}", render(replace(BASE, source=source, strength=strength), 0, png)
    wide = replace(BASE, source=scene(768, 384), strength=0.15)
    yield "resize mode crop", render(replace(wide, fit=Fit.CROP), 0, png)
    yield "resize mode fill", render(replace(wide, fit=Fit.FILL), 0, png)
    painted = replace(BASE, source=source, strength=0.8, mask=Mask(image=mask(), blur=6))
    yield "inpainting", render(painted, 0, png)
    inverted = Mask(image=mask(), invert=True, blur=6)
    yield "mask inverted", render(replace(painted, mask=inverted), 0, png)
    noise = Mask(image=mask(), fill=MaskFill.LATENT_NOISE)
    yield "fill with noise", render(replace(painted, strength=0.4, mask=noise), 0, png)
    only = Mask(image=mask(), full_res=True)
    yield "masked only, full size", render(replace(painted, mask=only), 0, png)
    unit = ControlUnit(model="control_v11p_sd15_canny", image=source, preprocessor="canny")
    yield "ControlNet canny", render(replace(BASE, control_units=(unit,)), 0, png)
    depth = replace(unit, preprocessor="depth", model="control_v11f1p_sd15_depth")
    yield "ControlNet depth", render(replace(BASE, control_units=(depth,)), 0, png)
    yield (
        "weight 0.4, pose",
        render(replace(BASE, control_units=(replace(unit, preprocessor="openpose", weight=0.4),)), 0, png),
    )
    adapter = IpAdapter(model="ip-adapter_sd15.bin", image=source, strength=1.0)
    yield "IP-Adapter", render(replace(BASE, ip_adapters=(adapter,)), 0, png)
    for progress in (0.1, 0.4, 0.8):
        yield f"preview at {progress:.0%}", preview(BASE, 0, progress)
    yield "128 x 128", render(replace(BASE, width=128, height=128), 0, png)


def sheet() -> Image.Image:
    """All examples with their labels; (text) and (none) tell where the receipt is when pixels do not hold it."""
    tiles = list(examples())
    rows = -(-len(tiles) // _COLUMNS)
    step_x, step_y = _TILE + _GAP, _TILE + _LABEL + _GAP
    canvas = Image.new("RGB", (_COLUMNS * step_x + _GAP, rows * step_y + _GAP), _PAPER)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(13)
    for number, (label, data) in enumerate(tiles):
        x, y = _GAP + number % _COLUMNS * step_x, _GAP + number // _COLUMNS * step_y
        image = Image.open(BytesIO(data))
        image.thumbnail((_TILE, _TILE), Image.Resampling.LANCZOS)
        at = (x + (_TILE - image.width) // 2, y + (_TILE - image.height) // 2)
        canvas.paste(image, at, image if image.mode == "RGBA" else None)
        draw.text((x, y + _TILE + 3), label + _origin(data), fill=_INK, font=font)
    return canvas


def _origin(data: bytes) -> str:
    """Where the receipt was read, in a word; nothing for the pixels, where it belongs."""
    try:
        return "" if decode(data).origin is Origin.PIXELS else " (text)"
    except NotAReceipt:
        return " (none)"


def _file(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def main(arguments: list[str]) -> int:
    """Write the sheet to the path given; 2 without one."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m mockserver.pictures.gallery OUT.png\n")
        return 2
    colours = sheet().quantize(160, dither=Image.Dither.NONE)
    colours.save(Path(arguments[0]), optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
