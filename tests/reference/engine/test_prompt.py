"""The language of prompts: what counts how much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.engine.prompt import Piece, parse


def weights(prompt: str) -> dict[str | None, float]:
    return {piece.text and piece.text.strip(): round(piece.weight, 4) for piece in parse(prompt)}


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cat", {"a cat": 1.0}),
        ("a (cat)", {"a": 1.0, "cat": 1.1}),
        ("a ((cat))", {"a": 1.0, "cat": 1.21}),
        ("a [cat]", {"a": 1.0, "cat": 0.9091}),
        ("a (cat:1.5)", {"a": 1.0, "cat": 1.5}),
        ("a (cat:.5)", {"a": 1.0, "cat": 0.5}),
        ("a (cat: -1 )", {"a": 1.0, "cat": -1.0}),
        ("(a (cat:1.5):2)", {"a": 2.0, "cat": 3.0}),
        ("a (cat", {"a": 1.0, "cat": 1.1}),
        ("a cat)", {"a cat)": 1.0}),
        (r"a \(cat\)", {"a (cat)": 1.0}),
        (r"a \[b\] \\", {"a [b] \\": 1.0}),
        ("ratio 16:9", {"ratio 16:9": 1.0}),
        ("[a:b]", {"a:b": 0.9091}),
        ("a <lora:x:0.7> cat", {"a  cat": 1.0}),
        ("", {}),
    ],
)
def test_brackets_weigh_as_in_a1111(prompt: str, expected: dict[str, float]) -> None:
    assert weights(prompt) == expected


def test_break_stands_alone_and_takes_the_blanks_around_it() -> None:
    assert parse("a cat BREAK a dog") == [Piece("a cat"), Piece(None), Piece("a dog")]
    assert parse("BREAKFAST") == [Piece("BREAKFAST")]


@given(st.text(alphabet="ab ():[]\\,.1<>BREAK", max_size=60))
def test_any_text_is_a_prompt(prompt: str) -> None:
    assert all(piece.text is None or piece.text for piece in parse(prompt))
