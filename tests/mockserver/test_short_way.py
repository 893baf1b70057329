"""The short way of the server: what takes it, what does not, and that both give the same answers."""

from __future__ import annotations

import gzip
import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import orjson
import pytest

from mockserver.core.clock import ClockMode
from mockserver.gateway import Contract
from mockserver.running import ServerThread
from mockserver.settings import Settings
from mockserver.short_way import ShortWay
from tests.bodies import txt2img

BODY = orjson.dumps(txt2img())


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    """A mock behind a socket."""
    with ServerThread(Settings(clock=ClockMode.parse("manual"))) as running:
        yield running


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which way each call of the contract took, in order."""
    taken: list[str] = []
    complete, asgi = ShortWay.on_message_complete, Contract._answer

    def short(self: ShortWay) -> None:
        if self._route is not None:
            taken.append("short")
        complete(self)

    async def long(self: Contract, *arguments: object) -> None:
        taken.append("long")
        await asgi(self, *arguments)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(ShortWay, "on_message_complete", short)
    monkeypatch.setattr(Contract, "_answer", long)
    return taken


def request(method: str, path: str, body: bytes = b"", version: str = "1.1", **headers: str) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/{version}", "Host: mock.test", "Authorization: Bearer sk-mock-ways"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def talk(server: ServerThread, *parts: bytes, answers: int = 1) -> list[tuple[int, dict[str, str], bytes]]:
    """Sends parts one by one on one connection, and reads so many answers."""
    found: list[tuple[int, dict[str, str], bytes]] = []
    where = urlsplit(server.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        stream = connection.makefile("rb")
        while len(found) < answers:
            status = int(stream.readline().split()[1])
            headers = {}
            while line := stream.readline().strip():
                name, _, value = line.decode().partition(": ")
                headers[name] = value
            if status != 100:
                found.append((status, headers, stream.read(int(headers["content-length"]))))
    return found


def test_a_plain_submit_takes_the_short_way(server: ServerThread, ways: list[str]) -> None:
    """A call with nothing for a middleware to do is answered by the protocol itself."""
    [(status, headers, body)] = talk(server, request("POST", "/v3/async/txt2img", BODY))
    assert (status, ways) == (200, ["short"])
    assert headers["content-type"] == "application/json"
    assert "date" in headers
    assert orjson.loads(body).keys() == {"task_id"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://app.test"},
        {"Connection": "close"},
        {"Expect": "100-continue"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_a_header_that_somebody_must_look_at_takes_the_long_way(
    server: ServerThread, ways: list[str], headers: dict[str, str]
) -> None:
    """CORS and connection handling are left to the layers that do them."""
    [(status, _, _)] = talk(server, request("POST", "/v3/async/txt2img", BODY, **headers))
    assert (status, ways) == (200, ["long"])


def test_a_client_that_takes_gzip_goes_the_short_way(server: ServerThread, ways: list[str]) -> None:
    """What most HTTP libraries send by default is plain, and long answers are compressed."""
    sent = request("GET", "/v3/model?pagination.limit=100", Accept_Encoding="gzip, deflate", Connection="keep-alive")
    [(status, given, body)] = talk(server, sent)
    assert (status, ways, given["content-encoding"]) == (200, ["short"], "gzip")
    assert len(orjson.loads(gzip.decompress(body))["models"]) == 100


def test_an_answer_that_is_there_at_once_takes_the_short_way(server: ServerThread, ways: list[str]) -> None:
    """Even of an operation that may have to wait."""
    [(status, _, _)] = talk(server, request("GET", "/v2/progress?task_id=none"))
    assert (status, ways) == (200, ["short"])


def test_http_1_0_takes_the_long_way(server: ServerThread, ways: list[str]) -> None:
    """An old protocol version closes its connection, as uvicorn does it."""
    [(status, headers, _)] = talk(server, request("GET", "/v3/model", version="1.0"))
    assert (status, ways, headers["connection"]) == (200, ["long"], "close")


def test_a_chunked_body_takes_the_long_way(server: ServerThread, ways: list[str]) -> None:
    """A body of unknown length is read by the layer that bounds it."""
    head = request("POST", "/v3/async/txt2img", Content_Type="application/json", Transfer_Encoding="chunked")
    [(status, _, _)] = talk(server, head, b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))
    assert (status, ways) == (200, ["long"])


def test_a_large_body_takes_the_long_way(server: ServerThread, ways: list[str]) -> None:
    """What may have to be refused before it is read is not read here."""
    body = orjson.dumps({**txt2img(), "filler": "x" * 100_000})
    [(status, _, _)] = talk(server, request("POST", "/v3/async/txt2img", body))
    assert (status, ways) == (200, ["long"])


def test_a_body_in_pieces_is_put_together(server: ServerThread, ways: list[str]) -> None:
    """Packets end where they like."""
    sent = request("POST", "/v3/async/txt2img", BODY)
    [(status, _, _)] = talk(server, sent[:9], sent[9:-200], sent[-200:-1], sent[-1:])
    assert (status, ways) == (200, ["short"])


def test_pipelined_calls_are_answered_in_order(server: ServerThread, ways: list[str]) -> None:
    """Calls of both ways sent at once come back in the order they were sent."""
    sent = [
        request("GET", "/v3/model?pagination.limit=1"),
        request("GET", "/__mock/version"),
        request("GET", "/v3/async/task-result?task_id=none"),
        request("GET", "/v3/nothing"),
        request("GET", "/v3/model?pagination.limit=2"),
    ]
    answers = talk(server, b"".join(sent), answers=len(sent))
    assert [status for status, _, _ in answers] == [200, 200, 404, 404, 200]
    assert [len(orjson.loads(answers[place][2])["models"]) for place in (0, 4)] == [1, 2]
    assert "long" in ways, "a call behind one that is still on its way must wait for it"


def test_a_connection_lives_on(server: ServerThread, ways: list[str]) -> None:
    """Both ways share one connection, one call after the other."""
    where = urlsplit(server.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=10) as connection:
        stream = connection.makefile("rb")
        for path in ("/v3/model", "/__mock/health", "/v3/model", "/v3/model"):
            connection.sendall(request("GET", path))
            assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
            head = b"".join(iter(stream.readline, b"\r\n"))
            stream.read(int(re.search(rb"content-length: (\d+)", head)[1]))  # type: ignore[index]  # always there
    assert ways == ["short", "short", "short"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v3/model?filter.types=vae", b""),
        ("GET", "/v3/model?filter.types=nonsense", b""),
        ("GET", "/v3/async/task-result?task_id=none", b""),
        ("GET", "/v3/async/task-result", b""),
        ("POST", "/v3/async/txt2img", b"{"),
        ("POST", "/v3/async/txt2img", orjson.dumps({**txt2img(), "unknown": 1, "request": {}})),
        ("POST", "/v2/txt2img", b"[]"),
        ("POST", "/v3/async/img2img", b"{}"),
    ],
)
def test_both_ways_give_the_same_answer(
    server: ServerThread, ways: list[str], method: str, path: str, body: bytes
) -> None:
    """Status, headers and body do not depend on the way."""
    short, long = (talk(server, request(method, path, body, **headers))[0] for headers in ({}, {"Upgrade": "nothing"}))
    assert ways == ["short", "long"]
    for _, headers, _ in (short, long):
        headers.pop("date")
    assert short == long


def test_both_ways_write_the_journal(server: ServerThread, ways: list[str]) -> None:
    """A call is written down whichever way it took."""
    world = server.mock.world("sk-mock-ways")
    written = world.journal.written
    talk(server, request("GET", "/v3/model"))
    talk(server, request("GET", "/v3/model", Upgrade="nothing"))
    assert ways == ["short", "long"]
    assert world.journal.written == written + 2
