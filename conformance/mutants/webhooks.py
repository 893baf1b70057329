"""Webhook events: whether, when, how often and with what they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from conformance.bodies import RESULT
from conformance.mutants.making import ABSENT, places, put, value_at
from conformance.mutants.values import Answer, Hook, Mutant, OnEvent, Request, State, json_answer

DONE = Answer(status=200)
"""What the upstream hears so that it sends no more."""


def behind(state: State, work: Awaitable[Any]) -> None:
    """Lets something happen beside the answers; the state keeps it alive, and what ends with the run ends quietly."""

    async def quietly() -> None:
        with suppress(RuntimeError):  # the connections are closed
            await work

    state.memory.setdefault("behind", []).append(asyncio.ensure_future(quietly()))


def happens(name: str, number: str, text: str, event: OnEvent, **more: Any) -> Mutant:
    """Does something else than to deliver an event."""
    return Mutant(name=name, breaks=f"WEBHOOK-{number}", text=text, event=event, sees_webhooks=True, **more)


def sends(name: str, number: str, text: str, change: Callable[[Any], Any], **more: Any) -> Mutant:
    """Delivers another body; `change` works in place on the event, or gives another."""

    async def event(state: State, hook: Hook, request: Request) -> Answer:
        body = request.fresh()
        if isinstance(body, dict):
            new = change(body)
            request = request.with_json(body if new is None else new)
        return await state.deliver(hook, request)

    return happens(name, number, text, event, **more)


def sets(name: str, number: str, text: str, path: str, value: Any, *, add: bool = False, **more: Any) -> Mutant:
    """Delivers another value; with `add` also where the key is not there."""

    def change(body: Any) -> None:
        for place in list(places(body, path)):
            if add or value_at(place) is not ABSENT:
                put(place, value)

    return sends(name, number, text, change, **more)


def shape_of(body: Any) -> str:
    """The status word of an event's task."""
    found = [value_at(place) for place in places(body, "payload.task.status")]
    return str(found[0]) if found else ""


def of_img2img(hook: Hook) -> bool:
    """Whether the submit that named a webhook was one of image to image."""
    found = hook.body.get("request") if isinstance(hook.body, dict) else None
    return isinstance(found, dict) and "image_base64" in found


def test_mode(hook: Hook) -> dict[str, Any]:
    """What the submit said of test mode."""
    found = hook.body.get("extra", {}).get("webhook", {}).get("test_mode") if isinstance(hook.body, dict) else None
    return found if isinstance(found, dict) else {}


def is_test(hook: Hook, word: str = "") -> bool:
    """Whether test mode is on, and asks for a status where one is told."""
    mode = test_mode(hook)
    return mode.get("enabled") is True and word in ("", mode.get("return_task_status"))


def swallowed(when: Callable[[Hook], bool]) -> OnEvent:
    """Never delivers some events."""

    async def event(state: State, hook: Hook, request: Request) -> Answer:
        return DONE if when(hook) else await state.deliver(hook, request)

    return event


def _as_method(method: str) -> OnEvent:
    from dataclasses import replace

    return lambda state, hook, request: state.deliver(hook, replace(request, method=method))


def _as_form(state: State, hook: Hook, request: Request) -> Any:
    body = urlencode({"event": request.body.decode()}).encode()
    sent = request.with_body(body).with_header("content-type", "application/x-www-form-urlencoded")
    return state.deliver(hook, sent)


def _as_python(state: State, hook: Hook, request: Request) -> Any:
    return state.deliver(hook, request.with_body(repr(request.json).encode()))


def _hook_of(request: Request) -> Hook | None:
    body = request.json
    found = body.get("extra") if isinstance(body, dict) else None
    webhook = found.get("webhook") if isinstance(found, dict) else None
    url = webhook.get("url") if isinstance(webhook, dict) else None
    return Hook(origin=url, url=url, body=body) if isinstance(url, str) else None


