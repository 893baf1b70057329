"""`python -m benchmarks`: measure, print the table, keep the JSON, and on request write docs/benchmarks.md.

Exit codes: 0 measured (whatever the figures say), 1 with `--check` when an aim is not reached, 2 usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from benchmarks import inprocess, load, report, startup
from benchmarks.peers import FOLDER, NAMES, PACKAGES, peers
from benchmarks.servers import CONSTANT, HELLO, IDLE, MOCK, ROOT, SCHEMA, Server


def main() -> int:
    """Runs the chosen parts."""
    options = _options()
    results = report.Results(when=datetime.now(UTC).date().isoformat())
    others: list[Server] = []
    if options.peers:
        others, results.missing = peers()
    else:
        results.missing = dict.fromkeys(NAMES, "left out (--no-peers)")
    servers = [SCHEMA, MOCK, IDLE, *others]
    results.words = {server.name: server.words for server in (CONSTANT, *servers, HELLO)}
    results.words |= dict.fromkeys([name for name in NAMES if name not in results.words], "see below")
    results.notes = [
        f"{options.rounds} rounds of {options.seconds:g} s per server and operation, after one to warm up."
    ]
    if options.load:
        _measure_load(servers, options, results)
    if options.start:
        _say("start-up")
        results.start_s, results.start_ratio, missing = startup.start_times(
            HELLO, [server for server in servers if server is not IDLE], rounds=options.rounds
        )
        results.missing |= {f"start-up of {name}": reason for name, reason in missing.items()}
    if options.inprocess:
        _measure_in_process(results)
    print()
    print(report.terminal(results, PACKAGES))
    FOLDER.mkdir(exist_ok=True)
    target = FOLDER / "results.json"
    target.write_text(json.dumps(report.as_json(results, PACKAGES), indent=2) + "\n", encoding="utf-8")
    print(f"\nJSON: {target.relative_to(ROOT)}")
    if options.write:
        path = ROOT / "docs" / "benchmarks.md"
        path.write_text(report.markdown(results, PACKAGES), encoding="utf-8")
        print(f"Written: {path.relative_to(ROOT)}")
    return int(options.check and any(aim.reached is not True for aim in report.aims(results)))


def _measure_load(servers: list[Server], options: argparse.Namespace, results: report.Results) -> None:
    reason = load.why_not()
    if reason:
        results.missing |= {"requests per second": reason}
        return
    _say("load")
    results.loads, missing = load.compare(CONSTANT, servers, rounds=options.rounds, seconds=options.seconds, say=_say)
    results.missing |= missing


def _measure_in_process(results: report.Results) -> None:
    parts: dict[str, Callable[[], None]] = {
        "job": lambda: results.job_ms.update(inprocess.job_ms()),
        "pictures": lambda: results.render_ms.update(inprocess.render_ms()),
        "1,000 long tasks": lambda: results.thousand.update(inprocess.thousand_tasks_s()),
        "idle fault plan": lambda: results.idle_plan.update(inprocess.idle_plan_ratio()),
        "full task store": lambda: setattr(results, "full_store_ratio", inprocess.full_store_ratio()),
        "100,000 finished tasks": lambda: results.memory_mb.update(inprocess.finished_tasks_mb()),
    }
    for name, measure in parts.items():
        _say(name)
        try:
            measure()
        except Exception as error:  # the other figures still count; the table says why this one is missing
            results.missing[name] = f"{type(error).__name__}: {error}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default 7)")
    parser.add_argument("--seconds", type=float, default=1, help="seconds per run (default 1)")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="leave out the npm packages")
    parser.add_argument("--no-load", dest="load", action="store_false", help="leave out requests per second")
    parser.add_argument("--no-start", dest="start", action="store_false", help="leave out start-up")
    parser.add_argument("--no-inprocess", dest="inprocess", action="store_false", help="leave out the rest")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--check", action="store_true", help="exit 1 when an aim is not reached")
    return parser.parse_args()


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
