"""The fenced blocks of the documentation, and which pages promise that theirs can be used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
NAMED = re.compile(r"(?:#|//) (\S+\.(?:py|toml|mjs))\n")
README = "../README.md"
"""The first page of the repository, which the navigation does not have."""
USED = ("Home", "Tutorial", "How-to guides")
"""Parts of the navigation that people follow with their hands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block.

    Attributes:
        page: the page's path below docs/.
        language: the word behind the fence.
        text: what stands between the fences.
        number: its place among the blocks of the page, from 1.
    """

    page: str
    language: str
    text: str
    number: int

    @property
    def first(self) -> str:
        """Its first line, by which tables name it."""
        return self.text.partition("\n")[0]

    @property
    def file_name(self) -> str | None:
        """The file that its first line names, if there is one."""
        named = NAMED.match(self.text)
        return named[1] if named else None


def blocks(page: str, *languages: str) -> list[Block]:
    """The blocks of a page, of these languages or of all."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = [
        Block(page=page, language=one["language"], text=one["text"], number=number)
        for number, one in enumerate(FENCE.finditer(text), 1)
    ]
    return [block for block in found if not languages or block.language in languages]


def navigation() -> list[Any]:
    """The navigation of the site, as mkdocs.yml has it."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    navigation: list[Any] = yaml.safe_load("nav:" + text.partition("\nnav:")[2])["nav"]
    return navigation


def used_pages() -> list[str]:
    """The first pages, and those of the tutorial and of the guides that are files below docs/."""
    found = [page for part in navigation() for title in USED if title in part for page in _pages(part[title])]
    return [README, *(page for page in found if (DOCS / page).is_file())]


def _pages(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for inside in entry.values() if isinstance(entry, dict) else entry:
            yield from _pages(inside)
