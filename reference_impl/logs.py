"""The log: one line per event on standard error, an event's name and its fields. Never a key, never a prompt."""

from __future__ import annotations

import logging

import orjson

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class Lines(logging.Formatter):
    """`12:00:00 INFO task.ended task_id=... status=...`, or the same as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__(datefmt="%H:%M:%S")
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback of an error below it."""
        fields = {name: value for name, value in vars(record).items() if name not in _OWN and name[0] != "_"}
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        if self._as_json:
            told = {"at": record.created, "level": record.levelname, "event": record.getMessage(), **fields}
            return orjson.dumps(told | ({"trace": trace} if trace else {}), default=str).decode()
        shown = "".join(f" {name}={value}" for name, value in fields.items())
        line = f"{self.formatTime(record, self.datefmt)} {record.levelname} {record.getMessage()}{shown}"
        return f"{line}\n{trace}" if trace else line


def start_logging(*, as_json: bool, verbose: bool) -> None:
    """Log to standard error; what goes well is told only with `verbose`."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(as_json=as_json))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("reference_impl").setLevel(logging.INFO if verbose else logging.WARNING)
