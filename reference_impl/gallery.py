"""Files of finished pictures: a folder per task, there in full or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from reference_impl.jobs import FileFormat

TASK = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAME = re.compile(rf"[0-9a-f]{{32}}\.({'|'.join(FileFormat)})")
UNFINISHED = ".unfinished"


def name_of(task_id: str, index: int, file_format: FileFormat) -> str:
    """The name of a task's picture; the same whenever it is drawn."""
    return f"{hashlib.sha256(f'{task_id}/{index}'.encode()).hexdigest()[:32]}.{file_format}"


class Gallery:
    """The folder that holds them all. Its methods touch the disk: call them beside the event loop.

    Args:
        folder: made when it is not there.
        writer: who writes here, where several servers share the folder: in lower-case letters and digits. None: nobody
            else does.
    """

    def __init__(self, folder: Path, writer: str | None = None) -> None:
        self._folder = folder
        self._writer = writer

    def keep(self, task_id: str, files: Sequence[tuple[str, bytes]]) -> None:
        """Put all files of a task there, in place of what a lost attempt may have left.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        unfinished = self._folder / f"{task_id}{f'.{self._writer}' if self._writer else ''}{UNFINISHED}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for name, content in files:
            with (unfinished / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _sync(unfinished)
        final = self._folder / task_id
        if self._writer is None:
            shutil.rmtree(final, ignore_errors=True)
        try:
            unfinished.rename(final)
        except OSError:
            if self._writer is None or not final.is_dir():
                raise
            # Another server drew it too, after a lease had been lost: those are the same pictures, and stay.
            shutil.rmtree(unfinished, ignore_errors=True)
        _sync(self._folder)

    def find(self, task_id: str, name: str) -> Path | None:
        """The file of a picture; None when there is none of this name, or it is no name of ours at all."""
        if not TASK.fullmatch(task_id) or not NAME.fullmatch(name):
            return None
        file = self._folder / task_id / name
        return file if file.is_file() else None

    def remove(self, task_id: str) -> None:
        """Forget a task's pictures; nothing happens when there are none."""
        shutil.rmtree(self._folder / task_id, ignore_errors=True)
        if self._writer is not None and TASK.fullmatch(task_id):
            for unfinished in self._folder.glob(f"{task_id}.*{UNFINISHED}"):
                shutil.rmtree(unfinished, ignore_errors=True)

    def tasks(self) -> Iterator[str]:
        """The ids of tasks that have a folder; what a crash left half written is removed on the way.

        In a shared folder another server may be writing it at this moment: there it goes with its task.
        """
        if not self._folder.is_dir():
            return
        for entry in self._folder.iterdir():
            if not entry.is_dir():
                continue
            if entry.name.endswith(UNFINISHED) and self._writer is not None:
                yield entry.name.partition(".")[0]
            elif entry.name.endswith(UNFINISHED):
                shutil.rmtree(entry, ignore_errors=True)
            else:
                yield entry.name


def _sync(folder: Path) -> None:
    """Make the names in a folder outlive a loss of power, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
