"""A picture says who made it after everything that a user's pipeline does to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from mockserver.core.recipe import ImageType, Lora, Recipe
from mockserver.pictures import NotAReceipt, decode, recipe_digest, render
from tests.mockserver.pictures.making import opened, photo, recipe, saved

SIZES = [(128, 128), (128, 512), (130, 200), (192, 192), (256, 256), (320, 512), (512, 512), (777, 333), (1024, 768)]

Change = Callable[[Image.Image], bytes]


def jpeg(quality: int) -> Change:
    return lambda image: saved(image, "JPEG", quality=quality)


def webp(quality: int) -> Change:
    return lambda image: saved(image, "WEBP", quality=quality)


def scaled(share: float, resampling: Image.Resampling) -> Change:
    """Scaled down, then a JPEG of quality 75."""

    def change(image: Image.Image) -> bytes:
        size = (round(image.width * share), round(image.height * share))
        return saved(image.resize(size, resampling), "JPEG", quality=75)

    return change


def thumbnail(image: Image.Image) -> bytes:
    """What Pillow's own thumbnail gives at 13 %."""
    small = image.copy()
    small.thumbnail((image.width * 13 // 100, image.height * 13 // 100))
    return saved(small, "JPEG", quality=75)


def blurred(share: float) -> Change:
    """Blurred by a radius in per cent of the shorter side."""

    def change(image: Image.Image) -> bytes:
        return saved(image.filter(ImageFilter.GaussianBlur(min(image.size) * share / 100)), "JPEG", quality=75)

    return change


def shaded(image: Image.Image) -> bytes:
    """As if photographed under a lamp: a third of the light at the right edge."""
    light = (
        Image.linear_gradient("L").rotate(270).resize(image.size).point([85 + value * 2 // 3 for value in range(256)])
    )
    return saved(ImageChops.multiply(image, Image.merge("RGB", (light, light, light))), "JPEG", quality=75)


CHANGES: dict[str, Change] = {
    "as it is": saved,
    "JPEG q90": jpeg(90),
    "JPEG q30": jpeg(30),
    "WebP q75": webp(75),
    "grey": lambda image: saved(image.convert("L")),
    "256 colours": lambda image: saved(image.quantize(256)),
    "thumbnail 13 %": thumbnail,
    "larger": lambda image: saved(image.resize((image.width * 3 // 2, image.height * 2)), "JPEG", quality=75),
    "darker": lambda image: saved(image.point([value // 2 for value in range(256)] * 3), "JPEG", quality=75),
    "blur 1 %": blurred(1),
    "blur 3 %": blurred(3),
    "light from one side": shaded,
} | {
    f"{share:.0%} {kind.name.lower()}": scaled(share, kind)
    for share in (0.5, 0.25, 0.13)
    for kind in (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
}


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def made(request: pytest.FixtureRequest) -> tuple[Recipe, Image.Image]:
    """A picture of each size, with a caption and a mark where it has room, and its recipe."""
    width, height = request.param
    wanted = recipe(width=width, height=height, seed=width * height, loras=(Lora(name="add_detail", strength=0.7),))
    return wanted, opened(render(wanted, 2, ImageType.PNG))


@pytest.mark.parametrize("name", CHANGES)
def test_the_receipt_survives(made: tuple[Recipe, Image.Image], name: str) -> None:
    """Digest, index and seed read from the pixels alone."""
    wanted, image = made
    receipt = decode(CHANGES[name](image), pixels_only=True)
    assert (receipt.digest, receipt.index, receipt.seed) == (recipe_digest(wanted), 2, wanted.seed)


@pytest.mark.parametrize("image_type", ImageType)
def test_a_fresh_file_reads_exactly(image_type: ImageType) -> None:
    """Nothing had to be repaired in a file that comes straight from the mock."""
    for width, height in SIZES:
        wanted = recipe(width=width, height=height)
        assert decode(render(wanted, 0, image_type), pixels_only=True).exact


def test_somebody_elses_watermark_is_tolerated() -> None:
    """A line of text across the picture leaves the receipt readable."""
    image = opened(render(recipe(width=512, height=512), 0, ImageType.PNG))
    ImageDraw.Draw(image).text((120, 200), "(c) somebody else", fill="white")
    assert decode(saved(image, "JPEG", quality=75)).index == 0


@pytest.mark.parametrize("ground", ["black", "white"])
def test_a_transparent_picture_may_be_laid_on_any_ground(ground: str) -> None:
    """Flattening a transparent picture on black or on white keeps the receipt, also without the alpha channel."""
    wanted = recipe(transparent=True, width=512, height=512)
    image = opened(render(wanted, 0, ImageType.PNG))
    flat = Image.alpha_composite(Image.new("RGBA", image.size, ground), image).convert("RGB")
    for data in (saved(flat, "JPEG", quality=60), saved(image.convert("RGB")), saved(image)):
        assert decode(data, pixels_only=True).digest == recipe_digest(wanted)


def test_a_damaged_receipt_is_said_and_not_guessed() -> None:
    """With a quarter of the cells painted over, decoding says that the checksum fails."""
    image = opened(render(recipe(), 0, ImageType.PNG))
    image.paste("gray", (0, 100, 256, 180))
    with pytest.raises(NotAReceipt, match="checksum") as caught:
        decode(saved(image))
    assert caught.value.damaged


@pytest.mark.parametrize("image", [photo(), Image.new("RGB", (300, 300), "red"), Image.new("RGB", (9, 400))])
def test_other_pictures_have_no_receipt(image: Image.Image) -> None:
    """A photograph, an empty picture and a tiny one are no receipts."""
    with pytest.raises(NotAReceipt) as caught:
        decode(saved(image))
    assert not caught.value.damaged


def test_a_mirrored_picture_gives_no_wrong_answer() -> None:
    """A picture turned round is not read as something else."""
    image = opened(render(recipe(), 0, ImageType.PNG))
    with pytest.raises(NotAReceipt):
        decode(saved(ImageOps.mirror(image)))


def test_pixels_win_over_a_foreign_text() -> None:
    """A text copied from another picture does not change whose picture it is."""
    ours, theirs = recipe(), recipe(seed=7)
    from mockserver.pictures.parameters import machine_text
    from mockserver.pictures.png import text_chunk

    data = render(ours, 0, ImageType.PNG)
    bare = saved(opened(data))
    foreign = text_chunk("novita-mock", machine_text(recipe_digest(theirs), 0, theirs, None))
    assert decode(bare[:33] + foreign + bare[33:]).digest == recipe_digest(ours)


def test_the_text_answers_where_pixels_cannot() -> None:
    """A picture of 8 x 8 pixels still knows its task, as long as its text is there."""
    wanted = recipe(width=8, height=8)
    for image_type in ImageType:
        receipt = decode(render(wanted, 1, image_type))
        assert (receipt.digest, receipt.index, receipt.origin) == (recipe_digest(wanted), 1, "text")
