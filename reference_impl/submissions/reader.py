"""From the bytes of a body to a job: JSON, then the document, then what no schema can say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import orjson

from openapi.document import Document, PictureLimits, Problem, Reading
from reference_impl.jobs import Job
from reference_impl.shelf import Shelf
from reference_impl.submissions import v2, v3
from reference_impl.submissions.fields import Accepted, Fields, given
from reference_impl.submissions.names import Names
from reference_impl.submissions.refusals import Fault, Refused

_Reader = Callable[[Fields, int, Names, PictureLimits], Accepted]
_READERS: Mapping[str, _Reader] = MappingProxyType(
    {
        "createTxt2imgTask": v3.read_txt2img,
        "createImg2imgTask": v3.read_img2img,
        "createTxt2imgTaskV2": v2.read_txt2img,
        "createImg2imgTaskV2": v2.read_img2img,
    }
)
_RANGES = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minLength", "maxLength", "minItems", "maxItems", "enum", "not"),
    }
)
"""Keywords that judge a value of the right type."""


class Submissions:
    """Reads bodies.

    Args:
        document: the contract.
        shelf: what models there are.
        reading: how much beyond the pages is accepted.
    """

    def __init__(self, document: Document, shelf: Shelf, reading: Reading = Reading.TOLERATED) -> None:
        self._document = document
        self._reading = reading
        self._names = Names(shelf, reading)

    def accept(self, operation_id: str, body: bytes, draw_seed: Callable[[], int]) -> Accepted:
        """What a body asks for.

        Args:
            operation_id: one of the four submits of the document.
            body: as it came.
            draw_seed: gives the seed of a request that names none.

        Raises:
            Refused: it is no JSON, not as the document wants it, or cannot be done.
        """
        value = _json(body)
        problems = self._document.operations[operation_id].problems(value, self._reading)
        if problems:
            raise _refusal(problems, value)
        return _READERS[operation_id](given(value), draw_seed(), self._names, self._document.picture_limits)

    def job(self, operation_id: str, body: bytes, seed: int) -> Job:
        """The job of a body that was accepted before, with the seed that it had then.

        Raises:
            Refused: it would not be accepted today, for instance because its model has gone.
        """
        return self.accept(operation_id, body, lambda: seed).job


def _json(body: bytes) -> Any:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(Fault.BODY, "", f"expected a JSON object: {error}") from None
    if not isinstance(value, dict):
        raise Refused(Fault.BODY, "", "expected a JSON object")
    return value


def _refusal(problems: list[Problem], body: Any) -> Refused:
    """The first thing that is wrong, and how many more there are."""
    problem = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    field = ".".join(str(step) for step in problem.path)
    return Refused(_fault(problem, body), field, problem.message + more)


def _fault(problem: Problem, body: Any) -> Fault:
    name = problem.path[-1] if problem.path else ""
    # Where null is allowed beside the list, the keyword is anyOf; a text there is a name all the same.
    if name == "sampler_name" and isinstance(_at(body, problem.path), str):
        return Fault.SAMPLER
    if problem.keyword not in _RANGES:
        return Fault.FORM
    return Fault.SIZE if name in ("width", "height") else Fault.RANGE


def _at(body: Any, path: Sequence[str | int]) -> Any:
    """What stands at a place; None where nothing does."""
    for step in path:
        try:
            body = body[step]
        except (KeyError, IndexError, TypeError):
            return None
    return body
