"""Puts files into S3 buckets with boto3, which the extra `s3` brings; it is imported at the first put.

One attempt per put, no redirects, no proxies, and no calls for credentials: the only host that is called is the
bucket's, and it is judged before every call. What the other side says is not repeated, only its error code.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from mockserver.storage.failures import Blocked, NoAddress, failure
from mockserver.storage.keys import object_url
from mockserver.storage.uploader import Put

if TYPE_CHECKING:
    from types import TracebackType

THREADS = 4
"""Puts at the same time."""
MAX_CLIENTS = 8
"""Regions whose client is kept; one takes a few megabytes, and clients of the mock choose the region."""
MAX_PRESIGN_S = 604_800
"""What S3 allows a signed link: seven days."""

_LOCAL_CREDENTIALS = frozenset({"env", "shared-credentials-file", "config-file"})
"""Where boto3 looks for credentials without calling a host."""

Check = Callable[[str], Awaitable[object]]
"""Judges a URL; see `S3Uploader`."""


class Acl(StrEnum):
    """Canned access control lists of S3."""

    PRIVATE = "private"
    PUBLIC_READ = "public-read"
    AUTHENTICATED_READ = "authenticated-read"
    BUCKET_OWNER_READ = "bucket-owner-read"
    BUCKET_OWNER_FULL_CONTROL = "bucket-owner-full-control"


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where buckets are and how they are entered.

    Attributes:
        endpoint_url: an S3 server of one's own; None: AWS.
        access_key: None: what the environment or the shared AWS files say.
        secret_key: belongs to `access_key`.
        session_token: of temporary credentials.
        timeout_s: how long one put may take, in seconds; connecting and each wait for the other side too.
        presign_s: links in answers are signed and live so many seconds of real time; None: plain URLs.
        acl: sent with each file; None: none is sent, and the bucket decides.

    Raises:
        ValueError: a value cannot be used; says what was expected.
    """

    endpoint_url: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0
    presign_s: int | None = None
    acl: Acl | None = None

    def __post_init__(self) -> None:
        """Judges the values."""
        if self.endpoint_url is not None:
            _check_endpoint(self.endpoint_url)
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access key and secret key come together: give both, or neither")
        if self.session_token is not None and self.access_key is None:
            raise ValueError("a session token needs its access key and secret key")
        if not 0 < self.timeout_s <= 3600:
            raise ValueError(f"storage time-out: {self.timeout_s:g} s is not in (0, 3600]")
        if self.presign_s is not None and not 0 < self.presign_s <= MAX_PRESIGN_S:
            raise ValueError(f"life of signed links: {self.presign_s} s is not in 1 to {MAX_PRESIGN_S}")


class _Client(Protocol):
    """What is used of boto3's client."""

    def put_object(self, **fields: object) -> object: ...

    def generate_presigned_url(self, operation: str, *, Params: dict[str, str], ExpiresIn: int) -> str: ...

    def close(self) -> None: ...


def s3_available() -> bool:
    """Whether the extra `s3` is installed; cheap, imports nothing."""
    return find_spec("boto3") is not None


