"""`novita-mock run --intercept`: programs with the vendor's address built in, and nothing that goes outside."""

from __future__ import annotations

import os
import re
import socket
import ssl
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mockserver.core.clock import ClockMode
from mockserver.faults.rules import read_rule
from mockserver.faults.scenario import Scenario
from mockserver.intercept.authority import Authority
from mockserver.intercept.proxy import MAX_HEAD_BYTES, Proxy
from mockserver.intercept.variables import proxy_variables
from mockserver.pictures import decode
from mockserver.programs.names import KEY, VENDOR_HOST
from mockserver.programs.stage import Stage, staged_for
from mockserver.settings import Settings
from tests.mockserver.programs.running import DRAWING, novita_mock

VENDOR = f"https://{VENDOR_HOST}"
ASK = f"GET /v3/model HTTP/1.1\r\nHost: {VENDOR_HOST}\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()


@contextmanager
def intercepting(*rules: object) -> Iterator[Stage]:
    """A stage with a proxy, on which some faults are armed."""
    faults = tuple(read_rule(rule, ()) for rule in rules)
    scenario = Scenario(name="test", description="one", given={}, faults=faults)
    with staged_for(Settings(clock=ClockMode.parse("auto"), scenario=scenario), {}, intercept=[VENDOR_HOST]) as stage:
        yield stage


def connected(stage: Stage) -> socket.socket:
    """A connection to the proxy."""
    assert stage.proxy is not None
    where = urlsplit(stage.proxy.url)
    return socket.create_connection((where.hostname or "", where.port or 0), timeout=10)


def tunnel(stage: Stage, host: str = VENDOR_HOST) -> ssl.SSLSocket:
    """A connection to a host through the proxy, by a client that trusts this run's authority."""
    raw = connected(stage)
    raw.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    assert raw.recv(1000).startswith(b"HTTP/1.1 200 ")
    context = ssl.create_default_context(cafile=stage.environment["SSL_CERT_FILE"])
    return context.wrap_socket(raw, server_hostname=host)


def all_of(connection: socket.socket) -> bytes:
    """What comes until the end."""
    found = b""
    while data := connection.recv(65536):
        found += data
    return found


# Programs


@pytest.mark.parametrize("url", [VENDOR, f"http://{VENDOR_HOST}"])
def test_a_program_with_the_vendors_address_built_in_draws(tmp_path: Path, url: str) -> None:
    done = novita_mock("run", "--intercept", "--", *DRAWING, "out.png", url, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, "drawn\n"), done.stderr
    assert decode((tmp_path / "out.png").read_bytes()).seed == 7
    assert done.stderr == (
        "novita-mock: 1 task, 1 picture, 0.0015 USD that the service would have taken; findings: none\n"
    )


def test_every_other_host_is_refused_and_named(tmp_path: Path) -> None:
    done = novita_mock("run", "--intercept", "--", *DRAWING, "out.png", "https://api.example.test", cwd=tmp_path)

    assert done.returncode == 1
    assert "Tunnel connection failed: 403 novita-mock answers for no other host" in done.stderr
    assert "novita-mock: refused: api.example.test:443 (1 time)" in done.stderr


