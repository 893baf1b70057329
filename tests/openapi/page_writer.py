"""Pages written from facts, and strategies for facts: the inverse of the reader, for tests."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hypothesis import strategies as st

from openapi.facts import ITEMS, Bounds, Field, PictureLimits, Place, Scalar, Type

CURL = "\n```bash\ncurl --location 'https://api.example/v9/thing' \\\n--data '{}'\n```\n"
"""The example call that gives a page its operation, POST /v9/thing."""


def escaped(text: str) -> str:
    return re.sub(r"([\[_*])", r"\\\1", text)


def sentences(item: Field) -> Iterable[str]:
    """The facts of a field as a page words them."""
    if item.picture:
        yield (
            f"At most {item.picture.max_pixels // 2**20} megapixels and {item.picture.max_bytes // 2**20} MB."
            if (item.picture.max_pixels and item.picture.max_bytes)
            else ""
        )
    if item.bounds:
        if item.type is Type.ARRAY:
            yield f"Supports up to {item.bounds.high} of them."
        elif item.bounds.low is None:
            yield f"The maximum is {item.bounds.high}."
        elif item.bounds.high is None:
            yield f"Its minimum {item.bounds.low}."
        else:
            yield f"Range {escaped(str(item.bounds))}."
    if item.default is not None:
        yield f"Default is {item.default}." if item.type is not Type.STRING else f"The default is `{item.default}`."
    if item.titles:
        yield " ".join(escaped(f"***{title}: {', '.join(names)}") for title, names in item.titles)
    elif item.enum:
        yield f"<br />\n  Enum: {', '.join(f'`{value}`' for value in item.enum)}"


def write(fields: Iterable[Field]) -> str:
    """A page of facts: the reader's inverse."""
    items = list(fields)

    def block(parent: tuple[str, ...], place: Place) -> str:
        text = ""
        for item in items:
            if item.place is not place or item.path[:-1] not in {parent, (*parent, ITEMS)} or len(item.path) < 1:
                continue
            kind = f"{item.items.value}[]" if item.items else item.type.value
            tag = "ResponseField" if place is Place.RESPONSE else "ParamField"
            key = "name" if place is Place.RESPONSE else place.value
            null = "¦null" if item.nullable else ""
            text += f'\n<{tag} {key}="{item.path[-1]}" type="{kind}{null}" required={{{str(item.required).lower()}}}>\n'
            text += "".join(f"  {sentence}\n" for sentence in sentences(item))
            if inner := block(item.path, place):
                text += f'\n  <Expandable title="properties" defaultOpen={{false}}>{inner}  </Expandable>\n'
            text += f"</{tag}>\n"
        return text

    return "".join(block((), place) for place in Place) + CURL


NAMES = st.from_regex(r"[a-z][a-z_0-9]{0,8}", fullmatch=True)
WORDS = st.from_regex(r"[A-Za-z][A-Za-z0-9_.+-]{0,8}( [a-z0-9+]{1,4})?", fullmatch=True)
TOKENS = st.from_regex(r"[a-z][a-z0-9_-]{1,8}", fullmatch=True)
WHOLE = st.integers(-5000, 5000)
REAL = st.one_of(WHOLE, st.decimals(-50, 50, places=2).map(float))


@st.composite
def bounds_of(draw: st.DrawFn, kind: Type) -> Bounds | None:
    """Bounds that a page can state for a type."""
    if kind is Type.ARRAY:
        return draw(st.none() | st.builds(Bounds, high=st.integers(1, 20)))
    if kind not in {Type.INTEGER, Type.NUMBER, Type.STRING}:
        return None
    number = REAL if kind is Type.NUMBER else WHOLE if kind is Type.INTEGER else st.integers(0, 5000)
    low, high = sorted([draw(number), draw(number)])
    both = st.builds(Bounds, low=st.just(low), high=st.just(high), low_open=st.booleans(), high_open=st.booleans())
    if kind is Type.STRING:
        return draw(st.none() | both)
    return draw(st.none() | both | st.just(Bounds(low=low)) | st.just(Bounds(high=high)))


@st.composite
def field_of(draw: st.DrawFn, place: Place, path: tuple[str, ...], kind: Type | None = None) -> Field:
    """One field with facts that fit its type."""
    kind = kind or draw(st.sampled_from(list(Type)))
    values: dict[Type, st.SearchStrategy[Scalar]] = {Type.STRING: WORDS, Type.INTEGER: WHOLE, Type.NUMBER: REAL}
    enum: tuple[Scalar, ...] = ()
    titles: tuple[tuple[str, tuple[str, ...]], ...] = ()
    if kind in values:
        enum = tuple(draw(st.lists(values[kind], max_size=4, unique=True)))
    if kind is Type.STRING and not enum and draw(st.booleans()):
        titles = tuple(
            draw(st.lists(st.tuples(WORDS, st.lists(TOKENS, min_size=2, max_size=4).map(tuple)), max_size=2))
        )
        enum = tuple(name for _, names in titles for name in names)
    values[Type.BOOLEAN] = st.booleans()
    default = draw(st.none() | values[kind]) if kind in values else None
    limits = st.builds(PictureLimits, max_pixels=st.just(16 * 2**20), max_bytes=st.just(10 * 2**20))
    return Field(
        place=place,
        path=path,
        type=kind,
        items=draw(st.sampled_from([Type.OBJECT, Type.STRING, Type.INTEGER])) if kind is Type.ARRAY else None,
        nullable=kind is not Type.NULL and draw(st.booleans()),
        required=draw(st.booleans()),
        bounds=draw(bounds_of(kind)),
        enum=enum,
        titles=titles,
        default=default,
        picture=draw(st.none() | limits) if kind is Type.STRING else None,
    )


@st.composite
def some_fields(draw: st.DrawFn) -> list[Field]:
    """Fields of several places, some inside objects and arrays of objects."""
    fields: list[Field] = []
    for place in draw(st.lists(st.sampled_from([Place.BODY, Place.RESPONSE, Place.QUERY]), min_size=1, unique=True)):
        level: list[tuple[str, ...]] = [()]
        for depth in range(3):
            below: list[tuple[str, ...]] = []
            for parent in level:
                for name in draw(st.lists(NAMES, min_size=depth == 0, max_size=3, unique=True)):
                    item = draw(field_of(place, (*parent, name)))
                    fields.append(item)
                    if place is not Place.QUERY and (item.type is Type.OBJECT or item.items is Type.OBJECT):
                        below.append((*item.path, ITEMS) if item.items else item.path)
            level = below
    return fields
