"""GET /v3/model: the form of the list and of what stands in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.bodies import MODELS
from conformance.mutants.making import ABSENT, answers, puts
from conformance.mutants.values import Answer, Mutant, Request, State, json_answer


def _models(answer: Answer) -> list[Any]:
    found = answer.json.get("models") if isinstance(answer.json, dict) else None
    return found if isinstance(found, list) else []


def _listed(state: State, request: Request, answer: Answer) -> bool:
    return answer.status == 200 and isinstance(answer.json, dict)


def _nothing(state: State, request: Request, answer: Answer) -> bool:
    return _listed(state, request, answer) and not _models(answer)


def _any(
    name: str, number: str, words: str, change: Callable[[Answer], Answer], when: Any = _listed, **more: Any
) -> Mutant:
    breaks = f"V3-MODEL-{number}"
    return answers(name, breaks, words, MODELS, lambda _state, _request, one: change(one), when=when, **more)


def _field(name: str, number: str, words: str, path: str, value: Any, **more: Any) -> Mutant:
    return puts(name, f"V3-MODEL-{number}", words, MODELS, f"models[].{path}", value, **more)


def of_kind(*kinds: str) -> Callable[[Any], bool]:
    """A model whose type has one of some names."""
    return lambda model: isinstance(model.get("type"), dict) and model["type"].get("name") in kinds


def _of_kind(
    name: str, number: str, words: str, kinds: tuple[str, ...], change: Callable[[dict[str, Any]], None]
) -> Mutant:
    """Changes models of some kinds in place."""
    hit = of_kind(*kinds)

    def changed(answer: Answer) -> Answer:
        body = answer.fresh()
        for model in body.get("models") or ():
            if hit(model):
                change(model)
        return answer.with_json(body)

    return _any(name, number, words, changed)


def _bare(model: dict[str, Any]) -> None:
    model["sd_name_in_api"] = str(model.get("sd_name", "")).rpartition(".")[0] or "x"


def _whole(model: dict[str, Any]) -> None:
    model["sd_name_in_api"] = model.get("sd_name")


def _first_without(key: str) -> Callable[[Answer], Answer]:
    def changed(answer: Answer) -> Answer:
        body = answer.fresh()
        for model in (body.get("models") or ())[:1]:
            model.pop(key, None)
        return answer.with_json(body)

    return changed


MUTANTS = (
    _any("models-created", "001", "The list has status 201.", lambda one: one.with_status(201)),
    _any(
        "no-models-are-null",
        "001",
        "models is null when nothing fits.",
        lambda one: one.with_json({**one.json, "models": None}),
        _nothing,
    ),
    _any(
        "no-models-at-all",
        "001",
        "models is absent when nothing fits.",
        lambda one: one.with_json({key: value for key, value in one.json.items() if key != "models"}),
        _nothing,
    ),
    _any(
        "no-models-are-not-found",
        "001",
        "Where nothing fits the status is 404.",
        lambda one: json_answer(404, {"code": 404, "reason": "API_NOT_FOUND", "message": "none", "metadata": {}}),
        _nothing,
    ),
    _any(
        "models-by-name",
        "001",
        "models is an object by name.",
        lambda one: one.with_json({**one.json, "models": {model["sd_name"]: model for model in _models(one)}}),
    ),
    _any("models-bare", "001", "The answer is the array itself.", lambda one: one.with_json(_models(one))),
    _any("models-in-data", "001", "The answer stands inside data.", lambda one: one.with_json({"data": one.json})),
    _field("model-ids-in-quotes", "002", "id is text.", "id", str),
    _field("model-status-2", "002", "status is 2.", "status", 2),
    _field("model-status-in-words", "002", "status is a word.", "status", "ready"),
    _field("model-status-absent", "002", "status is absent.", "status", ABSENT),
    _field("model-types-are-text", "002", "type is text.", "type", lambda old: old["name"]),
    _field("model-types-without-name", "002", "type has no name.", "type.name", ABSENT),
    _field("model-names-null", "002", "name is null.", "name", None),
    _field("model-names-are-numbers", "002", "name is a number.", "name", 8),
    _field("model-sd-names-absent", "002", "sd_name is absent.", "sd_name", ABSENT),
    _any("first-model-without-id", "002", "The first model of a page has no id.", _first_without("id")),
    _field("model-tags-in-a-text", "003", "tags is text with commas.", "tags", ",".join),
    _field("model-tags-null", "003", "tags is null.", "tags", None),
    _field("model-tags-are-numbers", "003", "tags are numbers.", "tags", [1, 2]),
    _field("model-hash-is-a-number", "003", "hash_sha256 is a number.", "hash_sha256", 12),
    _field("model-links-relative", "003", "download_url has no host.", "download_url", "/models/1"),
    _field("model-covers-relative", "003", "cover_url has no host.", "cover_url", "covers/1.png"),
    _field("model-ttl-below-0", "003", "download_url_ttl is -1.", "download_url_ttl", -1),
    _field("model-ttl-is-a-date", "003", "download_url_ttl is a date.", "download_url_ttl", "2030-01-01"),
    _field(
        "model-source-unknown",
        "003",
        "source is no word of the list.",
        "source",
        "github",
        when=lambda state, request, answer: request.param("filter.source") is None,
    ),
    _field("model-sdxl-is-a-number", "003", "is_sdxl is 0 or 1.", "is_sdxl", int),
    _field("model-base-is-an-object", "003", "base_model is an object.", "base_model", lambda old: {"name": old}),
    _field("model-categories-null", "003", "categories is null.", "categories", None),
    _field("model-categories-are-objects", "003", "categories are objects.", "categories", [{"name": "anime"}]),
    _field("model-kind-shown-as-null", "003", "type.display_name is null.", "type.display_name", None),
    _field("model-api-names-are-lists", "003", "sd_name_in_api is a list.", "sd_name_in_api", lambda old: [old]),
    _of_kind("checkpoints-in-api-bare", "004", "A checkpoint's name lacks its ending.", ("checkpoint",), _bare),
    _of_kind("loras-in-api-whole", "004", "A LoRA's name has its ending.", ("lora", "locon"), _whole),
)
