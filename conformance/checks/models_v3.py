"""GET /v3/model: what a list holds, its filters, and its pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from conformance import listing
from conformance.bodies import MODELS
from conformance.client import Key, Says
from conformance.expect import json_body, matches, one_of, status, typed
from conformance.listing import Listing, Model, kind_of, name_of
from conformance.registry import Area
from conformance.trial import Trial
from conformance.wire import MISSING, Exchange
from openapi.document import Reading

area = Area()

UNKNOWN_TEXT = "zz-no-model-has-this-in-its-name-zz"
ENDINGS = r"\.(safetensors|ckpt|pt|pth|bin)"
OF_002 = {("id",), ("name",), ("sd_name",), ("status",), ("type",), ("type", "name")}
"""Places in a model that V3-MODEL-002 judges."""
OF_A_NAME = ("V3-MODEL-002",)
"""Models are told apart by `sd_name` and `id`."""
BOOLEANS = ("filter.is_sdxl", "filter.is_inpainting")
SMALL = 2
PATIENT_PAGES = 8


async def words_of(t: Trial, parameter: str) -> list[str]:
    """The documented words of a parameter."""
    return (await t.once("words of the list parameters", lambda: _words(t)))[parameter]


async def _words(t: Trial) -> dict[str, list[str]]:
    whole = t.document.shared(Reading.DOCUMENTED)
    found: dict[str, list[str]] = {}
    for parameter in whole["paths"][t.document.operations[MODELS].path]["get"]["parameters"]:
        schema = parameter["schema"]
        if "$ref" in schema:
            schema = whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        found[parameter["name"]] = schema.get("enum", [])
    return found


async def by_kind(t: Trial) -> dict[str, Listing]:
    """The first models of each documented kind."""
    kinds = await words_of(t, "filter.types")
    return {kind: await listing.listing(t, ("filter.types", kind), most=2) for kind in kinds}


async def everything(t: Trial) -> list[Exchange]:
    """The first pages of the list, and of each kind."""
    found = [*(await listing.listing(t)).pages]
    for one in (await by_kind(t)).values():
        found += one.pages
    return found


@area.check("V3-MODEL-001")
async def a_call_is_answered_with_a_list(t: Trial) -> None:
    for query in ((), (("filter.query", UNKNOWN_TEXT),), (("filter.visibility", "private"),)):
        answer = await listing.raw(t, *query)
        t.expect(answer, status(200), json_body("object"), typed("models", "array"))


@area.check("V3-MODEL-002")
async def each_model_has_the_fields_that_clients_need(t: Trial) -> None:
    for page in await everything(t):
        t.expect(
            page,
            typed("models[]", "object"),
            typed("models[].sd_name", "string", filled=True),
            typed("models[].name", "string"),
            typed("models[].id", "integer"),
            one_of("models[].status", 0, 1),
            typed("models[].type", "object"),
            typed("models[].type.name", "string", filled=True),
        )


@area.check("V3-MODEL-003")
async def the_other_fields_have_their_types(t: Trial) -> None:
    validator = t.document.response_validator(MODELS, 200)
    for page in await everything(t):
        for problem in validator.problems(page.json):
            if problem.path[:1] == ("models",) and len(problem.path) > 2 and problem.path[2:] not in OF_002:
                where = ".".join(map(str, problem.path))
                t.fail("documented types", f"{where}: {problem.message}", page)
        for field in ("download_url", "cover_url"):
            t.expect(
                page, matches(f"models[].{field}", r"[A-Za-z][A-Za-z0-9+.-]*:\S+", f"{field} as a URL", optional=True)
            )


@area.check("V3-MODEL-004")
async def the_name_for_requests(t: Trial) -> None:
    for page in await everything(t):
        for model in listing.models_of(page):
            kind, name, told = kind_of(model), model.get("sd_name"), model.get("sd_name_in_api")
            if not isinstance(told, str) or kind not in ("checkpoint", "lora") or not isinstance(name, str):
                continue
            wanted = name if kind == "checkpoint" else re.sub(ENDINGS + "$", "", name)
            if told != wanted:
                t.fail(f"sd_name_in_api {wanted} of the {kind} {name}", f"{told!r}", page)


@area.check("V3-MODEL-005", needs=OF_A_NAME)
async def a_filter_by_kind_lists_that_kind_only(t: Trial) -> None:
    kinds = await by_kind(t)
    for kind, found in kinds.items():
        allowed = ("lora", "locon") if kind == "lora" else (kind,)
        for page in found.pages:
            t.expect(page, typed("models[].type.name", "string"), blame="V3-MODEL-002")
            t.expect(page, one_of("models[].type.name", *allowed))
    if kinds["lora"].whole:
        locons = {name_of(model) for model in (await listing.listing(t)).models if kind_of(model) == "locon"}
        if missing := sorted(locons - kinds["lora"].names):
            t.fail("models of the kind locon among those of lora", f"a list without {missing[0]}", *kinds["lora"].pages)


@area.check("V3-MODEL-006", needs=(*OF_A_NAME, "V3-MODEL-005"))
async def several_kinds_may_be_named(t: Trial) -> None:
    kinds = await by_kind(t)
    first = {
        kind: one.names if one.whole else set(map(name_of, listing.models_of(one.pages[0])))
        for kind, one in kinds.items()
    }
    # The first page of a list that goes on need not be full, so whole lists come first.
    two = sorted(first, key=lambda kind: (not first[kind], not kinds[kind].whole, len(first[kind])))[1::-1]
    wanted = {name for kind in two for name in first[kind]}
    if len(two) < 2 or not 0 < len(wanted) <= listing.LIMIT:
        t.not_measured("the target lists no two kinds that would fit on one page")
    query = [("filter.types", kind) for kind in two]
    answer = await listing.raw(t, *query, ("pagination.limit", str(listing.LIMIT)), says=Says.LENIENT)
    t.expect(answer, status(200), typed("models", "array"))
    found = set(map(name_of, listing.models_of(answer)))
    if found < wanted and listing.cursor_after(answer):  # a page may hold fewer than it was asked for
        found = (await listing.listing(t, *query, says=Says.LENIENT)).names
    _same_names(t, wanted, found, f"the models of {' and '.join(two)}", answer)


def _same_names(t: Trial, wanted: set[str], found: set[str], words: str, *seen: Exchange) -> None:
    if missing := sorted(wanted - found):
        t.fail(f"{words}: {len(wanted)}", f"{len(found)}, among which {missing[0]} is missing", *seen)
    if surplus := sorted(found - wanted):
        t.fail(f"{words}: {len(wanted)}", f"{len(found)}, among them {surplus[0]}", *seen)


@area.check("V3-MODEL-007", needs=OF_A_NAME)
async def private_models_are_not_public(t: Trial) -> None:
    private = await listing.listing(t, ("filter.visibility", "private"))
    public = await listing.listing(t, ("filter.visibility", "public"))
    if both := sorted(private.names & public.names):
        t.fail("no model in both lists", f"{both[0]} in both", private.pages[0], public.pages[0])
    t.branch(f"{len(private.models)} private models")


@area.check("V3-MODEL-008")
async def a_filter_by_origin_lists_that_origin_only(t: Trial) -> None:
    for source in await words_of(t, "filter.source"):
        for page in (await listing.listing(t, ("filter.source", source), most=2)).pages:
            t.expect(page, one_of("models[].source", source, optional=True))


@area.check("V3-MODEL-009")
async def a_filter_by_family_lists_that_family_only(t: Trial) -> None:
    await _only(t, "filter.is_sdxl", True, listing.is_sdxl, "SDXL models only")
    await _only(t, "filter.is_sdxl", False, listing.is_sdxl, "no SDXL model")


async def _only(t: Trial, name: str, value: bool, told: Callable[[Model], bool | None], words: str) -> None:
    for page in (await listing.listing(t, (name, str(value).lower()), most=2)).pages:
        for model in listing.models_of(page):
            if told(model) is (not value):
                t.fail(words, f"{name_of(model)} among them", page)


@area.check("V3-MODEL-010", needs=OF_A_NAME)
async def a_filter_for_inpainting(t: Trial) -> None:
    name = "filter.is_inpainting"
    await _only(t, name, True, listing.is_inpainting, "models made for inpainting only")
    plain, off = await listing.listing(t), await listing.listing(t, (name, "false"))
    words = "with false the models of a call without the filter"
    _same_names(t, plain.names, off.names, words, plain.pages[0], off.pages[0])


@area.check("V3-MODEL-011")
async def booleans_in_other_words(t: Trial) -> None:
    limit = ("pagination.limit", str(listing.LIMIT))
    for name in BOOLEANS:
        right = {value: (await listing.page(t, (name, value), limit)) for value in ("true", "false")}
        for word, value in (("1", "true"), ("0", "false"), ("True", "true"), ("False", "false")):
            answer = await listing.raw(t, (name, word), limit, says=Says.LENIENT)
            t.expect(answer, status(200, 400))
            if answer.status == 400:
                t.branch(f"{word} is refused")
                continue
            names = [set(map(name_of, listing.models_of(one))) for one in (right[value], answer)]
            _same_names(t, names[0], names[1], f"with {name}={word} the models of {value}", right[value], answer)
            t.branch(f"{word} is understood")


@area.check("V3-MODEL-012", needs=OF_A_NAME)
async def a_text_is_looked_for(t: Trial) -> None:
    first = (await listing.listing(t)).models
    known = [model for model in first if isinstance(model.get("sd_name"), str) and model["sd_name"]]
    if not known:
        t.not_measured("the target lists no model whose name could be looked for")
    for model in {name_of(one): one for one in (known[0], known[len(known) // 2], known[-1])}.values():
        name = model["sd_name"]
        page = await listing.page(t, ("filter.query", name), ("pagination.limit", str(listing.LIMIT)))
        t.expect(page, typed("models", "array"))
        if name not in {one.get("sd_name") for one in listing.models_of(page)}:
            t.fail(f"{name}, whose whole sd_name was asked for", "a list without it", page)
        _all_with(t, page, name)
    tags = [tag for model in known for tag in model.get("tags") or [] if isinstance(tag, str) and tag]
    for text in (known[0]["sd_name"][:5], *tags[:1], UNKNOWN_TEXT, *_patterns(known[0]["sd_name"])):
        page = await listing.page(t, ("filter.query", text), ("pagination.limit", str(listing.LIMIT)))
        _all_with(t, page, text)


def _patterns(name: str) -> Iterator[str]:
    """Texts that fit a name only where they are read as patterns of SQL, of a shell or of regular expressions."""
    for wildcard in "_%*.":
        if len(name) > 2 and name[1] != wildcard:
            yield name[0] + wildcard + name[2:]


def _all_with(t: Trial, page: Exchange, text: str) -> None:
    for model in listing.models_of(page):
        if not any(text.lower() in one for one in listing.texts_of(model)):
            t.fail(f"{text!r} in sd_name, name or a tag of each model", f"{name_of(model)}", page)


@area.check("V3-MODEL-013")
async def a_page_holds_no_more_than_its_limit(t: Trial) -> None:
    for limit in (1, SMALL, 100):
        query = ("pagination.limit", str(limit))
        answer = await listing.raw(t, query)
        if answer.status is not None and 400 <= answer.status <= 499:
            t.fail(f"a limit of {limit} to be accepted", answer.brief(), answer)
        page = await listing.page(t, query)
        found = len(listing.models_of(page))
        if found > limit:
            t.fail(f"at most {limit} models", f"{found}", page)


@area.check("V3-MODEL-014")
async def a_limit_out_of_range_is_refused(t: Trial) -> None:
    for limit in ("0", "101", "many"):
        answer = await listing.raw(t, ("pagination.limit", limit), says=Says.WRONG)
        t.expect(answer, status(400, 200))
        if answer.status == 200:
            t.tolerated(f"pagination.limit={limit} is answered with status 200", answer)


@area.check("V3-MODEL-015")
async def following_cursors_lists_each_model_once(t: Trial) -> None:
    whole = await listing.listing(t)
    _once_each(t, whole)
    parts: dict[listing.Query, Listing] = {(("filter.types", kind),): one for kind, one in (await by_kind(t)).items()}
    parts[()] = whole
    fitting = {
        query: one for query, one in parts.items() if one.whole and len(one.pages) == 1 and len(one.models) > SMALL
    }
    query = min(fitting, key=lambda one: len(fitting[one].models), default=None)
    if query is not None:
        await _on_small_pages(t, query, fitting[query])
        last = fitting[query].pages[-1]
    else:
        last = (whole if whole.whole else await _followed_on(t, parts)).pages[-1]
    t.branch(f"the last page has {'no' if listing.cursor_after(last) is MISSING else 'an empty'} next_cursor")


async def _followed_on(t: Trial, parts: dict[listing.Query, Listing]) -> Listing:
    """The part that began with the fewest models, a while further than others look; it may have no end at all."""
    query = min(parts, key=lambda one: len(listing.models_of(parts[one].pages[0])))
    found = await listing.listing(t, *query, most=PATIENT_PAGES)
    _once_each(t, found)
    if not found.whole:
        if not listing.models_of(found.pages[-1]):
            cursor = listing.cursor_after(found.pages[-1])
            t.fail("an end of the list", f"next_cursor {cursor!r} of a page without models", *found.pages)
        t.not_measured("the target's list has no part that is short enough to be followed to its end")
    return found


async def _on_small_pages(t: Trial, query: listing.Query, wanted: Listing) -> None:
    most = len(wanted.models) // SMALL + 2  # one more than full pages need, which may be empty
    small = await listing.listing(t, *query, limit=SMALL, most=most)
    if not small.whole:
        cursor = listing.cursor_after(small.pages[-1])
        t.fail(f"an end after {len(wanted.models)} models", f"next_cursor {cursor!r} after {most} pages", *small.pages)
    _once_each(t, small)
    _same_names(t, wanted.names, small.names, "the models of one large page, on small ones", *small.pages)


def _once_each(t: Trial, found: Listing) -> None:
    for page in found.pages:  # no `needs`: that row cannot be judged itself while cursors are broken
        t.expect(page, typed("models[].sd_name", "string"), typed("models[].id", "integer"), blame=OF_A_NAME[0])
    if again := listing.twice(found.models):
        t.fail("each model once", f"{again[0]} twice", *found.pages)


@area.check("V3-MODEL-016", needs=OF_A_NAME)
async def a_cursor_may_be_made_up_from_an_offset(t: Trial) -> None:
    first = [name_of(model) for model in (await listing.listing(t)).models][: listing.LIMIT]
    for offset in (0, 1, 3):
        query = (("pagination.limit", str(SMALL)), ("pagination.cursor", f"c_{offset}"))
        answer = await listing.raw(t, *query)
        t.expect(answer, status(200), typed("models", "array"))
        wanted, found = first[offset : offset + SMALL], [name_of(model) for model in listing.models_of(answer)]
        if found[: len(wanted)] != wanted:  # how many there are is a matter of the limit
            t.fail(f"models from offset {offset}: {', '.join(wanted)}", ", ".join(found) or "none", answer)


@area.check("V3-MODEL-017")
async def the_path_with_a_plural_does_not_exist(t: Trial) -> None:
    answer = await t.request("GET", "/v3/models", key=Key.OWN, purpose="the path that two pages name by mistake")
    t.expect(answer, status(404))
