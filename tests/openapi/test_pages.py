"""Reading documentation pages: every construct of the format, what is refused, and the way back to a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given

from openapi.facts import ITEMS, Bounds, Field, Page, PictureLimits, Place, Scalar, Type
from openapi.pages import parse_page, read_page
from openapi.spec_errors import PageError
from tests.openapi.page_writer import CURL, some_fields, write

PAGES = Path(__file__).parent / "pages"


def page(text: str) -> Page:
    """A page of some fields, with an example call after them."""
    return parse_page(text + CURL, "page.md")


def one(attributes: str, text: str = "") -> Field:
    """The only field of a page."""
    (found,) = page(f'<ParamField body="x" {attributes}>\n  {text}\n</ParamField>\n').fields
    return found


# Attributes and nesting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kind", "items", "nullable"),
    [
        ("string", Type.STRING, None, False),
        ("string¦null", Type.STRING, None, True),
        ("null|integer", Type.INTEGER, None, True),
        ("null", Type.NULL, None, False),
        ("object[]", Type.ARRAY, Type.OBJECT, False),
        ("object[]¦null", Type.ARRAY, Type.OBJECT, True),
        ("string[]", Type.ARRAY, Type.STRING, False),
        ("arraystring[]", Type.ARRAY, Type.STRING, False),
        ("number(float)¦null", Type.NUMBER, None, True),
        ("float32", Type.NUMBER, None, False),
        ("bool", Type.BOOLEAN, None, False),
        ("int64", Type.INTEGER, None, False),
    ],
)
def test_types(written: str, kind: Type, items: Type | None, nullable: bool) -> None:
    """A type attribute gives type, item type and null, whatever its spelling."""
    found = one(f'type="{written}"')
    assert (found.type, found.items, found.nullable) == (kind, items, nullable)


@pytest.mark.parametrize(
    ("written", "required"),
    [
        ("required={true}", True),
        ("required", True),
        ("required={false}", False),
        ('required="true"', True),
        ("", False),
    ],
)
def test_required(written: str, required: bool) -> None:
    """Required is a JSX boolean, a bare word or absent."""
    assert one(f'type="string" {written}').required is required


def test_places_and_lines() -> None:
    """Each kind of tag gives its place; the line is that of the opening tag."""
    fields = page(
        '<ParamField header="Authorization" type="string" required={true} />\n'
        '<ParamField query="task_id" type="string" />\n'
        '<ParamField path="id" type="string" />\n'
        "\n"
        "<ParamField\n"
        '  body="x"\n'
        "  type='string'\n"
        ">\n"
        "</ParamField>\n"
        '<ResponseField name="task_id" type="string" />\n'
    ).fields
    assert [(item.place, item.name, item.line) for item in fields] == [
        (Place.HEADER, "Authorization", 1),
        (Place.QUERY, "task_id", 2),
        (Place.PATH, "id", 3),
        (Place.BODY, "x", 5),
        (Place.RESPONSE, "task_id", 10),
    ]


def test_nesting_gives_paths() -> None:
    """Fields inside an Expandable belong to the field around it; [] marks the objects of an array."""
    found = page(
        """
<ParamField body="extra" type="object">
  <Expandable title="properties" defaultOpen={false}>
    <ParamField body="webhook" type="object">
      <Expandable title="properties">
        <ParamField body="url" type="string" required={true} />
      </Expandable>
    </ParamField>
  </Expandable>
</ParamField>
<ParamField body="units" type="object[]">
  <Expandable>
    <ParamField body="model_name" type="string" />
  </Expandable>
</ParamField>
"""
    )
    assert [item.name for item in found.fields] == [
        "extra",
        "extra.webhook",
        "extra.webhook.url",
        "units",
        "units[].model_name",
    ]
    assert found.fields[-1].path == ("units", ITEMS, "model_name")


def test_a_parent_keeps_its_own_text() -> None:
    """What stands inside a property is not read as a fact of the object around it."""
    outer, inner = page(
        """
<ParamField body="items" type="object[]">
  Supports up to 5 things.
  <Expandable>
    <ParamField body="n" type="integer">
      At most 9, default: 3.
    </ParamField>
  </Expandable>
</ParamField>
"""
    ).fields
    assert outer.bounds == Bounds(high=5)
    assert (inner.bounds, inner.default) == (Bounds(high=9), 3)


def test_tags_in_examples_and_comments_are_no_fields() -> None:
    """Fenced code, inline code and comments are not searched for tags."""
    found = page(
        """
```mdx
<ParamField body="fenced" type="string">
```
{/* <ParamField body="commented" type="string"> */}
<!-- <ParamField body="hidden" type="string"> -->
<ParamField body="x" type="string">
  Not `<ParamField>`, and `<lora:name:0.5>` is no tag either.
