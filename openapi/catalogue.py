"""The models: what GET /v3/model lists and what model names in requests are checked against.

The data is `catalogue.yaml`, read here from its compiled JSON form; this module expands its groups into models and
looks them up. What a server does with a name that is unknown or not the documented one is the server's business.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

COMPILED = Path(__file__).parent / "compiled" / "catalogue.json"

FORMAT = 1
"""Version of the file's layout that this module reads."""

DOWNLOAD_URL_TTL_S = 2_592_000
"""Seconds; the example of the model list page (its text says one day, C41)."""

_GROUP_KEYS = frozenset(
    {
        "kind",
        "type",
        "base_model",
        "base_model_type",
        "ending",
        "api_ending",
        "source",
        "visibility",
        "status",
        "name",
        "tags",
        "categories",
    }
)
_MODEL_KEYS = _GROUP_KEYS | {"stem", "id", "hash"}


class CatalogueError(ValueError):
    """The catalogue file is not as this module expects it; the message says where."""


class Kind(StrEnum):
    """What requests use a model as; the words of `filter.types` (facts 6)."""

    CHECKPOINT = "checkpoint"
    LORA = "lora"
    VAE = "vae"
    CONTROLNET = "controlnet"
    UPSCALER = "upscaler"
    TEXTUALINVERSION = "textualinversion"


class Visibility(StrEnum):
    """Whose model it is; the words of `filter.visibility`."""

    PUBLIC = "public"
    PRIVATE = "private"


class Source(StrEnum):
    """Where a model comes from; the words of `filter.source`."""

    CIVITAI = "civitai"
    TRAINING = "training"
    UPLOADING = "uploading"


_DISPLAY_NAMES = {
    # The example of the model list page writes the first two like this; the others are ours.
    "checkpoint": "Checkpoint",
    "locon": "locon",
    "lora": "Lora",
    "vae": "VAE",
    "controlnet": "ControlNet",
    "upscaler": "Upscaler",
    "textualinversion": "Textual Inversion",
}

