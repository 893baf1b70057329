"""Answers in trouble: pipelined calls, clients that leave, calls in process, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from mockserver.app import MockApp, create_app
from mockserver.core.clock import ClockMode
from mockserver.faults.effects import read_effect
from mockserver.faults.kinds import Kind
from mockserver.faults.points import Point
from mockserver.mock import Parts
from mockserver.parts.wall import FakeWall
from mockserver.running import ServerThread
from mockserver.settings import Settings
from mockserver.trouble import Sent, Troubled, play
from tests.bodies import TXT2IMG, txt2img
from tests.mockserver.faults.driving import SCENES
from tests.mockserver.faults.stage import MODELS, PATIENCE_S, Ask, Seen, Stage, Wire, poll_ask, running, submit_ask

BREAKING = (
    Kind.CONNECTION_RESET,
    Kind.EMPTY_RESPONSE,
    Kind.MALFORMED_CHUNK,
    Kind.RANDOM_DATA,
    Kind.TRUNCATE,
)
SURVIVING: dict[Kind, object] = {
    Kind.STATUS: {"status": 503},
    Kind.DELAY: {"delay": "50ms"},
    Kind.DRIBBLE: {"dribble": {"time": "50ms", "pieces": 5}},
    Kind.BREAK: "break",
}
LEAKY_CALLS = 500
ROUNDS = 5000
"""How often the server is asked whether it has come to rest; each time it does what is due."""


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    """A mock behind a socket."""
    with running() as found:
        yield found


@pytest.fixture
def stage(server: ServerThread, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Stage]:
    """A world of a test's own; nothing may be logged above INFO while it is used."""
    caplog.set_level(logging.WARNING)
    found = Stage(server, f"sk-{request.node.name}")
    found.tasks()  # its own connection is open from now on; those of earlier tests are gone
    for _ in range(ROUNDS):
        if at_rest(server)[:2] == (1, 0):
            break
    assert at_rest(server)[:2] == (1, 0)
    yield found
    found.close()
    assert [record.getMessage() for record in caplog.get_records("call")] == []


def at_rest(server: ServerThread) -> tuple[int, int, int]:
    """Connections, calls in progress and all tasks of the server's loop."""

    def count() -> tuple[int, int, int]:
        state = server._server.server_state
        return len(state.connections), len(state.tasks), len(asyncio.all_tasks())

    found: tuple[int, int, int] = server.call(count)
    return found


def comes_to_rest(server: ServerThread, before: tuple[int, int, int]) -> tuple[int, int, int]:
    """The same once what has ended was put away; asks until it is as before, for a bounded number of rounds."""
    found = at_rest(server)
    for _ in range(ROUNDS):
        if found == before:
            break
        found = at_rest(server)
    return found


@pytest.mark.parametrize("kind", SURVIVING, ids=str)
def test_a_pipelined_call_is_answered_after_one_in_trouble(stage: Stage, kind: Kind) -> None:
    """Two calls in one packet: the second is answered on the same connection, in order."""
    ask = poll_ask("v3", stage.submit())
    stage.arm(Point.RESULT, SURVIVING[kind], times=1)
    with stage.wire() as wire:
        wire.socket.sendall(wire.request("GET", ask.path) + wire.request("GET", MODELS))
        both = both_of(wire)
    first, second = both
    assert first.status == (503 if kind is Kind.STATUS else 200)
    assert (second.status, "models" in second.json) == (200, True)


def both_of(wire: Wire) -> tuple[Seen, Seen]:
    """Two answers, however they were cut into packets."""
    found: list[Seen] = []
    with wire.socket.makefile("rb") as stream:
        for _ in range(2):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += stream.readline()
            seen = Seen(pieces=[(0.0, head)], ending="whole")
            seen.pieces.append((0.0, stream.read(seen.announced)))
            found.append(seen)
    return found[0], found[1]


@pytest.mark.parametrize("kind", BREAKING, ids=str)
def test_a_pipelined_call_behind_a_broken_one_is_never_answered(stage: Stage, kind: Kind) -> None:
    """What was behind a connection's end is lost, and was not carried out."""
    ask, submit = poll_ask("v3", stage.submit()), submit_ask()
    stage.arm(Point.RESULT, kind.value, times=1)
    before = at_rest(stage.server)
    with stage.wire() as wire:
        wire.socket.sendall(wire.request("GET", ask.path) + wire.request("POST", submit.path, submit.body))
        seen = wire.look()
    assert seen.ending in ("reset", "closed")
    assert b"task_id" not in seen.raw.partition(b"200 OK")[2].partition(b"200 OK")[2]
    assert stage.tasks() == 1
    assert comes_to_rest(stage.server, before) == before