</ParamField>
"""
    )
    assert [(item.name, item.line) for item in found.fields] == [("x", 7)]


# Prose ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "bounds"),
    [
        ("integer", r"Width. Range \[128, 2048].", Bounds(low=128, high=2048)),
        ("integer", "Steps. Range: (0, 50]", Bounds(low=0, high=50, low_open=True)),
        ("number", r"range \[0, 1.5), or so", Bounds(low=0, high=1.5, high_open=True)),
        ("number", "weight, from 0 to 1.", Bounds(low=0, high=1)),
        ("number¦null", "Must be between 0 and 1. A value of 1 ignores it.", Bounds(low=0, high=1)),
        ("integer", "the maximum image size is 2048, only with x=1.", Bounds(high=2048)),
        ("integer", "a seed, minimum -1. Defaults to -1.", Bounds(low=-1)),
        ("integer", "at least 2 and at most 4", Bounds(low=2, high=4)),
        ("string", r"The text. Range \[1, 1024].", Bounds(low=1, high=1024)),
        ("object[]", "Currently supports up to 5 LoRAs.", Bounds(high=5)),
        ("object[]", "up to 1 IP-Adapter.", Bounds(high=1)),
        ("integer", "stop at the 10th of 12 layers", None),
        ("string", "minimum -1", None),
        ("object", r"Range \[1, 2]", None),
    ],
)
def test_ranges(kind: str, text: str, bounds: Bounds | None) -> None:
    """Sentences that bound a value, a length or a count, by the field's type."""
    assert one(f'type="{kind}"', text).bounds == bounds


@pytest.mark.parametrize(
    ("kind", "text", "values"),
    [
        ("string", "Format.<br />\n  Enum: `png`, `jpeg`", ("png", "jpeg")),
        ("integer", "Level.\n  Enum: `0`, `1`, `2`", (0, 1, 2)),
        ("number", "Enum: `1`, `2.5`", (1, 2.5)),
        ("string", "Format. Default is png.Enum: `png, webp`", ("png", "webp")),
        ("string", "Enum: `DPM++ 2M`, `R-ESRGAN 4x+`, `depth_leres++`", ("DPM++ 2M", "R-ESRGAN 4x+", "depth_leres++")),
        ("string", "Enum: application/json", ("application/json",)),
        ("string", "Whose: `public` or `private`. Both when absent.", ("public", "private")),
        ("integer", "CodeNormal=0, CodeInternalError=-1, CodeTimeout=9", (0, -1, 9)),
        ("string", "One of `a` and `b`.", ()),
        ("integer", "Works only with scale=1.", ()),
    ],
)
def test_value_lists(kind: str, text: str, values: tuple[Scalar, ...]) -> None:
    """The ways in which pages list values, read in the field's type."""
    assert one(f'type="{kind}"', text).enum == values


def test_titled_lists_of_names_are_value_lists() -> None:
    """Names listed under titles inside the prose are the values; the titles are kept."""
    found = one(
        'type="string"',
        r"The model. \*\*\*For SD 1.5: control\_a, control\_b.1, \*\*\*For SDXL: net-c-1.0, net-d; thank you",
    )
    assert found.enum == ("control_a", "control_b.1", "net-c-1.0", "net-d")
    assert found.titles == (("For SD 1.5", ("control_a", "control_b.1")), ("For SDXL", ("net-c-1.0", "net-d")))


@pytest.mark.parametrize(
    ("kind", "text", "default"),
    [
        ("string", "The format; default: png<br />\n  Enum: `png`, `jpeg`", "png"),
        ("string", "Default is png.", "png"),
        ("string", "default: `DPM++ 2M`", "DPM++ 2M"),
        ("number", r"The strength, defaults to 1. Range \[0, 1]", 1),
        ("number", "The default value is 0.5", 0.5),
        ("integer", "Defaults to -1.", -1),
        ("boolean", "The default is False.", False),
        ("boolean", "Whether to. By default, it is private.", None),
        ("integer", "How many (default: 4)", 4),
    ],
)
def test_defaults(kind: str, text: str, default: Scalar | None) -> None:
    """The ways in which pages name a default, read in the field's type."""
    found = one(f'type="{kind}"', text).default
    assert found == default
    assert type(found) is type(default)


def test_a_default_attribute_counts_too() -> None:
    """The component's own attribute for a default is read before the prose."""
    assert one('type="integer" default={7}', "Defaults to 8.").default == 7
    assert one('type="string" default="png"').default == "png"


def test_picture_limits() -> None:
    """Megapixels and megabytes of a picture that travels as text, in pixels and bytes."""
    found = one('type="string"', "base64, at most 16 megapixels and 10 Mb.")
    assert found.picture == PictureLimits(max_pixels=4096 * 4096, max_bytes=10 * 1024 * 1024)


@pytest.mark.parametrize(
    ("kind", "text", "note"),
    [
        ("integer", "the time to live, default is 1 day", "default '1 day' is no single value"),
        ("integer", "default: many.", "default 'many' is no integer"),
        ("integer", "Enum: `1`, `two`", "enum 'two' is no integer"),
        ("string", "Enum:\n", "'Enum:' is followed by no values"),
        ("integer", r"Range \[1, 2]. In short: \[1, 3]", "several ranges, none taken: [1, 2], [1, 3]"),
    ],
)
def test_prose_that_makes_no_sense_gives_a_note(kind: str, text: str, note: str) -> None:
    """A sentence that looks like a fact but cannot be read is reported with its line and field, not swallowed."""
    found = page(f'\n<ParamField body="x" type="{kind}">\n  {text}\n</ParamField>\n')
    assert found.notes == (f"page.md:2: x: {note}",)
    assert found.fields[0].default is None
    assert found.fields[0].bounds is None