def test_a_further_host_is_answered_for_on_request(tmp_path: Path) -> None:
    flags = ("--intercept", "--answer-for", "api.example.test")
    done = novita_mock("run", *flags, "--", *DRAWING, "out.png", "https://api.example.test", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_host_without_a_proxy_is_wrong_usage(tmp_path: Path) -> None:
    done = novita_mock("run", "--answer-for", "api.example.test", "--", "true", cwd=tmp_path)
    assert (done.returncode, "needs --intercept" in done.stderr) == (2, True)


def test_without_the_extra_the_command_that_installs_it_is_told(tmp_path: Path) -> None:
    program = (
        "import importlib.util, sys; real = importlib.util.find_spec; "
        "importlib.util.find_spec = lambda name, *more: None if name == 'trustme' else real(name, *more); "
        "from mockserver.cli import main; sys.argv = ['novita-mock', 'run', '--intercept', 'true']; main()"
    )
    done = novita_mock("run", "--quiet", sys.executable, "-c", program, cwd=tmp_path)
    assert done.returncode == 3
    assert "pip install 'novita-mock[intercept]'" in done.stderr


@pytest.mark.parametrize(
    "program",
    [
        "import httpx; print(httpx.get(URL, headers=HEADERS).status_code)",
        "import requests; print(requests.get(URL, headers=HEADERS).status_code)",
        "from urllib.request import Request, urlopen; print(urlopen(Request(URL, headers=HEADERS)).status)",
        "import asyncio, aiohttp\n"
        "async def main():\n"
        "    async with aiohttp.ClientSession(trust_env=True) as session, session.get(URL, headers=HEADERS) as got:\n"
        "        print(got.status)\n"
        "asyncio.run(main())",
    ],
    ids=["httpx", "requests", "urllib", "aiohttp"],
)
def test_pythons_libraries_go_through(tmp_path: Path, program: str) -> None:
    given = f"URL, HEADERS = '{VENDOR}/v3/model', {{'Authorization': 'Bearer {KEY}'}}\n"
    done = novita_mock("run", "--quiet", "--intercept", sys.executable, "-c", given + program, cwd=tmp_path)
    assert done.stdout == "200\n", done.stderr


def test_curl_goes_through(tmp_path: Path) -> None:
    shell = f'curl -sS --fail {VENDOR}/v3/model -H "Authorization: Bearer $NOVITA_API_KEY" -o models.json'
    done = novita_mock("run", "--intercept", "--", "sh", "-c", shell, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "models.json").read_bytes().startswith(b'{"models":[')


# What a client can do to the proxy


def test_calls_in_a_tunnel_share_its_connection() -> None:
    with intercepting() as stage, tunnel(stage) as connection:
        for _ in range(2):
            connection.sendall(ASK)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += connection.recv(1)
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            while length:
                length -= len(connection.recv(length))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_absolute_form_is_answered_and_ends_its_connection(scheme: str) -> None:
    """Old clients ask a proxy for https URLs in the same way, without a tunnel."""
    with intercepting() as stage, connected(stage) as connection:
        target = f"{scheme}://{VENDOR_HOST.upper()}/v3/model?pagination.limit=1".encode()
        connection.sendall(
            ASK.replace(b"/v3/model", target, 1).replace(b"Host", b"Proxy-Connection: keep-alive\r\nHost")
        )
        answer = all_of(connection)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close" in answer.lower()


def test_the_mock_itself_is_reached_through_the_proxy_too() -> None:
    """For clients that pass over NO_PROXY."""
    with intercepting() as stage, connected(stage) as connection:
        connection.sendall(ASK.replace(b"/v3/model", stage.server.url.encode() + b"/v3/model", 1))
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "line",
    [
        "CONNECT example.com:443 HTTP/1.1",
        "CONNECT api.novita.ai.example:443 HTTP/1.1",
        "CONNECT 127.0.0.1:22 HTTP/1.1",
        "CONNECT [::1]:22 HTTP/1.1",
        "GET http://example.com/ HTTP/1.1",
        "GET https://api.novita.ai.example/v3/model HTTP/1.1",
        "GET http://metadata.example.internal.test/latest HTTP/1.1",
    ],
)
def test_no_other_host_is_ever_called(line: str) -> None:
    with intercepting() as stage, connected(stage) as connection:
        connection.sendall(f"{line}\r\nHost: {VENDOR_HOST}\r\n\r\n".encode())
        answer = all_of(connection)
        assert stage.proxy is not None
        assert sum(stage.proxy.refused.values()) == 1

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"--answer-for HOST" in answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /v3/model HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00 a TLS client\r\n\r\n", b"400"),
        (b"CONNECT : HTTP/1.1\r\n\r\n", b"400"),
        (b"CONNECT api.novita.ai:443 HTTP/1.1\r\n\r\ntoo early", b"400"),
        (b"GET http://user@api.novita.ai/ HTTP/1.1\r\n\r\n", b"400"),
        (b"GET ftp://api.novita.ai/ HTTP/1.1\r\n\r\n", b"400"),
        (b"GET http:// HTTP/1.1\r\n\r\n", b"400"),
        (b"G" * (MAX_HEAD_BYTES + 1), b"431"),
    ],
)
def test_what_is_no_call_of_a_proxy_is_answered_and_closed(request_: bytes, status: bytes) -> None:
    with intercepting() as stage, connected(stage) as connection:
        connection.sendall(request_)
        try:
            answer = all_of(connection)
        except ConnectionResetError:  # more was sent than was read
            return
    assert answer.startswith(b"HTTP/1.1 " + status)


def by_name(stage: Stage, host: str) -> ssl.SSLSocket:
    """A connection to a host by its name in the handshake, without CONNECT."""
    raw = socket.create_connection(("127.0.0.1", int(stage.environment["NODE_DIRECT_TLS_PORT"])), timeout=10)
    context = ssl.create_default_context(cafile=stage.environment["SSL_CERT_FILE"])
    return context.wrap_socket(raw, server_hostname=host)


