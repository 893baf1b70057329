"""The failures of a sweep: each is one thing that goes wrong, at one point of a call's or a task's way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mockserver.faults.points import Point
from mockserver.faults.rules import read_rule
from mockserver.faults.scenario import Scenario
from mockserver.scenarios import shipped


class Best(StrEnum):
    """The best that a program can do."""

    SURVIVE = "survive"
    FAIL = "fail"
    START_AGAIN = "start again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One failure.

    Attributes:
        id: names files, and is what `--only` looks for.
        name: for people.
        point: where it strikes; a program that never comes there is not run with it.
        rules: what is armed, as `POST /__mock/faults` takes it.
        scenario: a situation of the library, instead of rules.
        best: the best that a program can do: get its pictures all the same, say that it could not, or pay for a new
            task because nothing will ever come of this one.
    """

    id: str
    name: str
    point: Point
    rules: tuple[Mapping[str, Any], ...] = ()
    scenario: str = ""
    best: Best = Best.SURVIVE

    def situation(self) -> Scenario:
        """What every world of the run starts in."""
        if self.scenario:
            return shipped(self.scenario)
        rules = tuple(read_rule(rule, (index,), source=f"sweep {self.id}") for index, rule in enumerate(self.rules))
        return Scenario(name=self.id, description=self.name, given={}, faults=rules)


def _once(id: str, name: str, point: Point, effect: object, best: Best = Best.SURVIVE) -> Case:
    rule = {"point": point.value, "effect": effect, "times": 1}
    return Case(id=id, name=name, point=point, rules=(rule,), best=best)


def _always(id: str, name: str, point: Point, effect: object, best: Best) -> Case:
    rule = {"point": point.value, "effect": effect, "bounded": False}
    return Case(id=id, name=name, point=point, rules=(rule,), best=best)


def _gateway(code: int) -> object:
    """The error page of something in front of the service."""
    return {"status": {"code": code, "body": "html"}}


_BUSY = {"status": {"code": 429, "reason": "RATE_LIMIT_EXCEEDED", "retry_after": "1s"}}
_BEFORE, _AFTER, _POLL, _LINK = Point.SUBMIT_BEFORE, Point.SUBMIT_AFTER_COMMIT, Point.RESULT, Point.DOWNLOAD
_HOOK = Point.WEBHOOK_ATTEMPT

