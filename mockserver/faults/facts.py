"""What is known where a fault plan is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from mockserver.faults.plan import Armed


@dataclass(slots=True, kw_only=True)
class Facts:
    """What is known where a plan is asked.

    Attributes:
        operation_id: the operation called, or the one that made the task.
        body: the submit request.
        task: number of the task in its world, from 0.
        picture: index of the picture.
        attempt: number of the attempt, from 1.
        own: rules in force that the request itself asked for; they are asked first.
    """

    operation_id: str
    body: bytes = b""
    task: int | None = None
    picture: int | None = None
    attempt: int | None = None
    own: Sequence[Armed] = ()
    _fields: Mapping[str, Any] | None = None

    @property
    def fields(self) -> Mapping[str, Any]:
        """The request as JSON."""
        if self._fields is None:
            try:
                found = orjson.loads(self.body) if self.body else {}
            except ValueError:
                found = {}
            self._fields = found if isinstance(found, dict) else {}
        return self._fields

    @property
    def request(self) -> Mapping[str, Any]:
        """The part of it that says what to draw: nested in v3, the whole of it in v2."""
        inner = None if self.operation_id.endswith("V2") else self.fields.get("request")
        return inner if isinstance(inner, dict) else self.fields
