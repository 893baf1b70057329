"""`python -m benchmarks.reference`: the reference server beside a bare loop of diffusers, in one run; prints a table.

`--write` keeps it in docs/reference/benchmarks.md, in the section of the device. Exit codes: 0 measured (whatever the
figures say), 1 with `--check` when an aim is not reached, 2 usage.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.peers import FOLDER
from benchmarks.reference.bare import bare_loop
from benchmarks.reference.cases import PARTS, SMALLEST, TINY, Case, cases
from benchmarks.reference.checkpoints import models_folder
from benchmarks.reference.results import Results, Row
from benchmarks.reference.serving import server
from benchmarks.servers import ROOT

PAGE = ROOT / "docs" / "reference" / "benchmarks.md"


def main() -> int:
    """Runs the chosen parts."""
    options = _options()
    results = Results(
        device=options.device,
        device_name=_device_name(options.device),
        when=datetime.now(UTC).date().isoformat(),
        load=os.getloadavg()[0],
        rounds=options.rounds,
    )
    chosen = [case for case in cases(options.device, smallest=options.smallest) if case.part in options.only]
    models = models_folder(FOLDER / "reference", {case.model for case in chosen} | {TINY})
    for case in chosen:
        _say(case.name)
        try:
            results.rows.append(_compared(case, models, options.device, options.rounds))
        except (RuntimeError, subprocess.CalledProcessError) as error:  # the other figures still count
            results.missing[case.name] = str(error).splitlines()[0]
    if {"polls", "start"} & set(options.only):
        _say("polls and start")
        try:
            _measure_front(results, models, options)
        except RuntimeError as error:
            results.missing["polls and start"] = str(error)
    print()
    print(results.text())
    if options.write:
        _write(results)
        print(f"\nWritten: {PAGE.relative_to(ROOT)}")
    return int(options.check and any(verdict != "reached" for *_, verdict in results.aims()))


def _measure_front(results: Results, models: Path, options: argparse.Namespace) -> None:
    """How soon the server answers: after its start, and while it draws as much as it can."""
    size = SMALLEST if options.smallest else 512
    pictures = 6 if options.smallest else 24
    case = Case(part="polls", model=TINY, size=size, steps=20, pictures=pictures, threads=1)
    with _data() as data, server(models, data, case, options.device) as served:
        if "start" in options.only:
            results.started = served.started
        if "polls" in options.only:
            results.polls_ms = served.polls_ms(case.pictures)


def _compared(case: Case, models: Path, device: str, rounds: int) -> Row:
    """Bare loop and server in turns, each waiting while the other draws."""
    checkpoint = models / "checkpoints" / case.model
    with _data() as data, server(models, data, case, device) as served, bare_loop(checkpoint, case, device) as bare:
        pairs = [(bare.draw(case.pictures), served.draw(case.pictures, device)) for _ in range(rounds)]
    compiled = {}
    for how in case.compiled:
        with bare_loop(checkpoint, case, device, how) as loop:
            compiled[how] = loop.draw(case.pictures)
    return Row(case=case, bare=[one for one, _ in pairs], served=[one for _, one in pairs], compiled=compiled)


@contextlib.contextmanager
def _data() -> Iterator[Path]:
    """A folder that goes with the block."""
    folder = Path(tempfile.mkdtemp(prefix="reference-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _write(results: Results) -> None:
    """Put the section of this device in place of the one that is there."""
    begin, end = f"<!-- {results.device} -->", f"<!-- /{results.device} -->"
    page = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.S)
    section = f"{begin}\n{results.text()}\n{end}"
    PAGE.write_text(pattern.sub(lambda _: section, page), encoding="utf-8")


def _device_name(device: str) -> str:
    """What it is called.

    Raises:
        SystemExit: there is no such device.
    """
    if device == "cpu":
        return platform.processor() or platform.machine()
    import torch

    if not torch.cuda.is_available():
        print("no CUDA device is here; --device cpu measures what there is", file=sys.stderr)
        raise SystemExit(2)
    return torch.cuda.get_device_name(0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference", description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where (default cpu)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts (default all)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds for each row (default 3)")
    parser.add_argument("--smallest", action="store_true", help="only what shows that everything runs")
    parser.add_argument("--write", action="store_true", help="keep the table in docs/reference/benchmarks.md")
    parser.add_argument("--check", action="store_true", help="exit 1 when an aim is not reached")
    return parser.parse_args()


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
