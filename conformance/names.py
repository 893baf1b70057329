"""Names of models that the target has: asked of its model list, so that the suite fits servers with other models.

What the list does not tell is taken from the contract's catalogue, whose names the vendor's own samples use; a name
that was given on the command line wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

FALLBACK: Mapping[str, str] = {
    "checkpoint": "dreamshaper_8_93211.safetensors",
    "checkpoint_in_api": "dreamshaper_8_93211.safetensors",
    "checkpoint_sdxl": "sd_xl_base_1.0.safetensors",
    "checkpoint_sdxl_in_api": "sd_xl_base_1.0.safetensors",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names as requests take them; "" where the target lists none.

    `checkpoint`, `vae`: `sd_name`; `checkpoint_in_api`: `sd_name_in_api`, which v2 takes (C27); `lora`, `embedding`:
    `sd_name_in_api`, and `lora_file`, `embedding_file` their `sd_name` with ending. All fit SD 1.5 but for those that
    say sdxl. `other_*` is a second one of the kind; `loras` and `embeddings` are all that `lora` and `embedding` could
    have been.
    """

    checkpoint: str
    checkpoint_in_api: str
    other_checkpoint: str = ""
    checkpoint_sdxl: str = ""
    checkpoint_sdxl_in_api: str = ""
    vae: str = ""
    vae_sdxl: str = ""
    lora: str = ""
    lora_file: str = ""
    embedding: str = ""
    embedding_file: str = ""
    loras: tuple[str, ...] = ()
    embeddings: tuple[str, ...] = ()
    listed: bool = True
    """Whether the target's list told the checkpoint."""
    known: bool = True
    """Whether the list or the user told it; else it is made up, and the target may well not have it."""


def names_from(models: Iterable[Mapping[str, Any]], given: Mapping[str, str]) -> Names:
    """Names for requests.

    Args:
        models: entries of GET /v3/model, as they came; what is malformed is passed over.
        given: fields of `Names` that the user set.
    """
    usable = [model for model in models if _text(model, "sd_name") and model.get("status", 1) == 1]
    sd15 = [model for model in usable if not _sdxl(model)]
    sdxl = [model for model in usable if _sdxl(model)]
    checkpoints, checkpoints_sdxl = _kind(sd15, "checkpoint"), _kind(sdxl, "checkpoint")
    found = {
        "checkpoint": _sd_name(checkpoints),
        "checkpoint_in_api": _in_api(checkpoints),
        "other_checkpoint": _sd_name(checkpoints[1:]),
        "checkpoint_sdxl": _sd_name(checkpoints_sdxl),
        "checkpoint_sdxl_in_api": _in_api(checkpoints_sdxl),
        "vae": _sd_name(_kind(sd15, "vae")),
        "vae_sdxl": _sd_name(_kind(sdxl, "vae")),
        "lora": _in_api(_kind(sd15, "lora")),
        "lora_file": _sd_name(_kind(sd15, "lora")),
        "embedding": _in_api(_kind(sd15, "textualinversion")),
        "embedding_file": _sd_name(_kind(sd15, "textualinversion")),
    }
    if "checkpoint" in given and not found["checkpoint_in_api"]:
        found["checkpoint_in_api"] = given["checkpoint"]  # better than a name that the target has never heard of
    listed = bool(found["checkpoint"])
    texts: dict[str, Any] = {name: text for name, text in found.items() if text} | _missing(found)
    names = replace(
        Names(**texts, listed=listed, known=listed or "checkpoint" in given),
        loras=_all_in_api(_kind(sd15, "lora")),
        embeddings=_all_in_api(_kind(sd15, "textualinversion")),
    )
    return replace(names, **dict(given))  # type: ignore[arg-type]  # the command line checks the names of fields


def _missing(found: Mapping[str, str]) -> dict[str, str]:
    """Only checkpoints have a fallback: without one nothing can be asked at all."""
    return {
        name: text for name, text in FALLBACK.items() if not found[name] and name in ("checkpoint", "checkpoint_in_api")
    }


def _kind(models: Sequence[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    """Models of a kind; checkpoints for inpainting last, they may not draw from text alone."""
    found = [model for model in models if _type(model) == kind]
    return sorted(found, key=lambda model: "inpaint" in str(model.get("sd_name", "")).lower())


def _type(model: Mapping[str, Any]) -> str:
    kind = model.get("type")
    name = kind.get("name") if isinstance(kind, dict) else kind
    return name if isinstance(name, str) else ""


def _sdxl(model: Mapping[str, Any]) -> bool:
    return bool(model.get("is_sdxl")) or "xl" in str(model.get("base_model", "")).lower()


def _text(model: Mapping[str, Any], key: str) -> str:
    value = model.get(key)
    return value if isinstance(value, str) else ""


def _sd_name(models: Sequence[Mapping[str, Any]]) -> str:
    return _text(models[0], "sd_name") if models else ""


def _all_in_api(models: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_in_api([model]) for model in models))


def _in_api(models: Sequence[Mapping[str, Any]]) -> str:
    return _text(models[0], "sd_name_in_api") or _sd_name(models) if models else ""
