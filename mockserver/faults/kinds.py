"""The words of effects. What each is, and its options, stand in `mockserver.faults.effects`, which few calls need."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """The effects by name."""

    STATUS = "status"
    DELAY = "delay"
    NO_ANSWER = "no-answer"
    CONNECTION_RESET = "CONNECTION_RESET_BY_PEER"
    EMPTY_RESPONSE = "EMPTY_RESPONSE"
    MALFORMED_CHUNK = "MALFORMED_RESPONSE_CHUNK"
    RANDOM_DATA = "RANDOM_DATA_THEN_CLOSE"
    TRUNCATE = "truncate"
    DRIBBLE = "dribble"
    BREAK = "break"
    WRONG_FILE = "wrong-file"
    LATE = "late"
    FAIL = "fail"
    STUCK = "stuck"
    VANISH = "vanish"
    REGRESS = "regress"
    EARLY = "early"
    DROP = "drop"
    HOLD = "hold"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    CONFLICT = "conflict"
    REFUSE = "refuse"


class BreakKind(StrEnum):
    """How an answer can break the contract."""

    MISSING = "missing"
    NULL = "null"
    TYPE = "type"
    UNKNOWN_VALUE = "unknown-value"
    EXTRA = "extra"
    WRAPPED = "wrapped"


class WrongFile(StrEnum):
    """What a download can give instead of the picture."""

    XML = "xml"
    HTML = "html"
    CONTENT_TYPE = "content-type"
    CORRUPT = "corrupt"
    EMPTY = "empty"


class Refused(StrEnum):
    """Why a bucket takes no picture."""

    DENIED = "denied"
    NO_BUCKET = "no-bucket"
    WRONG_REGION = "wrong-region"
    TIMEOUT = "timeout"
    PARTIAL = "partial"


LOSING = frozenset(
    {
        Kind.STATUS, Kind.NO_ANSWER, Kind.CONNECTION_RESET, Kind.EMPTY_RESPONSE, Kind.MALFORMED_CHUNK, Kind.RANDOM_DATA,
        Kind.TRUNCATE,
    }
)  # fmt: skip
"""Effects after which the client does not know what became of its call."""