class S3Uploader:
    """Puts files with boto3, in threads. To be closed.

    Args:
        settings: where and how.
        check: given scheme, host and port of what is about to be called, before every call; raises OSError when the
            host has no address, anything else when it may not be called.
    """

    def __init__(self, settings: StorageSettings, check: Check) -> None:
        self._settings = settings
        self._check = check
        self._threads = ThreadPoolExecutor(THREADS, "storage")
        self._free = asyncio.Semaphore(THREADS)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._clients: dict[str, _Client] = {}

    async def __aenter__(self) -> S3Uploader:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends threads and connections; puts on their way are waited for."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)  # they may be waiting for this loop
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    async def put(self, put: Put) -> str:
        """See `mockserver.storage.uploader.Uploader.put`."""
        self._loop = loop = asyncio.get_running_loop()
        async with self._free:  # waiting for a thread is not counted as the storage's slowness
            try:
                client = await loop.run_in_executor(self._threads, self._client, put.region)
                sending = loop.run_in_executor(self._threads, self._send, client, put)
                sending.add_done_callback(_forgotten)  # nobody waits for it after the time-out, or a reset
                done, _ = await asyncio.wait({sending}, timeout=self._settings.timeout_s)
                if not done:  # it dribbles: each wait was short, the whole is not
                    raise TimeoutError  # noqa: TRY301  # one place tells what went wrong
                return sending.result()
            except Exception as error:
                # Without the chain: it may hold what the other side said.
                raise failure(error, put, self._settings.timeout_s) from None

    def _send(self, client: _Client, put: Put) -> str:
        fields: dict[str, object] = {
            "Bucket": put.bucket,
            "Key": put.key,
            "Body": put.data,
            "ContentType": put.content_type,
        }
        if self._settings.acl is not None:
            fields["ACL"] = self._settings.acl.value
        client.put_object(**fields)
        if self._settings.presign_s is not None:
            named = {"Bucket": put.bucket, "Key": put.key}
            return client.generate_presigned_url("get_object", Params=named, ExpiresIn=self._settings.presign_s)
        endpoint = self._settings.endpoint_url
        return object_url(put.key, region=put.region, bucket=put.bucket, endpoint_url=endpoint)

    def _client(self, region: str) -> _Client:
        with self._lock:
            client = self._clients.pop(region, None) or self._made_client(region)
            self._clients[region] = client  # the newest is last
            if len(self._clients) > MAX_CLIENTS:
                self._clients.pop(next(iter(self._clients)))  # may be in use: it closes itself when it is let go
            return client

    def _made_client(self, region: str) -> _Client:
        import boto3  # an extra, and slow
        import botocore.session
        from botocore.config import Config

        settings = self._settings
        session = botocore.session.Session()
        chain = session.get_component("credential_provider")
        for provider in list(chain.providers):
            if provider.METHOD not in _LOCAL_CREDENTIALS:
                chain.remove(provider.METHOD)  # roles, single sign-on and machine metadata are asked of other hosts
        config = Config(
            signature_version="s3v4",
            connect_timeout=settings.timeout_s,
            read_timeout=settings.timeout_s,
            retries={"total_max_attempts": 1},
            proxies={},
            max_pool_connections=THREADS,
            s3={
                "addressing_style": "auto" if settings.endpoint_url is None else "path",
                "us_east_1_regional_endpoint": "regional",
            },
            ignore_configured_endpoint_urls=True,  # AWS_ENDPOINT_URL is not ours
            request_checksum_calculation="when_required",  # other servers do not know the newer checksums
            response_checksum_validation="when_required",
        )
        client = boto3.session.Session(botocore_session=session).client(
            "s3",
            region_name=region,
            endpoint_url=settings.endpoint_url,
            aws_access_key_id=settings.access_key,
            aws_secret_access_key=settings.secret_key,
            aws_session_token=settings.session_token,
            config=config,
        )
        client.meta.events.register("before-call.s3", _stay)
        client.meta.events.register("before-send.s3", self._judge)
        made: _Client = client
        return made

    def _judge(self, request: _Sent, **_: object) -> None:
        """Asked by botocore, in a thread, with each request as it is about to be sent."""
        parts = urlsplit(request.url)
        assert self._loop is not None, "only puts send"
        judging = asyncio.run_coroutine_threadsafe(self._judged(f"{parts.scheme}://{parts.netloc}/"), self._loop)
        judging.result(self._settings.timeout_s)

    async def _judged(self, origin: str) -> None:
        try:
            await self._check(origin)
        except OSError as error:
            raise NoAddress from error
        except Exception as error:
            raise Blocked(str(error)) from error


def _forgotten(sending: asyncio.Future[str]) -> None:
    """Looks at the outcome of a put that perhaps nobody waits for any more, so that nothing is logged about it."""
    if not sending.cancelled():
        sending.exception()


class _Sent(Protocol):
    """A request of botocore."""

    url: str


def _stay(params: dict[str, dict[str, dict[str, object]]], **_: object) -> None:
    """Marks a call as redirected already: botocore would look for the bucket's region and send the file there."""
    params["context"].setdefault("s3_redirect", {})["redirected"] = True


def _check_endpoint(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # such as a port that is no number
        good, parts = False, urlsplit("")
    if not good or parts.query or parts.fragment or parts.username is not None or parts.path not in ("", "/"):
        raise ValueError("storage endpoint: expected scheme, host and port, such as http://127.0.0.1:9000")
