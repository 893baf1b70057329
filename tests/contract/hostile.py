"""What a stranger may send: tokens for the places of a JSON body, and strategies for everything else."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from openapi.catalogue import load_catalogue
from openapi.document import Document
from tests.bodies import base64_png
from tests.contract.cross_rules import CrossRules

Path = tuple[str | int, ...]

TOKENS: tuple[str, ...] = (
    # numbers: beyond doubles, beyond 64 bits, integers that look otherwise, zeros, and what JSON does not have
    "1e400",
    "-1e400",
    "1e-400",
    "1.7976931348623157e308",
    "5e-324",
    "-0",
    "-0.0",
    "0",
    "2.0",
    "512.0",
    "5.12e2",
    "0.1",
    "-1",
    "9007199254740993",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "9" * 400,
    "-" + "9" * 400,
    "9" * 5000,
    "01",
    "+1",
    ".5",
    "0x10",
    "NaN",
    "Infinity",
    "-Infinity",
    # texts: halves of surrogate pairs, NUL, control characters, markup, other alphabets, very long
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\ud83d\\ude00"',
    '"\\u0000"',
    '"a\\u0000b"',
    '"\\u001b[31m\\r\\nSet-Cookie: a=b"',
    '"\\u202e\\u2028\\ufeff\\uffff"',
    '"<script>alert(1)</script>]]>&amp;"',
    '"%00%0d%0a"',
    '"../../etc/passwd"',
    '"' + "x" * 1024 + '"',
    '"' + "\U0001f600" * 1025 + '"',
    '"' + "x" * 100_000 + '"',
    '"2.0"',
    '"null"',
    '""',
    "'single'",
    '"a\nb"',
    # structure
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "[[]]",
    '{"": null}',
    '{"a": 1, "a": 2}',
    '{"__proto__": {"x": 1}, "constructor": "y", "$ref": "#/"}',
    "[" * 300 + "]" * 300,
    '{"a":' * 300 + "1" + "}" * 300,
    "[" * 5000 + "]" * 5000,
    "[" + ",".join(["0"] * 5000) + "]",
    "",
    "nul",
    "//",
)
"""Pieces of JSON text, right and wrong, that stand in place of a value."""

KEYS: tuple[str, ...] = ("", "\x00", "\r\nX: y", "a" * 2000, "\U0001f600", "__class__", "$ref", "é\x7f")
"""Names of further fields."""


_HEADER_NAMES = (
    *(b"accept", b"accept-encoding", b"content-type", b"content-length", b"content-encoding", b"host", b"origin"),
    *(b"authorization", b"x-omni-key", b"range", b"if-none-match", b"x-forwarded-for", b"x-forwarded-proto"),
    *(b"access-control-request-method", b"access-control-request-headers", b"cookie", b"expect", b"upgrade"),
)
_QUERY_NAMES = (
    *("task_id", "filter.types", "filter.is_sdxl", "filter.query", "filter[types]", "pagination.limit", "a", "path"),
    *("pagination.cursor", "limit", "status", "after", "contains", "all", "reading", "method", "", "%00", "%ff"),
    *("X-Amz-Date", "X-Amz-Expires", "X-Amz-Signature"),
)


def full_body(document: Document, operation_id: str) -> dict[str, Any]:
    """A body with every field that an example of the operation has, acceptable to a lenient server."""
    merged: dict[str, Any] = {}
    for example in document.examples(operation_id):
        if example.role == "request" and example.reading is not None:
            _merge(merged, example.value)
    request = merged.get("request", merged)
    request |= {"width": 128, "height": 128}  # small pictures: they are drawn
    if operation_id.endswith("V2"):
        request |= {"hr_scale": 1, "hr_resize_x": 128, "hr_resize_y": 128} if "enable_hr" in request else {}
    elif "hires_fix" in request:
        request["hires_fix"] |= {"target_width": 128, "target_height": 128}
    extra = merged.setdefault("extra", {})
    extra["response_image_type"] = "png"
    extra.get("webhook", {}).pop("test_mode", None)
    rules = CrossRules(catalogue=load_catalogue(), strict=True)
    return rules.repaired(merged, base64_png())


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    """Takes over what is missing or empty, objects member by member, lists by their first entries."""
    for name, value in other.items():
        known = into.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        elif known and isinstance(known, list) and value and isinstance(value, list):
            if isinstance(known[0], dict) and isinstance(value[0], dict):
                _merge(known[0], value[0])
        elif not known:
            into[name] = copy.deepcopy(value)


def places(node: Any, path: Path = ()) -> Iterator[Path]:
    """Every place of a value, the value itself first."""
    yield path
    if isinstance(node, dict):
        for name, value in node.items():
            yield from places(value, (*path, name))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from places(value, (*path, index))


def with_token(body: Any, path: Path, token: str) -> bytes:
    """The text of a body in which a piece of JSON stands at a place."""
    mark = "\u0001mark\u0001"
    if not path:
        return token.encode()
    changed = copy.deepcopy(body)
    _set(changed, path, mark)
    return json.dumps(changed, ensure_ascii=False).replace(json.dumps(mark), token).encode("utf-8", "surrogatepass")


def with_value(body: Any, path: Path, value: Any) -> Any:
    """A body with another value at a place."""
    if not path:
        return value
    changed = copy.deepcopy(body)
    _set(changed, path, value)
    return changed


def _set(node: Any, path: Path, value: Any) -> None:
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value, with the numbers and texts that hurt more often than by chance."""
    numbers = st.sampled_from([0, -1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**100, 1e308, -0.0, 5e-324])
    texts = st.sampled_from(["", "\x00", "\ufeff", "\u202e", "x" * 1025, "<lora:a:1>", "data:image/png;base64,"])
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        numbers,
        texts,
    )
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    )


