"""What went over the wire: one request and what came of it, with a number of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

KEPT_BODY = 65536
"""Bytes of a request body that are kept; a body of 64 MB is described, not stored."""


asking: ContextVar[str] = ContextVar("asking", default="")
"""The requirement whose check is running; each check has a context of its own."""


class _Missing:
    """Stands where a key, or JSON altogether, is missing; different from null."""

    def __repr__(self) -> str:
        return "nothing"

    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request and its answer.

    Attributes:
        number: its place in the wire log, from 1.
        operation_id: "" for a download or a route of no operation.
        purpose: why it was sent, a noun phrase for reports.
        url: as sent; `request_headers` hold the key in clear, `conformance.redaction` hides it in every report.
        sent_bytes: length of the body sent, also where `request_body` keeps only its beginning.
        status: None when no whole answer came; `error` then says why.
        started_s: monotonic seconds since the run's start.
        asked_by: the requirement whose check sent it; others may have used the answer too.
    """

    number: int
    method: str
    url: str
    operation_id: str = ""
    purpose: str = ""
    request_headers: tuple[tuple[str, str], ...] = ()
    request_body: bytes = b""
    sent_bytes: int = 0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""
    error: str = ""
    started_s: float = 0.0
    took_s: float = 0.0
    asked_by: str = ""

    @cached_property
    def json(self) -> Any:
        """The answer's body as JSON; MISSING when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return MISSING

    @property
    def media_type(self) -> str:
        """`Content-Type` of the answer without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def at(self, *path: str | int) -> Any:
        """A value of the answer's JSON; MISSING where there is none."""
        value = self.json
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return MISSING
        return value

    def brief(self) -> str:
        """The answer in a few words, for messages."""
        if self.status is None:
            return f"no answer ({self.error})"
        text = self.body[:160].decode("utf-8", "replace") if self.readable else f"{len(self.body)} bytes"
        return f"status {self.status} with {text!r}" if text else f"status {self.status} and no body"

    @property
    def readable(self) -> bool:
        """Whether the answer's body is text."""
        return not self.body[:64].strip() or (self.body[:1] in b'{[<"' or self.media_type.startswith("text/"))
