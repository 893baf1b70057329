"""Settings, port, proxies, variables and names: each trap is told with a way out of it, and nothing that is fine is."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mockserver import __version__
from mockserver.doctor import machine, surroundings
from mockserver.doctor.asking import Found
from mockserver.doctor.configuration import Configured, configured
from mockserver.doctor.listening import listening
from mockserver.doctor.values import Level, Line

MOCK = Found(
    mock={"name": "novita-mock", "version": __version__, "clock": "auto", "strict": False, "seed": 7}, status=200
)
NOBODY = Found(error="connection refused")


def levels(lines: Iterable[Line]) -> dict[str, Level]:
    """How bad each thing is."""
    return {line.id: line.level for line in lines}


def only(lines: Iterable[Line]) -> Line:
    """The one line."""
    [line] = lines
    return line


# Settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Reads the settings in an empty folder, with these variables of ours only."""
    monkeypatch.chdir(tmp_path)

    def read(**variables: str) -> Configured:
        for name in [name for name in os.environ if name.startswith("NOVITA_")]:  # noqa: TID251  # a test's surroundings
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return configured(variables, config=None, host=None, port=None)

    return read


def test_every_wrong_setting_is_told_and_not_only_the_first(environment: Any, tmp_path: Path) -> None:
    (tmp_path / "novita-mock.yaml").write_text("workers: none\nseed: 7\n")
    found = environment(NOVITA_MOCK_CLOCK="fast", NOVITA_MOCK_PORT="many")
    wrong = [line for line in found.lines if line.level is Level.PROBLEM]
    assert found.settings is None
    assert sorted(line.do for line in wrong) == [
        "change it in novita-mock.yaml",
        "change or unset NOVITA_MOCK_CLOCK",
        "change or unset NOVITA_MOCK_PORT",
    ]
    assert any("expected real, manual, auto" in line.text for line in wrong)


@pytest.mark.parametrize("text", ["clock: [", "no-such: 1\n", "clock:\n", "- clock\n"])
def test_a_file_that_cannot_be_is_told(environment: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "novita-mock.yaml").write_text(text)
    assert levels(environment().lines)["setting"] is Level.PROBLEM


def test_settings_that_cannot_be_together_are_told(environment: Any) -> None:
    found = environment(NOVITA_MOCK_S3_ACL="public-read")
    assert [line.id for line in found.lines if line.level is Level.PROBLEM] == ["setting"]


def test_values_are_not_shown_and_a_slip_of_the_pen_finds_its_word(environment: Any) -> None:
    found = environment(NOVITA_MOCK_KEY="sk-very-secret", NOVITA_MOCK_SCENARO="happy")
    told = {line.id: line for line in found.lines}
    assert found.settings is not None
    assert "sk-very-secret" not in str(found.lines)
    assert told["variables"].text == "set by variables: NOVITA_MOCK_KEY"
    assert told["variable"].do == "did you mean NOVITA_MOCK_SCENARIO?"


def test_a_file_is_told_with_what_it_sets(environment: Any, tmp_path: Path) -> None:
    (tmp_path / "novita-mock.yaml").write_text("port: 4999\nstrict: true\n")
    found = environment()
    assert found.port == 4999
    assert {line.id: line.text for line in found.lines}["file"] == "set by novita-mock.yaml: port, strict"


# Port


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_free_port_is_fine_and_0_always(taken: int) -> None:
    del taken
    assert levels(listening("127.0.0.1", 0)) == {"port": Level.OK}


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (MOCK, Level.OK),
        (Found(mock={**(MOCK.mock or {}), "version": "0.0.1"}, status=200), Level.WARNING),
        (Found(status=404, server="nginx"), Level.PROBLEM),
        (NOBODY, Level.PROBLEM),
    ],
)
def test_a_taken_port_says_who_is_there(taken: int, found: Found, level: Level) -> None:
    line = only(listening("127.0.0.1", taken, lambda url: found))
    assert line.level is level
    assert found.words in line.text
    assert "--port 0" in line.do


def test_an_address_of_another_machine_is_a_problem() -> None:
    assert levels(listening("192.0.2.1", 4280)) == {"port": Level.PROBLEM}


def test_listening_everywhere_is_a_warning() -> None:
    assert levels(listening("0.0.0.0", 0))["host"] is Level.WARNING


# What clients read


@pytest.mark.parametrize(
    ("variables", "level"),
    [
        ({}, Level.OK),
        ({"HTTPS_PROXY": "http://proxy.example"}, Level.OK),
        ({"HTTP_PROXY": "http://proxy.example"}, Level.WARNING),
        ({"all_proxy": "socks5://proxy.example"}, Level.WARNING),
        ({"http_proxy": "http://proxy.example", "NO_PROXY": "127.0.0.1"}, Level.WARNING),
        ({"http_proxy": "http://proxy.example", "no_proxy": "localhost, 127.0.0.1"}, Level.OK),
        ({"http_proxy": "http://proxy.example", "NO_PROXY": "*"}, Level.OK),
    ],
)
def test_a_proxy_that_gets_the_calls_of_this_machine_is_told(variables: Mapping[str, str], level: Level) -> None:
    assert only(surroundings.proxies(variables)).level is level


