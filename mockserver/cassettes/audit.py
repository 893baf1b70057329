"""Looks for what must not be in a cassette: keys, tokens, addresses, ids, people."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from mockserver.cassettes.cassette import CassetteError, files_of, read_cassette

MIN_TOKEN = 20
ENTROPY_BITS = 3.6
"""Bits per character from which a long word looks drawn rather than written; English has about 3 in a word of 20."""

MIN_PART = 4.0
"""Letters in a row, on average, from which a name is one that somebody chose."""

_DIGESTS = re.compile(r"match|ending\.pictures\.\d+\.sha256|request\.[a-z0-9_.]+\.sha256")
"""Places where a digest belongs."""
_PATTERNS = (
    ("an API key", re.compile(r"\bsk[-_][A-Za-z0-9_-]{4,}")),
    ("a bearer token", re.compile(r"\b[Bb]earer[ +]\S{6,}")),
    ("an AWS key id", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a signature", re.compile(r"(?i)x-amz-(?:signature|credential|security-token)|[?&](?:sig|signature|token|key)=")),
    ("a JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.")),
    ("an address", re.compile(r"(?i)\b[a-z][a-z0-9+.-]{1,20}://\S+")),
    ("an IP address", re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")),
    ("a task id", re.compile(r"(?i)\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")),
    ("an e-mail address", re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")),
    ("a home folder", re.compile(r"(?i)(?:/home/|/Users/|C:\\Users\\)\w+")),
)
_TOKEN = re.compile(rf"[A-Za-z0-9+/_=-]{{{MIN_TOKEN},}}")
_HEX = re.compile(r"(?=.*[0-9])(?=.*[a-fA-F])[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something that should not be there.

    Attributes:
        place: dotted path in the cassette, or the name of a picture's file.
        what: what it looks like; the thing itself is not told again.
    """

    file: Path
    place: str
    what: str


def audit(path: Path, allowed: Collection[str] = ()) -> Iterator[Leftover]:
    """Everything that should not be in the cassettes of a path.

    Args:
        path: a file, or a folder.
        allowed: words that may stand there, such as names of models.

    Raises:
        CassetteError: there is none.
    """
    for file in files_of(path):
        raw = file.read_bytes()
        try:
            read_cassette(raw)
        except CassetteError as error:
            yield Leftover(file=file, place="", what=f"no cassette as this version writes it: {error}")
        try:
            given = orjson.loads(raw)
        except ValueError:
            continue
        for place, text in _texts(given, ""):
            yield from (Leftover(file=file, place=place, what=what) for what in looks_like(place, text, allowed))
        yield from _of_pictures(file, given)


def _of_pictures(file: Path, given: Any) -> Iterator[Leftover]:
    """What the texts inside kept pictures hold; programs that draw write what they know into the file."""
    ending = given.get("ending") if isinstance(given, dict) else None
    pictures = ending.get("pictures") if isinstance(ending, dict) else None
    for picture in pictures if isinstance(pictures, list) else []:
        name = picture.get("file") if isinstance(picture, dict) else None
        if not isinstance(name, str):
            continue
        path = file.parent / name
        if path.parent != file.parent or not path.is_file():
            yield Leftover(file=file, place=name, what="a picture that is not there")
            continue
        text = path.read_bytes().decode("latin-1")
        for what, pattern in _PATTERNS[:5]:
            if pattern.search(text):
                yield Leftover(file=file, place=name, what=what)


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            at = f"{path}.{name}" if path else name
            yield at, name
            yield from _texts(inner, at)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{path}.{index}")
    elif isinstance(value, str):
        yield path, value


def looks_like(place: str, text: str, allowed: Collection[str] = ()) -> Iterator[str]:
    """What a text at a place of a cassette holds that it should not."""
    for what, pattern in _PATTERNS:
        if pattern.search(text):
            yield what
    if not _DIGESTS.fullmatch(place) and text not in allowed:
        for word in _TOKEN.findall(text):
            if word not in allowed and _drawn(word):
                yield f"a word of {len(word)} characters that looks drawn by chance"
                return


def _drawn(word: str) -> bool:
    """Whether a long word has more chance in it than words that people write: digits or both cases, and no pattern."""
    if _HEX.fullmatch(word):
        return True
    counts = Counter(word)
    bits = -sum(count / len(word) * math.log2(count / len(word)) for count in counts.values())
    mixed = sum((any(map(str.isdigit, word)), any(map(str.islower, word)), any(map(str.isupper, word))))
    return mixed >= 2 and bits >= ENTROPY_BITS and not _is_spoken(word)


def _is_spoken(word: str) -> bool:
    """Whether it is made of words: model names such as dreamshaperXL09Alpha_alpha2Xl10_91562 are."""
    parts = [part for part in re.split(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])", word) if part]
    digits = sum(map(str.isdigit, word))
    return digits <= len(word) / 3 and bool(parts) and sum(map(len, parts)) / len(parts) >= MIN_PART
