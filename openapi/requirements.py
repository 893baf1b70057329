"""What the contract demands: the typed rows of requirements.yaml, one per normative sentence.

The file's head says what its fields mean. Reading it is strict: an unknown key, a second row of an id, a C-number that
does not exist or a reference that is not written right is an error with its place. Whether references lead to something
in the document is for `openapi.inventory` and the tests. `python -m openapi.requirements --write` makes the table for
readers and the lock of ids; `--check` says whether they are up to date (`openapi.requirements_table`).

RequirementsError is the only error: the file is not as this module expects it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from openapi.inventory import spelled_out

FILE: Path = Path(__file__).parent / "requirements.yaml"

FORMAT = 1
"""Version of the file's layout that this module reads."""

CONTRADICTIONS = range(1, 54)
"""The numbers of docs/contradictions.md: C1 to C53."""

_ID = re.compile(r"((?:V[23]-[A-Z0-9]+)|WEBHOOK|ROBUST)-(\d{3})")
_TOP = frozenset({"format", "areas", "profiles", "pages", "retired", "requirements"})
_NEEDED = frozenset({"id", "keyword", "profile", "text", "source", "names"})
_ALLOWED = _NEEDED | {"tolerated", "contradictions", "observations", "unobservable"}
_PAGE_KEYS = frozenset({"title", "url", "file"})

Word = TypeVar("Word", bound=StrEnum)


