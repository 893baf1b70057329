"""A cassette: one recorded job, in a form that has a place for nothing else.

Times are milliseconds after the answer of the submit. No link, task id, host or header has a place in it.
`cassette.schema.json` is its JSON Schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from mockserver.core.task import Status

FORMAT = "novita-mock-cassette/1"
SCHEMA = Path(__file__).with_name("cassette.schema.json")
SUFFIX = ".cassette.json"
MAX_BYTES = 4 * 1024 * 1024


class CassetteError(ValueError):
    """A file is no cassette; the message says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What one poll saw.

    Attributes:
        progress: in [0, 1].
    """

    after_ms: int
    status: Status
    progress: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of a result.

    Attributes:
        type: its format, as the answer told it.
        nsfw_confidence: None: not classified.
        sha256: of the file. width, height, bytes: of it; 0 when it could not be fetched or read.
        file: where it lies beside the cassette; None: it was not kept, and is drawn anew.
    """

    type: str
    nsfw_confidence: float | None = None
    width: int = 0
    height: int = 0
    bytes: int = 0
    sha256: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a job ended.

    Attributes:
        after_ms: when a poll first told it.
        seed: the one that was used; None: not told.
        queued_ms, work_ms: by the server's own account; None: it gave none.
    """

    after_ms: int
    status: Status
    reason: str
    seed: int | None
    queued_ms: int | None = None
    work_ms: int | None = None
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """The event of a job."""

    after_ms: int
    event_type: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Cassette:
    """One recorded job.

    Attributes:
        operation: that was called.
        match: what a submission has to come to, for it to be this job again.
        request: what was asked for, as far as it may be kept; for people, and to tell what differs.
        usd: what it cost, by our price table.
        polls: in order; of equal ones in a row the first and the last.
        ending: None: the recording stopped before.
        folder: where it lies; not written.
    """

    operation: str
    match: str
    request: Mapping[str, Any]
    usd: str
    submit_ms: int
    polls: tuple[Poll, ...]
    ending: Ending | None
    webhook: Webhook | None = None
    folder: Path | None = field(default=None, compare=False)
    name: str = field(default="", compare=False)


def as_json(cassette: Cassette) -> dict[str, Any]:
    """A cassette as it is written."""
    ending, webhook = cassette.ending, cassette.webhook
    return {
        "format": FORMAT,
        "operation": cassette.operation,
        "match": cassette.match,
        "request": dict(cassette.request),
        "usd": cassette.usd,
        "submit_ms": cassette.submit_ms,
        "polls": [
            {"after_ms": poll.after_ms, "status": poll.status.value, "progress": poll.progress}
            for poll in cassette.polls
        ],
        "ending": None
        if ending is None
        else {
            "after_ms": ending.after_ms,
            "status": ending.status.value,
            "reason": ending.reason,
            "seed": None if ending.seed is None else str(ending.seed),
            "queued_ms": ending.queued_ms,
            "work_ms": ending.work_ms,
            "pictures": [
                {
                    "type": picture.type,
                    "nsfw_confidence": picture.nsfw_confidence,
                    "width": picture.width,
                    "height": picture.height,
                    "bytes": picture.bytes,
                    "sha256": picture.sha256,
                    "file": picture.file,
                }
                for picture in ending.pictures
            ],
        },
        "webhook": None
        if webhook is None
        else {"after_ms": webhook.after_ms, "event_type": webhook.event_type, "status": webhook.status.value},
    }


def read_cassette(raw: bytes, folder: Path | None = None, name: str = "") -> Cassette:
    """Reads a cassette.

    Raises:
        CassetteError: it is none.
    """
    if len(raw) > MAX_BYTES:
        raise CassetteError(f"a cassette has at most {MAX_BYTES} bytes")
    try:
        given = orjson.loads(raw)
    except ValueError as error:
        raise CassetteError(f"not JSON: {error}") from None
    problem = next(iter(_validator().iter_errors(given)), None)
    if problem is not None:
        where = ".".join(map(str, problem.instance_path)) or "the file"
        raise CassetteError(f"{where}: {problem.message[:300]}")
    ending, webhook = given["ending"], given["webhook"]
    return Cassette(
        operation=given["operation"],
        match=given["match"],
        request=given["request"],
        usd=given["usd"],
        submit_ms=given["submit_ms"],
        polls=tuple(Poll(**{**poll, "status": Status(poll["status"])}) for poll in given["polls"]),
        ending=None if ending is None else _ending(ending),
        webhook=None if webhook is None else Webhook(**{**webhook, "status": Status(webhook["status"])}),
        folder=folder,
        name=name,
    )


def load_cassettes(path: Path) -> list[Cassette]:
    """The cassettes of a file or of a folder, by name.

    Raises:
        CassetteError: there is none, or one cannot be read.
    """
    found = []
    for file in files_of(path):
        try:
            found.append(read_cassette(file.read_bytes()[: MAX_BYTES + 1], file.parent, file.name))
        except CassetteError as error:
            raise CassetteError(f"{file}: {error}") from None
        except OSError as error:
            raise CassetteError(f"cannot read {file}: {error.strerror}") from None
    return found


def files_of(path: Path) -> list[Path]:
    """The files of cassettes at a path.

    Raises:
        CassetteError: there is none.
    """
    files = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path] if path.is_file() else []
    if not files:
        raise CassetteError(f"{path}: no cassette there; expected a file, or a folder with files *{SUFFIX}")
    return files


def _ending(given: Mapping[str, Any]) -> Ending:
    return Ending(
        **{
            **given,
            "status": Status(given["status"]),
            "seed": None if given["seed"] is None else int(given["seed"]),
            "pictures": tuple(Picture(**picture) for picture in given["pictures"]),
        }
    )


@cache
def _validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(orjson.loads(SCHEMA.read_bytes()))
