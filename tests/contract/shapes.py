"""The form that an answer must have, whatever was sent: by the path, as the contract and the design divide them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import jsonschema_rs

from mockserver.control.table import RESOURCES
from openapi.document import Document
from tests.contract.asgi import Answer

_TRACE = re.compile(rb'Traceback \(most recent|File \\?"[^"]*\.py')
_NETLOC = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


def assert_right_shape(document: Document, method: str, target: str, answer: Answer) -> None:
    """An answer is of the form its path has, tells of no failure, and holds no trace of code.

    v2 operations: 200 with an integer code. v3 operations and unknown paths: 200, or status, code, reason and message
    that belong together. Pictures: a file, or S3's XML. Control interface: JSON as its own document has it, or
    problem+json.
    """
    path = unquote(target.partition("?")[0])
    if path.startswith("/__mock/inbox/") and not answer.body:
        return  # any status that a test asked for, and no body
    assert answer.status < 500, f"{method} {target[:200]}: {answer.status} {answer.body[:300]!r}"
    assert not _TRACE.search(answer.body), answer.body[:300]
    if method == "HEAD":
        return  # without a body only the status tells
    if path == "/__mock" or path.startswith("/__mock/"):
        _assert_control(method, path, answer)
    elif path.startswith(("/prod/", "/v2_prod/")):
        _assert_picture(answer)
    else:
        _assert_contract(document, method, path, answer)


def _assert_control(method: str, path: str, answer: Answer) -> None:
    if answer.status in (301, 302, 307, 308):
        return
    if answer.status < 300:
        resource = next((one for one in RESOURCES if one.method == method and _route(one.path).fullmatch(path)), None)
        media = answer.headers["content-type"].partition(";")[0]
        assert media in ("application/json", *(resource.also if resource is not None else ()))
        if media == "application/json":
            found = answer.json()
            if resource is not None:
                problems = [error.message for error in _validator(resource.operation_id).iter_errors(found)]
                assert problems == [], f"{resource.operation_id}: {problems}"
        return
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status
    assert {"type", "title", "status", "detail"} <= problem.keys()
    assert len(problem["detail"]) < 10_000, "a problem quotes only the beginning of what came"


@cache
def _route(path: str) -> re.Pattern[str]:
    """What a path of the table matches."""
    return re.compile("/__mock" + re.sub(r"\{[a-z_]+\}", "[^/]+", path))


@cache
def _validator(operation_id: str) -> jsonschema_rs.Validator:
    """What the control interface says of its answer, as a check."""
    answer = next(one.answer for one in RESOURCES if one.operation_id == operation_id)
    assert answer is not None, "an answer without a schema has no body"
    return jsonschema_rs.validator_for(dict(answer))


def _assert_picture(answer: Answer) -> None:
    if answer.status in (200, 206):
        assert answer.headers["content-type"].startswith("image/")
    elif answer.status == 304:
        assert answer.body == b""
    else:
        assert answer.headers["content-type"] == "application/xml"
        error = ElementTree.fromstring(answer.body)
        assert error.tag == "Error"
        assert error.findtext("Code")


def _assert_contract(document: Document, method: str, path: str, answer: Answer) -> None:
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    operation = next((one for one in document.operations.values() if (one.method, one.path) == (method, path)), None)
    if operation is not None and operation.version == "v2":
        assert answer.status == 200
        assert isinstance(body["code"], int)
        assert body["code"] != -1, f"the mock failed: {body['msg']}"
        assert isinstance(body["msg"], str)
        assert (body["code"] == 0) is (body["data"] is not None)
        return
    if answer.status == 200:
        assert operation is not None
        return
    assert set(body) == {"code", "reason", "message", "metadata"}
    assert body["code"] == answer.status
    assert document.reasons[body["reason"]] == answer.status
    assert isinstance(body["message"], str)


def links(body: Any) -> list[str]:
    """Every link of the mock in a body."""
    if isinstance(body, Mapping):
        return [link for value in body.values() for link in links(value)]
    if isinstance(body, list):
        return [link for value in body for link in links(value)]
    return [body] if isinstance(body, str) and re.search(r"/(prod|v2_prod)/", body) else []


def assert_usable_link(link: str) -> None:
    """An absolute URL that any client can follow: printable ASCII, a host and perhaps a port, no stranger's parts."""
    assert link.isascii()
    assert link.isprintable()
    assert not set(link) & set(" \"'<>\\^`{|}")
    parts = urlsplit(link)
    assert parts.scheme in ("http", "https")
    assert _NETLOC.fullmatch(parts.netloc), link
    assert parts.path.startswith(("/prod/", "/v2_prod/"))
    assert not parts.fragment
