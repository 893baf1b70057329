"""The server's side: started as anybody starts it, given tasks faster than it draws them, and asked how it went."""

from __future__ import annotations

import http.client
import json
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.reference.bare import GUIDANCE, PROMPT, Drawn, resident_mb
from benchmarks.reference.cases import Case

SAMPLER = "DPM++ 2M Karras"
KEY = "a-benchmark"
LOOK_EVERY_S = 0.2
"""Between two looks at whether all is drawn: so seldom that it takes nothing from the drawing."""
STUCK_S = 600.0
"""Without a new picture for so long nothing more is expected."""
LOAD_S = 900.0
POLLS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Seconds from the command: to the first answer, and to the first picture that could be drawn."""

    answers_s: float
    ready_s: float


class Served:
    """A server that runs.

    Attributes:
        started: how long that took.
    """

    def __init__(self, url: str, process: subprocess.Popen[bytes], data: Path, case: Case, started: Started) -> None:
        self.started = started
        self._url = url
        self._process = process
        self._data = data
        self._case = case

    def draw(self, pictures: int, device: str) -> Drawn:
        """Submit so many at once; how fast they came."""
        before = self._ended()
        for seed in range(pictures):
            self._submit(seed)
        seen, since = len(before), time.perf_counter()
        while (now := len(self._ended())) < len(before) + pictures:
            if now > seen:
                seen, since = now, time.perf_counter()
            if time.perf_counter() - since > STUCK_S:
                raise RuntimeError(f"no picture came within {STUCK_S:g} s")
            time.sleep(LOOK_EVERY_S)
        ended = self._ended()[len(before) :]
        return Drawn(pace_s=pace_s(ended), memory_mb=self._memory_mb(device))

    def polls_ms(self, pictures: int) -> tuple[float, float]:
        """Half and 99 of a hundred polls take no longer than this while the device is saturated, in milliseconds."""
        task_id = [self._submit(seed) for seed in range(pictures)][-1]
        took = []
        with closing(self._connection()) as connection:
            for _ in range(POLLS):
                begun = time.perf_counter()
                connection.request("GET", f"/v3/async/task-result?task_id={task_id}", headers=_headers())
                connection.getresponse().read()
                took.append((time.perf_counter() - begun) * 1000)
        return statistics.median(took), statistics.quantiles(took, n=100)[-1]

    def _submit(self, seed: int) -> str:
        body = {
            "request": {
                "model_name": self._case.model,
                "prompt": PROMPT,
                "width": self._case.size,
                "height": self._case.size,
                "image_num": 1,
                "steps": self._case.steps,
                "guidance_scale": GUIDANCE,
                "sampler_name": SAMPLER,
                "seed": seed,
            },
            "extra": {"response_image_type": "png"},
        }
        with closing(self._connection()) as connection:
            connection.request("POST", "/v3/async/txt2img", json.dumps(body), _headers())
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"the server answered {answer.status}: {content.decode()}")
            task_id: str = json.loads(content)["task_id"]
            return task_id

    def _connection(self) -> http.client.HTTPConnection:
        where = urlsplit(self._url)
        return http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)

    def _ended(self) -> list[int]:
        """When each task ended, in milliseconds, in order; from the store itself, to the millisecond.

        Raises:
            RuntimeError: one failed.
        """
        rows = self._ask("SELECT ended_ms, reason FROM tasks WHERE ended_ms IS NOT NULL ORDER BY ended_ms")
        failed = [reason for _, reason in rows if reason]
        if failed:
            raise RuntimeError(f"a task failed: {failed[0]}")
        return [ended for ended, _ in rows]

    def _ask(self, query: str) -> list[tuple[int, str]]:
        with closing(sqlite3.connect(f"file:{self._data / 'tasks.sqlite'}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    def _memory_mb(self, device: str) -> float | None:
        if device.startswith("cuda"):
            return gpu_memory_mb()
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        if not children.exists():
            return None
        return max((resident_mb(int(pid)) or 0.0 for pid in children.read_text().split()), default=None)


def pace_s(ended: list[int]) -> float:
    """Seconds per picture, from the end of the first call of the engine on; the first batch is a small one.

    Args:
        ended: when each picture was there, in milliseconds, in order. Those of one call lie close together.
    """
    gaps = [later - earlier for earlier, later in pairwise(ended)]
    if not gaps or not max(gaps):
        return 0.0
    first = next(index for index, gap in enumerate(gaps) if gap > 0.3 * max(gaps))
    return (ended[-1] - ended[first]) / 1000 / (len(ended) - 1 - first)


@contextmanager
def server(models: Path, data: Path, case: Case, device: str) -> Iterator[Served]:
    """The server, loaded and warm; it ends with the block.

    Raises:
        RuntimeError: it ended, or does not become ready.
    """
    flags = ["--models", models, "--data", data, "--device", device, "--dtype", case.dtype, "--batch", case.batch]
    if case.threads:
        flags += ["--threads", case.threads]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "reference_impl", "serve", "--port", "0", *map(str, flags)], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        if not line.startswith("Ready. "):
            raise RuntimeError(f"the server did not start: {line!r}")
        url = line.removeprefix("Ready. ").strip()
        _wait(url, "/health", begun)
        answers_s = time.perf_counter() - begun
        _wait(url, "/ready", begun)
        found = Served(url, process, data, case, Started(answers_s=answers_s, ready_s=time.perf_counter() - begun))
        found.draw(case.batch, device)
        yield found
    finally:
        process.terminate()
        process.communicate()


def gpu_memory_mb() -> float | None:
    """What the first GPU holds now, of all processes; None where nobody says."""
    try:
        said = subprocess.run(
            ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return float(said.splitlines()[0])


def _wait(url: str, path: str, begun: float) -> None:
    where = urlsplit(url)
    while True:
        with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            said = answer.read().decode()
            if answer.status == 200:
                return
        if '"broken"' in said or time.perf_counter() - begun > LOAD_S:
            raise RuntimeError(f"the server is not ready: {said}")
        time.sleep(0.02)


def _headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
