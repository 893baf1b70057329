"""Where a client wants its pictures: the bucket of `extra.custom_storage.aws_s3`, and how a put can go wrong.

Values only. Putting files there is `mockserver.storage`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_PATH_BYTES = 900
"""Longest path in UTF-8: S3 takes keys of 1024 bytes, and the task's directory and the file's name follow the path."""

_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}")
"""Loose on purpose: old buckets have capitals and underscores, as the documented sample `test_bucket` has."""
_REGION = re.compile(r"(?!-)(?![0-9]+$)[A-Za-z0-9-]{1,63}(?<!-)")
"""One label of a host name; it becomes part of one."""


class StorageFault(StrEnum):
    """Why a put did not work."""

    DENIED = "denied"
    NO_BUCKET = "no-bucket"
    WRONG_REGION = "wrong-region"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    PARTIAL = "partial"
    CREDENTIALS = "credentials"
    NOT_ALLOWED = "not-allowed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Storage:
    """The caller's own bucket.

    Attributes:
        region: AWS region name.
        bucket: name of the bucket.
        path: prefix inside it, no slash at either end; "" for the top.
        directly: `save_to_path_directly`; the files lie straight in `path`, not in a directory below it.
    """

    region: str
    bucket: str
    path: str
    directly: bool = False


def is_bucket(name: str) -> bool:
    """Whether a bucket can have the name."""
    return _BUCKET.fullmatch(name) is not None and name not in (".", "..")


def is_region(name: str) -> bool:
    """Whether a region can have the name; any label of a host name can."""
    return _REGION.fullmatch(name) is not None


def is_path(path: str) -> bool:
    """Whether it is a prefix in a bucket: printable, no step upwards or on the spot, no URL, not too long."""
    steps = path.split("/")
    return (
        bool(path)
        and "://" not in path
        and ".." not in steps
        and "." not in steps
        and path.isprintable()
        and len(path.encode()) <= MAX_PATH_BYTES
    )
