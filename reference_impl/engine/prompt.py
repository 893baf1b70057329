"""The language of prompts that A1111 made common: emphasis, BREAK, LoRA tags. Text in, weighted text out; no tokens.

`(word)` counts 1.1 times, `[word]` 1/1.1 times, `(word:1.3)` 1.3 times; they nest; a backslash takes the meaning from a
bracket. `BREAK` begins a new chunk. `<lora:name:weight>` is the submission's business; what is left of it is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MORE = 1.1
LESS = 1 / 1.1

_TAG = re.compile(r"<(?:lora|lyco|hypernet):[^>]*>")
_PIECE = re.compile(
    r"""
      \\(?P<literal>[\\()\[\]])             # a bracket that means itself
    | :\s*(?P<weight>[+-]?\d*\.?\d+)\s*\)   # the end of a weighted bracket
    | (?P<mark>[()\[\]])
    | (?P<text>[^\\()\[\]:]+|[:\\])
    """,
    re.VERBOSE,
)
_BREAK = re.compile(r"\s*\bBREAK\b\s*")


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of one weight; None stands for BREAK."""

    text: str | None
    weight: float = 1.0


def parse(prompt: str) -> list[Piece]:
    """The pieces of a prompt, in order; brackets that are never closed count as if they were closed at the end."""
    texts: list[str | None] = []
    weights: list[float] = []
    round_open: list[int] = []
    square_open: list[int] = []

    def scale(start: int, factor: float) -> None:
        for i in range(start, len(weights)):
            weights[i] *= factor

    def add(text: str) -> None:
        for part in _parts(text):
            texts.append(part)
            weights.append(1.0)

    for match in _PIECE.finditer(_TAG.sub("", prompt)):
        mark, weight = match["mark"], match["weight"]
        if mark == "(":
            round_open.append(len(texts))
        elif mark == "[":
            square_open.append(len(texts))
        elif weight is not None and round_open:
            scale(round_open.pop(), float(weight))
        elif mark == ")" and round_open:
            scale(round_open.pop(), MORE)
        elif mark == "]" and square_open:
            scale(square_open.pop(), LESS)
        elif match["literal"]:
            texts.append(match["literal"])
            weights.append(1.0)
        else:
            add(match[0])
    for start in round_open:
        scale(start, MORE)
    for start in square_open:
        scale(start, LESS)
    return list(_joined(texts, weights))


def _parts(text: str) -> Iterator[str | None]:
    for i, part in enumerate(_BREAK.split(text)):
        if i:
            yield None
        if part:
            yield part


def _joined(texts: list[str | None], weights: list[float]) -> Iterator[Piece]:
    """Neighbours of one weight as one piece: a tokenizer joins what stands together."""
    waiting = ""
    for i, (text, weight) in enumerate(zip(texts, weights, strict=True)):
        if text is None:
            yield Piece(None)
            continue
        waiting += text
        if i + 1 == len(texts) or texts[i + 1] is None or weights[i + 1] != weight:
            yield Piece(waiting, weight)
            waiting = ""
