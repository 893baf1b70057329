"""A bucket in memory does what S3 does, and mutants that show in a bucket alone are killed there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from conformance.mutants import bucket as buckets
from conformance.mutants.catalogue import load_mutants
from conformance.mutants.judging import Bench, outcomes, quick_ids, ruling
from conformance.mutants.matrix import bench, main
from conformance.mutants.upstreams import DEFAULT, S3, STORING, storing
from conformance.mutants.values import FAITHFUL
from conformance.target import Bucket
from conformance.verdict import Verdict
from tests.conformance.loops import in_a_loop

CATALOGUE = load_mutants()
ROWS = {f"V3-STORAGE-00{number}" for number in range(1, 9)}
IN_BUCKETS = [mutant for mutant in CATALOGUE.values() if mutant.needs_bucket]
SOME = ("bucket-is-another", "files-straight-in-images", "files-straight-if-told", "bucket-files-unnamed")


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with buckets.served() as found:
        yield found


@pytest.fixture(scope="module")
def client(bucket: Bucket) -> Iterator[Any]:
    client = boto3.client(
        "s3",
        endpoint_url=bucket.endpoint,
        region_name=bucket.region,
        aws_access_key_id=bucket.access_key,
        aws_secret_access_key=bucket.secret_key,
    )
    yield client
    client.close()


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[str, Bench]]:
    """A server that puts pictures into a bucket, and a bench that knows the bucket."""
    with ExitStack() as stack:
        url, bucket = stack.enter_context(storing(STORING))
        yield url, replace(bench("/__mock"), bucket=bucket)


def keys(client: Any, prefix: str) -> list[str]:
    listed = client.list_objects_v2(Bucket=buckets.NAME, Prefix=prefix)
    return [one["Key"] for one in listed.get("Contents", [])]


def test_what_is_put_is_listed_read_and_removed(client: Any) -> None:
    for key in ("a/1 & 2.png", "a/b/3.png", "c.png"):
        client.put_object(Bucket=buckets.NAME, Key=key, Body=key.encode(), ContentType="image/png")
    assert keys(client, "a/") == ["a/1 & 2.png", "a/b/3.png"]
    found = client.get_object(Bucket=buckets.NAME, Key="a/1 & 2.png")
    assert (found["Body"].read(), found["ContentType"]) == (b"a/1 & 2.png", "image/png")
    assert client.head_object(Bucket=buckets.NAME, Key="c.png")["ContentLength"] == len("c.png")
    client.head_bucket(Bucket=buckets.NAME)
    for key in keys(client, ""):
        client.delete_object(Bucket=buckets.NAME, Key=key)
    assert keys(client, "") == []
    client.delete_object(Bucket=buckets.NAME, Key="c.png")


def test_what_is_not_there_has_the_words_of_s3(client: Any) -> None:
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket=buckets.NAME, Key="none")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client.put_object(Bucket="another", Key="a", Body=b"a")


def test_a_file_in_signed_pieces_is_refused_and_not_kept_as_it_came(bucket: Bucket, client: Any) -> None:
    url = f"{bucket.endpoint}/{bucket.bucket}/pieces"
    signed = {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}
    assert httpx.put(url, content=b"3;chunk-signature=0\r\nabc\r\n", headers=signed).status_code == 501
    assert httpx.put(f"{bucket.endpoint}/{bucket.bucket}").status_code == 501
    assert keys(client, "pieces") == []


def test_a_port_that_is_taken_is_told(bucket: Bucket) -> None:
    port = bucket.endpoint.rpartition(":")[2]
    result = CliRunner().invoke(buckets.main, ["--port", port])
    assert result.exit_code == 1
    assert "--port" in result.output


@in_a_loop
async def test_without_a_defect_all_rows_of_storage_are_green(behind: tuple[str, Bench]) -> None:
    url, held = behind
    found = await outcomes(held, replace(FAITHFUL, needs_bucket=True), url, ROWS)
    assert {name: one.verdict for name, one in found.items()} == dict.fromkeys(ROWS, Verdict.PASS)


@pytest.mark.parametrize("name", SOME)
@in_a_loop
async def test_a_mutant_is_killed_in_its_bucket_and_nothing_else_is_red(name: str, behind: tuple[str, Bench]) -> None:
    url, held = behind
    mutant = CATALOGUE[name]
    found = await ruling(held, mutant, url, {}, ROWS & quick_ids(held, mutant))
    assert found.killed, found
    assert found.alone, found


def test_each_sentence_about_files_in_a_bucket_has_several_mutants() -> None:
    broken = [mutant.breaks for mutant in IN_BUCKETS]
    assert all(broken.count(f"V3-STORAGE-00{number}") >= 3 for number in (4, 5, 6, 7))
    assert {CATALOGUE[name].breaks for name in SOME} == set(broken)


@in_a_loop
async def test_without_a_bucket_such_a_mutant_is_not_decided(behind: tuple[str, Bench]) -> None:
    url, held = behind
    found = await ruling(replace(held, bucket=None), CATALOGUE[SOME[0]], url, {}, {"V3-STORAGE-004"})
    assert (found.killed, found.verdict) == (False, "UNTESTABLE")


def test_the_matrix_says_what_a_command_without_a_bucket_leaves_out() -> None:
    result = CliRunner().invoke(main, ["--only", "V3-STORAGE-005", "--upstream", DEFAULT])
    assert result.exit_code == 2
    assert S3 in result.output
