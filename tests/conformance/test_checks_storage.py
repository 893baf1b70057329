"""Checks of custom storage with a real S3 server, and of rate limits: green on the mock, red for their own defect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from conformance.target import Bucket
from conformance.verdict import Verdict
from mockserver.core.clock import ClockMode
from mockserver.money.account import AccountSettings, documented_rate_limits
from mockserver.settings import Settings
from mockserver.storage.s3 import StorageSettings
from openapi.document import load
from tests.conformance.harness import Answered, Asked, Wrapper, defect, judge, not_green, of_verdict
from tests.mockserver.storage.servers import moto

NAME, KEY = "pictures", "testing"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    """A bucket of a real S3 server."""
    import boto3

    with moto() as url:
        client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=KEY
        )
        client.create_bucket(Bucket=NAME)
        yield Bucket(endpoint=url, region="us-east-1", bucket=NAME, access_key=KEY, secret_key=KEY)
        assert client.list_objects_v2(Bucket=NAME)["KeyCount"] == 0, "the checks left files behind"
        client.close()


def stores(bucket: Bucket) -> Settings:
    """A mock that puts pictures into a bucket."""
    storage = StorageSettings(endpoint_url=bucket.endpoint, access_key=KEY, secret_key=KEY)
    return Settings(clock=ClockMode.parse("manual"), storage=storage)


def aws(change: Callable[[dict[str, Any]], object]) -> Wrapper:
    """A mock that gets other storages than were asked for."""

    def changed(asked: Asked) -> Asked:
        body = asked.json
        storage = body.get("extra", {}).get("custom_storage") if isinstance(body, dict) else None
        found = storage.get("aws_s3") if isinstance(storage, dict) else None
        if not isinstance(found, dict):
            return asked
        change(found)
        return asked.saying(body)

    return defect(request=changed)


def no_images(asked: Asked, answered: Answered) -> Answered:
    """Results that name no picture of a bucket."""
    found = answered.json
    if asked.path.endswith("task-result") and NAME in str(found.get("images")):
        return answered.saying({**found, "images": []})
    return answered


def other_reason(asked: Asked, answered: Answered) -> Answered:
    """A refusal that does not say that the path is wrong."""
    return replace(answered, body=answered.body.replace(b"INVALID_CUSTOM_OUTPUT_PATH", b"INVALID_REQUEST_BODY"))


def always_straight(found: dict[str, Any]) -> None:
    if isinstance(found.get("save_to_path_directly", False), bool):
        found["save_to_path_directly"] = True


def never_straight(found: dict[str, Any]) -> None:
    if found.get("save_to_path_directly") is True:
        found["save_to_path_directly"] = False


def elsewhere(found: dict[str, Any]) -> None:
    if isinstance(found.get("path"), str) and ".." not in found["path"]:
        found["path"] = "elsewhere"


def storage_judged(bucket: Bucket | None, **how: Any) -> Any:
    """All rows of storage."""
    settings = stores(bucket) if bucket else None
    return judge(["V3-STORAGE"], settings=settings, sends=True, bucket=bucket, **how)


def test_the_mock_puts_pictures_where_they_belong(bucket: Bucket) -> None:
    found = storage_judged(bucket)
    assert not_green(found) == {}
    assert of_verdict(found, Verdict.PASS) == set(found.outcomes)


@pytest.mark.parametrize(
    ("broken", "transport"),
    [
        ("V3-STORAGE-002", aws(lambda found: found.setdefault("region", "us-east-1"))),
        ("V3-STORAGE-005", aws(never_straight)),
        ("V3-STORAGE-006", aws(always_straight)),
        ("V3-STORAGE-007", defect(answer=no_images)),
        ("V3-STORAGE-008", defect(answer=other_reason)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_defect_turns_its_own_requirement_red(bucket: Bucket, broken: str, transport: Wrapper) -> None:
    found = storage_judged(bucket, transport=transport)
    bad = of_verdict(found, Verdict.FAIL, Verdict.WARN, Verdict.ERROR, Verdict.UNTESTABLE)
    assert bad == {broken}, not_green(found)


def test_a_mock_without_storage_puts_nothing(bucket: Bucket) -> None:
    found = judge(["V3-STORAGE"], sends=True, bucket=bucket)
    assert of_verdict(found, Verdict.FAIL) == {"V3-STORAGE-004"}, not_green(found)
    assert of_verdict(found, Verdict.BLOCKED) == {"V3-STORAGE-005", "V3-STORAGE-006", "V3-STORAGE-007"}


def test_without_a_bucket_nothing_is_ordered_and_the_flags_are_named() -> None:
    found = storage_judged(None)
    untold = of_verdict(found, Verdict.UNTESTABLE)
    assert untold == {f"V3-STORAGE-00{number}" for number in (4, 5, 6, 7)}
    assert all("--s3-bucket" in found.outcomes[name].message for name in untold)


def test_a_bucket_that_cannot_be_read_is_no_fault_of_the_target(bucket: Bucket) -> None:
    found = judge(["V3-STORAGE-004"], sends=True, bucket=replace(bucket, bucket="nobody"))
    assert found.outcomes["V3-STORAGE-004"].verdict is Verdict.UNTESTABLE
    assert "nobody" in found.outcomes["V3-STORAGE-004"].message


LIMITED = Settings(clock=ClockMode.parse("manual"), account=AccountSettings(rate_limits=documented_rate_limits(load())))


def test_limits_are_found() -> None:
    found = judge(["V3-LIMIT"], settings=LIMITED)
    assert of_verdict(found, Verdict.PASS) == set(found.outcomes), not_green(found)
    assert found.spent.images < 60


def test_a_target_without_limits_is_not_measured_unless_it_claims_them() -> None:
    found = judge(["V3-LIMIT"])
    assert of_verdict(found, Verdict.PASS) == {"V3-LIMIT-001"}
    assert of_verdict(found, Verdict.UNTESTABLE) == set(found.outcomes) - {"V3-LIMIT-001"}
    claimed = judge(["V3-LIMIT"], claims={"v3-limits": True})
    assert of_verdict(claimed, Verdict.FAIL) == {"V3-LIMIT-002"}
    assert of_verdict(claimed, Verdict.BLOCKED) == {"V3-LIMIT-003", "V3-LIMIT-004", "V3-LIMIT-005"}


def one_each(asked: Asked) -> Asked:
    """A server that counts calls."""
    body = asked.json
    if isinstance(body, dict) and body.get("request", {}).get("image_num", 1) > 1:
        body["request"]["image_num"] = 1
        return asked.saying(body)
    return asked


def other_status(asked: Asked, answered: Answered) -> Answered:
    return replace(answered, status=403) if answered.status == 429 else answered


def results_too() -> Wrapper:
    refused: list[int] = []

    def answer(asked: Asked, answered: Answered) -> Answered:
        if answered.status == 429:
            refused.append(1)
        if refused and asked.path.endswith("task-result"):
            return replace(answered, status=429)
        return answered

    return defect(answer=answer)


def for_ever() -> Wrapper:
    refused: list[Answered] = []

    def answer(asked: Asked, answered: Answered) -> Answered:
        if asked.path.endswith("txt2img"):
            refused.extend([answered] if answered.status == 429 else [])
            return refused[0] if refused else answered
        return answered

    return defect(answer=answer)


def half() -> Wrapper:
    seen: list[int] = []

    def answer(asked: Asked, answered: Answered) -> Answered:
        if asked.path.endswith("img2img"):
            seen.append(1)
            if len(seen) > 5:
                return answered.saying(
                    {"code": 429, "reason": "RATE_LIMIT_EXCEEDED", "message": "m", "metadata": {}}, 429
                )
        return answered

    return defect(answer=answer)


@pytest.mark.parametrize(
    ("broken", "make"),
    [
        ("V3-LIMIT-001", half),
        ("V3-LIMIT-002", lambda: defect(answer=other_status)),
        ("V3-LIMIT-003", lambda: defect(request=one_each)),
        ("V3-LIMIT-004", results_too),
        ("V3-LIMIT-005", for_ever),
    ],
)
def test_a_defect_of_limits_is_found(broken: str, make: Callable[[], Wrapper]) -> None:
    found = judge(["V3-LIMIT"], settings=LIMITED, transport=make())
    red = of_verdict(found, Verdict.FAIL, Verdict.WARN)
    assert red == {broken}, not_green(found)
    others = of_verdict(found, Verdict.UNTESTABLE, Verdict.ERROR)
    assert others <= ({"V3-LIMIT-003"} if broken == "V3-LIMIT-005" else set()), not_green(found)
