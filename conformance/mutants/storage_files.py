"""Where pictures lie in the caller's own bucket, and what the result says of them; the judge has to read the bucket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.bodies import IMG2IMG, RESULT
from conformance.mutants.making import ABSENT, V3, found_at, puts, rewrites
from conformance.mutants.storage import aws_of, has_bucket
from conformance.mutants.values import Answer, Mutant, Request, State

HOW = "save_to_path_directly"


def _takes(body: Any) -> bool:
    """Whether a correct server takes the bucket of a submit: what should be refused stays as it is."""
    if not has_bucket(body):
        return False
    aws = aws_of(body)
    texts = all(isinstance(aws[key], str) for key in ("region", "bucket", "path"))
    return texts and isinstance(aws.get(HOW), bool | None)


def _elsewhere(name: str, number: str, text: str, change: Callable[[dict[str, Any]], object], ops: Any = V3) -> Mutant:
    """Puts pictures as if the bucket of a submit was described in another way."""

    def rewritten(body: Any) -> None:
        if _takes(body):
            change(aws_of(body))

    return rewrites(name, f"V3-STORAGE-{number}", text, ops, rewritten, needs_bucket=True)


def _ignored(name: str, text: str, ops: Any = V3) -> Mutant:
    """Pictures stay with the server."""

    def rewritten(body: Any) -> None:
        if _takes(body):
            del body["extra"]["custom_storage"]

    return rewrites(name, "V3-STORAGE-004", text, ops, rewritten, needs_bucket=True)


def _one_picture(body: Any) -> None:
    if _takes(body) and found_at(body, "request.image_num", 1) != 1:
        body["request"]["image_num"] = 1


def _path(change: Callable[[str], str]) -> Callable[[dict[str, Any]], object]:
    return lambda aws: aws.update(path=change(aws["path"]))


def _straight(*when: object) -> Callable[[dict[str, Any]], object]:
    """Straight in the path, where something else is asked for."""
    return lambda aws: aws.update({HOW: True}) if aws.get(HOW, ABSENT) in when else None


def _never_straight(aws: dict[str, Any]) -> None:
    if aws.get(HOW) is True:
        aws[HOW] = False


def _below(aws: dict[str, Any]) -> None:
    if aws.get(HOW) is True:
        aws["path"] += "/images"


def _told(name: str, text: str, path: str, value: Any) -> Mutant:
    """Results of tasks with a bucket say something else of pictures."""

    def stored(state: State, request: Request, answer: Answer) -> bool:
        task = state.task_of(request)
        return task is not None and _takes(task.sent.json)

    return puts(name, "V3-STORAGE-007", text, RESULT, path, value, when=stored, needs_bucket=True)


def _unnamed(url: Any) -> Any:
    """A link in which the file has no name of its own."""
    return f"{url.rpartition('/')[0]}/picture" if isinstance(url, str) else url


MUTANTS = (
    _ignored("buckets-stay-empty", "No picture is put into the bucket."),
    _ignored("buckets-of-img2img-stay-empty", "No picture of image to image is put into the bucket.", IMG2IMG),
    rewrites(
        "buckets-get-one-picture",
        "V3-STORAGE-004",
        "Of several pictures one is put into the bucket.",
        V3,
        _one_picture,
        needs_bucket=True,
    ),
    _elsewhere("bucket-has-no-path", "004", "Files are put below another path.", _path(lambda path: "pictures")),
    _elsewhere(
        "bucket-path-ends-early",
        "004",
        "Of a path of several directories the first one counts.",
        _path(lambda path: path.strip("/").partition("/")[0]),
    ),
    _elsewhere("bucket-path-in-a-path", "004", "A path gets one in front of it.", _path(lambda path: f"prod/{path}")),
    _elsewhere(
        "bucket-is-another",
        "004",
        "Pictures are put into a bucket of another name.",
        lambda aws: aws.update(bucket=f"{aws['bucket']}-2"),
    ),
    _elsewhere("files-never-straight", "005", "Files lie in a directory, whatever is asked for.", _never_straight),
    _elsewhere(
        "files-of-img2img-never-straight",
        "005",
        "Files of image to image lie in a directory, whatever is asked for.",
        _never_straight,
        IMG2IMG,
    ),
    _elsewhere("files-straight-in-images", "005", "Files lie straight in a directory of the path.", _below),
    _elsewhere("files-always-straight", "006", "Files lie straight in the path anyway.", _straight(ABSENT, False)),
    _elsewhere("files-straight-unless-told", "006", "Files lie straight in the path by default.", _straight(ABSENT)),
    _elsewhere("files-straight-if-told", "006", "A false save_to_path_directly counts as true.", _straight(False)),
    _elsewhere(
        "files-of-img2img-always-straight",
        "006",
        "Files of image to image lie straight in the path anyway.",
        _straight(ABSENT, False),
        IMG2IMG,
    ),
    _told("buckets-leave-results-empty", "A result names no picture that is in a bucket.", "images", []),
    _told(
        "buckets-leave-one-picture-named",
        "A result names one picture of those in a bucket.",
        "images",
        lambda images: images[:1] if isinstance(images, list) else images,
    ),
    _told("bucket-files-unnamed", "A result has no names of files in a bucket.", "images[].image_url", _unnamed),
)
