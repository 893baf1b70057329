"""Source pictures of a request: taken out of the body, checked by their header, kept once.

A picture arrives as base64. Its size is judged before it is decoded, its format and pixel count by the file's header;
its pixels are not decoded here (limits: C43). The body then holds a reference instead, so that a task's own record
stays small; `StoredPictures` resolves the reference when the recipe is read again.
"""

from __future__ import annotations

import binascii
from hashlib import blake2b
from typing import Protocol

from mockserver.core.errors import Reason, Refusal
from mockserver.parts.inputs import InputStore
from openapi.document import PictureLimits

_REFERENCE = "mock-input:"


class Pictures(Protocol):
    """Gives the file behind a picture field."""

    def take(self, holder: dict[str, object] | list[object], key: str | int, where: str) -> bytes:
        """The file of `holder[key]`.

        Raises:
            Refusal: it is no acceptable picture.
        """


class SubmittedPictures:
    """Takes base64 pictures out of a fresh body; the body gets references.

    The store gets the files by `keep`, once the request was accepted: refused ones push nothing out of it.
    """

    __slots__ = ("_files", "_limits", "_store")

    def __init__(self, store: InputStore, limits: PictureLimits) -> None:
        self._store = store
        self._limits = limits
        self._files: dict[str, bytes] = {}

    @property
    def taken(self) -> bool:
        """Whether the body was changed."""
        return bool(self._files)

    def keep(self) -> None:
        """Puts the files into the store."""
        for name, data in self._files.items():
            self._store.put(name, data)

    def take(self, holder: dict[str, object] | list[object], key: str | int, where: str) -> bytes:
        """See `Pictures.take`."""
        data = decode_picture(str(holder[key]), where, self._limits)  # type: ignore[index]  # key fits its holder
        name = blake2b(data, digest_size=16).hexdigest()
        self._files[name] = data
        holder[key] = _REFERENCE + name  # type: ignore[index]  # key fits its holder
        return data


class StoredPictures:
    """Resolves the references that `SubmittedPictures` left.

    Attributes:
        missing: whether a picture had been dropped from the bounded store.
    """

    __slots__ = ("_store", "missing")

    def __init__(self, store: InputStore) -> None:
        self._store = store
        self.missing = False

    def take(self, holder: dict[str, object] | list[object], key: str | int, where: str) -> bytes:
        """See `Pictures.take`; a dropped picture is empty bytes, which the renderer shows as a placeholder."""
        del where
        reference = str(holder[key])  # type: ignore[index]  # key fits its holder
        data = self._store.get(reference.removeprefix(_REFERENCE))
        if data is None:
            self.missing = True
            return b""
        return data


def decode_picture(text: str, where: str, limits: PictureLimits) -> bytes:
    """The file behind a base64 string, with or without a `data:` prefix (C48), on one line or on many.

    Raises:
        Refusal: too large, no base64, no PNG, JPEG or WebP, or too many pixels; the reason says which.
    """
    text = text.strip()
    if text.startswith("data:"):
        _, comma, text = text.partition(",")
        if not comma:
            raise Refusal(
                Reason.INVALID_IMAGE_FORMAT, f"{where}: a data: URI without a comma; expected base64 of a picture"
            )
    text = text.replace("\r", "").replace("\n", "")
    if len(text) > limits.max_bytes * 4 // 3 + 4:
        raise Refusal(
            Reason.IMAGE_FILE_EXCEEDS_MAX_SIZE,
            f"{where}: the picture file has about {len(text) * 3 // 4} bytes; at most {limits.max_bytes} are allowed",
        )
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error, or text beyond ASCII
        shown = text[:24] + ("..." if len(text) > 24 else "")
        raise Refusal(
            Reason.INVALID_IMAGE_FORMAT,
            f"{where}: {shown!r} is not base64; expected base64 of a PNG, JPEG or WebP file",
        ) from None
    if len(data) > limits.max_bytes:
        raise Refusal(
            Reason.IMAGE_FILE_EXCEEDS_MAX_SIZE,
            f"{where}: the picture file has {len(data)} bytes; at most {limits.max_bytes} are allowed",
        )
    from mockserver.pictures import NotAPicture, probe  # at the first picture: not every run has one

    try:
        found = probe(data)
    except NotAPicture as error:
        raise Refusal(Reason.INVALID_IMAGE_FORMAT, f"{where}: {error}; expected a PNG, JPEG or WebP file") from None
    if found.pixels > limits.max_pixels:
        raise Refusal(
            Reason.IMAGE_EXCEEDS_MAX_RESOLUTION,
            f"{where}: {found.width}x{found.height} is more than {limits.max_pixels} pixels",
        )
    return data
