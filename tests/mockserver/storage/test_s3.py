"""Pictures put into buckets of a real S3 server, and of servers that answer badly."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import httpx
import pytest

from mockserver.core.recipe import ImageType
from mockserver.core.storage import Storage, StorageFault
from mockserver.outbound.guard import SystemResolver, Targets
from mockserver.parts.ids import SeededIds
from mockserver.storage import s3
from mockserver.storage.deliver import Stored, deliver
from mockserver.storage.keys import object_key
from mockserver.storage.s3 import Acl, S3Uploader, StorageSettings, s3_available
from mockserver.storage.uploader import Put, UploadFailed
from tests.mockserver.storage.servers import Handler, raw
from tests.mockserver.storage.tasks import draw, stored_task

REGION = "us-east-2"
ELSEWHERE = "192.0.2.7"
"""An address for documentation, nobody's."""
KEYS = {"access_key": "AKIACANARYCANARY0001", "secret_key": "canary-secret-0123456789"}
ON_AWS = f"pictures.s3.{REGION}.amazonaws.com"
PUT = Put(region=REGION, bucket="pictures", key="out/a b/ü.png", data=b"\x89PNG" * 1000, content_type="image/png")


async def anywhere(_: str) -> None:
    """Everything may be called."""


def settings(url: str | None, **more: Any) -> StorageSettings:
    return StorageSettings(**{"endpoint_url": url, "timeout_s": 20.0, **KEYS, **more})


def put_one(options: StorageSettings, put: Put = PUT, check: s3.Check = anywhere) -> str:
    async def run() -> str:
        async with S3Uploader(options, check) as uploader:
            return await uploader.put(put)

    return asyncio.run(run())


def failed(options: StorageSettings, put: Put = PUT, check: s3.Check = anywhere) -> UploadFailed:
    """The failure of a put that must fail; it gives away nothing of the credentials."""
    with pytest.raises(UploadFailed) as caught:
        put_one(options, put, check)
    found = caught.value
    assert repr(put.bucket) in found.message
    assert repr(put.key) in found.message
    assert not any(secret in f"{found.message} {found!r}" for secret in KEYS.values())
    assert found.__cause__ is None  # a traceback would show what the other side said
    assert found.__suppress_context__
    return found


def client_of(service: str, url: str, **keys: str) -> Any:
    names = {"aws_access_key_id": KEYS["access_key"], "aws_secret_access_key": KEYS["secret_key"], **keys}
    return boto3.client(service, endpoint_url=url, region_name=REGION, **names)


@pytest.fixture(scope="module")
def reader(s3_url: str) -> Iterator[Any]:
    """The owner of a bucket named `pictures`."""
    client = client_of("s3", s3_url)
    client.create_bucket(Bucket="pictures", CreateBucketConfiguration={"LocationConstraint": REGION})
    yield client
    client.close()


# Put and read back


@pytest.mark.parametrize(("directly", "depth"), [(True, 2), (False, 3)])
@pytest.mark.parametrize("image_type", ImageType)
def test_pictures_are_read_back_as_they_were_put(
    s3_url: str, reader: Any, directly: bool, depth: int, image_type: ImageType
) -> None:
    """V3-STORAGE-004 to 006: bytes and content type, straight in the path or in a directory below it."""
    storage = Storage(REGION, "pictures", f"{image_type}-{depth}", directly)
    task = stored_task(storage, count=3, image_type=image_type)

    async def run() -> Stored | UploadFailed:
        async with S3Uploader(settings(s3_url), anywhere) as uploader:
            return await deliver(task, draw, ids=SeededIds(), uploader=uploader)

    stored = asyncio.run(run())

    assert isinstance(stored, Stored)
    listed = reader.list_objects_v2(Bucket="pictures", Prefix=f"{storage.path}/")["Contents"]
    assert sorted(found["Key"] for found in listed) == sorted(stored.keys)
    for index, (key, url) in enumerate(zip(stored.keys, stored.urls, strict=True)):
        assert key.count("/") == depth - 1
        assert url == f"{s3_url}/pictures/{key}"
        found = reader.get_object(Bucket="pictures", Key=key)
        assert (found["Body"].read(), found["ContentType"]) == (draw(index), image_type.media_type)


def test_a_plain_url_is_good_where_anybody_may_read(s3_url: str, reader: Any) -> None:
    """Here because the file was put with an ACL that says so; without one the bucket decides, and this one says no."""
    assert httpx.get(put_one(settings(s3_url))).status_code == 403
    answer = httpx.get(put_one(settings(s3_url, acl=Acl.PUBLIC_READ)))
    assert (answer.status_code, answer.content) == (200, PUT.data)


