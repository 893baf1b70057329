"""Every effect at every point where it makes sense, over a real socket."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from mockserver.running import ServerThread
from tests.mockserver.faults.driving import PAIRS, SCENES, Pair, observe
from tests.mockserver.faults.stage import Stage, running


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    """A mock behind a socket."""
    with running() as found:
        yield found


def _name(pair: Pair) -> str:
    return f"{pair[0].value}-{pair[1].value}"


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair in SCENES], ids=_name)
def test_a_client_sees_what_was_armed_and_nothing_is_logged(
    server: ServerThread, caplog: pytest.LogCaptureFixture, pair: Pair
) -> None:
    """The scene itself checks the bytes; the log stays empty, since nothing went wrong that was not asked for."""
    with caplog.at_level(logging.WARNING):
        seen = observe(lambda key: Stage(server, key), *pair)
    assert seen.sees
    assert caplog.messages == []


def test_every_pair_of_the_table_is_driven() -> None:
    """A new effect, or an effect at a new point, needs a scene."""
    assert set(SCENES) == set(PAIRS)
