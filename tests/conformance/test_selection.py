from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from conformance import selection
from conformance.capabilities import CapabilitiesError, read_claims
from conformance.expected import ExpectedError, read_expected
from conformance.selection import (
    FOLDER,
    OPT_IN,
    Revision,
    SelectionError,
    freeze,
    load_revision,
    main,
    revisions,
    select,
)
from openapi.requirements import Profile, load_requirements

ROWS = load_requirements()
NEWEST = load_revision()

FROZEN = {"2026-11": "f0fc88a6e0f2db3a"}
"""Revisions and the digests of their files. A line is added with a new revision, and none is ever changed."""


def ids(*, profiles: tuple[str, ...] = (), only: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> list[str]:
    """Ids of what is chosen."""
    return [row.id for row in select(ROWS, NEWEST, profiles=profiles, only=only, exclude=exclude).chosen]


# Frozen profiles


def test_a_revision_never_changes() -> None:
    found = {path.stem: sha256(path.read_bytes()).hexdigest()[:16] for path in FOLDER.glob("*.yaml")}
    assert found == FROZEN


@pytest.mark.parametrize("name", revisions())
def test_every_id_of_a_revision_exists_or_is_retired_and_stands_once(name: str) -> None:
    revision = load_revision(name)
    listed = [one for members in revision.profiles.values() for one in members]
    assert len(listed) == len(set(listed))
    assert revision.ids <= {row.id for row in ROWS} | ROWS.retired.keys()
    assert set(revision.profiles) <= set(Profile)


def test_rows_newer_than_the_revision_are_run_but_not_scored() -> None:
    older = Revision(name="2020-01", contract="1", profiles={Profile.V3_CORE: ("V3-AUTH-001",)})
    found = select(ROWS, older, profiles=["v3-core"], only=["V3-AUTH"])
    assert len(found.chosen) == 8
    assert "V3-AUTH-001" not in found.not_scored
    assert "V3-AUTH-002" in found.not_scored


def test_freezing_writes_all_rows_once_and_never_over_a_revision(tmp_path: Path) -> None:
    path = freeze("2099-01", tmp_path)
    assert path.read_text(encoding="utf-8").count("    - ") == len(ROWS)
    with pytest.raises(SelectionError, match="is frozen"):
        freeze("2099-01", tmp_path)
    with pytest.raises(SelectionError, match="expected year and month"):
        freeze("newest", tmp_path)


def test_the_command_that_freezes_refuses_a_revision_that_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--freeze", revisions()[0]]) == 2
    assert "is frozen" in capsys.readouterr().err
    assert main([]) == 2


def test_an_unknown_revision_names_those_that_exist() -> None:
    with pytest.raises(SelectionError, match="2026-11"):
        load_revision("1999-01")


# Choosing


def test_by_default_all_profiles_but_those_that_must_be_asked_for() -> None:
    found = select(ROWS, NEWEST)
    assert {row.profile for row in found.chosen} == set(Profile) - set(OPT_IN)
    assert set(found.other_profiles) == set(OPT_IN)
    assert len(found.chosen) + len(found.left_out) == len(ROWS)
    assert len(ids(profiles=("all",))) == len(ROWS)


@pytest.mark.parametrize(
    ("only", "first", "number"),
    [
        (("V3-TXT2IMG-013",), "V3-TXT2IMG-013", 1),
        (("v3-link",), "V3-LINK-001", 6),
        (("V3-LINK-001", "WEBHOOK-"), "V3-LINK-001", 21),
        (("V3-STORAGE",), "V3-STORAGE-001", 8),
    ],
)
def test_only_names_ids_or_their_beginnings_of_any_profile(only: tuple[str, ...], first: str, number: int) -> None:
    found = ids(only=only)
    assert (found[0], len(found)) == (first, number)


def test_only_within_profiles_takes_what_both_name() -> None:
    assert ids(profiles=("v2-core",), only=("V3-LINK", "V2-CODE-001")) == ["V2-CODE-001"]


def test_exclude_wins() -> None:
    found = select(ROWS, NEWEST, only=["V3-LINK"], exclude=["V3-LINK-001"])
    assert len(found.chosen) == 5
    assert found.left_out["V3-LINK-001"] == "--exclude"


@pytest.mark.parametrize("word", ["V3-LIN", "V9", "V3-LINK-999", "foo"])
def test_a_word_that_fits_nothing_is_an_error(word: str) -> None:
    with pytest.raises(SelectionError, match="no requirement is, or begins with"):
        ids(only=(word,))
    with pytest.raises(SelectionError, match="no requirement is, or begins with"):
        ids(exclude=(word,))


def test_an_unknown_profile_is_an_error() -> None:
    with pytest.raises(SelectionError, match="known: all, v3-core"):
        ids(profiles=("v4-core",))


def test_the_folder_of_revisions_ships_beside_the_module() -> None:
    assert Path(selection.__file__).parent / "profiles" == FOLDER


# Files that a user writes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("V3-AUTH-999: why", "there is no requirement"),
        ("V3-AUTH-001:", "has no reason"),
        ("- V3-AUTH-001", "expected 'ID: reason'"),
        ("a: [", "is not YAML"),
    ],
)
def test_expected_failures_are_read_strictly(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "known.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ExpectedError, match=said):
        read_expected(path, ROWS)


def test_expected_failures_are_read(tmp_path: Path) -> None:
    path = tmp_path / "known.yaml"
    path.write_text("V3-AUTH-001: soon\n", encoding="utf-8")
    assert read_expected(path, ROWS) == {"V3-AUTH-001": "soon"}
    path.write_text("# nothing left\n", encoding="utf-8")
    assert read_expected(path, ROWS) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("operations: {makeCoffee: true}", "operations.makeCoffee: no such name; known are one"),
        ("operations: {one: 1}", "expected true or false"),
        ("operation: {one: true}", "'operation' is not known"),
        ("operations: [one]", "expected a mapping of names"),
        ("[]", "expected a mapping of format 1"),
        ("format: 2", "expected a mapping of format 1"),
    ],
)
def test_capabilities_are_read_strictly(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "capabilities.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CapabilitiesError, match=said):
        read_claims(path, ["one"])


def test_capabilities_become_claims(tmp_path: Path) -> None:
    path = tmp_path / "capabilities.yaml"
    path.write_text("operations: {one: false}\nprofiles: {v3-webhooks: true}\n", encoding="utf-8")
    assert read_claims(path, ["one"]) == {"one": False, "v3-webhooks": True}
