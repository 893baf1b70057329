"""Where a run works: a copy of the current folder, an empty one, or the current folder itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mockserver.sweep.files import Stamp, stamps, written
from mockserver.sweep.place import Place

MAX_FILES = 5_000
MAX_BYTES = 128 * 1024 * 1024
LINKED = frozenset({".venv", "venv", "node_modules", "vendor", "target"})
"""What a program needs and does not write into: a link in the copy."""
LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox", ".idea"}
)


class TooMuch(Exception):
    """The current folder is too large to be copied for each run; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """A run's folders.

    Attributes:
        folder: where it works.
        temporary: its TMPDIR.
        before: the files that were in `folder` when it began.
        own: what the sweep itself writes there begins so; empty: nothing.
    """

    folder: Path
    temporary: Path
    before: dict[str, Stamp]
    own: str = ""

    def new_files(self) -> dict[str, Path]:
        """What was written, by its path below the working folder, or `TMPDIR/...`."""
        found = written(self.folder, self.before)
        if self.own:
            found = {name: path for name, path in found.items() if not name.startswith(self.own)}
        return {**found, **{f"TMPDIR/{name}": path for name, path in written(self.temporary, {}).items()}}


def check_size(source: Path, without: Path) -> None:
    """Passes a folder that may be copied for each run.

    Raises:
        TooMuch: it is too large.
    """
    files = size = 0
    for path in _to_copy(source, without):
        files, size = files + 1, size + path.stat().st_size
        if files > MAX_FILES or size > MAX_BYTES:
            raise TooMuch(
                f"{source} is too large to be copied for each run (more than {MAX_FILES} files or "
                f"{MAX_BYTES // 1024 // 1024} MiB): sweep from a smaller folder, or choose --workdir empty, or "
                "--workdir here"
            )


@contextmanager
def workplace(place: Place, source: Path, base: Path, without: Path) -> Iterator[Workplace]:
    """A workplace for one run, made in `base`; gone afterwards, unless it is the current folder itself.

    Args:
        place: which kind.
        source: the current folder.
        base: an existing folder for this run.
        without: a folder that no run is to see, since the sweep writes there.
    """
    temporary = base / "tmp"
    temporary.mkdir()
    folder = source if place is Place.HERE else base / "work"
    if place is Place.COPY:
        _copy(source, folder, without)
    elif place is Place.EMPTY:
        folder.mkdir()
    inside = place is Place.HERE and without.is_relative_to(source)
    own = f"{without.relative_to(source).as_posix()}/" if inside else ""
    try:
        yield Workplace(folder=folder, temporary=temporary, before=stamps(folder), own=own)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if place is not Place.HERE:
            shutil.rmtree(folder, ignore_errors=True)


def _copy(source: Path, target: Path, without: Path) -> None:
    target.mkdir()
    for entry in source.iterdir():
        if entry.name in LEFT_OUT or entry == without:
            continue
        there = target / entry.name
        if entry.is_dir() and (entry.name in LINKED or entry.is_symlink()):
            there.symlink_to(entry.resolve(), target_is_directory=True)
        elif entry.is_dir():
            _copy(entry, there, without)
        elif entry.is_file():
            shutil.copy2(entry, there)


def _to_copy(source: Path, without: Path) -> Iterator[Path]:
    for entry in source.iterdir():
        if entry.name in LEFT_OUT or entry.name in LINKED or entry == without or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _to_copy(entry, without)
        elif entry.is_file():
            yield entry
