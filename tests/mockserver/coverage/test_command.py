"""`novita-mock coverage` in a process of its own: what it prints, writes and exits with."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest

from mockserver.coverage.file import write_report
from mockserver.coverage.wire import ReportError, as_json, dump, read_report
from tests import bodies
from tests.mockserver.coverage.client import Client

COMMAND = "from mockserver.coverage_commands import coverage; coverage(prog_name='novita-mock coverage')"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def shards(client: Client, tmp_path: Path) -> list[Path]:
    """Reports of two workers: one called txt2img, the other img2img."""
    found = []
    for name, operation_id in (("one", "createTxt2imgTask"), ("two", "createImg2imgTask")):
        client.coverage.clear()
        client.submit(bodies.img2img() if name == "two" else bodies.txt2img(), operation_id)
        found.append(tmp_path / f"{name}.json")
        write_report(client.coverage.report(), found[-1])
    return found


class Mock(BaseHTTPRequestHandler):
    """Answers as a mock does that counts coverage, that does not, and as something else."""

    report = b""

    def do_GET(self) -> None:
        """A report at one address, a problem at another, a page elsewhere."""
        status, body = {
            "/__mock/coverage": (200, self.report),
            "/off/__mock/coverage": (409, b'{"detail": "coverage is off; start the server with --coverage"}'),
        }.get(self.path, (404, b"<html>"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def url(client: Client) -> Iterator[str]:
    """The address of a server that has a report."""
    client.submit(bodies.txt2img())
    Mock.report = orjson.dumps(as_json(client.coverage.report()))
    with ThreadingHTTPServer(("127.0.0.1", 0), Mock) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_reports_of_files_are_added_up_and_shown(shards: list[Path]) -> None:
    done = run(*shards)
    assert done.returncode == 0, done.stderr
    assert "(v3, contract 1.0.0, 2 calls, 2 reports)" in done.stdout
    assert "2 of 4" in done.stdout


def test_a_running_server_and_a_file_are_added_up(url: str, shards: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "all.json"
    done = run(f"{url}/", shards[1], "--format", "json", "--output", out)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    merged = read_report(out.read_bytes(), "all.json")
    assert (merged.calls, merged.merged) == (2, 2)
    again = run(f"{url}/__mock/coverage", shards[1], "--format", "json")
    assert again.stdout == out.read_text()


def test_a_page_is_written(shards: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "coverage.html"
    assert run(shards[0], "--format", "html", "-o", page).returncode == 0
    assert page.read_text().startswith("<!doctype html>")


def test_what_is_complete_is_not_under_a_hundred(client: Client, tmp_path: Path) -> None:
    nothing = client.coverage.report()
    write_report(replace(nothing, counts=(1,) * len(nothing.items)), tmp_path / "all.json")
    assert run(tmp_path / "all.json", "--fail-under", "100").returncode == 0
    write_report(replace(nothing, counts=(0, *(1,) * (len(nothing.items) - 1))), tmp_path / "almost.json")
    assert run(tmp_path / "almost.json", "--fail-under", "100").returncode == 1


def test_it_fails_under_the_threshold_and_shows_the_report_all_the_same(shards: list[Path]) -> None:
    one = as_json(read_report(shards[0].read_bytes(), "one"))["percent"]
    assert run(shards[0], "--fail-under", str(one)).returncode == 0
    done = run(shards[0], "--fail-under", "99.5")
    assert done.returncode == 1
    assert f"coverage is {one} %, below --fail-under 99.5" in done.stderr
    assert done.stdout.startswith("Contract coverage")


def test_it_fails_under_the_minimum_of_a_dimension(shards: list[Path]) -> None:
    assert run(*shards, "--min", "operations=50", "--min", "models=0").returncode == 0
    done = run(*shards, "--min", "operations=51", "--min", "errors=1%")
    assert done.returncode == 1
    assert "operations is 50.0 %, below --min operations=51" in done.stderr
    assert "errors is 0.0 %, below --min errors=1" in done.stderr


def test_a_minimum_of_what_is_not_judged_fails_and_says_so(shards: list[Path]) -> None:
    done = run(shards[0], "--min", "v2-codes=10")
    assert done.returncode == 1
    assert "v2-codes has nothing to judge in v3; see --versions" in done.stderr
    assert run(shards[0], "--versions", "all", "--min", "v2-codes=0").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument"),
        (("x.json", "--fail-under", "many"), "expected a percentage from 0 to 100, got 'many'"),
        (("x.json", "--fail-under", "101"), "expected a percentage from 0 to 100, got '101'"),
        (("x.json", "--fail-under", "nan"), "expected a percentage from 0 to 100"),
        (("x.json", "--min", "colour=3"), "'colour' is no dimension; expected one of operations, parameters"),
        (("x.json", "--min", "errors"), "expected DIMENSION=PERCENT, as errors=80"),
        (("x.json", "--min", "errors=-1"), "expected DIMENSION=PERCENT, as errors=80; got errors=-1"),
        (("nowhere.json",), "nowhere.json: cannot be read (No such file or directory)"),
        (("http://127.0.0.1:1",), "http://127.0.0.1:1: no answer"),
        (("http://[",), "http://[: no answer"),
    ],
)
def test_bad_usage_exits_with_2_and_says_what_was_expected(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


def test_a_server_without_coverage_and_one_that_is_no_mock_exit_with_2(url: str) -> None:
    off, other = run(f"{url}/off"), run(f"{url}/other")
    assert (off.returncode, other.returncode) == (2, 2)
    assert "coverage is off; start the server with --coverage" in off.stderr
    assert "status 404; expected the address of a novita-mock" in other.stderr


def test_reports_of_other_contracts_exit_with_2(client: Client, shards: list[Path], tmp_path: Path) -> None:
    given = {**as_json(client.coverage.report()), "contract": "0.9.0"}
    old = tmp_path / "old.json"
    old.write_bytes(orjson.dumps(given))
    done = run(shards[0], old)
    assert done.returncode == 2
    assert f"{old} is about contract 0.9.0, {shards[0]} about 1.0.0: they cannot be added up" in done.stderr


def test_a_file_is_written_whole_or_refused(client: Client, tmp_path: Path) -> None:
    found = client.coverage.report()
    path = tmp_path / "new" / "report.json"
    write_report(found, path)
    assert path.read_bytes() == dump(found)
    assert [one.name for one in path.parent.iterdir()] == ["report.json"]
    with pytest.raises(ReportError, match="cannot be written"):
        write_report(found, path / "below-a-file.json")
