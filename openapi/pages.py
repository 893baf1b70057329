r"""Reads a documentation page in the vendor's format into facts.

Such a page is Markdown with components: `<ParamField header|query|path|body="name" type=".." required={..}>`,
`<ResponseField name="..">` and, for the properties of an object, `<Expandable>` around more fields. Types, names and
`required` are attributes; ranges, value lists and defaults are prose inside the field ("Range \[1, 8]", "Enum: `a`,
`b`", "Default is png"). What is said that way becomes a `Field`; making schemas of them is `openapi.derive`.

The reader is strict about structure (a tag that is never closed is an error with its line) and modest about prose: a
sentence that it does not know gives no fact, and one that it knows but cannot make sense of gives a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openapi.facts import ITEMS, Field, Page, Place, Type, dotted
from openapi.prose import Prose, plain
from openapi.spec_errors import PageError


def read_page(path: Path, name: str | None = None) -> Page:
    """The facts of a page on disk.

    Raises:
        PageError: the file cannot be read, or `parse_page` cannot read the page.
    """
    name = name or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PageError(f"{name}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise PageError(f"{name}: not UTF-8 text (byte {error.start})") from error
    return parse_page(text, name)


def parse_page(text: str, file: str) -> Page:
    """The facts of a page.

    Args:
        text: the whole page.
        file: used in messages.

    Raises:
        PageError: no field, no operation, or a tag that makes no sense.
    """
    notes: list[str] = []
    fields = tuple(_Reader(text, file, notes).fields())
    if not fields:
        raise PageError(
            f'{file}: holds no fields; expected <ParamField body="name" type="string" required={{true}}> or '
            f"<ResponseField name=...> tags (a flattened copy of a page has lost them)"
        )
    operation = _operation(text)
    if operation is None:
        raise PageError(
            f"{file}: names no operation; expected an example `curl ... 'https://host/path'` or a line "
            f"`POST https://host/path`"
        )
    return Page(file=file, method=operation[0], path=operation[1], fields=fields, notes=tuple(notes))


# The operation -------------------------------------------------------------------------------------------------------

_URL = r"https?://[^\s/'\"]+(?P<path>/[^\s'\"?#\\]*)"
_LINE = re.compile(rf"^\W*(?:api:\W*)?(?P<method>GET|POST|PUT|PATCH|DELETE)\s+{_URL}", re.MULTILINE)
_CURL = re.compile(rf"\bcurl\b(?P<before>[^`]*?){_URL}(?P<after>[^`]*)")
_CURL_METHOD = re.compile(r"(?:--request|-X)[\s=]+'?([A-Z]+)")
_CURL_DATA = re.compile(r"\s(?:--data(?:-raw|-binary)?|--json|-d)\s")


def _operation(text: str) -> tuple[str, str] | None:
    """Method and path: a `METHOD URL` line, else the first curl example (whose --data means POST)."""
    if line := _LINE.search(text):
        return line["method"], line["path"]
    curl = _CURL.search(text)
    if curl is None:
        return None
    if method := _CURL_METHOD.search(curl["before"]) or _CURL_METHOD.search(curl["after"]):
        return method[1], curl["path"]
    return ("POST" if _CURL_DATA.search(curl[0]) else "GET"), curl["path"]


# Tags ----------------------------------------------------------------------------------------------------------------

_HIDDEN = re.compile(r"^(?P<fence>```+|~~~+).*?^(?P=fence)|<!--.*?-->|\{/\*.*?\*/\}", re.DOTALL | re.MULTILINE)
_INLINE_CODE = re.compile(r"`[^`\n]*`")
_TAG_START = re.compile(r"<(?P<close>/?)(?P<name>ParamField|ResponseField|Expandable)\b")
_TAG_REST = re.compile(r"(?P<attributes>(?:[^<>\"'{}]|\"[^\"]*\"|'[^']*'|\{[^{}]*\})*?)(?P<empty>/?)>")
_ATTRIBUTE = re.compile(r"([\w-]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|\{([^{}]*)\}))?")
_PLACES = {"header": Place.HEADER, "query": Place.QUERY, "path": Place.PATH, "body": Place.BODY}
_KNOWN = frozenset({*_PLACES, "name", "type", "required", "default", "title", "defaultOpen", "deprecated"})


@dataclass(slots=True, kw_only=True)
class _Open:
    """A tag whose end has not come yet."""

    tag: str
    line: int
    attributes: dict[str, str]
    path: tuple[str, ...] = ()
    place: Place | None = None
    kind: Type | None = None
    at: int = 0
    """Index in the list of fields: a parent's text ends after its properties."""
    text: list[str] = field(default_factory=list)


