from __future__ import annotations

import pytest

from reference_impl.submissions.prompts import named, without_tags


@pytest.mark.parametrize(
    ("prompt", "words", "tags"),
    [
        ("a cat", "a cat", []),
        ("a cat, <lora:pastel:0.7>", "a cat", [("pastel", 0.7)]),
        ("<lora:pastel> a cat", " a cat", [("pastel", 1.0)]),
        ("<lora:a:1>a <lora: b :-.5>cat", "a cat", [("a", 1.0), ("b", -0.5)]),
        ("a <lora:pastel:strong> cat", "a <lora:pastel:strong> cat", []),
        ("a < b, <lora>, <lora::1>", "a < b, <lora>, <lora::1>", []),
        ("", "", []),
    ],
)
def test_tags_are_taken_out_of_the_prompt(prompt: str, words: str, tags: list[tuple[str, float]]) -> None:
    assert without_tags(prompt) == (words, tags)


def test_a_prompt_of_many_open_tags_is_read_at_once() -> None:
    assert without_tags("<lora:" * 20_000)[1] == []
    assert without_tags(", " * 20_000 + "x <lora:a:1>")[1] == [("a", 1.0)]


def test_an_embedding_is_named_by_a_word_of_its_own() -> None:
    texts = ("a cat, Tidy:1.2)", "easy-negative")
    assert named(["tidy", "cat", "negative", "dog", "easy-negative"], *texts) == ["tidy", "cat", "easy-negative"]
    assert named(["tidy"], "untidy tidy-up") == []
