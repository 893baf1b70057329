"""The caller's own bucket: what is accepted, and where the pictures lie afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from conformance import buckets
from conformance.bodies import IMG2IMG, TXT2IMG, Body, without
from conformance.buckets import File
from conformance.client import Says
from conformance.errors import Broken
from conformance.expect import equals
from conformance.registry import Area
from conformance.target import Bucket
from conformance.tasks import Task, decoded
from conformance.trial import Trial
from conformance.wire import MISSING

area = Area()

BOTH = (TXT2IMG, IMG2IMG)
AWS_S3 = ("extra", "custom_storage", "aws_s3")
SAMPLE = {"region": "us-east-2", "bucket": "novita-conformance", "path": "pictures"}
PLACE_REFUSED = "INVALID_REQUEST_BODY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A task whose pictures belong into the bucket.

    Attributes:
        path: where; nobody else uses it.
        files: what lay below it when the task had ended.
    """

    task: Task
    path: str
    files: tuple[File, ...]


@area.check("V3-STORAGE-001")
async def a_bucket_with_region_and_path_is_accepted(t: Trial) -> None:
    for operation_id in BOTH:
        body = await _body(t, operation_id, {"aws_s3": _aws(t.target.bucket)})
        try:
            await t.accepted(operation_id, body)
        except Broken as broken:
            if broken.requirement != t.requirement.id:
                raise
            [number] = broken.exchanges[-1:] or (0,)
            answer = t.session.client.log.exchanges.get(number)
            if t.target.bucket is None and answer and answer.at("reason") not in (MISSING, PLACE_REFUSED):
                t.not_measured(f"a made-up bucket is refused with {answer.brief()}; --s3-bucket names a real one")
            raise


@area.check("V3-STORAGE-002")
async def a_malformed_bucket_is_refused(t: Trial) -> None:
    trials = []
    for operation_id in BOTH:
        for storage, where in _malformed():
            body = await t.session.free(operation_id, await _body(t, operation_id, storage))
            trials.append(t.refused(operation_id, body, at=where, purpose=f"a storage wrong in {where[-1]}"))
    await t.all(trials)


def _malformed() -> Iterator[tuple[Body, tuple[str, ...]]]:
    whole: Body = {"aws_s3": SAMPLE}
    for key in SAMPLE:
        yield without(whole, ("aws_s3", key)), (*AWS_S3, key)
        wrong: tuple[object, ...] = (5, True, [], {})
        for value in wrong:
            yield {"aws_s3": {**SAMPLE, key: value}}, (*AWS_S3, key)
    wrong = ("true", 1, 0, [], {})
    for value in wrong:
        yield {"aws_s3": {**SAMPLE, "save_to_path_directly": value}}, (*AWS_S3, "save_to_path_directly")
    wrong = ("s3://pictures", 5, True, [])
    for value in wrong:
        yield {"aws_s3": value}, AWS_S3


@area.check("V3-STORAGE-003")
async def an_empty_storage_changes_nothing(t: Trial) -> None:
    usual = await t.pictures(TXT2IMG, await t.txt2img())
    try:
        own = await t.pictures(TXT2IMG, await t.txt2img({"custom_storage": {}}), blame=t.requirement.id)
    except Broken as broken:
        if broken.requirement == t.requirement.id:
            raise
        # Without custom_storage all was well, so it makes the difference.
        expected = f"{broken.expected}, as without custom_storage"
        raise Broken(t.requirement.id, expected, broken.actual, broken.exchanges) from None
    for operation_id in BOTH[1:]:
        await t.accepted(operation_id, await _body(t, operation_id, {}))
    hosts = [_host(picture.download.url) for picture in (*usual, *own)]
    if _site(hosts[-1]) != _site(hosts[0]):
        t.fail(f"pictures at {hosts[0]}, as without custom_storage", f"at {hosts[-1]}", own[0].download)


@area.check("V3-STORAGE-004")
async def pictures_are_put_into_the_bucket(t: Trial) -> None:
    for stored in await _all_of(t, _directly(t), _in_a_directory(t)):
        asked = int(stored.task.body["request"]["image_num"])
        drawn = [file for file in stored.files if _is_a_picture(file)]
        if len(drawn) != asked:
            seen = ", ".join(file.key for file in stored.files) or "nothing"
            t.fail(f"{asked} pictures below {stored.path} in the bucket", seen, stored.task)


@area.check("V3-STORAGE-005")
async def files_lie_straight_in_the_path(t: Trial) -> None:
    for stored in await _directly(t):
        for key in _keys(stored):
            if "/" in key:
                t.fail(f"files straight in {stored.path}", f"{stored.path}/{key}", stored.task)


