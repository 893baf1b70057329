"""The conformance suite's rows of storage, against the whole server and a real S3 server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from tests.mockserver.storage.servers import moto
from tests.reference.fakes import make_shelf
from tests.reference.servers import running

KEYS = ("a-key-of-the-suite", "another-key-of-the-suite")
S3_KEYS = ("an-id", "a-secret")
LONGEST_S = 120


@pytest.mark.slow
@pytest.mark.parametrize("reading", [(), ("--strict",)], ids=["lenient", "strict"])
def test_the_suite_finds_nothing_broken_about_buckets(
    tmp_path: Path, reading: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", S3_KEYS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", S3_KEYS[1])
    shelf = make_shelf(tmp_path / "models")
    keys = [part for key in KEYS for part in ("--api-key", key)]
    with moto() as s3_url:
        boto3.client("s3", region_name="us-east-1", endpoint_url=s3_url).create_bucket(Bucket="pictures")
        with running(
            shelf.folder, tmp_path / "data", *keys, "--test-clock", "--s3-endpoint", s3_url, *reading
        ) as server:
            command = [sys.executable, "-m", "conformance", "run", server.url, "--clock", "/__test", "--no-repro"]
            command += ["--api-key", KEYS[0], "--second-key", KEYS[1], "--profile", "v3-storage", "--no-fuzz", *reading]
            command += ["--s3-endpoint", s3_url, "--s3-bucket", "pictures"]
            command += ["--s3-access-key", S3_KEYS[0], "--s3-secret-key", S3_KEYS[1]]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
