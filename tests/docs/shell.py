"""A reader who types the console blocks of a page, a command at a time, and compares what comes with the page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests import processes

PRINTED = "http://127.0.0.1:4280"
"""The address of the mock that the pages print."""
TIMEOUT_S = 60.0
QUIET = ("-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
"""Other pytest plugins of this environment take time only."""
PROGRAMS: Mapping[str, Sequence[str]] = {
    "novita-mock": ("-m", "mockserver"),
    "novita-conformance": ("-m", "conformance"),
    "novita-reference": ("-m", "reference_impl"),
    "pytest": ("-m", "pytest", *QUIET),
    "python": (),
}
"""What the pages call, and the arguments with which this Python does it."""

VARIES = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
    (r"\b[0-9a-f]{12,}\b", "HEX"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?", "TIME"),
    (r"\b\d{13}\b", "MS"),
    (r"\b\d+(\.\d+)? (ms|s)\b", "TOOK"),
    (r"127\.0\.0\.1:\d+", "HERE"),
    (r"msg_[0-9a-f]{16}", "DELIVERY"),
)
"""What differs from run to run, and what is compared in its place."""


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a console block, and the output that the page shows for it ("" where it shows none)."""

    command: str
    output: str


def steps(block: str) -> Iterator[Step]:
    """The commands of a block: lines behind `$` with what belongs to them, or every line where no `$` is."""
    if not re.search(r"^\$ ", block, re.M):
        block = "".join(f"$ {line}\n" for line in block.replace("\\\n", " ").splitlines())
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        lines = part.rstrip("\n").split("\n")
        length = 1
        if here := re.search(r"<<'?(\w+)'?", lines[0]):
            length = lines.index(here[1]) + 1
        while not _complete("\n".join(lines[:length])):
            length += 1
        yield Step("\n".join(lines[:length]), "\n".join(lines[length:]))


def _complete(command: str) -> bool:
    """Whether a command ends here: quotes closed, no backslash at its end."""
    if "<<" in command:
        return True
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return not command.endswith("\\")


def same(shown: str, came: str) -> bool:
    """Whether output is what a page shows, up to spaces, what varies, and what `…` leaves out."""
    shown = re.sub(r"\b[0-9a-f]{8}-…", "ID", shown)
    pattern = ".*?".join(re.escape(_plain(part)) for part in re.split(r"…|^\.\.\.$", shown, flags=re.M))
    return re.fullmatch(pattern, _plain(came), re.S) is not None


def _plain(text: str) -> str:
    for pattern, word in VARIES:
        text = re.sub(pattern, word, text)
    return re.sub(r"\s+", "", text)


@dataclass(slots=True)
class Reader:
    """A shell in a folder of its own. A server that a page starts in the foreground runs beside it until the end.

    Attributes:
        folder: where commands run.
        instead: commands or parts of them, and what is typed in their place.
        kept: a text of the page, and the pattern whose first group, found in an output, stands for it from then on.
        codes: commands that end with another code than 0, by how they begin.
    """

    folder: Path
    instead: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, int] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict, init=False)
    _servers: list[subprocess.Popen[str]] = field(default_factory=list, init=False)
    _shell: subprocess.Popen[str] = field(init=False)

    def __enter__(self) -> Self:
        """Starts the shell, with our programs in front of all others."""
        programs = self.folder / ".programs"
        programs.mkdir()
        for name, arguments in PROGRAMS.items():
            line = shlex.join([sys.executable, *arguments])
            (programs / name).write_text(f'#!/bin/sh\nexec {line} "$@"\n', encoding="utf-8")
            (programs / name).chmod(0o755)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("NOVITA_")}  # noqa: TID251  # a child inherits the environment
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=self.folder,
            env={**inherited, "PATH": f"{programs}{os.pathsep}{inherited['PATH']}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the shell and the servers."""
        for process in (self._shell, *self._servers):
            process.terminate()
            process.communicate(timeout=TIMEOUT_S)

    def begin_with(self, *flags: str) -> str:
        """Starts a mock that the page takes for given, and gives its address."""
        process, url = processes.start(*flags, cwd=self.folder)
        self._servers.append(process)
        self._known[PRINTED] = url
        return url

    def meant(self, shown: str) -> str:
        """What stands for a text of the page by now.

        Raises:
            KeyError: nothing does.
        """
        return self._known[shown]

    def follow(self, block: str) -> None:
        """Types a console block.

        Raises:
            AssertionError: a command did not end as it should, or said something else than the page.
        """
        for step in steps(block):
            self.type(step)

    def type(self, step: Step) -> None:
        """Types one command, or does what it says where that takes a place of its own."""
        words = shlex.split(step.command.partition("\n")[0].partition("<<")[0].replace("'", "").replace('"', ""))
        if words[:2] == ["pip", "install"]:
            return  # whoever runs this has done so
        if words[:2] == ["novita-mock", "serve"]:
            self.begin_with(*words[2:])
            return
        if words[0] == "novita-mock" and (len(words) == 1 or words[1].startswith("-")):
            beside = words[-1] == "&"
            self.begin_with(*words[1 : -1 if beside else None])
            assert beside or same(step.output, f"Ready. {PRINTED}"), step.output
            return
        code, came = self.run(self._known_in(step.command))
        wanted = next((code for start, code in self.codes.items() if step.command.startswith(start)), 0)
        assert code == wanted, f"{step.command}\nended with {code}:\n{came}"
        if step.output:
            assert same(step.output, came), f"{step.command}\nthe page shows:\n{step.output}\ncame:\n{came}"
        for text, pattern in self.kept.items():
            if found := re.search(pattern, came):
                self._known.setdefault(text, found[1])

    def run(self, command: str) -> tuple[int, str]:
        """Exit code and output of a command."""
        script = self.folder / ".programs" / "command"
        script.write_text(command + "\n", encoding="utf-8")
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        too_late = threading.Timer(TIMEOUT_S, self._shell.kill)
        too_late.start()
        self._shell.stdin.write(f'. {shlex.quote(str(script))} </dev/null\nprintf "\\nENDED %s\\n" $?\n')
        self._shell.stdin.flush()
        lines: list[str] = []
        for line in self._shell.stdout:
            if line.startswith("ENDED "):
                break
            lines.append(line)
        too_late.cancel()
        assert line.startswith("ENDED "), f"{command}\nwas not done after {TIMEOUT_S} s:\n{''.join(lines)}"
        return int(line.split()[1]), "".join(lines).removesuffix("\n")

    def _known_in(self, command: str) -> str:
        for shown, typed in (*self.instead.items(), *self._known.items()):
            command = command.replace(shown, typed)
        return command
