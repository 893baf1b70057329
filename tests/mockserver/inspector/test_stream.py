"""Server-sent events: what is told, to how many, for how long."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import httpx
import pytest

from mockserver.control import stream
from mockserver.control.stream import Watch
from mockserver.running import ServerThread
from tests.conftest import Server
from tests.mockserver.builders import make_world, submit
from tests.mockserver.inspector.visiting import Client, serving

Event = tuple[str, dict[str, Any]]
LONGEST_S = 30.0


@pytest.fixture
def site() -> Iterator[ServerThread]:
    """A mock of its own."""
    with serving() as server:
        yield server


@contextmanager
def listening(url: str, world: str | None = None) -> Iterator[Iterator[Event]]:
    """The events of a stream; comments come as events without a name."""
    params = {} if world is None else {"world": world}
    with httpx.stream("GET", f"{url}/__mock/events", params=params, timeout=LONGEST_S, trust_env=False) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer.iter_lines())


def events(lines: Iterator[str]) -> Iterator[Event]:
    name = ""
    for line in lines:
        if line.startswith(":"):
            yield "", {}
        elif line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def until(told: Iterator[Event], kind: str) -> dict[str, Any]:
    """The next change of a kind."""
    return next(data for name, data in told if name == "change" and kind in data["changed"])


def test_changes_of_a_world_are_told_by_kind(site: ServerThread) -> None:
    """The first event names everything; then only what has changed."""
    client = Client(site.url, "sk-listen")
    with listening(site.url, client.world) as told:
        first = until(told, "life")
        assert set(first["changed"]) == {
            "life", "tasks", "requests", "findings", "webhooks", "faults", "settings", "clock",
        }  # fmt: skip
        client.submit()
        assert set(until(told, "tasks")["changed"]) == {"tasks", "requests"}
        client.advance("5s")
        assert until(told, "clock")["changed"] == ["clock"]
        client.control("POST", "/faults", {"point": "result", "effect": "no-answer"})
        assert until(told, "faults")["changed"] == ["faults"]
        client.control("POST", "/webhooks/hold")
        assert until(told, "webhooks")["changed"] == ["webhooks"]
        client.control("PATCH", "/worlds/current", {"link_ttl": "90s"})
        assert until(told, "settings")["changed"] == ["settings"]


def test_a_reset_is_told_and_the_stream_goes_on(site: ServerThread) -> None:
    """The world is the same, its life another."""
    client = Client(site.url, "sk-reset")
    client.submit()
    with listening(site.url, client.world) as told:
        until(told, "life")
        client.control("POST", "/reset")
        assert until(told, "life")["tasks"] == 0
        client.submit()
        assert until(told, "tasks")["tasks"] == 1


def test_a_forgotten_world_ends_its_stream(site: ServerThread) -> None:
    """With a last word."""
    client = Client(site.url, "sk-forgotten")
    id = client.world
    with listening(site.url, id) as told:
        until(told, "life")
        client.control("DELETE", "/worlds/current")
        rest = list(told)
    assert ("gone", {"world": id}) in rest


def test_without_a_world_only_worlds_are_told(site: ServerThread) -> None:
    """A page that waits for the first key."""
    with listening(site.url) as told:
        assert next(told) == ("worlds", {"worlds": 0})
        Client(site.url, "sk-first").submit()
        assert next(data for name, data in told if name == "worlds")["worlds"] == 1


def test_an_idle_stream_is_kept_alive(site: ServerThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment after some silence; nothing else is sent while nothing happens."""
    monkeypatch.setattr(stream, "BEAT_S", 0.3)
    client = Client(site.url, "sk-idle")
    with listening(site.url, client.world) as told:
        until(told, "life")
        assert [next(told), next(told)] == [("", {}), ("", {})]


def test_a_server_that_ends_lets_its_listeners_go() -> None:
    """It does not wait for them; each stream ends as a whole answer."""
    with serving() as server:
        client = Client(server.url, "sk-end")
        world = client.world
        ready = threading.Barrier(4)
        ended: list[list[Event]] = []

        def listen() -> None:
            with listening(server.url, world) as told:
                until(told, "life")
                ready.wait(LONGEST_S)
                ended.append(list(told))

        threads = [threading.Thread(target=listen) for _ in range(3)]
        for thread in threads:
            thread.start()
        ready.wait(LONGEST_S)
        before = monotonic()
    took_s = monotonic() - before
    for thread in threads:
        thread.join(LONGEST_S)
    assert len(ended) == 3
    assert took_s < 2.0, "as long as the server waits for a client that hangs"


def test_there_is_a_bound_of_listeners(site: ServerThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes too late is told; a place that becomes free is given away again."""
    monkeypatch.setattr(stream, "MAX_LISTENERS", 2)
    url = f"{site.url}/__mock/events"
    with listening(site.url) as one:
        with listening(site.url) as two:
            Client(site.url, "sk-any").submit()
            next(one), next(two)
            refused = httpx.get(url, trust_env=False)
            assert refused.status_code == 503
            assert "2 listen already" in refused.json()["detail"]
        deadline = monotonic() + LONGEST_S
        while httpx.head(url, trust_env=False).status_code == 503:
            assert monotonic() < deadline


def test_nobody_listening_costs_nothing(site: ServerThread) -> None:
    """No task of the event loop, no hook in a world: what listens goes with its listener."""
    client = Client(site.url, "sk-quiet")
    with listening(site.url, client.world) as told:
        until(told, "life")
        assert len(site.mock.on_end) == 1
    deadline = monotonic() + LONGEST_S
    while site.mock.on_end:
        assert monotonic() < deadline


def test_the_document_lists_it(server: Server) -> None:
    """With its media type, and both ways to say whose events."""
    operation = server.control("GET", "/openapi.json")["paths"]["/__mock/events"]["get"]
    assert list(operation["responses"]["200"]["content"]) == ["text/event-stream"]
    assert operation["security"] == [{"key": []}, {"world": []}, {}]


def test_a_clock_that_runs_has_not_changed() -> None:
    """Only moving it, or changing how it runs, is news; by any rate."""
    for mode in ("real", "x100", "manual"):
        world = make_world(clock=mode)
        wall: Any = world.clock._wall
        watch = Watch(world)
        assert "clock" in watch.changes(wall())
        wall.now_ms += 250
        assert watch.changes(wall()) == [], mode
        world.clock.advance(60_000)
        assert watch.changes(wall()) == ["clock"], mode
        world.clock.freeze()
        assert watch.changes(wall()) == ["clock"], mode
        submit(world)
        assert watch.changes(wall()) == ["tasks"], mode
