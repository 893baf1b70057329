"""Pictures outside of the network: fitted, cut, masked, enlarged, written to files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from reference_impl.engine import pictures, preview
from reference_impl.engine.engine import LocalEngine
from reference_impl.engine.files import as_file
from reference_impl.engine.infotext import parameters
from reference_impl.engine.plan import whole_canvas
from reference_impl.engine.upscalers import Upscaler, enlarged
from reference_impl.jobs import CannotDraw, Control, FileFormat, Hires, Job, Lora, Mask, Refiner, Resize
from tests.reference.engine.conftest import png


def halves(width: int, height: int) -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", (width, height), "red")
    picture.paste("blue", (width // 2, 0, width, height))
    return picture


def test_stretching_keeps_all_cropping_the_middle_and_padding_the_shape() -> None:
    source = halves(80, 40)
    stretched, cropped, padded = (
        pictures.fitted(source, (40, 40), mode) for mode in (Resize.STRETCH, Resize.CROP, Resize.PAD)
    )
    assert stretched.size == cropped.size == padded.size == (40, 40)
    assert cropped.getpixel((5, 20)) == (255, 0, 0)
    assert padded.getpixel((5, 1)) == (255, 0, 0), "the edge goes on into the margin"
    assert padded.getpixel((35, 38)) == (0, 0, 255)


def test_a_part_beyond_the_edge_repeats_it() -> None:
    picture = pictures.cut(halves(8, 4), (-3, -2, 11, 7))
    assert picture.size == (14, 9)
    assert {picture.getpixel((0, y)) for y in range(9)} == {(255, 0, 0)}
    assert {picture.getpixel((13, y)) for y in range(9)} == {(0, 0, 255)}


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([8, 32, 64]))
def test_a_canvas_is_a_multiple_of_the_factor_and_gives_the_picture_back(width: int, height: int, factor: int) -> None:
    canvas = whole_canvas((width, height), factor)
    assert (canvas.width % factor, canvas.height % factor) == (0, 0)
    assert 0 <= canvas.width - width < factor
    picture = halves(width, height)
    assert canvas.placed(canvas.shown(picture)).tobytes() == picture.tobytes()


@given(st.data())
def test_the_part_round_a_mask_holds_it_and_has_the_shape_where_it_can(data: Any) -> None:
    width, height = data.draw(st.integers(8, 200)), data.draw(st.integers(8, 200))
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    mask = Image.new("L", (width, height), 0)
    mask.paste(255, (left, top, right, bottom))
    padding = data.draw(st.integers(0, 40))
    box = pictures.around(mask, padding, (data.draw(st.integers(1, 64)), data.draw(st.integers(1, 64))))
    assert box is not None
    assert 0 <= box[0] <= left
    assert 0 <= box[1] <= top
    assert right <= box[2] <= width
    assert bottom <= box[3] <= height


def test_what_is_masked_is_filled_with_the_colours_around_it() -> None:
    picture = halves(64, 64)
    mask = Image.new("L", (64, 64), 0)
    for x in (8, 40):
        mask.paste(255, (x, 24, x + 16, 40))
        ImageDraw.Draw(picture).rectangle((x, 24, x + 15, 39), fill="white")
    filled = np.asarray(pictures.filled(picture, mask)).astype(int)
    assert np.abs(filled[24:40, 8:24] - (255, 0, 0)).max() < 60
    assert np.abs(filled[24:40, 40:56] - (0, 0, 255)).max() < 60
    assert np.array_equal(filled[:20], np.asarray(picture).astype(int)[:20])


def test_transparency_of_a_source_is_white_and_its_exif_turns_it() -> None:
    assert pictures.opened(png(Image.new("RGBA", (2, 2), (255, 0, 0, 0)))).getpixel((0, 0)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    halves(8, 4).save(file, "JPEG", exif=exif)
    assert pictures.opened(file.getvalue()).size == (4, 8)


def test_a_file_that_is_no_picture_is_refused() -> None:
    with pytest.raises(CannotDraw, match="cannot be read"):
        pictures.opened(b"no picture")


# ---- enlarging


def test_tiles_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    network = Upscaler(4, 2, 1).eval()
    picture = halves(70, 50)
    with torch.no_grad():
        whole = network.picture(picture)
        monkeypatch.setattr("reference_impl.engine.upscalers.TILE", 24)
        tiled = network.picture(picture)
    assert whole.size == tiled.size == (280, 200)
    assert np.abs(np.asarray(whole).astype(int) - np.asarray(tiled)).max() <= 1


def test_resamplers_need_no_weights(engine: LocalEngine) -> None:
    nearest = enlarged(halves(8, 8), "Nearest", (32, 16), engine.tools)
    assert nearest.size == (32, 16)
    assert {nearest.getpixel((x, 3)) for x in range(32)} == {(255, 0, 0), (0, 0, 255)}


def test_a_network_that_folds_pixels_enlarges_less() -> None:
    with torch.no_grad():
        assert Upscaler(4, 2, 1, entry=12).eval().picture(halves(30, 22)).size == (60, 44)


# ---- previews


def test_a_preview_finds_the_colours_of_a_vae_that_is_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    mixing = torch.tensor([[0.5, 0.1, 0.0], [-0.2, 0.7, 0.1], [0.1, 0.1, 0.9], [0.3, -0.3, 0.2]])

    def encoded(vae: object, sources: list[Image.Image]) -> torch.Tensor:
        flat = torch.tensor([source.getpixel((0, 0)) for source in sources]) / 127.5 - 1
        return (flat @ mixing.T + 0.25)[:, :, None, None].expand(-1, -1, 4, 4)

    monkeypatch.setattr(preview, "encoded", encoded)
    monkeypatch.setattr(preview, "factor_of", lambda vae: 8)
    vae: Any = None
    previewer = preview.Previewer(vae)
    colour = torch.tensor([200.0, 40.0, 90.0]) / 127.5 - 1
    shown = previewer.picture((mixing @ colour + 0.25)[:, None, None].expand(-1, 2, 4))
    assert shown.size == (128, 64)
    assert np.abs(np.asarray(shown).astype(int) - (200, 40, 90)).max() <= 1


# ---- files

TEXT = 'a "red" circle, 猫\nNegative prompt: ünlike\nSteps: 4'


@pytest.mark.parametrize("file_format", FileFormat)
def test_a_file_is_of_its_format_and_carries_its_parameters(file_format: FileFormat) -> None:
    file = as_file(halves(16, 8), file_format, TEXT)
    with Image.open(io.BytesIO(file)) as picture:
        assert picture.format == file_format.value.upper()
        assert picture.size == (16, 8)
        assert "icc_profile" not in picture.info
        if file_format is FileFormat.PNG:
            assert picture.info["parameters"] == TEXT
        else:
            comment = picture.getexif().get_ifd(0x8769)[0x9286]
            assert comment[:8] == b"UNICODE\0"
            assert comment[8:].decode("utf-16-be") == TEXT
    assert as_file(halves(16, 8), file_format, TEXT) == file


@pytest.mark.parametrize("file_format", FileFormat)
def test_transparency_is_kept_where_the_format_can(file_format: FileFormat) -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    with Image.open(io.BytesIO(as_file(clear, file_format, ""))) as picture:
        if file_format is FileFormat.JPEG:
            assert picture.mode == "RGB"
            assert picture.getpixel((4, 4)) == (255, 255, 255)
        else:
            assert picture.convert("RGBA").getchannel("A").getextrema() == (0, 0)


def test_a_prompt_that_is_too_long_for_exif_is_cut() -> None:
    file = as_file(halves(8, 8), FileFormat.JPEG, "猫" * 60_000)
    with Image.open(io.BytesIO(file)) as picture:
        assert len(picture.getexif().get_ifd(0x8769)[0x9286]) == 60_008


def test_the_parameters_are_those_that_a1111_writes() -> None:
    job = Job(
        model="plain.safetensors",
        prompt="a red circle",
        negative_prompt="blur",
        width=64,
        height=48,
        sampler="Euler a",
        seed=7,
        guidance=7.0,
        clip_skip=2,
        vae="other",
        loras=(Lora(name="peft", strength=0.7),),
        hires=Hires(width=128, height=96, strength=0.4, upscaler="Latent"),
        refiner=Refiner(checkpoint="finisher", switch_at=0.8),
        controls=(Control(model="edges, fine", file=b"", preprocessor="canny"),),
    )
    assert parameters(job, 8, "ABCDEF0123").splitlines() == [
        "a red circle <lora:peft:0.7>",
        "Negative prompt: blur",
        "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 8, Size: 64x48, Model hash: abcdef0123, Model: plain, "
        "VAE: other, Clip skip: 2, Denoising strength: 0.4, Hires resize: 128x96, Hires upscaler: Latent, "
        'Refiner: finisher, Refiner switch at: 0.8, ControlNet 0: "Module: canny, Model: edges, fine, Weight: 1"',
    ]


def test_the_parameters_of_img2img_name_strength_and_mask() -> None:
    job = Job(
        model="plain",
        prompt="a",
        width=64,
        height=48,
        sampler="DDIM",
        seed=7,
        source=b"",
        strength=0.5,
        mask=Mask(file=b"", blur=6),
        noise_multiplier=0.9,
    )
    last = parameters(job, 7).splitlines()[-1]
    assert last.endswith("Model: plain, Denoising strength: 0.5, Mask blur: 6, Noise multiplier: 0.9")