def test_a_signed_url_opens_a_private_bucket(s3_url: str, reader: Any) -> None:
    """It holds the access key's name, as every signed link does, and never the secret."""
    url = put_one(settings(s3_url, presign_s=900))
    assert "X-Amz-Expires=900" in url
    assert KEYS["secret_key"] not in url
    assert httpx.get(url).content == PUT.data


# What goes wrong


def test_a_missing_bucket_is_told(s3_url: str) -> None:
    found = failed(settings(s3_url), Put(region=REGION, bucket="nobody", key="k", data=b"x", content_type="image/png"))
    assert (found.kind, found.detail) == (StorageFault.NO_BUCKET, "NoSuchBucket")


def test_a_user_without_rights_is_denied(reader: Any, s3_url: str) -> None:
    """The server asks for rights from the next call on: the user has a key and no policy."""
    iam = client_of("iam", s3_url)
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    iam.close()
    httpx.post(f"{s3_url}/moto-api/reset-auth", content=b"0").raise_for_status()
    try:
        found = failed(settings(s3_url, access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"]))
        assert key["AccessKeyId"] not in found.message
        assert found.kind is StorageFault.DENIED
        assert failed(settings(s3_url)).kind is StorageFault.CREDENTIALS  # a key that the server never gave out
    finally:
        httpx.post(f"{s3_url}/moto-api/reset-auth", content=b"inf").raise_for_status()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", StorageFault.DENIED),
        (403, "", StorageFault.DENIED),
        (404, "NoSuchBucket", StorageFault.NO_BUCKET),
        (403, "InvalidAccessKeyId", StorageFault.CREDENTIALS),
        (403, "SignatureDoesNotMatch", StorageFault.CREDENTIALS),
        (400, "AuthorizationHeaderMalformed", StorageFault.WRONG_REGION),
        (400, "IncompleteBody", StorageFault.PARTIAL),
        (400, "RequestTimeout", StorageFault.TIMEOUT),
        (400, "SomethingNew", StorageFault.OTHER),
        (503, "SlowDown", StorageFault.OTHER),
        (500, "InternalError", StorageFault.OTHER),
    ],
)
def test_each_answer_of_s3_has_its_kind_and_is_asked_for_once(status: int, code: str, kind: StorageFault) -> None:
    """No retries: a fault that is to be seen is seen."""
    with raw(lambda call: call.send_xml(status, code)) as server:
        found = failed(settings(server.url))
    assert found.kind is kind
    assert code in found.message
    assert "said the server" not in found.message
    assert [method for method, _ in server.calls] == ["PUT"]


def test_a_code_that_is_none_is_not_repeated() -> None:
    with raw(lambda call: call.send_xml(400, "canary &amp; bait")) as server:
        found = failed(settings(server.url))
    assert (found.kind, found.detail) == (StorageFault.OTHER, "status 400")


@pytest.mark.parametrize(
    ("status", "code"), [(301, "PermanentRedirect"), (307, "TemporaryRedirect"), (302, ""), (400, "IllegalLocation")]
)
def test_a_redirect_is_told_and_not_followed(status: int, code: str) -> None:
    """Neither to the host of the answer nor to the region that it names: the request named another one."""
    code = "IllegalLocationConstraintException" if code == "IllegalLocation" else code
    with raw(lambda call: call.send_xml(200, "")) as other:

        def elsewhere(call: Handler) -> None:
            headers = {"location": f"{other.url}/pictures/x", "x-amz-bucket-region": "eu-west-1"}
            call.send_xml(status, code, headers=headers, more=f"<Endpoint>{other.url}</Endpoint>")

        with raw(elsewhere) as server:
            found = failed(settings(server.url))
            assert [method for method, _ in server.calls] == ["PUT"]
        assert other.calls == []
    assert found.kind is StorageFault.WRONG_REGION


