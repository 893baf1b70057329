"""A client app that never polls: it submits with a webhook, waits for the event, and downloads. `waiting.py FILE`."""

from __future__ import annotations

import json
import os
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

ENVIRONMENT = os.environ  # noqa: TID251  # a program of its own
PATIENCE_S = 8
REQUEST = {
    "model_name": "sd_xl_base_1.0.safetensors", "prompt": "a dog", "width": 256, "height": 256, "image_num": 1,
    "steps": 20, "seed": 7, "guidance_scale": 7.5, "sampler_name": "Euler a",
}  # fmt: skip


class Receiver(BaseHTTPRequestHandler):
    """Takes events."""

    def do_POST(self) -> None:
        """An event."""
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            payload = json.loads(body)["payload"]
        except ValueError:
            self.send_response(400)  # it will be sent again
        else:
            events.setdefault(payload["task"]["task_id"], payload)  # a repeat changes nothing
            came.set()
            self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


came = threading.Event()
events: dict[str, Any] = {}
receiver = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{receiver.server_port}/hook"
body = json.dumps({"request": REQUEST, "extra": {"webhook": {"url": url}}}).encode()
headers = {"Authorization": f"Bearer {ENVIRONMENT['NOVITA_API_KEY']}", "Content-Type": "application/json"}
submit = urllib.request.Request(f"{ENVIRONMENT['NOVITA_API_URI']}/v3/async/txt2img", body, headers)
with urllib.request.urlopen(submit, timeout=5) as answer:
    task_id = json.loads(answer.read())["task_id"]
if not came.wait(PATIENCE_S):
    sys.exit("no webhook came")
payload = events[task_id]
if payload["task"]["status"] != "TASK_STATUS_SUCCEED":
    sys.exit(f"the task failed: {payload['task']['reason']}")
with urllib.request.urlopen(payload["images"][0]["image_url"], timeout=5) as answer:
    Path(sys.argv[1]).write_bytes(answer.read())
