"""Takes secrets out of whatever is written: keys, what is made from them, signatures of links.

A secret is replaced by its name in angle brackets, so that a reader still sees which one was sent where. Everything
that leaves the process (reports, event log, terminal) passes through here first.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from conformance.target import Target

SHORTEST = 6
"""A shorter secret is hidden where it stands alone only: as a part of other text it would hide half of the report."""
SHORTEST_PART = 8
MOST_SEEN, LONGEST_SEEN = 4096, 200
"""Headers and addresses come again and again: so many short texts are remembered."""

_LINK = re.compile(
    r"((?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|AWSAccessKeyId)(?:=|%3D))[^&\s\"'\\<>]+",
    re.IGNORECASE,
)
_USER = re.compile(r"(https?://)[^\s/@\"']+@")
_FIELD = re.compile(
    r"(\\?\"[a-z0-9_]{0,40}(?:secret|password|access_key|security_token|session_token)[a-z0-9_]{0,40}\\?\"\s*:\s*\\?\")(?:[^\"\\]|\\[^\"])+",
    re.IGNORECASE,
)
_PRIVATE_HEADERS = frozenset({"cookie", "set-cookie", "proxy-authorization"})


class Redactor:
    """Replaces secrets in text.

    Args:
        secrets: name and text of each; empty texts are passed over.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        given = sorted(((text, name) for name, text in secrets.items() if text), key=lambda one: -len(one[0]))
        self._rules: list[tuple[re.Pattern[str], str]] = []
        for text, name in given:
            forms = dict.fromkeys(form for form in _forms(text) if form)
            if len(text) < SHORTEST:
                whole = "|".join(rf"(?<![\w-]){re.escape(form)}(?![\w-])" for form in forms)
                self._rules.append((re.compile(whole), f"<{name}>"))
            else:
                self._rules.append((re.compile("|".join(map(re.escape, forms)), re.IGNORECASE), f"<{name}>"))
        self._seen: dict[str, str] = {}
        self._parts: list[tuple[re.Pattern[str], str]] = []
        for text, name in given:
            part = -(-len(text) * 2 // 3)
            if part >= SHORTEST_PART:  # a key that a check cut or changed still gives most of itself away
                ends = "|".join((re.escape(text[:part]), re.escape(text[-part:])))
                self._parts.append((re.compile(ends, re.IGNORECASE), f"<{name}, altered>"))

    def text(self, text: str) -> str:
        """The same text without secrets; half a surrogate pair, which no file can hold, is spelled out."""
        if len(text) > LONGEST_SEEN:
            return self._hidden(text)
        if text not in self._seen:
            if len(self._seen) >= MOST_SEEN:
                self._seen.clear()
            self._seen[text] = self._hidden(text)
        return self._seen[text]

    def _hidden(self, text: str) -> str:
        text = text.encode("utf-8", "backslashreplace").decode()
        for pattern, name in self._rules:
            text = pattern.sub(name, text)
        for pattern, name in self._parts:
            text = _without_words(text, pattern, name)
        text = _LINK.sub(r"\1<hidden>", text)
        text = _FIELD.sub(r"\1<hidden>", text)
        return _USER.sub(r"\1<hidden>@", text)

    def headers(self, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """The same headers without secrets."""
        return [(name, "<hidden>" if name.lower() in _PRIVATE_HEADERS else self.text(value)) for name, value in headers]

    def value(self, value: object) -> object:
        """The same JSON value without secrets, in keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        return value


def redactor_for(target: Target) -> Redactor:
    """Knows the secrets that a target was given."""
    bucket = target.bucket
    return Redactor(
        {
            "api-key": target.key,
            "second-key": target.second_key,
            "s3-access-key": bucket.access_key if bucket else "",
            "s3-secret-key": bucket.secret_key if bucket else "",
        }
    )


def _without_words(text: str, pattern: re.Pattern[str], name: str) -> str:
    """Replaces whole words around what a pattern finds; by hand, as a pattern for it looks at long words for hours."""
    kept: list[str] = []
    end = 0
    for found in pattern.finditer(text):
        if found.start() < end:
            continue
        start = found.start()
        while start > end and (text[start - 1].isalnum() or text[start - 1] in "_.-"):
            start -= 1
        kept += [text[end:start], name]
        end = found.end()
        while end < len(text) and (text[end].isalnum() or text[end] in "_.-"):
            end += 1
    return "".join([*kept, text[end:]]) if kept else text


def _forms(text: str) -> Iterable[str]:
    """How a secret may stand in a text: as it is, in a URL, in JSON, reversed, in base64."""
    yield text
    yield quote(text, safe="")
    yield text.replace("\\", "\\\\").replace('"', '\\"')
    yield text[::-1] if len(text) >= SHORTEST_PART else ""
    yield base64.b64encode(text.encode()).decode().rstrip("=") if len(text) >= SHORTEST_PART else ""
