"""What a prompt says beside its words: LoRA tags, and the embeddings that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable

_TAG = re.compile(r"<lora:([^:<>]+)(?::([^:<>]*))?>")


def without_tags(prompt: str) -> tuple[str, list[tuple[str, float]]]:
    """The prompt without its `<lora:name:weight>` tags, and names and weights in their order.

    The weight is 1 where none is given; one that is no number leaves the tag what it is, a part of the text.
    """
    found: list[tuple[str, float]] = []

    def take(tag: re.Match[str]) -> str:
        try:
            weight = float(tag[2]) if tag[2] else 1.0
        except ValueError:
            return tag[0]
        found.append((tag[1].strip(), weight))
        return ""

    words = _TAG.sub(take, prompt)
    return (words.rstrip(" \t\r\n,") if found else prompt), found


def named(names: Iterable[str], *texts: str) -> list[str]:
    """Those of the names that stand in one of the texts as a word of their own, whatever the case."""
    return [name for name in names if any(_is_in(name, text) for text in texts)]


def _is_in(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE) is not None