def test_the_way_out_of_a_proxy_keeps_what_was_there_and_shows_no_password() -> None:
    line = only(
        surroundings.proxies({"HTTP_PROXY": "http://me:hidden@proxy.example:3128", "NO_PROXY": "intra.example"})
    )
    assert "hidden" not in line.text
    assert "proxy.example:3128" in line.text
    assert line.do == "NO_PROXY=intra.example,127.0.0.1,localhost,::1"


@pytest.mark.parametrize(
    ("value", "level"),
    [
        (None, Level.NOTE),
        ("sk-mock-fine", Level.OK),
        ("", Level.WARNING),
        (" sk-mock-secret", Level.WARNING),
        ("sk-mock-secret\n", Level.WARNING),
        ("Bearer sk-mock-secret", Level.WARNING),
        ("'sk-mock-secret'", Level.WARNING),
        ("sk-mock-secret-ü", Level.WARNING),
    ],
)
def test_a_key_that_cannot_work_is_told_and_never_shown(value: str | None, level: Level) -> None:
    line = only(surroundings.key({} if value is None else {"NOVITA_API_KEY": value}))
    assert line.level is level
    assert "sk-mock-fine" not in line.text
    assert "secret" not in line.text + line.do


@pytest.mark.parametrize(
    ("variables", "found", "level"),
    [
        ({}, None, Level.NOTE),
        ({"NOVITA_API_KEY": "sk-real"}, None, Level.WARNING),
        ({"NOVITA_API_URI": "https://api.novita.ai"}, None, Level.WARNING),
        ({"NOVITA_API_URI": "https:" + "//API.NOVITA.AI./v3"}, None, Level.WARNING),
        ({"NOVITA_API_URI": "127.0.0.1:4280"}, None, Level.PROBLEM),
        ({"NOVITA_API_URI": "http://127.0.0.1:port"}, None, Level.PROBLEM),
        ({"NOVITA_API_URI": "http://[::1"}, None, Level.PROBLEM),
        ({"NOVITA_API_URI": "http://mock.example"}, None, Level.NOTE),
        ({"NOVITA_API_URI": "http://127.0.0.1:4280"}, MOCK, Level.OK),
        ({"NOVITA_API_URI": "http://127.0.0.1:4280/"}, MOCK, Level.OK),
        ({"NOVITA_API_URI": "http://localhost:4280/v3"}, MOCK, Level.WARNING),
        ({"NOVITA_API_URI": "http://127.0.0.1:4280"}, NOBODY, Level.WARNING),
        ({"NOVITA_API_URI": "http://127.0.0.1:4280"}, Found(status=200), Level.WARNING),
    ],
)
def test_the_address_is_told_and_only_this_machine_is_asked(
    variables: Mapping[str, str], found: Found | None, level: Level
) -> None:
    asked: list[str] = []

    def ask(url: str) -> Found:
        assert found is not None, f"{url} must not be called"
        asked.append(url)
        return found

    assert only(surroundings.address(variables, ask)).level is level
    assert asked in ([], ["http://127.0.0.1:4280"], ["http://localhost:4280"])


def _resolving(*addresses: str) -> Any:
    return lambda *_, **__: [(None, None, None, "", (address, 0)) for address in addresses]


@pytest.mark.parametrize(
    ("addresses", "host", "uri", "level"),
    [
        (("127.0.0.1",), "127.0.0.1", "", Level.OK),
        (("::1", "127.0.0.1"), "127.0.0.1", "", Level.OK),
        (("::1", "127.0.0.1"), "127.0.0.1", "http://127.0.0.1:4280", Level.OK),
        (("::1", "127.0.0.1"), "127.0.0.1", "http://localhost:4280", Level.WARNING),
        (("::1",), "127.0.0.1", "", Level.WARNING),
        (("192.0.2.7",), "127.0.0.1", "", Level.PROBLEM),
    ],
)
def test_what_localhost_is(addresses: tuple[str, ...], host: str, uri: str, level: Level) -> None:
    assert only(surroundings.localhost(host, uri, _resolving(*addresses))).level is level


def test_localhost_may_be_unknown() -> None:
    def unknown(*_: object, **__: object) -> Any:
        raise socket.gaierror("no such name")

    assert only(surroundings.localhost("127.0.0.1", "", unknown)).level is Level.PROBLEM


def test_a_bundle_that_is_not_there_is_told(tmp_path: Path) -> None:
    there = tmp_path / "bundle.pem"
    there.write_text("")
    variables = {"SSL_CERT_FILE": str(tmp_path / "lost.pem"), "CURL_CA_BUNDLE": str(there)}
    assert [line.level for line in surroundings.certificates(variables)] == [Level.WARNING, Level.OK]
    assert list(surroundings.certificates({})) == []


# The machine


@pytest.mark.parametrize(
    ("now_ms", "level"), [(1_795_000_000_000, Level.OK), (0, Level.PROBLEM), (9e12, Level.PROBLEM)]
)
def test_a_clock_that_cannot_be_right_is_told(now_ms: float, level: Level) -> None:
    assert only(machine.clock(int(now_ms))).level is level


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    """One that is not there, since nothing is forbidden to root."""
    assert levels(machine.folders(tmp_path)) == {"temporary": Level.OK, "folder": Level.OK}
    assert levels(machine.folders(tmp_path / "lost"))["folder"] is Level.WARNING
    assert list(tmp_path.iterdir()) == []


def test_certificates_can_be_made() -> None:
    assert only(machine.authority({})).level in (Level.OK, Level.WARNING)
