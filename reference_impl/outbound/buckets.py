"""Puts pictures into the caller's own S3 bucket (`extra.custom_storage.aws_s3`), with boto3 when it is first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from reference_impl.tasks import Bucket

UPLOADS = 8
CONNECT_S = 5
READ_S = 30
ATTEMPTS = 3
EXTRA = "pictures cannot be put into a bucket here: this server lacks boto3 (pip install 'novita-mock[s3]')"


class NotStored(Exception):
    """The pictures are not in the bucket; the message is for the user."""


class Buckets(Protocol):
    """Puts files into buckets."""

    async def put(self, bucket: Bucket, task_id: str, files: Sequence[tuple[str, bytes, str]]) -> list[str]:
        """Put them all.

        Args:
            bucket: where.
            task_id: names the directory, unless files go straight into the path.
            files: name, bytes and Content-Type of each.

        Returns:
            The URL of each.

        Raises:
            NotStored: see there.
        """


class S3Buckets:
    """Buckets of S3, with the credentials and the endpoint that boto3 finds in the server's own surroundings.

    Args:
        endpoint: of an S3 that is not Amazon's; None: what boto3 finds.
    """

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint
        # Of its own: a slow bucket must not hold up what else is done beside the event loop.
        self._threads = ThreadPoolExecutor(UPLOADS, "bucket")

    async def put(self, bucket: Bucket, task_id: str, files: Sequence[tuple[str, bytes, str]]) -> list[str]:
        """See the protocol."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._put, bucket, task_id, files)

    def _put(self, bucket: Bucket, task_id: str, files: Sequence[tuple[str, bytes, str]]) -> list[str]:
        try:
            from boto3.session import Session
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise NotStored(EXTRA) from None
        urls = []
        try:
            # A session of its own: threads may not share one while they make clients.
            client: Any = Session().client(
                "s3",
                region_name=bucket.region,
                endpoint_url=self._endpoint,
                config=Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": ATTEMPTS}),
            )
            for name, content, media_type in files:
                key = key_of(bucket, task_id, name)
                # The bucket is another's: without this right its owner could not read what was put into it.
                client.put_object(
                    Bucket=bucket.bucket,
                    Key=key,
                    Body=content,
                    ContentType=media_type,
                    ACL="bucket-owner-full-control",
                )
                urls.append(url_of(client.meta.endpoint_url, bucket, key))
        except (BotoCoreError, ClientError, ValueError) as error:
            raise NotStored(f"the pictures could not be put into the bucket {bucket.bucket}: {error}") from None
        return urls


def key_of(bucket: Bucket, task_id: str, name: str) -> str:
    """The key of a file: the path, a directory of the task's unless it is not wanted, and the name."""
    parts = [part for part in bucket.path.split("/") if part]
    if not bucket.directly:
        parts.append(task_id)
    return "/".join((*parts, name))


def url_of(endpoint: str, bucket: Bucket, key: str) -> str:
    """Where the file is to be found: Amazon's own form where it is Amazon's, the endpoint's otherwise."""
    if endpoint.endswith(".amazonaws.com"):
        return f"https://{bucket.bucket}.s3.{bucket.region}.amazonaws.com/{key}"
    return f"{endpoint}/{bucket.bucket}/{key}"
