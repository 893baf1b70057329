"""The committed document against the pages: no drift today, and every edit of a page shows."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from openapi.derive import derive
from openapi.document import load
from openapi.drift import Comparison, Kind, as_text, compare
from openapi.overlay import read_overlay
from openapi.pages import parse_page, read_page
from openapi.spec_errors import PageError

OWN = sorted((Path(__file__).parent / "pages").glob("*.md"))
"""Pages of our own that state what the vendor's pages state."""

VENDOR_PAGES = Path(__file__).parents[3] / "shared" / "seeds"
"""The vendor's pages, where a developer keeps a copy beside the repository."""


def vendor_pages() -> list[Path]:
    """Those of the copies that are in the page format; the others have lost their tags."""
    readable = []
    for path in sorted(VENDOR_PAGES.glob("*.txt")) if VENDOR_PAGES.exists() else []:
        try:
            read_page(path)
        except PageError:
            continue
        readable.append(path)
    return readable


def compared(text: str, document: Any = None, file: str = "edited.md") -> Comparison:
    """The comparison of one page's text with the contract."""
    return compare(derive([parse_page(text, file)], read_overlay()), load().raw if document is None else document)


def own(name: str) -> str:
    return (Path(__file__).parent / "pages" / f"{name}.md").read_text(encoding="utf-8")


def test_our_pages_cover_every_operation() -> None:
    """There is a page for each operation of the document."""
    operations = {f"{operation.method.upper()} {operation.path}" for operation in load().operations.values()}
    assert {read_page(path).operation for path in OWN} == operations


@pytest.mark.parametrize("path", [*OWN, *vendor_pages()], ids=lambda path: path.stem)
def test_the_document_agrees_with_the_page(path: Path) -> None:
    """Fact by fact, in both directions, with every departure explained by the overlay."""
    comparison = compared(path.read_text(encoding="utf-8"), file=path.name)
    assert as_text(comparison).endswith("no differences"), as_text(comparison)
    assert comparison.facts > comparison.fields > 10


def test_all_pages_together_agree() -> None:
    """No action of the overlay is left without work when every operation is there."""
    comparison = compare(derive([read_page(path) for path in OWN], read_overlay()), load().raw)
    assert comparison.differences == ()
    assert comparison.fields > 250


def test_the_overlay_is_needed() -> None:
    """Without it, each of its departures is a difference."""
    comparison = compare(derive([read_page(path) for path in OWN]), load().raw)
    assert len(comparison.differences) > 40
    assert {difference.kind for difference in comparison.differences} == {Kind.DIFFERS, Kind.ONLY_IN_DOCUMENT}


EDITS = [
    ("v2-txt2img", r"(body=\"steps\"[^>]*>\s*Range \(0, )50", r"\g<1>60", "body steps: range", "(0, 60]", "(0, 50]"),
    ("v2-txt2img", r"(body=\"width\"[^>]*>\s*Range )\(0", r"\1\\[0", "body width: range", "[0, 2048]", "(0, 2048]"),
    ("v2-txt2img", "`PLMS`, ", "", "body sampler_name: enum", "29 values", '30 values, only here: "PLMS"'),
    ("v2-txt2img", "`PLMS`", "`PLMS 2`", "body sampler_name: enum", 'only here: "PLMS 2"', 'only here: "PLMS"'),
    (
        "v2-txt2img",
        '"seed" type="integer" required={true}',
        '"seed" type="integer"',
        "body seed: required",
        "no",
        "yes",
    ),
    ("v2-txt2img", 'type="null"', 'type="string"', "body restore_faces_model: type", "string", "null"),
    ("v2-txt2img", "boolean¦null", "boolean", "body extra.enable_progress_info: null", "no", "yes"),
    ("v2-img2img", 'type="string\\[\\]"', 'type="object[]"', "body init_images: type", "object[]", "string[]"),
    ("v2-img2img", "The default is `png`", "The default is `jpeg`", "response_image_type: default", '"jpeg"', '"png"'),
    ("v3-img2img", r"up to 5", "up to 6", "body request.loras: count", "<= 6", "<= 5"),
    ("v3-img2img", r"Range \\\[1, 1024\]\.", "", "body request.prompt: length", "nothing", "[1, 1024]"),
    ("v3-img2img", "minimum -1", "minimum 0", "body request.seed: range", ">= 0", ">= -1"),
    (
        "v3-img2img",
        "16 megapixels",
        "4 megapixels",
        "picture limits",
        '"max-pixels": 4194304',
        '"max-pixels": 16777216',
    ),
    (
        "v3-img2img",
        "control\\\\_v11p\\\\_sd15\\\\_seg, ",
        "",
        "units[].model_name: enum",
        "20 values",
        '"control_v11p_sd15_seg"',
    ),
    ("v3-task-result", ", `TASK_STATUS_PROCESSING`$", "", "task.status: enum", "3 values", '"TASK_STATUS_PROCESSING"'),
    ("v3-model", "`public` or `private`", "any", "query filter.visibility: enum", "nothing", '"public", "private"'),
    ("v3-model", "The default is false", "The default is true", "is_inpainting: default", "true", "false"),
]


