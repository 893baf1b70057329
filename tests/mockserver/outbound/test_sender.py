"""One request: what is sent, what came of it, and where it never goes. Real sockets on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from mockserver.outbound.guard import Resolver, Targets
from mockserver.outbound.sender import (
    KEPT_BYTES,
    LOOP_HEADER,
    ErrorKind,
    FakeSender,
    HttpSender,
    Outcome,
    Outgoing,
    delivery_of,
)
from mockserver.parts.wall import FakeWall
from tests.mockserver.outbound.receivers import (
    CERTIFICATE,
    Manners,
    Receiver,
    hangs,
    http,
    late,
    never_ends,
    receiver,
    resets,
    says,
)

NAME = "hooks.localhost"
"""This machine, without a resolver."""
PATIENCE_S = 10.0
"""Of tests in which nothing should be late."""


def resolver(*addresses: str) -> Resolver:
    async def found(host: str, port: int) -> list[str]:
        del host, port
        return list(addresses)

    return found


def sent_to(
    manners: Manners, outgoing: Outgoing | None = None, *, timeout_s: float = PATIENCE_S
) -> tuple[Outcome, Receiver]:
    """What came of a request to a receiver with these manners; `{port}` in the URL is its port."""

    async def run() -> tuple[Outcome, Receiver]:
        async with receiver(manners) as made:
            asked = outgoing or Outgoing(url=made.url, body=b"{}")
            asked = replace(asked, url=asked.url.replace("{port}", str(made.port)))
            return await HttpSender(Targets()).send(asked, timeout_s=timeout_s), made

    return asyncio.run(run())


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        port: int = link.getsockname()[1]
        return port


# What is sent


def test_a_request_arrives_as_it_was_meant() -> None:
    """Method, path, query and body; Host as the URL had it; the loop header; nothing that a client would add."""
    outgoing = Outgoing(
        url=f"http://{NAME}:{{port}}/a%2Fb?x=1&y#part",
        headers={"Content-Type": "application/json", "X-Own": "1"},
        body=b'{"a": 1}',
        id="delivery-7",
    )
    outcome, made = sent_to(says(http(202, b"taken")), outgoing)
    assert (outcome.status, outcome.answer, outcome.error, outcome.ok) == (202, b"taken", None, True)
    [request] = made.received
    assert (request.method, request.target, request.body) == ("POST", "/a%2Fb?x=1&y", b'{"a": 1}')
    agent = request.headers.pop("user-agent")
    assert agent.startswith("novita-mock/")
    assert request.headers == {
        "host": f"{NAME}:{made.port}",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "x-own": "1",
        "novita-mock-delivery": "delivery-7",
        "connection": "close",
        "content-length": "8",
    }


def test_a_caller_does_not_overwrite_what_the_sender_answers_for() -> None:
    wrong = {
        "HOST": "elsewhere.test",
        "Content-Length": "1",
        "connection": "upgrade",
        LOOP_HEADER: "",
        "User-Agent": "x",
    }
    _, made = sent_to(says(http()), Outgoing(url="http://127.0.0.1:{port}/", headers=wrong, body=b"12345"))
    [request] = made.received
    assert request.body == b"12345"
    assert request.headers["host"] == f"127.0.0.1:{made.port}"
    assert request.headers["connection"] == "close"
    assert request.headers["novita-mock-delivery"] == "-"
    assert request.headers["user-agent"] == "x"


def test_the_user_of_a_url_becomes_basic_authorization() -> None:
    _, made = sent_to(says(http()), Outgoing(url="http://user:pass@127.0.0.1:{port}/"))
    assert made.received[0].headers["authorization"] == "Basic dXNlcjpwYXNz"


def test_a_receivers_cookies_are_forgotten() -> None:
    async def run() -> Receiver:
        async with receiver(says(http(200, b"", "Set-Cookie: a=b"))) as made:
            sender = HttpSender(Targets())
            for _ in range(2):
                assert (await sender.send(Outgoing(url=made.url), timeout_s=PATIENCE_S)).ok
            return made

    made = asyncio.run(run())
    assert [request.headers.get("cookie") for request in made.received] == [None, None]


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would resolve names on its own, behind the guard's back."""

    async def run() -> None:
        async with receiver(says(http())) as made, receiver(says(http(502))) as proxy:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            outcome = await HttpSender(Targets()).send(Outgoing(url=made.url), timeout_s=PATIENCE_S)
            assert (outcome.status, proxy.connections) == (200, 0)

    asyncio.run(run())


