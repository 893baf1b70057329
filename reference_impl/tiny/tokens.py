"""A byte-pair tokenizer of our own words in CLIP's file layout: vocab.json, merges.txt, tokenizer_config.json.

Any text can be encoded, for every byte is a token; the words of the tiny world are one token each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

START: Final = "<|startoftext|>"
END: Final = "<|endoftext|>"
LENGTH: Final = 77
WORD_END: Final = "</w>"


def byte_letters() -> list[str]:
    """The printable letter that stands for each byte in CLIP's files, printable bytes first."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + at) for at in range(len(rest))]


def merges_of(words: Sequence[str]) -> list[tuple[str, str]]:
    """Byte-pair merges until every word is one token: the most frequent pair first, ties by the alphabet."""
    parts = {word: (*word[:-1], word[-1] + WORD_END) for word in words}
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter(pair for split in parts.values() for pair in pairwise(split))
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        parts = {word: _merged(split, best) for word, split in parts.items()}


def _merged(split: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    at = 0
    while at < len(split):
        step = 2 if split[at : at + 2] == pair else 1
        out.append("".join(split[at : at + step]))
        at += step
    return tuple(out)


def vocabulary(words: Sequence[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Token numbers and merges; the last two numbers are the start and the end of a text."""
    letters = byte_letters()
    merges = merges_of(words)
    tokens = [*letters, *(letter + WORD_END for letter in letters), *(a + b for a, b in merges), START, END]
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}, merges


def write(folder: Path, words: Sequence[str]) -> int:
    """Write a tokenizer folder that `CLIPTokenizer.from_pretrained` reads; gives the number of tokens."""
    count = write_words(folder, words)
    facts = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": LENGTH,
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return count


def write_words(folder: Path, words: Sequence[str]) -> int:
    """Write vocab.json and merges.txt alone; gives the number of tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers, merges = vocabulary(words)
    (folder / "vocab.json").write_text(json.dumps(numbers, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(numbers)
