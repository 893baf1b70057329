"""Context managers: for unittest, and for suites without fixtures."""

from __future__ import annotations

import asyncio
import os
import warnings

import httpx
import pytest

from mockserver.faults.scenario import WORDS
from mockserver.testing import (
    NovitaFindingError,
    novita_mock_async_world,
    novita_mock_server,
    novita_mock_world,
)
from mockserver.testing.options import OPTIONS, SCENARIO
from mockserver.testing.tally import minutes
from mockserver.testing.transport import MockTransport
from tests.bodies import TXT2IMG, txt2img

VARIABLES = ("NOVITA_API_KEY", "NOVITA_API_URI")


def variables() -> list[str | None]:
    return [os.environ.get(name) for name in VARIABLES]  # noqa: TID251  # what clients read


def submit(url: str, key: str) -> httpx.Response:
    return httpx.post(f"{url}{TXT2IMG}", json=txt2img(seed=1), headers={"authorization": f"Bearer {key}"})


def test_a_world_takes_the_variables_and_gives_them_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLES[0], "sk-of-mine")
    monkeypatch.delenv(VARIABLES[1], raising=False)
    with novita_mock_world(clock="manual") as world:
        assert variables() == [world.key, world.url]
        assert submit(world.url, world.key).status_code == 200
    assert variables() == ["sk-of-mine", None]


def test_worlds_share_a_server_and_nothing_else() -> None:
    """Also at the same time; names are the same in every run."""
    with novita_mock_server() as server:
        with novita_mock_world(server) as one, novita_mock_world(server, scenario="rate-limited") as other:
            assert (one.key, other.key) == ("sk-mock-test-1", "sk-mock-test-2")
            assert submit(one.url, one.key).status_code == 200
            assert other.requests() == []
        with novita_mock_world(server) as again:
            assert again.key == "sk-mock-test-1"
            assert again.requests() == []


def test_findings_are_warned_of_where_the_world_ended() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with novita_mock_world() as world:
            world.faults.arm("submit.after_commit", {"status": 504}, times=1)
            submit(world.url, world.key)
            submit(world.url, world.key)
    (warning,) = caught
    assert warning.category is NovitaFindingError
    assert str(warning.message).startswith("NV301 ")
    assert warning.filename == __file__


def test_what_went_wrong_in_a_world_is_not_hidden_by_its_findings() -> None:
    def fail() -> None:
        with novita_mock_world(socket=False) as world:
            world.faults.arm("submit.after_commit", {"status": 504}, times=1)
            with httpx.Client(transport=MockTransport(world.server), base_url=world.url) as client:
                for _ in range(2):
                    client.post(TXT2IMG, json=txt2img(seed=1), headers={"authorization": f"Bearer {world.key}"})
            raise KeyError(world.key)

    with pytest.raises(KeyError):
        fail()


def test_an_unknown_option_starts_nothing() -> None:
    with pytest.raises(ValueError, match="unknown argument clok"), novita_mock_world(clok="manual"):
        raise AssertionError("not reached")


def test_coroutines_have_worlds_too() -> None:
    async def run() -> int:
        async with novita_mock_async_world(socket=False, clock="manual") as world:
            before_ms = await world.clock.now_ms()
            await world.clock.advance("2h")
            return await world.clock.now_ms() - before_ms

    assert asyncio.run(run()) == 7_200_000


def test_arguments_are_the_words_of_a_scenario() -> None:
    """All but those that name it."""
    assert set(OPTIONS) == {*WORDS, SCENARIO} - {"name", "description", "extends"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (48, "48 s"), (150, "2.5 min"), (3600, "1 h"), (12_000, "3 h 20 min")],
)
def test_times_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert minutes(seconds) == text
