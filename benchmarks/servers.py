"""The servers under load: how each is started, what submit and poll are for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from benchmarks.http import KEY, Request, call_json, free_port, json_request, wait_for

ROOT = Path(__file__).resolve().parent.parent

SUBMIT_BODY = {
    "extra": {"response_image_type": "jpeg", "enable_nsfw_detection": False},
    "request": {
        "model_name": "sd_xl_base_1.0.safetensors",
        "prompt": "a small fox in the snow, soft evening light, watercolour, wide angle",
        "negative_prompt": "blurry, low quality, watermark, text, deformed",
        "width": 1024,
        "height": 1024,
        "image_num": 1,
        "steps": 20,
        "seed": 123456789,
        "clip_skip": 1,
        "guidance_scale": 7.5,
        "sampler_name": "Euler a",
    },
}
"""A submission that the documented reading accepts, with the fields that most clients send (about 400 bytes)."""

SUBMIT = json_request("POST", "/v3/async/txt2img", SUBMIT_BODY)
VARIANTS = 64
"""Different submissions, and different finished tasks to poll, so that no figure rests on a memory of the last one."""


def variants(body: Mapping[str, object], *, inside: str | None = None) -> list[dict[str, object]]:
    """The body with `VARIANTS` prompts and seeds, which stand at its top or in the object `inside`."""
    found: list[dict[str, object]] = []
    for number in range(VARIANTS):
        holder = body[inside] if inside else body
        assert isinstance(holder, Mapping)
        changed = {**holder, "prompt": f"{holder['prompt']}, number {number}", "seed": number * 7919}
        found.append({**body, inside: changed} if inside else changed)
    return found


SUBMITS = [json_request("POST", SUBMIT.path, body) for body in variants(SUBMIT_BODY, inside="request")]


UVICORN_OPTIONS = (
    *("--loop", "uvloop", "--http", "httptools", "--lifespan", "off", "--ws", "none"),
    *("--no-access-log", "--no-server-header", "--no-proxy-headers", "--log-level", "warning"),
    *("--timeout-keep-alive", "75"),
)
"""What the mock gives to uvicorn, so that the limit is the limit of the same server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """What the load generator sends to a server in turn, and what is to be done before each round."""

    submit: Sequence[Request]
    poll: Sequence[Request]
    before_round: Callable[[], None] = field(default=lambda: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server to compare.

    Attributes:
        name: short, for tables and JSON.
        words: what it does per request, for readers of the table.
        command: starts it on a loopback port.
        first: the request whose success means that it is up.
        prepare: makes a finished task and gives the operations to load.
        stateful: `prepare` is called again before each round.
        environment: variables it needs.
    """

    name: str
    words: str
    command: Callable[[int], list[str]]
    prepare: Callable[[str], Operations]
    first: Request = SUBMIT
    environment: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def running(server: Server, *, deadline_s: float = 60.0) -> Iterator[str]:
    """The URL of a started server, which is stopped at the end.

    Raises:
        RuntimeError: it did not come up; carries what it printed.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as output:
        process = start(server, port, output)
        try:
            wait_for(url, server.first, deadline_s=deadline_s)
        except TimeoutError as error:
            stop(process)
            output.seek(0)
            raise RuntimeError(f"{server.name}: {error}; it printed {output.read()[-500:]!r}") from error
        try:
            yield url
        finally:
            stop(process)


def _environment() -> dict[str, str]:
    """Ours, but bytecode may be kept: an installed package has it; compiling at each start would be timed else."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def start(server: Server, port: int, output: IO[bytes] | int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Starts a server's process in a group of its own."""
    return subprocess.Popen(
        server.command(port),
        cwd=ROOT,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**_environment(), "NODE_ENV": "production", **server.environment},
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a server and whatever it started."""
    for number, patience_s in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience_s)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        else:
            return


def uvicorn_command(app: str) -> Callable[[int], list[str]]:
    """Serves an application with the options that the mock gives to uvicorn."""
    start = [sys.executable, "-m", "uvicorn", app, *UVICORN_OPTIONS]
    return lambda port: [*start, "--port", str(port)]


def _prepare_constant(url: str) -> Operations:
    del url
    return Operations(submit=SUBMITS, poll=[poll("1")])


def _prepare_schema(url: str) -> Operations:
    return Operations(submit=SUBMITS, poll=[poll(call_json(url, request)["task_id"]) for request in SUBMITS])


def _prepare_mock(url: str) -> Operations:
    """Finished tasks in a world of their own, and a world for submissions that starts empty each round."""
    poller = f"{KEY}-poll"
    tasks = [call_json(url, request.with_key(poller))["task_id"] for request in SUBMITS]
    call_json(url, json_request("POST", "/__mock/clock/run-until-idle").with_key(poller))
    polls = [poll(task_id).with_key(poller) for task_id in tasks]
    for request in polls:
        answer = call_json(url, request)
        if answer["task"]["status"] != "TASK_STATUS_SUCCEED" or not answer["images"]:
            raise RuntimeError(f"expected a finished task with its picture, came {answer}")
    reset = json_request("POST", "/__mock/reset")
    return Operations(submit=SUBMITS, poll=polls, before_round=lambda: call_json(url, reset))


def poll(task_id: str) -> Request:
    """The request for a task's result."""
    return json_request("GET", f"/v3/async/task-result?task_id={task_id}")


CONSTANT = Server(
    name="limit",
    words="uvicorn and a bare ASGI application that answers a constant",
    command=uvicorn_command("benchmarks.apps.constant:app"),
    prepare=_prepare_constant,
)
SCHEMA = Server(
    name="starlette",
    words="minimal Starlette, one compiled JSON Schema, tasks in a dict",
    command=uvicorn_command("benchmarks.apps.schema:app"),
    prepare=_prepare_schema,
)
HELLO = Server(
    name="hello",
    words="the smallest Starlette application under uvicorn",
    command=uvicorn_command("benchmarks.apps.hello:app"),
    prepare=_prepare_constant,
)
IDLE = Server(
    name="novita-mock, idle fault plan",
    words="the same, with faults armed at points that submits and polls do not pass",
    command=lambda port: [
        *(sys.executable, "-m", "mockserver", "--port", str(port), "--clock", "auto"),
        *("--scenario", str(ROOT / "benchmarks" / "idle-plan.yaml")),
    ],
    prepare=_prepare_mock,
)
MOCK = Server(
    name="novita-mock",
    words="key, world, full validation, task with its plan, journal",
    command=lambda port: [sys.executable, "-m", "mockserver", "--port", str(port), "--clock", "auto"],
    prepare=_prepare_mock,
)
