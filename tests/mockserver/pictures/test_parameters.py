"""The `parameters` text: written so that Stable Diffusion tools read every value back."""

from __future__ import annotations

import json
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL.ExifTags import IFD

from mockserver.core.recipe import (
    ControlUnit,
    Fit,
    Hires,
    ImageType,
    IpAdapter,
    Lora,
    Mask,
    MaskFill,
    Refiner,
)
from mockserver.pictures import decode, exif, parameters_text, read_parameters, recipe_digest, render
from mockserver.pictures.parameters import read_machine_text
from tests.mockserver.pictures.making import opened, photo, recipe, saved

PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
"""How tools split the last line: a key, a colon, a JSON string or anything without a comma."""


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
HEADS = [b"\xff\xd8\xff\xe1", b"RIFF\0\0\0\0WEBPEXIF", b"Exif\0\0MM"]


def read(text: str) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt and values, the way the tools read them."""
    *lines, last = text.split("\n")
    values = {key: json.loads(value) if value[:1] == '"' else value for key, value in PAIR.findall(last)}
    prompt: list[str] = []
    negative: list[str] = []
    for line in lines:
        if line.startswith("Negative prompt: ") and not negative:
            negative.append(line.removeprefix("Negative prompt: "))
        else:
            (negative or prompt).append(line)
    return "\n".join(prompt), "\n".join(negative), values


def test_a_plain_recipe() -> None:
    """Exactly the form that the tools write."""
    text = parameters_text(recipe(negative_prompt="blurry, dark", count=1), 0)
    assert text == (
        "a lighthouse on a cliff at dawn\n"
        "Negative prompt: blurry, dark\n"
        "Steps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 42, Size: 256x256, Model: dreamshaper_8_93211, "
        "Version: novita-mock"
    )


def test_everything_else_has_its_key() -> None:
    """VAE, LoRAs, embeddings, hires, refiner, control units and the rest are found under the tools' names."""
    unit = ControlUnit(
        model="control_v11p_sd15_canny", image=b"", preprocessor="canny", weight=0.8, end=0.5, fit=Fit.CROP
    )
    text = parameters_text(
        recipe(
            vae="vae-ft-mse-840000-ema-pruned",
            clip_skip=2,
            restore_faces=True,
            loras=(Lora(name="add_detail", strength=0.7), Lora(name="b,c", strength=1.0)),
            embeddings=("easynegative",),
            hires=Hires(width=512, height=384, strength=0.55, upscaler="R-ESRGAN 4x+"),
            refiner=Refiner(checkpoint="sd_xl_refiner_1.0.safetensors", switch_at=0.25),
            control_units=(unit,),
            ip_adapters=(IpAdapter(model="ip-adapter_sd15.bin", image=b"", strength=0.6),),
        ),
        1,
    )
    prompt, negative, values = read(text)
    assert prompt == "a lighthouse on a cliff at dawn <lora:add_detail:0.7> <lora:b,c:1>"
    assert negative == ""
    assert values["VAE"] == "vae-ft-mse-840000-ema-pruned"
    assert values["Clip skip"] == "2"
    assert values["Face restoration"] == "CodeFormer"
    assert values["Size"] == "256x256"
    assert values["Denoising strength"] == "0.55"
    assert (values["Hires upscale"], values["Hires upscaler"]) == ("2", "R-ESRGAN 4x+")
    assert values["Hires resize"] == "512x384"
    assert (values["Refiner"], values["Refiner switch at"]) == ("sd_xl_refiner_1.0", "0.25")
    assert values["Lora hashes"].startswith("add_detail: ")
    assert ", b,c: " in values["Lora hashes"]
    assert values["TI hashes"].startswith("easynegative: ")
    assert values["ControlNet 0"] == (
        "Module: canny, Model: control_v11p_sd15_canny, Weight: 0.8, Resize Mode: Crop and Resize, "
        "Guidance Start: 0, Guidance End: 0.5, Control Mode: Balanced"
    )
    assert values["IP-Adapter 0"] == "Model: ip-adapter_sd15.bin, Weight: 0.6"
    assert (values["Batch size"], values["Batch pos"]) == ("4", "1")


def test_inpainting_has_its_keys() -> None:
    """Mask blur, mode, content and area."""
    mask = Mask(image=b"", blur=6, invert=True, fill=MaskFill.LATENT_NOISE, full_res=True, padding=16)
    _, _, values = read(parameters_text(recipe(source=b"", strength=0.4, mask=mask, fit=Fit.FILL), 0))
    assert values["Denoising strength"] == "0.4"
    assert values["Resize mode"] == "Resize and Fill"
    assert values["Mask blur"] == "6"
    assert values["Mask mode"] == "Inpaint not masked"
    assert values["Masked content"] == "latent noise"
    assert (values["Inpaint area"], values["Masked area padding"]) == ("Only masked", "16")


def test_a_lora_already_in_the_prompt_is_not_repeated() -> None:
    """A v2 prompt that names its LoRA keeps the tag where the user put it."""
    text = parameters_text(recipe(prompt="<lora:x:0.5> a cat", loras=(Lora(name="x", strength=0.5),)), 0)
    assert text.count("<lora:x:0.5>") == 1


