"""Pages that are followed in a terminal: every command is typed in the page's order, and says what the page shows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.bodies import txt2img
from tests.docs.blocks import README, blocks
from tests.docs.following import KEY, app, follow
from tests.docs.shell import Reader, same, steps
from tests.docs.uses import SESSIONS


def test_every_session_has_its_test() -> None:
    """A page in the table is the page of a test here; the README has a name."""
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [page for page in SESSIONS if f'"{page}"' not in text and page != README] == []


def test_the_tutorial(tmp_path: Path) -> None:
    """From nothing to a tested picture; its order is the block that it says to save."""
    [order] = blocks("tutorial.md", "json")
    (tmp_path / "order.json").write_text(order.text, encoding="utf-8")
    with Reader(tmp_path) as reader:
        follow(reader, "tutorial.md")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_any_program(tmp_path: Path) -> None:
    (tmp_path / "draw.py").write_text(app(), encoding="utf-8")
    with Reader(tmp_path) as reader:
        follow(reader, "any-program.md")


def test_a_sweep(tmp_path: Path) -> None:
    """The failures that the page shows; all of them take half a minute, and tests/mockserver/sweep plays them."""
    text = app().replace('"again" in how', "True", 1).replace('"blind" not in how', "False")
    (tmp_path / "draw.py").write_text(text, encoding="utf-8")
    shown = {"key-refused", "poll-429", "lost-reset", "link-html", "stuck"}
    [block] = blocks("sweep.md", "console")
    rows = {line.split()[1]: line for line in block.text.splitlines() if line.startswith(("+ ", "~ ", "! "))}
    assert rows.keys() == shown
    only = " ".join(f"--only {name}" for name in sorted(shown - {"stuck"}))  # which is stopped after ten seconds
    with Reader(tmp_path) as reader:
        code, came = reader.run(f"novita-mock sweep {only} -- python draw.py out.png")
    assert code == 1, came
    lines = {line.split()[1]: line for line in came.splitlines() if line.startswith(("+ ", "~ ", "! "))}
    for name in shown - {"stuck"}:
        assert same(rows[name], lines[name]), f"the page shows\n{rows[name]}\ncame\n{lines[name]}"


def test_a_job_is_recorded_and_played(tmp_path: Path) -> None:
    """A mock stands for the service; the commands are those of the page otherwise."""
    (tmp_path / "draw.py").write_text(app(), encoding="utf-8")
    with Reader(tmp_path) as reader:
        url = reader.begin_with("--clock", "auto")
        reader.instead = {"https://api.novita.ai": url, "NOVITA_API_KEY=…": f"NOVITA_API_KEY={KEY}"}
        follow(reader, "record.md")


def test_scenarios(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        reader.begin_with()
        follow(reader, "scenarios.md")


def test_a_story_in_the_terminal(tmp_path: Path) -> None:
    """Of another task than the page's, so that only the command and the form of its answer are compared."""
    [block] = blocks("inspector.md", "console")
    [step] = steps(block.text)
    with Reader(tmp_path) as reader:
        url = reader.begin_with("--clock", "auto")
        headers = {"Authorization": f"Bearer {KEY}"}
        task = httpx.post(f"{url}/v3/async/txt2img", json=txt2img(), headers=headers).json()["task_id"]
        httpx.get(f"{url}/v3/async/task-result", params={"task_id": task}, headers=headers)
        reader.run(f"export NOVITA_API_URI={url}")
        code, came = reader.run(step.command.replace(step.command.split()[-1], task))
    assert code == 0, came
    for line in ("Task ", "  world ", "  +0.000 s    submitted", "  text to image (createTxt2imgTask), "):
        assert any(one.startswith(line) for one in step.output.splitlines()), line
        assert any(one.startswith(line) for one in came.splitlines()), came


@pytest.fixture
def receiver() -> Iterator[Callable[[list[int]], str]]:
    """Starts a receiver of webhooks that gives these answers, then 200, and tells its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(answers: list[int]) -> str:
        left = list(answers)

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(left.pop(0) if left else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                self.send_error(405)

            def log_message(self, format: str, *arguments: object) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/novita-events"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_webhooks(tmp_path: Path, receiver: Callable[[list[int]], str]) -> None:
    """With the abbreviations that the page names, and a receiver that answers 503 to the first two events."""
    to = receiver([503, 503])

    def order(url: str) -> None:
        headers = {"Authorization": f"Bearer {KEY}"}
        body = {**txt2img(), "extra": {"webhook": {"url": to}}}
        assert httpx.post(f"{url}/v3/async/txt2img", json=body, headers=headers).status_code == 200

    with Reader(tmp_path) as reader:
        url = reader.begin_with("--clock", "manual")
        reader.run(f"mock={url}/__mock")
        reader.run(f'ask() {{ curl -sS -H "Authorization: Bearer {KEY}" -H "Content-Type: application/json" "$@"; }}')
        reader.kept = {"msg_bc9b6d61b09d07fc": r'"id": ?"(msg_[0-9a-f]+)"'}
        order(url)
        for block in blocks("webhooks.md", "console"):
            for step in steps(block.text):
                if step.command.startswith("ask -X POST $mock/clock/run-until-idle  "):
                    order(url)  # "two tasks end, nothing is sent"
                    order(url)
                if "count=3" in step.command:
                    inbox = httpx.get(f"{url}/__mock/webhooks/inbox", headers={"Authorization": f"Bearer {KEY}"})
                    for _ in range(3):
                        httpx.post(inbox.json()["url"], json={"event_type": "ASYNC_TASK_RESULT", "payload": {}})
                reader.type(step)


def test_a_receiver_is_audited(tmp_path: Path, receiver: Callable[[list[int]], str]) -> None:
    """One that breaks at the second event, as the page shows it."""
    to = receiver([200, 500])
    with Reader(
        tmp_path, instead={"http://127.0.0.1:8000/novita-events": to}, codes={"novita-mock webhook": 1}
    ) as reader:
        follow(reader, "webhook-audit.md")


def test_from_wiremock(tmp_path: Path) -> None:
    """Our side of the page; WireMock's mapping is parsed here and was run by hand."""
    [scenario] = blocks("migrate/from-wiremock.md", "yaml")
    (tmp_path / "one-broken-poll.yaml").write_text(scenario.text, encoding="utf-8")
    [mappings] = blocks("migrate/from-wiremock.md", "json")
    assert all({"request", "response"} <= mapping.keys() for mapping in json.loads(mappings.text)["mappings"])
    with Reader(tmp_path) as reader:
        follow(reader, "migrate/from-wiremock.md")


@pytest.mark.clients
def test_from_aimock(tmp_path: Path) -> None:
    """Our side of the page, which needs Node."""
    with Reader(tmp_path) as reader:
        follow(reader, "migrate/from-aimock.md")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
