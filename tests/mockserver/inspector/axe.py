"""axe-core, the accessibility checker that the tests load into the page: fetched once from the committed lock.

`python -m tests.mockserver.inspector.axe` fetches it (npm and network needed, a second or two).
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOCKS = Path(__file__).resolve().parent / "locks"
FOLDER = ROOT / ".clients" / "axe-core"
SET_UP = "python -m tests.mockserver.inspector.axe"


class MissingChecker(RuntimeError):
    """It is not there, or was fetched from an older lock than the committed one."""


def script() -> str:
    """The checker as a script.

    Raises:
        MissingChecker: it was not fetched; the message names the command that does.
    """
    if not _is_there():
        raise MissingChecker(f"axe-core is missing or out of date: run `{SET_UP}`")
    return (FOLDER / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def fetch() -> None:
    """Fetches it unless it is there; the mark comes last, so half an installation is not taken for one.

    Raises:
        subprocess.CalledProcessError: npm failed; it has said why.
    """
    if _is_there():
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for lock in ("package.json", "package-lock.json"):
        shutil.copy(LOCKS / lock, FOLDER)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER, check=True)
    (FOLDER / ".made-from").write_text(_fingerprint())


def _is_there() -> bool:
    mark = FOLDER / ".made-from"
    return mark.is_file() and mark.read_text() == _fingerprint()


def _fingerprint() -> str:
    return hashlib.sha256((LOCKS / "package-lock.json").read_bytes()).hexdigest()


if __name__ == "__main__":
    fetch()
    sys.stdout.write("axe-core         ready\n")
