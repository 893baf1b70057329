"""Which HTTP status the clients take as success: a stand-in server answers 201 to everything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.clients.environments import NPM_V2, NPM_V3, PYTHON_V3
from tests.clients.harness import Driver, Report, Session

pytestmark = pytest.mark.clients

BODY = b'{"task_id": "t", "code": 0, "msg": "", "data": {"task_id": "t"}}'


class Created(BaseHTTPRequestHandler):
    """Answers 201 Created with a body that would do for a submission of either version."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Says nothing: the test prints what matters."""


@pytest.fixture
def created_uri() -> Iterator[str]:
    """The address of a server that answers 201."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Created) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def play(driver: Driver, uri: str, folder: Path, scenario: str) -> Report:
    driver.environment.require()
    return Session(driver=driver, uri=uri, key="sk-status", folder=folder).run(scenario)


def test_the_python_client_takes_only_200(created_uri: str, tmp_path: Path) -> None:
    """201 raises, although the pages call every 2xx accepted (C53)."""
    report = play(Driver(environment=PYTHON_V3, name="python_v3"), created_uri, tmp_path, "bad-request")
    assert report["error"] == "NovitaResponseError"
    assert "status 201" in report["text"]


def test_the_v3_javascript_client_takes_only_200(created_uri: str, tmp_path: Path) -> None:
    """201 rejects with code 201 and no reason (C53)."""
    report = play(Driver(environment=NPM_V3, name="npm_v3"), created_uri, tmp_path, "bad-request")
    assert report["isNovitaError"] is True
    assert (report["code"], report["reason"]) == (201, "")


def test_the_v2_calls_of_the_javascript_client_take_any_2xx(created_uri: str, tmp_path: Path) -> None:
    """They decide by the code in the body alone, so the refusal that the scenario waits for never comes."""
    with pytest.raises(AssertionError, match="the call went through"):
        play(Driver(environment=NPM_V2, name="npm_v2"), created_uri, tmp_path, "bad-requests")
