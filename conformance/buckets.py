"""The bucket that a target writes to, read with boto3; nothing else of S3 is known here."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from conformance import timing
from conformance.errors import NotMeasured
from conformance.target import Bucket

TOP = "novita-conformance"
"""The directory of the bucket below which everything of ours lies."""
LATEST_S, LOOK_S = 2.0, 0.2
"""How long files are looked for after a task has ended, and how often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a bucket."""

    key: str
    data: bytes


def new_path() -> str:
    """A path in the bucket that nobody has used."""
    return f"{TOP}/{secrets.token_hex(8)}"


async def files_below(bucket: Bucket, path: str, number: int) -> tuple[File, ...]:
    """The files below a path, once there are so many or some seconds have passed; they are then removed.

    Raises:
        NotMeasured: the bucket cannot be read.
    """
    client = _client(bucket)
    until_s = timing.now() + LATEST_S
    while len(keys := await _ask(bucket, _keys, client, bucket.bucket, path)) < number and timing.now() < until_s:
        await timing.pause(LOOK_S)
    found = tuple(
        [File(key=key, data=await _ask(bucket, _read, client, bucket.bucket, key)) for key in keys[: number + 3]]
    )
    for key in keys:
        with suppress(NotMeasured):  # whoever may read may not be allowed to remove
            await _ask(bucket, _remove, client, bucket.bucket, key)
    return found


async def _ask(bucket: Bucket, call: Any, *args: Any) -> Any:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return await asyncio.to_thread(call, *args)
    except (BotoCoreError, ClientError) as error:
        raise NotMeasured(f"the bucket {bucket.bucket} at {bucket.endpoint} cannot be read: {error}") from None


def _client(bucket: Bucket) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise NotMeasured("reading the bucket needs boto3: pip install 'novita-mock[s3]'") from None
    return boto3.client(
        "s3",
        endpoint_url=bucket.endpoint,
        region_name=bucket.region,
        aws_access_key_id=bucket.access_key,
        aws_secret_access_key=bucket.secret_key,
        config=Config(
            connect_timeout=5, read_timeout=10, retries={"max_attempts": 1}, s3={"addressing_style": "path"}, proxies={}
        ),
    )


def _keys(client: Any, bucket: str, path: str) -> list[str]:
    """All keys below a path."""
    listed = client.list_objects_v2(Bucket=bucket, Prefix=f"{path}/")
    return [str(one["Key"]) for one in listed.get("Contents", [])]


def _read(client: Any, bucket: str, key: str) -> bytes:
    data: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return data


def _remove(client: Any, bucket: str, key: str) -> None:
    client.delete_object(Bucket=bucket, Key=key)
