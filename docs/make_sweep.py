"""Writes the matrix of docs/sweep.md: the vendor's own clients, each under every failure of `novita-mock sweep`.

`python docs/make_sweep.py --write` sweeps them and writes down what it saw, about five minutes; `--check` sweeps them
too, and exits 1 when the page says something else. The clients have to be installed
(`python -m tests.clients.environments`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the clients' programs are tests, which are not installed

from tests.clients.environments import NPM_V2, NPM_V3, PYTHON_CLI, PYTHON_V3, Environment  # noqa: E402  # after the path

PAGE = ROOT / "docs" / "sweep.md"
BEGIN, END = "<!-- matrix -->", "<!-- /matrix -->"
DRIVERS = ROOT / "tests" / "clients" / "drivers"
TIMEOUT_S = 170
"""Longer than the Python client polls (300 times half a second) and than it waits for an answer (120 s)."""
JOBS = 12
AT_A_TIME = 2

Report = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """A client, and the program that is swept.

    Attributes:
        program: command and arguments.
        intercept: it has the vendor's address built in.
    """

    environment: Environment
    title: str
    program: tuple[str, ...]
    intercept: bool = False


CLIENTS = (
    Swept(
        environment=PYTHON_CLI,
        title="`novita` 0.1.0<br>command line",
        program=(str(PYTHON_CLI.folder / "bin" / "novita"), "image", "generate", "a quiet harbour", "-W", "512",
                 "-H", "512", "--seed", "7"),
        intercept=True,
    ),
    Swept(
        environment=PYTHON_V3,
        title="`novita-client` 0.7.1<br>Python",
        program=(PYTHON_V3.program, str(DRIVERS / "app_python.py")),
    ),
    Swept(
        environment=NPM_V3,
        title="`novita-sdk` 3.1.3<br>npm, loop by hand",
        program=(NPM_V3.program, str(DRIVERS / "app_npm.cjs"), str(NPM_V3.folder)),
    ),
    Swept(
        environment=NPM_V2,
        title="`novita-sdk` 1.1.0<br>npm, `txt2ImgSync`",
        program=(NPM_V2.program, str(DRIVERS / "app_npm.cjs"), str(NPM_V2.folder)),
    ),
)  # fmt: skip
WORDS = {
    "survived": "picture",
    "failed": "fails",
    "hung": "**hangs**",
    "paid twice": "**pays twice**",
    "saved garbage": "**garbage**",
    "leaked the key": "**leaks the key**",
    "not reached": "",
}


def sweep(client: Swept, folder: Path) -> Report:
    """Sweeps a client; its report.

    Raises:
        RuntimeError: the sweep did not come to its end.
    """
    client.environment.require()
    out = folder / client.environment.name
    flags = ["--out", str(out), "--workdir", "empty", "--timeout", str(TIMEOUT_S), "--jobs", str(JOBS)]
    flags += ["--intercept"] if client.intercept else []
    done = subprocess.run(
        [sys.executable, "-m", "mockserver", "sweep", *flags, "--", *client.program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{client.environment.name}: {done.stdout}{done.stderr}")
    found: Report = json.loads((out / "sweep.json").read_text(encoding="utf-8"))
    return found


def matrix(reports: Mapping[str, Report]) -> str:
    """The table, and what each column comes to."""
    titles = [client.title for client in CLIENTS]
    lines = [f"| failure | {' | '.join(titles)} |", f"|---|{'---|' * len(titles)}"]
    cells = {(name, cell["case"]): cell for name, report in reports.items() for cell in report["cells"]}
    order = {cell["case"]: cell["name"] for report in reports.values() for cell in report["cells"]}
    for case, name in order.items():
        shown = [_cell(cells.get((client.environment.name, case))) for client in CLIENTS]
        lines.append(f"| {name} | {' | '.join(shown)} |")
    sums = [_sums(reports[client.environment.name]) for client in CLIENTS]
    lines.append(f"| *together* | {' | '.join(sums)} |")
    return "\n".join(lines)


def _cell(cell: Report | None) -> str:
    if cell is None:
        return ""
    words = [WORDS[mark] for mark in cell["marks"]]
    if cell["silent"]:
        words = [word for word in words if word != WORDS["failed"]] + ["**without a word**"]
    if cell["rating"] == "good" and words == [WORDS["failed"]]:
        words = ["fails, as it must"]
    return ", ".join(words)


def _sums(report: Report) -> str:
    ratings = [cell["rating"] for cell in report["cells"]]
    return f"{ratings.count('good')} good, {ratings.count('weak')} weak, {ratings.count('bad')} bad"


def main() -> int:
    """Writes or checks the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write the matrix")
    what.add_argument("--check", action="store_true", help="exit 1 when the page is stale")
    write = parser.parse_args().write
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_A_TIME) as pool:
        swept = pool.map(lambda client: sweep(client, Path(folder)), CLIENTS)
        reports = {client.environment.name: report for client, report in zip(CLIENTS, swept, strict=True)}
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    text = f"{before}{BEGIN}\n{matrix(reports)}\n{END}{after}"
    if write:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if text == page:
        return 0
    sys.stderr.write("docs/sweep.md is stale: run python docs/make_sweep.py --write\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
