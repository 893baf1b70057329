"""Reads the sentences of one field: ranges, value lists, defaults.

A sentence that is not known gives no fact; one that is known but makes no sense gives a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from openapi.facts import Bounds, PictureLimits, Scalar, Type

_NUMBER = r"(-?\d+(?:\.\d+)?)"
_INTERVAL = re.compile(rf"([\[(])\s*{_NUMBER}\s*,\s*{_NUMBER}\s*([\])])")
_FROM_TO = re.compile(rf"\b(?:from|between)\s+{_NUMBER}\s+(?:to|and)\s+{_NUMBER}\b", re.IGNORECASE)
_LOW = re.compile(rf"\b(?:minimum(?:\s+value)?(?:\s+is|\s+of)?|at least)\s*:?\s*{_NUMBER}", re.IGNORECASE)
_HIGH = re.compile(rf"\b(?:maximum\b[^.;,]*?\b(?:is|of)|maximum:?|at most)\s+{_NUMBER}", re.IGNORECASE)
_COUNT = re.compile(rf"\b(?:up to|at most|a maximum of)\s+{_NUMBER}\b", re.IGNORECASE)
_MEGAPIXELS = re.compile(rf"{_NUMBER}\s*(?:megapixels?|MP)\b", re.IGNORECASE)
_MEGABYTES = re.compile(rf"{_NUMBER}\s*MB\b", re.IGNORECASE)
_MEGA = 1024 * 1024
_ENUM = re.compile(r"\bEnum:(?:\s*(?P<coded>`[^`]*`(?:\s*,\s*`[^`]*`)*)|(?P<bare>[^\n]*))")
_DEFAULT = re.compile(
    r"\bdefaults?(?:\s+value)?\s*(?:\bis\b|\bto\b|:)\s*(?:`(?P<coded>[^`]*)`|(?P<bare>[^\s`,;)]+))(?P<rest>[^\n]{0,20})",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"\s*(?:[.,;)]|$)")
_TITLED = re.compile(r"\*{3}\s*([^:*`]+?)\s*:\s*([\w.+-]+(?:\s*,\s*[\w.+-]+)+)")
_EITHER = re.compile(r":\s*(`[^`]*`(?:\s*,\s*`[^`]*`)*,?\s+or\s+`[^`]*`)")
_NAMED_CODES = re.compile(r"\b[A-Z]\w+=(-?\d+)\b")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_OTHER_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_LINK = re.compile(r"\[([^\[\]]+)\]\((?:[^()\s]+)\)")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


def plain(markdown: str) -> str:
    """The prose of a field: no tags, no link targets, no escapes; inline code stays as it is, back-ticks included."""
    pieces = re.split(r"(`[^`\n]*`)", markdown)
    for index in range(0, len(pieces), 2):
        text = _OTHER_TAG.sub("", _BREAK.sub("\n", pieces[index]))
        # Links first: an escaped bracket ("Range \[0, 1] (see ..)") opens none.
        pieces[index] = _ESCAPE.sub(r"\1", re.sub(_LINK, r"\1", text))
    return "".join(pieces)


class Prose:
    """What the sentences of one field say.

    Args:
        text: as `plain` gives it.
        kind: the field's type, which decides what a range means and how values are written.
        note: is told what could not be read.
    """

    def __init__(self, text: str, kind: Type, note: Callable[[str], None]) -> None:
        self.kind = kind
        self.note = note
        # Value lists are cut out first: their words ("default", "at least 1") are no sentences.
        self.enumerations = list(_ENUM.finditer(text))
        self.titled = list(_TITLED.finditer(text)) if kind is Type.STRING else []
        self.sentences = _TITLED.sub("", _ENUM.sub("", text)) if self.titled else _ENUM.sub("", text)

    def enum(self) -> tuple[tuple[Scalar, ...], tuple[tuple[str, tuple[str, ...]], ...]]:
        """The values of the field, and the titled lists when they come from such."""
        words = self._listed()
        if words is not None:
            if not words:
                self.note("'Enum:' is followed by no values")
            values = [self.value(word, "enum") for word in words]
            return tuple(value for value in values if value is not None), ()
        titles = tuple((match[1], tuple(re.split(r"\s*,\s*", match[2]))) for match in self.titled)
        return tuple(name for _, names in titles for name in names), titles

    def _listed(self) -> list[str] | None:
        """The words of a value list: "Enum: `a`, `b`", "Enum: `a, b`", ": `a` or `b`", "CodeA=0, CodeB=1"."""
        if self.enumerations:
            found = self.enumerations[0]
            if not found["coded"]:
                return _bare(found["bare"])
            words = re.findall(r"`([^`]*)`", found["coded"])
            if len(words) == 1 and "," in words[0]:
                return _bare(words[0])
            return words  # what stands between its own backticks is taken to the letter, full stop included
        if self.kind is Type.STRING and (either := _EITHER.search(self.sentences)):
            return re.findall(r"`([^`]*)`", either[1])
        codes = _NAMED_CODES.findall(self.sentences) if self.kind is Type.INTEGER else []
        return codes if len(codes) > 1 else None

    def bounds(self) -> Bounds | None:
        """The range, if the page states exactly one."""
        if self.kind is Type.ARRAY:
            found = {Bounds(high=_number(match[1])) for match in _COUNT.finditer(self.sentences)}
        else:
            found = set()
        if self.kind in {Type.STRING, Type.INTEGER, Type.NUMBER, Type.ARRAY}:
            found |= {
                Bounds(low=_number(low), high=_number(high), low_open=opening == "(", high_open=closing == ")")
                for opening, low, high, closing in _INTERVAL.findall(self.sentences)
            }
        if self.kind in {Type.INTEGER, Type.NUMBER} and not found:
            found = {Bounds(low=_number(low), high=_number(high)) for low, high in _FROM_TO.findall(self.sentences)}
            found = found or _one_sided(self.sentences)
        if len(found) > 1:
            self.note(f"several ranges, none taken: {', '.join(sorted(map(str, found)))}")
        return found.pop() if len(found) == 1 else None

    def default(self) -> Scalar | None:
        """The default, if a sentence names one."""
        match = _DEFAULT.search(self.sentences)
        if match is None:
            return None
        if match["coded"] is not None:
            return self.value(match["coded"], "default")
        # A bare word has to end its sentence: "default is 1 day" and "defaults to the size" name no value.
        word = match["bare"].rstrip(".").strip("'\"")
        if match["bare"].endswith(".") or _SENTENCE_END.match(match["rest"]):
            return self.value(word, "default")
        self.note(f"default {(word + match['rest']).rstrip(' .')!r} is no single value")
        return None

    def picture(self) -> PictureLimits | None:
        """Limits of a picture: "16 megapixels" (of 1024 x 1024 each, so that 4096 x 4096 fits) and "10 MB"."""
        pixels = _MEGAPIXELS.search(self.sentences) if self.kind is Type.STRING else None
        size = _MEGABYTES.search(self.sentences) if self.kind is Type.STRING else None
        if pixels is None and size is None:
            return None
        return PictureLimits(
            max_pixels=round(float(pixels[1]) * _MEGA) if pixels else None,
            max_bytes=round(float(size[1]) * _MEGA) if size else None,
        )

    def value(self, word: str, what: str) -> Scalar | None:
        """A word as a value of the field's type; None, and a note, when it is none."""
        match self.kind:
            case Type.INTEGER | Type.NUMBER if re.fullmatch(_NUMBER, word):
                number = _number(word)
                if self.kind is Type.NUMBER or isinstance(number, int):
                    return number
            case Type.BOOLEAN if word.lower() in {"true", "false"}:
                return word.lower() == "true"
            case Type.STRING:
                return word
            case _:
                pass
        self.note(f"{what} {word!r} is no {self.kind.value}")
        return None


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _bare(text: str) -> list[str]:
    return [word for word in (part.strip().rstrip(".") for part in text.split(",")) if word]


def _one_sided(sentences: str) -> set[Bounds]:
    lows = [_number(text) for text in _LOW.findall(sentences)]
    highs = [_number(text) for text in _HIGH.findall(sentences)]
    if not lows and not highs:
        return set()
    if len(lows) <= 1 and len(highs) <= 1:
        return {Bounds(low=lows[0] if lows else None, high=highs[0] if highs else None)}
    return {Bounds(low=low) for low in lows} | {Bounds(high=high) for high in highs}
