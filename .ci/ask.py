"""Asks an installed `novita-mock` for one picture, from a folder that has none of our sources. Standard library only.

Usage: python ask.py COMMAND
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HEADERS = {"Authorization": "Bearer sk-mock-wheel", "Content-Type": "application/json"}
REQUEST = {
    "model_name": "sd_xl_base_1.0.safetensors",
    "prompt": "a lighthouse in the fog",
    "width": 512,
    "height": 512,
    "image_num": 1,
    "steps": 20,
    "seed": 7,
    "guidance_scale": 7.5,
    "sampler_name": "Euler a",
}


def main(command: str) -> None:
    """Starts the command, asks, stops it.

    Raises:
        SystemExit: something is not as it should be; the message says what.
    """
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [str(Path(command).absolute()), "--port", "0", "--clock", "auto"],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            if not line.startswith("Ready. http://127.0.0.1:"):
                sys.exit(f"expected 'Ready. http://127.0.0.1:PORT' on the first line, came {line!r}")
            picture = ask(line.removeprefix("Ready. "))
        finally:
            process.terminate()
            code = process.wait(10)
    if not picture.startswith(b"\x89PNG"):
        sys.exit(f"expected a PNG, came {picture[:40]!r}")
    if code != 0:
        sys.exit(f"expected the mock to end in peace on SIGTERM, came exit code {code}")
    suite = [str(Path(command).with_name("novita-conformance")), "list"]
    listed = subprocess.run(suite, capture_output=True, text=True, timeout=60, check=False)
    if listed.returncode != 0 or "V3-TXT2IMG-001" not in listed.stdout:
        sys.exit(f"expected the requirements from {suite}, came {listed.returncode} {listed.stderr}")
    rows = len(listed.stdout.splitlines())
    sys.stdout.write(f"the installed wheel answered: a PNG of {len(picture)} bytes, {rows} requirements\n")


def ask(url: str) -> bytes:
    """Submits a task, polls it to its end and downloads its picture."""
    task_id = fetch_json(f"{url}/v3/async/txt2img", {"extra": {"response_image_type": "png"}, "request": REQUEST})[
        "task_id"
    ]
    for _ in range(20):
        answer = fetch_json(f"{url}/v3/async/task-result?task_id={task_id}")
        if answer["task"]["status"] == "TASK_STATUS_SUCCEED":
            return fetch(answer["images"][0]["image_url"])
    sys.exit(f"the task did not end within 20 polls of the auto clock: {answer}")


def fetch_json(url: str, body: object = None) -> Any:
    """The JSON of an answer, asked for with the key."""
    return json.loads(fetch(url, None if body is None else json.dumps(body).encode(), HEADERS))


def fetch(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """The body of an answer; a picture's link is asked without the key."""
    with urllib.request.urlopen(urllib.request.Request(url, body, dict(headers or {})), timeout=30) as answer:
        found: bytes = answer.read()
        return found


if __name__ == "__main__":
    main(sys.argv[1])
