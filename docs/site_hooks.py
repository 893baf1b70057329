"""What mkdocs.yml needs besides Material: pages from outside docs/, folders in the navigation, links of the repository.

The pages are written for people who read them in the repository, with links such as `../README.md` or
`../examples/compose.yaml`. Here links to what is a page of the site lead to that page, and links to other files of the
repository become their names. A link to what is neither stays as it is, and the strict build stops at it.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))  # hooks are files, not modules of a package

from state_diagram import draw  # noqa: E402  # after the path

ELSEWHERE = MappingProxyType(
    {
        "architecture.md": "ARCHITECTURE.md",
        "changelog.md": "CHANGELOG.md",
        "contributing.md": "CONTRIBUTING.md",
        "security.md": "SECURITY.md",
        "example-app.md": "examples/client_app/README.md",
    }
)
"""Pages of the site by name, and the file of the repository that each is made from."""

SAME = MappingProxyType({"README.md": "index.md", **{path: page for page, path in ELSEWHERE.items()}})
"""Files outside docs/ by path, and the page of the site that says the same."""

FENCED = re.compile(r"(^ *```.*?^ *```[^\n]*$)", re.M | re.S)
LINK = re.compile(r"(?<![!`])\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
CODE_SPAN = re.compile(r"`[^`\n]+`")
OUTSIDE = re.compile(r"[a-z]+:|#|/")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts the pages of a folder where the navigation names the folder."""
    nav = config.nav or []
    config.nav = _expanded(nav, frozenset(_named(nav)))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are made from files outside docs/."""
    for page, path in ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page as this site needs it; what stands in fenced blocks stays as it is."""
    del config
    parts = FENCED.split(markdown)
    return "".join(
        _block(part) if place % 2 else _prose(part, page.file.src_uri, files) for place, part in enumerate(parts)
    )


def _block(text: str) -> str:
    """A fenced block; a diagram as the picture that it means."""
    return f'<div class="diagram">{draw(text)}</div>' if text.startswith("```mermaid") else text


def _prose(text: str, page: str, files: Files) -> str:
    source = ELSEWHERE.get(page, f"docs/{page}")

    def led(found: re.Match[str]) -> str:
        return _link(found["text"], found["target"], source, page, files)

    lines = [_row(line) if line.startswith("|") else line for line in LINK.sub(led, text).split("\n")]
    return "\n".join(lines)


def _row(line: str) -> str:
    """A row of a table: in code spans GitHub wants pipes behind backslashes, Python-Markdown shows these."""
    return CODE_SPAN.sub(lambda span: span[0].replace("\\|", "|"), line)


def _link(text: str, target: str, source: str, page: str, files: Files) -> str:
    """A link of the repository as one of the site, or the name of the file that it leads to."""
    if OUTSIDE.match(target):
        return f"[{text}]({target})"
    path, hash_mark, anchor = target.partition("#")
    place = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    wanted = _page_of(place, files)
    if wanted is not None:
        return f"[{text}]({posixpath.relpath(wanted, posixpath.dirname(page) or '.')}{hash_mark}{anchor})"
    if (ROOT / place).exists():
        return text if place in text else f"{text} (`{place}`)"
    return f"[{text}]({target})"


def _page_of(place: str, files: Files) -> str | None:
    """The page or picture of the site that a path of the repository is, if there is one."""
    candidates = [SAME.get(place), place.removeprefix("docs/") if place.startswith("docs/") else None]
    if (ROOT / place).is_dir():
        candidates += [f"{place.removeprefix('docs/')}/README.md"] if place != "docs" else ["index.md"]
    return next((one for one in candidates if one and files.get_file_from_path(one)), None)


def _named(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for inside in entry.values() if isinstance(entry, dict) else entry:
            yield from _named(inside)


def _expanded(entries: list[Any], named: frozenset[str]) -> list[Any]:
    found: list[Any] = []
    for entry in entries:
        if isinstance(entry, str):
            found += _pages_in(entry.removesuffix("*"), named) if entry.endswith("/*") else [entry]
            continue
        [(title, inside)] = entry.items()
        if isinstance(inside, list):
            inside = _expanded(inside, named)
        elif inside.endswith("/"):
            inside = [f"{inside}README.md", *_pages_in(inside, named)]
        found.append({title: inside})
    return found


def _pages_in(folder: str, named: frozenset[str]) -> list[Any]:
    """The pages of a folder that the navigation names nowhere, by name, with the beginning of their headings."""
    others = sorted(path for path in (ROOT / "docs" / folder).glob("*.md") if path.name != "README.md")
    return [{_title(path): f"{folder}{path.name}"} for path in others if f"{folder}{path.name}" not in named]


def _title(path: Path) -> str:
    heading = re.search(r"^# (.+)$", path.read_text(encoding="utf-8"), re.M)
    assert heading, f"{path} has no heading"
    return heading[1] if heading[1][0].isdigit() else heading[1].partition(":")[0]
