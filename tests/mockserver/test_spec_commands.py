"""`novita-mock spec`: output forms and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from mockserver.spec_commands import spec

PAGES = Path(__file__).parents[1] / "openapi" / "pages"
PAGE = PAGES / "v2-txt2img.md"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spec, [str(argument) for argument in arguments])


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """A copy of a page with one range changed."""
    path = tmp_path / "edited.md"
    path.write_text(PAGE.read_text(encoding="utf-8").replace("(0, 50]", "(0, 60]"), encoding="utf-8")
    return path


def test_pages_that_agree_exit_0() -> None:
    """All pages of our own against the committed document."""
    result = run("drift", *sorted(PAGES.glob("*.md")))
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("no differences\n")


def test_a_page_that_disagrees_exits_1(edited: Path) -> None:
    """The report names field, line and both sides; the JSON form the same."""
    result = run("drift", edited)
    assert result.exit_code == 1
    assert f"  body steps: range\n    page      (0, 60]  ({edited}:43)\n    document  (0, 50]\n" in result.stdout
    result = run("drift", edited, "--format", "json")
    assert result.exit_code == 1
    assert [item["field"] for item in json.loads(result.stdout)["differences"]] == ["steps"]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (r"\[0, 604800]", r"\[0, 86400]", "body img_expire_ttl: range"),
        ("`ESRGAN_4x`, ", "", "body hr_upscaler: enum"),
        ('body="clip_skip"', 'body="clip_skips"', "body clip_skips: only on the page"),
        (
            'body="model_name" type="string" required={true}',
            'body="model_name" type="string"',
            "body model_name: required",
        ),
    ],
)
def test_any_kind_of_edit_is_found(tmp_path: Path, old: str, new: str, named: str) -> None:
    """A changed range, a dropped word, a renamed field, a flipped required: exit 1, and the field is named."""
    text = PAGE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "page.md"
    path.write_text(text.replace(old, new), encoding="utf-8")
    result = run("drift", path)
    assert result.exit_code == 1
    assert f"  {named}\n" in result.stdout


def test_another_document_and_no_overlay(edited: Path, tmp_path: Path) -> None:
    """What is derived from a page agrees with that page and, without the overlay, not with the contract."""
    derived = tmp_path / "derived.yaml"
    assert run("derive", edited, "--no-overlay", "-o", derived).exit_code == 0
    assert run("drift", edited, "--no-overlay", "--document", derived).exit_code == 0
    assert run("drift", PAGE, "--no-overlay").exit_code == 1


def test_derive_writes_yaml_json_or_a_table() -> None:
    """Three forms of the same facts; the overlay is in the first two."""
    from_yaml = yaml.safe_load(run("derive", PAGE).stdout)
    from_json = json.loads(run("derive", PAGE, "--format", "json").stdout)
    assert from_yaml == from_json
    level = from_json["components"]["schemas"]["PostV2Txt2imgRequest"]["properties"]["extra"]["properties"]
    assert level["nsfw_detection_level"]["default"] == 0
    assert "*id" not in run("derive", PAGE).stdout
    table = run("derive", PAGE, "--format", "table").stdout
    assert table.startswith(f"POST /v2/txt2img  ({PAGE}, 49 fields)\n")


def test_an_overlay_of_ones_own(tmp_path: Path) -> None:
    """--overlay takes the place of the contract's overlay."""
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(
        "overlay: 1.0.0\ninfo: {title: mine, version: '1'}\nactions:\n"
        "  - {target: $.info, description: C1, update: {version: mine}}\n",
        encoding="utf-8",
    )
    derived = yaml.safe_load(run("derive", PAGE, "--overlay", overlay).stdout)
    assert derived["info"]["version"] == "mine"
    assert run("derive", PAGE, "--overlay", overlay, "--no-overlay").exit_code == 2


def test_sentences_that_could_not_be_read_are_told() -> None:
    """Notes go to the error stream, so that the output stays a document."""
    result = run("derive", PAGES / "v3-model.md", "--format", "json")
    assert "v3-model.md:89: models[].download_url_ttl: default '1 day' is no single value" in result.stderr
    json.loads(result.stdout)


def test_what_cannot_be_read_exits_2(tmp_path: Path) -> None:
    """A missing page, one without fields, a broken overlay, document or output file: usage, with a clear message."""
    empty = tmp_path / "empty.md"
    empty.write_text("# Nothing\n", encoding="utf-8")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [", encoding="utf-8")
    listed = tmp_path / "listed.yaml"
    listed.write_text("- a\n", encoding="utf-8")
    dangling = tmp_path / "dangling.yaml"
    reference = {"schema": {"$ref": "#/nowhere"}}
    operation = {"post": {"requestBody": {"content": {"application/json": reference}}}}
    dangling.write_text(yaml.safe_dump({"paths": {"/v2/txt2img": operation}}), encoding="utf-8")
    cases: list[tuple[list[object], str]] = [
        (["drift"], "Missing argument 'PAGES...'"),
        (["drift", tmp_path / "absent.md"], "does not exist"),
        (["drift", empty], "empty.md: holds no fields; expected <ParamField"),
        (["derive", PAGE, PAGE], "a second page for POST /v2/txt2img"),
        (["derive", PAGE, "--overlay", broken], "broken.yaml: not YAML"),
        (["drift", PAGE, "--document", broken], "broken.yaml: cannot be read"),
        (["drift", PAGE, "--document", PAGES.parent / "test_drift.py"], "test_drift.py: cannot be read"),
        (["drift", PAGE, "--document", listed], "listed.yaml: expected an OpenAPI document with paths"),
        (["drift", PAGE, "--document", dangling], "#/nowhere leads nowhere"),
        (["derive", PAGE, "-o", tmp_path / "no" / "where.yaml"], "where.yaml: cannot be written"),
    ]
    for arguments, message in cases:
        result = run(*arguments)
        assert result.exit_code == 2, (arguments, result.output)
        assert message in result.stderr
