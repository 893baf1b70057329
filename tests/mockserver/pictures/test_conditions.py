"""Everything else that shapes a picture can be seen in it, and not only by another digest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image, ImageChops, ImageStat

from mockserver.core.recipe import ControlUnit, Hires, ImageType, IpAdapter, Lora, Recipe, Refiner
from mockserver.pictures import decode, recipe_digest, render
from mockserver.pictures.compose import compose
from mockserver.pictures.controls import treatment
from mockserver.pictures.raster import paint
from tests.mockserver.pictures.making import FIXED, difference, identical, opened, photo, recipe, saved

PICTURE = saved(photo(512, 512))


def painted(**changes: object) -> Image.Image:
    """A picture of 512 x 512 with a fixed digest: what a field itself does."""
    wanted = recipe(width=512, height=512, **changes)
    return Image.frombytes("RGB", (512, 512), paint(wanted, 0, (512, 512), digest=FIXED).tobytes())


def composed(wanted: Recipe) -> Image.Image:
    """The same for recipes that hold pictures."""
    return compose(wanted, 0, FIXED).image


KINDS = ["none", "canny", "scribble_hed", "softedge_pidinet", "depth_midas", "normal_bae", "openpose_full"]
KINDS += ["shuffle", "segmentation", "threshold", "color", "invert"]
UPSCALERS = ["Latent", "ESRGAN_4x", "R-ESRGAN 4x+", "R-ESRGAN 4x+ Anime6B"]
VISIBLE: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "vae": ({}, {"vae": "vae-ft-mse-840000-ema-pruned"}),
    "clip_skip": ({"clip_skip": 1}, {"clip_skip": 6}),
    "lora": ({}, {"loras": (Lora(name="add_detail", strength=0.5),)}),
    "lora name": (
        {"loras": (Lora(name="add_detail", strength=0.5),)},
        {"loras": (Lora(name="foodphoto", strength=0.5),)},
    ),
    "lora strength": (
        {"loras": (Lora(name="add_detail", strength=0.5),)},
        {"loras": (Lora(name="add_detail", strength=0.6),)},
    ),
    "embeddings": ({}, {"embeddings": ("easynegative",)}),
    "restore_faces": ({}, {"restore_faces": True}),
    "refiner": ({}, {"refiner": Refiner(checkpoint="r", switch_at=0.5)}),
    "switch_at": (
        {"refiner": Refiner(checkpoint="r", switch_at=0.5)},
        {"refiner": Refiner(checkpoint="r", switch_at=0.9)},
    ),
    "hires": ({}, {"hires": Hires(width=512, height=512, strength=0.5, upscaler="Latent")}),
    "hires strength": (
        {"hires": Hires(width=512, height=512, strength=0.5, upscaler="Latent")},
        {"hires": Hires(width=512, height=512, strength=1.0, upscaler="Latent")},
    ),
    "seed in the caption": ({}, {"seed": 43}),
    "prompt in the caption": ({}, {"prompt": "a windmill"}),
    "model": ({}, {"model": "sd_xl_base_1.0.safetensors"}),
}


@pytest.mark.parametrize("name", VISIBLE)
def test_each_setting_shows_by_itself(name: str) -> None:
    """With the digest held fixed, the picture still changes with the setting."""
    before, after = VISIBLE[name]
    assert not identical(painted(**before), painted(**after))


def test_a_stronger_refiner_refines_more_rows() -> None:
    """0 is no refining; at 1 all rows of tiles are refined."""
    plain = painted()
    tiles = (0, 0, 512, 384)  # above the caption
    changed = []
    for switch_at in (0.0, 0.3, 0.6, 1.0):
        image = painted(refiner=Refiner(checkpoint="r", switch_at=switch_at))
        box = ImageChops.difference(image.crop(tiles), plain.crop(tiles)).getbbox()
        changed.append(384 - box[1] if box else 0)
    assert changed[0] == 0
    assert changed == sorted(set(changed))
    assert changed[-1] > 370


def test_hires_gives_the_target_size_with_finer_detail() -> None:
    """The file has the target size, and a tile holds more than a plain enlargement would."""
    wanted = recipe(hires=Hires(width=640, height=512, strength=0.5, upscaler="Latent"))
    image = opened(render(wanted, 0, ImageType.PNG))
    assert image.size == (640, 512)
    tile = (40, 32, 80, 64)
    assert len(image.crop(tile).getcolors(4096) or []) > len(
        opened(render(recipe(width=640, height=512), 0, ImageType.PNG)).crop(tile).getcolors(4096) or []
    )


def test_each_upscaler_of_the_contract_has_its_own_ornament() -> None:
    """The four upscalers of v2 are told apart by the detail that they add."""
    images = [painted(hires=Hires(width=512, height=512, strength=1, upscaler=name)) for name in UPSCALERS]
    tiles = [image.crop((0, 0, 512, 384)) for image in images]
    assert all(difference(a, b) > 0.2 for n, a in enumerate(tiles) for b in tiles[:n])


def test_conditions_leave_the_receipt_readable() -> None:
    """With everything switched on at once the small JPEG still says who made it."""
    wanted = recipe(
        width=512,
        height=512,
        vae="v",
        clip_skip=12,
        restore_faces=True,
        loras=tuple(Lora(name=f"lora number {number}", strength=number / 5) for number in range(5)),
        embeddings=("one", "two"),
        refiner=Refiner(checkpoint="r", switch_at=0.5),
        hires=Hires(width=768, height=640, strength=1.0, upscaler="Latent"),
    )
    image = opened(render(wanted, 0, ImageType.PNG))
    assert decode(saved(image.resize((100, 84)), "JPEG", quality=75)).digest == recipe_digest(wanted)


class TestTransparent:
    """`enable_transparent_background`."""

    def test_a_png_has_really_transparent_parts(self) -> None:
        """Between a fifth and four fifths of the pixels have alpha 0, and others are opaque."""
        image = opened(render(recipe(width=512, height=512, transparent=True), 0, ImageType.PNG))
        assert image.mode == "RGBA"
        counts = image.getchannel("A").histogram()
        assert 0.2 < counts[0] / 512 / 512 < 0.8
        assert counts[255] > 0.2 * 512 * 512

    def test_webp_keeps_alpha_and_jpeg_lies_on_white(self) -> None:
        """JPEG has no alpha channel: what is transparent becomes white."""
        wanted = recipe(width=512, height=512, transparent=True)
        assert opened(render(wanted, 0, ImageType.WEBP)).mode == "RGBA"
        transparent = opened(render(wanted, 0, ImageType.PNG)).getchannel("A").point([255] + [0] * 255)
        flat = opened(render(wanted, 0, ImageType.JPEG))
        assert min(ImageStat.Stat(flat, transparent).mean) > 235

    def test_it_goes_with_a_source_picture(self) -> None:
        """An img2img result can be transparent too."""
        image = opened(render(recipe(transparent=True, source=PICTURE, strength=0.5), 0, ImageType.PNG))
        assert image.mode == "RGBA"
        assert image.getchannel("A").getextrema() == (0, 255)


class TestControlNet:
    """Control units show their picture."""

    UNIT = ControlUnit(model="control_v11p_sd15_canny", image=PICTURE, preprocessor="none")

    def drawn(self, **changes: object) -> Image.Image:
        """A picture with one control unit."""
        unit = replace(self.UNIT, **changes)  # type: ignore[arg-type]  # test data
        return composed(recipe(width=512, height=512, control_units=(unit,)))

    def test_the_weight_decides_how_much_is_seen(self) -> None:
        """0 shows nothing; more weight comes nearer to the control picture."""
        tiles = (0, 0, 512, 380)  # above the caption
        assert identical(self.drawn(weight=0.0).crop(tiles), painted().crop(tiles))
        control = photo(512, 512).crop(tiles)
        away = [difference(self.drawn(weight=weight).crop(tiles), control) for weight in (0.0, 0.5, 1.0)]
        assert away == sorted(away, reverse=True)
        assert away[0] - away[-1] > 10

    def test_the_caption_stays_readable(self) -> None:
        """Of the caption less is covered than of the tiles."""
        away = ImageChops.difference(self.drawn(weight=1.0), self.drawn(weight=0.0)).convert("L")
        tiles, words = (ImageStat.Stat(away.crop(box)).mean[0] for box in ((0, 0, 512, 380), (0, 420, 512, 512)))
        assert words < tiles / 2

    def test_start_and_end_count_as_a_share(self) -> None:
        """Half of the run shows as half of the weight; none of it shows nothing."""
        top = (0, 0, 512, 380)
        half_run, half_weight = self.drawn(start=0.25, end=0.75), self.drawn(weight=0.5)
        assert difference(half_run.crop(top), half_weight.crop(top)) == 0
        assert difference(self.drawn(start=0.5, end=0.5).crop(top), self.drawn(weight=0.0).crop(top)) == 0

    def test_control_mode_decides_who_wins(self) -> None:
        """Prompt first shows less of the control picture, control first more."""
        control = photo(512, 512)
        prompt, balanced, first = (difference(self.drawn(control_mode=mode), control) for mode in (1, 0, 2))
        assert prompt > balanced > first

    @pytest.mark.parametrize("name", KINDS)
    def test_each_kind_of_preprocessor_shows_differently(self, name: str) -> None:
        """No two kinds of treatment look alike, and none like the picture as it is."""
        image = photo(128, 128)
        shown = treatment(name, image)[1]
        assert all(difference(shown, treatment(other, image)[1]) > 2 for other in KINDS if other != name)

    def test_canny_draws_the_edges(self) -> None:
        """A square becomes its outline."""
        square = Image.new("RGB", (128, 128), "black")
        square.paste("white", (32, 32, 96, 96))
        kind, lines = treatment("canny", square)
        assert kind == "lines"
        assert lines.getpixel((64, 32)) == 255
        assert lines.getpixel((64, 64)) == 0
        assert lines.getpixel((5, 5)) == 0

    def test_a_units_mask_limits_it(self) -> None:
        """Outside the mask nothing of the control picture is seen."""
        mask = Image.new("L", (512, 512))
        mask.paste(255, (256, 0, 512, 512))
        image = self.drawn(mask=saved(mask))
        none = self.drawn(weight=0.0)
        assert difference(image.crop((300, 0, 512, 300)), none.crop((300, 0, 512, 300))) > 5
        assert difference(image.crop((0, 0, 250, 300)), none.crop((0, 0, 250, 300))) < 12

    def test_several_units_show_together(self) -> None:
        """A second unit adds to the first."""
        second = ControlUnit(model="x", image=saved(photo(512, 512).rotate(90)), preprocessor="canny")
        both = composed(recipe(width=512, height=512, control_units=(self.UNIT, second)))
        assert difference(both, self.drawn()) > 2

    @pytest.mark.parametrize("preprocessor", ["none", "canny", "depth", "openpose", "invert"])
    def test_the_receipt_reads_below_it(self, preprocessor: str) -> None:
        """A control picture at full weight leaves the receipt readable, also as a small JPEG."""
        unit = replace(self.UNIT, preprocessor=preprocessor, weight=2.0)
        wanted = recipe(width=512, height=512, control_units=(unit,))
        small = opened(render(wanted, 0, ImageType.PNG)).resize((128, 128))
        assert decode(saved(small, "JPEG", quality=75)).digest == recipe_digest(wanted)


class TestIpAdapter:
    """An IP-Adapter lends its colours."""

    def mean(self, strength: float, colour: str) -> list[float]:
        """The mean colour of a result."""
        adapter = IpAdapter(
            model="ip-adapter_sd15.bin", image=saved(Image.new("RGB", (64, 64), colour)), strength=strength
        )
        return ImageStat.Stat(composed(recipe(ip_adapters=(adapter,)))).mean

    def test_the_colours_follow_the_strength(self) -> None:
        """A red picture makes the result redder the stronger it is, and a blue one bluer."""
        reds = [red - blue for red, _, blue in (self.mean(strength, "red") for strength in (0.0, 0.4, 1.0))]
        assert reds == sorted(reds)
        assert reds[-1] - reds[0] > 40
        blue = self.mean(1.0, "blue")
        assert blue[2] - blue[0] > 40

    def test_a_v2_unit_with_an_adapter_model_is_one(self) -> None:
        """v2 sends IP-Adapters as control units: they lend colours, and draw nothing."""
        file = saved(Image.new("RGB", (64, 64), "red"))
        unit = ControlUnit(model="ip-adapter_sd15_plus", image=file, preprocessor="clip_vision", weight=0.4)
        adapter = IpAdapter(model="ip-adapter_sd15.bin", image=file, strength=0.4)
        tiles = (0, 0, 256, 128)
        as_unit, as_adapter = composed(recipe(control_units=(unit,))), composed(recipe(ip_adapters=(adapter,)))
        assert identical(as_unit.crop(tiles), as_adapter.crop(tiles))

    def test_brightness_stays(self) -> None:
        """Only colours are lent, so the receipt stays readable."""
        adapter = IpAdapter(model="ip-adapter_sd15.bin", image=PICTURE, strength=1.0)
        wanted = recipe(width=512, height=512, ip_adapters=(adapter,))
        assert decode(saved(opened(render(wanted, 0, ImageType.PNG)), "JPEG", quality=40)).digest == recipe_digest(
            wanted
        )
