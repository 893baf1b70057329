"""Preprocessors: every name of the document, algorithms against what is known of them, learned ones from a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from openapi.document import Reading, load
from reference_impl.engine import preprocessors_colour as colours
from reference_impl.engine import preprocessors_lines as lines
from reference_impl.engine.plan import Tools
from reference_impl.engine.preprocessors import TABLE, Basis, finished, fitted, prepared
from reference_impl.jobs import CannotDraw, Control, Resize
from tests.reference.engine import parts

PICTURE = parts.drawing(size=(96, 64))

KNOWN_EDGES = [
    ".............#.#",
    ".....##....#....",
    "...##..##.#..##.",
    "..##....###..#..",
    "..#....#.#..#...",
    ".#....#...#.....",
    ".#...##..#......",
    "..#......#......",
    "..##....##......",
    ".#.######.......",
    "#...............",
    "#.#.............",
]


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    return parts.tools(tmp_path)


def control(name: str, picture: Image.Image = PICTURE, **more: object) -> Control:
    return Control(model="any", file=parts.png(picture), preprocessor=name, **more)  # type: ignore[arg-type]


def test_the_table_holds_exactly_the_names_of_the_document() -> None:
    schemas = load().shared(Reading.DOCUMENTED)["components"]["schemas"]
    v3 = schemas["ControlNetUnit"]["properties"]["preprocessor"]["enum"]
    v2 = schemas["V2ControlModule"]["enum"]
    assert set(TABLE) == set(v3) | set(v2)


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.run and row.basis is not Basis.WEIGHTS])
def test_what_needs_no_weights_gives_a_map_of_the_size_asked_for(name: str, tools: Tools) -> None:
    made = prepared(control(name), (128, 128), tools)
    assert (made.size, made.mode) == ((128, 128), "RGB")
    assert made.tobytes() == prepared(control(name), (128, 128), tools).tobytes()


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.basis is Basis.ABSENT])
def test_what_is_refused_says_why_and_what_helps(name: str, tools: Tools) -> None:
    with pytest.raises(CannotDraw, match=f"{name.replace('+', '.')} cannot be had here: .*; (send|use) "):
        prepared(control(name), (64, 64), tools)


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.basis is Basis.WEIGHTS])
def test_what_needs_weights_says_where_to_put_them(name: str, tools: Tools) -> None:
    with pytest.raises(CannotDraw, match=r"put a model in transformers' layout in preprocessors/\w+/"):
        prepared(control(name), (64, 64), tools)


def test_an_unknown_preprocessor_is_told(tools: Tools) -> None:
    with pytest.raises(CannotDraw, match="there is no preprocessor 'cannny'"):
        prepared(control("cannny"), (64, 64), tools)


def test_canny_gives_the_known_edges_of_a_small_picture() -> None:
    """The rows were computed with OpenCV 5.0's Canny(picture, 100, 200) of the same picture."""
    picture = Image.new("RGB", (16, 12), (40, 90, 200))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((2, 2, 9, 9), fill=(250, 30, 30))
    pen.line((0, 11, 15, 0), fill=(200, 200, 20))
    found = [
        "".join(".#"[int(value > 0)] for value in row) for row in lines.canny(np.asarray(picture), 100, 200)[..., 0]
    ]
    assert found == KNOWN_EDGES


def test_canny_sees_the_edge_between_colours_of_equal_brightness() -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:, :16] = (255, 0, 0)
    picture[:, 16:] = (0, 130, 0)
    assert lines.canny(picture, 100, 200)[:, 12:20].any()


def test_swapped_thresholds_of_canny_are_put_in_order() -> None:
    picture = np.asarray(PICTURE)
    assert (lines.canny(picture, 200, 100) == lines.canny(picture, 100, 200)).all()


def test_a_blurred_point_is_the_gaussian() -> None:
    point = np.zeros((21, 21, 1), np.float32)
    point[10, 10] = 1
    found = lines.blurred(point, 2.0)[..., 0]
    y, x = np.mgrid[-10:11, -10:11]
    expected = np.exp(-(x**2 + y**2) / 8)
    assert np.abs(found - expected / expected.sum()).max() < 1e-4


