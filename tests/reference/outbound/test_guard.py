"""Which addresses the server calls for its users."""

from __future__ import annotations

import asyncio
import socket

import pytest

from reference_impl.outbound.guard import Forbidden, Guard

PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"]
PRIVATE = [
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "fe80::1",
    "fd00::1",
    "::",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "ff02::1",
]
LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]


def judged(guard: Guard, host: str) -> str:
    """The address that a host is called at."""
    return asyncio.run(guard.address(host, 80))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_called(address: str) -> None:
    assert judged(Guard(), address) == address


@pytest.mark.parametrize("address", [*PRIVATE, *LOOPBACK])
def test_an_address_that_not_everybody_reaches_may_not_be_called(address: str) -> None:
    with pytest.raises(Forbidden, match="--allow-private-webhooks"):
        judged(Guard(), address)


@pytest.mark.parametrize("address", LOOPBACK)
def test_a_server_that_only_this_machine_reaches_may_call_this_machine(address: str) -> None:
    assert judged(Guard(loopback=True), address) == address


@pytest.mark.parametrize("address", PRIVATE)
def test_loopback_alone_opens_no_other_private_address(address: str) -> None:
    with pytest.raises(Forbidden):
        judged(Guard(loopback=True), address)


@pytest.mark.parametrize("address", [*PUBLIC, *PRIVATE, *LOOPBACK])
def test_whoever_runs_the_server_can_allow_all(address: str) -> None:
    assert judged(Guard(private=True), address) == address


def test_a_name_is_called_at_the_address_that_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: int, **how: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    addresses = ["93.184.216.34", "93.184.216.35"]
    assert judged(Guard(), "receiver.test") == "93.184.216.34"
    addresses = ["93.184.216.34", "10.0.0.1"]
    with pytest.raises(Forbidden, match=r"receiver\.test is 10\.0\.0\.1"):
        judged(Guard(), "receiver.test")
