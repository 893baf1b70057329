"""Tasks as rows of a table and back; JSON where a value has parts. For any store that has rows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Protocol

import orjson

from reference_impl.jobs import FileFormat, Nsfw
from reference_impl.tasks import Bucket, Delivery, Picture, Status, Task, Webhook

COLUMNS = (
    "task_id",
    "owner",
    "operation_id",
    "seed",
    "delivery",
    "echo",
    "count",
    "work",
    "batch",
    "status",
    "submitted_ms",
    "started_ms",
    "ended_ms",
    "attempts",
    "pictures",
    "reason",
)


class Row(Protocol):
    """A row of a query; a mapping is one too."""

    def __getitem__(self, column: str, /) -> Any:
        """The value of a column."""


def row_of(task: Task) -> tuple[object, ...]:
    """The values of `COLUMNS`."""
    return (
        task.task_id,
        task.owner,
        task.operation_id,
        # The contract knows no greatest seed; columns of integers, and orjson, do.
        str(task.seed),
        orjson.dumps(task.delivery),
        json.dumps(dict(task.echo)).encode(),
        task.count,
        task.work,
        task.group,
        task.status.value,
        task.submitted_ms,
        task.started_ms,
        task.ended_ms,
        task.attempts,
        pictures_json(task.pictures),
        task.reason,
    )


def task_of(row: Row) -> Task:
    """The task that such a row holds."""
    return Task(
        task_id=row["task_id"],
        owner=row["owner"],
        operation_id=row["operation_id"],
        seed=int(row["seed"]),
        delivery=_delivery(orjson.loads(row["delivery"])),
        echo=json.loads(row["echo"]),
        count=row["count"],
        work=row["work"],
        group=row["batch"],
        status=Status(row["status"]),
        submitted_ms=row["submitted_ms"],
        started_ms=row["started_ms"],
        ended_ms=row["ended_ms"],
        attempts=row["attempts"],
        pictures=tuple(_picture(raw) for raw in orjson.loads(row["pictures"])),
        reason=row["reason"],
    )


def pictures_json(pictures: tuple[Picture, ...]) -> bytes:
    """The value of the column `pictures`."""
    return orjson.dumps([{**asdict(picture), "seed": str(picture.seed)} for picture in pictures])


def _delivery(raw: dict[str, Any]) -> Delivery:
    webhook, bucket = raw["webhook"], raw["bucket"]
    return Delivery(
        webhook=Webhook(url=webhook["url"], test=Status(webhook["test"]) if webhook["test"] else None)
        if webhook
        else None,
        bucket=Bucket(**bucket) if bucket else None,
        link_ttl_s=raw["link_ttl_s"],
        nsfw_detection=raw["nsfw_detection"],
    )


def _picture(raw: dict[str, Any]) -> Picture:
    return Picture(
        name=raw["name"],
        file_format=FileFormat(raw["file_format"]),
        seed=int(raw["seed"]),
        width=raw["width"],
        height=raw["height"],
        nsfw=Nsfw(**raw["nsfw"]) if raw["nsfw"] else None,
        url=raw["url"],
    )
