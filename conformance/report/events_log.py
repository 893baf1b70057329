"""The event log as JSON lines, written while the run goes on: what is in it survives whatever ends the run."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from typing import IO, Any

from conformance.events import Event, Exchanged
from conformance.redaction import Redactor
from conformance.report.shown import shown


class EventsLog:
    """A listener that writes one line per event.

    Args:
        file: the caller closes it.
        redactor: takes secrets out before anything is written.
    """

    def __init__(self, file: IO[str], redactor: Redactor) -> None:
        self._file = file
        self._redactor = redactor

    def __call__(self, event: Event) -> None:
        """Writes an event."""
        line = {"event": type(event).__name__, **self._fields(event)}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def _fields(self, event: Event) -> dict[str, Any]:
        if isinstance(event, Exchanged):
            seen = asdict(shown(event.exchange, self._redactor))
            del seen["answer"]["thumbnail"], seen["request"]["thumbnail"]
            return {"asked_by": event.exchange.asked_by, **seen}
        assert is_dataclass(event)
        found = self._redactor.value(asdict(event))
        assert isinstance(found, dict)
        return found
