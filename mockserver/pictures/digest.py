"""The digest of a recipe: 16 bytes that two recipes share exactly when they ask for the same pictures.

The encoding walks the dataclass fields, so a field added to the recipe takes part without a change here. A field that
holds its default is left out: adding one with a default does not change the digest of older recipes.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from hashlib import blake2b, shake_128

from mockserver.core.recipe import Recipe

DIGEST_BYTES = 16


def recipe_digest(recipe: Recipe) -> bytes:
    """Sixteen bytes that stand for the recipe: independent of the output format, of the process and of the platform.

    Pictures inside the recipe take part by their own hash, numbers by value (7 and 7.0 are the same guidance).
    """
    return blake2b(_encoded(recipe), digest_size=DIGEST_BYTES, person=b"novita-mock rcp1").digest()


def stream(key: bytes, label: bytes, size: int) -> bytes:
    """`size` bytes drawn from a key, the only source of chance in a picture; another label gives other bytes."""
    return shake_128(label + b":" + key).digest(size)


def _encoded(value: object) -> bytes:
    """A self-delimiting encoding: one letter for the type, the length, the content."""
    if is_dataclass(value) and not isinstance(value, type):
        parts = []
        for field in fields(value):
            content = getattr(value, field.name)
            if content != _default(field):
                parts.append(_framed(b"f", field.name.encode()) + _encoded(content))
        return _framed(b"d", b"".join(parts))
    match value:
        case None:
            return b"n"
        case bool():
            return b"t" if value else b"u"
        case Enum():
            return _encoded(value.value)
        case int():
            return _framed(b"i", str(value).encode())
        case float():
            return (
                _framed(b"i", str(int(value)).encode()) if value.is_integer() else _framed(b"g", repr(value).encode())
            )
        case str():
            return _framed(b"s", value.encode("utf-8", "surrogatepass"))
        case bytes():
            return _framed(b"b", blake2b(value, digest_size=32).digest())
        case tuple():
            return _framed(b"l", b"".join(_encoded(item) for item in value))
        case _:
            raise TypeError(f"a recipe holds plain values; {type(value).__name__} has no encoding")


def _framed(letter: bytes, content: bytes) -> bytes:
    return letter + str(len(content)).encode() + b":" + content


def _default(field: Field[object]) -> object:
    # a required field has no default: an object that equals nothing keeps it in the encoding
    return field.default if field.default is not MISSING else object()