def test_a_client_that_leaves_an_unanswered_call_with_others_behind_it_is_let_go(stage: Stage) -> None:
    """Uvicorn stops reading while calls wait in line; that the client left is noticed all the same."""
    before = at_rest(stage.server)
    task_id = stage.submit()
    stage.arm(Point.RESULT, "no-answer", times=1)
    with stage.wire() as wire:
        wire.socket.sendall(wire.request("GET", poll_ask("v3", task_id).path))
        assert wire.look(patience_s=PATIENCE_S).ending == "silent", "it is held when the others come"
        for _ in range(3):
            wire.socket.sendall(wire.request("GET", poll_ask("v3", task_id).path))
        assert wire.look(patience_s=PATIENCE_S).ending == "silent"
        assert at_rest(stage.server)[0] == before[0] + 1, "it is still open"
    assert comes_to_rest(stage.server, before) == before


@pytest.mark.parametrize("kind", [Kind.DELAY, Kind.DRIBBLE], ids=str)
def test_a_client_that_leaves_while_it_waits_has_lost_its_answer(stage: Stage, kind: Kind) -> None:
    """The task was made and is paid for: the ledger learns that nobody heard of it."""
    stage.arm(Point.SUBMIT_AFTER_COMMIT, {kind.value: {"time": "1h"}}, times=1)
    before = at_rest(stage.server)
    ask = submit_ask()
    with stage.wire() as wire:
        assert wire.ask(ask, patience_s=PATIENCE_S).ending == "silent"
    assert comes_to_rest(stage.server, before) == before
    assert stage.tasks() == 1
    world = stage.server.mock.world(stage.key)
    assert world.verdicts.pending
    stage.json(ask)
    assert [verdict.kind.value for verdict in world.verdicts.verdicts()] == ["double-spend"]


def test_a_client_that_leaves_before_anything_was_done_has_made_no_task(stage: Stage) -> None:
    """At submit.before a delay holds back the call: trying again is safe."""
    stage.arm(Point.SUBMIT_BEFORE, {"delay": "1h"}, times=1)
    before = at_rest(stage.server)
    ask = submit_ask()
    with stage.wire() as wire:
        assert wire.ask(ask, patience_s=PATIENCE_S).ending == "silent"
    assert comes_to_rest(stage.server, before) == before
    assert stage.tasks() == 0
    stage.json(ask)
    world = stage.server.mock.world(stage.key)
    assert [verdict.kind.value for verdict in world.verdicts.verdicts()] == ["safe-retry"]
    assert [entry["status"] for entry in stage.journal()] == [0, 200]


def test_a_call_that_was_held_back_is_carried_out_once(stage: Stage) -> None:
    """Delays at two points and a refusal after them: each happens, findings are told once."""
    stage.arm(Point.AUTH, {"delay": "10ms"}, times=1)
    stage.arm(Point.SUBMIT_BEFORE, {"delay": "10ms"}, times=2)
    stage.arm(Point.SUBMIT_AFTER_COMMIT, {"status": 500}, times=1)
    body = orjson.dumps(txt2img(seed=-1, unheard_of=1))
    with stage.wire() as wire:
        seen = wire.ask(Ask(method="POST", path=TXT2IMG, body=body))
    assert seen.status == 500
    assert stage.tasks() == 1
    assert [fired["at"].partition("#")[0] for fired in stage.control("GET", "/faults")["fired"]] == [
        "auth",
        "submit.before",
        "submit.after_commit",
    ]
    findings = stage.control("GET", "/findings")["findings"]
    assert sum(finding["count"] for finding in findings if "unheard_of" in finding["where"]) == 1


def test_a_world_that_was_forgotten_during_a_delay_is_made_anew(stage: Stage) -> None:
    """A call that waited finds the world of its key as it is then."""
    stage.arm(Point.SUBMIT_BEFORE, {"delay": "500ms"}, times=1)
    ask = submit_ask()
    with stage.wire() as wire:
        wire.socket.sendall(wire.request(ask.method, ask.path, ask.body))
        assert wire.look(patience_s=0.05).ending == "silent"
        mock = stage.server.mock
        stage.server.call(lambda: mock.forget(mock.world(stage.key)))
        seen = wire.look()
    task_id = seen.json["task_id"]
    assert stage.tasks() == 1
    assert stage.server.mock.owner(task_id) is stage.server.mock.world(stage.key)


