"""Compiling the YAML sources: the shipped JSON is fresh, and a stale or broken one is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from openapi.build import HERE, compile_contract, main, stale
from openapi.document import COMPILED, load


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the sources, compiled."""
    shutil.copy(HERE / "openapi.yaml", tmp_path)
    shutil.copytree(HERE / "examples", tmp_path / "examples")
    assert main([], tmp_path) == 0
    return tmp_path


def test_the_shipped_document_is_fresh() -> None:
    """What programs load is what the YAML says."""
    assert json.loads(COMPILED.read_text("utf-8")) == compile_contract(HERE / "openapi.yaml")


def test_a_compiled_folder_is_not_stale(folder: Path) -> None:
    """A second run has nothing to do."""
    assert stale(folder) == []
    assert main(["--check"], folder) == 0
    assert load(folder / "compiled" / "contract.json").operations


def test_a_changed_source_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check exits 1 with a sentence that says what to do; a run repairs it."""
    source = folder / "openapi.yaml"
    source.write_text(source.read_text("utf-8").replace("version: 1.0.0", "version: 1.0.1"), "utf-8")
    assert main(["--check"], folder) == 1
    assert capsys.readouterr().err == "contract.json does not match its source; run: python -m openapi.build\n"
    assert main([], folder) == 0
    assert load(folder / "compiled" / "contract.json").version == "1.0.1"


def test_a_catalogue_is_compiled_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """catalogue.yaml becomes catalogue.json, untouched, when it is there."""
    (folder / "catalogue.yaml").write_text("models:\n  - {name: a, sdxl: true}\n", "utf-8")
    assert main([], folder) == 0
    assert capsys.readouterr().out.endswith("wrote catalogue.json\n")
    compiled = json.loads((folder / "compiled" / "catalogue.json").read_text("utf-8"))
    assert compiled == {"models": [{"name": "a", "sdxl": True}]}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("minLength: 1\n", "minLengt: 1\n", "'minLengt' is not known in schema"),
        ("examples/v3-txt2img-normal.request.json", "examples/gone.json", "examples/gone.json is missing"),
    ],
)
def test_a_broken_source_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    """The compiler exits 1 and says where."""
    source = folder / "openapi.yaml"
    source.write_text(source.read_text("utf-8").replace(old, new, 1), "utf-8")
    assert main([], folder) == 1
    assert said in capsys.readouterr().err


def test_wrong_usage_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Anything but --check exits 2."""
    assert main(["--chek"]) == 2
    assert "usage" in capsys.readouterr().err