CASES: tuple[Case, ...] = (
    _always("key-refused", "the key is refused", Point.AUTH, {"status": {"reason": "INVALID_API_KEY"}}, Best.FAIL),
    _always(
        "no-money", "the account is empty", _BEFORE, {"status": {"reason": "BILLING_BALANCE_NOT_ENOUGH"}}, Best.FAIL
    ),
    _once("submit-429", "the submit is answered 429, Retry-After 1 s", _BEFORE, _BUSY),
    _once("submit-503", "the submit is answered by a gateway, 503 and HTML", _BEFORE, _gateway(503)),
    _once(
        "submit-reset", "the submit's connection is reset before a task is made", _BEFORE, "CONNECTION_RESET_BY_PEER"
    ),
    _once("submit-silent", "the submit is never answered, and no task is made", _BEFORE, "no-answer"),
    _once("lost-reset", "the submit's answer is lost: reset", _AFTER, "CONNECTION_RESET_BY_PEER", Best.FAIL),
    _once("lost-504", "the submit's answer is lost: 504", _AFTER, _gateway(504), Best.FAIL),
    _once("lost-silent", "the submit's answer never comes", _AFTER, "no-answer", Best.FAIL),
    _once("lost-cut", "the submit's answer ends half-way", _AFTER, "truncate", Best.FAIL),
    _always("no-task-id", "the submit's answer has no task_id", _AFTER, {"break": "missing"}, Best.FAIL),
    _always("null-task-id", "the submit's answer has null for the task_id", _AFTER, {"break": "null"}, Best.FAIL),
    _once("queue-10m", "the task waits for ten minutes", Point.QUEUE, {"late": "10m"}),
    _once("stuck", "the task never ends", Point.PROGRESS, "stuck", Best.START_AGAIN),
    _once("falls-back", "the task falls back into its queue", Point.PROGRESS, "regress"),
    _once("vanishes", "the task is forgotten half-way", Point.PROGRESS, "vanish", Best.START_AGAIN),
    _once("fails", "the task fails", Point.FINISH, {"fail": "out of memory"}, Best.START_AGAIN),
    _once("poll-429", "a poll is answered 429, Retry-After 1 s", _POLL, _BUSY),
    _once("poll-500", "a poll is answered 500", _POLL, {"status": 500}),
    _once("poll-502", "a poll is answered by a gateway, 502 and HTML", _POLL, _gateway(502)),
    Case(
        id="poll-503-thrice",
        name="three polls in a row are answered 503",
        point=_POLL,
        rules=({"point": "result", "effect": _gateway(503), "times": 3},),
    ),
    _once("poll-reset", "a poll's connection is reset", _POLL, "CONNECTION_RESET_BY_PEER"),
    _once("poll-silent", "a poll is never answered", _POLL, "no-answer"),
    _once("poll-malformed", "a poll's answer is malformed", _POLL, "MALFORMED_RESPONSE_CHUNK"),
    _once("poll-cut", "a poll's answer ends half-way", _POLL, "truncate"),
    _once("poll-slow", "a poll's answer takes two seconds", _POLL, {"delay": "2s"}),
    _once("new-status", "a poll tells a status that no page names", _POLL, {"break": "unknown-value"}),
    _once("no-status", "a poll tells no status", _POLL, {"break": "missing"}),
    Case(
        id="null-pictures",
        name="the list of pictures is null",
        point=_POLL,
        rules=tuple(
            {
                "point": "result",
                "effect": {"break": {"kind": "null", "field": field}},
                "bounded": False,
                "match": {"version": version},
            }
            for version, field in (("v3", "images"), ("v2", "data.imgs"))
        ),
        best=Best.FAIL,
    ),
    _always("more-fields", "answers have a field more", _POLL, {"break": "extra"}, Best.SURVIVE),
    _once("link-403", "a picture is refused, 403 and XML", _LINK, {"status": 403}),
    _once("link-404", "a picture is not there yet, 404 and XML", _LINK, {"status": 404}),
    _once("link-503", "the pictures' store is busy, 503 and XML", _LINK, {"status": 503}),
    _once("link-xml", "a picture's place holds XML, with status 200", _LINK, {"wrong-file": "xml"}),
    _once("link-html", "a picture's place holds a web page, with status 200", _LINK, {"wrong-file": "html"}),
    _once("link-empty", "a picture's place holds nothing, with status 200", _LINK, {"wrong-file": "empty"}),
    _once("link-corrupt", "a picture's bytes are damaged", _LINK, {"wrong-file": "corrupt"}),
    _once("link-cut", "a picture ends half-way", _LINK, "truncate"),
    _once("link-reset", "a picture's connection is reset", _LINK, "CONNECTION_RESET_BY_PEER"),
    _once("link-silent", "a picture never comes", _LINK, "no-answer"),
    _once("models-500", "the model list is answered 500", Point.MODELS, {"status": 500}),
    _once("models-null", "the list of models is null", Point.MODELS, {"break": {"kind": "null", "field": "models"}}),
    _once("webhook-early", "the webhook comes before the submit's answer", Point.WEBHOOK_BEFORE_REPLY, "early"),
    _once("webhook-twice", "the webhook comes twice", _HOOK, {"duplicate": 2}),
    _once("webhook-opposite", "a second webhook says the opposite", _HOOK, "conflict"),
    _once("webhook-cut", "a webhook is cut so that it is no JSON", _HOOK, "truncate"),
    _always("webhook-lost", "no webhook ever comes", _HOOK, "drop", Best.SURVIVE),
    _always("bucket-denied", "the bucket takes no picture", Point.STORAGE_PUT, {"refuse": "denied"}, Best.FAIL),
    Case(id="busy-fleet", name="one worker, a minute per task", point=_BEFORE, scenario="busy-fleet"),
)
"""Every failure of a sweep, in the order of a task's life."""


def of_scenarios(names: Iterable[str]) -> list[Case]:
    """Further cases: situations of the library, by name.

    Raises:
        ScenarioError: there is none of a name.
    """
    return [Case(id=f"scenario-{name}", name=name, point=Point.AUTH, scenario=shipped(name).name) for name in names]
