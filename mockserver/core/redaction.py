"""Cuts secrets out of what a client sent, before any of it is kept.

Cut are: the values of names such as `api_key` at any depth of a JSON body and in a query; in URLs the user part and
the query values with such names; access key ids of AWS; and the world's own API key wherever it stands. Everything
else stays as it was, byte by byte where nothing is cut.

A submit is the hot path, and looking for a dozen words costs more than the rest of its journal entry. So the journal
asks here only for bodies that may hold a secret at all (`Journal.write`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import quote, unquote_to_bytes

CUT = "..."
"""Stands where a secret was."""
SHORTEST_SECRET = 8
"""Keys that are shorter are not searched for: `key` or `test` stand in every second prompt."""
WINDOW_BYTES = 512
"""How far behind the kept part of a long body is searched, so that a secret across the cut leaves no beginning."""

_COMMON = b"-zqkxjvwybfghpucdlnsrmoati0123456789e"
"""What keys and requests share, from rare to common; any other byte is rarer."""
_NO_KEY = b"\0" * 64
"""Stands nowhere."""
_NAMES = "key|token|secret|passw|auth|signature|credential|cookie"
_NAME = re.compile(_NAMES.encode())
_NAME_TEXT = re.compile(_NAMES, re.IGNORECASE)
_SHORT_NAMES = frozenset({"sig", "pwd"})
_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]{0,20}:)?(?:\\?/){2}[^\s\"'<>]+")
_AWS_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")
_STRANGERS_KEY = re.compile(r"\bsk-[A-Za-z0-9_-]{4,}|(?:(?<=[Bb]earer[ +])|(?<=[Bb]earer%20))[A-Za-z0-9._~+/=-]{8,}")
_MEMBER = re.compile(
    rf'("[^"]{{0,100}}?(?:{_NAMES})[^"]{{0,100}}"\s{{0,20}}:\s{{0,20}})'
    r'(?:"(?:[^"\\]|\\.)*(?:"|\Z)|[\[{].*|[^",\s\[{][^,\s}\]]*)',
    re.IGNORECASE | re.DOTALL,
)
"""A member in a text that is no whole JSON; a list or an object as its value reaches to the end of the text."""
_PAIR = re.compile(rf"((?<![\w%.-])[\w%.\[\]-]{{0,100}}?(?:{_NAMES})[\w%.\[\]-]{{0,100}}=)[^&\s\"';]+", re.IGNORECASE)
_SIGNATURE = b"X-Amz-Signature="
_HEX_DIGITS = b"0123456789abcdef"


def without_secrets(query: bytes) -> bytes:
    """A query string with `...` for the values of names such as `api_key`: a client may send its key anywhere."""
    if _NAME.search(unquote_to_bytes(query).lower()) is None and b"sig=" not in query.lower():
        return query
    parts = []
    for part in query.split(b"&"):
        name, equals, value = part.partition(b"=")
        parts.append(name + b"=..." if equals and value and _is_secret(_unquoted(name)) else part)
    return b"&".join(parts)


def without_keys(text: str) -> str:
    """A text such as a path without whatever looks like an API key, whosever it is; for logs."""
    return _STRANGERS_KEY.sub(_shown_key, text) if "sk-" in text or "earer" in text else text


class Redactor:
    """Cuts secrets for one journal.

    Args:
        secrets: the API key of the journal's world. None for calls without a world: whose key it is cannot be known
            there, so whatever looks like one is cut.

    Attributes:
        key: the key; empty, so that it stands in every text, where any key is to be cut.
        rare: the byte of the key that is rarest in requests: a text without it need not be searched for the key.
        seen: whether a request ever held a key; only then can an answer echo it.
        found: whether what was searched since it was last set to False held the world's key.
    """

    __slots__ = ("_needles", "_strangers", "found", "key", "rare", "seen")

    def __init__(self, secrets: tuple[bytes, ...] = ()) -> None:
        self._needles = tuple(dict.fromkeys(form for one in secrets for form in _forms(one)))
        self._strangers = not secrets
        self.key = b"" if self._strangers else (*self._needles, _NO_KEY)[0]
        self.rare = min(self.key or b'"', key=_COMMON.find)
        self.seen = self._strangers
        self.found = False

    def request(self, body: bytes, limit: int) -> tuple[bytes, tuple[str, ...]]:
        """The beginning of a request's body without secrets, and what was cut beside the key, for `answer`.

        Args:
            body: as sent.
            limit: how many bytes are kept.
        """
        self._look(body)
        window = body[: limit + WINDOW_BYTES]
        whole = len(window) == len(body)
        head, cut = self._searched(self.text(window), whole=whole)
        return _kept(head, limit, whole=whole), cut

    def answer(self, body: bytes, limit: int, cut: tuple[str, ...] = ()) -> bytes:
        """The beginning of an answer: without the key if a request ever held it, and without links' signatures.

        Args:
            body: as sent.
            limit: how many bytes are kept.
            cut: what was cut from the request; a refusal may quote it.
        """
        head = body[: limit + WINDOW_BYTES]
        if self.seen:
            head = self.text(head)
        for one in cut:
            for form in _forms(one.encode("utf-8", "replace")):
                head = head.replace(form, CUT.encode())
        start, *rest = head.split(_SIGNATURE)
        if rest:
            cut_off = CUT.encode()
            head = _SIGNATURE.join([start, *(cut_off + part.lstrip(_HEX_DIGITS) for part in rest)])
        return _kept(head, limit, whole=len(body) <= limit + WINDOW_BYTES)

    def query(self, query: bytes) -> bytes:
        """A query string without secrets."""
        self._look(query)
        query = self.text(without_secrets(query))
        if b"%" in query or b"//" in query:
            query = b"&".join(map(self._pair, query.split(b"&")))
        return query

    def text(self, text: bytes) -> bytes:
        """Any text without the key itself: a path, a query, a header's value."""
        for needle in self._needles:
            if needle in text:
                text = text.replace(needle, CUT.encode())
        if self._strangers and (b"sk-" in text or b"earer" in text):
            text = without_keys(text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        return text

    def headers(self, headers: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[bytes, bytes], ...]:
        """Header pairs whose values hold no key and no URL with one; the same object where nothing was cut."""
        clean = tuple((name, self._header(value)) for name, value in headers)
        return headers if clean == headers else clean

    def _header(self, value: bytes) -> bytes:
        value = self.text(value)
        return _text_without_urls_secrets(value) if b"//" in value else value

    def _searched(self, body: bytes, *, whole: bool) -> tuple[bytes, tuple[str, ...]]:
        """A body without the values of secret names and without what URLs hold."""
        escaped = 92 in body and (b"\\u00" in body or b"\\/" in body)
        suspicious = escaped or (47 in body and b"//" in body) or b"AKIA" in body or b"ASIA" in body
        if not suspicious and _NAME.search(body.lower()) is None:
            return body, ()
        cut: list[str] = []
        if whole:
            try:
                found = json.loads(body, object_pairs_hook=_once)
                clean = _value_without_secrets(found, cut.append, self._without_key)
                if clean == found:
                    return body, ()
                written = json.dumps(clean, ensure_ascii=False, separators=(",", ":"))
                return written.encode("utf-8", "replace"), tuple(cut)
            except (ValueError, RecursionError):
                cut.clear()  # no JSON, or too deep: searched as text
        text = body.decode("utf-8", "surrogateescape")
        clean_text = _PAIR.sub(r"\1...", _MEMBER.sub(r'\1"..."', _string_without_secrets(text, cut.append)))
        if clean_text == text:
            return body, ()
        return clean_text.encode("utf-8", "surrogateescape"), tuple(cut)

    def _pair(self, pair: bytes) -> bytes:
        """A `name=value` of a query, in which the key or a URL may be written with percent signs."""
        name, equals, value = pair.partition(b"=")
        return self._part(name) + equals + self._part(value)

    def _part(self, text: bytes) -> bytes:
        decoded = unquote_to_bytes(text)
        self._look(decoded)
        clean = _text_without_urls_secrets(self.text(decoded))
        return text if clean == decoded else quote(clean, safe=":/.@").encode()

    def _without_key(self, text: str) -> str:
        for needle in self._needles:
            form = needle.decode("utf-8", "surrogateescape")
            if form in text:
                self.found = self.seen = True
                text = text.replace(form, CUT)
        return text

    def _look(self, text: bytes) -> None:
        for needle in self._needles:
            if needle in text:
                self.found = self.seen = True


def _kept(head: bytes, limit: int, *, whole: bool) -> bytes:
    """What is kept of the searched beginning of a body: its end may hold a part of a secret, unless it is whole."""
    return head[:limit] if whole else head[: min(limit, max(0, len(head) - WINDOW_BYTES))]


def _value_without_secrets(value: object, tell: Callable[[str], None], without_key: Callable[[str], str]) -> object:
    """A JSON value without secrets; each text that was cut is told."""
    if isinstance(value, dict):
        return {
            without_key(name): (
                _all_told(inner, tell)
                if inner and _is_secret(name)
                else _value_without_secrets(inner, tell, without_key)
            )
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_value_without_secrets(inner, tell, without_key) for inner in value]
    if isinstance(value, str):
        clean = without_key(value)
        if clean != value:
            tell(value)
        return _string_without_secrets(clean, tell)
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object in which every name stands once; of others only the last value would be looked at."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _all_told(value: object, tell: Callable[[str], None]) -> str:
    if isinstance(value, dict):
        for inner in value.values():
            _all_told(inner, tell)
    elif isinstance(value, list):
        for inner in value:
            _all_told(inner, tell)
    else:
        tell(str(value))
    return CUT


def _string_without_secrets(text: str, tell: Callable[[str], None]) -> str:
    def told(pattern: re.Pattern[str], replaced: Callable[[re.Match[str]], str], text: str) -> str:
        def replace(match: re.Match[str]) -> str:
            new = replaced(match)
            if new != match[0]:
                tell(match[0])
            return new

        return pattern.sub(replace, text)

    if "//" in text or "/\\/" in text:
        text = told(_URL, lambda match: _url_without_secrets(match[0]), text)
    if "AKIA" in text or "ASIA" in text:
        text = told(_AWS_KEY_ID, lambda match: match[0][:4] + CUT, text)
    return text


def _url_without_secrets(url: str) -> str:
    start = url.index("/", url.index("/") + 1) + 1
    end = min((found for found in (url.find(mark, start) for mark in "/?#\\") if found >= 0), default=len(url))
    user, at, host = url[start:end].rpartition("@")
    authority = f"{CUT}@{host}" if at and user else url[start:end]
    path, hash_mark, fragment = url[end:].partition("#")
    path, question, query = path.partition("?")
    return url[:start] + authority + path + question + _pairs(query) + hash_mark + _pairs(fragment)


def _pairs(query: str) -> str:
    return without_secrets(query.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _text_without_urls_secrets(text: bytes) -> bytes:
    readable = text.decode("utf-8", "surrogateescape")
    return _string_without_secrets(readable, lambda _: None).encode("utf-8", "surrogateescape")


def _shown_key(match: re.Match[str]) -> str:
    return "sk-" + CUT if match[0].startswith("sk-") else CUT


def _is_secret(name: str) -> bool:
    return name.lower() in _SHORT_NAMES or _NAME_TEXT.search(name) is not None


def _unquoted(name: bytes) -> str:
    return unquote_to_bytes(name).decode("latin-1")


def _forms(secret: bytes) -> tuple[bytes, ...]:
    """How a secret may be written: as it is, in JSON, in JSON with escaped slashes, in a URL."""
    if len(secret) < SHORTEST_SECRET:
        return ()
    text = secret.decode("utf-8", "surrogateescape")
    in_json = json.dumps(text)[1:-1].encode()
    in_json_as_is = json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "surrogateescape")
    in_url = quote(secret, safe="").encode()
    return tuple(dict.fromkeys((secret, in_json, in_json_as_is, in_json.replace(b"/", b"\\/"), in_url)))