# What came of it


def test_an_answer_is_kept_in_part() -> None:
    """Headers that help, by lower-case name, and the beginning of the body."""
    wire = http(503, b"x" * (KEPT_BYTES + 1), "Retry-After: 7", "Content-Type: text/plain", "Set-Cookie: canary=1")
    outcome, _ = sent_to(says(wire))
    assert (outcome.status, outcome.ok, outcome.error) == (503, False, None)
    assert outcome.answer == b"x" * KEPT_BYTES
    assert outcome.answer_headers == {
        "retry-after": "7",
        "content-type": "text/plain",
        "content-length": str(KEPT_BYTES + 1),
    }


def test_times_are_of_the_wall_and_of_the_request() -> None:
    async def run() -> Outcome:
        async with receiver(late(0.15)) as made:
            sender = HttpSender(Targets(), wall=FakeWall(1_234))
            return await sender.send(Outgoing(url=made.url), timeout_s=PATIENCE_S)

    outcome = asyncio.run(run())
    assert outcome.started_ms == 1_234
    assert 140 <= outcome.elapsed_ms < 5_000


@pytest.mark.parametrize(
    ("manners", "kind", "status"),
    [
        (resets, ErrorKind.RESET, None),
        (says(b""), ErrorKind.CLOSED, None),
        (says(b"HTTP/1.1 200 OK\r\nContent-Le"), ErrorKind.CLOSED, None),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"), ErrorKind.CLOSED, 200),
        (says(b"SSH-2.0-nobody\r\n\r\n"), ErrorKind.PROTOCOL, None),
        (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n"), ErrorKind.PROTOCOL, 200),
    ],
    ids=["reset", "nothing", "half a head", "half a body", "not HTTP", "a malformed chunk"],
)
def test_a_broken_answer_is_an_error_of_its_kind(manners: Manners, kind: ErrorKind, status: int | None) -> None:
    """The status is kept where it came, and the answer does not count as taken."""
    outcome, _ = sent_to(manners)
    assert (outcome.error, outcome.status, outcome.ok) == (kind, status, False)
    assert outcome.message


def test_nobody_there_is_an_error() -> None:
    outcome, _ = sent_to(hangs, Outgoing(url=f"http://127.0.0.1:{free_port()}/"))
    assert (outcome.error, outcome.status) == (ErrorKind.CONNECT, None)


@pytest.mark.parametrize(
    "manners",
    [
        hangs,
        says(b"HTTP/1.1 100 Continue\r\n\r\n"),
        never_ends(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000),
    ],
    ids=["silence", "only 100", "headers without end"],
)
def test_no_manners_raise(manners: Manners) -> None:
    """Whatever comes, it is an outcome with an error, within the time."""
    outcome, _ = sent_to(manners, timeout_s=0.4)
    assert outcome.error in (ErrorKind.TIMEOUT, ErrorKind.CLOSED, ErrorKind.PROTOCOL)
    assert not outcome.ok
    assert outcome.elapsed_ms < 3_000


def test_the_time_out_is_for_everything() -> None:
    """A receiver that always has another byte is cut when the time is over, not a time after its last byte."""

    async def dribbles(made: Receiver, request: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b".")
            await writer.drain()
            await late(0.05, b".")(made, request, writer)  # type: ignore[arg-type]  # the request does not matter
            if made.over.is_set():
                return

    outcome, _ = sent_to(dribbles, timeout_s=0.4)
    assert (outcome.status, outcome.error, outcome.ok) == (200, ErrorKind.TIMEOUT, False)
    assert outcome.answer.startswith(b"..")
    assert 400 <= outcome.elapsed_ms < 3_000
    assert outcome.message == "no whole answer within 0.4 s"


def test_an_answer_without_end_is_cut_at_a_length() -> None:
    """Its status was told; the rest is not needed."""
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    outcome, _ = sent_to(never_ends(head, b"x" * 8192))
    assert (outcome.status, outcome.error, len(outcome.answer)) == (200, None, KEPT_BYTES)


def test_an_answer_that_would_unpack_to_much_is_not_unpacked() -> None:
    outcome, _ = sent_to(says(http(200, b"\x1f\x8b....", "Content-Encoding: gzip")))
    assert (outcome.answer, outcome.ok) == (b"\x1f\x8b....", True)


@pytest.mark.parametrize(
    "outgoing",
    [
        Outgoing(url="http://127.0.0.1:{port}/", headers={"X-Own": "canary\r\nX-Other: 1"}),
        Outgoing(url="http://127.0.0.1:{port}/", headers={"X-Own": "canary\u20ac"}),
        Outgoing(url="http://127.0.0.1:{port}/", headers={"X Own": "canary"}),
        Outgoing(url="http://127.0.0.1:{port}/", method="PO ST"),
    ],
    ids=["two lines", "not Latin", "name", "method"],
)
def test_what_http_does_not_allow_is_not_sent(outgoing: Outgoing) -> None:
    """An error that names no value: it may be a secret."""
    outcome, made = sent_to(says(http()), outgoing)
    assert outcome.error is ErrorKind.BAD_REQUEST
    assert "canary" not in outcome.message
    assert made.received == []


def test_a_resolver_that_breaks_is_an_error() -> None:
    async def breaks(host: str, port: int) -> list[str]:
        raise ZeroDivisionError(f"{host} {port}")

    sender = HttpSender(Targets(), breaks)
    outcome = asyncio.run(sender.send(Outgoing(url="http://receiver.test/"), timeout_s=PATIENCE_S))
    assert (outcome.error, outcome.message) == (ErrorKind.INTERNAL, "ZeroDivisionError: receiver.test 80")


def test_a_resolver_that_hangs_is_cut_by_the_same_time() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return [host, str(port)]

    sender = HttpSender(Targets(), never)
    outcome = asyncio.run(sender.send(Outgoing(url="http://receiver.test/"), timeout_s=0.1))
    assert outcome.error is ErrorKind.TIMEOUT


def test_a_send_that_is_cancelled_ends() -> None:
    """Cancelling is no outcome: whoever cancels does not wait for one."""

    async def run() -> None:
        async with receiver(hangs) as made:
            sending = asyncio.create_task(HttpSender(Targets()).send(Outgoing(url=made.url), timeout_s=PATIENCE_S))
            async with asyncio.timeout(PATIENCE_S):
                while not made.received:
                    await asyncio.wait([sending], timeout=0.01)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending

    asyncio.run(run())


def test_a_closed_sender_sends_nothing() -> None:
    async def run() -> None:
        async with receiver(says(http())) as made:
            sender = HttpSender(Targets())
            await sender.aclose()
            outcome = await sender.send(Outgoing(url=made.url), timeout_s=PATIENCE_S)
            assert (outcome.error, made.connections) == (ErrorKind.INTERNAL, 0)

    asyncio.run(run())


def test_a_sender_serves_one_event_loop_after_the_other() -> None:
    sender = HttpSender(Targets())

    async def run() -> Outcome:
        async with receiver(says(http())) as made:
            return await sender.send(Outgoing(url=made.url), timeout_s=PATIENCE_S)

    assert [asyncio.run(run()).ok for _ in range(2)] == [True, True]


# Where it goes


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(status: int) -> None:
    async def run() -> None:
        async with (
            receiver(says(http())) as other,
            receiver(says(http(status, b"", f"Location: {other.url}"))) as made,
        ):
            outcome = await HttpSender(Targets()).send(Outgoing(url=made.url), timeout_s=PATIENCE_S)
            assert (outcome.status, outcome.ok, outcome.error) == (status, False, None)
            assert outcome.answer_headers["location"] == other.url
            assert other.connections == 0

    asyncio.run(run())


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["127.0.0.1", "93.184.216.34"]])
def test_a_refused_target_is_not_connected_to(addresses: list[str]) -> None:
    """Not even its loopback addresses."""

    async def run() -> None:
        async with receiver(says(http())) as made:
            sender = HttpSender(Targets(), resolver(*addresses))
            outcome = await sender.send(Outgoing(url=f"http://receiver.test:{made.port}/"), timeout_s=PATIENCE_S)
            assert outcome.error is ErrorKind.REFUSED_TARGET
            assert outcome.message.endswith("--allow-target receiver.test")
            assert made.connections == 0

    asyncio.run(run())


