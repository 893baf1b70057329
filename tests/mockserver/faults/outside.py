"""Effects that no caller of the API sees: what arrives at a webhook's receiver and at a bucket, over real sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from mockserver.faults.breaks import DEFAULT_EVENT_FIELD
from mockserver.faults.kinds import BreakKind, Kind, Refused
from mockserver.faults.points import Point
from mockserver.outbound.sender import LOOP_HEADER
from mockserver.running import ServerThread
from mockserver.storage.s3 import StorageSettings
from tests.bodies import TXT2IMG, txt2img
from tests.mockserver.faults.stage import Ask, Stage, poll_ask, settings

DONE, FAILED = "TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"
WAIT_S = 0.2
EARLIER_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """One call that came in."""

    method: str
    id: str
    body: bytes
    at_s: float

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)

    @property
    def told(self) -> tuple[str, str]:
        """Task and status of an event."""
        task = self.json["payload"]["task"]
        return task["task_id"], task["status"]


@dataclass(slots=True)
class Outside:
    """A server of somebody else's: takes every call.

    Attributes:
        url: where it listens.
        came: the calls, in order.
        refuse: how many of the next it answers with 400.
    """

    url: str = ""
    came: list[Came] = field(default_factory=list)
    refuse: int = 0


@contextmanager
def outside(refuse: int = 0) -> Iterator[Outside]:
    """Somebody else's server on a free port."""
    found = Outside(refuse=refuse)

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            id = self.headers.get(LOOP_HEADER, "")
            found.came.append(Came(method=self.command, id=id, body=body, at_s=time.monotonic()))
            refused, found.refuse = found.refuse > 0, max(0, found.refuse - 1)
            self.send_response(400 if refused else 200)
            self.send_header("content-length", "0")
            self.send_header("etag", '"0"')
            self.end_headers()

        do_POST = do_PUT = do_HEAD = do_GET = _take  # the library's names

        def log_message(self, format: str, *args: object) -> None:  # the library's name
            """Says nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def _submit(stage: Stage, extra: Mapping[str, Any]) -> str:
    answer = stage.json(Ask(method="POST", path=TXT2IMG, body=orjson.dumps(txt2img(extra))))
    task_id: str = answer["task_id"]
    return task_id


def _with_webhook(stage: Stage, receiver: Outside) -> str:
    return _submit(stage, {"webhook": {"url": receiver.url + "/hook"}})


def _end(stage: Stage, task_id: str) -> None:
    stage.control("POST", f"/tasks/{task_id}/end", {"status": DONE})
    stage.control("POST", "/clock/advance", {"seconds": 0})  # what is due is carried out before it answers


def _deliveries(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.control("GET", "/webhooks/deliveries")["deliveries"]
    return found


def early(stage: Stage) -> str:
    """The race that a client loses: it is told of a task whose id it does not have yet."""
    with outside() as receiver:
        stage.arm(Point.WEBHOOK_BEFORE_REPLY, "early")
        task_id = _with_webhook(stage, receiver)
        told = [one.told for one in receiver.came]
        status = stage.json(poll_ask("v3", task_id))["task"]["status"]
    assert told == [(task_id, DONE)], "it was there when the submit was answered"
    assert status == DONE
    return "the event that its task has succeeded arrives before the submit is answered; the first poll says so too"


def attempt(stage: Stage, kind: Kind) -> str:
    """What a receiver gets of one delivery."""
    refused = 1 if kind in (Kind.TRUNCATE, Kind.BREAK) else 0
    with outside(refuse=refused) as receiver:
        match kind:
            case Kind.BREAK:
                return _broken(stage, receiver)
            case Kind.REORDER:
                stage.arm(Point.WEBHOOK_ATTEMPT, kind.value, times=1)
                tasks = [_with_webhook(stage, receiver) for _ in range(2)]
                for task_id in tasks:
                    _end(stage, task_id)
                assert [task_id for task_id, _ in (one.told for one in receiver.came)] == tasks[::-1]
                return "the event of the task that ended second, then that of the first"
        effect: object = {"late": "30s"} if kind is Kind.LATE else kind.value
        stage.arm(Point.WEBHOOK_ATTEMPT, effect, times=1)
        task_id = _with_webhook(stage, receiver)
        stage.finish_all()
        return _of_one(stage, kind, receiver.came, task_id)


def _of_one(stage: Stage, kind: Kind, came: list[Came], task_id: str) -> str:
    (delivery, *others) = _deliveries(stage)
    match kind:
        case Kind.TRUNCATE:
            cut, whole = (one.body for one in came)
            assert cut == whole[: len(cut)]
            assert 2 * len(cut) == len(whole) - len(whole) % 2
            assert not _is_json(cut)
            assert _is_json(whole)
            return "the first half of the event, with a length that says so: no JSON; once it refuses that, a whole one"
        case Kind.LATE:
            history = stage.control("GET", f"/webhooks/deliveries/{delivery['id']}")["history"]
            late_ms = history[0]["at_ms"] - delivery["owed_since_ms"]
            assert [one.told for one in came] == [(task_id, DONE)]
            return f"the event, {late_ms // 1000} s after its task ended by the world's clock"
        case Kind.DROP:
            assert (came, delivery["state"]) == ([], "dropped")
            return "nothing, ever"
        case Kind.HOLD:
            assert (came, delivery["state"]) == ([], "held")
            stage.control("POST", f"/webhooks/deliveries/{delivery['id']}/release")
            assert [one.told for one in came] == [(task_id, DONE)]
            return "nothing until the delivery is released by a control call, then the event"
        case Kind.DUPLICATE:
            first, second = came
            assert (first.id, first.body) == (second.id, second.body)
            return "the event twice, the same bytes under the same id"
        case _:
            assert kind is Kind.CONFLICT, kind
            assert [one.told for one in came] == [(task_id, DONE), (task_id, FAILED)]
            assert len(others) == 1
            return "the event that the task has succeeded, then one that it has failed"


def _is_json(raw: bytes) -> bool:
    try:
        orjson.loads(raw)
    except ValueError:
        return False
    return True


def _broken(stage: Stage, receiver: Outside) -> str:
    """Each break, refused by the receiver, and the whole event that follows."""
    from tests.mockserver.faults.driving import how_broken  # it imports the scenes of this module

    parts = []
    for kind in BreakKind:
        receiver.came.clear()
        receiver.refuse = 1
        stage.arm(Point.WEBHOOK_ATTEMPT, {"break": kind.value}, times=1)
        _with_webhook(stage, receiver)
        stage.finish_all()
        broken, whole = receiver.came
        parts.append(f"{kind.value}: {how_broken(kind, broken.json, whole.json, DEFAULT_EVENT_FIELD)}")
    return f"an event: {', '.join(parts)}; once it refuses that, a right one"


@contextmanager
def _bucket(key: str) -> Iterator[tuple[Stage, Outside]]:
    with outside() as bucket:
        storage = StorageSettings(endpoint_url=bucket.url, access_key="access", secret_key="secret", timeout_s=5)
        with ServerThread(replace(settings(), storage=storage)) as server:
            stage = Stage(server, key)
            try:
                yield stage, bucket
            finally:
                stage.close()


def _with_bucket(stage: Stage) -> str:
    return _submit(stage, {"custom_storage": {"aws_s3": {"region": "us-east-1", "bucket": "shelf", "path": "/out"}}})


def put(stage: Stage, kind: Kind) -> str:
    """What an upload comes to; on a server of its own, which knows a bucket."""
    with _bucket(stage.key) as (here, bucket):
        if kind is Kind.DELAY:
            here.arm(Point.STORAGE_PUT, {"delay": "200ms"}, times=1)
            task_id = _with_bucket(here)
            since_s = time.monotonic()
            here.finish_all()
            puts = [one for one in bucket.came if one.method == "PUT"]
            assert len(puts) == 1
            assert puts[0].at_s - since_s >= WAIT_S - EARLIER_S
            assert here.json(poll_ask("v3", task_id))["task"]["status"] == DONE
            return "the picture comes into the bucket later, and only then the task succeeds"
        assert kind is Kind.REFUSE
        reasons = []
        for why in Refused:
            here.arm(Point.STORAGE_PUT, {"refuse": why.value}, times=1)
            task_id = _with_bucket(here)
            here.finish_all()
            result = here.json(poll_ask("v3", task_id))
            assert (result["task"]["status"], result["images"]) == (FAILED, [])
            assert "'shelf'" in result["task"]["reason"]
            reasons.append(result["task"]["reason"])
        assert len(set(reasons)) == len(Refused), "each says what was wrong"
        assert [one for one in bucket.came if one.method == "PUT"] == []
    words = ", ".join(Refused)
    return f"nothing comes into the bucket; the task fails, and its reason names the bucket and why ({words})"
