"""`doctor --url` against mocks that run, and against what is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mockserver.doctor import trying
from mockserver.doctor.trying import tried
from mockserver.doctor.values import Level, Line
from mockserver.parts.wall import SystemWall
from mockserver.running import ServerThread
from mockserver.scenarios import shipped
from mockserver.settings import Settings

KEY = "sk-mock-doctor-test"
STEPS = ["mock", "submit", "poll", "picture", "receipt", "webhook"]


def told(url: str, *, key: str = KEY, own_world: bool = True) -> list[Line]:
    """What is said of a mock."""
    return list(tried(url, key=key, own_world=own_world, wall=SystemWall()))


@pytest.mark.parametrize("clock", ["real", "manual", "auto"])
def test_a_mock_is_tried_from_submit_to_webhook_on_any_clock(clock: str) -> None:
    from mockserver.core.clock import ClockMode

    with ServerThread(Settings(clock=ClockMode.parse(clock))) as server:
        lines = told(server.url)
        assert [line.id for line in lines] == STEPS
        assert {line.level for line in lines} == {Level.OK}
        assert server.call(lambda: server.mock.worlds) == [], "its world is forgotten"


def test_a_mock_with_listed_keys_needs_one_and_its_world_stays() -> None:
    with ServerThread(Settings(keys=frozenset({KEY}))) as server:
        refused = told(server.url, key="sk-mock-other")
        assert [(line.id, line.level) for line in refused] == [("mock", Level.OK), ("world", Level.PROBLEM)]
        assert "--key" in refused[-1].do
        assert [line.id for line in told(server.url, own_world=False)] == STEPS
        assert len(server.call(lambda: server.mock.worlds)) == 1


def test_links_that_lead_elsewhere_are_told_and_not_followed() -> None:
    with ServerThread(Settings(public_base_url="http://pictures.example")) as server:
        lines = {line.id: line for line in told(server.url)}
    assert lines["picture"].level is Level.WARNING
    assert "pictures.example" in lines["picture"].text


def test_a_scenario_is_named_before_what_it_makes_of_the_try() -> None:
    with ServerThread(Settings(scenario=shipped("rate-limited"))) as server:
        lines = told(server.url)
    assert lines[1].level is Level.NOTE
    assert "rate-limited" in lines[1].text


def test_a_webhook_that_does_not_come_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "EVENT_TIMEOUT_S", 0.2)
    with ServerThread(Settings(scenario=shipped("webhook-never"))) as server:
        lines = {line.id: line for line in told(server.url)}
    assert lines["webhook"].level is Level.WARNING


@contextmanager
def something_else(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """A server that is no mock, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path} {self.headers.get('authorization')}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"welcome"), (404, b"{}"), (200, b'{"name": "other"}'), (200, b"[]")]
)
def test_what_is_no_mock_gets_one_question_and_no_key(status: int, body: bytes) -> None:
    with something_else(status, body) as (url, asked):
        [line] = told(url)
    assert line.level is Level.PROBLEM
    assert asked == ["GET /__mock/version None"]


def test_nothing_is_sent_to_the_paid_service(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(url: str) -> None:
        raise AssertionError(url)

    monkeypatch.setattr(trying, "ask", ask)
    for host in ("api.novita.ai", "API.novita.ai.", "other.novita.ai"):
        [line] = told(f"https://{host}")
        assert line.level is Level.PROBLEM


def test_nobody_there_is_told() -> None:
    [line] = told("http://127.0.0.1:9")
    assert line.level is Level.PROBLEM
    assert "nobody" in line.text


# The command


def doctor(folder: Path, *flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NOVITA_")}  # noqa: TID251
    return subprocess.run(
        [sys.executable, "-m", "mockserver", "doctor", *flags],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**inherited, "PATH": f"{Path(sys.executable).parent}:{os.defpath}", **variables},
        timeout=120,
        check=False,
    )


def test_the_exit_code_is_that_of_the_worst_line(tmp_path: Path) -> None:
    with ServerThread(Settings()) as server:
        fine = doctor(tmp_path, "--url", server.url, NOVITA_API_URI=server.url, NOVITA_API_KEY="sk-secret-key")
    assert fine.returncode == 0, fine.stdout + fine.stderr
    assert "Nothing to do" in fine.stdout
    assert "sk-secret-key" not in fine.stdout
    worse = doctor(tmp_path, NOVITA_MOCK_PROT="1", NOVITA_MOCK_PORT="0")
    assert worse.returncode == 1
    assert "did you mean NOVITA_MOCK_PORT?" in worse.stdout
    worst = doctor(tmp_path, NOVITA_MOCK_CLOCK="fast", NOVITA_MOCK_PORT="0")
    assert worst.returncode == 2
    assert "Traceback" not in worst.stderr


def test_the_json_says_the_same(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--json", "--port", "0", NOVITA_MOCK_WORKERS="none")
    told = json.loads(done.stdout)
    lines = [line for section in told["sections"] for line in section["lines"]]
    assert told["exit_code"] == done.returncode == 2
    assert sum(told["counts"].values()) == len(lines)
    assert {line["level"] for line in lines} <= {level.value for level in Level}
    assert all(line["do"] for line in lines if line["level"] in ("warning", "problem"))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--url", "127.0.0.1:4280"), "expected an address"),
        (("--url", "http://127.0.0.1:4280/v3"), "expected no path"),
        (("--url", "http://127.0.0.1:port"), "Invalid value"),
        (("--key", "sk-x"), "--url"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    done = doctor(tmp_path, *flags)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
