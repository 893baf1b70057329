"""The other mock servers, from npm at pinned versions, installed below `.bench/` when npm is there."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable

from benchmarks.http import call_json, json_request
from benchmarks.servers import ROOT, SUBMITS, Operations, Server, poll, variants

FOLDER = ROOT / ".bench"
PACKAGES = {"@stoplight/prism-cli": "5.14.2", "@copilotkit/aimock": "1.43.0", "wiremock": "3.13.2"}
"""Prism's newer versions need Node 24; 5.14.2 is the last one for Node 18 to 22."""

PRISM, AIMOCK, WIREMOCK = "prism", "aimock", "wiremock"
NAMES = (PRISM, AIMOCK, WIREMOCK)

_TASK_ID = "8f0d8e39-1f0c-4c8e-9e2c-0a6d0c9f9d11"
_QUEUE = "/fal/fal-ai/flux/dev"
_QUEUE_HOST = {"x_fal_target_host": "queue.fal.run"}
_AIMOCK_BODY: dict[str, object] = {
    "prompt": "a small fox in the snow, soft evening light, watercolour, wide angle",
    "negative_prompt": "blurry, low quality, watermark, text, deformed",
    "image_size": {"width": 1024, "height": 1024},
    "num_inference_steps": 20,
    "guidance_scale": 7.5,
    "num_images": 1,
    "seed": 123456789,
    "output_format": "jpeg",
}
_AIMOCK_SUBMITS = [json_request("POST", _QUEUE, body, **_QUEUE_HOST) for body in variants(_AIMOCK_BODY)]


def peers() -> tuple[list[Server], dict[str, str]]:
    """The peers that can be started here; by name the reason why another cannot."""
    reason = _install()
    if reason:
        return [], dict.fromkeys(NAMES, reason)
    servers: list[Server] = []
    missing: dict[str, str] = {}
    for name, make in _MAKERS.items():
        try:
            servers.append(make())
        except _Unavailable as error:
            missing[name] = str(error)
    return servers, missing


class _Unavailable(Exception):
    """A peer cannot be started here; the message says why."""


def _install() -> str | None:
    """Installs what is missing; gives the reason when it cannot."""
    if not shutil.which("npm") or not shutil.which("node"):
        return "node and npm are not installed"
    wanted = {name: version for name, version in PACKAGES.items() if _installed(name) != version}
    if not wanted:
        return None
    FOLDER.mkdir(exist_ok=True)
    done = subprocess.run(
        ["npm", "install", "--prefix", str(FOLDER), "--no-audit", "--no-fund", "--no-save", "--loglevel=error"]
        + [f"{name}@{version}" for name, version in PACKAGES.items()],
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else f"npm install failed: {done.stderr.strip()[-200:]}"


def _installed(package: str) -> str | None:
    manifest = FOLDER / "node_modules" / package / "package.json"
    return str(json.loads(manifest.read_text(encoding="utf-8"))["version"]) if manifest.exists() else None


def _binary(name: str) -> str:
    return str(FOLDER / "node_modules" / ".bin" / name)


def _write(name: str, content: object) -> str:
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def _prism() -> Server:
    from openapi.document import Reading, load

    document = _write("openapi.json", load().rendered(Reading.TOLERATED))
    return Server(
        name=PRISM,
        words="the same document: validation, the document's example as the answer; no tasks, no journal; log silenced",
        command=lambda port: [_binary("prism"), "mock", "-h", "127.0.0.1", "-p", str(port), "-v", "silent", document],
        prepare=lambda _: Operations(submit=SUBMITS, poll=[poll(_TASK_ID)]),
    )


def _aimock() -> Server:
    answer = {"images": [{"url": "http://127.0.0.1/1.png", "width": 1024, "height": 1024}], "seed": 1}
    fixtures = _write("aimock/fal.json", {"fixtures": [{"match": {"endpoint": "fal"}, "response": {"json": answer}}]})

    def prepare(url: str) -> Operations:
        ids = [call_json(url, request)["request_id"] for request in _AIMOCK_SUBMITS]
        polls = [json_request("GET", f"{_QUEUE}/requests/{one}/status", **_QUEUE_HOST) for one in ids]
        return Operations(submit=_AIMOCK_SUBMITS, poll=polls)

    return Server(
        name=AIMOCK,
        words="its fal.ai queue: no validation of fields, a task, journal; its own wire format; log silenced",
        command=lambda port: [_binary("llmock"), "-p", str(port), "-f", fixtures, "--log-level", "silent"],
        prepare=prepare,
        first=_AIMOCK_SUBMITS[0],
    )


def _wiremock() -> Server:
    if not shutil.which("java"):
        raise _Unavailable("java is not installed")
    task = {"task_id": _TASK_ID, "status": "TASK_STATUS_SUCCEED", "progress_percent": 100}
    stubs = {
        "submit": (
            {
                "method": "POST",
                "urlPath": "/v3/async/txt2img",
                "bodyPatterns": [{"matchesJsonPath": "$.request.prompt"}],
            },
            {"task_id": _TASK_ID},
        ),
        "poll": (
            {
                "method": "GET",
                "urlPath": "/v3/async/task-result",
                "queryParameters": {"task_id": {"equalTo": _TASK_ID}},
            },
            {"task": task, "images": [{"image_url": "http://127.0.0.1/1.png"}]},
        ),
    }
    for name, (request, body) in stubs.items():
        _write(f"wiremock/mappings/{name}.json", {"request": request, "response": {"status": 200, "jsonBody": body}})
    folder = str(FOLDER / "wiremock")
    flags = ["--disable-banner", "--disable-request-logging", "--max-request-journal-entries", "1000"]
    return Server(
        name=WIREMOCK,
        words="two stubs: one JSON path for submit, one query parameter for poll; constant answers; journal of 1,000",
        command=lambda port: [
            _binary("wiremock"),
            *("--port", str(port), "--bind-address", "127.0.0.1", "--root-dir", folder),
            *flags,
        ],
        prepare=lambda _: Operations(submit=SUBMITS, poll=[poll(_TASK_ID)]),
    )


_MAKERS: dict[str, Callable[[], Server]] = {PRISM: _prism, AIMOCK: _aimock, WIREMOCK: _wiremock}
