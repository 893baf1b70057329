"""The reference server with a Pillow painter for its engine: a second correct server for the kill matrix.

`python -m tests.reference.painted [FLAGS OF SERVE]`. Everything but the drawing is the real thing; a step takes long
enough for progress to be seen. Tasks and pictures lie in a folder that goes with the process.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from reference_impl.cli import main
from reference_impl.shelf import Kind
from tests.reference.fakes import make_shelf

KEYS = ("sk-reference-one", "sk-reference-two")
"""Its two accounts."""


def serve(flags: list[str]) -> None:
    """Runs until it is stopped."""
    with TemporaryDirectory(prefix="novita-reference-") as name:
        folder = Path(name)
        shelf = make_shelf(folder / "models")
        _fill(shelf.folder / Kind.CHECKPOINT)
        keys = [word for key in KEYS for word in ("--api-key", key)]
        own = ["--port", "0", "--models", str(shelf.folder), "--data", str(folder / "data"), "--test-clock"]
        engine = ["--engine", "tests.reference.fakes:patient_painter", "--allow-private-webhooks"]
        main(["serve", *own, *engine, *keys, *flags])


def _fill(checkpoints: Path) -> None:
    """Enough models for several pages of the list; one is for inpainting, one has a cover."""
    for name in ("shapes-inpainting", *(f"more-{number}" for number in range(10))):
        (checkpoints / name).mkdir()
        (checkpoints / name / "model_index.json").write_text('{"text_encoder": ["transformers", "CLIPTextModel"]}')
    (checkpoints / "shapes-sd15.json").write_text('{"cover_url": "http://127.0.0.1/covers/shapes.png"}')


if __name__ == "__main__":
    serve(sys.argv[1:])