_DOCUMENTED_BY_SD_NAME = frozenset({Kind.CHECKPOINT, Kind.VAE})
_DOCUMENTED_BY_API_NAME = frozenset({Kind.LORA, Kind.TEXTUALINVERSION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model.

    Attributes:
        name: the version name, not unique.
        hash_sha256: ten hexadecimal digits, upper case, as the page shortens them.
        sd_name: the file name, with its ending where it has one.
        sd_name_in_api: the name to use in calls; without the ending for LoRA and embeddings (C27).
        type: `type.name` on the wire: the kind, or locon for some LoRA.
        base_model: SD 1.5, SDXL 1.0 or Other.
        base_model_type: Standard, Inpainting or Refiner.
        status: 1 usable, 0 not usable.
    """

    id: int
    name: str
    hash_sha256: str
    sd_name: str
    sd_name_in_api: str
    kind: Kind
    type: str
    base_model: str
    base_model_type: str
    categories: tuple[str, ...]
    tags: tuple[str, ...]
    status: int
    source: Source
    visibility: Visibility

    @property
    def usable(self) -> bool:
        """Whether requests may name it."""
        return self.status == 1

    @property
    def is_sdxl(self) -> bool:
        """Whether it belongs to SDXL; everything else is taken for SD 1.5 by the compatibility rules."""
        return self.base_model.startswith("SDXL")

    @property
    def is_inpainting(self) -> bool:
        """Whether it is a checkpoint for inpainting."""
        return self.kind is Kind.CHECKPOINT and self.base_model_type == "Inpainting"

    @property
    def documented_name(self) -> str:
        """The name that the pages ask for in requests (C27)."""
        return self.sd_name_in_api if self.kind in _DOCUMENTED_BY_API_NAME else self.sd_name

    def as_wire(self) -> dict[str, object]:
        """The object in `models[]` of GET /v3/model, every documented field filled in.

        Links point to a reserved host: there is no file and no cover behind them.
        """
        return {
            "id": self.id,
            "name": self.name,
            "hash_sha256": self.hash_sha256,
            "sd_name": self.sd_name,
            "type": {"name": self.type, "display_name": _DISPLAY_NAMES.get(self.type, self.type)},
            "categories": list(self.categories),
            "status": self.status,
            "download_url": f"https://models.example/{self.id}",
            "download_url_ttl": DOWNLOAD_URL_TTL_S,
            "tags": list(self.tags),
            "cover_url": f"https://covers.example/{self.id}.jpeg",
            "source": self.source.value,
            "base_model": self.base_model,
            "base_model_type": self.base_model_type,
            "sd_name_in_api": self.sd_name_in_api,
            "is_sdxl": self.is_sdxl,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A model and what was asked for.

    Attributes:
        documented: the name is the one that the pages ask for; otherwise it is only tolerated (C27).
    """

    model: Model
    documented: bool

    @property
    def documented_name(self) -> str:
        """The name that the pages ask for."""
        return self.model.documented_name


class Catalogue:
    """All models, in the order of the file, which is the order of the list."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = tuple(models)
        self._found: dict[tuple[Kind, str], Found] = {}
        for model in self.models:
            for name in dict.fromkeys((model.sd_name, model.sd_name_in_api, *_without_ending(model))):
                documented = name == model.documented_name or (
                    # Control models and upscalers are named by value lists; no page says which of the two names it is.
                    model.kind not in _DOCUMENTED_BY_SD_NAME | _DOCUMENTED_BY_API_NAME
                )
                found = Found(model=model, documented=documented)
                if self._found.setdefault((model.kind, name), found) is not found:
                    raise CatalogueError(f"two models of kind {model.kind.value} answer to the name {name!r}")

    def __len__(self) -> int:
        return len(self.models)

    def __iter__(self) -> Iterator[Model]:
        return iter(self.models)

    def find(self, name: str, kind: Kind) -> Found | None:
        """The model of a name: `sd_name` or `sd_name_in_api`, with or without file ending (C27)."""
        return self._found.get((kind, name))

    def query(
        self,
        *,
        visibility: str | None = None,
        source: str | None = None,
        types: Iterable[str] = (),
        is_sdxl: bool | None = None,
        query: str | None = None,
        is_inpainting: bool | None = None,
    ) -> list[Model]:
        """The models that pass every filter of GET /v3/model, always in the same order.

        Args:
            visibility: public or private; None for both.
            source: civitai, training or uploading; None for all.
            types: kinds (lora includes locon) or types; empty for all. A word that no model has matches nothing.
            is_sdxl: True only SDXL, False none; None for all.
            query: looked for in sd_name, name and tags, whatever the case.
            is_inpainting: True only checkpoints for inpainting; False, the documented default, filters nothing.
        """
        wanted = frozenset(types)
        needle = query.casefold() if query else ""
        return [
            model
            for model in self.models
            if (visibility is None or model.visibility == visibility)
            and (source is None or model.source == source)
            and (not wanted or model.kind in wanted or model.type in wanted)
            and (is_sdxl is None or model.is_sdxl == is_sdxl)
            and (not is_inpainting or model.is_inpainting)
            and (not needle or any(needle in text.casefold() for text in (model.sd_name, model.name, *model.tags)))
        ]


def load_catalogue(path: Path | None = None) -> Catalogue:
    """The catalogue of the package, or of another compiled file.

    Raises:
        CatalogueError: the file is missing or not a catalogue.
    """
    path = path or COMPILED
    try:
        raw = orjson.loads(path.read_bytes())
    except OSError as error:
        raise CatalogueError(
            f"{path}: cannot be read ({error.strerror}); `python -m openapi.build` makes it"
        ) from error
    except orjson.JSONDecodeError as error:
        raise CatalogueError(f"{path}: not JSON: {error}") from error
    return Catalogue(expand(raw))


def expand(raw: Mapping[str, Any]) -> Iterator[Model]:
    """The models of a catalogue file: each group's keys are defaults for its models.

    Args:
        raw: the parsed content of `catalogue.yaml`.

    Raises:
        CatalogueError: another format, an unknown key, or a value that no enumeration has.
    """
    if raw.get("format") != FORMAT:
        raise CatalogueError(f"format {raw.get('format')!r}: this reader knows format {FORMAT}")
    for number, group in enumerate(raw["groups"], start=1):
        defaults = {key: value for key, value in group.items() if key != "models"}
        if unknown := defaults.keys() - _GROUP_KEYS:
            raise CatalogueError(f"group {number}: unknown key {sorted(unknown)[0]!r}")
        for row in group["models"]:
            if unknown := row.keys() - _MODEL_KEYS:
                raise CatalogueError(f"group {number}, {row.get('stem')!r}: unknown key {sorted(unknown)[0]!r}")
            try:
                yield _model({**defaults, **row})
            except (KeyError, ValueError) as error:
                raise CatalogueError(f"group {number}, {row.get('stem')!r}: {error}") from error


def _model(row: Mapping[str, Any]) -> Model:
    stem = row["stem"]
    sd_name = stem + row.get("ending", "")
    encoded = sd_name.encode()
    kind = Kind(row["kind"])
    return Model(
        id=row.get("id") or 100_000 + zlib.crc32(encoded) % 900_000,
        name=row.get("name") or _without_number(stem),
        hash_sha256=row.get("hash") or hashlib.sha256(encoded).hexdigest()[:10].upper(),
        sd_name=sd_name,
        sd_name_in_api=sd_name if row.get("api_ending") else stem,
        kind=kind,
        type=row.get("type", kind.value),
        base_model=row["base_model"],
        base_model_type=row.get("base_model_type", "Standard"),
        categories=tuple(row.get("categories", ())),
        tags=tuple(row.get("tags", ())),
        status=row.get("status", 1),
        source=Source(row.get("source", "civitai")),
        visibility=Visibility(row.get("visibility", "public")),
    )


def _without_number(stem: str) -> str:
    head, _, tail = stem.rpartition("_")
    return head if head and tail.isdecimal() else stem


def _without_ending(model: Model) -> tuple[str, ...]:
    head, dot, ending = model.sd_name.rpartition(".")
    # Only real endings: the "0" of sd_xl_base_1.0 is none.
    return (head,) if dot and ending in {"safetensors", "ckpt", "pt", "pth", "bin"} else ()