def test_the_connection_goes_to_the_judged_address_whatever_the_name_says_later() -> None:
    """A name that resolves to loopback first and elsewhere afterwards: one question, one address, one receiver."""
    asked = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async def run() -> None:
        async with receiver(says(http())) as made:
            sender = HttpSender(Targets(), rebinding)
            url = f"http://rebinding.test:{made.port}/"
            first = await sender.send(Outgoing(url=url), timeout_s=PATIENCE_S)
            assert (first.ok, len(asked), made.received[0].headers["host"]) == (True, 1, f"rebinding.test:{made.port}")
            second = await sender.send(Outgoing(url=url), timeout_s=PATIENCE_S)
            assert (second.error, made.connections) == (ErrorKind.REFUSED_TARGET, 1)

    asyncio.run(run())


def test_the_next_address_is_tried_when_one_takes_no_connection() -> None:
    """`localhost` has two, and a receiver often listens on one."""

    async def run() -> None:
        async with AsyncExitStack() as stack:
            made = await stack.enter_async_context(receiver(says(http())))
            sender = HttpSender(Targets(), resolver("127.0.0.2", "127.0.0.1"))
            outcome = await sender.send(Outgoing(url=f"http://receiver.test:{made.port}/"), timeout_s=PATIENCE_S)
            assert (outcome.ok, len(made.received)) == (True, 1)

    asyncio.run(run())


