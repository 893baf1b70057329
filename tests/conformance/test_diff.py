"""Two servers side by side: two equal ones do not differ, a strict one refuses more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import cli
from conformance.difference import Kind, canonical, differences
from conformance.wire import MISSING
from tests.processes import mock_process


def diff(left: str, right: str, *flags: str) -> tuple[int, str]:
    told = CliRunner().invoke(cli, ["diff", left, right, "--api-key", "sk-mock-diff", *flags])
    return told.exit_code, told.output


def test_a_lenient_and_a_strict_server_differ_where_leniency_is(tmp_path: Path) -> None:
    """Two equal ones differ nowhere; drawn ids, links and moments do not count."""
    file = tmp_path / "diff.json"
    with mock_process("--clock", "manual") as one, mock_process("--clock", "manual") as other:
        code, said = diff(one, other)
        assert code == 0, said
    with mock_process("--clock", "manual") as lenient, mock_process("--clock", "manual", "--strict") as strict:
        code, said = diff(lenient, strict, "--json", str(file))
        assert code == 1, said
    found = {one["name"] for one in json.loads(file.read_text()) if "status" in {d["kind"] for d in one["differences"]}}
    assert found == {
        "an empty negative prompt",
        "null for the seed",
        "clip_skip of 0",
        "a field that nobody knows",
    }


@pytest.mark.parametrize(
    ("left", "right", "kind", "place"),
    [
        ({"a": 1}, {"a": 2}, Kind.VALUE, "a"),
        ({"a": 1}, {"a": "1"}, Kind.STRUCTURE, "a"),
        ({"a": 1}, {}, Kind.STRUCTURE, "a"),
        ({"a": [1]}, {"a": [1, 2]}, Kind.STRUCTURE, "a"),
        ({"a": None}, {"a": {}}, Kind.STRUCTURE, "a"),
        ({"message": "x"}, {"message": "y"}, Kind.WORDS, "message"),
        (MISSING, {}, Kind.STRUCTURE, ""),
    ],
)
def test_each_kind_of_difference(left: object, right: object, kind: Kind, place: str) -> None:
    [found] = differences(left, right, words=frozenset({"message"}))
    assert (found.kind, found.place) == (kind, place)


def test_what_two_right_servers_draw_is_no_difference() -> None:
    one = {
        "task_id": "3dacb600-50ac-4b81-920c-36ea8137c1a1",
        "images": [{"image_url": "http://one.test/a.png?sig=1"}],
        "eta": 3,
        "submit_time_ms": "1795270177746",
        "submit_time": "2026-11-21 10:00:00",
    }
    other = {
        "task_id": "4dacb600-50ac-4b81-920c-36ea8137c1a2",
        "images": [{"image_url": "http://two.test/b.png?sig=2"}],
        "eta": 0.5,
        "submit_time_ms": "1795270177999",
        "submit_time": "2026-11-22 11:30:00",
    }
    assert list(differences(canonical(one), canonical(other))) == []