def test_the_name_in_a_handshake_leads_to_the_mock_as_well() -> None:
    with intercepting() as stage, by_name(stage, VENDOR_HOST) as connection:
        connection.sendall(ASK)
        assert connection.recv(20).startswith(b"HTTP/1.1 200")


def test_another_name_in_a_handshake_is_refused_and_counted() -> None:
    with intercepting() as stage:
        with pytest.raises(ssl.SSLError):
            by_name(stage, "other.example.test")
        assert stage.proxy is not None
        assert dict(stage.proxy.refused) == {"other.example.test:443": 1}


def test_options_that_node_has_already_are_kept(tmp_path: Path) -> None:
    certificates = (tmp_path / "a.pem", tmp_path / "b.pem")
    found = proxy_variables("http://127.0.0.1:1", 2, *certificates, {"NODE_OPTIONS": "--no-warnings"})
    assert re.fullmatch(r'--no-warnings --require "[^"]+node_direct\.cjs"', found["NODE_OPTIONS"])


def test_a_client_that_does_not_trust_the_authority_is_counted() -> None:
    with intercepting() as stage:
        raw = connected(stage)
        raw.sendall(b"CONNECT api.novita.ai:443 HTTP/1.1\r\n\r\n")
        raw.recv(1000)
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(raw, server_hostname=VENDOR_HOST)
        raw.close()
        assert stage.proxy is not None
        proxy = stage.proxy
        while not stage.server.call(lambda: dict(proxy.untrusted)):
            pass
        assert proxy.untrusted == {VENDOR_HOST: 1}


# Faults come through as they are


def test_a_reset_of_the_mock_is_a_reset_of_the_client() -> None:
    """Looked at below TLS, where Python tells it from an end."""
    with intercepting({"point": "models", "effect": "CONNECTION_RESET_BY_PEER"}) as stage, tunnel(stage) as connection:
        connection.sendall(ASK)
        with socket.socket(fileno=os.dup(connection.fileno())) as below:
            below.settimeout(10)
            with pytest.raises(ConnectionResetError):
                all_of(below)


def test_an_empty_answer_of_the_mock_is_one_of_the_client() -> None:
    with intercepting({"point": "models", "effect": "EMPTY_RESPONSE"}) as stage, tunnel(stage) as connection:
        connection.sendall(ASK)
        assert all_of(connection) == b""


def test_a_body_that_is_cut_off_stays_so() -> None:
    with intercepting({"point": "models", "effect": "truncate"}) as stage, tunnel(stage) as connection:
        connection.sendall(ASK)
        head, _, body = all_of(connection).partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert 0 < len(body) < length


def test_a_silent_mock_is_silent_until_the_client_leaves() -> None:
    with intercepting({"point": "models", "effect": "no-answer"}) as stage, tunnel(stage) as connection:
        connection.sendall(ASK)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)


# Keys


def test_the_folder_is_the_owners_only_and_goes_with_the_run() -> None:
    with intercepting() as stage:
        folder = Path(stage.environment["NODE_EXTRA_CA_CERTS"]).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert not any(b"PRIVATE KEY" in path.read_bytes() for path in folder.iterdir())
    assert not folder.exists()


def test_what_was_trusted_before_is_trusted_still(tmp_path: Path) -> None:
    before = tmp_path / "before.pem"
    before.write_text("what was there\n")
    authority = Authority(tmp_path, before)
    assert authority.bundle.read_bytes() == authority.certificate.read_bytes() + b"what was there\n"


def test_each_run_has_an_authority_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    assert first.certificate.read_bytes() != second.certificate.read_bytes()


def test_variables_name_the_proxy_for_every_language() -> None:
    with intercepting() as stage:
        assert isinstance(stage.proxy, Proxy)
        found = stage.environment
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            assert found[name] == stage.proxy.url
        assert found["NO_PROXY"] == found["no_proxy"] == "localhost,127.0.0.1,::1"
        assert found["REQUESTS_CA_BUNDLE"] == found["CURL_CA_BUNDLE"] == found["SSL_CERT_FILE"]
        php = Path(found["PHP_INI_SCAN_DIR"].removeprefix(":")) / "novita-mock.ini"
        assert php.read_text() == (
            f'curl.cainfo="{found["SSL_CERT_FILE"]}"\nopenssl.cafile="{found["SSL_CERT_FILE"]}"\n'
        )
