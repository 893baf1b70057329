"""Correct servers with other ids, other models and a list of another length."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from conformance.bodies import MODELS
from conformance.mutants.allowed import Variation, plain, requested
from conformance.mutants.making import ABSENT, places, put, value_at
from conformance.mutants.values import Answer, Mutant, Request, State
from conformance.wire import MISSING

Query = list[tuple[str, str]]
Rename = Callable[[str], str]


def _with_query(request: Request, change: Callable[[str, str], str]) -> Request:
    """With other values in the query; one that cannot be read stays as it is."""
    pairs: Query = parse_qsl(request.query, keep_blank_values=True)
    changed = [(name, change(name, value)) for name, value in pairs]
    return request if changed == pairs else replace(request, query=urlencode(changed))


# Ids ------------------------------------------------------------------------------------------------------------------


class _Ids:
    """Ids that clients see, and those of the upstream; any that was not given out is unknown."""

    def __init__(self, form: Rename) -> None:
        self._form = form
        self._outer: dict[str, str] = {}
        self._inner: dict[str, str] = {}

    def shown(self, inner: str) -> str:
        if inner not in self._outer:
            outer = self._form(inner)
            self._outer[inner], self._inner[outer] = outer, inner
        return self._outer[inner]

    def meant(self, outer: str) -> str:
        # The upstream's own form is not one of ours: it must stay unknown.
        return self._inner.get(outer, "00000000-0000-4000-8000-000000000000" if outer in self._outer else outer)

    def out(self, data: bytes) -> bytes:
        found = data.decode("utf-8", "surrogateescape")
        for inner, outer in self._outer.items():
            found = found.replace(f'"{inner}"', f'"{outer}"')  # not inside links
        return found.encode("utf-8", "surrogateescape")


def _renumbers(form: Callable[[random.Random], Rename]) -> Callable[[random.Random], Mutant]:
    def make(rng: random.Random) -> Mutant:
        ids = _Ids(form(rng))

        def request(state: State, request: Request) -> Request:
            return _with_query(request, lambda name, value: ids.meant(value) if name == "task_id" else value)

        def answer(state: State, request: Request, answer: Answer) -> Answer:
            if request.method == "POST" and answer.task_id is not None:
                ids.shown(answer.task_id)
            task_id = request.param("task_id") or ""
            # Only ids that this exchange is about: links hold others.
            return answer if task_id and ids.meant(task_id) == task_id else answer.with_body(ids.out(answer.body))

        async def event(state: State, hook: Any, request: Request) -> Answer:
            task = request.json.get("payload", {}).get("task", {}) if isinstance(request.json, dict) else {}
            if isinstance(task.get("task_id"), str):
                ids.shown(task["task_id"])
            return await state.deliver(hook, request.with_body(ids.out(request.body)))

        return plain(request=request, answer=answer, event=event, sees_webhooks=True)

    return make


def _letters(rng: random.Random) -> Rename:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return lambda inner: "".join(rng.choices(alphabet, k=22))


def _numbers(rng: random.Random) -> Rename:
    return lambda inner: str(rng.randint(10**17, 10**18))


# Names ----------------------------------------------------------------------------------------------------------------

_SWAPS = str.maketrans("bdhmiuglqykvBDHMIUGLQYKV0156", "dbmhuilgyqvkDBMHUILGYQVK1065")
"""Letters of file endings stay, and texts that a query looks for are found in the new names like in the old ones."""
_FIELDS = ("model_name", "sd_vae", "model")
"""Of a request, and of its echo."""


def swapped(name: str) -> str:
    """The new name of an old one, and the old one of a new one."""
    return name.translate(_SWAPS)


def _in_body(body: Any) -> Any:
    """Names of models in a request, but for those of control units, which are no models of the list."""
    for holder in (body, body.get("request")):
        for path in (*_FIELDS, "loras[].model_name", "embeddings[].model_name"):
            for place in list(places(holder, path)):
                if isinstance(value_at(place), str):
                    put(place, swapped)
        for place in list(places(holder, "prompt")):
            if isinstance(value_at(place), str):
                put(place, lambda prompt: re.sub(r"(?<=<lora:)[^:>]+", lambda found: swapped(found[0]), prompt))
    return body


def _renames(rng: random.Random) -> Mutant:
    def request(state: State, request: Request) -> Request:
        if request.operation == MODELS:
            return _with_query(request, lambda name, value: swapped(value) if name == "filter.query" else value)
        return request if not isinstance(request.json, dict) else request.with_json(_in_body(request.fresh()))

    def answer(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        if not isinstance(body, dict):
            return answer
        for model in body.get("models") or () if request.operation == MODELS else ():
            for field in ("name", "sd_name", "sd_name_in_api"):
                if isinstance(model.get(field), str):
                    model[field] = swapped(model[field])
            if isinstance(model.get("tags"), list):
                model["tags"] = [swapped(tag) if isinstance(tag, str) else tag for tag in model["tags"]]
        for place in places(body, "extra.debug_info.request_info"):
            told = value_at(place)
            if isinstance(told, str) and told:
                put(place, json.dumps(_in_body(json.loads(told))))
        return answer.with_json(body)

    return plain(request=request, answer=answer)


def _fewer(rng: random.Random) -> Mutant:
    """A few models of each kind and family, drawn once."""
    kept: dict[str, bool] = {}
    numbers: dict[tuple[Any, ...], int] = {}

    def stays(model: dict[str, Any]) -> bool:
        name = str(model.get("sd_name"))
        if name not in kept:
            kind = (str(model.get("type")), bool(model.get("is_sdxl")))
            numbers[kind] = numbers.get(kind, 0) + 1
            # Two of each remain, for else there would be less to ask for.
            kept[name] = numbers[kind] <= 2 or rng.random() < 0.3
        return kept[name]

    async def answer(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        if answer.status != 200 or not isinstance(body, dict) or not isinstance(body.get("models"), list):
            return answer
        limit, cursor = request.param("pagination.limit") or "", request.param("pagination.cursor") or ""
        size = int(limit) if limit.isdigit() and 0 < int(limit) <= 100 else max(1, len(body["models"]))
        start = int(cursor[2:]) if cursor.startswith("c_") and cursor[2:].isdigit() else 0
        found = [model for model in await _all_pages(state, request) if stays(model)]
        end = start + size
        pagination = {"next_cursor": f"c_{end}" if end < len(found) else ""}
        return answer.with_json(body | {"models": found[start:end], "pagination": pagination})

    return plain(answer=answer, ops=(MODELS,))


async def _all_pages(state: State, request: Request) -> list[dict[str, Any]]:
    """What the upstream lists for a request on all of its pages."""
    rest = [pair for pair in parse_qsl(request.query, keep_blank_values=True) if not pair[0].startswith("pagination.")]
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        query = urlencode([*rest, ("pagination.limit", "100"), *([("pagination.cursor", cursor)] if cursor else [])])
        page = (await state.upstream(replace(request, query=query))).json
        found += page["models"]
        cursor = page.get("pagination", {}).get("next_cursor")
        if not cursor:
            return found


def _short_pages(state: State, request: Request) -> Request:
    """A page holds at most seven models, whatever was asked for."""
    limit = request.param("pagination.limit")
    if limit is None:
        return replace(request, query=f"{request.query}&pagination.limit=7".lstrip("&"))
    if not limit.isdigit() or not 7 < int(limit) <= 100:
        return request
    return _with_query(request, lambda name, value: "7" if name == "pagination.limit" else value)


def _short_models(rng: random.Random) -> Mutant:
    """Models tell only what they must."""
    must = ("id", "sd_name", "name", "status", "type", "sd_name_in_api", "is_sdxl", "base_model")

    def answer(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        if answer.status != 200 or not isinstance(body, dict):
            return answer
        for place in list(places(body, "models[]")):
            model = value_at(place)
            kept = {key: value for key, value in model.items() if key in must or (key == "tags" and value)}
            put(place, kept | {"type": {"name": model["type"]["name"]}} if "type" in model else kept)
        cursor = list(places(body, "pagination.next_cursor"))
        if cursor and value_at(cursor[0]) in ("", None):
            put(cursor[0], ABSENT)
        return answer if answer.json is MISSING else answer.with_json(body)

    return plain(answer=answer, ops=(MODELS,))


VARIATIONS = (
    Variation(
        name="ids-in-capitals",
        text="Task ids are hexadecimal, in capitals and without hyphens.",
        make=_renumbers(lambda rng: lambda inner: inner.replace("-", "").upper()),
        tolerated=True,
        apart=True,
    ),
    Variation(
        name="ids-of-letters", text="Task ids are 22 letters.", make=_renumbers(_letters), tolerated=True, apart=True
    ),
    Variation(
        name="ids-of-digits",
        text="Task ids are decimal numbers.",
        make=_renumbers(_numbers),
        tolerated=True,
        apart=True,
    ),
    # Apart, for names in bodies too large to be held are not seen on a port.
    Variation(name="models-renamed", text="The models have other names.", make=_renames, apart=True),
    Variation(name="models-fewer", text="There are fewer models.", make=_fewer),
    Variation(
        name="models-short", text="Models of the list have only the keys that they must have.", make=_short_models
    ),
    requested("pages-short", "A page of the list holds at most seven models.", _short_pages, MODELS),
)
