"""The environments of the vendor's own clients: one folder each under `.clients/`, made once from pinned lists.

`python -m tests.clients.environments` makes all of them (network needed, about a minute); `--check` only says what is
missing. The clients are installed as published: nothing of theirs is patched, and nothing of ours goes in.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = Path(__file__).resolve().parent / "locks"
FOLDER = ROOT / ".clients"
SET_UP = "python -m tests.clients.environments"


class Language(StrEnum):
    """What a client is written in; the value is the first half of its environment's name."""

    PYTHON = "python"
    NPM = "npm"


class MissingEnvironment(RuntimeError):
    """An environment is not there, or was made from an older list than the committed one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One client at one version, with everything it needs.

    Attributes:
        language: Python or JavaScript.
        version: of the client, as published.
        folder: where it is installed.
        package: what it is published as.
    """

    language: Language
    version: str
    folder: Path
    package: str

    @property
    def name(self) -> str:
        """Such as `python-0.7.1`."""
        return f"{self.language}-{self.version}"

    @property
    def locks(self) -> tuple[Path, ...]:
        """The committed files that say what goes in."""
        if self.language is Language.PYTHON:
            return (LOCKS / f"requirements-{self.name}.txt",)
        return (LOCKS / self.name / "package.json", LOCKS / self.name / "package-lock.json")

    @property
    def program(self) -> str:
        """The interpreter that sees the client."""
        return (
            str(self.folder / "bin" / "python") if self.language is Language.PYTHON else shutil.which("node") or "node"
        )

    @property
    def fingerprint(self) -> str:
        """Digest of the lists: an environment made from other ones is not this one."""
        return hashlib.sha256(b"\0".join(path.read_bytes() for path in self.locks)).hexdigest()

    @property
    def is_made(self) -> bool:
        """Whether it is complete and made from the committed lists."""
        mark = self.folder / ".made-from"
        return mark.is_file() and mark.read_text() == self.fingerprint

    def require(self) -> None:
        """Passes an environment that is ready.

        Raises:
            MissingEnvironment: it is not; the message names the command that makes it.
        """
        if not self.is_made:
            raise MissingEnvironment(f"the environment {self.name} is missing or out of date: run `{SET_UP}`")
        if self.language is Language.NPM and not shutil.which("node"):
            raise MissingEnvironment(f"{self.name} needs Node.js: no `node` is on the PATH")

    def make(self) -> None:
        """Installs the client from scratch; the mark comes last, so half an installation is not taken for one.

        Raises:
            subprocess.CalledProcessError: pip or npm failed; it has said why.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.language is Language.PYTHON:
            _run([sys.executable, "-m", "venv", str(self.folder)])
            _run([self.program, "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(self.locks[0])])
            _run([self.program, "-m", "pip", "check"])
        else:
            self.folder.mkdir(parents=True)
            for lock in self.locks:
                shutil.copy(lock, self.folder)
            _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], self.folder)
        (self.folder / ".made-from").write_text(self.fingerprint)


def _environment(language: Language, package: str, version: str) -> Environment:
    return Environment(language=language, version=version, folder=FOLDER / f"{language}-{version}", package=package)


PYTHON_V3 = _environment(Language.PYTHON, "novita-client", "0.7.1")
PYTHON_V2 = _environment(Language.PYTHON, "novita-client", "0.5.7")
PYTHON_CLI = _environment(Language.PYTHON, "novita", "0.1.0")
NPM_V3 = _environment(Language.NPM, "novita-sdk", "3.1.3")
NPM_V2 = _environment(Language.NPM, "novita-sdk", "1.1.0")
NPM_OLD = _environment(Language.NPM, "novita-sdk", "1.0.10")
"""Its lock holds an axios of its day, which asks a proxy for https URLs in the absolute form."""
ENVIRONMENTS = (PYTHON_V3, PYTHON_V2, PYTHON_CLI, NPM_V3, NPM_V2, NPM_OLD)


def _run(command: Sequence[str], folder: Path = ROOT) -> None:
    subprocess.run(command, cwd=folder, check=True)


def main(arguments: Sequence[str]) -> int:
    """Makes what is missing, or with `--check` only reports it.

    Returns:
        The exit code: 0 when every environment is ready, 1 when `--check` found one missing, 2 for other arguments.
    """
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"usage: {SET_UP} [--check]\n")
        return 2
    missing = [environment for environment in ENVIRONMENTS if not environment.is_made]
    for environment in ENVIRONMENTS:
        state = "missing" if environment in missing else "ready"
        sys.stdout.write(f"{environment.name:<14} {state}\n")
        if environment in missing and not arguments:
            sys.stdout.flush()
            environment.make()
            sys.stdout.write(f"{environment.name:<14} made in {environment.folder.relative_to(ROOT)}\n")
    return 1 if missing and arguments else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