def _announced(state: State, request: Request, answer: Answer) -> Answer:
    """An event says that the task waits, as soon as it is submitted."""
    hook = _hook_of(request)
    if hook is not None and answer.task_id is not None:
        task = {"task_id": answer.task_id, "status": "TASK_STATUS_QUEUED", "task_type": "TXT_TO_IMG", "reason": ""}
        payload = {"task": task | {"eta": 0, "progress_percent": 0}, "images": [], "videos": [], "audios": []}
        body = json.dumps({"event_type": "ASYNC_TASK_RESULT", "payload": payload}).encode()
        sent = Request(method="POST", path="/", headers={"content-type": "application/json"}, body=body)
        behind(state, state.deliver(hook, sent))
    return answer


async def _noted(state: State, hook: Hook, request: Request) -> Answer:
    for place in places(request.json, "payload.task.task_id"):
        state.memory.setdefault("told", {}).setdefault(value_at(place), state.now_s())
    return await state.deliver(hook, request)


def _works_on(state: State, request: Request, answer: Answer) -> Answer:
    """For ten minutes after its event a task is shown as worked on."""
    told = state.memory.get("told", {}).get(request.param("task_id"))
    task = state.task_of(request)
    if task is None or _hook_of(task.sent) is None or answer.status_word != "TASK_STATUS_SUCCEED":
        return answer
    if told is not None and state.now_s() - told > 600:
        return answer
    body = answer.fresh()
    body["task"] |= {"status": "TASK_STATUS_PROCESSING", "progress_percent": 90}
    return answer.with_json(body | {"images": []})


async def _owed(state: State, hook: Hook, request: Request) -> Answer:
    answer = await state.deliver(hook, request)
    if 200 <= answer.status < 300:
        for place in places(request.json, "payload.task.task_id"):
            state.memory.setdefault("settled", set()).add(value_at(place))
    return answer


def _withheld(state: State, request: Request, answer: Answer) -> Answer:
    """A result is unknown until its event was taken."""
    task = state.task_of(request)
    ended = answer.status_word == "TASK_STATUS_SUCCEED"
    if task is None or _hook_of(task.sent) is None or not ended:
        return answer
    if request.param("task_id") in state.memory.get("settled", ()):
        return answer
    held = {"code": 404, "reason": "TASK_NOT_FOUND", "message": "it is still to be delivered", "metadata": {}}
    return json_answer(404, held)


async def _unreached(state: State, hook: Hook, request: Request) -> Answer:
    answer = await state.deliver(hook, request)
    # A receiver that answered once can be reached.
    if state.count(f"sent to {hook.url}") == 1 and answer.status == 599:
        for place in places(request.json, "payload.task.task_id"):
            state.memory.setdefault("lost", set()).add(value_at(place))
    return answer


def _lost(state: State, request: Request, answer: Answer) -> Answer:
    """A task whose receiver cannot be reached has failed."""
    if request.param("task_id") not in state.memory.get("lost", ()) or answer.status != 200:
        return answer
    body = answer.fresh()
    body["task"] |= {"status": "TASK_STATUS_FAILED", "reason": "nobody took the event"}
    return answer.with_json(body | {"images": []})


def _with_key(change: Callable[[Request, str], Request]) -> OnEvent:
    """Puts the key of the submit into an event."""

    async def event(state: State, hook: Hook, request: Request) -> Answer:
        for place in places(request.json, "payload.task.task_id"):
            task = state.tasks.get(value_at(place))
            if task is not None:
                request = change(request, task.sent.headers.get("authorization", ""))
        return await state.deliver(hook, request)

    return event


def _key_in_body(request: Request, key: str) -> Request:
    body = request.fresh()
    body["payload"].setdefault("extra", {})["account"] = key.removeprefix("Bearer ")
    return request.with_json(body)


def _unwrapped(body: Any) -> Any:
    return body["payload"]


def _as_failed(state: State, hook: Hook, request: Request) -> Any:
    body = request.fresh()
    if not test_mode(hook):
        body["payload"]["task"]["status"] = "TASK_STATUS_FAILED"
    return state.deliver(hook, request.with_json(body))


def _flat(body: Any) -> None:
    body["payload"] |= body["payload"].pop("task", {})


def _in_imgs(body: Any) -> None:
    body["payload"]["imgs"] = body["payload"].pop("images", [])


def _plus_one(seed: Any) -> Any:
    return str(int(seed) + 1) if str(seed).isdigit() else seed


def _when_failed(value: Any) -> Callable[[Any], Any]:
    """Changes events of failed tasks only."""

    def change(body: Any) -> None:
        if shape_of(body) == "TASK_STATUS_FAILED":
            value(body["payload"])

    return change