def test_straight_lines_keep_a_square_and_drop_a_small_circle() -> None:
    picture = Image.new("RGB", (128, 128), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((20, 20, 70, 70), fill="black")
    pen.ellipse((100, 100, 110, 110), fill="black")
    found = lines.straight_lines(np.asarray(picture))[..., 0] > 0
    assert found[15:76, 15:76].sum() > 150
    assert not found[95:, 95:].any()


def test_dark_lines_are_found_on_a_bright_ground() -> None:
    picture = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(picture).line((0, 32, 63, 32), fill="black", width=2)
    for found in (lines.lineart_standard(np.asarray(picture)), lines.scribble_xdog(np.asarray(picture), 32)):
        assert found[32].min() > 100
        assert found[10].max() == 0


def test_thresholds_outside_of_their_bounds_are_brought_inside(tools: Tools) -> None:
    wild = prepared(control("tile_resample", thresholds=(64.0, 64.0)), (96, 64), tools)
    most = prepared(control("tile_resample", thresholds=(8.0, None)), (96, 64), tools)
    assert wild.tobytes() == most.tobytes()


def test_invert_threshold_and_color_do_what_they_say() -> None:
    picture = np.asarray(parts.drawing(size=(128, 128)))
    assert (colours.invert(picture) == 255 - picture).all()
    assert set(np.unique(colours.threshold(picture, 127))) == {0}
    assert len(np.unique(colours.color(picture).reshape(-1, 3), axis=0)) <= 4


def test_shuffle_keeps_the_colours_and_moves_them() -> None:
    picture = np.asarray(parts.drawing(size=(128, 128)))
    shuffled = colours.shuffle(picture)
    assert (shuffled != picture).any()
    assert shuffled[..., 1].max() == 0  # red and blue alone, as before


@pytest.mark.parametrize(("resize", "corner"), [(Resize.STRETCH, "blue"), (Resize.CROP, "blue"), (Resize.PAD, "blue")])
def test_maps_are_fitted_as_the_unit_asks(resize: Resize, corner: str) -> None:
    made = fitted(PICTURE, (64, 64), resize)
    reds = np.argwhere(np.asarray(made)[..., 0] > 200)
    height, width = np.ptp(reds, axis=0) + 1
    assert {Resize.STRETCH: (32, 32), Resize.CROP: (48, 32), Resize.PAD: (32, 21)}[resize] == pytest.approx(
        (width, height), abs=2
    )
    assert made.getpixel((0, 0)) == (0, 0, 255)


def test_a_map_of_black_and_white_stays_one_when_it_is_fitted(tools: Tools) -> None:
    made = prepared(control("canny", resolution=512), (64, 64), tools)
    assert set(np.unique(np.asarray(made))) == {0, 255}


def test_the_resolution_decides_how_fine_a_map_is_unless_pixel_perfect_does(tools: Tools) -> None:
    coarse = prepared(control("canny", resolution=64), (192, 128), tools)
    fine = prepared(control("canny", resolution=512), (192, 128), tools)
    perfect = prepared(control("canny", resolution=64, pixel_perfect=True), (192, 128), tools)
    assert perfect.tobytes() == prepared(control("canny"), (192, 128), tools).tobytes()
    assert len({coarse.tobytes(), fine.tobytes(), perfect.tobytes()}) == 3


def test_tile_colorfix_brings_the_broad_colours_back(tools: Tools) -> None:
    drawn = Image.effect_noise(PICTURE.size, 60).convert("RGB")
    mended = np.asarray(finished(drawn, control("tile_colorfix"), tools)).astype(int)
    assert np.abs(mended - np.asarray(PICTURE)).mean() < np.abs(np.asarray(drawn).astype(int) - PICTURE).mean() / 2
    sharp = finished(drawn, control("tile_colorfix+sharp"), tools)
    assert sharp.tobytes() != Image.fromarray(mended.astype(np.uint8)).tobytes()
    assert finished(drawn, control("canny"), tools) is drawn


def put_depth_model(folder: Path) -> None:
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

    torch.manual_seed(0)
    config = DPTConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        is_hybrid=False,
    )
    DPTForDepthEstimation(config).save_pretrained(folder)
    DPTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def test_a_depth_model_in_its_folder_is_used(tmp_path: Path, tools: Tools) -> None:
    put_depth_model(tmp_path / "preprocessors" / "depth")
    made = np.asarray(prepared(control("depth"), (96, 64), tools))
    assert (made.min(), made.max()) == (0, 255)
    assert (made == prepared(control("depth_midas"), (96, 64), tools)).all()
    surfaces = np.asarray(prepared(control("normal_map"), (96, 64), tools))
    assert surfaces[..., 2].min() > 127  # everything that is seen looks towards the viewer
    with pytest.raises(CannotDraw, match="preprocessors/depth_zoe/"):
        prepared(control("depth_zoe"), (96, 64), tools)


def test_a_broken_depth_model_is_told(tmp_path: Path, tools: Tools) -> None:
    folder = tmp_path / "preprocessors" / "depth"
    put_depth_model(folder)
    (folder / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(CannotDraw, match="preprocessors/depth cannot be read"):
        prepared(control("depth"), (96, 64), tools)


def test_a_segmentation_model_needs_a_palette(tmp_path: Path, tools: Tools) -> None:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor

    folder = tmp_path / "preprocessors" / "segmentation"
    torch.manual_seed(0)
    config = SegformerConfig(
        hidden_sizes=[8, 8, 8, 8],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 1, 1],
        decoder_hidden_size=16,
        num_labels=3,
    )
    SegformerForSemanticSegmentation(config).save_pretrained(folder)
    SegformerImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    with pytest.raises(CannotDraw, match=r"palette\.json should hold a list of colours"):
        prepared(control("segmentation"), (96, 64), tools)
    colours_of = [[10, 20, 30], [200, 0, 0], [0, 200, 0]]
    (folder / "palette.json").write_text(json.dumps(colours_of))
    made = np.asarray(prepared(control("segmentation", resize=Resize.STRETCH), (96, 64), tools))
    assert {tuple(map(int, colour)) for colour in made.reshape(-1, 3)} <= set(map(tuple, colours_of))
    (folder / "palette.json").write_text(json.dumps([]))
    with pytest.raises(CannotDraw, match=r"palette\.json should hold a list of colours"):
        prepared(control("segmentation"), (96, 64), tools)
