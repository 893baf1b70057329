"""One attempt at an event: what is sent, to whom, and what counts as taken."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from reference_impl.outbound import post as module
from reference_impl.outbound.guard import Guard
from reference_impl.outbound.post import Answer, Post
from tests.reference.receiver import receiving
from tests.reference.service.house import Network

EVENT = b'{"event_type":"ASYNC_TASK_RESULT","payload":{}}'


def sent(url: str, transport: httpx.AsyncBaseTransport | None = None, *, private: bool = False) -> Answer:
    """What came of one attempt."""

    async def whole() -> Answer:
        post = Post(Guard(loopback=True, private=private), transport)
        try:
            return await post.send(url, EVENT)
        finally:
            await post.close()

    return asyncio.run(whole())


@contextmanager
def silent() -> Iterator[str]:
    """A receiver that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hook"


def test_an_event_is_posted_as_json_with_nothing_about_the_account() -> None:
    with receiving() as receiver:
        assert sent(receiver.url) == Answer(status=200)
    assert receiver.events == [{"event_type": "ASYNC_TASK_RESULT", "payload": {}}]
    (headers,) = receiver.headers
    assert headers["content-type"] == "application/json"
    assert headers["host"] == receiver.url.split("/")[2]
    assert headers["user-agent"] == "novita-reference"
    assert not {"authorization", "cookie"} & headers.keys()


@pytest.mark.parametrize(("status", "fine"), [(200, True), (204, True), (299, True), (302, False), (500, False)])
def test_any_2xx_is_taken_and_nothing_else(status: int, *, fine: bool) -> None:
    with receiving(lambda number: status) as receiver:
        answer = sent(receiver.url)
    assert answer.is_fine is fine
    assert len(receiver.events) == 1


def test_a_receiver_that_says_nothing_is_waited_for_no_longer_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.TIMEOUT_S == 5
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    with silent() as url:
        assert sent(url) == Answer(problem="no answer within 0.2 s")


def test_a_receiver_that_hangs_up_has_not_taken_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.recv(64)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        answer = sent(f"http://127.0.0.1:{server.getsockname()[1]}/hook")
        thread.join()
    assert answer.status is None
    assert answer.problem
    assert not answer.hopeless


def test_an_address_that_may_not_be_called_is_not_called() -> None:
    network = Network()
    transport = httpx.MockTransport(network)
    answer = sent("http://10.0.0.1/hook", transport)
    assert answer.hopeless
    assert "10.0.0.1" in answer.problem
    assert network.sent == []


def test_a_name_is_called_by_its_address_and_keeps_its_name_in_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network()
    transport = httpx.MockTransport(network)
    address = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2606:2800:220::1", 8443, 0, 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [address])
    assert sent("https://user:word@receiver.test:8443/hook?a=1", transport).is_fine
    (request,) = network.sent
    assert request.url.host == "2606:2800:220::1"
    assert request.url.raw_path == b"/hook?a=1"
    assert request.headers["host"] == "receiver.test:8443"
    assert request.extensions["sni_hostname"] == "receiver.test"


def test_a_name_that_means_nothing_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    answer = sent("http://no-such-host.test/hook")
    assert "Name or service not known" in answer.problem
    assert not answer.hopeless


@pytest.mark.parametrize("url", [f"http://{'a' * 64}.test/hook", f"http://example.test/{'a' * 70_000}"])
def test_a_url_that_no_request_can_be_made_of_is_given_up(url: str) -> None:
    assert sent(url).hopeless
