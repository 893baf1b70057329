"""What every Python driver shares: where the server is, where pictures go, and the one JSON line at the end.

A driver runs inside a client's own environment, with NOVITA_API_URI and NOVITA_API_KEY set:
`python -m tests.clients.drivers.python_v3 SCENARIO FOLDER`. It writes the pictures that the client downloaded into
FOLDER and prints what the client saw.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Report = dict[str, Any]
"""What a scenario saw, as JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where a scenario works.

    Attributes:
        uri: of the server, without a slash at the end.
        key: for the server.
        folder: takes the downloaded pictures and holds the input pictures `source.png` and `mask.png`.
    """

    uri: str
    key: str
    folder: Path

    @property
    def source(self) -> str:
        """Path of the picture to start from."""
        return str(self.folder / "source.png")

    @property
    def mask(self) -> str:
        """Path of the mask."""
        return str(self.folder / "mask.png")

    def save(self, pictures: Sequence[bytes]) -> list[str]:
        """Writes what was downloaded, whatever it is, and gives the file names."""
        names = [f"picture-{index}.bin" for index in range(len(pictures))]
        for name, content in zip(names, pictures, strict=True):
            (self.folder / name).write_bytes(content)
        return names

    def pause(self, report: Report) -> None:
        """Prints an interim report and waits until the test has written a line: it moves the clock meanwhile."""
        _say(report)
        sys.stdin.readline()


Scenario = Callable[[Bench], Report]


def run(scenarios: Mapping[str, Scenario]) -> None:
    """Runs the scenario that the command line names and prints its report."""
    name, folder = sys.argv[1:]
    environment = os.environ  # noqa: TID251 - a program of its own, in an environment of its own
    bench = Bench(uri=environment["NOVITA_API_URI"], key=environment["NOVITA_API_KEY"], folder=Path(folder))
    _say(scenarios[name](bench))


def failure(error: Exception) -> Report:
    """An exception of the client as a report: its type and text are all that a caller gets."""
    return {"error": type(error).__name__, "text": str(error)}


def _say(report: Report) -> None:
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()
