"""Pages of GET /v3/model: asked once for all checks of a run, and followed only so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.bodies import MODELS
from conformance.client import Says
from conformance.expect import typed
from conformance.wire import MISSING, Exchange

if TYPE_CHECKING:
    from conformance.trial import Trial

Model = dict[str, Any]
Query = tuple[tuple[str, str], ...]

MOST_PAGES = 4
"""A list that goes on after these is judged by them alone; a vendor's own has hundreds of pages."""
LIMIT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Some pages from the first on.

    Attributes:
        whole: whether the last of them is the end of the list.
    """

    pages: tuple[Exchange, ...]
    whole: bool

    @property
    def models(self) -> list[Model]:
        """All models on them, in order; what is no object is left out."""
        return [model for page in self.pages for model in models_of(page)]

    @property
    def names(self) -> set[str]:
        """What tells them apart."""
        return set(map(name_of, self.models))


def models_of(page: Exchange) -> list[Model]:
    """The models of a page; what is no object is left out."""
    found = page.at("models")
    return [model for model in found if isinstance(model, dict)] if isinstance(found, list) else []


def name_of(model: Model) -> str:
    """What tells a model from others: two may share a file name, or lack an id."""
    return f"{model.get('sd_name')} ({model.get('id')})"


def kind_of(model: Model) -> object:
    """`type.name`; MISSING when there is none."""
    kind = model.get("type")
    return kind.get("name", MISSING) if isinstance(kind, dict) else MISSING


def is_sdxl(model: Model) -> bool | None:
    """Whether a model says that it is of the family SDXL; None when it does not say."""
    told, base = model.get("is_sdxl"), model.get("base_model")
    if isinstance(told, bool):
        return told
    return "xl" in base.lower() if isinstance(base, str) and base else None


def is_inpainting(model: Model) -> bool | None:
    """Whether a model says that it is made for inpainting; None when nothing in it would tell."""
    base = model.get("base_model_type")
    texts = [base, model.get("sd_name"), model.get("name"), *_list(model.get("tags"))]
    if any("inpaint" in text.lower() for text in texts if isinstance(text, str)):
        return True
    return False if isinstance(base, str) and base else None


def texts_of(model: Model) -> list[str]:
    """Where `filter.query` looks, in lower case; tags that are one text are looked at all the same."""
    tags = model.get("tags")
    found = [model.get("sd_name"), model.get("name"), *([tags] if isinstance(tags, str) else _list(tags))]
    return [text.lower() for text in found if isinstance(text, str)]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def cursor_after(page: Exchange) -> object:
    """`pagination.next_cursor`; MISSING when it is absent."""
    return page.at("pagination", "next_cursor")


async def page(t: Trial, *query: tuple[str, str], says: Says = Says.VALID, blame: str = "") -> Exchange:
    """A page with a list of models.

    Args:
        blame: what is broken when it is none; "": what a list call needs, or the limit where that is in the way.
    """
    answer = await raw(t, *query, says=says)
    if answer.status != 200:
        words = "&".join(f"{name}={value}" for name, value in query) or "no parameters"
        t.fail(f"status 200 for {words}", answer.brief(), answer, blame=blame or await _blame(t, query, answer))
    t.expect(answer, typed("models", "array"), blame="V3-MODEL-001")
    return answer


async def _blame(t: Trial, query: Query, answer: Exchange) -> str:
    """The limit is at fault when it is refused, and a call without parameters is not."""
    limited = any(name == "pagination.limit" for name, _ in query)
    if limited and answer.status is not None and 400 <= answer.status <= 499 and (await raw(t)).status == 200:
        return "V3-MODEL-013"
    return "V3-MODEL-001"


async def raw(t: Trial, *query: tuple[str, str], says: Says = Says.VALID) -> Exchange:
    """Whatever a list call is answered; equal ones are sent once."""
    words = "&".join(f"{name}={value}" for name, value in query)
    return await t.once(f"models {words}", lambda: t.ask(MODELS, params=query, says=says, purpose=f"models, {words}"))


async def listing(
    t: Trial, *query: tuple[str, str], limit: int = LIMIT, most: int = MOST_PAGES, says: Says = Says.VALID
) -> Listing:
    """Pages of a list from the first on, following its cursors."""
    pages: list[Exchange] = []
    cursor: object = ""
    while len(pages) < most:
        after = (("pagination.cursor", str(cursor)),) if cursor else ()
        pages.append(await page(t, *query, ("pagination.limit", str(limit)), *after, says=says))
        cursor = cursor_after(pages[-1])
        if cursor is MISSING or cursor == "":
            return Listing(pages=tuple(pages), whole=True)
        if not isinstance(cursor, str):
            t.fail("next_cursor as a string", f"{cursor!r}", pages[-1], blame="V3-MODEL-015")
    return Listing(pages=tuple(pages), whole=False)


def twice(models: Iterable[Model]) -> list[str]:
    """Names that are there more than once."""
    seen: set[str] = set()
    return [name for name in map(name_of, models) if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
