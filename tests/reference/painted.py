"""The reference server with a Pillow painter for its engine: a second correct server for the kill matrix.

`python -m tests.reference.painted [FLAGS OF SERVE]`. Everything but the drawing is the real thing; tasks and pictures
lie in a folder that goes with the process.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from reference_impl.cli import main
from tests.reference.fakes import make_shelf

KEYS = ("sk-reference-one", "sk-reference-two")
"""Its two accounts."""


def serve(flags: list[str]) -> None:
    """Runs until it is stopped."""
    with TemporaryDirectory(prefix="novita-reference-") as name:
        folder = Path(name)
        shelf = make_shelf(folder / "models")
        keys = [word for key in KEYS for word in ("--api-key", key)]
        own = ["--port", "0", "--models", str(shelf.folder), "--data", str(folder / "data"), "--test-clock"]
        engine = ["--engine", "tests.reference.fakes:painter", "--allow-private-webhooks"]
        main(["serve", *own, *engine, *keys, *flags])


if __name__ == "__main__":
    serve(sys.argv[1:])