@given(model=TEXTS, sampler=TEXTS, seed=st.integers(0, 2**64))
def test_any_value_comes_back(model: str, sampler: str, seed: int) -> None:
    """Commas, colons, quotation marks and line breaks in a value are quoted."""
    _, _, values = read(parameters_text(recipe(model=model, sampler=sampler, seed=seed), 0))
    assert values["Model"] == (model.removesuffix(".safetensors") or model)
    assert values["Sampler"] == sampler
    assert values["Seed"] == str(seed)


@pytest.mark.parametrize("image_type", ImageType)
@pytest.mark.parametrize("prompt", ["plain", "Grüße, naïve", "一只猫 🐈 with ñ", "two\nlines", "x" * 4000])
def test_the_text_is_in_the_file(image_type: ImageType, prompt: str) -> None:
    """PNG, JPEG and WebP give back exactly the text."""
    wanted = recipe(prompt=prompt)
    assert read_parameters(render(wanted, 1, image_type)) == parameters_text(wanted, 1)


@pytest.mark.parametrize(("prompt", "chunk"), [("Grüße", b"tEXt"), ("一只猫", b"iTXt")])
def test_other_readers_find_the_png_text(prompt: str, chunk: bytes) -> None:
    """Pillow finds `parameters`, as Latin-1 text where that suffices."""
    data = render(recipe(prompt=prompt), 0, ImageType.PNG)
    assert chunk + b"parameters\0" in data
    assert opened(data).info["parameters"].startswith(prompt)


@pytest.mark.parametrize("image_type", [ImageType.JPEG, ImageType.WEBP])
def test_other_readers_find_the_exif_text(image_type: ImageType) -> None:
    """Pillow finds UserComment with its prefix and big-endian UTF-16, and the name of the program."""
    tags = opened(render(recipe(prompt="一只猫 🐈"), 0, image_type)).getexif()
    comment = tags.get_ifd(IFD.Exif)[0x9286]
    assert comment.startswith(b"UNICODE\0")
    assert comment[8:].decode("utf-16-be").startswith("一只猫 🐈")
    assert tags[0x0131] == "novita-mock"


def test_a_little_endian_comment_is_read() -> None:
    """EXIF blocks of other writers are read too: the other byte order, with a byte order mark in the text."""
    comment = b"UNICODE\0\xff\xfe" + "a cat".encode("utf-16-le")
    first = struct.pack("<HHHIII", 1, 0x8769, 4, 1, 26, 0)
    second = struct.pack("<HHHIII", 1, 0x9286, 7, len(comment), 44, 0)
    assert exif.read(b"II\x2a\0\x08\0\0\0" + first + second + comment).comment == "a cat"


def test_a_file_without_text_has_none() -> None:
    """None, and no error, for other pictures and for no picture at all."""
    for data in (saved(photo()), saved(photo(), "JPEG"), saved(photo(), "WEBP"), b"", b"\xff\xd8", b"RIFF....WEBP"):
        assert read_parameters(data) is None
        assert read_machine_text(data) is None


@given(
    data=st.binary(max_size=300), head=st.sampled_from([b"\xff\xd8\xff\xe1", b"RIFF\0\0\0\0WEBPEXIF", b"Exif\0\0MM"])
)
def test_reading_garbage_is_harmless(data: bytes, head: bytes) -> None:
    """Broken files give no text and no error."""
    read_parameters(head + data)
    read_machine_text(head + data)
    exif.read(head + data)
    exif.read(b"MM\0\x2a\0\0\0\x08" + data)


@given(prompt=st.text(st.characters(), max_size=60))
def test_any_prompt_can_be_put_into_a_file(prompt: str) -> None:
    """Whatever a client sends as prompt, lone surrogates and controls included, the file is made and readable."""
    for image_type in ImageType:
        data = render(recipe(prompt=prompt, width=32, height=32), 0, image_type)
        assert "Steps: 20" in (read_parameters(data) or "")


def test_an_exif_text_beyond_its_segment_is_cut() -> None:
    """A JPEG segment holds 64 kB: a longer text loses its end, not the picture."""
    data = render(recipe(prompt="🐈" * 40_000), 0, ImageType.JPEG)
    assert (read_parameters(data) or "").startswith("🐈" * 10_000)


def test_the_source_pictures_receipt_becomes_the_parent() -> None:
    """A chain of img2img proves its lineage, from text or, where that is gone, from pixels."""
    first = recipe(seed=1)
    original = render(first, 2, ImageType.PNG)
    for source in (original, saved(opened(original).resize((128, 128)), "JPEG", quality=80)):
        second = recipe(source=source, strength=0.7, seed=2)
        for image_type in ImageType:
            receipt = decode(render(second, 0, image_type))
            assert receipt.digest == recipe_digest(second)
            assert receipt.parent is not None
            assert (receipt.parent.digest, receipt.parent.index, receipt.parent.seed) == (recipe_digest(first), 2, 1)


def test_a_weak_img2img_of_a_receipt_is_its_own_picture() -> None:
    """At strength 0 the pixels show the parent's receipt; the text says whose child it is."""
    first = recipe(seed=1)
    child = recipe(source=render(first, 0, ImageType.PNG), strength=0.0, seed=2)
    data = render(child, 0, ImageType.PNG)
    assert decode(data, pixels_only=True).digest == recipe_digest(first)
    assert decode(data).digest == recipe_digest(child)
