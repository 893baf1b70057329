"""Writes docs/findings, a page for each code of a finding and an index, from the catalogue of codes.

`python docs/make_findings.py` writes them; with `--check` it exits 1 when one is not what the code says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mockserver.core.codes import Code
from mockserver.watch.pages import index, page

FOLDER = Path(__file__).parent / "findings"
HEAD = "<!-- Written by docs/make_findings.py; do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """Text by file name."""
    return {"README.md": HEAD + index(), **{f"{code.value}.md": HEAD + page(code) for code in Code}}


def main() -> int:
    """Writes or checks all pages; one of a code that is no more is stale too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when a page is stale")
    check = parser.parse_args().check
    wanted = pages()
    FOLDER.mkdir(exist_ok=True)
    stale = [path for path in sorted(FOLDER.glob("*.md")) if path.name not in wanted]
    for name, text in wanted.items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if not check:
                path.write_text(text, encoding="utf-8")
    if not check:
        for path in stale:
            if path.name not in wanted:
                path.unlink()
        return 0
    for path in stale:
        sys.stderr.write(f"{path} is stale; run: python docs/make_findings.py\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
