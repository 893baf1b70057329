"""Running a server: when it says that it answers, and what it says when it does not."""

from __future__ import annotations

import signal

import httpx
import pytest
from starlette.applications import Starlette

from mockserver.operations import HANDLERS, check_handlers
from mockserver.running import CannotListen, CannotStart, ServerThread, address_of, listen, serve
from openapi.document import Document


def test_a_server_that_does_not_answer_its_first_request_is_never_ready() -> None:
    """`serve` ends with the reason, and the caller's handling of SIGTERM is as it was."""
    ready: list[bool] = []
    before = signal.getsignal(signal.SIGTERM)

    with pytest.raises(CannotStart, match="404"):
        serve(Starlette(), listen("127.0.0.1", 0), lambda: ready.append(True), log_level="critical")

    assert ready == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_whose_server_does_not_answer_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entering it raises, without waiting for a deadline, and leaves no thread behind."""
    monkeypatch.setattr("mockserver.running.create_app", lambda settings, parts: Starlette())
    thread = ServerThread()

    with pytest.raises(CannotStart, match="404"):
        thread.__enter__()


@pytest.mark.parametrize(("missing", "spare"), [("listModels", None), (None, "cancelTask")])
def test_document_and_handlers_must_name_the_same_operations(
    document: Document, missing: str | None, spare: str | None
) -> None:
    """An operation without a handler, or a handler without an operation, is told by name."""
    handlers = {name: handler for name, handler in HANDLERS.items() if name != missing}
    if spare is not None:
        handlers[spare] = HANDLERS["listModels"]

    with pytest.raises(ValueError, match=missing or spare):
        check_handlers(document.operations, handlers)


@pytest.mark.parametrize("host", ["192.0.2.1", "a" * 300])
def test_a_host_that_is_none_of_ours_cannot_be_listened_on(host: str) -> None:
    """The error names it and says what to try."""
    with pytest.raises(CannotListen, match="--port 0"):
        listen(host, 0)


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")])
def test_the_address_is_one_that_can_be_called(host: str, shown: str) -> None:
    """All addresses of the machine are shown as the loopback one."""
    with listen(host, 0) as listening:
        port = listening.getsockname()[1]
        assert address_of(listening) == f"http://{shown}:{port}"


def test_a_listening_socket_is_not_handed_to_child_processes() -> None:
    """A child that outlives the server does not keep its port taken."""
    with listen("127.0.0.1", 0) as listening:
        assert not listening.get_inheritable()


def test_two_servers_live_in_one_process() -> None:
    """Each has a port and worlds of its own, and both are gone with their blocks."""
    with ServerThread() as one, ServerThread() as other:
        assert one.url != other.url
        headers = {"authorization": "Bearer sk-mock-two"}
        assert httpx.get(f"{one.url}/v3/model", headers=headers).status_code == 200
        assert len(one.mock.worlds) == 1
        assert other.mock.worlds == []

    with pytest.raises(httpx.ConnectError):
        httpx.get(one.url)