def changed_bodies(body: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """A body with some places changed, removed or added to: most are nearly right."""
    spots = list(places(body))

    def apply(changes: list[tuple[Path, Any]]) -> bytes:
        changed = body
        for path, value in sorted(changes, key=lambda change: -len(change[0])):
            if path in spots:
                changed = with_value(changed, path, value)
        return json.dumps(changed).encode()

    return st.lists(st.tuples(st.sampled_from(spots), json_values()), min_size=1, max_size=3).map(apply)


def headers() -> st.SearchStrategy[list[tuple[bytes, bytes]]]:
    """Headers that a parser of HTTP lets through: values of any bytes but control characters."""
    values = st.one_of(
        st.binary(max_size=40).map(lambda raw: bytes(code for code in raw if code >= 32 and code != 127)),
        st.sampled_from(
            [b"", b"gzip", b"application/json", b"text/plain; charset=utf-16", b"*/*", b"0", b"-1", b"1e9"]
        ),
    )
    return st.lists(st.tuples(st.sampled_from(_HEADER_NAMES), values), max_size=6)


def targets(known: list[str]) -> st.SearchStrategy[str]:
    """Request targets as they stand in a request line: known paths with any query, bent ones, and any others."""
    odd = ["%00", "%ff%fe", "%2e%2e", "..", "//", ";", "%0d%0a", "%", "%zz", "%F0%9F%98%80", "a" * 3000, "*", "{x}"]
    ascii_text = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#"), max_size=20)
    path = st.one_of(
        st.sampled_from(known),
        st.tuples(st.sampled_from(known), st.sampled_from(odd) | ascii_text).map("/".join),
        st.lists(st.sampled_from(odd) | ascii_text, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    )
    return st.tuples(path, queries()).map(lambda found: f"{found[0]}?{found[1]}" if found[1] else found[0])


def queries() -> st.SearchStrategy[str]:
    """Query strings: parameters of the operations and others with any percent-encoded value, or none at all."""
    values = st.one_of(
        st.binary(max_size=12).map(lambda raw: "".join(f"%{code:02X}" for code in raw)),
        st.sampled_from(["", "1", "-1", "0", "c_0", "c_c_9", "c_" + "9" * 30, "true", "9" * 400, "%", "%d9%a3", "1e9"]),
        st.integers().map(str),
    )
    pairs = st.lists(st.tuples(st.sampled_from(_QUERY_NAMES), values).map("=".join), max_size=4).map("&".join)
    text = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=30)
    return pairs | text
