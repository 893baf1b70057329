"""The part that puts a file into a bucket: what it is given, how it fails, and the fake that fails on demand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from mockserver.core.storage import StorageFault

SAID: Mapping[StorageFault, str] = MappingProxyType(
    {
        StorageFault.DENIED: "access denied; the bucket's policy must allow s3:PutObject and s3:PutObjectAcl",
        StorageFault.NO_BUCKET: "no bucket of this name exists",
        StorageFault.WRONG_REGION: "the bucket lies in another region than the request says",
        StorageFault.TIMEOUT: "the storage did not answer in time",
        StorageFault.CONNECTION: "the storage could not be reached",
        StorageFault.PARTIAL: "the connection broke while the file was sent",
        StorageFault.CREDENTIALS: "the credentials for the storage are missing or not accepted",
        StorageFault.NOT_ALLOWED: "this server may not call the storage",
        StorageFault.OTHER: "the storage refused the file",
    }
)
"""What each kind of failure means, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """One file for a bucket."""

    region: str
    bucket: str
    key: str
    data: bytes
    content_type: str


class UploadFailed(Exception):
    """A file that could not be put into its bucket.

    Attributes:
        kind: why.
        bucket: the bucket's name.
        key: the file's key.
        detail: more about it, "" if there is none; never a credential, and never words of the other side.
        uploaded: keys of the same task that lie in the bucket.
    """

    def __init__(
        self, kind: StorageFault, *, bucket: str, key: str, detail: str = "", uploaded: tuple[str, ...] = ()
    ) -> None:
        super().__init__(kind.value)
        self.kind = kind
        self.bucket = bucket
        self.key = key
        self.detail = detail
        self.uploaded = uploaded

    @property
    def message(self) -> str:
        """What failed and why, and what lies in the bucket all the same."""
        text = f"custom storage: {self.key!r} could not be put into bucket {self.bucket!r}: {SAID[self.kind]}"
        if self.detail:
            text += f" ({self.detail})"
        if self.uploaded:
            text += f"; these files of the task are in the bucket: {', '.join(map(repr, self.uploaded))}"
        return text

    def __str__(self) -> str:
        return self.message


class Uploader(Protocol):
    """Puts files into buckets."""

    async def put(self, put: Put) -> str:
        """Puts a file, one attempt, and gives the URL to read it from.

        Raises:
            UploadFailed: it is not there, or nobody knows.
        """


FaultAt = Callable[[int], Awaitable[StorageFault | None]]
"""The fault that picture `index` of a task meets, if any; a put that is to be late waits in here."""


class FaultyUploader:
    """Lets chosen puts of one task fail as a real storage would; the others go through.

    Nothing waits: a time-out has passed at once. A cut connection leaves nothing in the bucket, as S3 has it.

    Args:
        inner: what puts the others; None: nothing does, and their URL is "".
        fault_at: asked once per put, in order.
    """

    __slots__ = ("_fault_at", "_inner", "_puts")

    def __init__(self, inner: Uploader | None, fault_at: FaultAt) -> None:
        self._inner = inner
        self._fault_at = fault_at
        self._puts = 0

    async def put(self, put: Put) -> str:
        """See `Uploader.put`."""
        index, self._puts = self._puts, self._puts + 1
        fault = await self._fault_at(index)
        if fault is not None:
            detail = "a fault asked for"
            if fault is StorageFault.PARTIAL:
                detail += f": {len(put.data) // 2} of {len(put.data)} bytes were sent"
            raise UploadFailed(fault, bucket=put.bucket, key=put.key, detail=detail)
        return "" if self._inner is None else await self._inner.put(put)
