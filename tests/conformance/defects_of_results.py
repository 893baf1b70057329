"""Servers with one defect in results, pictures, links, detection or the model list, each a change on the way."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from PIL import Image, ImageOps

from tests.conformance.harness import Answered, Asked, Wrapper, defect

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
