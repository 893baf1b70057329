"""Runs the mock and a client's driver as processes of their own, and reads what the driver saw.

Everything crosses a real loopback socket: the client meets the server as it meets the vendor's.
"""

from __future__ import annotations

import http.client
import json
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.clients.environments import ROOT, Environment, Language

START_S = 30.0
SCENARIO_S = 60.0
Report = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A program that uses one client.

    Attributes:
        environment: where the client is installed.
        name: of the program in tests/clients/drivers, without its ending.
    """

    environment: Environment
    name: str

    def command(self, scenario: str, folder: Path) -> list[str]:
        """The command line of one scenario."""
        if self.environment.language is Language.PYTHON:
            program = ["-m", f"tests.clients.drivers.{self.name}"]
        else:
            program = [str(ROOT / "tests" / "clients" / "drivers" / f"{self.name}.mjs")]
        return [self.environment.program, *program, scenario, str(folder)]

    @property
    def workplace(self) -> Path:
        """The working directory: Python finds the driver by it, Node finds the client by it."""
        return ROOT if self.environment.language is Language.PYTHON else self.environment.folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One test's conversation: a driver, the server, and a world of its own.

    Attributes:
        driver: the program.
        uri: of the mock.
        key: names the world.
        folder: where the pictures go.
    """

    driver: Driver
    uri: str
    key: str
    folder: Path

    def run(self, scenario: str, meanwhile: Callable[[Report], None] | None = None) -> Report:
        """Plays a scenario to its end.

        Args:
            scenario: its name in the driver.
            meanwhile: called with the interim report of a scenario that pauses; the driver goes on after it.

        Returns:
            The driver's last report.

        Raises:
            AssertionError: the driver failed; its traceback is in the message.
        """
        process = subprocess.Popen(
            self.driver.command(scenario, self.folder),
            cwd=self.driver.workplace,
            env={"NOVITA_API_URI": self.uri, "NOVITA_API_KEY": self.key, "NO_PROXY": "127.0.0.1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process, _killed_after(process, SCENARIO_S):
            if meanwhile is not None and process.stdout is not None:
                interim = process.stdout.readline()
                if interim:
                    meanwhile(json.loads(interim))
            output, complaint = process.communicate("go on\n")
        if process.returncode:
            raise AssertionError(f"{self.driver.name} {scenario} ended with {process.returncode}:\n{output}{complaint}")
        report: Report = json.loads(output.splitlines()[-1])
        return report

    def advance(self, seconds: int) -> None:
        """Moves the clock of this test's world."""
        status, text = self._control("POST", "/__mock/clock/advance", {"seconds": seconds})
        assert status == 200, text

    def _control(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        target = urlsplit(self.uri)
        assert target.hostname is not None
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=START_S)
        try:
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@contextmanager
def running_mock(folder: Path) -> Iterator[str]:
    """A mock on a free port with the `auto` clock; gives its address once it answers.

    Raises:
        AssertionError: it was not ready within 30 s; what it printed is in the message.
    """
    with (folder / "mock.err").open("w+") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "mockserver", "--port", "0", "--clock", "auto"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        lines: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=_drain, args=(process, lines), daemon=True)
        reader.start()
        try:
            yield _address(lines, folder / "mock.err")
        finally:
            process.terminate()
            process.wait(timeout=START_S)
            reader.join(timeout=START_S)
            if process.stdout is not None:
                process.stdout.close()


def _drain(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    """Reads to the end, so that a talkative server never waits for a full pipe."""
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put("")


def _address(lines: queue.Queue[str], complaints: Path) -> str:
    seen = []
    while line := _next_line(lines):
        seen.append(line)
        ready = re.search(r"Ready\. (http://\S+)", line)
        if ready:
            return ready[1].rstrip("/")
    raise AssertionError(f"the mock did not become ready:\n{''.join(seen)}{complaints.read_text()}")


def _next_line(lines: queue.Queue[str]) -> str:
    try:
        return lines.get(timeout=START_S)
    except queue.Empty:
        return ""


@contextmanager
def _killed_after(process: subprocess.Popen[str], seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
