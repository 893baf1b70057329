"""From the command to the first right answer, servers taking turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable

from benchmarks.http import free_port, wait_for
from benchmarks.servers import Server, start, stop


def start_times_s(servers: Iterable[Server], *, rounds: int) -> tuple[dict[str, float], dict[str, str]]:
    """Median seconds by server; by server the reason why there are none."""
    times: dict[str, list[float]] = {}
    missing: dict[str, str] = {}
    chosen = list(servers)
    for _ in range(rounds):
        for server in chosen:
            if server.name in missing:
                continue
            port = free_port()
            begun = time.perf_counter()
            process = start(server, port)
            try:
                wait_for(f"http://127.0.0.1:{port}", server.first)
                times.setdefault(server.name, []).append(time.perf_counter() - begun)
            except TimeoutError as error:
                missing[server.name] = f"did not start: {error}"
            finally:
                stop(process)
    return {name: statistics.median(found) for name, found in times.items() if name not in missing}, missing
