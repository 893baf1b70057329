"""What stands around a v3 submit: its answer, its form, its media type."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from conformance.bodies import IMG2IMG, MODELS, RESULT, TXT2IMG
from conformance.mutants.making import (
    ABSENT,
    V3,
    answers,
    fault,
    made_up_acceptance,
    places,
    puts,
    rewrites,
    statuses,
    value_at,
)
from conformance.mutants.values import Answer, Hook, Mutant, OnAnswer, Request, State, refusal
from conformance.wire import MISSING


def _once_only(state: State, request: Request) -> Request | Answer:
    """Equal bodies of one account share a task, for ever."""
    for task in state.tasks.values():
        same = task.sent.body == request.body and task.sent.headers == request.headers
        if same and task.sent.operation == request.operation:
            return task.answer
    return request


def _takes_off(state: State, request: Request) -> Request:
    if request.operation in V3:
        flight = state.memory.setdefault(("flight", request.body), {"number": 0, "first": None})
        flight["number"] += 1
    return request


def _lands(state: State, request: Request, answer: Answer) -> Answer:
    """Of two equal submits that are under way at once the later one is told the earlier one's id."""
    flight = state.memory.get(("flight", request.body))
    if request.operation not in V3 or flight is None:
        return answer
    first: Answer = flight["first"] or answer
    flight["first"] = first
    flight["number"] -= 1
    if not flight["number"]:
        del state.memory[("flight", request.body)]
    return first if first.task_id is not None else answer


USUAL_LENGTH = 20_000


def _accepts_bytes(name: str, breaks: str, text: str, *bodies: bytes) -> Mutant:
    """Bodies that are no object: the named ones, or text of a usual length that is no JSON."""

    def answer(state: State, request: Request, answer: Answer) -> Answer:
        if request.operation not in V3 or request.large or answer.status != 400:
            return answer
        hit = request.body in bodies if bodies else _is_text(request.body) and request.json is MISSING
        return made_up_acceptance(state) if hit else answer

    return Mutant(name=name, breaks=breaks, text=text, answer=answer)


def _is_text(body: bytes) -> bool:
    try:
        return 0 < len(body.decode()) < USUAL_LENGTH
    except UnicodeDecodeError:
        return False


def _media(name: str, breaks: str, text: str, wanted: str, status: int, *ops: str) -> Mutant:
    def request(state: State, request: Request) -> Request | Answer:
        hit = request.operation in (ops or V3) and wanted in request.headers.get("content-type", "").lower()
        return refusal(request.operation, status=status) if hit else request

    return Mutant(name=name, breaks=breaks, text=text, request=request)


def _unknown_query(name: str, text: str, op: str, known: tuple[str, ...]) -> Mutant:
    def request(state: State, request: Request) -> Request | Answer:
        names = [pair.partition("=")[0] for pair in request.query.split("&") if pair]
        unknown = [one for one in names if one not in known and not one.startswith(("filter.", "pagination."))]
        return refusal(op) if request.operation == op and unknown else request

    return Mutant(name=name, breaks="V3-SUBMIT-012", text=text, request=request)


def _selects(state: State, request: Request, answer: Answer) -> Answer:
    names = [pair.partition("=")[0] for pair in request.query.split("&") if pair]
    stray = any(not one.startswith(("filter.", "pagination.")) for one in names)
    return answer.with_json({**answer.json, "models": []}) if stray and answer.status == 200 else answer


def _lifted(body: object) -> object:
    if not isinstance(body, dict) or "request" in body:
        return None
    inner = {key: value for key, value in body.items() if key != "extra"}
    return {"request": inner, **({"extra": body["extra"]} if "extra" in body else {})} if inner else None


def _accept_strange_request(state: State, request: Request) -> Request | Answer:
    strange = isinstance(request.json, dict) and isinstance(request.json.get("request"), list | str)
    return made_up_acceptance(state) if request.operation in V3 and strange else request


def _answered(change: dict[str, object]) -> OnAnswer:
    def changed(state: State, request: Request, answer: Answer) -> Answer:
        return answer.with_json({**answer.json, **change})

    return changed


def _taken(state: State, request: Request, answer: Answer) -> bool:
    return answer.task_id is not None


def _unknown_field(state: State, request: Request) -> Request | Answer:
    known = {"extra", "request"}
    hit = request.operation in V3 and isinstance(request.json, dict) and "request" in request.json
    return fault() if hit and not set(request.json) <= known else request


def _empty_request(state: State, request: Request) -> Request | Answer:
    hit = request.operation in V3 and isinstance(request.json, dict) and "request" not in request.json
    return made_up_acceptance(state) if hit else request


def _asked_in_capitals(state: State, request: Request) -> Request:
    return replace(request, query=request.query.lower()) if request.operation == RESULT else request


def _capitals(value: Any) -> bytes:
    body = json.dumps(value)
    for place in (*places(value, "task_id"), *places(value, "task.task_id"), *places(value, "payload.task.task_id")):
        found = value_at(place)
        if isinstance(found, str) and found:
            body = body.replace(json.dumps(found), json.dumps(found.upper()))
    return body.encode()


