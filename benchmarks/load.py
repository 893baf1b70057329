"""Requests per second by `wrk`: 16 connections, one thread, servers taking turns, medians.

Machines that run benchmarks are shared and change their speed from one second to the next. So every run of a server
stands between two short runs of the limit, and its share is taken from those two.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.http import Request
from benchmarks.servers import Server, running

CONNECTIONS = 16
OPERATIONS = ("submit", "poll")

_CYCLE = """
local turn = 0
request = function()
  turn = turn % #prepared + 1
  return prepared[turn]
end
"""
_REPORT = """
done = function(summary, latency)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format('\\nRESULT {"requests":%d,"us":%d,"refused":%d,"failed":%d,"p50":%d,"p99":%d}\\n',
    summary.requests, summary.duration, summary.errors.status, failed, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a server did under load, medians over the rounds.

    Attributes:
        per_s: requests answered per second.
        lowest_per_s, highest_per_s: the worst and the best round.
        share: of what the limit did just before and just after, which holds also when the machine's speed changes.
        p50_us, p99_us: latency in microseconds.
    """

    per_s: float
    lowest_per_s: float
    highest_per_s: float
    share: float
    p50_us: float
    p99_us: float


def script(requests: Sequence[Request]) -> str:
    """The requests as a wrk script that sends them in turn, so that no server answers from memory of the last one."""
    lines = ["local prepared = {}", "init = function()"]
    for request in requests:
        headers = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in request.headers.items())
        body = json.dumps(request.body.decode()) if request.body else "nil"
        arguments = f"{json.dumps(request.method)}, {json.dumps(request.path)}, {{{headers}}}, {body}"
        lines.append(f"  prepared[#prepared + 1] = wrk.format({arguments})")
    return "\n".join([*lines, "end"]) + _CYCLE + _REPORT


def press(url: str, requests: Sequence[Request], seconds: float) -> dict[str, int]:
    """One run of wrk.

    Raises:
        RuntimeError: wrk failed, or an answer was not a success: such a figure means nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        lua = Path(folder, "request.lua")
        lua.write_text(script(requests), encoding="utf-8")
        done = subprocess.run(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", str(lua), url],
            capture_output=True,
            text=True,
            check=False,
        )
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise RuntimeError(f"wrk gave no result: {done.stdout[-300:]} {done.stderr[-300:]}")
    result: dict[str, int] = json.loads(line.removeprefix("RESULT "))
    if result["refused"] or result["failed"]:
        raise RuntimeError(f"{requests[0].method} {url}{requests[0].path}: not every answer was a success: {result}")
    return result


def compare(
    limit: Server, servers: Iterable[Server], *, rounds: int, seconds: float, say: Callable[[str], object]
) -> tuple[dict[str, dict[str, Load]], dict[str, str]]:
    """Loads submit and poll of every server in turn, each between two runs of the limit.

    Returns:
        By server and operation the figures; by server the reason why there are none.
    """
    runs: dict[tuple[str, str], list[tuple[dict[str, int], float]]] = {}
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        reference = stack.enter_context(running(limit))
        ready: list[tuple[Server, str]] = []
        for server in servers:
            try:
                url = stack.enter_context(running(server))
                for operation in OPERATIONS:  # not counted: it warms up compilers and caches
                    _run(url, server, operation, 2 * seconds)
            except (RuntimeError, OSError) as error:
                missing[server.name] = f"did not run: {error}"
            else:
                ready.append((server, url))
        for number in range(rounds):
            say(f"  round {number + 1}/{rounds}")
            for operation in OPERATIONS:
                before = _run(reference, limit, operation, seconds)
                for server, url in ready:
                    if server.name in missing:
                        continue
                    try:
                        result = _run(url, server, operation, seconds)
                    except (RuntimeError, OSError) as error:
                        missing[server.name] = f"stopped in round {number + 1}: {error}"
                        continue
                    after = _run(reference, limit, operation, seconds)
                    runs.setdefault((limit.name, operation), []).append((after, 1.0))
                    share = _rate(result) / statistics.mean((_rate(before), _rate(after)))
                    runs.setdefault((server.name, operation), []).append((result, share))
                    before = after
    found: dict[str, dict[str, Load]] = {}
    for (server_name, operation), results in runs.items():
        if server_name not in missing:
            found.setdefault(server_name, {})[operation] = _median(results)
    return found, missing


def why_not() -> str | None:
    """Why there can be no load at all."""
    return None if shutil.which("wrk") else "wrk is not installed (Debian: apt-get install wrk)"


def _run(url: str, server: Server, operation: str, seconds: float) -> dict[str, int]:
    """One run; the server is prepared anew, since it may forget old tasks under load."""
    operations = server.prepare(url)
    operations.before_round()
    return press(url, operations.submit if operation == "submit" else operations.poll, seconds)


def _rate(result: dict[str, int]) -> float:
    return result["requests"] / result["us"] * 1e6


def _median(results: list[tuple[dict[str, int], float]]) -> Load:
    rates = [_rate(result) for result, _ in results]
    return Load(
        per_s=statistics.median(rates),
        lowest_per_s=min(rates),
        highest_per_s=max(rates),
        share=statistics.median(share for _, share in results),
        p50_us=statistics.median(result["p50"] for result, _ in results),
        p99_us=statistics.median(result["p99"] for result, _ in results),
    )
