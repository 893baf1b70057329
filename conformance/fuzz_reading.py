"""Reading what a generator made: bodies, media types, places of problems, texts that should be pictures."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from openapi.document import Operation, Problem, Reading
from openapi.problems import Step

NO_JSON: Final = object()
"""Stands for a body that is no JSON, and for a place that is not there."""
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8", b"BM")
"""How files of pictures begin."""
_TELLING = ("required", "type")
"""Keywords that tell more than others about the same place: what is no number is also out of range."""


def also_refused(problems: list[Problem], operation: Operation, body: Any) -> list[Problem]:
    """Problems of the documented reading, in whose plainer words, at places that the tolerated one refuses too."""
    if not problems:
        return []
    places = [problem.path for problem in operation.problems(body, Reading.TOLERATED)]
    return [one for one in problems if any(_touch(one.path, place) for place in places)]


def _touch(one: tuple[Step, ...], other: tuple[Step, ...]) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def by_place(problems: list[Problem]) -> list[Problem]:
    """One problem of each place."""
    found: dict[tuple[Step, ...], Problem] = {}
    for problem in sorted(problems, key=lambda one: one.keyword not in _TELLING):
        found.setdefault(problem.path, problem)
    return list(found.values())


def parsed(content: bytes | None) -> Any:
    """A body as JSON, or NO_JSON."""
    try:
        return json.loads(content or b"")
    except (ValueError, RecursionError):
        return NO_JSON


def is_json(content_type: str) -> bool:
    """The media type, with no parameter but a charset; what a server makes of others is its own business."""
    return re.fullmatch(r"application/json(; *charset=utf-8)?", content_type.strip(), re.IGNORECASE) is not None


def value_at(body: Any, path: tuple[Step, ...]) -> Any:
    """The value at a place of a body; NO_JSON where there is none."""
    for step in path:
        try:
            body = body[step]
        except (KeyError, IndexError, TypeError):
            return NO_JSON
    return body


def no_pictures(body: Any, path: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    """Places that must hold a picture in base64 and hold a text that is none; an empty text is another matter."""
    if isinstance(body, dict):
        for key, value in body.items():
            if key in ("image_base64", "input_image", "mask") and isinstance(value, str):
                if value and not _is_picture(value):
                    yield (*path, key)
            else:
                yield from no_pictures(value, (*path, key))
    elif isinstance(body, list):
        for index, value in enumerate(body):
            if path[-1:] == ("init_images",) and isinstance(value, str):
                if value and not _is_picture(value):
                    yield (*path, index)
            else:
                yield from no_pictures(value, (*path, index))


def _is_picture(text: str) -> bool:
    """Whether a text begins like a picture in any spelling of base64."""
    plain = "".join(text.partition(",")[2].split() if text.startswith("data:") else text.split())
    plain = plain.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).startswith(PICTURES)
    except (binascii.Error, ValueError):
        return False
