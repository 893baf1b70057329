"""How an exchange is shown: secrets hidden, bodies bounded, pictures described; the same in every report."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from conformance.redaction import Redactor
from conformance.wire import Exchange

LONGEST_BODY = 6000
"""Characters of a body."""
LONGEST_WORD = 160
"""Characters of one JSON string without a blank, such as a picture in base64."""
MOST_TO_LAY_OUT = 200_000
"""Bytes of JSON that are parsed to be laid out well; more is shown as it came."""
THUMBNAIL = 96
"""Pixels of the longer side."""

_LONG = re.compile(rf'"(?:data:[\w/+.-]+;base64,)?[A-Za-z0-9+/=_-]{{{LONGEST_WORD},}}"')


class Kind(StrEnum):
    """What a body is."""

    EMPTY = "empty"
    JSON = "json"
    TEXT = "text"
    PICTURE = "picture"
    BINARY = "binary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A body for readers.

    Attributes:
        text: JSON laid out, text as it is, a description of anything else.
        size: bytes on the wire.
        cut: whether `text` leaves something out.
        thumbnail: a small copy of a picture as data URI; "" for all else.
    """

    kind: Kind
    text: str
    size: int
    cut: bool = False
    thumbnail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An exchange for readers.

    Attributes:
        status: None when no whole answer came; `error` says why.
    """

    number: int
    method: str
    url: str
    operation: str
    purpose: str
    request_headers: list[tuple[str, str]]
    request: Body
    status: int | None
    headers: list[tuple[str, str]]
    answer: Body
    error: str
    started_s: float
    took_s: float


def shown(exchange: Exchange, redactor: Redactor) -> Shown:
    """An exchange for readers."""
    return Shown(
        number=exchange.number,
        method=exchange.method,
        url=redactor.text(exchange.url),
        operation=exchange.operation_id,
        purpose=redactor.text(exchange.purpose),
        request_headers=redactor.headers(exchange.request_headers),
        request=body_of(exchange.request_body, redactor, size=exchange.sent_bytes),
        status=exchange.status,
        headers=redactor.headers(exchange.headers.items()),
        answer=body_of(exchange.body, redactor, size=len(exchange.body)),
        error=redactor.text(exchange.error),
        started_s=round(exchange.started_s, 4),
        took_s=round(exchange.took_s, 4),
    )


def body_of(data: bytes, redactor: Redactor, *, size: int) -> Body:
    """A body for readers; `data` may be only its beginning."""
    if not data:
        return Body(kind=Kind.EMPTY, text="", size=size)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _binary(data, redactor, size)
    if "\0" in text:
        return _binary(data, redactor, size)
    kind, laid_out = _laid_out(redactor.text(text))  # before anything is cut: half a key would not be known again
    if "\\" in text:
        laid_out = redactor.text(laid_out)  # JSON may spell a secret with escapes, which are gone now
    short, changed = _LONG.subn(lambda found: _abridged(found[0]), laid_out)
    cut = bool(changed) or len(short) > LONGEST_BODY or size > len(data)
    return Body(kind=kind, text=short[:LONGEST_BODY], size=size, cut=cut)


def _laid_out(text: str) -> tuple[Kind, str]:
    if len(text) > MOST_TO_LAY_OUT or text.lstrip()[:1] not in ("{", "["):
        return Kind.TEXT, text
    try:
        return Kind.JSON, json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return Kind.TEXT, text


def _abridged(word: str) -> str:
    return f'{word[:33]}… ({len(word) - 2:,} characters)"'


def _binary(data: bytes, redactor: Redactor, size: int) -> Body:
    from PIL import Image

    digest = sha256(data).hexdigest()
    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            form = picture.format or "picture"
            thumbnail = _thumbnail(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        beginning = data[:24].hex(" ")
        return Body(
            kind=Kind.BINARY, text=f"{size:,} bytes, sha256 {digest}, beginning {beginning}", size=size, cut=True
        )
    text = f"{form}, {width} x {height} pixels, {picture.mode}, {size:,} bytes, sha256 {digest}"
    return Body(kind=Kind.PICTURE, text=redactor.text(text), size=size, cut=True, thumbnail=thumbnail)


def _thumbnail(picture: object) -> str:
    """Drawn anew, so that nothing which stands in the file beside its pixels comes along."""
    from PIL import Image

    assert isinstance(picture, Image.Image)
    if picture.width * picture.height > 16_000_000:
        return ""
    small = picture.convert("RGBA" if "A" in picture.mode else "RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    fresh = Image.new(small.mode, small.size)
    fresh.paste(small)
    kept = io.BytesIO()
    fresh.save(kept, "WEBP", quality=70)
    return f"data:image/webp;base64,{base64.b64encode(kept.getvalue()).decode()}"
