"""GET /v3/model: filters, pages and cursors."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conformance.bodies import MODELS
from conformance.mutants.making import answers, fault
from conformance.mutants.v3_models import of_kind
from conformance.mutants.values import Answer, Mutant, Request, State, refusal
from conformance.mutants.wanted import params, with_params

Pairs = list[tuple[str, str]]

TYPES, VISIBILITY, SOURCE = "filter.types", "filter.visibility", "filter.source"
SDXL, INPAINTING, QUERY = "filter.is_sdxl", "filter.is_inpainting", "filter.query"
LIMIT, CURSOR = "pagination.limit", "pagination.cursor"


def _asks(name: str, number: str, words: str, change: Callable[[Pairs], Pairs], **more: Any) -> Mutant:
    """Reads a query as another one."""

    def request(state: State, request: Request) -> Request:
        if request.operation != MODELS:
            return request
        pairs = params(request)
        new = change(pairs)
        return request if new == pairs else with_params(request, new)

    return Mutant(name=name, breaks=f"V3-MODEL-{number}", text=words, request=request, ops=(MODELS,), **more)


def _ignores(name: str, number: str, words: str, key: str, *values: str, **more: Any) -> Mutant:
    """Leaves a parameter out, or only some values of it."""

    def change(pairs: Pairs) -> Pairs:
        return [(one, value) for one, value in pairs if one != key or (values and value.lower() not in values)]

    return _asks(name, number, words, change, **more)


def _reads(name: str, number: str, words: str, key: str, change: Callable[[str], str], **more: Any) -> Mutant:
    """Reads the value of a parameter as another one."""
    return _asks(
        name,
        number,
        words,
        lambda pairs: [(one, change(value) if one == key else value) for one, value in pairs],
        **more,
    )


def _answers_to(
    name: str, number: str, words: str, key: str, hit: Callable[[str], bool], answer: Callable[[], Answer], **more: Any
) -> Mutant:
    def request(state: State, request: Request) -> Request | Answer:
        if request.operation == MODELS and any(one == key and hit(value) for one, value in params(request)):
            return answer()
        return request

    return Mutant(name=name, breaks=f"V3-MODEL-{number}", text=words, request=request, ops=(MODELS,), **more)


def _found(state: State, request: Request, answer: Answer) -> bool:
    return answer.status == 200 and isinstance(answer.json, dict) and isinstance(answer.json.get("models"), list)


def _lists(
    name: str,
    number: str,
    words: str,
    change: Callable[[Request, dict[str, Any]], None],
    **more: Any,
) -> Mutant:
    """Changes what a page holds, in place."""

    def changed(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        change(request, body)
        return answer.with_json(body)

    return answers(name, f"V3-MODEL-{number}", words, MODELS, changed, when=_found, **more)


def _cursor(body: dict[str, Any]) -> str:
    page = body.get("pagination")
    return str(page.get("next_cursor") or "") if isinstance(page, dict) else ""


def _next(body: dict[str, Any], cursor: Any) -> None:
    body["pagination"] = {**(body.get("pagination") or {}), "next_cursor": cursor}


def _moved(by: int) -> Callable[[Request, dict[str, Any]], None]:
    """The next page begins elsewhere."""

    def change(request: Request, body: dict[str, Any]) -> None:
        cursor = _cursor(body)
        if cursor.startswith("c_") and cursor[2:].isdigit():
            _next(body, f"c_{max(1, int(cursor[2:]) + by)}")

    return change


def _never_ends(request: Request, body: dict[str, Any]) -> None:
    if not _cursor(body) and body["models"]:
        _next(body, "c_0")


def _ends_early(request: Request, body: dict[str, Any]) -> None:
    if request.param(CURSOR):
        _next(body, "")


def _last_is_itself(request: Request, body: dict[str, Any]) -> None:
    if not _cursor(body) and request.param(CURSOR):
        _next(body, request.param(CURSOR))


def _as_number(request: Request, body: dict[str, Any]) -> None:
    cursor = _cursor(body)
    if cursor.startswith("c_") and cursor[2:].isdigit():
        _next(body, int(cursor[2:]))


def _drop(hit: Callable[[Any], bool], wanted: Callable[[Request], bool]) -> Callable[[Request, dict[str, Any]], None]:
    """Keeps models out of lists that are asked for in some way."""

    def change(request: Request, body: dict[str, Any]) -> None:
        if wanted(request):
            body["models"] = [model for model in body["models"] if not hit(model)]

    return change


def _value(key: str, *wanted: str) -> Callable[[Request], bool]:
    return lambda request: any(one == key and value.lower() in wanted for one, value in params(request))


def _one_type(place: int) -> Callable[[Pairs], Pairs]:
    """Of a repeated filter.types only one counts."""

    def change(pairs: Pairs) -> Pairs:
        found = [value for key, value in pairs if key == TYPES]
        if len(found) < 2:
            return pairs
        return [pair for pair in pairs if pair[0] != TYPES] + [(TYPES, found[place])]

    return change


def _not(value: str) -> str:
    return {"true": "false", "false": "true", "1": "0", "0": "1", "True": "False", "False": "True"}.get(value, value)


def _own_cursors(name: str, words: str, offset: Callable[[int], int]) -> Mutant:
    """Has cursors of its own form, and reads c_ and a number in another way."""

    def request(state: State, request: Request) -> Request:
        if request.operation != MODELS:
            return request
        pairs = []
        for key, value in params(request):
            new = value
            if key == CURSOR and value.startswith("c_") and value[2:].isdigit():
                new = f"c_{max(0, offset(int(value[2:])))}"
            elif key == CURSOR and value.startswith("p."):
                new = base64.urlsafe_b64decode(value[2:]).decode()
            pairs.append((key, new))
        return with_params(request, pairs) if pairs else request

    def answer(state: State, request: Request, answer: Answer) -> Answer:
        if request.operation != MODELS or not _found(state, request, answer):
            return answer
        body = answer.fresh()
        if _cursor(body):
            _next(body, "p." + base64.urlsafe_b64encode(_cursor(body).encode()).decode())
        return answer.with_json(body)

    return Mutant(name=name, breaks="V3-MODEL-016", text=words, request=request, answer=answer, ops=(MODELS,))


def _plus_one(value: str) -> str:
    return str(int(value) + 1) if _in_range(value) and value != "100" else value


def _in_range(limit: str) -> bool:
    return limit.isdigit() and 0 < int(limit) <= 100


def _alias(status: int | None = None) -> Any:
    async def other(state: State, request: Request, answer: Answer) -> Answer:
        if request.path != "/v3/models":
            return answer
        if status is not None:
            return answer.with_status(status)
        return await state.upstream(replace(request, path="/v3/model"))

    return other


MUTANTS = (
    _ignores("types-ignored", "005", "filter.types is ignored.", TYPES),
    _ignores("type-vae-ignored", "005", "filter.types vae is ignored.", TYPES, "vae"),
    _lists(
        "lora-without-locon",
        "005",
        "filter.types lora lists no locon.",
        _drop(of_kind("locon"), _value(TYPES, "lora")),
    ),
    _reads(
        "embeddings-are-upscalers",
        "005",
        "filter.types upscaler lists embeddings.",
        TYPES,
        lambda value: "textualinversion" if value == "upscaler" else value,
    ),
    _asks("first-type-counts", "006", "Of several types the first counts.", _one_type(0)),
    _asks("last-type-counts", "006", "Of several types the last counts.", _one_type(-1)),
    _ignores("visibility-ignored", "007", "filter.visibility is ignored.", VISIBILITY),
    _reads("private-is-public", "007", "private lists what is public.", VISIBILITY, lambda old: "public"),
    _ignores("source-ignored", "008", "filter.source is ignored.", SOURCE),
    _reads(
        "sources-swapped",
        "008",
        "civitai and uploading are swapped.",
        SOURCE,
        lambda old: {"civitai": "uploading", "uploading": "civitai"}.get(old, old),
    ),
    _ignores("source-training-ignored", "008", "filter.source training is ignored.", SOURCE, "training"),
    _ignores("sdxl-ignored", "009", "filter.is_sdxl is ignored.", SDXL),
    _ignores("sdxl-false-ignored", "009", "filter.is_sdxl false is ignored.", SDXL, "false", "0"),
    _reads("sdxl-upside-down", "009", "filter.is_sdxl is turned round.", SDXL, _not),
    _ignores("inpainting-ignored", "010", "filter.is_inpainting is ignored.", INPAINTING),
    _lists(
        "inpainting-false-excludes",
        "010",
        "filter.is_inpainting false lists no model for inpainting.",
        _drop(lambda model: "inpaint" in str(model.get("sd_name")).lower(), _value(INPAINTING, "false", "0")),
    ),
    _reads("sdxl-1-is-false", "011", "1 in the query is false.", SDXL, lambda old: "false" if old == "1" else old),
    _reads("sdxl-true-is-false", "011", "True is false.", SDXL, lambda old: "false" if old == "True" else old),
    _answers_to(
        "capital-true-is-a-fault",
        "011",
        "True is a fault.",
        SDXL,
        lambda old: old in ("True", "False"),
        fault,
        also=("ROBUST-001",),
    ),
    _answers_to(
        "inpainting-1-is-a-fault",
        "011",
        "1 is a fault.",
        INPAINTING,
        lambda old: old in ("1", "0"),
        fault,
        also=("ROBUST-001",),
    ),
    _ignores("query-ignored", "012", "filter.query is ignored.", QUERY),
    _lists(
        "query-knows-no-endings",
        "012",
        "filter.query never finds a whole file name.",
        _drop(lambda model: True, lambda request: (request.param(QUERY) or "").endswith((".safetensors", ".pt"))),
    ),
    _reads("query-begins-only", "012", "Only the first three letters count.", QUERY, lambda old: old[:3]),
    _reads("limit-ignored", "013", "pagination.limit is ignored.", LIMIT, lambda old: "100" if _in_range(old) else old),
    _reads("limit-one-more", "013", "A page holds one model more than asked for.", LIMIT, _plus_one),
    _reads(
        "limit-at-least-10",
        "013",
        "A page holds ten models at least.",
        LIMIT,
        lambda old: "10" if _in_range(old) and int(old) < 10 else old,
    ),
    _answers_to(
        "limit-100-refused",
        "013",
        "A limit of 100 is refused.",
        LIMIT,
        lambda old: old == "100",
        lambda: refusal(MODELS),
    ),
    _answers_to(
        "limit-1-refused", "013", "A limit of 1 is refused.", LIMIT, lambda old: old == "1", lambda: refusal(MODELS)
    ),
    _answers_to(
        "limit-0-is-a-fault",
        "014",
        "A limit of 0 is a fault.",
        LIMIT,
        lambda old: old == "0",
        fault,
        also=("ROBUST-001",),
    ),
    _answers_to(
        "limit-101-is-404",
        "014",
        "A limit of 101 has status 404.",
        LIMIT,
        lambda old: old == "101",
        lambda: refusal(MODELS, "API_NOT_FOUND", 404),
    ),
    _answers_to(
        "limit-in-words-is-a-fault",
        "014",
        "A limit that is no number is a fault.",
        LIMIT,
        lambda old: not old.lstrip("-").isdigit(),
        fault,
        also=("ROBUST-001",),
    ),
    _lists("pages-overlap", "015", "A page begins with the last model of the one before.", _moved(-1)),
    _lists("pages-lose-one", "015", "A model is lost between pages.", _moved(1)),
    _lists("pages-never-end", "015", "After the last page comes the first.", _never_ends),
    _lists("pages-stand-still", "015", "The last page leads to itself.", _last_is_itself),
    _lists("pages-end-early", "015", "There are two pages only.", _ends_early),
    _lists("cursors-are-numbers", "015", "next_cursor is a number.", _as_number),
    _ignores("cursor-ignored", "015", "pagination.cursor is ignored.", CURSOR, also=("V3-MODEL-016",)),
    _own_cursors("cursors-count-from-1", "c_ and a number counts from one.", lambda number: number - 1),
    _own_cursors("cursors-count-pages", "c_ and a number counts tens.", lambda number: number * 10),
    _own_cursors("cursors-of-clients-ignored", "c_ and a number is the first page.", lambda number: 0),
    Mutant(name="models-with-an-s", breaks="V3-MODEL-017", text="/v3/models is /v3/model.", other=_alias()),
    Mutant(
        name="models-with-an-s-forbidden", breaks="V3-MODEL-017", text="/v3/models has status 403.", other=_alias(403)
    ),
)
