"""The log on stderr: constant event names with fields, never a key.

The core does not log; the shell does, through the logger `mockserver`. Events: `call.answered` (info) for every call of
an operation, an unknown path or a picture; `delivery.attempted` (info) for every attempt to deliver a webhook;
`operation.failed`, `control.failed` and `errand.failed` (error) when the mock itself failed.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from mockserver.core.redaction import without_keys

if TYPE_CHECKING:
    from mockserver.world import World

log = logging.getLogger("mockserver")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class TextLines(logging.Formatter):
    """Time, level, logger, event, then `name=value` for each field."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # the base class names it so
        """The line itself; what a client sent cannot break it in two."""
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        return (super().formatMessage(record) + fields).encode("unicode_escape").decode()


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, event, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """A line."""
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def log_call(method: str, path: str, status: int, world: World | None, **fields: object) -> None:
    """Tells a call that was answered; of its key only the label."""
    log.info(
        "call.answered",
        extra={
            "method": method,
            "path": without_keys(path),
            "status": status,
            "world": world.label if world else None,
            **fields,
        },
    )


def configure(level: str, form: str) -> None:
    """Sends the log of this package and of the HTTP server to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    for name in ("mockserver", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level.upper())
