"""Models that are one .safetensors file in A1111's layout, through diffusers' `from_single_file`; offline.

diffusers wants a folder of configurations. It is made for the moment of loading: worked out from the file
(`layouts`), and what lies beside the file is laid over it: the objects of `config` in `<name>.json`, such as
`{"config": {"scheduler": {"prediction_type": "v_prediction"}}}`, and the files of a folder `<name>.config/` in
diffusers' layout. The tokenizer's vocabulary is in no such file; it is looked for in `<name>.config/tokenizer/`, in
`tokenizer/` beside the file, and in the folders of other checkpoints there.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DiffusionPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file

from reference_impl.engine import layouts
from reference_impl.engine.layouts import Config, Shapes
from reference_impl.headers import HeadError, head
from reference_impl.jobs import CannotDraw
from reference_impl.shelf import Family, Model

VOCABULARIES = (("vocab.json", "merges.txt"), ("tokenizer.json",))
"""The files of a vocabulary: as CLIP came, and as newer libraries write them."""

_NOTHING = [None, None]


def checkpoint(model: Model, dtype: torch.dtype) -> DiffusionPipeline:
    """A checkpoint that is one file, as the pipeline that diffusers makes of it.

    Raises:
        CannotDraw: it is neither SD 1.5 nor SDXL, parts of it are missing, or there is no vocabulary for it.
    """
    shapes = _shapes(model)
    try:
        kind, configs = configurations(shapes)
    except KeyError as error:
        raise CannotDraw(
            f"{model.name} is no whole SD 1.5 or SDXL checkpoint in one file: it has no {error.args[0]}; "
            "a network, its text encoders and a VAE belong in it",
            "MODEL_BROKEN",
        ) from error
    with _folder(model, configs) as folder:
        for name in (name for name in configs if name.startswith("tokenizer")):
            words = configs[name.replace("tokenizer", "text_encoder")]["vocab_size"]
            _put_vocabulary(model, folder / name, words)
        pipeline: DiffusionPipeline = kind.from_single_file(
            str(model.path), config=str(folder), local_files_only=True, torch_dtype=dtype
        )
    return pipeline


def variational(model: Model, dtype: torch.dtype) -> AutoencoderKL:
    """A VAE that is one file. It is SDXL's when `<name>.json` says so or its name holds "xl": the file does not tell.

    Raises:
        CannotDraw: it is no VAE of this kind.
    """
    shapes = _shapes(model)
    xl = model.family is Family.SDXL or (model.family is None and "xl" in model.name.lower())
    try:
        config = layouts.vae(shapes, xl)
    except KeyError as error:
        raise CannotDraw(f"{model.name} is no VAE in one file: it has no {error.args[0]}", "MODEL_BROKEN") from error
    with _folder(model, {"vae": config}) as folder:
        vae: AutoencoderKL = AutoencoderKL.from_single_file(
            str(model.path), config=str(folder), subfolder="vae", local_files_only=True, torch_dtype=dtype
        )
    return vae


def control_net(model: Model, unet: UNet2DConditionModel, dtype: torch.dtype) -> ControlNetModel:
    """A ControlNet that is one file, in diffusers' names or in those of its authors.

    Args:
        model: of the shelf.
        unet: the network it is to lead; a ControlNet is a copy of its way down.
        dtype: of its weights.

    Raises:
        CannotDraw: it is no ControlNet, or one for another network.
    """
    shapes = _shapes(model)
    try:
        channels, widths = layouts.hint_widths(shapes)
    except KeyError as error:
        raise CannotDraw(
            f"{model.name} is no ControlNet in one file: it has no {error.args[0]}", "MODEL_BROKEN"
        ) from error
    with torch.device("meta"):
        empty = ControlNetModel.from_unet(
            unet,
            conditioning_channels=channels,
            conditioning_embedding_out_channels=widths,
            load_weights_from_unet=False,
        )
        # A network for inpainting takes the mask as well; its ControlNet sees the latents alone.
        empty = ControlNetModel.from_config(empty.config, in_channels=unet.config["out_channels"])
    try:
        if "controlnet_cond_embedding.conv_in.weight" in shapes:
            empty.load_state_dict(load_file(model.path), assign=True)
            net: ControlNetModel = empty.to(dtype)
        else:
            with TemporaryDirectory() as folder:
                empty.save_config(folder)
                net = ControlNetModel.from_single_file(
                    str(model.path), config=folder, local_files_only=True, torch_dtype=dtype
                )
    except (RuntimeError, ValueError) as error:
        message = f"{model.name} is made for another kind of checkpoint than the one asked for"
        raise CannotDraw(message, "MISFIT") from error
    return net


def configurations(shapes: Shapes) -> tuple[type[DiffusionPipeline], dict[str, Config]]:
    """The pipeline for a file, and the configuration of each of its parts, its index among them.

    Raises:
        KeyError: a tensor is missing that every such file has; carries its name.
    """
    if any(name.startswith(layouts.OPEN_CLIP_REFINER) for name in shapes):
        second = layouts.open_clip(shapes, layouts.OPEN_CLIP_REFINER)
        kind: type[DiffusionPipeline] = StableDiffusionXLImg2ImgPipeline
        texts = {"text_encoder_2": second}
        more: Config = {"text_encoder": _NOTHING, "tokenizer": _NOTHING, "requires_aesthetics_score": True}
    elif any(name.startswith(layouts.OPEN_CLIP) for name in shapes):
        second = layouts.open_clip(shapes, layouts.OPEN_CLIP)
        kind = StableDiffusionXLPipeline
        texts = {"text_encoder": layouts.clip(shapes, layouts.CLIP_XL), "text_encoder_2": second}
        more = {}
    else:
        texts = {"text_encoder": layouts.clip(shapes, layouts.CLIP)}
        kind = StableDiffusionPipeline
        more = {"safety_checker": _NOTHING, "requires_safety_checker": False}
    xl = "text_encoder_2" in texts
    configs = dict(texts)
    for name in texts:
        # SDXL's second encoder was trained with texts that are filled up with "!".
        configs[name.replace("text_encoder", "tokenizer")] = layouts.tokenizer(
            "!" if name.endswith("_2") else "<|endoftext|>"
        )
    configs |= {
        "unet": layouts.unet(shapes, texts["text_encoder_2"]["projection_dim"] if xl else None),
        "vae": layouts.vae(shapes, xl),
        "scheduler": layouts.scheduler(shapes),
    }
    index: Config = {"_class_name": kind.__name__, "feature_extractor": _NOTHING, "image_encoder": _NOTHING, **more}
    for name, config in configs.items():
        library = "transformers" if name.startswith(("text_encoder", "tokenizer")) else "diffusers"
        index[name] = [
            library,
            config.get("_class_name") or config.get("tokenizer_class") or config["architectures"][0],
        ]
    return kind, configs | {"": index}


@contextmanager
def _folder(model: Model, configs: dict[str, Config]) -> Iterator[Path]:
    """A folder in diffusers' layout that holds configurations alone; what lies beside the model is laid over it."""
    said: Any = model.shown.get("config", {})
    own = model.path.with_suffix(".config")
    with TemporaryDirectory() as name:
        folder = Path(name)
        for part, config in configs.items():
            extra = said.get(part, {}) if isinstance(said, dict) else None
            if not isinstance(extra, dict):
                raise CannotDraw(
                    f'{model.path.stem}.json: "config" should hold an object for each part', "MODEL_BROKEN"
                )
            file = "model_index.json" if not part else _FILES.get(part.removesuffix("_2"), "config.json")
            (folder / part).mkdir(exist_ok=True)
            (folder / part / file).write_bytes(orjson.dumps(config | extra))
        if own.is_dir():
            shutil.copytree(own, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors", "*.bin"))
        yield folder


_FILES = {"scheduler": "scheduler_config.json", "tokenizer": "tokenizer_config.json"}


def _put_vocabulary(model: Model, tokenizer: Path, words: int) -> None:
    """Lays a vocabulary of so many words into the folder of a tokenizer, unless the user's own lies there already."""
    if _vocabulary(tokenizer):
        return
    shelf = model.path.parent
    for place in (shelf / "tokenizer", *sorted(shelf.glob("*/tokenizer")), *sorted(shelf.glob("*/tokenizer_2"))):
        files = _vocabulary(place)
        if files and _entries(files[0]) == words:
            for file in files:
                shutil.copyfile(file, tokenizer / file.name)
            return
    raise CannotDraw(
        f"{model.name} needs the vocabulary of its tokenizer ({words} entries), which is in no single file: put "
        f"vocab.json and merges.txt of any checkpoint of this kind in {shelf.name}/tokenizer/ of the folder of models",
        "NO_MODEL",
    )


def _vocabulary(place: Path) -> list[Path]:
    """The files of a vocabulary that lie in a folder; none where they are not complete."""
    for names in VOCABULARIES:
        if all((place / name).is_file() for name in names):
            return [place / name for name in names]
    return []


def _entries(file: Path) -> int:
    """Words of a vocabulary, 0 where it cannot be read."""
    try:
        read = orjson.loads(file.read_bytes())
        return len(read["model"]["vocab"] if file.name == "tokenizer.json" else read)
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return 0


def _shapes(model: Model) -> Shapes:
    if model.path.suffix != ".safetensors":
        raise CannotDraw(f"{model.name} is a pickle, which may run code when it is read; give it as .safetensors")
    try:
        return head(model.path).shapes
    except HeadError as error:
        raise CannotDraw(f"{error}; put the whole file there", "MODEL_BROKEN") from error
