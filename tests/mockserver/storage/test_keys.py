"""Keys and URLs of pictures in a bucket."""

from __future__ import annotations

import pytest

from mockserver.core.recipe import ImageType
from mockserver.core.storage import MAX_PATH_BYTES, Storage, is_bucket, is_path, is_region
from mockserver.parts.ids import SeededIds
from mockserver.storage.keys import object_key, object_url
from tests.mockserver.storage.tasks import TASK_ID, stored_task

BY_PATH = "s3.us-east-2.amazonaws.com"
CHINA = "my-pictures.s3.cn-north-1.amazonaws.com.cn"
NAME = SeededIds().picture_name(TASK_ID, 0)


@pytest.mark.parametrize(
    ("path", "directly", "key"),
    [
        ("out", True, f"out/{NAME}.png"),
        ("out", False, f"out/{TASK_ID}/{NAME}.png"),
        ("a/b", False, f"a/b/{TASK_ID}/{NAME}.png"),
        ("", True, f"{NAME}.png"),
        ("", False, f"{TASK_ID}/{NAME}.png"),
    ],
)
def test_files_lie_in_the_path_or_in_a_directory_below_it(path: str, directly: bool, key: str) -> None:
    """V3-STORAGE-004 to 006; the directory is named after the task."""
    storage = Storage("us-east-2", "b", path, directly)
    assert object_key(stored_task(storage), storage, 0, SeededIds()) == key


@pytest.mark.parametrize("image_type", ImageType)
def test_a_key_ends_as_its_format_is_called(image_type: ImageType) -> None:
    storage = Storage("us-east-2", "b", "out")
    task = stored_task(storage, image_type=image_type)
    assert object_key(task, storage, 0, SeededIds()).endswith(f".{image_type.value}")


def test_pictures_of_a_task_have_keys_of_their_own() -> None:
    """Straight in the path too, where the tasks share a directory."""
    storage = Storage("us-east-2", "b", "out", directly=True)
    task = stored_task(storage, count=8)
    assert len({object_key(task, storage, index, SeededIds()) for index in range(8)}) == 8


def test_the_longest_path_leaves_room_for_the_rest_of_the_key() -> None:
    """S3 takes keys of 1024 bytes."""
    storage = Storage("us-east-2", "b", "ä" * (MAX_PATH_BYTES // 2))
    assert is_path(storage.path)
    task = stored_task(storage, image_type=ImageType.JPEG)
    assert len(object_key(task, storage, 0, SeededIds()).encode()) <= 1024


@pytest.mark.parametrize(
    ("region", "bucket", "endpoint", "url"),
    [
        ("us-east-2", "my-pictures", None, "https://my-pictures.s3.us-east-2.amazonaws.com/a%20b/%C3%BC.png"),
        ("cn-north-1", "my-pictures", None, f"https://{CHINA}/a%20b/%C3%BC.png"),
        ("us-east-2", "my.pictures", None, f"https://{BY_PATH}/my.pictures/a%20b/%C3%BC.png"),
        ("us-east-2", "Old_Bucket", None, f"https://{BY_PATH}/Old_Bucket/a%20b/%C3%BC.png"),
        ("us-east-2", "my-pictures", "http://localhost:9000", "http://localhost:9000/my-pictures/a%20b/%C3%BC.png"),
        ("us-east-2", "my-pictures", "http://localhost:9000/", "http://localhost:9000/my-pictures/a%20b/%C3%BC.png"),
    ],
)
def test_a_url_names_host_bucket_and_key(region: str, bucket: str, endpoint: str | None, url: str) -> None:
    """By host on AWS where the bucket's name allows it, by path elsewhere; the key is percent-encoded."""
    assert object_url("a b/ü.png", region=region, bucket=bucket, endpoint_url=endpoint) == url


@pytest.mark.parametrize("name", ["my-pictures", "test_bucket", "b", "Old.Bucket_1", "x" * 255])
def test_names_that_buckets_have_are_buckets(name: str) -> None:
    assert is_bucket(name)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "..", ".", "ü", "b\n", "a?x", "a:b", "x" * 256])
def test_other_names_are_no_buckets(name: str) -> None:
    assert not is_bucket(name)


@pytest.mark.parametrize("name", ["us-east-2", "eu-west-1", "US-EAST-2", "local"])
def test_a_label_of_a_host_is_a_region(name: str) -> None:
    assert is_region(name)


@pytest.mark.parametrize(
    "name", ["", "us east", "evil.test/x", "a.b", "-a", "a-", "123", "us-east-2\n", "a@b", "a" * 64]
)
def test_what_would_change_the_host_is_no_region(name: str) -> None:
    assert not is_region(name)


@pytest.mark.parametrize("path", ["./a", "a/.", "x" * (MAX_PATH_BYTES + 1), "a/../b"])
def test_paths_that_links_cannot_hold_are_no_paths(path: str) -> None:
    """Whoever fetches a URL takes steps on the spot out of it first."""
    assert not is_path(path)
