"""From the command to the first right answer, servers taking turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable

from benchmarks.http import free_port, wait_for
from benchmarks.servers import Server, start, stop


def start_times(
    plain: Server, servers: Iterable[Server], *, rounds: int
) -> tuple[dict[str, float], dict[str, float], dict[str, str]]:
    """Starts every server in turn.

    Args:
        plain: what start-up is compared with; it is started again before each server.
        servers: the others.
        rounds: how often.

    Returns:
        Median seconds by server; median of its time over the plain one's just before; by server why there is none.
    """
    times: dict[str, list[float]] = {plain.name: []}
    ratios: dict[str, list[float]] = {}
    missing: dict[str, str] = {}
    chosen = list(servers)
    for _ in range(rounds):
        for server in chosen:
            if server.name in missing:
                continue
            reference = _start_s(plain)
            try:
                found = _start_s(server)
            except TimeoutError as error:
                missing[server.name] = f"did not start: {error}"
                continue
            times[plain.name].append(reference)
            times.setdefault(server.name, []).append(found)
            ratios.setdefault(server.name, []).append(found / reference)
    return (
        {name: statistics.median(found) for name, found in times.items() if name not in missing and found},
        {name: statistics.median(found) for name, found in ratios.items() if name not in missing},
        missing,
    )


def _start_s(server: Server) -> float:
    """Seconds from the command to the first right answer.

    Raises:
        TimeoutError: there was none.
    """
    port = free_port()
    begun = time.perf_counter()
    process = start(server, port)
    try:
        wait_for(f"http://127.0.0.1:{port}", server.first)
        return time.perf_counter() - begun
    finally:
        stop(process)
