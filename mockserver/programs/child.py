"""Runs a program as a shell would: its own terminal and files, our signals passed on, its exit code handed back."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

NOT_FOUND = 127
NOT_EXECUTABLE = 126
BY_SIGNAL = 128
"""Added to the signal's number, as shells do."""

_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT")
_FROM_TERMINAL = ("SIGINT", "SIGQUIT")
"""A terminal sends these to the whole group, so that the program has them already."""


class CannotRun(Exception):
    """The program cannot be started; the message says why.

    Attributes:
        exit_code: what a shell would end with.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def inherited() -> dict[str, str]:
    """The variables that a program inherits."""
    return dict(os.environ)  # noqa: TID251  # a child inherits the environment; none of it is a setting of ours


def run_program(command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> int:
    """Runs a program to its end, with our own input and output.

    Args:
        command: program and arguments.
        environment: all its variables.
        folder: its working folder; None: ours.

    Returns:
        Its exit code; 128 and more for one that a signal ended.

    Raises:
        CannotRun: it cannot be started.
    """
    process = start_program(command, environment, folder)
    with _passing_on(process):
        code = process.wait()
    return exit_code(code)


def start_program(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path | None = None,
    *,
    output: int | None = None,
    errors: int | None = None,
    apart: bool = False,
) -> subprocess.Popen[bytes]:
    """Starts a program.

    Args:
        command: program and arguments.
        environment: all its variables.
        folder: its working folder; None: ours.
        output: descriptor of a file for what it prints; None: where we print.
        errors: the same for its complaints.
        apart: it reads nothing, and its processes are a group of their own, so that they can be ended together.

    Raises:
        CannotRun: it cannot be started.
    """
    try:
        return subprocess.Popen(
            list(command),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL if apart else None,
            stdout=output,
            stderr=errors,
            start_new_session=apart,
        )
    except FileNotFoundError:
        raise CannotRun(f"{command[0]}: command not found", NOT_FOUND) from None
    except OSError as error:
        raise CannotRun(f"{command[0]}: {error.strerror}", NOT_EXECUTABLE) from None
    except ValueError:
        raise CannotRun("the command holds a byte 0, which no command can", NOT_EXECUTABLE) from None


def exit_code(returned: int) -> int:
    """A process's return code as a shell tells it."""
    return BY_SIGNAL - returned if returned < 0 else returned


@contextmanager
def _passing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Passes our signals on to a process."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        del frame
        if number not in from_terminal or not _in_the_foreground():
            process.send_signal(number)

    from_terminal = {getattr(signal, name) for name in _FROM_TERMINAL if hasattr(signal, name)}
    numbers = [*from_terminal, *(getattr(signal, name) for name in _PASSED_ON if hasattr(signal, name))]
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_the_foreground() -> bool:
    """Whether a terminal sends its signals to us, and so to the program too."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
