"""How a page is followed: its files are written, then its commands typed in order, as the tables of uses.py allow."""

from __future__ import annotations

from collections.abc import Iterator

from tests.docs.blocks import ROOT, Block, blocks
from tests.docs.shell import Reader, Step, steps
from tests.docs.uses import LINES, NOT_RUN, NOT_TYPED, SHORT

DRAWING = ROOT / "tests" / "mockserver" / "programs" / "drawing.py"
"""An app in a file, as the pages have one: `python draw.py out.png`."""
KEY = "sk-mock-docs"


def app() -> str:
    """The app's text; it says nothing when all goes well."""
    return DRAWING.read_text(encoding="utf-8").replace('    sys.stdout.write("drawn\\n")\n', "")


def typed(block: Block) -> Iterator[Step]:
    """The commands of a block, without those that are left out, and with the flags that make some short."""
    for step in steps(block.text):
        if any(block.page == page and step.command.startswith(start) for page, start in NOT_TYPED):
            continue
        flags = [f for (page, start), (f, _) in SHORT.items() if block.page == page and step.command.startswith(start)]
        yield Step(" ".join([step.command, *flags]), step.output)


def session(page: str) -> Iterator[Step]:
    """All commands of a page that are typed, in order."""
    for block in blocks(page, *("console", "sh") if page in LINES else ("console",)):
        if (page, block.first) not in NOT_RUN:
            yield from typed(block)


def follow(reader: Reader, page: str) -> None:
    """Writes the files that a page shows, and types its console blocks."""
    for block in blocks(page, "python", "js"):
        if block.file_name and (page, block.first) not in NOT_RUN:
            (reader.folder / block.file_name).write_text(block.text, encoding="utf-8")
    for step in session(page):
        reader.type(step)
