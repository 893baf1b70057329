"""V3-STORAGE: pictures in the caller's own bucket, on a real S3 server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from reference_impl.outbound.buckets import NotStored, S3Buckets, key_of, url_of
from reference_impl.tasks import Bucket
from tests.mockserver.storage.servers import moto

REGION = "us-east-2"
TASK = "8ec473ba-977d-4d72-9634-df6262bcccc4"
FILES = [("a.png", b"first", "image/png"), ("b.png", b"second", "image/png")]


def bucket(path: str = "/out/pictures/", *, directly: bool = False, name: str = "pictures") -> Bucket:
    """A bucket of the server below."""
    return Bucket(region=REGION, bucket=name, path=path, directly=directly)


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    """The address of an S3 server with a bucket."""
    with moto() as url:
        _client(url).create_bucket(Bucket="pictures", CreateBucketConfiguration={"LocationConstraint": REGION})
        yield url


@pytest.fixture
def client(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Somebody who looks into the bucket; the server finds its credentials as boto3 does."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    return _client(s3_url)


def _client(url: str) -> Any:
    keys = {"aws_access_key_id": "an-id", "aws_secret_access_key": "a-secret"}
    return boto3.client("s3", region_name=REGION, endpoint_url=url, **keys)


def test_pictures_are_put_where_the_request_says(client: Any, s3_url: str) -> None:
    urls = asyncio.run(S3Buckets(s3_url).put(bucket(), TASK, FILES))
    assert urls == [f"{s3_url}/pictures/out/pictures/{TASK}/{name}" for name, _, _ in FILES]
    for name, content, media_type in FILES:
        found = client.get_object(Bucket="pictures", Key=f"out/pictures/{TASK}/{name}")
        assert (found["Body"].read(), found["ContentType"]) == (content, media_type)


def test_a_bucket_that_is_not_there_is_a_reason(client: Any, s3_url: str) -> None:
    with pytest.raises(NotStored, match="bucket no-such-bucket"):
        asyncio.run(S3Buckets(s3_url).put(bucket(name="no-such-bucket"), TASK, FILES))


@pytest.mark.parametrize("wrong", [bucket(name="no bucket at all"), Bucket(region="a/b", bucket="pictures", path="/")])
def test_a_name_that_no_bucket_or_region_has_is_a_reason(client: Any, wrong: Bucket) -> None:
    with pytest.raises(NotStored):
        asyncio.run(S3Buckets().put(wrong, TASK, FILES))


def test_a_server_without_boto3_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    with pytest.raises(NotStored, match=r"novita-mock\[s3\]"):
        asyncio.run(S3Buckets().put(bucket(), TASK, FILES))


@pytest.mark.parametrize(
    ("path", "directly", "key"),
    [
        ("/", True, "a.png"),
        ("/", False, f"{TASK}/a.png"),
        ("", True, "a.png"),
        ("out", True, "out/a.png"),
        ("/out//more/", False, f"out/more/{TASK}/a.png"),
    ],
)
def test_a_key_is_path_directory_and_name(path: str, key: str, *, directly: bool) -> None:
    assert key_of(bucket(path, directly=directly), TASK, "a.png") == key


def test_a_picture_on_amazon_has_the_address_that_amazon_gives_it() -> None:
    url = url_of("https://s3.us-east-2.amazonaws.com", bucket(), "out/a.png")
    assert url == "https://pictures.s3.us-east-2.amazonaws.com/out/a.png"
