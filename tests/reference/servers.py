"""Starts the reference server in a process of its own, on a free port, with an engine that tests name; and waits."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests import processes

END_TIMEOUT_S = 30.0
LOOK_EVERY_S = 0.02

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that runs."""

    process: subprocess.Popen[str]
    url: str
    client: httpx.Client

    def submit(self, path: str = "/v3/async/txt2img", **request: Any) -> str:
        """The id of a task that was accepted; `request` changes fields of a small request, `extra` is its own."""
        answer = self.client.post(path, json=body(**request))
        assert answer.status_code == 200, answer.text
        task_id: str = answer.json()["task_id"]
        return task_id

    def result(self, task_id: str) -> Any:
        """What the server says of a task."""
        answer = self.client.get("/v3/async/task-result", params={"task_id": task_id})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ended(self, task_id: str, timeout_s: float = 20.0) -> Any:
        """The result of a task once it has ended."""

        def look() -> Any:
            result = self.result(task_id)
            return result if result["task"]["status"] in ("TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED") else None

        return until(look, timeout_s)

    def kill(self) -> None:
        """As the system does it when memory is short: at once, nothing is tidied."""
        self.process.kill()
        self.process.communicate()
        self.client.close()

    def stop(self) -> str:
        """As an operator does it; what it wrote to its log."""
        self.process.terminate()
        _, errors = self.process.communicate(timeout=END_TIMEOUT_S)
        self.client.close()
        return errors


def body(extra: dict[str, Any] | None = None, **request: Any) -> dict[str, Any]:
    """A small text-to-image request of v3, with these fields changed."""
    plain = {
        "model_name": "shapes-sd15",
        "prompt": "a red circle",
        "width": 128,
        "height": 128,
        "image_num": 1,
        "steps": 10,
        "guidance_scale": 7.5,
        "sampler_name": "Euler a",
        "seed": 7,
    }
    return {"request": plain | request, **({"extra": extra} if extra else {})}


def start(
    models: Path, data: Path, *flags: str, engine: str = "painter", env: Mapping[str, str] | None = None
) -> Server:
    """A server, once it says that it answers.

    Raises:
        RuntimeError: it ended, or said nothing in time; with what it printed.
    """
    process, url = processes.start(
        "--models",
        str(models),
        "--data",
        str(data),
        "--engine",
        f"tests.reference.fakes:{engine}",
        *flags,
        env=env,
        program=("reference_impl", "serve"),
    )
    client = httpx.Client(base_url=url, headers={"Authorization": "Bearer an-account"}, timeout=20.0)
    return Server(process=process, url=url, client=client)


@contextmanager
def running(
    models: Path, data: Path, *flags: str, engine: str = "painter", env: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server that is stopped with the block."""
    server = start(models, data, *flags, engine=engine, env=env)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def until(look: Callable[[], T | None], timeout_s: float = 10.0) -> T:
    """The first thing that is found by looking again and again.

    Raises:
        TimeoutError: nothing was found in time.
    """
    end = time.monotonic() + timeout_s
    never = threading.Event()
    while not (found := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"nothing was found within {timeout_s:g} s; the last look gave {found!r}")
        never.wait(LOOK_EVERY_S)
    return found
