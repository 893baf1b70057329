"""The list of models: what is really on the shelf, in the words of GET /v3/model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from openapi.query import QueryValue
from reference_impl.shelf import Family, Kind, Model, Shelf
from reference_impl.submissions import Fault, Refused
from reference_impl.submissions.names import name_in_api

PAGE = 100
"""Models on a page when nobody says how many; the most that anybody may ask for."""

_TYPES: Mapping[Kind, tuple[str, str]] = MappingProxyType(
    {
        Kind.CHECKPOINT: ("checkpoint", "Checkpoint"),
        Kind.LORA: ("lora", "Lora"),
        Kind.VAE: ("vae", "VAE"),
        Kind.EMBEDDING: ("textualinversion", "Textual Inversion"),
        Kind.UPSCALER: ("upscaler", "Upscaler"),
        # The list has no words of its own for adapters; v2 counts them among the control models.
        Kind.CONTROLNET: ("controlnet", "ControlNet"),
        Kind.T2I_ADAPTER: ("controlnet", "ControlNet"),
        Kind.IP_ADAPTER: ("controlnet", "ControlNet"),
    }
)
"""`type.name` and `type.display_name`. What is not here, such as detectors, nobody can name in a request."""


@dataclass(frozen=True, slots=True)
class _Entry:
    wire: Mapping[str, Any]
    words: str
    """What `filter.query` looks through, in lower case."""


class ModelList:
    """The models of a shelf. All are public: nobody can upload here.

    Args:
        shelf: what there is.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._entries = [_entry(model) for model in shelf.models if model.kind in _TYPES]

    def page(self, query: Mapping[str, QueryValue]) -> dict[str, Any]:
        """One page, and the cursor of the next; empty on the last one (C42).

        Args:
            query: typed parameters by name, as the document reads them.

        Raises:
            Refused: the cursor is none of ours.
        """
        found = [entry.wire for entry in self._entries if _passes(entry, query)]
        begin = _offset(str(query.get("pagination.cursor", "")))
        end = begin + int(str(query.get("pagination.limit", PAGE)))
        return {
            "models": found[begin:end],
            "pagination": {"next_cursor": f"c_{end}" if end < len(found) else ""},
        }


def _entry(model: Model) -> _Entry:
    word, display = _TYPES[model.kind]
    shown = model.shown
    name = str(shown.get("title") or Path(model.name).stem)
    tags = [str(tag) for tag in shown.get("tags", ())]
    wire: dict[str, Any] = {
        "id": int(model.digest[:8], 16),
        "name": name,
        "hash_sha256": model.digest,
        "sd_name": model.name,
        "type": {"name": word, "display_name": display},
        "categories": [],
        "status": 0 if model.refiner else 1,  # a refiner draws nothing by itself
        "tags": tags,
        "source": "uploading",
        "base_model": model.family.value if model.family else "Other",
        "base_model_type": _base_model_type(model),
        "sd_name_in_api": name_in_api(model),
        "is_sdxl": model.family is Family.SDXL,
    }
    if shown.get("cover_url"):
        wire["cover_url"] = shown["cover_url"]
    return _Entry(wire, "\n".join((model.name, name, *tags)).casefold())


def _base_model_type(model: Model) -> str:
    if model.refiner:
        return "Refiner"
    inpaints = model.kind is Kind.CHECKPOINT and "inpaint" in model.name.lower()
    return str(model.shown.get("base_model_type") or ("Inpainting" if inpaints else "Standard"))


def _passes(entry: _Entry, query: Mapping[str, QueryValue]) -> bool:
    wire = entry.wire
    types = query.get("filter.types", ())
    return (
        query.get("filter.visibility", "public") == "public"
        and query.get("filter.source", wire["source"]) == wire["source"]
        and (not types or wire["type"]["name"] in (types if isinstance(types, tuple) else (types,)))
        and query.get("filter.is_sdxl", wire["is_sdxl"]) == wire["is_sdxl"]
        and (not query.get("filter.is_inpainting") or wire["base_model_type"] == "Inpainting")
        and str(query.get("filter.query", "")).casefold() in entry.words
    )


def _offset(cursor: str) -> int:
    """Where a page begins. Clients make up offsets such as c_100, and one of them writes the c_ twice (C42)."""
    if not cursor:
        return 0
    match = re.fullmatch(r"(?:c_)+([0-9]{1,9})", cursor)
    if match is None:
        raise Refused(
            Fault.RANGE, "pagination.cursor", "expected the next_cursor of a page before, or c_ and an offset"
        )
    return int(match[1])