@pytest.mark.parametrize(("page", "old", "new", "what", "says", "reads"), EDITS, ids=lambda value: str(value)[:40])
def test_an_edited_page_shows(page: str, old: str, new: str, what: str, says: str, reads: str) -> None:
    """A fact changed on the page is a difference that names the field, the page's line and both sides."""
    text, count = re.subn(old, new, own(page), count=1, flags=re.MULTILINE)
    assert count == 1
    comparison = compared(text)
    report = as_text(comparison)
    block = re.search(
        rf"^  .*{re.escape(what)}\n    page      (.*)  \(edited\.md:\d+.*\)\n    document  (.*)$", report, re.M
    )
    assert block, report
    assert says in block[1]
    assert reads in block[2]
    assert all(difference.kind is Kind.DIFFERS for difference in comparison.differences)


def test_a_renamed_field_shows_on_both_sides() -> None:
    """The new name is only on the page, the old one only in the document; its properties are not listed again."""
    comparison = compared(own("v3-txt2img").replace('body="hires_fix"', 'body="hires"'))
    assert [(item.kind, item.field) for item in comparison.differences] == [
        (Kind.ONLY_ON_PAGE, "request.hires"),
        (Kind.ONLY_IN_DOCUMENT, "request.hires_fix"),
    ]
    assert as_text(comparison).startswith(
        "POST /v3/async/txt2img\n"
        "  body request.hires: only on the page\n"
        "    page      object  (edited.md:142)\n"
        "    document  no such field\n"
        "  body request.hires_fix: only in the document\n"
        "    page      no such field  (edited.md)\n"
        "    document  object\n"
    )


def test_a_changed_document_shows() -> None:
    """The comparison goes both ways: a slip in the document is found as well."""
    document = copy.deepcopy(dict(load().raw))
    schemas = document["components"]["schemas"]
    schemas["Steps"]["maximum"] = 150
    schemas["Lora"]["required"].remove("strength")
    schemas["Refiner"]["properties"]["extra"] = {"type": "string"}
    del schemas["IpAdapter"]["properties"]["strength"]
    found = compare(derive([read_page(path) for path in OWN], read_overlay()), document).differences
    assert {(item.kind.value, item.field, item.aspect) for item in found} == {
        ("differs", "request.steps", "range"),
        ("differs", "request.loras[].strength", "required"),
        ("only-in-document", "request.refiner.extra", ""),
        ("only-on-page", "request.ip_adapters[].strength", ""),
    }


def test_an_operation_that_the_document_lacks() -> None:
    """A page of an operation outside the contract is one difference, not an error."""
    comparison = compared(own("v3-img2img").replace("/v3/async/img2img", "/v3/async/upscale"))
    assert [(item.kind, item.operation) for item in comparison.differences] == [
        (Kind.ONLY_ON_PAGE, "POST /v3/async/upscale")
    ]
    assert "the document has no such operation  (edited.md)" in as_text(comparison)


def test_an_overlay_without_work_shows() -> None:
    """When a page states at last what an action adds, the action is reported: its reason is gone."""
    text = re.sub(r'("nsfw_detection_level"[^>]*>\n)', r"\1      Default is 0.\n", own("v3-img2img"))
    (difference,) = compared(text).differences
    assert difference.kind is Kind.STALE_OVERLAY
    assert re.fullmatch(r"overlay\.yaml, action \d+", difference.source)
    assert "changes nothing: the page says so itself now" in as_text(compared(text))


def test_a_departure_of_the_overlay_is_named() -> None:
    """Where the overlay speaks and the document still differs, the report says that the overlay changed the fact."""
    document = copy.deepcopy(dict(load().raw))
    document["components"]["schemas"]["NsfwDetectionLevel"]["default"] = 2
    (difference,) = compared(own("v3-img2img"), document).differences
    assert re.fullmatch(r"edited\.md:\d+, changed by overlay\.yaml", difference.source)
    assert (difference.page, difference.document) == ("0", "2")


def test_the_report_for_programs() -> None:
    """The JSON form holds the same differences, with a version."""
    comparison = compared(own("v2-txt2img").replace("(0, 50]", "(0, 60]"))
    assert comparison.as_json() == {
        "version": 1,
        "fields": comparison.fields,
        "facts": comparison.facts,
        "differences": [
            {
                "kind": "differs",
                "operation": "POST /v2/txt2img",
                "place": "body",
                "field": "steps",
                "aspect": "range",
                "page": "(0, 60]",
                "document": "(0, 50]",
                "source": "edited.md:43",
            }
        ],
    }
