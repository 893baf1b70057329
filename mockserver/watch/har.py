"""A journal as an HTTP archive (HAR 1.2), which browsers, proxies and load tools read.

What the journal does not keep is said in the archive's own way: -1 for sizes and no time but zero. Bodies are the
journal's: their first 8 KiB, without secrets.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote

from mockserver import __version__
from mockserver.core.journal import BODY_BYTES, Entry

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JSON = "application/json"


def har(entries: Iterable[Entry], base_url: str) -> dict[str, Any]:
    """The archive.

    Args:
        entries: oldest first.
        base_url: scheme and host of the URLs; the journal keeps neither.
    """
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "novita-mock", "version": __version__},
            "entries": [_entry(entry, base_url.rstrip("/")) for entry in entries],
        }
    }


def _entry(entry: Entry, base_url: str) -> dict[str, Any]:
    query = entry.query.decode("latin-1")
    headers = [{"name": name.decode("latin-1"), "value": value.decode("latin-1")} for name, value in entry.headers]
    request: dict[str, Any] = {
        "method": entry.method,
        "url": base_url
        + quote(entry.path, safe="/:@!$&'()*+,;=~")
        + (f"?{quote(query, safe=_QUERY)}" if query else ""),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers,
        "queryString": [
            {"name": name, "value": value} for name, value in parse_qsl(query, keep_blank_values=True, errors="replace")
        ],
        "headersSize": -1,
        "bodySize": entry.request_bytes,
    }
    if entry.request:
        sent_as = dict(entry.headers).get(b"content-type", _JSON.encode()).decode("latin-1")
        request["postData"] = {"mimeType": sent_as, "text": entry.request.decode("utf-8", "replace")}
        if entry.request_bytes > BODY_BYTES:
            request["postData"]["comment"] = _kept(entry.request_bytes)
    return {
        "startedDateTime": _instant(entry.at_ms),
        "time": 0,
        "request": request,
        "response": _response(entry),
        "cache": {},
        "timings": {"send": 0, "wait": 0, "receive": 0},
        "_number": entry.number,
        "_operationId": entry.operation_id or None,
        "_findings": entry.findings,
        "_fault": entry.fault or None,
    }


_QUERY = "/?:@!$&'()*+,;=~%[]"


def _response(entry: Entry) -> dict[str, Any]:
    content: dict[str, Any] = {"size": entry.answer_bytes, "mimeType": _JSON if entry.answer else "x-unknown"}
    if entry.answer:
        content["text"] = entry.answer.decode("utf-8", "replace")
        if entry.answer_bytes > BODY_BYTES:
            content["comment"] = _kept(entry.answer_bytes)
    return {
        "status": entry.status,
        "statusText": _phrase(entry.status),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": "content-type", "value": _JSON}] if entry.answer else [],
        "content": content,
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": entry.answer_bytes if entry.answer else -1,
    }


def _kept(sent: int) -> str:
    return f"the journal keeps {BODY_BYTES} of {sent} bytes"


def _instant(at_ms: int) -> str:
    """ISO 8601 with milliseconds; a clock may have been set beyond what a date can be."""
    try:
        return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        return "9999-12-31T23:59:59.999Z"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # a fault may answer with any number; 0 stands for no answer
        return ""
