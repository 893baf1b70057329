"""What a program has written, and where it works."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from mockserver.core.recipe import ImageType, Recipe
from mockserver.pictures import recipe_digest, render
from mockserver.sweep.files import Kind, look, stamps, written
from mockserver.sweep.place import Place
from mockserver.sweep.workplace import TooMuch, check_size, workplace
from tests.mockserver.builders import make_recipe

RECIPE: Recipe = make_recipe()
PNG = render(RECIPE, 0, ImageType.PNG)
DIGESTS = {recipe_digest(RECIPE)}
S3 = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"


def seen(path: Path, content: bytes, was: Kind | None = None) -> tuple[Kind, str]:
    path.write_bytes(content)
    found = look(path.name, path, DIGESTS, was)
    return found.kind, found.what


def plain_png() -> bytes:
    file = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(file, "PNG")
    return file.getvalue()


def test_a_picture_of_the_run_is_its_receipt_whatever_it_is_called(tmp_path: Path) -> None:
    for name in ("out.png", "out", "out.bin"):
        assert seen(tmp_path / name, PNG) == (Kind.RECEIPT, f"picture 0, seed {RECIPE.seed}")


def test_a_whole_picture_of_something_else_is_a_picture(tmp_path: Path) -> None:
    assert seen(tmp_path / "out.png", plain_png()) == (Kind.PICTURE, "a picture without a receipt")
    path = tmp_path / "old.png"
    path.write_bytes(PNG)
    assert look("old.png", path, ()).what == "a picture of another run"


@pytest.mark.parametrize("form", list(ImageType))
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_picture_that_ends_half_way_is_garbage(tmp_path: Path, form: ImageType, share: float) -> None:
    data = render(RECIPE, 0, form)
    kind, what = seen(tmp_path / "out.png", data[: int(len(data) * share)])
    assert (kind, what.startswith("a damaged picture: ")) == (Kind.GARBAGE, True)


def test_a_changed_byte_of_a_png_is_found(tmp_path: Path) -> None:
    data = bytearray(PNG)
    data[len(data) // 2] ^= 0xFF
    assert seen(tmp_path / "out.png", bytes(data))[0] is Kind.GARBAGE


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (S3, "S3's error text"),
        (b"<!doctype html><html></html>", "a web page"),
        (b"", "an empty file"),
        (b'{"code": 500}', "JSON"),
        (b"words", "5 bytes that are no picture"),
    ],
)
def test_what_only_has_a_pictures_name_is_garbage(tmp_path: Path, content: bytes, what: str) -> None:
    assert seen(tmp_path / "out.JPG", content) == (Kind.GARBAGE, what)


def test_a_file_without_a_name_for_it_is_garbage_when_it_holds_an_error_page(tmp_path: Path) -> None:
    assert seen(tmp_path / "download", S3)[0] is Kind.GARBAGE
    assert seen(tmp_path / "download", b"notes")[0] is Kind.OTHER
    assert seen(tmp_path / "answer.xml", S3)[0] is Kind.OTHER


def test_a_file_that_was_a_picture_in_the_clean_run_has_to_be_one(tmp_path: Path) -> None:
    assert seen(tmp_path / "cover.cache", S3, was=Kind.RECEIPT) == (Kind.GARBAGE, "S3's error text")


def test_new_and_changed_files_are_found_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("kept", "changed", "deep/kept"):
        (tmp_path / name).write_text("before")
    before = stamps(tmp_path)
    (tmp_path / "changed").write_text("afterwards")
    (tmp_path / "deep" / "new").write_text("new")

    assert set(written(tmp_path, before)) == {"changed", "deep/new"}


def test_a_copy_has_everything_but_caches_and_what_is_large_is_linked(tmp_path: Path) -> None:
    source, base = tmp_path / "source", tmp_path / "base"
    for name in ("src", ".git", "node_modules", "novita-mock-sweep", "__pycache__"):
        (source / name).mkdir(parents=True)
        (source / name / "file").write_text(name)
    (source / "main.py").write_text("main")
    base.mkdir()
    with workplace(Place.COPY, source, base, source / "novita-mock-sweep") as where:
        assert {path.name for path in where.folder.iterdir()} == {"src", "node_modules", "main.py"}
        assert (where.folder / "node_modules").is_symlink()
        (where.folder / "src" / "new").write_text("new")
        (where.temporary / "left").write_text("left")
        assert set(where.new_files()) == {"src/new", "TMPDIR/left"}

    assert not (source / "src" / "new").exists()
    assert list(base.iterdir()) == []


def test_in_the_current_folder_what_the_sweep_itself_writes_is_passed_over(tmp_path: Path) -> None:
    source, base = tmp_path / "source", tmp_path / "base"
    (source / "out").mkdir(parents=True)
    base.mkdir()
    with workplace(Place.HERE, source, base, source / "out") as where:
        (source / "out" / "tape").write_text("ours")
        (source / "picture.png").write_text("theirs")
        assert set(where.new_files()) == {"picture.png"}
    assert (source / "picture.png").exists()


def test_a_folder_too_large_to_be_copied_each_time_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockserver.sweep.workplace.MAX_FILES", 2)
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    check_size(tmp_path, tmp_path / "out")
    (tmp_path / "three").write_text("three")
    with pytest.raises(TooMuch, match="--workdir empty"):
        check_size(tmp_path, tmp_path / "out")