def test_on_aws_no_other_region_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer of a wrong region names the right one; the file is not sent there."""
    import botocore.awsrequest
    import botocore.httpsession

    sent: list[str] = []

    def answered(_: object, request: Any) -> Any:
        sent.append(request.url)
        answer = botocore.awsrequest.AWSResponse(request.url, 301, {"x-amz-bucket-region": "eu-west-1"}, None)
        answer._content = b"<Error><Code>PermanentRedirect</Code></Error>"
        return answer

    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", answered)
    judged: list[str] = []

    async def check(url: str) -> None:
        judged.append(url)

    assert failed(settings(None), check=check).kind is StorageFault.WRONG_REGION
    assert sent == [f"https://{ON_AWS}/out/a%20b/%C3%BC.png"]
    assert judged == [f"https://{ON_AWS}/"]


@pytest.mark.parametrize(
    ("endpoint", "region", "bucket"),
    [
        (None, "us-east-1", "pictures"),
        (None, "us-east-2", "my.pictures"),
        (None, "cn-north-1", "Old_Bucket"),
        ("http://storage.test:9000", "us-east-1", "pictures"),
        ("https://storage.test/", "us-east-2", "my.pictures"),
    ],
)
def test_the_url_is_the_one_that_was_written_to(
    endpoint: str | None, region: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By host or by path, whatever endpoint the environment names."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://localhost:1")
    import botocore.awsrequest
    import botocore.httpsession

    sent: list[str] = []

    def answered(_: object, request: Any) -> Any:
        sent.append(request.url)
        answer = botocore.awsrequest.AWSResponse(request.url, 200, {}, None)
        answer._content = b""
        return answer

    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", answered)
    put = Put(region=region, bucket=bucket, key="out/a.png", data=b"x", content_type="image/png")
    assert [put_one(settings(endpoint), put)] == sent


def test_a_slow_storage_runs_into_the_time_out() -> None:
    """It takes the file and says nothing."""

    def silent(call: Handler) -> None:
        call.server.over.wait(60)  # type: ignore[attr-defined]  # a RawServer
        call.close_connection = True

    began_s = time.monotonic()
    with raw(silent) as server:
        found = failed(settings(server.url, timeout_s=0.2))
    assert (found.kind, found.detail) == (StorageFault.TIMEOUT, "0.2 s")
    assert time.monotonic() - began_s < 40, "the thread went on waiting for the answer"


def test_a_dribbling_storage_runs_into_the_time_out() -> None:
    """Each wait is short; the whole is not."""

    def slowly(call: Handler) -> None:
        call.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(12):
            call.wfile.write(b"x-more: 1\r\n")
            call.server.over.wait(0.1)  # type: ignore[attr-defined]  # a RawServer
        call.wfile.write(b"content-length: 0\r\n\r\n")
        call.close_connection = True

    with raw(slowly) as server:
        found = failed(settings(server.url, timeout_s=0.5))
    assert found.kind is StorageFault.TIMEOUT


def test_a_connection_cut_half_way_through_the_file_is_partial() -> None:
    """Whether the file is there nobody knows, and the message says so."""

    def cut(call: Handler) -> None:
        call.rfile.read(1000)
        call.connection.shutdown(socket.SHUT_RDWR)
        call.close_connection = True

    with raw(cut) as server:
        found = failed(settings(server.url))
    assert (found.kind, found.detail) == (StorageFault.PARTIAL, "whether the file is there is not known")


def test_nobody_at_the_address_is_a_connection_failure() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found = failed(settings(f"http://127.0.0.1:{free.getsockname()[1]}"))
    assert found.kind is StorageFault.CONNECTION


def test_half_way_what_was_put_can_be_read_and_is_named(s3_url: str, reader: Any) -> None:
    """The second file is denied by a server in front; the first lies in the bucket."""
    storage = Storage(REGION, "pictures", "half")
    task = stored_task(storage, count=3)
    first, second, _ = (object_key(task, storage, index, SeededIds()) for index in range(3))

    def second_denied(call: Handler) -> None:
        if len(server.calls) == 2:
            call.send_xml(403, "AccessDenied")
            return
        data = call.rfile.read(int(call.headers["content-length"]))
        reader.put_object(Bucket="pictures", Key=call.path.removeprefix("/pictures/"), Body=data)
        call.send_response(200)
        call.send_header("content-length", "0")
        call.end_headers()

    async def run() -> Stored | UploadFailed:
        async with S3Uploader(settings(server.url), anywhere) as uploader:
            return await deliver(task, draw, ids=SeededIds(), uploader=uploader)

    with raw(second_denied) as server:
        found = asyncio.run(run())

    assert isinstance(found, UploadFailed)
    assert (found.kind, found.key, found.uploaded) == (StorageFault.DENIED, second, (first,))
    assert repr(first) in found.message
    listed = reader.list_objects_v2(Bucket="pictures", Prefix="half/")["Contents"]
    assert [one["Key"] for one in listed] == [first]


# Who is called


def test_a_host_that_is_not_allowed_is_not_called() -> None:
    """The guard of everything that is sent; its advice is repeated."""
    targets = Targets()

    async def check(url: str) -> object:
        return await targets.resolve(url, SystemResolver())

    found = failed(settings(f"http://{ELSEWHERE}:9000", timeout_s=1), check=check)
    assert found.kind is StorageFault.NOT_ALLOWED
    assert f"--allow-target {ELSEWHERE}" in found.message


def test_the_guard_judges_every_put(s3_url: str, reader: Any) -> None:
    """With scheme, host and port, before anything is sent."""
    judged: list[str] = []

    async def check(url: str) -> None:
        judged.append(url)

    async def run() -> None:
        async with S3Uploader(settings(s3_url), check) as uploader:
            await asyncio.gather(*(uploader.put(replace(PUT, key=f"many/{number}")) for number in range(9)))

    asyncio.run(run())
    assert judged == [f"{s3_url}/"] * 9


def test_a_name_without_an_address_is_a_connection_failure() -> None:
    async def check(url: str) -> None:
        raise OSError(f"{url} has no address")

    found = failed(settings("http://storage.test:9000"), check=check)
    assert (found.kind, found.detail) == (StorageFault.CONNECTION, "its host has no address")


def test_the_environment_chooses_neither_host_nor_proxy(
    s3_url: str, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What other tools are told by variables is not meant for the mock's storage."""
    with raw(lambda call: call.send_xml(200, "")) as other:
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, other.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert put_one(settings(s3_url)).startswith(s3_url)
        assert other.calls == []


