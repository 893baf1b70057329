"""What an exception of a put means. What the other side says is not repeated, only its error code."""

from __future__ import annotations

import re

from mockserver.core.storage import StorageFault
from mockserver.storage.uploader import Put, UploadFailed

INSTALL = "pip install 'novita-mock[s3]'"
"""How to get what is needed."""

_CODE = re.compile(r"[A-Za-z0-9]{1,60}")

_KINDS = {
    "AccessDenied": StorageFault.DENIED,
    "AllAccessDisabled": StorageFault.DENIED,
    "AccountProblem": StorageFault.DENIED,
    "AccessControlListNotSupported": StorageFault.DENIED,
    "NoSuchBucket": StorageFault.NO_BUCKET,
    "InvalidBucketName": StorageFault.NO_BUCKET,
    "PermanentRedirect": StorageFault.WRONG_REGION,
    "TemporaryRedirect": StorageFault.WRONG_REGION,
    "AuthorizationHeaderMalformed": StorageFault.WRONG_REGION,
    "IllegalLocationConstraintException": StorageFault.WRONG_REGION,
    "InvalidAccessKeyId": StorageFault.CREDENTIALS,
    "SignatureDoesNotMatch": StorageFault.CREDENTIALS,
    "ExpiredToken": StorageFault.CREDENTIALS,
    "InvalidToken": StorageFault.CREDENTIALS,
    "RequestTimeout": StorageFault.TIMEOUT,
    "IncompleteBody": StorageFault.PARTIAL,
}
"""S3's error codes."""
_KINDS_BY_STATUS = {
    301: StorageFault.WRONG_REGION,
    302: StorageFault.WRONG_REGION,
    307: StorageFault.WRONG_REGION,
    401: StorageFault.CREDENTIALS,
    403: StorageFault.DENIED,
    404: StorageFault.NO_BUCKET,
}
"""What a status means when the code says nothing."""


class Blocked(Exception):
    """A host that may not be called."""


class NoAddress(Exception):
    """A host that cannot be found."""


def failure(error: Exception, put: Put, timeout_s: float) -> UploadFailed:
    """The failure that an exception of a put is."""
    kind, detail = _kind(error, timeout_s)
    return UploadFailed(kind, bucket=put.bucket, key=put.key, detail=detail)


def _kind(error: Exception, timeout_s: float) -> tuple[StorageFault, str]:
    """What an exception of a put means; the detail repeats nothing but names and an error code."""
    if isinstance(error, Blocked):
        return StorageFault.NOT_ALLOWED, str(error)
    if isinstance(error, NoAddress):
        return StorageFault.CONNECTION, "its host has no address"
    if isinstance(error, ModuleNotFoundError):
        return StorageFault.OTHER, f"{error.name} is not installed: {INSTALL}"
    from botocore import exceptions as found

    if isinstance(error, found.ClientError):
        return _kind_of_answer(error.response)
    if isinstance(error, TimeoutError | found.ConnectTimeoutError | found.ReadTimeoutError):
        return StorageFault.TIMEOUT, f"{timeout_s:g} s"
    if isinstance(error, found.ConnectionClosedError):
        return StorageFault.PARTIAL, "whether the file is there is not known"
    if isinstance(error, found.ConnectionError | found.HTTPClientError):
        return StorageFault.CONNECTION, ""
    if isinstance(error, found.NoCredentialsError | found.PartialCredentialsError | found.ProfileNotFound):
        return StorageFault.CREDENTIALS, "none were found in the settings, the environment or the shared AWS files"
    return StorageFault.OTHER, type(error).__name__


def _kind_of_answer(response: dict[str, dict[str, object]]) -> tuple[StorageFault, str]:
    given = str(response.get("Error", {}).get("Code", ""))
    code = given if _CODE.fullmatch(given) else ""
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    status = status if isinstance(status, int) else 0
    kind = _KINDS.get(code) or _KINDS_BY_STATUS.get(status, StorageFault.OTHER)
    said = code if code and not code.isdigit() else f"status {status}"
    if kind is StorageFault.OTHER and status >= 500:
        said += "; it may work later"
    return kind, said