def test_an_unknown_attribute_gives_a_note() -> None:
    """An attribute that nobody reads may hold a fact: it is named."""
    assert page('<ParamField body="x" type="string" minimum={1} />').notes == (
        "page.md:1: attribute 'minimum' of <ParamField> is not read",
    )


# Operations ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("```\ncurl --location 'https://api.example/v2/make' \\\n--data '{}'\n```", "POST /v2/make"),
        (
            "```\ncurl --location --request GET 'https://api.example/v3/look?id=1' \\\n--header 'A: b'\n```",
            "GET /v3/look",
        ),
        ("```\ncurl -X PUT https://api.example/v3/put -d @file\n```", "PUT /v3/put"),
        ("```\ncurl --location --globoff 'https://api.example/v3/look?id={{x}}'\n```", "GET /v3/look"),
        ("POST https://api.example/v3/async/make\n\n```\ncurl 'https://api.example/other'\n```", "POST /v3/async/make"),
        ('---\napi: "DELETE https://api.example/v3/drop"\n---', "DELETE /v3/drop"),
    ],
)
def test_operations(text: str, operation: str) -> None:
    """The operation comes from a line with method and address, else from the first example call."""
    assert parse_page(f'{text}\n<ParamField body="x" type="string" />', "page.md").operation == operation


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# Title\n\nOnly words." + CURL, "page.md: holds no fields; expected <ParamField"),
        ('<ParamField body="x" type="string" />', "page.md: names no operation; expected an example `curl"),
        ('\n<ParamField body="x" type="string">\n', "page.md:2: <ParamField> is never closed"),
        ('<ParamField body="x" type="string"\n', "page.md:1: <ParamField is not closed with >"),
        ('<ParamField body="x" type="string>\n</ParamField>', "page.md:1: <ParamField is not closed with >"),
        ("text\n</ParamField>", "page.md:2: </ParamField> closes nothing"),
        (
            '<ParamField body="x" type="object">\n<Expandable>\n</ParamField>',
            "page.md:3: </ParamField> comes while <Expandable> of line 2 is open",
        ),
        ("<Expandable>\n</Expandable>", "page.md:1: <Expandable> stands outside a field"),
        ('<ParamField type="string" />', "page.md:1: <ParamField> needs one of header, query, path, body"),
        ('<ParamField body="x" query="x" type="string" />', "page.md:1: <ParamField> needs one of header"),
        ('<ResponseField type="string" />', 'page.md:1: <ResponseField> needs name="..."'),
        ('<ParamField body="x" />', "page.md:1: <ParamField> has no type"),
        ('<ParamField body="x" type="date" />', "page.md:1: type 'date': expected one of string, integer"),
        ('<ParamField body="x" type="array" />', "page.md:1: type 'array': expected one of"),
        ('<ParamField body="x" type="string¦integer" />', "page.md:1: type 'string¦integer': expected one of"),
        (
            '<ParamField body="x" type="string" required={maybe} />',
            "page.md:1: required={maybe}: expected true or false",
        ),
        (
            '<ParamField body="x" type="string">\n<ParamField body="y" type="string" />\n</ParamField>',
            "page.md:2: a field stands inside 'x', whose type is string",
        ),
        (
            '<ParamField body="x" type="object">\n<ParamField query="y" type="string" />\n</ParamField>',
            "page.md:2: a query field stands inside the body field 'x'",
        ),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    """A page that cannot be read is an error with file, line, what was expected and what came."""
    with pytest.raises(PageError, match=re.escape(message)):
        parse_page(text, "page.md")


def test_unreadable_files(tmp_path: Path) -> None:
    """A missing file and one that is no text are errors that name the file."""
    with pytest.raises(PageError, match=r"absent\.md: cannot be read .No such file"):
        read_page(tmp_path / "absent.md")
    (tmp_path / "binary.md").write_bytes(b"ab\xff")
    with pytest.raises(PageError, match=r"binary\.md: not UTF-8 text .byte 2"):
        read_page(tmp_path / "binary.md")


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.md")), ids=lambda path: path.stem)
def test_every_prefix_of_a_page_is_read_or_refused(path: Path) -> None:
    """A page cut off at any line is either read or refused with a PageError, never anything else."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    refused = 0
    for length in range(len(lines)):
        try:
            parse_page("".join(lines[:length]) + CURL, path.name)
        except PageError:
            refused += 1
    assert refused


# The way back --------------------------------------------------------------------------------------------------------


@given(fields=some_fields())
def test_facts_survive_a_page(fields: list[Field]) -> None:
    """What is written to a page in the format is read from it again, whatever the facts are."""
    found = parse_page(write(fields), "page.md")
    assert found.notes == ()
    assert found.operation == "POST /v9/thing"
    assert sorted(found.fields, key=lambda item: (item.place, item.path)) == sorted(
        fields, key=lambda item: (item.place, item.path)
    )
