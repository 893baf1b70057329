"""Resources of a world's webhooks: deliveries with every attempt, the verbs of the laboratory, and the inbox."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from mockserver.control.problem import ControlError
from mockserver.control.resource import Call, Resource, Schema, closed
from mockserver.core.clock import parse_duration_ms
from mockserver.core.course import NEVER_MS
from mockserver.webhooks.delivery import Cause, Delivery, State
from mockserver.webhooks.inbox import PATH, Answer, Received
from mockserver.webhooks.settings import MAX_TIMEOUT_MS
from mockserver.webhooks.showing import describe_attempt, describe_delivery, describe_received, describe_whole

MAX_LISTED = 10_000
MAX_COPIES = 100
MAX_WAIT_S = 60
MAX_ANSWERS = 1_000

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_DURATION: Schema = {
    "description": "Seconds, or text such as '90s' or '2h30m'.",
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "minLength": 1, "maxLength": 64}],
}
_ATTEMPT_FIELDS: dict[str, Schema] = {
    "number": _COUNT,
    "cause": {"enum": [cause.value for cause in Cause]},
    "at_ms": {"type": "integer", "description": "The world's instant."},
    "sent_ms": {"type": "integer", "description": "The wall's instant."},
    "took_ms": {"description": "By the wall, to the end of the answer or to the error.", **_COUNT},
    "request": closed({"headers": {"type": "object"}, "bytes": _COUNT}, "headers", "bytes"),
    "answer": {
        "anyOf": [
            {"type": "null"},
            closed(
                {"status": {"type": "integer"}, "headers": {"type": "object"}, "beginning": _TEXT},
                "status",
                "headers",
                "beginning",
            ),
        ]
    },
    "error": {"type": ["string", "null"], "description": "A stable word; null: an answer came whole."},
    "message": _TEXT,
    "effect": {"type": "string", "description": "What the fault plan did to it."},
    "ok": {"type": "boolean", "description": "2xx in time."},
    "verdict": _TEXT,
}
_ATTEMPT = closed(_ATTEMPT_FIELDS, *_ATTEMPT_FIELDS)
_DELIVERY_FIELDS: dict[str, Schema] = {
    "id": {"type": "string", "description": "The same at every attempt."},
    "number": _COUNT,
    "task_id": _TEXT,
    "operation_id": _TEXT,
    "url": {"type": "string", "description": "Without user, password and the values of its query."},
    "origin": {"enum": ["task", "conflict"]},
    "test_mode": {"type": "boolean"},
    "state": {"enum": [state.value for state in State]},
    "note": _TEXT,
    "owed_since_ms": {"type": "integer"},
    "next_attempt_ms": {"type": ["integer", "null"]},
    "attempts": _COUNT,
    "last": {"type": ["string", "null"], "description": "What came of the last attempt."},
    "attempted": {
        "type": "array",
        "description": "The attempts in short, the oldest first.",
        "items": closed({"at_ms": {"type": "integer"}, "ok": {"type": "boolean"}}, "at_ms", "ok"),
    },
}
_DELIVERY = closed(_DELIVERY_FIELDS, *_DELIVERY_FIELDS)
_WHOLE_FIELDS: dict[str, Schema] = {
    **_DELIVERY_FIELDS,
    "body": {"description": "The event; null before the first attempt."},
    "body_bytes": _COUNT,
    "history": {"type": "array", "items": _ATTEMPT},
}
_WHOLE = closed(_WHOLE_FIELDS, *_WHOLE_FIELDS)
_SENT = closed({"delivery": _DELIVERY, "sent": {"type": "array", "items": _ATTEMPT}}, "delivery", "sent")
_RECEIVED_FIELDS: dict[str, Schema] = {
    "number": _COUNT,
    "at_ms": {"type": "integer"},
    "received_ms": {"type": "integer"},
    "delivery_id": {"type": ["string", "null"]},
    "event_type": {"type": ["string", "null"]},
    "headers": {"type": "object"},
    "signed": {"type": "boolean"},
    "body": {"description": "The event; text when it is no JSON."},
    "answered": {"type": "integer"},
}
_RECEIVED: Schema = {"type": "array", "items": closed(_RECEIVED_FIELDS, *_RECEIVED_FIELDS)}
_ANSWERS: Schema = {
    "type": "array",
    "maxItems": MAX_ANSWERS,
    "items": closed({"status": {"type": "integer", "minimum": 200, "maximum": 599}, "delay": _DURATION}),
}


def _list(call: Call) -> dict[str, Any]:
    desk, state, task_id = call.own.desk, call.query.get("state"), call.query.get("task_id")
    found = [
        delivery
        for delivery in desk
        if (state is None or delivery.state == state) and (task_id is None or delivery.task_id == task_id)
    ]
    states = [delivery.state for delivery in desk]
    return {
        "deliveries": [describe_delivery(delivery) for delivery in found[-call.query.get("limit", MAX_LISTED) :]],
        "total": len(found),
        "states": {one.value: states.count(one) for one in State},
        "forgotten": desk.forgotten,
        "holding": desk.holding,
    }


def _get(call: Call) -> dict[str, Any]:
    return describe_whole(_delivery(call), call.own.desk.redactor)


async def _replay(call: Call) -> dict[str, Any]:
    return await _send(call, Cause.REPLAY, 1)


async def _duplicate(call: Call) -> dict[str, Any]:
    return await _send(call, Cause.DUPLICATE, int(call.body.get("times", 2)), at_once=call.body.get("at_once", False))


async def _send(call: Call, cause: Cause, times: int, *, at_once: bool = False) -> dict[str, Any]:
    delivery = _delivery(call)
    sent = await call.mock.courier.send_again(call.own, delivery, cause, times, at_once=at_once)
    return {"delivery": describe_delivery(delivery), "sent": [describe_attempt(attempt) for attempt in sent]}


def _hold(call: Call) -> dict[str, Any]:
    call.mock.courier.hold(call.own, _owed(call), "held by a test")
    return describe_delivery(_delivery(call))


async def _release(call: Call) -> dict[str, Any]:
    delivery = _delivery(call)
    if delivery.state is not State.HELD:
        raise ControlError(409, "not-held", f"delivery {delivery.id} is {delivery.state.value}, not held")
    await call.mock.courier.release(call.own, [delivery])
    return describe_delivery(delivery)


def _drop(call: Call) -> dict[str, Any]:
    call.mock.courier.drop(call.own, _owed(call), "dropped by a test")
    return describe_delivery(_delivery(call))


def _delay(call: Call) -> dict[str, Any]:
    delivery, world = _owed(call), call.own
    try:
        at_ms = world.clock.now_ms() + parse_duration_ms(call.body["duration"])
    except ValueError as error:
        raise ControlError(400, "body", str(error)) from None
    if delivery.busy:
        raise ControlError(409, "under-way", f"an attempt of delivery {delivery.id} is under way")
    delivery.note = "delayed by a test"
    call.mock.courier.plan(world, delivery, min(at_ms, NEVER_MS - 1))
    return describe_delivery(delivery)


async def _conflict(call: Call) -> dict[str, Any]:
    other = call.mock.courier.contradict(call.own, _delivery(call))
    await call.mock.errands.settle(call.own)
    return describe_delivery(other)


def _hold_all(call: Call) -> dict[str, Any]:
    call.own.desk.holding = True
    return {"holding": True}


async def _release_all(call: Call) -> dict[str, Any]:
    world = call.own
    world.desk.holding = False
    held = world.desk.held()
    if call.body.get("order") == "reversed":
        held.reverse()
    await call.mock.courier.release(world, held)
    return {"holding": False, "released": [describe_delivery(delivery) for delivery in held]}


def _inbox(call: Call) -> dict[str, Any]:
    inbox = call.own.desk.inbox
    return {
        "url": f"{call.base_url}{PATH}{call.own.id}",
        "total": inbox.total,
        "events": [describe_received(one) for one in inbox.find(call.query.get("event"))],
        "answers": [{"status": one.status, "delay": one.delay_ms / 1000} for one in inbox.answers],
    }


async def _wait(call: Call) -> dict[str, Any]:
    inbox, event, count = call.own.desk.inbox, call.query.get("event"), call.query.get("count", 1)
    found: list[Received] = []

    def enough() -> bool:
        found[:] = inbox.find(event)
        return len(found) >= int(count)

    longest_s = call.mock.settings.limits.wait_s
    complete = await inbox.bell.wait_until(enough, min(call.query.get("timeout", longest_s), longest_s))
    return {"complete": complete, "events": [describe_received(one) for one in found]}


def _script(call: Call) -> dict[str, Any]:
    answers = []
    for position, given in enumerate(call.body["answers"]):
        try:
            delay_ms = parse_duration_ms(given.get("delay", 0))
        except ValueError as error:
            raise ControlError(400, "body", f"answers.{position}.delay: {error}") from None
        if delay_ms > MAX_TIMEOUT_MS:
            raise ControlError(
                400, "body", f"answers.{position}.delay: expected at most {MAX_TIMEOUT_MS // 1000} s of real time"
            )
        answers.append(Answer(status=int(given.get("status", 200)), delay_ms=delay_ms))
    call.own.desk.inbox.script(answers)
    return _inbox(call)


def _clear(call: Call) -> dict[str, Any]:
    return {"cleared": call.own.desk.inbox.clear()}


async def _receive(call: Call) -> Response:
    id = call.path["world_id"]
    world = next((world for world in call.mock.worlds if world.id == id), None)
    if world is None:
        raise ControlError(
            404, "no-such-inbox", f"no inbox {id[:40]!r}; GET /__mock/webhooks/inbox tells a world's own"
        )
    answer = world.desk.inbox.receive(call.headers, call.raw, at_ms=world.clock.now_ms(), received_ms=call.mock.wall())
    if answer.delay_ms:
        await call.mock.pause(answer.delay_ms / 1000)
    return Response(status_code=answer.status)


def _delivery(call: Call) -> Delivery:
    found = call.own.desk.get(call.path["id"])
    if found is None:
        raise ControlError(
            404,
            "no-such-delivery",
            f"no delivery {call.path['id'][:64]!r} of this key; GET /__mock/webhooks/deliveries",
        )
    return found


def _owed(call: Call) -> Delivery:
    found = _delivery(call)
    if not found.state.owed:
        raise ControlError(
            409, "delivery-ended", f"delivery {found.id} has ended already ({found.state.value}); replay sends it again"
        )
    return found


_WAITED = "waits for the answer"
_INBOX = closed(
    {"url": _TEXT, "total": _COUNT, "events": _RECEIVED, "answers": _ANSWERS}, "url", "total", "events", "answers"
)

WEBHOOK_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/webhooks/deliveries",
        operation_id="listDeliveries",
        summary="The world's webhook deliveries, oldest first; `limit` keeps the youngest.",
        handler=_list,
        query={
            "state": {"type": "string", "enum": [state.value for state in State]},
            "task_id": _TEXT,
            "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LISTED},
        },
        answer=closed(
            {
                "deliveries": {"type": "array", "items": _DELIVERY},
                "total": _COUNT,
                "states": closed({state.value: _COUNT for state in State}, *State),
                "forgotten": _COUNT,
                "holding": {"type": "boolean"},
            },
            "deliveries",
            "total",
            "states",
            "forgotten",
            "holding",
        ),
    ),
    Resource(
        method="GET",
        path="/webhooks/deliveries/{id}",
        operation_id="getDelivery",
        summary="A delivery with its event and every attempt: request, answer, timing.",
        handler=_get,
        answer=_WHOLE,
    ),
    Resource(
        method="POST",
        path="/webhooks/deliveries/{id}/replay",
        operation_id="replayDelivery",
        summary=f"Sends the same event once more, under the same id, and {_WAITED}.",
        handler=_replay,
        answer=_SENT,
    ),
    Resource(
        method="POST",
        path="/webhooks/deliveries/{id}/duplicate",
        operation_id="duplicateDelivery",
        summary=f"Sends the same event several more times, one after the other or at once, and {_WAITED}s.",
        handler=_duplicate,
        body=closed(
            {"times": {"type": "integer", "minimum": 1, "maximum": MAX_COPIES}, "at_once": {"type": "boolean"}}
        ),
        answer=_SENT,
    ),
    Resource(
        method="POST",
        path="/webhooks/deliveries/{id}/hold",
        operation_id="holdDelivery",
        summary="Makes a delivery wait until it is released; an attempt under way is not called back.",
        handler=_hold,
        answer=_DELIVERY,
    ),
    Resource(
        method="POST",
        path="/webhooks/deliveries/{id}/release",
        operation_id="releaseDelivery",
        summary=f"Sends a held delivery now, and {_WAITED}.",
        handler=_release,
        answer=_DELIVERY,
    ),
    Resource(
        method="POST",
        path="/webhooks/deliveries/{id}/drop",
        operation_id="dropDelivery",
        summary="Gives a delivery up: no attempt is made any more.",
        handler=_drop,
        answer=_DELIVERY,
    ),
    Resource(
        method="POST",
        path="/webhooks/deliveries/{id}/delay",
        operation_id="delayDelivery",
        summary="The next attempt is made so much of the world's time from now.",
        handler=_delay,
        body=closed({"duration": _DURATION}, "duration"),
        answer=_DELIVERY,
    ),
    Resource(
        method="POST",
        path="/webhooks/deliveries/{id}/conflict",
        operation_id="contradictDelivery",
        summary=f"Sends a second event that says the opposite of the same task, under an id of its own, and {_WAITED}.",
        handler=_conflict,
        answer=_DELIVERY,
    ),
    Resource(
        method="POST",
        path="/webhooks/hold",
        operation_id="holdWebhooks",
        summary="All new deliveries wait until they are released.",
        handler=_hold_all,
        answer=closed({"holding": {"type": "boolean"}}, "holding"),
    ),
    Resource(
        method="POST",
        path="/webhooks/release",
        operation_id="releaseWebhooks",
        summary=f"Sends all held deliveries, one after the other in their order or reversed, and {_WAITED}s.",
        handler=_release_all,
        body=closed({"order": {"type": "string", "enum": ["as-is", "reversed"]}}),
        answer=closed(
            {"holding": {"type": "boolean"}, "released": {"type": "array", "items": _DELIVERY}}, "holding", "released"
        ),
    ),
    Resource(
        method="GET",
        path="/webhooks/inbox",
        operation_id="getInbox",
        summary="The world's own receiver: its URL, what came, and what it is going to answer.",
        handler=_inbox,
        query={"event": _TEXT},
        answer=_INBOX,
    ),
    Resource(
        method="PUT",
        path="/webhooks/inbox",
        operation_id="changeInbox",
        summary="Decides what the inbox answers to the events to come, one each; 200 at once after the last.",
        handler=_script,
        body=closed({"answers": _ANSWERS}, "answers"),
        answer=_INBOX,
    ),
    Resource(
        method="DELETE",
        path="/webhooks/inbox",
        operation_id="clearInbox",
        summary="Forgets the events of the inbox; answers that were decided stay.",
        handler=_clear,
        answer=closed({"cleared": _COUNT}, "cleared"),
    ),
    Resource(
        method="GET",
        path="/webhooks/inbox/wait",
        operation_id="waitForInbox",
        summary="Answers as soon as so many events have come, or when the time, in seconds of the wall, is over.",
        handler=_wait,
        query={
            "event": _TEXT,
            "count": {"type": "integer", "minimum": 1, "maximum": 1_000},
            "timeout": {"type": "integer", "minimum": 0, "maximum": MAX_WAIT_S},
        },
        answer=closed({"complete": {"type": "boolean"}, "events": _RECEIVED}, "complete", "events"),
    ),
    Resource(
        method="POST",
        path="/inbox/{world_id}",
        operation_id="receiveEvent",
        summary="Takes an event for a world's inbox; GET /webhooks/inbox tells the URL. Answers as it was told to.",
        handler=_receive,
        key="none",
        body={"type": "string", "contentMediaType": "application/json"},
        binary=True,
        answer=None,
    ),
)
