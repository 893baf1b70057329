"""What needs no socket: whole jobs through ASGI, pictures, long tasks on the `auto` clock, memory of finished tasks."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from benchmarks.http import KEY
from benchmarks.servers import ROOT, SUBMIT_BODY

HEADERS = [(b"host", b"mock"), (b"authorization", b"Bearer " + KEY.encode()), (b"content-type", b"application/json")]
SUCCEED, TERMINAL = "TASK_STATUS_SUCCEED", ("TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED")


class Client:
    """Calls an ASGI application directly: what a test without a socket does, less the cost of a client library."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def call(self, method: str, path: str, query: str = "", body: bytes = b"") -> bytes:
        """The body of an answer that must be a success.

        Raises:
            RuntimeError: it is none.
        """
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [*HEADERS, (b"content-length", b"%d" % len(body))],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        status, chunks = 0, []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                chunks.append(message.get("body", b""))

        await self._app(scope, receive, send)
        answer = b"".join(chunks)
        if not 200 <= status < 300:
            raise RuntimeError(f"{method} {path}?{query} answered {status}: {answer[:300]!r}")
        return answer

    async def submit(self, **fields: object) -> str:
        """Submits a task; gives its id."""
        request = {**SUBMIT_BODY["request"], **fields}
        body = json.dumps({"extra": {"response_image_type": "png"}, "request": request}).encode()
        task_id: str = json.loads(await self.call("POST", "/v3/async/txt2img", body=body))["task_id"]
        return task_id

    async def poll_to_the_end(self, task_id: str) -> dict[str, Any]:
        """Polls until the task has ended; gives the last answer, with the number of polls as `polls`."""
        for polls in range(1, 1000):
            answer: dict[str, Any] = json.loads(await self.call("GET", "/v3/async/task-result", f"task_id={task_id}"))
            if answer["task"]["status"] in TERMINAL:
                return {**answer, "polls": polls}
        raise RuntimeError(f"task {task_id} has not ended after 999 polls")


def job_ms(rounds: int = 60) -> dict[str, float]:
    """Median milliseconds of a job on the `auto` clock: submit, polls, download of a new 512x512 PNG.

    Returns:
        `asgi`: called directly; `httpx`: through httpx.ASGITransport, when httpx is installed.
    """
    found = {"asgi": asyncio.run(_jobs(rounds))}
    try:
        import httpx
    except ImportError:
        return found
    found["httpx"] = asyncio.run(_httpx_jobs(httpx, rounds))
    return found


async def _jobs(rounds: int) -> float:
    client = Client(_auto_app())

    async def job(number: int) -> None:
        done = await client.poll_to_the_end(await client.submit(width=512, height=512, seed=number))
        link = urlsplit(done["images"][0]["image_url"])
        _check_png(await client.call("GET", link.path, link.query))

    return await _median_ms(job, rounds)


async def _httpx_jobs(httpx: Any, rounds: int) -> float:
    transport = httpx.ASGITransport(_auto_app())
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://mock", headers=headers) as client:

        async def job(number: int) -> None:
            request = {**SUBMIT_BODY["request"], "width": 512, "height": 512, "seed": number}
            body = {"extra": {"response_image_type": "png"}, "request": request}
            task_id = (await client.post("/v3/async/txt2img", json=body)).json()["task_id"]
            answer: dict[str, Any] = {"task": {"status": ""}}
            while answer["task"]["status"] not in TERMINAL:
                answer = (await client.get("/v3/async/task-result", params={"task_id": task_id})).json()
            _check_png((await client.get(answer["images"][0]["image_url"])).content)

        return await _median_ms(job, rounds)


def render_ms(rounds: int = 25) -> dict[str, float]:
    """Median milliseconds of drawing a new 1024x1024 picture, by format."""
    from mockserver.core.recipe import ImageType
    from mockserver.pictures import render

    app = _auto_app()
    client = Client(app)
    found: dict[str, float] = {}
    for turn, image_type in enumerate((ImageType.PNG, ImageType.JPEG, ImageType.WEBP)):
        seeds = range(turn * 1000, turn * 1000 + rounds + 1)  # no picture was drawn before in another format
        recipes = [asyncio.run(_recipe(client, app, seed)) for seed in seeds]
        render(recipes.pop(), 0, image_type)  # imports what drawing needs
        found[image_type.value] = statistics.median(
            _timed_ms(partial(render, recipe, 0, image_type)) for recipe in recipes
        )
    return found


async def _recipe(client: Client, app: Any, seed: int) -> Any:
    from mockserver.submitting import recipe_of

    mock = app.state.mock
    task = mock.world(KEY).tasks.get(await client.submit(width=1024, height=1024, seed=seed))
    return recipe_of(task, mock)