class RequirementsError(ValueError):
    """The file is not as this module expects it; `place` is a row's id or a part of the file."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place


class Keyword(StrEnum):
    """How strongly a row binds (RFC 2119)."""

    MUST = "MUST"
    MUST_NOT = "MUST NOT"
    SHOULD = "SHOULD"
    SHOULD_NOT = "SHOULD NOT"
    MAY = "MAY"


class Profile(StrEnum):
    """A set of rows that a server claims."""

    V3_CORE = "v3-core"
    V3_IMG2IMG = "v3-img2img"
    V3_CONTROL = "v3-control"
    V3_NSFW = "v3-nsfw"
    V3_WEBHOOKS = "v3-webhooks"
    V3_STORAGE = "v3-storage"
    V3_MODELS = "v3-models"
    V3_LIMITS = "v3-limits"
    V2_CORE = "v2-core"
    V2_IMG2IMG = "v2-img2img"
    ROBUSTNESS = "robustness"


class Strength(StrEnum):
    """How a source says it, the strongest first."""

    TABLE = "table"
    PROSE = "prose"
    EXAMPLE = "example"
    CLIENT = "client"
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Where statements come from.

    Attributes:
        key: what rows cite.
        url: empty when it has no public address.
        file: the archived copy that was read, empty when there is none.
    """

    key: str
    title: str
    url: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A page and how it says it."""

    page: Page
    strength: Strength


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One normative sentence.

    Attributes:
        id: for ever; see the file's head.
        text: what holds for a correct server, in the documented reading.
        tolerated: what a server may do instead; "" when nothing.
        sources: best first.
        contradictions: ids C1 to C53.
        observations: O-ids of the document's `x-references`.
        names: references into the document, spelled out.
        unobservable: why nobody can decide it over HTTP; "" for all others.
    """

    id: str
    keyword: Keyword
    profile: Profile
    text: str
    sources: tuple[Source, ...]
    names: tuple[str, ...]
    tolerated: str = ""
    contradictions: tuple[str, ...] = ()
    observations: tuple[str, ...] = ()
    unobservable: str = ""

    @property
    def area(self) -> str:
        """The id without its number."""
        return self.id.rpartition("-")[0]

    @property
    def strength(self) -> Strength:
        """How the first, best source says it."""
        return self.sources[0].strength

    @property
    def observable(self) -> bool:
        """Whether it can be decided over HTTP."""
        return not self.unobservable

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with what is demanded: keyword, text and tolerated branch."""
        said = "\n".join((self.keyword, self.text, self.tolerated))
        return sha256(said.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """All rows, in the order of the file.

    Attributes:
        areas: heading of each area.
        profiles: what each profile is about.
        retired: ids that were given up, with the reason.
    """

    rows: tuple[Requirement, ...]
    areas: Mapping[str, str]
    profiles: Mapping[Profile, str]
    pages: Mapping[str, Page]
    retired: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self.rows)

    def __getitem__(self, requirement_id: str) -> Requirement:
        """The row of an id.

        Raises:
            KeyError: no row has it.
        """
        for row in self.rows:
            if row.id == requirement_id:
                return row
        raise KeyError(requirement_id)

    def of_profile(self, *profiles: Profile) -> tuple[Requirement, ...]:
        """The rows of some profiles."""
        return tuple(row for row in self.rows if row.profile in profiles)


def load_requirements(path: Path | None = None) -> Requirements:
    """The requirements of the package, or of another file.

    Raises:
        RequirementsError: the file cannot be read or is not as it should be.
    """
    import yaml  # programs that answer requests never need this

    path = path or FILE
    try:
        text = path.read_text(encoding="utf-8")
        raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # the one in C: a tenth of the time
    except OSError as error:
        raise RequirementsError(str(path), f"cannot be read ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise RequirementsError(str(path), f"no YAML: {error}") from error
    return read_requirements(raw)


def read_requirements(raw: object) -> Requirements:
    """Rows from the parsed content of the file.

    Raises:
        RequirementsError: something is missing, unknown, double or out of order.
    """
    top = _mapping(raw, "the file")
    _keys(top, "the file", needed=_TOP, allowed=_TOP)
    if top["format"] != FORMAT:
        raise RequirementsError("format", f"{top['format']!r}; this reader knows format {FORMAT}")
    areas = {key: _text(value, f"areas.{key}") for key, value in _mapping(top["areas"], "areas").items()}
    profiles = _mapping(top["profiles"], "profiles")
    if set(profiles) != set(Profile):
        raise RequirementsError("profiles", f"expected exactly {', '.join(Profile)}; came {', '.join(profiles)}")
    pages = {key: _page(key, value) for key, value in _mapping(top["pages"], "pages").items()}
    retired = {key: _text(value, f"retired.{key}") for key, value in _mapping(top["retired"], "retired").items()}
    rows = tuple(
        _row(_mapping(row, f"row {place}"), f"row {place}", areas, pages)
        for place, row in enumerate(_sequence(top["requirements"], "requirements"), start=1)
    )
    _check_order(rows, list(areas), retired)
    return Requirements(
        rows=rows,
        areas=MappingProxyType(areas),
        profiles=MappingProxyType({p: _text(profiles[p], f"profiles.{p}") for p in Profile}),
        pages=MappingProxyType(pages),
        retired=MappingProxyType(retired),
    )


def _row(raw: Mapping[str, Any], place: str, areas: Mapping[str, str], pages: Mapping[str, Page]) -> Requirement:
    place = str(raw.get("id", place))
    _keys(raw, place, needed=_NEEDED, allowed=_ALLOWED)
    found = _ID.fullmatch(place)
    if found is None or found[1] not in areas:
        raise RequirementsError(place, f"no id AREA-NNN with an area of {', '.join(areas)}")
    row = Requirement(
        id=place,
        keyword=_word(Keyword, raw["keyword"], f"{place}, keyword"),
        profile=_word(Profile, raw["profile"], f"{place}, profile"),
        text=_sentence(raw["text"], f"{place}, text"),
        tolerated=_sentence(raw["tolerated"], f"{place}, tolerated") if "tolerated" in raw else "",
        sources=tuple(
            _source(said, f"{place}, source", pages) for said in _sequence(raw["source"], f"{place}, source")
        ),
        contradictions=_ids(raw.get("contradictions"), "C", f"{place}, contradictions"),
        observations=_ids(raw.get("observations"), "O", f"{place}, observations"),
        names=_names(raw["names"], f"{place}, names"),
        unobservable=_sentence(raw["unobservable"], f"{place}, unobservable") if "unobservable" in raw else "",
    )
    if row.tolerated and not (
        row.contradictions
        or row.observations
        or any(s.strength in (Strength.CLIENT, Strength.INFERRED) for s in row.sources)
    ):
        raise RequirementsError(place, "tolerates something without a contradiction, an observation or a client for it")
    if row.tolerated and row.keyword is Keyword.MAY:
        raise RequirementsError(place, "MAY leaves the choice already; a tolerated branch says nothing more")
    return row


def _page(key: str, raw: object) -> Page:
    page = _mapping(raw, f"pages.{key}")
    _keys(page, f"pages.{key}", needed=frozenset({"title"}), allowed=_PAGE_KEYS)
    return Page(key=key, **{name: _text(value, f"pages.{key}.{name}") for name, value in page.items()})


def _source(said: object, place: str, pages: Mapping[str, Page]) -> Source:
    page, _, strength = _text(said, place).partition(" ")
    if page not in pages:
        raise RequirementsError(place, f"no page {page!r}; known are {', '.join(pages)}")
    return Source(page=pages[page], strength=_word(Strength, strength, place))


def _ids(raw: object, letter: str, place: str) -> tuple[str, ...]:
    ids = [_text(one, place) for one in _sequence(raw, place)] if raw is not None else []
    for one in ids:
        number = one.removeprefix(letter)
        if not one.startswith(letter) or not number.isdecimal() or number.startswith("0"):
            raise RequirementsError(place, f"{one!r} is no id such as {letter}1")
        if letter == "C" and int(number) not in CONTRADICTIONS:
            raise RequirementsError(place, f"{one} is not one of C{CONTRADICTIONS[0]} to C{CONTRADICTIONS[-1]}")
    if ids != sorted(set(ids), key=lambda one: int(one[1:])):
        raise RequirementsError(place, f"expected each id once and in order; came {', '.join(ids)}")
    return tuple(ids)


def _names(raw: object, place: str) -> tuple[str, ...]:
    try:
        found = [reference for one in _sequence(raw, place) for reference in spelled_out(_text(one, place))]
    except ValueError as error:
        raise error if isinstance(error, RequirementsError) else RequirementsError(place, str(error)) from error
    for reference in found:
        if found.count(reference) > 1:
            raise RequirementsError(place, f"{reference} stands twice")
    return tuple(found)


def _check_order(rows: Sequence[Requirement], areas: Sequence[str], retired: Mapping[str, str]) -> None:
    seen: set[str] = set()
    before = ("", -1, 0)
    for row in rows:
        if row.id in seen:
            raise RequirementsError(row.id, "stands twice")
        if row.id in retired:
            raise RequirementsError(row.id, "is retired; a new sentence needs a new id")
        seen.add(row.id)
        here = (row.area, areas.index(row.area), int(row.id.rpartition("-")[2]))
        if here[1:] < before[1:]:
            raise RequirementsError(row.id, "out of order: areas as at the head of the file, numbers upwards")
        before = here


def _mapping(raw: object, place: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise RequirementsError(place, f"expected keys and values; came {raw!r:.60}")
    return raw


def _sequence(raw: object, place: str) -> Sequence[object]:
    if not isinstance(raw, list) or not raw:
        raise RequirementsError(place, f"expected a list with at least one entry; came {raw!r:.60}")
    return raw


def _text(raw: object, place: str) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise RequirementsError(place, f"expected text; came {raw!r:.60}")
    return raw


def _sentence(raw: object, place: str) -> str:
    text = _text(raw, place)
    if not text.endswith(".") or "\n" in text:
        raise RequirementsError(place, f"expected one paragraph that ends with a full stop; came {text!r:.60}")
    return text


def _word(kind: type[Word], raw: object, place: str) -> Word:
    try:
        return kind(raw)  # type: ignore[arg-type]  # a StrEnum refuses what is no word of it, whatever its type
    except ValueError:
        raise RequirementsError(place, f"{raw!r} is none of {', '.join(kind)}") from None


def _keys(raw: Mapping[str, Any], place: str, *, needed: frozenset[str], allowed: frozenset[str]) -> None:
    if unknown := sorted(raw.keys() - allowed):
        raise RequirementsError(place, f"unknown key {unknown[0]!r}; known are {', '.join(sorted(allowed))}")
    if missing := sorted(needed - raw.keys()):
        raise RequirementsError(place, f"lacks the key {missing[0]!r}")


if __name__ == "__main__":
    from openapi.requirements_table import main

    sys.exit(main())