@pytest.mark.parametrize("kind", [*BREAKING, Kind.NO_ANSWER], ids=str)
def test_nothing_is_left_of_many_calls_in_trouble(stage: Stage, kind: Kind) -> None:
    """Connections, calls and tasks of the server are as many as before; keep-alive timers go with their connection."""
    ask = poll_ask("v3", stage.submit())
    stage.control("POST", "/faults", {"max_in_a_row": None, "faults": [{"point": "result", "effect": kind.value}]})
    before = at_rest(stage.server)
    protocols = set[Any]()
    state = stage.server._server.server_state
    for n in range(LEAKY_CALLS):
        with stage.wire() as wire:
            if n % 2:  # half of them on a connection that has a keep-alive timer
                assert wire.ask(Ask(path=MODELS)).status == 200
            if n % 50 == 1:
                protocols |= stage.server.call(lambda: set(state.connections))
            wire.socket.sendall(wire.request("GET", ask.path))
            if kind is not Kind.NO_ANSWER:
                assert wire.look().ending in ("closed", "reset")
    assert comes_to_rest(stage.server, before) == before
    gone = protocols - state.connections
    assert gone
    assert {protocol.timeout_keep_alive_task for protocol in gone} == {None}
    fired = stage.control("GET", "/faults")["total"]
    assert fired == LEAKY_CALLS if kind is not Kind.NO_ANSWER else fired > 0


def test_a_client_that_resets_an_idle_connection_leaves_no_timer(stage: Stage) -> None:
    """Uvicorn keeps its keep-alive timer then, and the connection with it."""
    state = stage.server._server.server_state
    before = at_rest(stage.server)
    known = stage.server.call(lambda: set(state.connections))
    wire = stage.wire()
    assert wire.ask(Ask(path=MODELS)).status == 200
    (protocol,) = stage.server.call(lambda: set(state.connections)) - known
    assert protocol.timeout_keep_alive_task is not None
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.socket.close()
    assert comes_to_rest(stage.server, before) == before
    assert protocol.timeout_keep_alive_task is None


def test_a_server_ends_although_calls_are_held(caplog: pytest.LogCaptureFixture) -> None:
    """Calls that are never answered, and others in line behind them, hold up nobody and nothing is logged."""
    caplog.set_level(logging.WARNING)
    with running() as server:
        stage = Stage(server, "sk-held")
        ask = poll_ask("v3", stage.submit())
        stage.arm(Point.RESULT, "no-answer", times=1)
        stage.arm(Point.MODELS, {"delay": "1h"}, times=1)
        wires = [stage.wire(), stage.wire()]
        for wire, held in zip(wires, (ask, Ask(path=MODELS)), strict=True):
            wire.socket.sendall(wire.request("GET", held.path))
            wire.socket.sendall(wire.request("GET", held.path) * 2)
            assert wire.look(patience_s=PATIENCE_S).ending == "silent"
        stage.close()
    assert not server._thread.is_alive()
    for wire in wires:
        assert wire.look().ending in ("closed", "reset")
        wire.socket.close()
    assert caplog.messages == []


# In process, without a socket.


@pytest.fixture
def app() -> MockApp:
    """A mock without a socket, whose waits a test counts."""
    return create_app(settings=Settings(clock=ClockMode.parse("manual")), parts=Parts(wall=FakeWall(), pause=_Pauses()))


class _Pauses:
    """Waits for nothing, and remembers how long it should have."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)


async def _call(app: MockApp, method: str, path: str, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://mock.test") as client:
        headers = {"authorization": "Bearer sk-inside", **options.pop("headers", {})}
        return await client.request(method, path, headers=headers, **options)


def _arm(app: MockApp, point: Point, effect: object) -> None:
    rule = {"point": point.value, "effect": effect}
    assert asyncio.run(_call(app, "POST", "/__mock/faults", json=rule)).status_code == 200


@pytest.mark.parametrize("kind", BREAKING, ids=str)
def test_in_process_a_broken_connection_is_an_error_of_the_transport(app: MockApp, kind: Kind) -> None:
    """There is no connection to break, so the call raises what a broken one would."""
    _arm(app, Point.SUBMIT_AFTER_COMMIT, kind.value)
    with pytest.raises(ConnectionResetError, match=kind.value):
        asyncio.run(_call(app, "POST", TXT2IMG, json=txt2img()))
    world = app.state.mock.world("sk-inside")
    assert world.created == 1
    assert world.verdicts.pending


def test_in_process_a_broken_download_is_an_error_of_the_transport(app: MockApp) -> None:
    """Pictures lie behind a web framework; the error gets through it."""
    task_id = asyncio.run(_call(app, "POST", TXT2IMG, json=txt2img())).json()["task_id"]
    asyncio.run(_call(app, "POST", "/__mock/clock/run-until-idle"))
    result = asyncio.run(_call(app, "GET", "/v3/async/task-result", params={"task_id": task_id})).json()
    _arm(app, Point.DOWNLOAD, Kind.EMPTY_RESPONSE.value)
    with pytest.raises(ConnectionResetError):
        asyncio.run(_call(app, "GET", result["images"][0]["image_url"]))


@pytest.mark.parametrize(
    ("point", "effect", "made"),
    [
        (Point.SUBMIT_BEFORE, "delay", 0),
        (Point.SUBMIT_AFTER_COMMIT, "delay", 1),
        (Point.SUBMIT_AFTER_COMMIT, "dribble", 1),
        (Point.SUBMIT_AFTER_COMMIT, "no-answer", 1),
    ],
)
def test_in_process_a_call_that_is_cancelled_has_lost_its_answer(point: Point, effect: str, made: int) -> None:
    """A client's own time limit cancels the call; there is no connection that could end."""
    app = create_app(settings=Settings(clock=ClockMode.parse("manual")))
    _arm(app, point, effect if effect == "no-answer" else {effect: {"time": "1h"}})

    async def run() -> None:
        await asyncio.wait_for(_call(app, "POST", TXT2IMG, json=txt2img()), PATIENCE_S)

    with pytest.raises(TimeoutError):
        asyncio.run(run())
    world = app.state.mock.world("sk-inside")
    asyncio.run(_call(app, "DELETE", "/__mock/faults"))
    asyncio.run(_call(app, "POST", TXT2IMG, json=txt2img()))
    assert world.created == made + 1
    verdicts = [verdict.kind.value for verdict in world.verdicts.verdicts()]
    assert verdicts == (["double-spend"] if made else ["safe-retry"])