@area.check("V3-STORAGE-006")
async def files_lie_in_a_directory_below_the_path(t: Trial) -> None:
    for stored in await _all_of(t, _in_a_directory(t), _not_directly(t)):
        for key in _keys(stored):
            if "/" not in key.strip("/"):
                t.fail(f"files in a directory below {stored.path}", f"{stored.path}/{key}", stored.task)


@area.check("V3-STORAGE-007")
async def the_result_names_each_picture(t: Trial) -> None:
    for stored in await _all_of(t, _directly(t), _in_a_directory(t)):
        images = stored.task.result.at("images")
        entries = images if isinstance(images, list) else []
        named = [unquote(str(entry.get("image_url"))) for entry in entries if isinstance(entry, dict)]
        for key in _keys(stored):
            if not any(key.rpartition("/")[2] in url for url in named):
                t.fail(f"an entry of images that names {stored.path}/{key}", stored.task.result.brief(), stored.task)


@area.check("V3-STORAGE-008")
async def a_path_that_leads_out_is_refused(t: Trial) -> None:
    where = (*AWS_S3, "path")
    for operation_id in BOTH:
        for path in ("../pictures", "pictures/../../other", ".."):
            aws = {**_aws(t.target.bucket), "path": path}
            body = await t.session.free(operation_id, await _body(t, operation_id, {"aws_s3": aws}))
            answer = await t.refused(operation_id, body, at=where, says=Says.MEANING)
            t.expect(answer, equals("reason", "INVALID_CUSTOM_OUTPUT_PATH"))


# Tasks that the checks share ------------------------------------------------------------------------------------------


async def _directly(t: Trial) -> list[Stored]:
    return await _by_each(t, "directly", image_num=2, save_to_path_directly=True)


async def _in_a_directory(t: Trial) -> list[Stored]:
    return await _by_each(t, "in a directory", image_num=1)


async def _not_directly(t: Trial) -> list[Stored]:
    return await _by_each(t, "not directly", image_num=1, save_to_path_directly=False)


async def _all_of(t: Trial, *kinds: Awaitable[list[Stored]]) -> list[Stored]:
    return [stored for found in await t.all(kinds) for stored in found]


async def _by_each(t: Trial, name: str, *, image_num: int, **how: bool) -> list[Stored]:
    """A task of each submit that the target has."""
    bucket = t.target.bucket
    if bucket is None:
        t.not_measured("needs a bucket that the target writes to and the suite reads (--s3-endpoint, --s3-bucket)")

    async def stored(operation_id: str) -> Stored:
        path = buckets.new_path()
        await buckets.files_below(bucket, path, 0)  # whether it can be read, before anything is ordered
        body = await _body(t, operation_id, {"aws_s3": {**_aws(bucket), "path": path, **how}})
        body["request"]["image_num"] = image_num
        task = await t.submitted(operation_id, body, blame="V3-STORAGE-001")
        try:
            await t.session.finish(task)
        except Broken as broken:
            raise Broken("V3-STORAGE-004", "a task that puts its pictures", broken.actual, task.numbers) from None
        return Stored(task=task, path=path, files=await buckets.files_below(bucket, path, image_num))

    async def once(operation_id: str) -> Stored:
        return await t.once(f"storage: {name}, {operation_id}", lambda: stored(operation_id))

    return await t.all(once(operation_id) for operation_id, _ in await t.submits())


def _aws(bucket: Bucket | None) -> Body:
    return {**SAMPLE, **({"region": bucket.region, "bucket": bucket.bucket} if bucket else {})}


async def _body(t: Trial, operation_id: str, storage: object) -> Body:
    return await (t.txt2img if operation_id == TXT2IMG else t.img2img)({"custom_storage": storage})


def _keys(stored: Stored) -> list[str]:
    """Keys of the pictures, from the path on.

    Raises:
        Broken: there are none.
    """
    found = [file.key.partition(f"{stored.path}/")[2] for file in stored.files if _is_a_picture(file)]
    if not found:
        expected = f"pictures below {stored.path} in the bucket"
        raise Broken("V3-STORAGE-004", expected, "none", stored.task.numbers)
    return found


def _is_a_picture(file: File) -> bool:
    try:
        decoded(file.data)
    except (OSError, ValueError, SyntaxError):
        return False
    return True


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _site(host: str) -> str:
    """Hosts of one service share it: the last two labels of a name, a whole address."""
    return host if host.replace(".", "").isdigit() else ".".join(host.rsplit(".", 2)[-2:])