def thousand_tasks_s() -> dict[str, float]:
    """Seconds for 1,000 tasks of 60 virtual seconds each: submitted, then each polled to its end on the `auto` clock.

    Returns:
        `seconds`, `virtual_s` (how far the world's clock went) and `polls`.
    """
    from mockserver.core.fleet import FleetSettings

    app = _auto_app(fleet=FleetSettings(task_ms=60_000))
    client = Client(app)
    clock = app.state.mock.world(KEY).clock

    async def run() -> int:
        tasks = [await client.submit(seed=number) for number in range(1000)]
        return sum([(await client.poll_to_the_end(task_id))["polls"] for task_id in tasks])

    begun_ms, begun = clock.now_ms(), time.perf_counter()
    polls = asyncio.run(run())
    return {
        "seconds": time.perf_counter() - begun,
        "virtual_s": (clock.now_ms() - begun_ms) / 1000,
        "polls": float(polls),
    }


def full_store_ratio(tasks: int = 20_000) -> float:
    """Submissions per second with the task store at its bound, divided by those into an empty one."""
    from mockserver.core.clock import ClockMode
    from mockserver.settings import Limits, Settings

    app = _app(Settings(clock=ClockMode.parse("x1000000"), limits=Limits(tasks=tasks)))
    client = Client(app)

    async def submit(count: int) -> float:
        begun = time.perf_counter()
        for number in range(count):
            await client.submit(seed=number)
        return time.perf_counter() - begun

    async def run() -> float:
        part = tasks // 4
        empty = await submit(part)
        await submit(tasks - part)  # at the bound from here on; the first ones over it are not counted
        return empty / await submit(part)

    return asyncio.run(run())


def idle_plan_ratio(rounds: int = 30, calls: int = 200) -> dict[str, float]:
    """Rate of submits and of polls with an idle fault plan over the rate without one, the two taking turns.

    The best round of each counts: whatever else the machine does makes a round slower, never faster.
    """
    from mockserver.scenarios import load
    from mockserver.settings import Settings

    scenario = load(ROOT / "benchmarks" / "idle-plan.yaml")
    clients = {"plain": Client(_app(Settings())), "armed": Client(_app(Settings(scenario=scenario)))}
    best: dict[tuple[str, str], float] = {}

    async def run() -> None:
        tasks = {name: await client.submit(seed=1) for name, client in clients.items()}
        for _ in range(rounds):
            for name, client in clients.items():
                begun = time.perf_counter()
                for number in range(calls):
                    await client.submit(seed=number)
                submitted = time.perf_counter()
                for _ in range(calls):
                    await client.call("GET", "/v3/async/task-result", f"task_id={tasks[name]}")
                polled = time.perf_counter()
                for operation, took in (("submit", submitted - begun), ("poll", polled - submitted)):
                    best[operation, name] = min(took, best.get((operation, name), took))

    asyncio.run(run())
    return {operation: best[operation, "plain"] / best[operation, "armed"] for operation in ("submit", "poll")}


def finished_tasks_mb(count: int = 100_000) -> dict[str, float]:
    """Memory of a process that holds finished tasks, measured in a process of its own.

    Returns:
        `total_mb` resident at the end, `growth_mb` over the empty mock, `tasks` held.
    """
    done = subprocess.run(
        [sys.executable, "-c", f"from benchmarks.inprocess import print_memory; print_memory({count})"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the memory measurement failed: {done.stderr[-500:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def print_memory(count: int) -> None:
    """The measuring process of `finished_tasks_mb`."""
    import gc

    from mockserver.core.fleet import FleetSettings

    app = _auto_app(fleet=FleetSettings(workers=100))
    client = Client(app)
    world = app.state.mock.world(KEY)

    async def fill() -> None:
        for number in range(count):
            await client.submit(seed=number, prompt=f"number {number}: {SUBMIT_BODY['request']['prompt']}")
        world.run_until_idle()

    empty = resident_mb()
    asyncio.run(fill())
    gc.collect()
    finished = sum(task.status_at(world.clock.now_ms()) == SUCCEED for task in world.tasks)
    total = resident_mb()
    print(json.dumps({"total_mb": total, "growth_mb": total - empty, "tasks": finished}))


def resident_mb() -> float:
    """Resident memory of this process in MB (10^6 bytes)."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096 / 1e6


async def _median_ms(job: Callable[[int], Any], rounds: int) -> float:
    for number in range(5):
        await job(number)
    times = []
    for number in range(5, 5 + rounds):
        begun = time.perf_counter()
        await job(number)
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def _timed_ms(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def _check_png(data: bytes) -> None:
    if not data.startswith(b"\x89PNG"):
        raise RuntimeError(f"expected a PNG, came {data[:40]!r}")


def _auto_app(**options: Any) -> Any:
    from mockserver.core.clock import ClockMode
    from mockserver.settings import Settings

    return _app(Settings(clock=ClockMode.parse("auto"), **options))


def _app(settings: Any) -> Any:
    from mockserver.app import create_app

    return create_app(settings=settings)
