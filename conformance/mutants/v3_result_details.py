"""What a result of v3 tells beside its pictures: times, the echo of the request, keys that are free."""

from __future__ import annotations

import re
from typing import Any

from conformance.bodies import RESULT
from conformance.mutants.making import ABSENT, answers, both, fault, places, put, puts, succeeded, unfinished, value_at
from conformance.mutants.values import Answer, Mutant, OnAnswer, Request, State

UUID = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _of(status: int) -> Any:
    return lambda state, request, answer: answer.status == status


def _result(name: str, number: str, text: str, path: str, value: Any, **more: Any) -> Mutant:
    return puts(name, f"V3-RESULT-{number}", text, RESULT, path, value, **more)


def _any(name: str, number: str, text: str, change: OnAnswer, **more: Any) -> Mutant:
    return answers(name, f"V3-RESULT-{number}", text, RESULT, change, **more)


def _malformed(state: State, request: Request, answer: Answer) -> bool:
    named = request.param("task_id")
    return bool(named) and UUID.fullmatch(named or "") is None and answer.status in (400, 404)


def _times_swapped(state: State, request: Request, answer: Answer) -> Answer:
    body = answer.fresh()
    for place in places(body, "extra.debug_info"):
        times = value_at(place)
        if isinstance(times, dict) and times.get("submit_time_ms") and times.get("complete_time_ms"):
            late = str(int(times["complete_time_ms"]) + 1000)
            put(place, {**times, "submit_time_ms": late})
    return answer.with_json(body)


def _odd_echo(info: Any) -> Any:
    return info.replace("128", "640") if isinstance(info, str) else info


MUTANTS = (
    _any(
        "malformed-id-is-a-fault",
        "003",
        "An id that is no UUID is a fault.",
        lambda *_: fault(),
        when=_malformed,
        also=("ROBUST-001", "ROBUST-010"),
    ),
    _result(
        "waiting-has-its-own-word", "007", "A task that waits is pending.", "task.status", "pending", when=unfinished
    ),
    _result("debug-info-is-a-list", "021", "debug_info is a list.", "extra.debug_info", lambda old: [old]),
    _result(
        "times-are-numbers",
        "021",
        "The times are numbers.",
        "extra.debug_info.submit_time_ms",
        lambda old: int(old or 0),
    ),
    _result("begun-is-untold", "021", "execute_time_ms is missing.", "extra.debug_info.execute_time_ms", ABSENT),
    _any(
        "times-out-of-order",
        "022",
        "A task was submitted after it ended.",
        _times_swapped,
        when=both(_of(200), succeeded),
    ),
    _result(
        "echo-is-no-json",
        "023",
        "request_info is Python.",
        "extra.debug_info.request_info",
        lambda info: info.replace('"', "'") if info else info,
    ),
    _result(
        "echo-of-another-size", "023", "request_info tells another size.", "extra.debug_info.request_info", _odd_echo
    ),
    _result(
        "echo-of-other-names",
        "023",
        "request_info has names of its own.",
        "extra.debug_info.request_info",
        lambda info: '{"w": 1}' if info else info,
    ),
    _result(
        "unsafe-contents-are-text",
        "024",
        "has_nsfw_contents is text.",
        "extra.has_nsfw_contents",
        "none",
        add=True,
        when=succeeded,
    ),
    _result(
        "webhook-of-results-is-text",
        "024",
        "The key webhook of a result is a link.",
        "extra.webhook",
        "https://hooks.example/1",
        add=True,
        when=succeeded,
    ),
)
