"""Limits of pictures per minute. The correct server need not limit: the limit is made here, whole but for one defect.

Only equal submits that order work are counted together, so that no other check comes near the limit.
"""

from __future__ import annotations

import json
from typing import Any

from conformance.bodies import IMG2IMG, RESULT, TXT2IMG
from conformance.budget import pictures as pictures_asked_for
from conformance.mutants.making import V3
from conformance.mutants.values import Answer, Mutant, Request, State, json_answer

A_MINUTE_S = 60.0
MOST_AT_ONCE = 8
ALLOWED = {TXT2IMG: 20, IMG2IMG: 10}


def _refused(status: int = 429, reason: str = "RATE_LIMIT_EXCEEDED") -> Answer:
    return json_answer(status, {"code": status, "reason": reason, "message": "too many pictures", "metadata": {}})


def _limited(
    name: str,
    number: str,
    text: str,
    *,
    share: float = 1.0,
    beyond: Answer | None = None,
    by_submit: bool = False,
    results_too: bool = False,
    for_good: bool = False,
    also: tuple[str, ...] = (),
) -> Mutant:
    """A server that limits, with one defect.

    Args:
        share: of the documented number that is accepted.
        beyond: the answer to what comes after that.
        by_submit: each submit counts as one picture.
        results_too: who has come to the limit is told no results either.
        for_good: the limit is never lifted.
    """

    def request(state: State, request: Request) -> Request | Answer:
        now_s = state.now_s()
        if request.operation == RESULT:
            closed = results_too and now_s - state.memory.get("closed", -A_MINUTE_S) < A_MINUTE_S
            return _refused() if closed else request
        inner = request.json.get("request") if isinstance(request.json, dict) else None
        asked = pictures_asked_for(request.operation, request.json)
        if request.operation not in V3 or not isinstance(inner, dict) or not 0 < asked <= MOST_AT_ONCE:
            return request
        pictures = 1 if by_submit else asked
        made: list[tuple[float, int]] = state.memory.setdefault(_alike(request, inner), [])
        if not for_good or sum(number for _, number in made) < ALLOWED[request.operation]:
            made[:] = [one for one in made if now_s - one[0] < A_MINUTE_S]
        if sum(number for _, number in made) + pictures > ALLOWED[request.operation] * share:
            state.memory["closed"] = now_s
            return beyond or _refused()
        made.append((now_s, pictures))
        return request

    return Mutant(name=name, breaks=f"V3-LIMIT-{number}", text=text, request=request, also=also)


def _alike(request: Request, inner: dict[str, Any]) -> str:
    """What equal submits have in common, whatever number of pictures they ask for."""
    key = request.headers.get("authorization", "")
    return f"{request.operation} {key} {json.dumps({**request.json, 'request': {**inner, 'image_num': 1}})}"


MUTANTS = (
    _limited("half-the-pictures", "001", "Half of the documented pictures are accepted in a minute.", share=0.5),
    _limited(
        "limit-is-a-bad-request",
        "002",
        "What is beyond the limit counts as a bad request.",
        beyond=_refused(400, "INVALID_REQUEST_BODY"),
    ),
    _limited(
        "limit-has-another-reason",
        "002",
        "What is beyond the limit has the reason TOO_MANY_REQUESTS.",
        beyond=_refused(reason="TOO_MANY_REQUESTS"),
        also=("V3-ERROR-003",),
    ),
    _limited("each-submit-counts-one", "003", "A submit of several pictures counts as one.", by_submit=True),
    _limited("results-are-limited-too", "004", "Who is beyond the limit is told no results.", results_too=True),
    _limited("limit-for-good", "005", "Who came to the limit once is refused for ever.", for_good=True),
)
