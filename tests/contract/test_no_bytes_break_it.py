"""No bytes on a socket give a 5xx, a traceback, half a task or a server that is gone.

Requests that are no HTTP are answered by the HTTP layer (400, plain text), before any operation is known; all others
have the form of their path. After each attempt the server still does its work.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from time import perf_counter

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mockserver.core.clock import ClockMode
from mockserver.running import ServerThread, listen
from mockserver.settings import Settings
from tests.bodies import TXT2IMG, TXT2IMG_V2, txt2img, txt2img_v2
from tests.contract.shapes import assert_usable_link, links
from tests.contract.wire import Reply, replies, speak

PATIENCE_S = 20.0
"""No measure of speed, for machines are busy: what is read in the square of its length or worse takes minutes."""
KEY = b"Authorization: Bearer sk-wire\r\n"
BODY = json.dumps(txt2img()).encode()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a mock that runs for all tests of this module."""
    with ServerThread(Settings(clock=ClockMode.parse("auto"))) as server:
        yield server.url


@pytest.fixture(autouse=True)
def unhurt(url: str, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After a test the server logged no failure, made no task by itself, and does its work."""
    before = tasks(url)
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert tasks(url) == before
    assert done(url, request(TXT2IMG, BODY))[0].status == 200
    speak(url, request("/__mock/reset", b""))


def request(path: str, body: bytes, *headers: bytes, method: bytes = b"POST") -> bytes:
    """A proper request that asks the server to close afterwards."""
    lines = [method + b" " + path.encode() + b" HTTP/1.1", b"Host: client.test", *headers]
    if not any(line.lower().startswith((b"content-length", b"transfer-encoding")) for line in headers):
        lines.append(b"Content-Length: %d" % len(body))
    lines += [b"Content-Type: application/json", b"Connection: close"]
    return b"\r\n".join(lines) + b"\r\n" + KEY + b"\r\n" + body


def tasks(url: str) -> int:
    """How many tasks the world of the key holds."""
    found: int = json.loads(done(url, request("/__mock/tasks", b"", method=b"GET"))[0].body)["total"]
    return found


def done(url: str, raw: bytes, *, hang_up: bool = False) -> list[Reply]:
    """The answers to some bytes, none of which tells of a failure."""
    found = replies(speak(url, raw, hang_up=hang_up))
    for reply in found:
        assert reply.status < 500, reply.body
        assert b"Traceback" not in reply.body
        if reply.headers.get("content-type") == "application/json":
            json.loads(reply.body)
    return found


def test_sockets_name_their_protocol() -> None:
    """Only then does asyncio set TCP_NODELAY; without it each answer waits 40 ms for an acknowledgement."""
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


NO_HTTP = {
    "nothing but line ends": b"\r\n\r\n\r\n",
    "a word": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /v3/model\r\n\r\n",
    "a version of its own": b"GET /v3/model HTTP/9.9\r\nHost: a\r\n\r\n",
    "no path": b"GET HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path without slash": b"GET v3/model HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the path": b"GET /v3/\x00model HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the path": b"GET /v3/ model HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in a header": b"GET /v3/model HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
    "a header without colon": b"GET /v3/model HTTP/1.1\r\nHost\r\n\r\n",
    "a header without name": b"GET /v3/model HTTP/1.1\r\n: x\r\n\r\n",
    "a space in a header's name": b"GET /v3/model HTTP/1.1\r\nHo st: a\r\n\r\n",
    "bare carriage returns": b"GET /v3/model HTTP/1.1\rHost: a\r\r",
    "a length of letters": request(TXT2IMG, BODY, b"Content-Length: ten"),
    "a negative length": request(TXT2IMG, BODY, b"Content-Length: -1"),
    "a length beyond 64 bits": request(TXT2IMG, BODY, b"Content-Length: " + b"9" * 30),
    "two lengths": request(TXT2IMG, BODY, b"Content-Length: 5", b"Content-Length: %d" % len(BODY)),
    "a chunk size of letters": request(TXT2IMG, b"zz\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
    "a chunk size beyond 64 bits": request(TXT2IMG, b"f" * 40 + b"\r\n", b"Transfer-Encoding: chunked"),
    "a chunk longer than its size": request(TXT2IMG, b"2\r\n{}xx\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
}


@pytest.mark.parametrize("what", NO_HTTP)
def test_what_is_no_http_is_refused_and_forgotten(url: str, what: str) -> None:
    """400 or a closed connection, and no task; what can be read as a request has no key."""
    assert {reply.status for reply in done(url, NO_HTTP[what], hang_up=True)} <= {400, 403}


@pytest.mark.parametrize("missing", [1, 10, 100_000])
def test_a_body_that_breaks_off_makes_no_task(url: str, missing: int) -> None:
    """The client hangs up before the length it stated, here even after a whole JSON text: nothing was submitted."""
    stated = b"Content-Length: %d" % (len(BODY) + missing)

    assert done(url, request(TXT2IMG, BODY, stated), hang_up=True) == []


def test_chunks_that_break_off_make_no_task(url: str) -> None:
    """The last chunk never comes."""
    chunk = b"%x\r\n%s\r\n" % (len(BODY), BODY)

    assert done(url, request(TXT2IMG, chunk, b"Transfer-Encoding: chunked"), hang_up=True) == []


def test_a_length_shorter_than_the_body_cuts_it(url: str) -> None:
    """What was stated is read: no JSON; the rest is not mistaken for a request."""
    found = done(url, request(TXT2IMG, BODY, b"Content-Length: 10"))

    assert found[0].status == 400
    assert json.loads(found[0].body)["reason"] == "INVALID_REQUEST_BODY"
    assert {reply.status for reply in found[1:]} <= {400}


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_chunked_bodies_are_read(url: str, size: int) -> None:
    """In chunks of any size, with extensions and a trailer."""
    pieces = [BODY[start : start + size] for start in range(0, len(BODY), size)]
    chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nX-Trailer: y\r\n\r\n"

    found = done(url, request(TXT2IMG, chunks, b"Transfer-Encoding: chunked"))

    assert [reply.status for reply in found] == [200]
    speak(url, request("/__mock/reset", b""))


def test_a_chunked_body_beyond_the_bound_is_refused_on_the_way(url: str) -> None:
    """The answer comes while chunks are still on their way; the connection ends."""
    chunk = b"%x\r\n%s\r\n" % (65536, b" " * 65536)
    raw = speak(url, [request(TXT2IMG, b"", b"Transfer-Encoding: chunked"), *[chunk] * 64])

    for reply in replies(raw) if raw else []:
        assert reply.status == 400


def test_requests_in_a_row_are_answered_in_a_row(url: str) -> None:
    """Pipelined on one connection: as many answers, in order."""
    one = b"GET /v3/model?pagination.limit=%d HTTP/1.1\r\nHost: a\r\n" + KEY
    raw = b"".join((one % limit) + b"\r\n" for limit in (1, 2)) + (one % 3) + b"Connection: close\r\n\r\n"

    assert [len(json.loads(reply.body)["models"]) for reply in done(url, raw)] == [1, 2, 3]


def test_a_client_that_waits_for_a_go_ahead_gets_one(url: str) -> None:
    """Expect: 100-continue."""
    found = done(url, request(TXT2IMG, BODY, b"Expect: 100-continue"))

    assert [reply.status for reply in found] == [100, 200]
    speak(url, request("/__mock/reset", b""))


TARGETS = {
    b"http://other.test/v3/model": 200,
    b"/v3/model#fragment": 200,
    b"/v3/model?a=%ff%00&b=\xc3\xa9": 200,
    b"//v3/model": 404,
    b"/v3/./model": 404,
    b"/v3/%6dodel": 200,
    b"/\xff\xfe": 404,
    b"/" + b"a" * 20_000: 404,
    b"/%": 404,
    b"/__mock/%00": 404,
    b"/prod/%0d%0aX-A:%20b/y.png": 404,
}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: repr(target[:30]))
def test_odd_targets_are_answered(url: str, target: bytes) -> None:
    """Absolute, with a fragment, with raw bytes, very long: found or not, in form."""
    raw = b"GET " + target + b" HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n" + KEY + b"\r\n"

    found = done(url, raw)

    assert [reply.status for reply in found] in ([TARGETS[target]], [400])
    assert "x-a" not in found[0].headers


HEADERS = {
    "many": b"".join(b"X-%d: y\r\n" % number for number in range(2000)),
    "long": b"X-Long: " + b"y" * 60_000 + b"\r\n",
    "bytes beyond ASCII": b"X-A: \xff\xfe\x80\r\n",
    "a second key": b"Authorization: Bearer other\r\n",
    "a forwarded scheme": b"X-Forwarded-Proto: javascript\r\nX-Forwarded-For: <script>\r\n",
    "an upgrade": b"Upgrade: websocket\r\nSec-WebSocket-Key: a\r\n",
    "other encodings": b"Content-Encoding: gzip\r\nTE: trailers\r\nAccept-Encoding: br;q=x\r\n",
}


@pytest.mark.parametrize("what", HEADERS)
def test_odd_headers_are_answered(url: str, what: str) -> None:
    """Many, long, doubled or meaningless headers: an answer in form."""
    raw = b"GET /v3/model HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + HEADERS[what] + KEY + b"\r\n"

    assert [reply.status for reply in done(url, raw)] in ([200], [400], [403])


@pytest.mark.parametrize(
    "host",
    [b'"><script>', b"a b", b"evil.test/x?y=", b"a@evil.test", b"\xff", b"a\tb", b"evil.test:port", b"", b"a:b:c"],
    ids=repr,
)
@pytest.mark.parametrize("path", [TXT2IMG, TXT2IMG_V2])
def test_no_host_header_gets_markup_or_a_stranger_into_a_link(url: str, host: bytes, path: str) -> None:
    """Links are made from `Host`: a good URL comes out, to the server's own address, and it works."""
    body = json.dumps(txt2img() if path == TXT2IMG else txt2img_v2()).encode()
    found = json.loads(done(url, request(path, body))[0].body)
    task_id = (found.get("data") or found)["task_id"]
    poll = "/v3/async/task-result" if path == TXT2IMG else "/v2/progress"
    raw = request(f"{poll}?task_id={task_id}", b"", method=b"GET").replace(b"Host: client.test", b"Host: " + host)
    for _ in range(3):  # the automatic clock moves a task on with each poll
        answer = done(url, raw)[0]

    found_links = links(json.loads(answer.body))

    assert found_links
    for link in found_links:
        assert_usable_link(link)
        assert link.startswith(url)
        assert done(url, request(link.removeprefix(url), b"", method=b"GET"))[0].status == 200
    speak(url, request("/__mock/reset", b""))


def test_a_client_that_leaves_before_its_answer_does_no_harm(url: str) -> None:
    """A hundred connections that ask and go."""
    host, port = url.removeprefix("http://").split(":")
    raw = request("/v3/model?pagination.limit=100", b"", method=b"GET")
    for _ in range(100):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(raw)


PREFERENCES = (
    b"code=429", b"code=" + b"9" * 50_000, b"code=\xb2\xb3\xb9", b"code=\xff\xfe", b"," * 50_000, b"code=,code=429",
    b"code", b"=", b"code==429", b'code="503"', b'code="', b"CODE=404;x=y", b"code=-1", b"code=4e2", b"code=0x190",
    b"code=\xd9\xa4\xd9\xa0\xd9\xa4", b"respond-async, wait=10", b"x=1," * 10_000 + b"code=500", b"code=5" * 8_000, b"",
)  # fmt: skip


@pytest.mark.parametrize("value", PREFERENCES, ids=lambda value: repr(value[:20]))
@pytest.mark.parametrize("path", [TXT2IMG, TXT2IMG_V2, "/v3/model"])
def test_any_preference_is_followed_refused_or_left_alone(url: str, value: bytes, path: str) -> None:
    """Prefer: code=..., of any length and any bytes: the code that it asks for, a refusal in form, or an answer."""
    method = b"GET" if path == "/v3/model" else b"POST"
    body = json.dumps(txt2img_v2() if path == TXT2IMG_V2 else txt2img()).encode()

    started = perf_counter()
    found = replies(speak(url, request(path, body if method == b"POST" else b"", b"Prefer: " + value, method=method)))

    assert perf_counter() - started < PATIENCE_S
    asked = {b'code="503"': 503, b"x=1," * 10_000 + b"code=500": 500, b"code=429": 429, b"CODE=404;x=y": 404}
    if value in asked:
        assert [reply.status for reply in found] == [asked[value]]
    for reply in found:
        assert reply.status < 500 or reply.status == asked.get(value)
        if reply.headers["content-type"] == "application/json":
            json.loads(reply.body)
    speak(url, request("/__mock/reset", b""))


DIRECTIVES = {
    "one": "[[mock:slow=1s]]",
    "a thousand": "[[mock:result=503x1]]" * 1000,
    "a thousand kinds in one": "[[mock:" + ",".join(f"fail=reason {number}" for number in range(1000)) + "]]",
    "a thousand commas": "[[mock:" + "," * 1000 + "]]",
    "a thousand that are not closed": "[[mock:" * 1000,
    "brackets": "[" * 50_000 + "]" * 50_000,
    "100 kB of one item": "[[mock:" + "x" * 100_000 + "]]",
    "100 kB of digits": "[[mock:slow=" + "9" * 100_000 + "]]",
    "100 kB of units": "[[mock:slow=" + "1s" * 50_000 + "]]",
    "100 kB of times": "[[mock:result=" + "503x" * 25_000 + "]]",
    "100 kB of colons": "[[mock:result=" + "a:" * 50_000 + "]]",
    "100 kB of equals": "[[mock:" + "=" * 100_000 + "]]",
    "digits of another script": "[[mock:\u0664\u0662\u0669x\u0662]]",
    "superscript digits": "[[mock:slow=\u00b2s]]",
    "letters that look alike": "[[mock:\uff46\uff41\uff49\uff4c]]",
    "a reversing mark": "[[mock:fail=\u202eabc]]",
    "NUL": "[[mock:fail=\x00]]",
    "an emoji": "[[mock:fail=\U0001f600]]",
    "spaces of every kind": "[[mock:\u2003fail\u00a0=\u3000x\u2028]]",
    "not a number": "[[mock:nsfw=nan,fail-at=inf]]",
    "one inside another": "[[mock:fail=[[mock:stuck]]]]",
}


@pytest.mark.parametrize("what", DIRECTIVES)
@pytest.mark.parametrize("path", [TXT2IMG, TXT2IMG_V2])
def test_any_directive_is_read_or_refused_in_bounded_time(url: str, what: str, path: str) -> None:
    """Odd letters, and as many or as long ones as a prompt can hold: an answer in form, and soon."""
    body = json.dumps((txt2img_v2 if path == TXT2IMG_V2 else txt2img)(prompt=DIRECTIVES[what])).encode()

    started = perf_counter()
    (reply,) = done(url, request(path, body))

    assert perf_counter() - started < PATIENCE_S
    assert reply.status in (200, 400)
    assert len(reply.body) < 4_000, "a refusal quotes only the beginning"
    assert done(url, request("/__mock/clock/run-until-idle", b""))[0].status == 200
    assert done(url, request("/__mock/tasks", b"", method=b"GET"))[0].status == 200
    speak(url, request("/__mock/reset", b""))


@pytest.mark.parametrize(
    "suffix",
    [b"--", b"----", b"--happy--", b"--no-such", b"--HAPPY", b"--../happy", b"--happy.yaml", b"--%00", b"--\xff",
     b"--a b", b"--" * 120, b"--" + b"x" * 240, b"--" + b"y" * 5_000, b"--happy\xe9", b"--/etc/passwd", b"--*"],
    ids=lambda suffix: repr(suffix[:20]),
)  # fmt: skip
def test_a_key_with_an_odd_end_is_refused_and_makes_no_world(url: str, suffix: bytes) -> None:
    """What names no scenario: 403, v2 code 4, and in the control interface a problem."""
    known = done(url, request("/__mock/worlds", b"", method=b"GET"))[0].body.count(b'"seed"')
    key = b"Authorization: Bearer sk-mock-odd" + suffix + b"\r\n"
    for path, status in ((TXT2IMG, 403), (TXT2IMG_V2, 200), ("/__mock/tasks", 403)):
        method = b"GET" if path.startswith("/__mock") else b"POST"
        (reply,) = done(url, request(path, b"{}" if method == b"POST" else b"", method=method).replace(KEY, key))
        assert reply.status == status
        if path == TXT2IMG_V2:
            assert json.loads(reply.body)["code"] == 4
        assert len(reply.body) < 4_000
    assert done(url, request("/__mock/worlds", b"", method=b"GET"))[0].body.count(b'"seed"') == known


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    raw=st.one_of(
        st.binary(max_size=300),
        st.tuples(
            st.sampled_from([b"GET ", b"POST ", b"OPTIONS "]),
            st.binary(max_size=30),
            st.sampled_from([b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"\r\n"]),
            st.lists(st.binary(max_size=30), max_size=4).map(b"\r\n".join),
            st.sampled_from([b"\r\n\r\n", b"\r\n", b""]),
            st.binary(max_size=30),
        ).map(b"".join),
    )
)
@example(raw=b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab")
def test_any_bytes_leave_the_server_alive(url: str, raw: bytes) -> None:
    """Whatever comes over a connection that then ends."""
    done(url, raw, hang_up=True)