def test_an_address_that_took_the_request_is_the_last_one_tried() -> None:
    """A request that may have been read is not sent a second time."""

    async def run() -> None:
        async with receiver(resets) as made:
            sender = HttpSender(Targets(), resolver("127.0.0.1", "127.0.0.1"))
            outcome = await sender.send(Outgoing(url=f"http://receiver.test:{made.port}/"), timeout_s=PATIENCE_S)
            assert (outcome.error, made.connections) == (ErrorKind.RESET, 1)

    asyncio.run(run())


# TLS


def trusted() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CERTIFICATE)


def sent_over_tls(name: str, tls: ssl.SSLContext | None, addresses: tuple[str, ...] = ("127.0.0.1",)) -> Outcome:
    async def run() -> Outcome:
        async with receiver(says(http()), tls=True) as made:
            sender = HttpSender(Targets(), resolver(*addresses), tls=tls)
            return await sender.send(Outgoing(url=f"https://{name}:{made.port}/"), timeout_s=PATIENCE_S)

    return asyncio.run(run())


def test_a_certificate_is_judged_by_the_name_of_the_url() -> None:
    """The connection goes to an address, and the certificate names the host."""
    assert sent_over_tls("receiver.test", trusted()).ok
    assert sent_over_tls("localhost", trusted()).ok
    outcome = sent_over_tls("other.test", trusted(), ("127.0.0.1", "127.0.0.1"))
    assert outcome.error is ErrorKind.TLS
    assert "other.test" in outcome.message


def test_a_certificate_of_nobody_is_refused() -> None:
    assert sent_over_tls("receiver.test", None).error is ErrorKind.TLS


def test_a_receiver_that_speaks_no_tls_is_an_error_of_tls() -> None:
    async def speaks_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(400))
        await reader.read()
        writer.close()

    async def run() -> Outcome:
        async with await asyncio.start_server(speaks_first, "127.0.0.1", 0) as server:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            return await HttpSender(Targets()).send(Outgoing(url=url), timeout_s=PATIENCE_S)

    assert asyncio.run(run()).error is ErrorKind.TLS


def test_a_handshake_that_never_ends_is_cut_and_its_connection_closed() -> None:
    """The receiver waits for the end of a request that is a handshake; `receiver` sees to it that it gets an end."""
    outcome, made = sent_to(says(http()), Outgoing(url="https://127.0.0.1:{port}/"), timeout_s=0.3)
    assert (outcome.error, outcome.status) == (ErrorKind.TIMEOUT, None)
    assert (made.connections, made.received) == (1, [])


# The rest


def test_a_fake_sender_plays_its_script_and_remembers() -> None:
    fake = FakeSender([Outcome(status=500), Outcome(error=ErrorKind.TIMEOUT)])
    outgoing = Outgoing(url="http://receiver.test/")

    async def run() -> list[Outcome]:
        found = [await fake.send(outgoing, timeout_s=5.0) for _ in range(3)]
        await fake.aclose()
        return found

    assert [(one.status, one.error) for one in asyncio.run(run())] == [
        (500, None),
        (None, ErrorKind.TIMEOUT),
        (200, None),
    ]
    assert fake.sent == [(outgoing, 5.0)] * 3
    assert fake.closed


def test_a_mock_knows_a_request_of_a_mock() -> None:
    assert delivery_of({b"novita-mock-delivery": b"d-1"}) == "d-1"
    assert delivery_of({b"host": b"127.0.0.1"}) is None


def test_secrets_stay_out_of_what_is_printed() -> None:
    assert "canary" not in repr(Outgoing(url="http://canary@127.0.0.1/", headers={"Authorization": "canary"}))
