"""A client app of twenty lines, run as a program: submits, polls, downloads. `python drawing.py FILE [URL] [HOW]`.

HOW names bad habits, joined by commas: `again` submits again after an error, `blind` saves whatever a download gives,
`leak` prints the key, `careful` polls again after an error.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

ENVIRONMENT = os.environ  # noqa: TID251  # a program of its own
KEY = ENVIRONMENT["NOVITA_API_KEY"]
TRIES = 6
REQUEST = {
    "model_name": "sd_xl_base_1.0.safetensors", "prompt": "a dog", "width": 256, "height": 256, "image_num": 1,
    "steps": 20, "seed": 7, "guidance_scale": 7.5, "sampler_name": "Euler a",
}  # fmt: skip


def call(url: str, body: object = None) -> Any:
    """A call of the API."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read())


def tried(again: bool, what: Callable[[], Any]) -> Any:
    """Does something, up to six times if it is to be tried again."""
    for left in range(TRIES if again else 1, 0, -1):
        try:
            return what()
        except (OSError, ValueError):
            if left == 1:
                raise
    return None


def main(file: str, url: str, how: list[str]) -> None:
    """Draws a picture into a file."""
    if "leak" in how:
        sys.stdout.write(f"using {KEY}\n")
    task = tried("again" in how, lambda: call(f"{url}/v3/async/txt2img", {"request": REQUEST})["task_id"])
    while True:
        result = tried("careful" in how, lambda: call(f"{url}/v3/async/task-result?task_id={task}"))
        if result["task"]["status"] == "TASK_STATUS_SUCCEED":
            break
        if result["task"]["status"] == "TASK_STATUS_FAILED":
            sys.exit(f"the task failed: {result['task']['reason']}")
    link = result["images"][0]["image_url"]
    try:
        with urllib.request.urlopen(link, timeout=5) as answer:
            content = answer.read()
    except urllib.error.HTTPError as error:
        if "blind" not in how:
            raise
        content = error.read()
    if "blind" not in how and not content.endswith(b"IEND\xaeB`\x82"):
        sys.exit("the link gave no whole PNG")
    with open(file, "wb") as opened:  # a program as a beginner writes it
        opened.write(content)
    sys.stdout.write("drawn\n")


if __name__ == "__main__":
    main(
        sys.argv[1],
        sys.argv[2] if len(sys.argv) > 2 else ENVIRONMENT["NOVITA_API_URI"],
        sys.argv[3].split(",") if len(sys.argv) > 3 else [],
    )
