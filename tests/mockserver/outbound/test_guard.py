"""Who may be called: loopback, and what was allowed by name, address, network or port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import pytest

from mockserver.outbound.guard import (
    BadTarget,
    Pinned,
    SystemResolver,
    TargetRefused,
    Targets,
    Unresolvable,
    lane_of,
    shown_url,
)

OFF = "10.0.0.1"
"""An address that is not this machine."""


class Answers:
    """A resolver that gives one list after the other, the last one for ever."""

    def __init__(self, *lists: Sequence[str]) -> None:
        self.lists = [list(one) for one in lists]
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]


def resolve(url: str, *allowed: str, resolver: Answers | None = None) -> Pinned:
    return asyncio.run(Targets(allowed).resolve(url, resolver or Answers(["203.0.113.9"])))


def url(host: str, rest: str = "/") -> str:
    """A URL of any host; made here, so that no file names hosts that exist."""
    return "http" + f"://{host}{rest}"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.8.9.1", "127.8.9.1"),
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[::ffff:127.0.0.1]", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("\uff11\uff12\uff17.0.0.1", "127.0.0.1"),
    ],
)
def test_loopback_addresses_are_called_in_any_spelling(host: str, address: str) -> None:
    """The connection goes to the address as it was understood here, whatever another reader would make of it."""
    assert resolve(url(host)).addresses == (address,)


@pytest.mark.parametrize(
    "host",
    [
        OFF,
        "0.0.0.0",
        "0",
        "167772161",
        "0x0a000001",
        "012.0.0.1",
        "10.1",
        "169.254.169.254",
        "[::]",
        "[::ffff:10.0.0.1]",
        "[::ffff:0:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[fe80::1]",
        "127.0.0.1@10.0.0.1",
        "localhost:80@10.0.0.1",
        "\uff11\uff10.0.0.1",
    ],
)
def test_other_addresses_are_refused_in_any_spelling(host: str) -> None:
    """The message names the flag with the host to give it."""
    with pytest.raises(TargetRefused, match=r"is not this machine.*--allow-target [0-9a-f:.]+$"):
        resolve(url(host))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("ftp://127.0.0.1/", "http:// or https://"),
        ("file:///etc/passwd", "http:// or https://"),
        ("127.0.0.1/hook", "http:// or https://"),
        ("", "http:// or https://"),
        ("http:///hook", "names no host"),
        ("http://", "names no host"),
        (url("127.0.0.1:0"), "port 0"),
        (url("127.0.0.1:99999"), "malformed"),
        (url("127.0.0.1:x"), "malformed"),
        (url("[::1"), "malformed"),
        (url("127.0.0.1", "\\@receiver.test/"), "backslash"),
        (url("127.0.0.1 "), "space"),
        (url("127.0.0.1", "/\r\nX: y"), "control character"),
        (url("127.0.0.256"), "no IPv4 address"),
        (url("1.2.3.4.5"), "no IPv4 address"),
        (url("receiver.7"), "no IPv4 address"),
        (url("[::1%25lo]"), "zone"),
        (url("-a.test"), "no host name"),
        (url("a..test"), "no host name"),
        (url("%31%32%37.0.0.1.test"), "no host name"),
        (url("*"), "no host name"),
    ],
)
def test_what_nobody_could_call_is_told(bad: str, said: str) -> None:
    with pytest.raises(BadTarget, match=said):
        resolve(bad, "receiver.test")


def test_a_message_about_a_url_never_repeats_its_password() -> None:
    for bad in (url("user:canary@127.0.0.1:x"), url("user:canary@\u2100.test"), url(f"user:canary@{OFF}")):
        with pytest.raises(TargetRefused) as caught:
            resolve(bad)
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "hooks.localhost"])
def test_localhost_is_this_machine_and_no_resolver_is_asked(host: str) -> None:
    resolver = Answers([OFF])
    assert resolve(url(host), resolver=resolver).addresses == ("127.0.0.1", "::1")
    assert resolver.asked == []


def test_a_name_that_resolves_to_this_machine_is_called() -> None:
    resolver = Answers(["127.0.0.1", "::1"])
    assert resolve(url("receiver.test:8080"), resolver=resolver).addresses == ("127.0.0.1", "::1")
    assert resolver.asked == [("receiver.test", 8080)]
    assert resolve(url("receiver.test"), resolver=Answers(["::ffff:127.0.0.1"])).addresses == ("127.0.0.1",)


@pytest.mark.parametrize(
    "addresses",
    [["93.184.216.34"], ["127.0.0.1", "93.184.216.34"], ["::1", "::ffff:10.0.0.1"], ["0.0.0.0"], ["fe80::1%lo"]],
)
def test_a_name_with_any_address_elsewhere_is_refused(addresses: list[str]) -> None:
    with pytest.raises(TargetRefused, match=r"receiver\.test resolves to \S+, which is not.*--allow-target receiver"):
        resolve(url("receiver.test"), resolver=Answers(addresses))


def test_a_name_is_judged_each_time_and_once_each_time() -> None:
    """A name that changes its mind is refused at the next call; within a call there is no second question."""
    resolver = Answers(["127.0.0.1"], [OFF])
    assert resolve(url("rebinding.test"), resolver=resolver).addresses == ("127.0.0.1",)
    assert len(resolver.asked) == 1
    with pytest.raises(TargetRefused):
        resolve(url("rebinding.test"), resolver=resolver)


def test_a_name_without_an_address_is_told() -> None:
    with pytest.raises(Unresolvable, match=r"receiver\.test has no address"):
        resolve(url("receiver.test"), resolver=Answers([]))


def test_a_resolver_that_fails_is_told() -> None:
    async def fails(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(Unresolvable, match=r"receiver\.test has no address: .*not known"):
        asyncio.run(Targets().resolve(url("receiver.test"), fails))


def test_the_machine_is_asked_for_addresses() -> None:
    """Each address once, whatever kinds of sockets it offers."""
    found = asyncio.run(SystemResolver()("localhost", 80))
    assert "127.0.0.1" in found
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("receiver.test", "receiver.test"),
        ("Receiver.Test.", "receiver.test:8080"),
        ("receiver.test:8080", "receiver.test:8080"),
        ("receiver.test", "RECEIVER.test."),
        ("b\u00fccher.test", "xn--bcher-kva.test"),
        (OFF, OFF),
        (OFF, "167772161"),
        ("10.0.0.0/8", "10.9.8.7"),
        ("10.0.0.1:443", "10.0.0.1:443"),
        ("::ffff:10.0.0.1", OFF),
        ("fd00::/8", "[fd00::1]"),
        ("[fd00::1]", "[fd00::1]:99"),
        ("[fd00::1]:99", "[fd00::1]:99"),
        ("203.0.113.0/24", "resolved.test"),
    ],
)
def test_what_is_allowed_is_called(entry: str, host: str) -> None:
    assert resolve(url(host), entry).addresses


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("receiver.test", "other.receiver.test"),
        ("receiver.test", "receiver.test.example"),
        ("receiver.test:8080", "receiver.test"),
        ("10.0.0.1:443", OFF),
        ("10.0.0.0/8", "11.0.0.1"),
        ("203.0.113.0/28", "resolved.test:80@203.0.113.77"),
        ("localhost", OFF),
    ],
)
def test_what_is_allowed_opens_nothing_else(entry: str, host: str) -> None:
    with pytest.raises(TargetRefused):
        resolve(url(host), entry)


def test_an_allowed_network_does_not_cover_a_name_with_another_address_as_well() -> None:
    with pytest.raises(TargetRefused, match=r"resolves to 11\.0\.0\.1"):
        resolve(url("receiver.test"), "10.0.0.0/8", resolver=Answers([OFF, "11.0.0.1"]))


@pytest.mark.parametrize("entry", ["", url("receiver.test"), "receiver.test/hook", "*", "*.test", "10.0.0.1/8", "300"])
def test_an_entry_that_is_no_host_is_told(entry: str) -> None:
    with pytest.raises(ValueError, match="expected a host"):
        Targets([entry])


def test_an_entry_with_an_impossible_port_is_told() -> None:
    with pytest.raises(ValueError, match="expected a port from 1 to 65535"):
        Targets(["receiver.test:70000"])


def test_what_a_call_needs_is_kept_and_secrets_stay_out_of_the_repr() -> None:
    """Host as the URL had it, path and query as they were, the fragment nowhere, the user as Basic authorization."""
    found = resolve(url("us%20er:canary1@127.0.0.1:81", "/a%2Fb/\u00fc?t=canary2#canary3"))
    assert (found.host_header, found.port) == ("127.0.0.1:81", 81)
    assert found.target == "/a%2Fb/%C3%BC?t=canary2"
    assert found.authorization == "Basic dXMgZXI6Y2FuYXJ5MQ=="
    assert "canary" not in repr(found)
    assert resolve("https://localhost:443").host_header == "localhost"
    assert resolve(url("[::1]:81")).host_header == "[::1]:81"


def test_a_url_is_shown_without_its_secrets() -> None:
    shown = shown_url(url("user:canary@receiver.test:81", "/hook?token=canary&x#canary"))
    assert shown == url("***@receiver.test:81", "/hook?token=***&x=***")
    assert shown_url("canary") == "(no URL)"
    assert shown_url(url("[::1]")) == url("[::1]")


def test_a_lane_is_a_host_and_a_port() -> None:
    assert lane_of(url("Receiver.test.", "/a")) == lane_of(url("receiver.test:80", "/b")) == "receiver.test:80"
    assert lane_of("https://receiver.test") == "receiver.test:443"
    assert lane_of("nothing") == ""


def test_half_a_character_is_no_url() -> None:
    """JSON of clients can hold one."""
    with pytest.raises(BadTarget, match="half a character"):
        resolve("http://127.0.0.1/\ud800")
    assert shown_url("http://127.0.0.1/\ud800") == "(no URL)"