class _Reader:
    def __init__(self, text: str, file: str, notes: list[str]) -> None:
        self.text = text
        self.file = file
        self.notes = notes
        # Fenced examples, comments and inline code hold no tags; blanks keep every offset where it is.
        blank: Callable[[re.Match[str]], str] = lambda match: re.sub(r"[^\n]", " ", match[0])  # noqa: E731
        self.scanned = _INLINE_CODE.sub(blank, _HIDDEN.sub(blank, text))
        self.shown = _HIDDEN.sub(blank, text)

    def fields(self) -> Iterator[Field]:
        found: list[Field | None] = []
        stack: list[_Open] = []
        at = 0
        for start in _TAG_START.finditer(self.scanned):
            if stack:
                stack[-1].text.append(self.shown[at : start.start()])
            rest = _TAG_REST.match(self.scanned, start.end())
            if rest is None:
                raise self.error(start.start(), f"<{start['close']}{start['name']} is not closed with >")
            at = rest.end()
            if start["close"]:
                self.close(stack, start, found)
                continue
            opened = self.open(stack, start, self.shown[start.end() : rest.start("empty")], len(found))
            if opened.tag != "Expandable":
                found.append(None)
            stack.append(opened)
            if rest["empty"]:
                self.close(stack, start, found)
        if stack:
            raise self.error_at(stack[-1].line, f"<{stack[-1].tag}> is never closed")
        yield from (item for item in found if item is not None)

    def open(self, stack: Sequence[_Open], start: re.Match[str], attributes: str, index: int) -> _Open:
        line = self.line(start.start())
        opened = _Open(tag=start["name"], line=line, attributes=_attributes(attributes), at=index)
        for unknown in opened.attributes.keys() - _KNOWN:
            self.notes.append(f"{self.file}:{line}: attribute {unknown!r} of <{opened.tag}> is not read")
        parents = [outer for outer in stack if outer.tag != "Expandable"]
        if opened.tag == "Expandable":
            if not parents:
                raise self.error_at(line, "<Expandable> stands outside a field")
            return opened
        name, place = self.name(opened)
        opened.kind = self.type(opened)[0]
        opened.path, opened.place = (name,), place
        if parents:
            opened.path = (*self.inside(parents[-1], opened), name)
        return opened

    def name(self, opened: _Open) -> tuple[str, Place]:
        if opened.tag == "ResponseField":
            names = [(Place.RESPONSE, opened.attributes.get("name", ""))]
        else:
            names = [(place, opened.attributes[key]) for key, place in _PLACES.items() if key in opened.attributes]
        if len(names) != 1 or not names[0][1]:
            wanted = 'name="..."' if opened.tag == "ResponseField" else 'one of header, query, path, body="..."'
            raise self.error_at(opened.line, f"<{opened.tag}> needs {wanted}")
        return names[0][1], names[0][0]

    def inside(self, parent: _Open, child: _Open) -> tuple[str, ...]:
        if parent.place is not child.place:
            raise self.error_at(
                child.line, f"a {child.place} field stands inside the {parent.place} field {dotted(parent.path)!r}"
            )
        kind, items, _ = self.type(parent)
        if kind is Type.OBJECT:
            return parent.path
        if kind is Type.ARRAY and items is Type.OBJECT:
            return (*parent.path, ITEMS)
        described = parent.attributes["type"]
        raise self.error_at(child.line, f"a field stands inside {parent.path[-1]!r}, whose type is {described}")

    def type(self, opened: _Open) -> tuple[Type, Type | None, bool]:
        """Type, item type and null: `string¦null`, `object[]`, `number(float)`."""
        written = opened.attributes.get("type")
        if written is None:
            raise self.error_at(opened.line, f"<{opened.tag}> has no type")
        words = [_type_word(word) for word in re.split("[¦|]", written)]
        types = [word for word in words if word != "null"] or ["null"]
        if len(types) != 1 or types[0] == Type.ARRAY or types[0].removesuffix(ITEMS) not in list(Type):
            expected = ", ".join(kind.value for kind in Type if kind is not Type.ARRAY)
            raise self.error_at(opened.line, f"type {written!r}: expected one of {expected}, with [] and ¦null")
        nullable = "null" in words and types != ["null"]
        if types[0].endswith(ITEMS):
            return Type.ARRAY, Type(types[0].removesuffix(ITEMS)), nullable
        return Type(types[0]), None, nullable

    def close(self, stack: list[_Open], start: re.Match[str], found: list[Field | None]) -> None:
        line = self.line(start.start())
        if not stack:
            raise self.error_at(line, f"</{start['name']}> closes nothing")
        if stack[-1].tag != start["name"]:
            opened = stack[-1]
            raise self.error_at(line, f"</{start['name']}> comes while <{opened.tag}> of line {opened.line} is open")
        opened = stack.pop()
        if opened.place is not None:
            found[opened.at] = self.field(opened, opened.place)

    def field(self, opened: _Open, place: Place) -> Field:
        kind, items, nullable = self.type(opened)
        prose = Prose(plain("".join(opened.text)), kind, lambda note: self.note(opened, note))
        required = opened.attributes.get("required", "false")
        if required not in {"true", "false", ""}:
            raise self.error_at(opened.line, f"required={{{required}}}: expected true or false")
        enum, titles = prose.enum()
        default = opened.attributes.get("default")
        return Field(
            place=place,
            path=opened.path,
            type=kind,
            items=items,
            nullable=nullable,
            required=required != "false",
            bounds=prose.bounds(),
            enum=enum,
            titles=titles,
            default=prose.default() if default is None else prose.value(default.strip("'\"`"), "default"),
            picture=prose.picture(),
            line=opened.line,
        )

    def note(self, opened: _Open, note: str) -> None:
        self.notes.append(f"{self.file}:{opened.line}: {dotted(opened.path)}: {note}")

    def line(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1

    def error(self, offset: int, message: str) -> PageError:
        return self.error_at(self.line(offset), message)

    def error_at(self, line: int, message: str) -> PageError:
        return PageError(f"{self.file}:{line}: {message}")


_ALIASES = {"bool": "boolean", "int": "integer", "float": "number", "double": "number"}


def _type_word(written: str) -> str:
    """`number(float)`, `float32`, `bool` and `arraystring[]` (a slip of one page) in the words of JSON Schema."""
    match = re.fullmatch(r"(?:array)?([a-z]+?)(?:32|64)?(?:\(\w*\))?((?:\[\])?)", written.strip())
    return _ALIASES.get(match[1], match[1]) + match[2] if match else written


def _attributes(text: str) -> dict[str, str]:
    """Attribute values without quotes and braces; a bare attribute has the value ""."""
    return {name: double or single or braced.strip() for name, double, single, braced in _ATTRIBUTE.findall(text)}
