"""Keys on v3."""

from __future__ import annotations

from conformance.bodies import IMG2IMG, MODELS, RESULT, TXT2IMG
from conformance.mutants.making import V3, answers, both, fault
from conformance.mutants.values import Answer, Mutant, Request, State, json_answer, refusal

CALLS = (*V3, RESULT, MODELS)


def _keyless(state: State, request: Request, answer: Answer) -> bool:
    return "authorization" not in request.headers


def _for_the_key(state: State, request: Request, answer: Answer) -> bool:
    return answer.status in (401, 403)


def _wrong_key(state: State, request: Request, answer: Answer) -> bool:
    return _for_the_key(state, request, answer) and request.headers.get("authorization", "").startswith("Bearer ")


def _bare_key(state: State, request: Request, answer: Answer) -> bool:
    sent = request.headers.get("authorization", "").strip()
    return bool(sent) and not sent.lower().startswith("bearer")


def _not_by_bearer(*ops: str) -> Mutant:
    name = {TXT2IMG: "txt2img", MODELS: "models", RESULT: "results"}[ops[0]]

    def request(state: State, request: Request) -> Request | Answer:
        if request.operation in ops and request.headers.get("authorization", "").startswith("Bearer "):
            return json_answer(
                403, {"code": 403, "reason": "INVALID_API_KEY", "message": "unknown key", "metadata": {}}
            )
        return request

    return Mutant(
        name=f"no-key-opens-{name}",
        breaks="V3-AUTH-001",
        text=f"A valid key in the documented form is refused by {name}.",
        request=request,
        also=("V3-AUTH-008",),  # it is not served like the key itself, for that one is not
    )


def _opens(name: str, breaks: str, text: str, *ops: str, keyless: bool) -> Mutant:
    """Serves calls without a key, or with a wrong one, as the last caller whose key was good."""

    async def answer(state: State, request: Request, answer: Answer) -> Answer:
        sent = request.headers.get("authorization")
        if sent and answer.status < 400:
            state.memory["good"] = sent
        fits = sent is None if keyless else bool(sent and sent.startswith("Bearer ") and answer.status in (401, 403))
        if request.operation not in ops or not fits or answer.status < 400 or "good" not in state.memory:
            return answer
        return await state.upstream(request.with_header("authorization", state.memory["good"]))

    return Mutant(name=name, breaks=breaks, text=text, answer=answer)


async def _body_first(state: State, request: Request, answer: Answer) -> Answer:
    sent = request.headers.get("authorization")
    if sent and answer.status < 400:
        state.memory["good"] = sent
    if request.operation not in V3 or answer.status not in (401, 403) or "good" not in state.memory:
        return answer
    second = await state.upstream(request.with_header("authorization", state.memory["good"]))
    return second if second.status == 400 else answer


async def _shown_to_all(state: State, request: Request, answer: Answer) -> Answer:
    task = state.task_of(request)
    if request.operation != RESULT or answer.status != 404 or task is None:
        return answer
    return await state.upstream(request.with_header("authorization", task.sent.headers["authorization"]))


def _key(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _key_in_message(state: State, request: Request, answer: Answer) -> Answer:
    if request.operation not in CALLS or answer.status != 400 or not isinstance(answer.json, dict) or not _key(request):
        return answer
    return answer.with_json({**answer.json, "message": f"invalid request of {_key(request)}"})


def _key_in_header(state: State, request: Request, answer: Answer) -> Answer:
    return answer.with_header("x-account", _key(request)) if request.operation in V3 and _key(request) else answer


def _key_in_link(state: State, request: Request, answer: Answer) -> Answer:
    body = answer.fresh()
    if request.operation != RESULT or answer.status != 200 or not isinstance(body, dict):
        return answer
    for entry in body.get("images") or ():
        entry["image_url"] += f"?key={_key(request)}"
    return answer.with_json(body)


MUTANTS = (
    _not_by_bearer(TXT2IMG, IMG2IMG),
    _not_by_bearer(MODELS),
    _not_by_bearer(RESULT),
    _opens("keyless-results", "V3-AUTH-002", "Results are shown without a key.", RESULT, keyless=True),
    _opens("keyless-submits", "V3-AUTH-002", "A submit needs no key.", *V3, keyless=True),
    _opens("keyless-models", "V3-AUTH-002", "The model list is open to all.", MODELS, keyless=True),
    answers(
        "keyless-is-a-fault",
        "V3-AUTH-002",
        "A call without a key is answered with status 500.",
        CALLS,
        lambda state, request, answer: fault(),
        when=_keyless,
    ),
    _opens("any-key-submits", "V3-AUTH-003", "A submit takes any key.", *V3, keyless=False),
    _opens("any-key-lists-models", "V3-AUTH-003", "The model list takes any key.", MODELS, keyless=False),
    answers(
        "wrong-key-is-not-found",
        "V3-AUTH-003",
        "A wrong key is answered with status 404.",
        CALLS,
        lambda state, request, answer: answer.with_status(404).with_json({**answer.json, "code": 404}),
        when=_wrong_key,
    ),
    answers(
        "key-refused-without-reason",
        "V3-AUTH-004",
        "The refusal of a key has no reason that a client could read.",
        CALLS,
        lambda state, request, answer: answer.with_json({**answer.json, "reason": "FORBIDDEN"}),
        when=_for_the_key,
        also=("V3-ERROR-003",),
    ),
    answers(
        "missing-key-has-another-reason",
        "V3-AUTH-004",
        "Without a key the reason of status 403 is NO_KEY.",
        CALLS,
        lambda state, request, answer: answer.with_json({**answer.json, "reason": "NO_KEY"}),
        when=both(_keyless, _for_the_key),
    ),
    Mutant(
        name="body-before-key",
        breaks="V3-AUTH-005",
        text="A submit's body is judged before its key.",
        answer=_body_first,
    ),
    Mutant(
        name="tasks-shown-to-all",
        breaks="V3-AUTH-006",
        text="Whoever has a key and an id sees the task.",
        answer=_shown_to_all,
    ),
    answers(
        "strangers-are-a-bad-request",
        "V3-AUTH-006",
        "Whoever asks for a task of another account is told that the request is wrong.",
        RESULT,
        lambda state, request, answer: refusal(RESULT),
        when=lambda state, request, answer: answer.status == 404 and state.task_of(request) is not None,
    ),
    Mutant(
        name="key-in-messages",
        breaks="V3-AUTH-007",
        text="The message of a refusal repeats the key.",
        answer=_key_in_message,
    ),
    Mutant(
        name="key-in-a-header",
        breaks="V3-AUTH-007",
        text="The answer of a submit repeats the key in a header.",
        answer=_key_in_header,
    ),
    Mutant(
        name="key-in-links",
        breaks="V3-AUTH-007",
        text="The links of a result carry the key.",
        answer=_key_in_link,
        sees_links=True,
    ),
    answers(
        "bare-key-is-a-bad-request",
        "V3-AUTH-008",
        "A key without the word Bearer is answered as if the request were wrong.",
        CALLS,
        lambda state, request, answer: refusal(request.operation),
        when=_bare_key,
    ),
)
