"""Completion in shells, asked as a shell asks: the printed script is loaded by a real bash, by zsh and fish if there.

The programs are started by their scripts, so that what is measured and tested is what people have.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mockserver.scenarios import names
from mockserver.sweep.cases import CASES
from openapi.requirements import load_requirements

PROGRAMS = ("novita-mock", "novita-conformance", "novita-reference")
BIN = Path(sys.executable).parent
SHELLS = [shell for shell in ("bash", "zsh", "fish") if shutil.which(shell)]
ASKING = """
source "$1"; shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMPREPLY=()
compopt() { OPTIONS="$OPTIONS $*"; }
$(complete -p %(program)s | sed 's/.*-F \\([^ ]*\\) .*/\\1/') %(program)s
printf '%%s\\n' "${COMPREPLY[@]}"
printf '%%s' "$OPTIONS" >&2
"""
"""What bash does with a line when the key is pressed: the function of the program is called with the words of the line.
Readline's own part, `compopt`, is stood in for."""
HEAVY = ("yaml", "httpx", "starlette", "uvicorn", "PIL", "schemathesis", "hypothesis", "torch", "jsonschema_rs", "rich")


def environment() -> dict[str, str]:
    """Ours, with the programs first on the path."""
    return {**os.environ, "PATH": f"{BIN}:{os.defpath}"}  # noqa: TID251  # a child inherits the environment


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The script of each program for bash, printed once."""
    folder = tmp_path_factory.mktemp("completion")
    for program in PROGRAMS:
        with (folder / program).open("w") as file:
            subprocess.run([program, "completion", "bash"], stdout=file, env=environment(), timeout=60, check=True)
    return {program: folder / program for program in PROGRAMS}


def completed(scripts: Mapping[str, Path], line: str) -> list[str]:
    """What bash offers at the end of a line."""
    words = line.replace("=", " = ").split(" ")  # as bash does: `=` is a word of its own
    words = [word for index, word in enumerate(words) if word or index == len(words) - 1]
    done = subprocess.run(
        ["bash", "--norc", "-c", ASKING % {"program": words[0]}, "bash", str(scripts[words[0]]), *words],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=True,
    )
    assert "Traceback" not in done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("novita-mock ", ["serve", "run", "doctor", "completion", "scenario"]),
        ("novita-mock doc", ["doctor"]),
        ("novita-mock --clo", ["--clock"]),
        ("novita-mock --clock ", ["real", "auto", "manual"]),
        ("novita-mock --clock=ma", ["manual"]),
        ("novita-mock serve --log-format ", ["text", "json"]),
        ("novita-mock scenario ", ["list", "show", "check", "schema"]),
        ("novita-mock run --scenario lost", ["lost-acknowledgement"]),
        ("novita-mock coverage x --min err", ["errors=100"]),
        ("novita-conformance ", ["run", "explain", "mutant", "completion"]),
        ("novita-conformance explain V3-AUTH-00", [f"V3-AUTH-00{number}" for number in range(1, 9)]),
        ("novita-conformance run http://127.0.0.1:1 --only=v3-auth", ["V3-AUTH", "V3-AUTH-001"]),
        ("novita-conformance run http://127.0.0.1:1 --report jun", ["junit=junit.xml"]),
        ("novita-conformance list --profile v3-c", ["v3-core", "v3-control"]),
        ("novita-conformance mutant body-bef", ["body-before-key"]),
        ("novita-reference ", ["serve", "train", "completion"]),
        ("novita-reference serve --device ", ["auto", "cpu", "cuda"]),
        ("novita-reference train --sta", ["--stage"]),
    ],
)
def test_bash_offers_the_words_that_fit(scripts: Mapping[str, Path], line: str, some: list[str]) -> None:
    found = completed(scripts, line)
    assert set(some) <= set(found)
    beginning = line.replace("=", " ").rpartition(" ")[2].lower()
    assert all(word.lower().startswith(beginning) for word in found)


def test_closed_lists_are_whole(scripts: Mapping[str, Path]) -> None:
    assert completed(scripts, "novita-mock scenario show ") == list(names())
    assert completed(scripts, "novita-mock --scenario ") == list(names())
    assert completed(scripts, "novita-mock sweep --only ") == [case.id for case in CASES]
    assert completed(scripts, "novita-conformance explain ") == [row.id for row in load_requirements()]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_that_is_here_takes_its_script(program: str, shell: str) -> None:
    """Loaded by the shell itself, which finds no mistake in it."""
    script = (
        f'autoload -Uz compinit && compinit -u; eval "$({program} completion zsh)"'
        if shell == "zsh"
        else (f"{program} completion {shell} | source" if shell == "fish" else f'eval "$({program} completion bash)"')
    )
    done = subprocess.run(
        [shell, "-c", script], capture_output=True, text=True, env=environment(), timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_unknown_shell_is_told(program: str) -> None:
    done = subprocess.run(
        [program, "completion", "tcsh"], capture_output=True, text=True, env=environment(), timeout=60, check=False
    )
    assert done.returncode == 2
    assert "zsh" in done.stderr


def asked_in_python(module: str, words: Sequence[str]) -> str:
    """The modules that are loaded at the end of an answer to a shell."""
    program = (
        f"import sys; sys.argv = [{words[0]!r}]\n"
        f"import {module}.__main__\n"
        f"try: {module}.__main__.main()\n"
        f"except SystemExit: pass\n"
        f"print('LOADED', *{{name.partition('.')[0] for name in sys.modules}}, file=sys.stderr)"
    )
    name = {"mockserver": "NOVITA_MOCK", "conformance": "NOVITA_CONFORMANCE", "reference_impl": "NOVITA_REFERENCE"}[
        module
    ]
    asking = {f"_{name}_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**environment(), **asking},
        timeout=60,
        check=True,
    )
    assert done.stdout.strip()
    return done.stderr


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("mockserver", ["novita-mock", ""]),
        ("mockserver", ["novita-mock", "--scenario", ""]),
        ("mockserver", ["novita-mock", "sweep", "--only", ""]),
        ("conformance", ["novita-conformance", ""]),
        ("conformance", ["novita-conformance", "explain", "V3"]),
        ("reference_impl", ["novita-reference", ""]),
        ("reference_impl", ["novita-reference", "train", "--stage", ""]),
    ],
)
def test_nothing_heavy_is_loaded_for_an_answer(module: str, words: list[str]) -> None:
    """It is asked for at every press of the key."""
    loaded = set(asked_in_python(module, words).rpartition("LOADED ")[2].split())
    assert loaded.isdisjoint(HEAVY)
