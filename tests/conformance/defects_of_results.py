"""Servers with one defect in results, pictures, links, detection or the model list, each a change on the way."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from PIL import Image, ImageOps

from conformance.verdict import Verdict
from tests.conformance.harness import Answered, Asked, Wrapper, defect, judge, not_green, of_verdict

Change = Callable[[dict[str, Any]], object]
RESULT_PATH, MODELS_PATH, LINKS = "/v3/async/task-result", "/v3/model", "/prod/"


def results(change: Change, status: str = "") -> Wrapper:
    """Changes each result, or those of one status."""

    def spoil(asked: Asked, answered: Answered) -> Answered:
        if asked.path != RESULT_PATH or answered.status != 200:
            return answered
        body = answered.json
        if status and body["task"]["status"] != f"TASK_STATUS_{status}":
            return answered
        change(body)
        return answered.saying(body)

    return defect(answer=spoil)


def nth_result(change: Callable[[dict[str, Any], int], object], status: str = "") -> Wrapper:
    """Changes results by how many came before for the same task (of the same status, if one is given)."""
    seen: Counter[str] = Counter()

    def count(body: dict[str, Any]) -> None:
        task_id = body["task"]["task_id"]
        seen[task_id] += 1
        change(body, seen[task_id])

    return results(count, status)


def submits(change: Change) -> Wrapper:
    """Changes each v3 submit."""

    def instead(asked: Asked) -> Asked:
        if asked.method != "POST" or not asked.path.startswith("/v3/async/") or not isinstance(asked.json, dict):
            return asked
        body = asked.json
        if isinstance(body.get("request"), dict):
            change(body)
        return asked.saying(body)

    return defect(request=instead)


def files(change: Callable[[Asked, Answered], Answered]) -> Wrapper:
    """Changes each file behind a link."""

    def spoil(asked: Asked, answered: Answered) -> Answered:
        found = asked.path.startswith(LINKS) and answered.status in (200, 206)
        return change(asked, answered) if found else answered

    return defect(answer=spoil)


def pixels(change: Callable[[Image.Image], Image.Image], ending: str = "") -> Wrapper:
    """Redraws each picture in its own format."""

    def redraw(asked: Asked, answered: Answered) -> Answered:
        if answered.status != 200 or not asked.path.endswith(ending):
            return answered
        image, held = Image.open(io.BytesIO(answered.body)), io.BytesIO()
        change(image).save(held, image.format)
        return replace(answered, body=held.getvalue())

    return files(redraw)


def lists(change: Change) -> Wrapper:
    """Changes each list of models."""

    def spoil(asked: Asked, answered: Answered) -> Answered:
        if asked.path != MODELS_PATH or answered.status != 200:
            return answered
        body = answered.json
        change(body)
        return answered.saying(body)

    return defect(answer=spoil)


def queries(change: Callable[[list[tuple[str, str]]], list[tuple[str, str]]]) -> Wrapper:
    """Changes the parameters of each list call."""

    def instead(asked: Asked) -> Asked:
        if asked.path != MODELS_PATH:
            return asked
        return replace(asked, query=urlencode(change(parse_qsl(asked.query.decode()))).encode())

    return defect(request=instead)


def without(*names: str) -> Wrapper:
    """List parameters that the server does not know."""
    return queries(lambda query: [(name, value) for name, value in query if name not in names])


def answers(path: str, change: Callable[[Asked, Answered], Answered]) -> Wrapper:
    """Changes what comes from one path."""
    return defect(answer=lambda asked, answered: change(asked, answered) if asked.path == path else answered)


def by_time(change: Callable[[Asked, Answered, float], Answered]) -> Wrapper:
    """Changes answers by how far the clock was moved since the suite first moved it by more than half an hour."""
    moved = [0.0]

    def spoil(asked: Asked, answered: Answered) -> Answered:
        if asked.path.endswith("/clock/advance") and isinstance(asked.json, dict):
            moved[0] += float(asked.json.get("seconds", 0)) if asked.json.get("seconds", 0) > 1800 else 0
        return change(asked, answered, moved[0])

    return defect(answer=spoil)


def each(path: str, **values: Any) -> Change:
    """Sets keys of an object, or of each entry of a list, somewhere in a body."""

    def change(body: dict[str, Any]) -> None:
        found: Any = body
        for step in filter(None, path.split(".")):
            found = found[step]
        for one in found if isinstance(found, list) else [found]:
            one.update(values)

    return change


def info(change: Callable[[dict[str, Any]], object]) -> Change:
    """Changes request_info, which is JSON inside text."""

    def rewrite(body: dict[str, Any]) -> None:
        read = json.loads(body["extra"]["debug_info"]["request_info"])
        change(read)
        body["extra"]["debug_info"]["request_info"] = json.dumps(read)

    return rewrite


def swapped(holder: dict[str, Any], one: str, other: str) -> None:
    """Exchanges two values."""
    holder[one], holder[other] = holder[other], holder[one]


def grey(image: Image.Image) -> Image.Image:
    """Without colour, where it is opaque."""
    return image if image.has_transparency_data else ImageOps.grayscale(image).convert("RGB")


def kept_for_ever() -> Wrapper:
    """Links that never die."""
    known: dict[str, Answered] = {}

    def keep(asked: Asked, answered: Answered) -> Answered:
        if not asked.path.startswith(LINKS) or asked.headers.get("range"):
            return answered
        if answered.status == 200:
            known.setdefault(asked.path, answered)
        return known.get(asked.path, answered)

    return defect(answer=keep)


def unknown_at_first() -> Wrapper:
    """Tasks that the first question does not find."""
    asked_for: set[bytes] = set()

    def hide(asked: Asked, answered: Answered) -> Answered:
        if asked.path != RESULT_PATH or answered.status != 200 or asked.query in asked_for:
            return answered
        asked_for.add(asked.query)
        return answered.saying({"code": 404, "reason": "TASK_NOT_FOUND", "message": "", "metadata": {}}, status=404)

    return defect(answer=hide)


def files_anew() -> Wrapper:
    """Files with a date in them, which is another one each time."""
    number = [0]

    def write(_: Asked, answered: Answered) -> Answered:
        if answered.status != 200:
            return answered
        number[0] += 1
        return replace(answered, body=answered.body + b"%d" % number[0])

    return files(write)


def mixed_up() -> Wrapper:
    """A server that gives the result of the task before, for tasks of odd sizes."""
    odd: list[str] = []

    def instead(asked: Asked) -> Asked:
        query = dict(parse_qsl(asked.query.decode()))
        if asked.path != RESULT_PATH or query.get("task_id") not in odd:
            return asked
        return replace(asked, query=urlencode({"task_id": odd[odd.index(query["task_id"]) - 1]}).encode())

    def note(asked: Asked, answered: Answered) -> Answered:
        body = asked.json
        if asked.method == "POST" and answered.status == 200 and isinstance(body, dict) and "request" in body:
            if body["request"].get("width", 0) % 2:
                odd.append(answered.json["task_id"])
        elif asked.path == RESULT_PATH and answered.status == 200:
            found = answered.json
            found["task"]["task_id"] = dict(parse_qsl(asked.query.decode()))["task_id"]
            return answered.saying(found)
        return answered

    return defect(request=instead, answer=note)


def another_seed_inside(seed_for: Callable[[int, int], int]) -> Wrapper:
    """A server that reports the seed of the request and draws with another one."""
    given: dict[str, str] = {}
    bodies: dict[bytes, int] = {}
    numbers: Counter[int] = Counter()

    def instead(asked: Asked) -> Asked:
        body = asked.json
        if asked.method != "POST" or not isinstance(body, dict) or not isinstance(body.get("request"), dict):
            return asked
        seed = body["request"].get("seed")
        if not isinstance(seed, int) or seed < 0:
            return asked
        numbers[seed] += 1
        bodies[asked.body] = seed
        body["request"]["seed"] = seed_for(seed, numbers[seed])
        return asked.saying(body)

    def report(asked: Asked, answered: Answered) -> Answered:
        if asked.method == "POST" and asked.body in bodies and answered.status == 200:
            given[answered.json["task_id"]] = str(bodies[asked.body])
        if asked.path != RESULT_PATH or answered.status != 200:
            return answered
        body = answered.json
        if body["task"]["task_id"] not in given:
            return answered
        seed = given[body["task"]["task_id"]]
        body["extra"]["seed"] = seed
        info(lambda read: read.update(seeds=[int(seed)]))(body)
        return answered.saying(body)

    return defect(request=instead, answer=report)


def only_red(areas: tuple[str, ...], requirement: str, wrapper: Wrapper, also: Collection[str] = ()) -> None:
    """Asserts that a defect turns one requirement red, or to WARN for a SHOULD, and all others at most BLOCKED.

    `also` names what else such a server breaks, by the sentences themselves.
    """
    result = judge(areas, transport=wrapper)
    said = not_green(result)
    red = of_verdict(result, Verdict.FAIL, Verdict.ERROR, Verdict.UNSTABLE, Verdict.UNTESTABLE)
    assert result.outcomes[requirement].verdict in (Verdict.FAIL, Verdict.WARN), said or result.outcomes[requirement]
    assert red - {requirement} <= set(also), said
