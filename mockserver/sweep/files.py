"""What a program has written: the picture it paid for, another one, or something that only has a picture's name."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from pathlib import Path

from mockserver.pictures import NotAReceipt, decode

MAX_BYTES = 64 * 1024 * 1024
"""Larger files are told, and not looked into."""
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".jfif"})
NAMELESS_SUFFIXES = frozenset({"", ".bin", ".img", ".dat"})
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8", b"BM")
_PAGE = (b"<?xml", b"<error", b"<!doctype html", b"<html")


class Kind(StrEnum):
    """What a file is."""

    RECEIPT = "receipt"
    PICTURE = "picture"
    GARBAGE = "garbage"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A file that was written.

    Attributes:
        path: below the working folder, or `TMPDIR/...`.
        kind: receipt: a picture of this run's tasks; picture: another whole one; garbage: a picture by its name only.
        what: for people.
    """

    path: str
    kind: Kind
    what: str


Stamp = tuple[int, int]
"""Size and time of change of a file."""


def stamps(folder: Path) -> dict[str, Stamp]:
    """Every file below a folder that is not behind a link to another folder."""
    return {path.relative_to(folder).as_posix(): _stamp(path) for path in _files(folder)}


def written(folder: Path, before: Mapping[str, Stamp]) -> dict[str, Path]:
    """The files below a folder that are new or other than before."""
    return {
        name: path for path in _files(folder) if before.get(name := path.relative_to(folder).as_posix()) != _stamp(path)
    }


def look(name: str, path: Path, digests: Collection[bytes], was: Kind | None = None) -> Seen:
    """Says what a file is.

    Args:
        name: what it is called for people.
        path: where it lies.
        digests: of the pictures that the run's tasks made.
        was: what the same file was in the clean run.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            return Seen(path=name, kind=Kind.OTHER, what="larger than 64 MiB; not looked into")
        data = path.read_bytes()
    except OSError as error:
        return Seen(path=name, kind=Kind.OTHER, what=f"cannot be read: {error.strerror}")
    suffix = path.suffix.lower()
    claims = suffix in PICTURE_SUFFIXES or was in (Kind.RECEIPT, Kind.PICTURE)
    if data.startswith(_MAGIC):
        damage = _damage(data)
        if damage is None:
            return _whole(name, data, digests)
        return Seen(path=name, kind=Kind.GARBAGE, what=f"a damaged picture: {damage}")
    if claims or (suffix in NAMELESS_SUFFIXES and data.lstrip().lower().startswith(_PAGE)):
        return Seen(path=name, kind=Kind.GARBAGE, what=_instead(data))
    return Seen(path=name, kind=Kind.OTHER, what=f"{len(data)} bytes")


def _whole(name: str, data: bytes, digests: Collection[bytes]) -> Seen:
    try:
        receipt = decode(data)
    except NotAReceipt:
        return Seen(path=name, kind=Kind.PICTURE, what="a picture without a receipt")
    if receipt.digest in digests:
        return Seen(path=name, kind=Kind.RECEIPT, what=f"picture {receipt.index}, seed {receipt.seed}")
    return Seen(path=name, kind=Kind.PICTURE, what="a picture of another run")


def _damage(data: bytes) -> str | None:
    """Why a file cannot be opened whole; None when it can."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as a picture of very many pixels
            with Image.open(BytesIO(data)) as picture:
                picture.verify()
            with Image.open(BytesIO(data)) as picture:
                picture.load()
    except UnidentifiedImageError:
        return "its beginning is a picture's, and no more"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return str(error)
    return None


def _instead(data: bytes) -> str:
    start = data.lstrip()[:200].lower()
    if not data:
        return "an empty file"
    if b"<error" in start or start.startswith(b"<?xml"):
        return "S3's error text"
    if start.startswith(_PAGE[2:]):
        return "a web page"
    if start.startswith(b"{"):
        return "JSON"
    return f"{len(data)} bytes that are no picture"


def _files(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if not entry.is_symlink():
                yield from _files(entry)
        elif entry.is_file():
            yield entry


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
