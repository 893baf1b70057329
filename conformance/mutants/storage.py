"""The caller's own bucket, as far as submits and results tell; what lies in one is in `storage_files`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.bodies import IMG2IMG, RESULT, TXT2IMG
from conformance.mutants.making import ABSENT, V3, answers, asked, both, looks, refuses_when, rewrites, succeeded
from conformance.mutants.values import Answer, Mutant, Request, State, json_answer
from conformance.predicates import type_name


def _storage(body: Any) -> Any:
    extra = body.get("extra") if isinstance(body, dict) else None
    return extra.get("custom_storage") if isinstance(extra, dict) else None


def aws_of(body: Any) -> Any:
    """`aws_s3` of a submit; ABSENT where there is none."""
    found = _storage(body)
    return found.get("aws_s3", ABSENT) if isinstance(found, dict) else ABSENT


def _passed_over(name: str, number: str, text: str, bad: Callable[[Any], bool], ops: Any = V3) -> Mutant:
    """A bucket that should be refused counts as none."""

    def change(body: Any) -> None:
        aws = aws_of(body)
        if aws is not ABSENT and aws is not None and bad(aws):
            del body["extra"]["custom_storage"]

    return rewrites(name, f"V3-STORAGE-{number}", text, ops, change)


def _lacks(field: str) -> Callable[[Any], bool]:
    return lambda aws: isinstance(aws, dict) and field not in aws


def _mistyped(field: str, good: str) -> Callable[[Any], bool]:
    """Whether a field is there with another JSON type; null is another matter."""
    return lambda aws: isinstance(aws, dict) and aws.get(field) is not None and type_name(aws[field]) != good


def _climbs(aws: Any) -> bool:
    return isinstance(aws, dict) and ".." in str(aws.get("path", ""))


def has_bucket(body: Any) -> bool:
    """Whether a submit names a bucket that a correct server takes."""
    found = aws_of(body)
    whole = isinstance(found, dict) and all(found.get(key) for key in ("region", "bucket", "path"))
    return whole and not _climbs(found)


def _empty_storage(state: State, request: Request, answer: Answer) -> bool:
    return bool(asked(state.task_of(request), "extra.custom_storage") == {})


def _reason(reason: str) -> Any:
    return lambda state, request, answer: answer.with_json(answer.json | {"reason": reason})


def _bad_path(state: State, request: Request, answer: Answer) -> bool:
    return answer.status == 400 and _climbs(aws_of(request.json))


MUTANTS = (
    refuses_when("buckets-refused", "V3-STORAGE-001", "A bucket is refused.", TXT2IMG, has_bucket),
    refuses_when(
        "buckets-need-all-fields",
        "V3-STORAGE-001",
        "A bucket without save_to_path_directly is refused for image to image.",
        IMG2IMG,
        lambda body: has_bucket(body) and "save_to_path_directly" not in aws_of(body),
    ),
    _passed_over("bucket-without-region", "002", "A bucket without region is taken.", _lacks("region")),
    _passed_over("bucket-without-name", "002", "A bucket without bucket is taken.", _lacks("bucket")),
    _passed_over(
        "bucket-without-path", "002", "A bucket without path is taken for image to image.", _lacks("path"), IMG2IMG
    ),
    _passed_over("region-of-any-type", "002", "A region of another type is taken.", _mistyped("region", "string")),
    _passed_over("bucket-of-any-type", "002", "A bucket of another type is taken.", _mistyped("bucket", "string")),
    _passed_over("path-of-any-type", "002", "A path of another type is taken.", _mistyped("path", "string")),
    _passed_over(
        "directly-of-any-type",
        "002",
        "A save_to_path_directly of another type is taken.",
        _mistyped("save_to_path_directly", "boolean"),
    ),
    _passed_over(
        "aws-of-any-type", "002", "An aws_s3 of another type is taken.", lambda aws: not isinstance(aws, dict)
    ),
    refuses_when(
        "empty-storage-refused",
        "V3-STORAGE-003",
        "An empty custom_storage is refused.",
        V3,
        looks("extra.custom_storage", lambda value: value == {}),
    ),
    answers(
        "empty-storage-loses-pictures",
        "V3-STORAGE-003",
        "A task with an empty custom_storage has no pictures.",
        RESULT,
        lambda state, request, answer: answer.with_json(answer.json | {"images": []}),
        when=both(succeeded, _empty_storage),
    ),
    _passed_over("paths-climb", "008", "A path with .. is taken.", _climbs),
    answers(
        "bad-paths-are-bad-bodies",
        "V3-STORAGE-008",
        "A path with .. has the reason INVALID_REQUEST_BODY.",
        V3,
        _reason("INVALID_REQUEST_BODY"),
        when=_bad_path,
    ),
    answers(
        "bad-paths-are-faults",
        "V3-STORAGE-008",
        "A path with .. is a fault of the server.",
        V3,
        lambda state, request, answer: json_answer(
            500, {"code": 500, "reason": "CREATE_TASK_FAILED", "message": "no such place", "metadata": {}}
        ),
        when=_bad_path,
    ),
)
