"""Models in one file: round trips change no pixel, the real shapes give the published numbers, gaps are told."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from reference_impl.engine import layouts, single_file
from reference_impl.engine.engine import LocalEngine
from reference_impl.jobs import CannotDraw
from reference_impl.shelf import Family, Kind, Model, Shelf
from tests.reference.engine import one_file, parts

NOT_IN_SHAPES: dict[str, Any] = {
    "unet": {"norm_num_groups": 8},
    "vae": {"norm_num_groups": 4},
}
"""Tiny models have other numbers than the published ones where tensors do not tell; <name>.json says so."""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each family twice: as a folder, and as one file."""
    folder = tmp_path_factory.mktemp("shelf") / "models"
    makers = {"tiny": parts.sd15, "tiny-xl": parts.sdxl, "tiny-refiner": parts.refiner}
    for name, make in makers.items():
        pipeline = make(folder.parent / "words")
        parts.saved(pipeline, folder / "checkpoints" / name)
        one_file.write(pipeline, folder / "checkpoints" / f"one-{name}.safetensors")
        said = dict(NOT_IN_SHAPES)
        if "xl" in name or "refiner" in name:
            heads = [max(1, channels // 16) for channels in pipeline.unet.config["block_out_channels"]]
            said["unet"] = said["unet"] | {"attention_head_dim": heads}
        parts.describe(folder / "checkpoints" / f"one-{name}", config=said)
    vae = parts.vae()
    one_file.save(one_file.vae(vae), folder / "vae" / "alone.safetensors")
    parts.describe(folder / "vae" / "alone", config={"vae": NOT_IN_SHAPES["vae"]})
    vae.save_pretrained(folder / "vae" / "as-folder")
    net = parts.control_net(parts.sd15(folder.parent / "words").unet)
    net.save_pretrained(folder / "controlnet" / "as-folder")
    one_file.save(one_file.control_net(net), folder / "controlnet" / "authors.safetensors")
    return folder


@pytest.fixture(scope="module")
def engine(shelf: Path) -> LocalEngine:
    return LocalEngine(Shelf(shelf), device="cpu", threads=1, previews=False)


def drawn(engine: LocalEngine, model: str, **more: Any) -> bytes:
    [[finished]] = engine.run(model, [parts.job(model=model, **more)], lambda _: None)
    return Image.open(io.BytesIO(finished.file)).tobytes()


def found(folder: Path, kind: Kind, name: str) -> Model:
    model = Shelf(folder).find(kind, name)
    assert model is not None
    return model


@pytest.mark.parametrize("name", ["tiny", "tiny-xl"])
def test_a_checkpoint_in_one_file_draws_the_same_pixels_as_its_folder(engine: LocalEngine, name: str) -> None:
    assert drawn(engine, f"one-{name}.safetensors") == drawn(engine, name)


def test_a_refiner_in_one_file_refines_to_the_same_pixels(engine: LocalEngine) -> None:
    from reference_impl.jobs import Refiner

    pictures = [
        drawn(engine, "tiny-xl", steps=4, refiner=Refiner(checkpoint=name, switch_at=0.5))
        for name in ("tiny-refiner", "one-tiny-refiner")
    ]
    assert pictures[0] == pictures[1] != drawn(engine, "tiny-xl", steps=4)


def test_a_vae_in_one_file_is_the_vae_of_the_folder(engine: LocalEngine) -> None:
    assert drawn(engine, "tiny", vae="alone.safetensors") == drawn(engine, "tiny", vae="as-folder")


def test_a_control_net_in_its_authors_layout_is_that_of_the_folder(engine: LocalEngine) -> None:
    from reference_impl.jobs import Control

    file = parts.png(parts.drawing())
    pictures = [drawn(engine, "tiny", controls=(Control(model=name, file=file),)) for name in ("authors", "as-folder")]
    assert pictures[0] == pictures[1] != drawn(engine, "tiny")


def test_the_shelf_tells_families_and_refiners_by_the_tensors(shelf: Path) -> None:
    seen = {model.name: (model.family, model.refiner) for model in Shelf(shelf).of(Kind.CHECKPOINT)}
    assert seen["one-tiny.safetensors"] == (Family.SD15, False)
    assert seen["one-tiny-xl.safetensors"] == (Family.SDXL, False)
    assert seen["one-tiny-refiner.safetensors"] == (Family.SDXL, True)


def test_the_vocabulary_is_looked_for_in_three_places_and_told_where_it_belongs(shelf: Path, tmp_path: Path) -> None:
    place = tmp_path / "checkpoints"
    place.mkdir()
    for suffix in (".safetensors", ".json"):
        shutil.copy(shelf / "checkpoints" / f"one-tiny{suffix}", place)
    with pytest.raises(CannotDraw, match=r"vocab\.json and merges\.txt of any checkpoint .* in checkpoints/tokenizer/"):
        single_file.checkpoint(found(tmp_path, Kind.CHECKPOINT, "one-tiny"), torch.float32)
    as_clip_came, newer = shelf.parent / "words", shelf / "checkpoints" / "tiny" / "tokenizer"
    for words, there in (
        (as_clip_came, place / "tokenizer"),
        (newer, place / "other" / "tokenizer"),
        (as_clip_came, place / "one-tiny.config" / "tokenizer"),
    ):
        shutil.copytree(words, there)
        assert single_file.checkpoint(found(tmp_path, Kind.CHECKPOINT, "one-tiny"), torch.float32)
        shutil.rmtree(there)


def test_a_vocabulary_of_another_size_is_not_taken(shelf: Path, tmp_path: Path) -> None:
    place = tmp_path / "checkpoints"
    shutil.copytree(shelf / "checkpoints" / "tiny" / "tokenizer", place / "tokenizer")
    (place / "tokenizer" / "tokenizer.json").write_text('{"model": {"vocab": {"a": 0}}}')
    for suffix in (".safetensors", ".json"):
        shutil.copy(shelf / "checkpoints" / f"one-tiny{suffix}", place)
    with pytest.raises(CannotDraw, match=r"needs the vocabulary of its tokenizer \(\d+ entries\)"):
        single_file.checkpoint(found(tmp_path, Kind.CHECKPOINT, "one-tiny"), torch.float32)


def test_a_folder_of_configurations_beside_the_file_wins_and_is_no_model(shelf: Path, tmp_path: Path) -> None:
    place = tmp_path / "checkpoints"
    shutil.copytree(shelf / "checkpoints" / "tiny", place / "mine.config")
    shutil.copy(shelf / "checkpoints" / "one-tiny.safetensors", place / "mine.safetensors")
    config = place / "mine.config" / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("epsilon", "v_prediction"))
    assert [model.name for model in Shelf(tmp_path).models] == ["mine.safetensors"]
    pipeline = single_file.checkpoint(found(tmp_path, Kind.CHECKPOINT, "mine"), torch.float32)
    assert pipeline.scheduler.config["prediction_type"] == "v_prediction"


def test_marks_of_another_training_are_read() -> None:
    assert layouts.scheduler({})["prediction_type"] == "epsilon"
    marked = layouts.scheduler({"v_pred": (), "ztsnr": ()})
    assert (marked["prediction_type"], marked["rescale_betas_zero_snr"]) == ("v_prediction", True)


def test_what_is_no_checkpoint_is_told(shelf: Path, tmp_path: Path) -> None:
    place = tmp_path / "checkpoints"
    place.mkdir()
    save_file({"something": torch.zeros(1)}, place / "other.safetensors")
    (place / "cut.safetensors").write_bytes((shelf / "checkpoints" / "one-tiny.safetensors").read_bytes()[:1000])
    torch.save({}, place / "old.pt")
    for name, told in {
        "other": "no whole SD 1.5 or SDXL",
        "cut": "put the whole file there",
        "old": "a pickle",
    }.items():
        with pytest.raises(CannotDraw, match=told):
            single_file.checkpoint(found(tmp_path, Kind.CHECKPOINT, name), torch.float32)


def test_a_checkpoint_without_its_vae_is_told_which_part_is_missing(shelf: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    tensors = load_file(shelf / "checkpoints" / "one-tiny.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(layouts.VAE)}
    one_file.save(kept, tmp_path / "checkpoints" / "bald.safetensors")
    with pytest.raises(CannotDraw, match="a VAE belong in it"):
        single_file.checkpoint(found(tmp_path, Kind.CHECKPOINT, "bald"), torch.float32)


def test_a_vae_that_is_none_is_told(tmp_path: Path) -> None:
    one_file.save({"something": torch.zeros(1)}, tmp_path / "vae" / "odd.safetensors")
    with pytest.raises(CannotDraw, match="is no VAE in one file"):
        single_file.variational(found(tmp_path, Kind.VAE, "odd"), torch.float32)


def test_a_vae_of_sdxl_is_told_by_its_description_or_its_name(shelf: Path, tmp_path: Path) -> None:
    scales = {}
    for name, said in {"sdxl-vae": {}, "plain": {}, "said": {"base_model": "SDXL 1.0"}}.items():
        (tmp_path / "vae").mkdir(exist_ok=True)
        shutil.copy(shelf / "vae" / "alone.safetensors", tmp_path / "vae" / f"{name}.safetensors")
        parts.describe(tmp_path / "vae" / name, config={"vae": NOT_IN_SHAPES["vae"]}, **said)
        vae = single_file.variational(found(tmp_path, Kind.VAE, name), torch.float32)
        scales[name] = vae.config["scaling_factor"]
    assert scales == {"sdxl-vae": 0.13025, "plain": 0.18215, "said": 0.13025}


def test_a_control_net_leads_a_checkpoint_for_inpainting(shelf: Path) -> None:
    """Its network takes nine channels, a ControlNet four all the same."""
    plain = parts.sd15(shelf.parent / "words").unet
    unet = UNet2DConditionModel.from_config(plain.config, in_channels=9)
    for name in ("authors", "own-names"):
        if name == "own-names":
            net = ControlNetModel.from_pretrained(shelf / "controlnet" / "as-folder")
            one_file.save(net.state_dict(), shelf / "controlnet" / "own-names.safetensors")
        read = single_file.control_net(found(shelf, Kind.CONTROLNET, name), unet, torch.float32)
        assert read.config["in_channels"] == 4


def test_a_control_net_for_another_checkpoint_is_told(shelf: Path) -> None:
    unet = parts.sdxl_unet(cross=80, sizes=6)
    with pytest.raises(CannotDraw, match="is made for another kind of checkpoint"):
        single_file.control_net(found(shelf, Kind.CONTROLNET, "authors"), unet, torch.float32)


# ---- The real shapes, on the device that holds no numbers -----------------------------------------------------------


def real_sd15() -> dict[str, tuple[int, ...]]:
    """The names and shapes of a published SD 1.5 file, from the published configurations."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
        clip = CLIPTextModel(clip_l())
    return shapes({"unet": unet, "vae": real_vae(), "text_encoder": clip, "text_encoder_2": None})


def real_sdxl(refiner: bool) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a published SDXL file, or of its refiner."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**(REFINER if refiner else BASE))
        first = None if refiner else CLIPTextModel(clip_l())
        second = CLIPTextModelWithProjection(open_clip_g())
    return shapes({"unet": unet, "vae": real_vae(), "text_encoder": first, "text_encoder_2": second})


BASE: dict[str, Any] = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": 2048,
    "attention_head_dim": [5, 10, 20],
    "transformer_layers_per_block": [1, 2, 10],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
REFINER: dict[str, Any] = BASE | {
    "block_out_channels": (384, 768, 1536, 1536),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": 1280,
    "attention_head_dim": [6, 12, 24, 24],
    "transformer_layers_per_block": 4,
    "projection_class_embeddings_input_dim": 2560,
}


def clip_l() -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=49408,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        projection_dim=768,
        hidden_act="quick_gelu",
    )


def open_clip_g() -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=49408,
        hidden_size=1280,
        intermediate_size=5120,
        num_hidden_layers=32,
        num_attention_heads=20,
        projection_dim=1280,
        hidden_act="gelu",
    )


def real_vae() -> AutoencoderKL:
    with torch.device("meta"):
        return AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
        )


def shapes(made: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in one_file.tensors_of(made).items()}


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (real_sd15(), {"block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768}),
        (real_sdxl(refiner=False), BASE),
        (real_sdxl(refiner=True), REFINER),
    ],
    ids=["SD 1.5", "SDXL", "SDXL refiner"],
)
def test_a_real_files_shapes_give_the_published_network(
    names: dict[str, tuple[int, ...]], wanted: dict[str, Any]
) -> None:
    _, configs = single_file.configurations(names)
    config = configs["unet"]
    for key, value in wanted.items():
        if key != "transformer_layers_per_block":
            assert config[key] == (list(value) if isinstance(value, tuple) else value), key
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    made = {f"{layouts.UNET}{name}": tuple(t.shape) for name, t in one_file.unet(unet).items()}
    assert made == {name: shape for name, shape in names.items() if name.startswith(layouts.UNET)}
    with torch.device("meta"):
        vae = AutoencoderKL.from_config(configs["vae"])
    made = {f"{layouts.VAE}{name}": tuple(t.shape) for name, t in one_file.vae(vae).items()}
    assert made == {name: shape for name, shape in names.items() if name.startswith(layouts.VAE)}


@pytest.mark.parametrize(("names", "xl"), [(real_sd15(), False), (real_sdxl(refiner=False), True)], ids=["SD", "SDXL"])
def test_a_real_files_shapes_give_the_published_encoders(names: dict[str, tuple[int, ...]], xl: bool) -> None:
    _, configs = single_file.configurations(names)
    wanted = {"text_encoder": clip_l()} | ({"text_encoder_2": open_clip_g()} if xl else {})
    for part, published in wanted.items():
        made = CLIPTextConfig(**configs[part])
        for key in (
            "vocab_size",
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
            "projection_dim",
            "hidden_act",
            "max_position_embeddings",
        ):
            assert getattr(made, key) == getattr(published, key), key
        assert (made.bos_token_id, made.eos_token_id) == (49406, 49407)
    assert configs["vae"]["scaling_factor"] == (0.13025 if xl else 0.18215)


def test_a_real_control_nets_shapes_give_its_hint_widths() -> None:
    with torch.device("meta"):
        net = ControlNetModel(cross_attention_dim=768)
    own = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    authors = {name: tuple(tensor.shape) for name, tensor in one_file.control_net(net).items()}
    assert layouts.hint_widths(own) == layouts.hint_widths(authors) == (3, (16, 32, 96, 256))