def test_credentials_are_found_in_the_environment(s3_url: str, reader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the AWS tools find them, when the settings have none."""
    seen: list[str] = []

    def remember(call: Handler) -> None:
        seen.append(call.headers["authorization"])
        call.send_xml(403, "AccessDenied")

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFROMTHEENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with raw(remember) as server:
        failed(settings(server.url, access_key=None, secret_key=None))
    assert "Credential=AKIAFROMTHEENVIRONMENT/" in seen[0]


def test_no_host_is_asked_for_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Neither the machine's metadata nor a container's: without credentials the put fails, and nobody was called."""
    with raw(lambda call: call.send_xml(200, "")) as other:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{other.url}/credentials")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", other.url)
        found = failed(settings(other.url, access_key=None, secret_key=None))
        assert other.calls == []
    assert found.kind is StorageFault.CREDENTIALS


# Many


def test_many_regions_keep_a_bounded_number_of_clients(s3_url: str, reader: Any) -> None:
    """Clients of the mock choose the region."""

    async def run() -> int:
        async with S3Uploader(settings(s3_url), anywhere) as uploader:
            for number in range(s3.MAX_CLIENTS + 2):
                put = Put(region=f"r-{number}", bucket="pictures", key="k", data=b"x", content_type="image/png")
                await uploader.put(put)
            return len(uploader._clients)

    assert asyncio.run(run()) == s3.MAX_CLIENTS


# Settings


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"endpoint_url": "localhost:9000"}, "scheme, host and port"),
        ({"endpoint_url": "ftp://localhost"}, "scheme, host and port"),
        ({"endpoint_url": "http://localhost:port"}, "scheme, host and port"),
        ({"endpoint_url": "http://user:canary@localhost"}, "scheme, host and port"),
        ({"endpoint_url": "http://localhost/below"}, "scheme, host and port"),
        ({"endpoint_url": "http://localhost?a=b"}, "scheme, host and port"),
        ({"secret_key": None}, "come together"),
        ({"access_key": None}, "come together"),
        ({"access_key": None, "secret_key": None, "session_token": "t"}, "session token"),
        ({"timeout_s": 0}, "time-out"),
        ({"timeout_s": float("nan")}, "time-out"),
        ({"presign_s": 0}, "signed links"),
        ({"presign_s": s3.MAX_PRESIGN_S + 1}, "signed links"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any], said: str) -> None:
    """With what was expected, and without a secret."""
    with pytest.raises(ValueError, match=said) as caught:
        settings(None, **wrong)
    assert "canary" not in str(caught.value)


def test_settings_do_not_show_their_secrets() -> None:
    shown = repr(settings(None, session_token="canary-token"))
    assert "canary-secret" not in shown
    assert "canary-token" not in shown


# Without the extra

WITHOUT = """
import asyncio, importlib.util, json, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("boto3", "botocore"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from mockserver.storage.s3 import S3Uploader, StorageSettings
from mockserver.storage.uploader import Put, UploadFailed
async def anywhere(url): ...
async def run():
    async with S3Uploader(StorageSettings(), anywhere) as uploader:
        try:
            await uploader.put(Put(region="us-east-2", bucket="b", key="k", data=b"", content_type="image/png"))
        except UploadFailed as failed:
            return failed.message
print(json.dumps([asyncio.run(run()), sorted(name for name in sys.modules if name.startswith("boto"))]))
"""


def test_without_boto3_a_put_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    message, loaded = json.loads(done.stdout)
    assert "pip install 'novita-mock[s3]'" in message
    assert loaded == []


def test_whether_boto3_is_there_is_found_out_without_loading_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cheap enough for a submit call."""
    program = "import sys, mockserver.storage.s3 as s3; print(s3.s3_available(), 'boto3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
    monkeypatch.setattr(s3, "find_spec", dict[str, object]().get)
    assert not s3_available()


def test_the_origin_of_an_endpoint_is_what_is_called() -> None:
    """A slash at its end changes nothing."""
    with raw(lambda call: call.send_xml(403, "AccessDenied")) as server:
        failed(settings(f"{server.url}/"))
        assert server.calls == [("PUT", "/pictures/out/a%20b/%C3%BC.png")]
