"""pytest fixtures and a marker: a running mock for the session, and a fresh world for each test.

Loaded in every pytest run of an environment that has the package, so nothing is imported here, and nothing is said at
the end of a run, until a fixture is used. What the fixtures do is in `mockserver.testing`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mockserver.handles import NovitaWorld, Running
    from mockserver.settings import Settings
    from mockserver.testing.async_handles import AsyncNovitaWorld
    from mockserver.testing.tally import Tally
    from mockserver.testing.transport import MockTransport
    from mockserver.testing.warnings import NovitaFindingWarning
    from mockserver.testing.worlds import OpenWorld

MARKER = "novita"
SOCKET = "socket"
_TALLY: pytest.StashKey[Tally] = pytest.StashKey()
_OPENED: pytest.StashKey[OpenWorld] = pytest.StashKey()
_OUTPUT = "novita_mock_tally"


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker."""
    config.addinivalue_line(
        "markers",
        "novita(scenario, clock, faults, fleet, webhooks, account, nsfw_confidences, link_ttl, max_in_a_row, v2, "
        "socket): the situation that the test's novita_world begins with, in the words of a scenario's file",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Refuses a marker that says something it cannot, while tests are collected."""
    if MARKER in metafunc.definition.keywords:  # asked for every test of every suite: a look, not a walk
        _situation(metafunc.definition)


@pytest.fixture(scope="session")
def novita_mock_settings() -> Settings:
    """Settings of the session's mock; override it in a conftest.py for others than these: every clock is `auto`."""
    from mockserver.core.clock import ClockMode
    from mockserver.settings import Settings

    return Settings(clock=ClockMode.parse("auto"))


@pytest.fixture(scope="session")
def novita_mock(novita_mock_settings: Settings) -> Iterator[Running]:
    """A mock on a free loopback port, in a thread of this process."""
    from mockserver.testing import novita_mock_server

    with novita_mock_server(novita_mock_settings) as server:
        yield server


@pytest.fixture(scope="session")
def _novita_mock_without_socket(novita_mock_settings: Settings) -> Iterator[Running]:
    from mockserver.testing import novita_mock_server

    with novita_mock_server(novita_mock_settings, socket=False) as server:
        yield server


@pytest.fixture
def novita_world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[NovitaWorld]:
    """A world of the test's own, forgotten afterwards; NOVITA_API_KEY and NOVITA_API_URI are set to it."""
    item = request.node
    scenario, has_socket = _situation(item)
    server: Running = request.getfixturevalue("novita_mock" if has_socket else "_novita_mock_without_socket")
    from hashlib import blake2b

    from mockserver.testing.tally import Tally
    from mockserver.testing.worlds import close_world, open_world

    key = f"sk-mock-{blake2b(item.nodeid.encode(), digest_size=8).hexdigest()}"
    opened = open_world(server, key, scenario)
    monkeypatch.setenv("NOVITA_API_KEY", key)
    monkeypatch.setenv("NOVITA_API_URI", server.url)
    item.stash[_OPENED] = opened
    yield opened.world
    del item.stash[_OPENED]
    outcome = close_world(opened)
    stash = request.config.stash
    stash[_TALLY] = stash.get(_TALLY, Tally()) + outcome.tally
    error = outcome.warn(lambda warning: _warn(warning, item))
    if error is not None:
        told = [str(error), *getattr(error, "__notes__", ())]
        codes = ", ".join(f'"ignore:{code}"' for code in sorted({one.split()[0] for one in told}))
        told.append(f"Where a test means it: @pytest.mark.filterwarnings({codes}). Pages: docs/findings/")
        pytest.fail("\n".join(told), False)


@pytest.fixture
def novita_async_world(novita_world: NovitaWorld) -> AsyncNovitaWorld:
    """The test's world with handles that are awaited; for asyncio and trio, by whatever plugin."""
    from mockserver.testing.async_handles import AsyncNovitaWorld

    return AsyncNovitaWorld(novita_world)


@pytest.fixture
def novita_transport(novita_world: NovitaWorld) -> MockTransport:
    """For `httpx.Client(transport=...)` and `httpx.AsyncClient(transport=...)`: the test's world without a connection.

    With `@pytest.mark.novita(socket=False)` the mock does not listen anywhere either.
    """
    from mockserver.testing.transport import MockTransport

    return MockTransport(novita_world.server)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test tells what its world saw."""
    report = yield
    if report.when == "call" and report.failed and _OPENED in item.stash:
        from mockserver.testing.witness import witnessed

        report.sections.append(("What novita_world saw", "\n".join(witnessed(item.stash[_OPENED]))))
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its sums to the process that talks to people."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None and _TALLY in session.config.stash:
        output[_OUTPUT] = session.config.stash[_TALLY].as_json()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended: its sums are added."""
    given = getattr(node, "workeroutput", {}).get(_OUTPUT)
    if given is not None:
        from mockserver.testing.tally import Tally

        stash = node.config.stash
        stash[_TALLY] = stash.get(_TALLY, Tally()) + Tally.from_json(given)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line, if there was a world: what the run would have cost, and what it took."""
    if _TALLY in config.stash and config.getoption("verbose") > -2:
        terminalreporter.write_line(config.stash[_TALLY].line())


def _situation(node: pytest.Item | Any) -> tuple[Any, bool]:
    """The scenario that the markers of a test describe (None: none), and whether its mock has a socket."""
    options: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers(MARKER))):  # the nearest one says it last
        if mark.args:
            pytest.fail(f"{node.nodeid}: @pytest.mark.novita takes arguments by name only, as in clock='manual'", False)
        options.update(mark.kwargs)
    if not options:
        return None, True
    from mockserver.testing.options import OPTIONS, BadOption, check_names, read_options

    try:
        check_names(options, (*OPTIONS, SOCKET))
        has_socket = bool(options.pop(SOCKET, True))
        return read_options(options), has_socket
    except BadOption as error:
        wrong = str(error)
    pytest.fail(f"{node.nodeid}: @pytest.mark.novita: {wrong}", False)  # out here, so that nothing is told twice


def _warn(warning: NovitaFindingWarning, item: pytest.Item) -> None:
    """Warns at the test, not at this module."""
    import warnings

    path, line, _ = item.reportinfo()
    module = getattr(getattr(item, "module", None), "__name__", "")
    warnings.warn_explicit(warning, None, str(path), (line or 0) + 1, module or None)