@pytest.mark.parametrize("point", [Point.AUTH, Point.MODELS])
def test_in_process_a_delay_waits_by_the_part(app: MockApp, point: Point) -> None:
    """A test passes its own pause, and loses no time."""
    _arm(app, point, {"delay": "90s"})
    answer = asyncio.run(_call(app, "GET", MODELS))
    assert answer.status_code == 200
    assert sum(app.state.mock.pause.waited) == 90.0


def test_in_process_a_dribble_waits_before_each_piece(app: MockApp) -> None:
    """The whole time is waited, evenly."""
    _arm(app, Point.MODELS, {"dribble": {"time": "1s", "pieces": 4}})
    answer = asyncio.run(_call(app, "GET", MODELS))
    assert len(answer.json()["models"]) == 5
    assert app.state.mock.pause.waited == [0.25] * 4


@pytest.mark.parametrize("length", [0, 1, 3, 10, 11, 45])
def test_a_dribbled_body_is_cut_into_pieces_of_about_the_same_size(length: int) -> None:
    """A body shorter than its pieces has as many as it has bytes."""
    body = bytes(range(length))
    sent = asyncio.run(_played((200, [(b"content-length", b"%d" % length)], body), {"dribble": {"pieces": 10}}))
    pieces = [len(piece) for piece in sent if piece]
    assert b"".join(sent) == body
    assert len(pieces) == min(10, length)
    assert not pieces or max(pieces) - min(pieces) <= 1


async def _played(sent: Sent, effect: object) -> list[bytes]:
    """The pieces of a body that an effect sends."""
    found: list[bytes] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            found.append(message["body"])

    async def receive() -> Any:
        await asyncio.Event().wait()

    troubled = Troubled(sent, read_effect(effect, Point.RESULT, ()), seed=1)
    await play(troubled, {"type": "http"}, receive, send, _Pauses())
    return found


def test_a_call_from_a_browser_is_cut_short_as_any_other(stage: Stage) -> None:
    """`Origin` and `Accept-Encoding` lead through other layers, which must neither mend nor repack it."""
    stage.arm(Point.SUBMIT_AFTER_COMMIT, "truncate", times=1)
    with stage.wire() as wire:
        seen = wire.ask(submit_ask(), Origin="http://app.example", Accept_Encoding="gzip")
    assert (seen.ending, len(seen.body)) == ("closed", seen.announced // 2)
    assert seen.headers["access-control-allow-origin"] == "*"


def test_a_preference_is_not_claimed_for_a_fault_that_a_plan_made(stage: Stage) -> None:
    """`Preference-Applied` stands in answers to `Prefer` only."""
    stage.arm(Point.AUTH, {"status": 503}, times=1)
    with stage.wire() as wire:
        planned = wire.ask(Ask(path=MODELS), Prefer="code=429")
        asked = wire.ask(Ask(path=MODELS), Prefer="code=429")
    assert (planned.status, planned.headers.get("preference-applied")) == (503, None)
    assert (asked.status, asked.headers.get("preference-applied")) == (429, "code=429")


def test_every_breaking_effect_is_known_here() -> None:
    """The lists above follow the scenes."""
    kinds = {kind for point, kind in SCENES if point is Point.RESULT}
    assert kinds == {*BREAKING, *SURVIVING, Kind.NO_ANSWER}
