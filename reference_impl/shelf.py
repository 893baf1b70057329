"""What models there are: a folder is read, nothing is loaded. No torch here.

Layout, all parts optional; a folder in the layout of diffusers or transformers, or a file:

    checkpoints/<name>/            model_index.json inside     checkpoints/<name>.safetensors   one file, A1111's layout
    vae/<name>/  or .safetensors   loras/<name>.safetensors    embeddings/<name>.safetensors (or .pt)
    controlnet/<name>/             t2i_adapter/<name>/         ip_adapter/<name>.safetensors (and image_encoder/)
    upscaler/<name>.safetensors    safety/<name>/              and <name>.json beside each: what to show of it
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from reference_impl.headers import HeadError, head

WEIGHTS = (".safetensors", ".pt", ".bin")
FOLDER_MARKS = ("model_index.json", "config.json")


class ShelfError(ValueError):
    """The folder of models is not as expected; the message says where and what helps."""


class Kind(StrEnum):
    """What requests use a model as; the value is its folder."""

    CHECKPOINT = "checkpoints"
    VAE = "vae"
    LORA = "loras"
    EMBEDDING = "embeddings"
    CONTROLNET = "controlnet"
    T2I_ADAPTER = "t2i_adapter"
    IP_ADAPTER = "ip_adapter"
    UPSCALER = "upscaler"
    SAFETY = "safety"


class Family(StrEnum):
    """The shape of a checkpoint, and what the others fit to; the words of `base_model` in the list of models."""

    SD15 = "SD 1.5"
    SDXL = "SDXL 1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model on the shelf.

    Attributes:
        name: in requests (`sd_name_in_api`); a file's name keeps its ending.
        path: its folder or file.
        family: None where nothing tells.
        refiner: a checkpoint that only refines.
        shown: what <name>.json says of it: `title`, `tags`, `cover_url`, `trigger_words`, `nsfw_levels`.
        stands_for: further names that requests may use, also from <name>.json; for what only fixed names can be asked
            for, such as control models.
    """

    kind: Kind
    name: str
    path: Path
    family: Family | None = None
    refiner: bool = False
    shown: dict[str, Any] = field(default_factory=dict)
    stands_for: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Ten hex digits that name this model; made from kind, name and size, no weights are read."""
        size = self.path.stat().st_size if self.path.is_file() else 0
        return hashlib.sha256(f"{self.kind}/{self.name}/{size}".encode()).hexdigest()[:10].upper()


class Shelf:
    """The models of one folder, as it was when it was read.

    Raises:
        ShelfError: there is no such folder, or a description in it cannot be read.
    """

    def __init__(self, folder: Path, aliases: dict[str, str] | None = None) -> None:
        if not folder.is_dir():
            raise ShelfError(f"{folder} is no folder; `novita-reference make-models {folder}` makes one to begin with")
        self.folder = folder
        self._aliases = dict(aliases or {})
        self.models: tuple[Model, ...] = tuple(_models(folder))
        self._by_name = {(model.kind, name): model for model in self.models for name in model.stands_for}
        self._by_name |= {(model.kind, spelling): model for model in self.models for spelling in _spellings(model)}

    def find(self, kind: Kind, name: str) -> Model | None:
        """A model by its name in requests, with or without its file's ending; None when there is none."""
        wanted = self._aliases.get(name, name)
        stem = wanted.removesuffix(".safetensors").removesuffix(".bin")
        return self._by_name.get((kind, wanted)) or self._by_name.get((kind, stem))

    def of(self, kind: Kind) -> list[Model]:
        """All of a kind, by name."""
        return [model for model in self.models if model.kind is kind]


def _models(folder: Path) -> Iterator[Model]:
    for kind in Kind:
        for path in sorted((folder / kind.value).glob("*")):
            if (path.is_dir() and _is_model(path)) or (path.is_file() and path.suffix in WEIGHTS):
                described = _described(path)
                family, refiner = _shape(path, described)
                yield Model(
                    kind=kind,
                    name=path.name,
                    path=path,
                    family=family,
                    refiner=refiner,
                    shown=described,
                    stands_for=_other_names(path, described),
                )


def _is_model(path: Path) -> bool:
    # <name>.config/ beside a single file says how to read it (`engine.single_file`).
    companion = path.name == "image_encoder" or path.suffix == ".config"
    return not companion and any((path / mark).is_file() for mark in FOLDER_MARKS)


def _described(path: Path) -> dict[str, Any]:
    beside = path.parent / f"{path.name.removesuffix(path.suffix) if path.is_file() else path.name}.json"
    if not beside.is_file():
        return {}
    return _object(beside)


def _other_names(path: Path, described: dict[str, Any]) -> tuple[str, ...]:
    names = described.get("stands_for", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ShelfError(f"{path.name}: stands_for in its .json should be a list of names, not {names!r}")
    return tuple(names)


def _object(file: Path) -> dict[str, Any]:
    try:
        read = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ShelfError(f"{file} is no JSON: {error}") from None
    if not isinstance(read, dict):
        raise ShelfError(f"{file} should hold a JSON object")
    return read


def _shape(path: Path, described: dict[str, Any]) -> tuple[Family | None, bool]:
    said = described.get("base_model")
    if said is not None and said not in tuple(Family):
        raise ShelfError(f"{path.name}.json: base_model should be {' or '.join(Family)}, not {said!r}")
    family = Family(said) if said else None
    index = path / "model_index.json"
    if not index.is_file():
        found, lone = _by_tensors(path) if path.suffix == ".safetensors" else (_by_config(path / "config.json"), False)
        return family or found, bool(described.get("refiner", lone))
    parts = _object(index)
    has_two = "text_encoder_2" in parts
    lone = parts.get("text_encoder") in (None, [None, None])
    return family or (Family.SDXL if has_two else Family.SD15), has_two and lone


def _by_config(file: Path) -> Family | None:
    """What a ControlNet was made for: SDXL's adds sizes to the time."""
    config = _object(file) if file.is_file() else {}
    if "addition_embed_type" not in config:
        return None
    return Family.SDXL if config["addition_embed_type"] == "text_time" else Family.SD15


def _by_tensors(file: Path) -> tuple[Family | None, bool]:
    """The family of a checkpoint, LoRA or embedding in one file, and whether it only refines."""
    try:
        top = head(file)
    except HeadError:  # whoever wants to use it is told
        return None, False
    if top.any("conditioner.embedders.0.model."):
        return Family.SDXL, True
    if top.any("conditioner.embedders.1.", "lora_te2_", "text_encoder_2.", "clip_g"):
        return Family.SDXL, False
    if top.any("cond_stage_model.transformer."):
        return Family.SD15, False
    version = top.notes.get("ss_base_model_version", "")
    return next((family for start, family in _TRAINED_ON.items() if version.startswith(start)), None), False


_TRAINED_ON = {"sdxl": Family.SDXL, "sd_v1": Family.SD15}
"""How the note that trainers of LoRAs leave begins."""


def _spellings(model: Model) -> tuple[str, ...]:
    return (model.name, Path(model.name).stem) if model.path.is_file() else (model.name,)