def _capital_id(state: State, request: Request, answer: Answer) -> Answer:
    told = request.operation in (*V3, RESULT) and answer.status == 200 and answer.json is not MISSING
    return answer.with_body(_capitals(answer.json)) if told else answer


async def _capital_event(state: State, hook: Hook, request: Request) -> Answer:
    told = request.json is not MISSING
    return await state.deliver(hook, request.with_body(_capitals(request.json)) if told else request)


MUTANTS = (
    statuses("submits-see-other", "V3-SUBMIT-001", "An accepted submit has status 303.", V3, 200, 303),
    statuses("img2img-submits-fail", "V3-SUBMIT-001", "An accepted img2img has status 500.", IMG2IMG, 200, 500),
    answers(
        "task-id-wrapped",
        "V3-SUBMIT-002",
        "The task id stands inside an object data.",
        V3,
        lambda state, request, answer: answer.with_json({"code": 0, "data": answer.json}),
        when=_taken,
    ),
    answers(
        "img2img-task-id-wrapped",
        "V3-SUBMIT-002",
        "The task id of image to image stands inside an object data.",
        IMG2IMG,
        lambda state, request, answer: answer.with_json({"data": answer.json}),
        when=_taken,
    ),
    puts("task-id-is-a-number", "V3-SUBMIT-002", "The task id is a number.", V3, "task_id", lambda old: 7),
    puts("task-id-in-camel-case", "V3-SUBMIT-002", "The answer lacks task_id.", V3, "task_id", ABSENT),
    Mutant(
        name="task-ids-in-capitals",
        breaks="V3-SUBMIT-003",
        text="Task ids are in capitals.",
        request=_asked_in_capitals,
        answer=_capital_id,
        event=_capital_event,
        sees_webhooks=True,
        strict=True,
    ),
    Mutant(
        name="equal-bodies-share-a-task",
        breaks="V3-SUBMIT-004",
        text="A second submit of an equal body is given the first one's task.",
        request=lambda state, request: _once_only(state, request) if request.operation in V3 else request,
    ),
    Mutant(
        name="quick-doubles-share-an-id",
        breaks="V3-SUBMIT-004",
        text="Two equal submits that run at once are given one id.",
        request=_takes_off,
        answer=_lands,
    ),
    answers(
        "submit-answers-pictures",
        "V3-SUBMIT-005",
        "The answer of a submit has a list of pictures.",
        V3,
        _answered({"images": [{"image_url": "https://pictures.example/1.png", "image_type": "png"}]}),
        when=_taken,
    ),
    answers(
        "submit-answers-a-link",
        "V3-SUBMIT-005",
        "The answer of an img2img submit tells where its picture will be.",
        IMG2IMG,
        _answered({"image_url": "https://pictures.example/later.png"}),
        when=_taken,
    ),
    _media("charset-is-refused", "V3-SUBMIT-006", "A charset beside application/json is refused.", "charset", 400),
    _media("charset-is-unsupported", "V3-SUBMIT-006", "img2img knows no charset.", "charset", 415, IMG2IMG),
    replace(
        _media("plain-text-is-a-fault", "V3-SUBMIT-007", "A body of text/plain is a fault.", "text/plain", 500),
        also=("ROBUST-001",),
    ),
    _accepts_bytes("no-json-is-taken", "V3-SUBMIT-008", "A body that is no JSON is accepted."),
    _accepts_bytes("empty-body-is-taken", "V3-SUBMIT-009", "An empty body is accepted.", b""),
    _accepts_bytes("empty-list-is-taken", "V3-SUBMIT-009", "A body that is a list is accepted.", b"[]"),
    _accepts_bytes("null-body-is-taken", "V3-SUBMIT-009", "A body that is null is accepted.", b"null"),
    rewrites("request-may-be-left-out", "V3-SUBMIT-010", "Picture fields count at the top level.", V3, _lifted),
    Mutant(
        name="no-request-at-all",
        breaks="V3-SUBMIT-010",
        text="A body without request is accepted.",
        request=_empty_request,
    ),
    Mutant(
        name="request-of-any-type",
        breaks="V3-SUBMIT-010",
        text="A request that is a list or a string is accepted.",
        request=_accept_strange_request,
    ),
    Mutant(
        name="unknown-field-is-a-fault",
        breaks="V3-SUBMIT-011",
        text="A field at the top level that nobody knows is answered with status 500.",
        also=("ROBUST-001",),
        request=_unknown_field,
    ),
    _unknown_query(
        "results-know-their-query", "A result call with a further parameter is refused.", RESULT, ("task_id",)
    ),
    Mutant(
        name="stray-parameters-select",
        breaks="V3-SUBMIT-012",
        text="A parameter that nobody knows selects models, and none fits.",
        answer=_selects,
        ops=(MODELS,),
    ),
    _unknown_query("submits-know-no-query", "A submit with a query is refused.", TXT2IMG, ()),
)
