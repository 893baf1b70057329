"""The GitHub Action: what its steps say is whole, and its script does what it promises, against a mock on this machine.

The script runs under the shell that a runner uses. Only what needs a network is stood in for: `python -m venv` gives a
folder whose pip writes down what it was asked for, and whose command is the one of this environment.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mockserver.core.clock import ClockMode
from mockserver.running import ServerThread
from mockserver.settings import Settings

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""What a runner starts for `shell: bash`."""
STAND_IN = """#!/bin/sh
# python -m venv FOLDER
mkdir -p "$3/bin"
printf '#!/bin/sh\\nprintf "%%s\\\\n" "$@" >> "%s"\\n' "$ASKED_OF_PIP" > "$3/bin/pip"
printf '#!/bin/sh\\nexec "%s" -m conformance "$@"\\n' "$REAL_PYTHON" > "$3/bin/novita-conformance"
chmod +x "$3/bin/pip" "$3/bin/novita-conformance"
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A mock whose clock the suite moves."""
    with ServerThread(Settings(clock=ClockMode.parse("manual"))) as server:
        yield server.url


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a step left behind."""

    code: int
    said: str
    outputs: dict[str, str]
    summary: str
    asked_of_pip: list[str]

    @property
    def folder(self) -> Path:
        """Where its reports are."""
        return Path(self.outputs["folder"])


def run_step(folder: Path, **inputs: str) -> Ran:
    """Runs the script of the step `run` with inputs, as a runner would."""
    [step] = [step for step in STEPS if step.get("id") == "run"]
    known = {name: str(found.get("default", "")) for name, found in ACTION["inputs"].items()} | inputs
    given = {name: _filled(value, known) for name, value in step["env"].items()}
    commands = folder / "commands"
    commands.mkdir()
    python = commands / "python"
    python.write_text(STAND_IN)
    python.chmod(0o755)
    paths = {name: folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "ASKED_OF_PIP", "script.sh")}
    for path in paths.values():
        path.touch()
    paths["script.sh"].write_text(step["run"])
    env = {
        "PATH": f"{commands}:{os.defpath}",
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "REAL_PYTHON": sys.executable,
        "RUNNER_TEMP": str(folder / "runner temp"),
        "GITHUB_ACTION_PATH": str(ROOT),
        **{name: str(path) for name, path in paths.items() if name.isupper()},
        **given,
    }
    (folder / "runner temp").mkdir()
    done = subprocess.run(
        [*SHELL, str(paths["script.sh"])], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    lines = paths["GITHUB_OUTPUT"].read_text().splitlines()
    return Ran(
        code=done.returncode,
        said=done.stdout + done.stderr,
        outputs=dict(line.split("=", 1) for line in lines),
        summary=paths["GITHUB_STEP_SUMMARY"].read_text(),
        asked_of_pip=paths["ASKED_OF_PIP"].read_text().splitlines(),
    )


def _filled(value: str, inputs: dict[str, str]) -> str:
    return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: inputs[found[1]], value)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def test_each_expression_names_something_that_exists_and_each_input_is_used() -> None:
    said = "\n".join(_texts(ACTION))
    names = set(re.findall(r"\binputs\.([\w-]+)", said))
    assert names == set(ACTION["inputs"])
    written = set(re.findall(r'echo "([\w-]+)=.*GITHUB_OUTPUT', said))
    assert set(re.findall(r"steps\.run\.outputs\.([\w-]+)", said)) == written == set(ACTION["outputs"])


def test_each_step_either_uses_a_pinned_action_or_says_its_shell() -> None:
    assert ACTION["runs"]["using"] == "composite"
    for step in STEPS:
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "actions/none@v0"))
        assert step.get("shell", "bash") == "bash"
        assert "run" not in step or "shell" in step


def test_no_input_stands_in_a_script_where_a_shell_would_read_it() -> None:
    """They come as variables, so that a value is never taken for a command."""
    assert all("${{" not in step.get("run", "") for step in STEPS)


def test_a_conformant_server_passes_with_all_reports(url: str, tmp_path: Path) -> None:
    key = "sk-mock-action"
    ran = run_step(tmp_path, **{"target": url, "api-key": key, "args": "--only V3-MODEL-001 --only V3-AUTH-002"})
    assert ran.code == 0, ran.said
    assert ran.outputs["exit-code"] == "0"
    names = {path.name for path in ran.folder.iterdir()}
    assert names == {"events.jsonl", "report.json", "report.html", "junit.xml", "badge.svg", "summary.md"}
    report = json.loads((ran.folder / "report.json").read_text())
    assert [one["id"] for one in report["requirements"]] == ["V3-AUTH-002", "V3-MODEL-001"]
    assert "Conformance: conformant" in ran.summary
    assert ran.asked_of_pip == ["install", "--quiet", f"{ROOT}[conformance]"]
    assert key not in ran.said + ran.summary


def test_a_version_is_what_pip_installs_and_a_second_key_is_used(url: str, tmp_path: Path) -> None:
    more = {
        "version": "novita-mock[conformance]==0.1.0",
        "second-key": "sk-mock-action-two",
        "args": "--only V3-AUTH-006",
    }
    ran = run_step(tmp_path, **{"target": url, "api-key": "sk-mock-action"}, **more)
    assert ran.code == 0, ran.said
    assert ran.asked_of_pip[-1] == "novita-mock[conformance]==0.1.0"


@pytest.mark.parametrize(
    ("target", "flags", "code"),
    [
        ("", "--only V3-AUTH-006", 4),
        ("", "--only V9", 2),
        ("", "--only V3-MODEL-001 --max-requests 0", 4),
        ("http://127.0.0.1:9", "--only V3-MODEL-001", 3),
    ],
)
def test_the_step_ends_with_the_exit_code_of_the_run(
    url: str, tmp_path: Path, target: str, flags: str, code: int
) -> None:
    ran = run_step(tmp_path, **{"target": target or url, "api-key": "sk-mock-action", "args": flags})
    assert ran.code == code, ran.said
    assert ran.outputs["exit-code"] == str(code)
    assert bool(ran.summary) is (code != 2)
