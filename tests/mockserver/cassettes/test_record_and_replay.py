"""Jobs of a server of ours, recorded over HTTP and played again, by the commands."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockserver.core.clock import ClockMode
from mockserver.core.fleet import FleetSettings
from mockserver.pictures import decode
from mockserver.running import ServerThread
from mockserver.settings import Settings
from tests.bodies import txt2img
from tests.mockserver.programs.running import DRAWING, called, novita_mock

KEY = "sk-live-0123456789abcdefghij"
LIVE = ("--live", "--max-usd", "0.05")


@pytest.fixture
def upstream() -> Iterator[ServerThread]:
    """A service: tasks of half a second."""
    with ServerThread(Settings(clock=ClockMode.parse("real"), fleet=FleetSettings(task_ms=500))) as server:
        yield server


def record(folder: Path, upstream: ServerThread, *arguments: str) -> Any:
    """Records what a program does."""
    return called("record", "--upstream", upstream.url, *arguments, cwd=folder, env={"NOVITA_API_KEY": KEY})


def cassette_in(folder: Path) -> dict[str, Any]:
    [file] = (folder / "cassettes").glob("*.cassette.json")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_a_job_is_recorded_without_secrets_and_played_again(tmp_path: Path, upstream: ServerThread) -> None:
    done = record(tmp_path, upstream, *LIVE, "--", *DRAWING, "out.png")
    assert done.returncode == 0, done.stderr
    assert "1 cassette in cassettes; 0.0015 USD by the price table" in done.stderr
    found = cassette_in(tmp_path)
    assert found["ending"]["status"] == "TASK_STATUS_SUCCEED"
    assert found["ending"]["pictures"][0]["width"] == 256
    assert found["polls"][0]["status"] == "TASK_STATUS_QUEUED"
    text = json.dumps(found)
    assert KEY not in text
    assert "http" not in text

    audited = called("cassette", "audit", "cassettes", cwd=tmp_path)
    assert (audited.returncode, audited.stdout) == (0, "1 cassette, 0 leftovers\n")

    again = called("replay", "cassettes", "--", *DRAWING, "again.png", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    first, second = ((tmp_path / name).read_bytes() for name in ("out.png", "again.png"))
    assert decode(first) == decode(second)


def test_kept_pictures_come_back_byte_for_byte(tmp_path: Path, upstream: ServerThread) -> None:
    record(tmp_path, upstream, *LIVE, "--keep-pictures", "--", *DRAWING, "out.png")
    [kept] = (tmp_path / "cassettes").glob("*.png")
    kept.write_bytes(kept.read_bytes() + b"IEND\xaeB`\x82")  # another picture than the mock would draw
    again = called("replay", "cassettes", "--", *DRAWING, "again.png", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again.png").read_bytes() == kept.read_bytes()


def test_a_failed_job_fails_again(tmp_path: Path, upstream: ServerThread) -> None:
    rules = {"point": "finish", "effect": {"fail": "out of memory"}, "times": 1}
    headers = {"authorization": f"Bearer {KEY}"}
    assert httpx.post(f"{upstream.url}/__mock/faults", json=rules, headers=headers).status_code == 200
    assert record(tmp_path, upstream, *LIVE, "--", *DRAWING, "out.png").returncode == 1
    again = novita_mock("replay", "cassettes", "--", *DRAWING, "again.png", cwd=tmp_path)
    assert "the task failed: out of memory" in again.stderr


def test_a_request_on_no_cassette_is_refused_with_what_differs_or_simulated(
    tmp_path: Path, upstream: ServerThread
) -> None:
    record(tmp_path, upstream, *LIVE, "--", *DRAWING, "out.png")
    [file] = (tmp_path / "cassettes").glob("*.cassette.json")
    found = json.loads(file.read_text())
    file.write_text(json.dumps({**found, "match": "0" * 32, "request": {**found["request"], "request.steps": 25}}))

    refused = called("replay", "cassettes", "--", *DRAWING, "again.png", cwd=tmp_path)
    assert refused.returncode == 1
    assert "1 submit on no cassette" in refused.stderr
    assert f"not played: {file.name}" in refused.stderr
    simulated = called("replay", "--unknown", "simulate", "cassettes", "--", *DRAWING, "again.png", cwd=tmp_path)
    assert simulated.returncode == 0


def test_a_program_with_the_vendors_address_built_in_is_played_to(tmp_path: Path, upstream: ServerThread) -> None:
    record(tmp_path, upstream, *LIVE, "--", *DRAWING, "out.png")
    program = (*DRAWING, "again.png", "https://api.novita.ai")
    again = called("replay", "--intercept", "cassettes", "--", *program, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    first, second = ((tmp_path / name).read_bytes() for name in ("out.png", "again.png"))
    assert decode(first) == decode(second)


def test_a_proxy_without_a_program_is_wrong_usage(tmp_path: Path) -> None:
    done = called("replay", "--intercept", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "expected CMD after CASSETTES" in done.stderr


def test_a_program_that_never_calls_the_recorder_is_told(tmp_path: Path, upstream: ServerThread) -> None:
    done = record(tmp_path, upstream, *LIVE, "--", sys.executable, "-c", "pass")
    assert "no call reached the recorder" in done.stderr


def test_what_would_cost_too_much_is_not_sent(tmp_path: Path, upstream: ServerThread) -> None:
    done = record(tmp_path, upstream, "--live", "--max-usd", "0.001", "--", *DRAWING, "out.png")
    assert done.returncode == 1
    assert "1 submit not sent, beyond --max-usd" in done.stderr
    assert upstream.call(lambda: sum(world.created for world in upstream.mock.worlds)) == 0


@pytest.mark.parametrize("flags", [(), ("--live",), ("--max-usd", "1")])
def test_nothing_is_sent_without_saying_so_and_how_much(
    tmp_path: Path, upstream: ServerThread, flags: tuple[str, ...]
) -> None:
    done = record(tmp_path, upstream, *flags, "--", *DRAWING, "out.png")
    assert done.returncode == 2
    assert "they cost money" in done.stderr
    assert upstream.call(lambda: len(upstream.mock.worlds)) == 0


@pytest.mark.parametrize(
    "url", ["http://api.example.test", "ftp://api.example.test", "https://u:p@api.example.test", "x"]
)
def test_a_key_is_never_sent_in_the_clear(tmp_path: Path, url: str) -> None:
    done = called("record", "--upstream", url, *LIVE, "--", "true", cwd=tmp_path)
    assert done.returncode == 2


def test_only_operations_of_the_contract_are_passed_on(tmp_path: Path, upstream: ServerThread) -> None:
    shell = 'curl -s $NOVITA_API_URI/v3/user -H "Authorization: Bearer $NOVITA_API_KEY" -o answer.json'
    assert record(tmp_path, upstream, *LIVE, "--", "sh", "-c", shell).returncode == 0
    assert json.loads((tmp_path / "answer.json").read_text())["reason"] == "API_NOT_FOUND"
    assert upstream.call(lambda: upstream.mock.outside.written) == 0


def test_an_event_is_recorded_and_passed_on(tmp_path: Path, upstream: ServerThread) -> None:
    came: list[dict[str, Any]] = []
    arrived = threading.Event()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()
            arrived.set()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    receiver = HTTPServer(("127.0.0.1", 0), Receiver)
    serving = threading.Thread(target=receiver.serve_forever, daemon=True)
    serving.start()
    body = txt2img(extra={"webhook": {"url": f"http://127.0.0.1:{receiver.server_port}/hook"}})
    (tmp_path / "body.json").write_text(json.dumps(body))
    (tmp_path / "wait.sh").write_text(
        'curl -s $NOVITA_API_URI/v3/async/txt2img -H "Authorization: Bearer $NOVITA_API_KEY" '
        "-H 'Content-Type: application/json' -d @body.json\n"
        "n=0; until ls cassettes/*.json 2>/dev/null || [ $n -gt 200 ]; do n=$((n+1)); "
        "curl -s --max-time 0.1 $NOVITA_API_URI/v3/model -o /dev/null; done\n"
    )
    done = record(tmp_path, upstream, *LIVE, "--", "sh", "wait.sh")
    receiver.shutdown()
    receiver.server_close()

    assert arrived.is_set(), done.stderr
    assert came[0]["event_type"] == "ASYNC_TASK_RESULT"
    found = cassette_in(tmp_path)
    assert found["webhook"]["event_type"] == "ASYNC_TASK_RESULT"
    assert found["ending"]["status"] == "TASK_STATUS_SUCCEED"
    assert "hook" not in json.dumps(found["request"])


def test_flags_behind_the_folder_are_told_where_they_belong(tmp_path: Path) -> None:
    (tmp_path / "cassettes").mkdir()
    done = called("replay", "cassettes", "--clock", "real", cwd=tmp_path)
    assert (done.returncode, "stand before CASSETTES" in done.stderr) == (2, True)


def test_a_folder_without_cassettes_is_told(tmp_path: Path) -> None:
    (tmp_path / "cassettes").mkdir()
    for command in (["replay", "cassettes"], ["cassette", "audit", "cassettes"]):
        done = called(*command, cwd=tmp_path)
        assert (done.returncode, "no cassette there" in done.stderr) == (2, True)