_PICTURE = {"image_url": "https://pictures.example/1.png", "image_url_ttl": "3600", "image_type": "png"}
_OTHER = "00000000-0000-4000-8000-000000000000"

MUTANTS = (
    happens("events-never", "003", "No event is sent.", swallowed(lambda hook: True)),
    happens("events-of-text-only", "003", "No event is sent for image to image.", swallowed(of_img2img)),
    happens("events-by-get", "003", "Events are sent with GET.", _as_method("GET")),
    happens("events-by-put", "003", "Events are sent with PUT.", _as_method("PUT")),
    happens("events-as-forms", "003", "Events are forms.", _as_form),
    happens("events-as-python", "003", "Events are no JSON.", _as_python),
    sends("events-unwrapped", "004", "An event is a bare result.", _unwrapped),
    sets("events-of-another-type", "004", "event_type is TASK_RESULT.", "event_type", "TASK_RESULT"),
    sets("events-in-small-letters", "004", "event_type is in small letters.", "event_type", str.lower),
    sets("events-without-type", "004", "event_type is absent.", "event_type", ABSENT),
    sets("payload-as-text", "004", "payload is JSON in a string.", "payload", json.dumps),
    sends("payload-flat", "005", "The members of task stand at the top of the payload.", _flat),
    sends("payload-in-imgs", "005", "The pictures of a payload stand in imgs.", _in_imgs),
    sets(
        "payload-ttl-in-words", "005", "image_url_ttl of a payload has a unit.", "payload.images[].image_url_ttl", "1h"
    ),
    sets("payload-videos-null", "005", "videos of a payload is null.", "payload.videos", None, add=True),
    sets("payload-of-another", "006", "The id of a payload is another one.", "payload.task.task_id", _OTHER),
    happens("payload-of-failure", "006", "The payload of a task that succeeded shows a failure.", _as_failed),
    sets("payload-seed-one-off", "006", "The seed of a payload is one more.", "payload.extra.seed", _plus_one),
    sets("payload-without-pictures", "006", "A payload has no pictures.", "payload.images", []),
    Mutant(
        name="events-at-submit",
        breaks="WEBHOOK-007",
        text="An event tells that a task is queued.",
        answer=_announced,
        also=("WEBHOOK-003",),
    ),
    happens(
        "events-early", "007", "An event comes ten minutes before the result shows the end.", _noted, answer=_works_on
    ),
    happens(
        "test-mode-silent",
        "014",
        "Test mode sends no event of success.",
        swallowed(lambda hook: is_test(hook, "TASK_STATUS_SUCCEED")),
    ),
    sends(
        "failed-without-reason",
        "015",
        "A failed task has no reason.",
        _when_failed(lambda payload: payload["task"].update(reason="")),
    ),
    sends(
        "failed-reason-absent",
        "015",
        "The reason of a failed task is absent.",
        _when_failed(lambda payload: payload["task"].pop("reason", None)),
    ),
    sends(
        "failed-with-pictures",
        "015",
        "A failed task has a picture.",
        _when_failed(lambda payload: payload.update(images=[_PICTURE])),
    ),
    happens(
        "test-mode-never-fails",
        "015",
        "Test mode sends no event of failure.",
        swallowed(lambda hook: is_test(hook, "TASK_STATUS_FAILED")),
    ),
    happens(
        "test-mode-off-silent",
        "017",
        "A task with test mode off sends no event.",
        swallowed(lambda hook: test_mode(hook).get("enabled") is False),
    ),
    happens(
        "result-owed",
        "018",
        "A result cannot be read before its event was taken.",
        _owed,
        answer=_withheld,
        ops=(RESULT,),
    ),
    happens(
        "unreachable-means-failed",
        "018",
        "A task whose receiver cannot be reached fails.",
        _unreached,
        answer=_lost,
        ops=(RESULT,),
    ),
    happens(
        "key-in-event-headers",
        "019",
        "The key stands in the headers of an event.",
        _with_key(lambda request, key: request.with_header("authorization", key)),
    ),
    happens("key-in-events", "019", "The key stands in an event.", _with_key(_key_in_body)),
)
