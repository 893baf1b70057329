"""What the app remembers: the tasks it has paid for, and their pictures. Both survive a restart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_OPEN = ".open"


class Store:
    """A folder of pictures, `<task>-<index>.png`, and of marks for tasks that have not been collected.

    Args:
        folder: made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def remember(self, task_id: str) -> None:
        """A task was ordered; it is open until its pictures are kept."""
        (self._folder / f"{task_id}{_OPEN}").touch()

    def is_open(self, task_id: str) -> bool:
        """Whether a task is ours, and has not been collected. A name that is none of ours is no path either."""
        return task_id in self.open_tasks()

    def open_tasks(self) -> list[str]:
        """Tasks that were ordered and not collected, for a program that starts again."""
        return sorted(path.stem for path in self._folder.glob(f"*{_OPEN}"))

    def keep(self, task_id: str, pictures: Sequence[bytes]) -> list[Path]:
        """Keeps the pictures of a task and closes it. Doing so twice changes nothing."""
        paths = [self._folder / f"{task_id}-{index}.png" for index in range(len(pictures))]
        for path, data in zip(paths, pictures, strict=True):
            half = path.with_suffix(".part")
            half.write_bytes(data)
            os.replace(half, path)  # nobody ever sees half a picture
        self.close(task_id)
        return paths

    def close(self, task_id: str) -> None:
        """A task needs no more work."""
        (self._folder / f"{task_id}{_OPEN}").unlink(missing_ok=True)

    def pictures(self, task_id: str) -> list[Path]:
        """The kept pictures of a task."""
        return sorted(self._folder.glob(f"{task_id}-*.png"))
