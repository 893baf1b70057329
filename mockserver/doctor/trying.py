"""Tries a running mock from end to end, in a world of its own: submit, poll, picture, receipt, webhook.

Nothing is sent before the address has said that it is a novita-mock, and nothing to any other address.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mockserver import __version__
from mockserver.doctor.asking import ask, host_of, is_loopback
from mockserver.doctor.receiver import Receiver
from mockserver.doctor.values import Line, note, ok, problem, warning
from mockserver.programs.names import VENDOR_HOST

if TYPE_CHECKING:
    import httpx

    from mockserver.core.clock import Wall

TIMEOUT_S = 10.0
EVENT_TIMEOUT_S = 8.0
"""Longer than the five seconds that a receiver has."""
SKEW_S = 5
SEED = 42
SUBMIT = "/v3/async/txt2img"
RESULT = "/v3/async/task-result"
REQUEST = {
    "model_name": "dreamshaper_8_93211.safetensors",
    "prompt": "a lighthouse at dawn",
    "width": 128,
    "height": 128,
    "image_num": 1,
    "steps": 4,
    "seed": SEED,
    "guidance_scale": 7.5,
    "sampler_name": "Euler a",
}
UPDATE = "run the same version here and there"


class Stopped(Exception):
    """The rest cannot be tried.

    Attributes:
        line: what is said of it.
    """

    def __init__(self, line: Line) -> None:
        super().__init__(line.text)
        self.line = line


def tried(url: str, *, key: str, own_world: bool, wall: Wall) -> Iterator[Line]:
    """Goes the way of a client, step by step, until one fails.

    Args:
        url: of the mock, without a slash at its end.
        key: of the world that is used.
        own_world: it is nobody else's, and is forgotten at the end.
        wall: this machine's time.
    """
    import httpx

    host = host_of(url)
    if host == VENDOR_HOST or host.endswith(f".{VENDOR_HOST.partition('.')[2]}"):
        yield problem("mock", f"{host} is the paid service: nothing was sent there", "name the address of a mock")
        return
    found = ask(url)
    if found.mock is None:
        yield problem("mock", f"at {url} answers {found.words}", "start novita-mock there, or name its address")
        return
    if found.mock.get("version") != __version__:
        yield warning("mock", f"at {url} answers {found.words}, while this is {__version__}", UPDATE)
    else:
        yield ok("mock", f"at {url} answers {found.words}")
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False) as client:
        try:
            yield from _skew(client, wall)
            yield from _world(client)
            yield from _task(client, receive=is_loopback(host))
        except Stopped as stopped:
            yield stopped.line
        except (httpx.HTTPError, OSError) as error:
            told = str(error) or type(error).__name__
            yield problem("mock", f"the mock does not answer any more: {told}", "look at its log (--log-level info)")
        finally:
            if own_world:
                with contextlib.suppress(httpx.HTTPError):
                    client.delete("/__mock/worlds/current")


def _skew(client: httpx.Client, wall: Wall) -> Iterator[Line]:
    given = client.get("/__mock/health").headers.get("date")
    try:
        apart_s = abs(parsedate_to_datetime(given).timestamp() - wall() / 1000) if given else 0.0
    except ValueError:
        apart_s = 0.0
    if apart_s > SKEW_S:
        yield warning(
            "skew",
            f"the mock's machine and this one are {apart_s:.0f} s apart: signatures of webhooks may be refused",
            "set both clocks",
        )


def _world(client: httpx.Client) -> Iterator[Line]:
    answer = client.get("/__mock/worlds/current")
    if answer.status_code == 403:
        raise Stopped(problem("world", f"the mock refuses the key: {_why(answer)}", "doctor --url URL --key KEY"))
    told = _json(answer, "world")
    if told.get("scenario"):
        yield note("world", f"its worlds start in the scenario {told['scenario']}: what goes wrong below may be meant")


def _task(client: httpx.Client, *, receive: bool) -> Iterator[Line]:
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(Receiver()) if receive else None
        body: dict[str, Any] = {"extra": {"response_image_type": "png"}, "request": REQUEST}
        if receiver is not None:
            body["extra"]["webhook"] = {"url": receiver.url}
        told = _json(client.post(SUBMIT, json=body), "submit")
        task_id = str(told.get("task_id"))
        yield ok("submit", f"a submit was accepted as task {task_id}")
        status = _poll(client, task_id)["task"]["status"]
        if status not in ("TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"):  # whatever its clock does, it ends now
            _json(client.post(f"/__mock/tasks/{task_id}/end", json={"status": "TASK_STATUS_SUCCEED"}), "poll")
        result = _poll(client, task_id)
        images = result.get("images")
        if result["task"]["status"] != "TASK_STATUS_SUCCEED" or not images:
            reason = result["task"].get("reason") or "no reason is told"
            raise Stopped(problem("poll", f"the task ended as {result['task']['status']}: {reason}", _LOOK))
        yield ok("poll", f"its polls say {status}, then {result['task']['status']}")
        yield from _picture(client, str(images[0]["image_url"]))
        if receiver is None:
            yield note("webhook", "the mock is on another machine; webhooks to this one were not tried")
        else:
            yield _webhook(client, receiver, task_id)


_LOOK = "novita-mock explain TASK tells its story; the inspector is at /__mock/"


def _poll(client: httpx.Client, task_id: str) -> dict[str, Any]:
    told = _json(client.get(RESULT, params={"task_id": task_id}), "poll")
    if not isinstance(told.get("task"), dict) or not isinstance(told["task"].get("status"), str):
        raise Stopped(problem("poll", f"a poll's answer has no task.status: {str(told)[:200]}", _LOOK))
    return told


def _picture(client: httpx.Client, link: str) -> Iterator[Line]:
    import httpx

    from mockserver.pictures import NotAReceipt, decode

    own, other = client.base_url.netloc.decode(), urlsplit(link).netloc
    if own != other:
        yield warning(
            "picture",
            f"links of pictures lead to {other} and not to {own}: nothing was sent there",
            "leave --public-base-url out, or make sure that clients reach that address",
        )
        return
    answer = httpx.get(link, timeout=TIMEOUT_S, trust_env=False)  # without the key: links need none
    if answer.status_code != 200:
        raise Stopped(
            problem("picture", f"the picture's link answers {answer.status_code}: {answer.text[:200]}", _LOOK)
        )
    yield ok("picture", f"its picture was fetched: {len(answer.content)} bytes, {answer.headers.get('content-type')}")
    try:
        receipt = decode(answer.content)
    except NotAReceipt as error:
        raise Stopped(problem("receipt", f"the picture holds no receipt: {error}", UPDATE)) from None
    if receipt.seed != SEED:
        raise Stopped(problem("receipt", f"the receipt says seed {receipt.seed}, expected {SEED}", UPDATE))
    yield ok("receipt", f"its receipt names this request: digest {receipt.digest.hex()}, seed {receipt.seed}")


def _webhook(client: httpx.Client, receiver: Receiver, task_id: str) -> Line:
    body = receiver.event(EVENT_TIMEOUT_S)
    if body is not None and task_id.encode() in body:
        return ok("webhook", f"its webhook came to {receiver.url}")
    if body is not None:
        return problem("webhook", f"its webhook came without the task's id: {body[:200]!r}", UPDATE)
    listed = client.get("/__mock/webhooks/deliveries").json().get("deliveries") or [{}]
    note_of = str(listed[-1].get("last") or listed[-1].get("note") or listed[-1].get("state") or "nothing is known")
    return warning(
        "webhook",
        f"no webhook came to {receiver.url} within {EVENT_TIMEOUT_S:g} s: {note_of[:200]}",
        "a mock in a container reaches this machine by another name, which --allow-target has to allow",
    )


def _json(answer: httpx.Response, id: str) -> dict[str, Any]:
    """The object that came with status 200."""
    try:
        told = answer.json()
    except json.JSONDecodeError:
        told = None
    if answer.status_code != 200 or not isinstance(told, dict):
        where = f"{answer.request.method} {answer.request.url.path}"
        raise Stopped(problem(id, f"{where} answers {answer.status_code}: {_why(answer)}", _LOOK))
    return told


def _why(answer: httpx.Response) -> str:
    """What an answer says of itself."""
    try:
        told = answer.json()
    except ValueError:
        told = None
    if isinstance(told, dict):
        words = [str(told[name]) for name in ("reason", "detail", "message") if told.get(name)]
        return ", ".join(words)[:300]
    return answer.text[:200]
