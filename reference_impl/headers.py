"""What the head of a .safetensors file tells: names, shapes, notes. No weights are read, no torch is needed.

The layout is safetensors' own: eight bytes with the length of a JSON object, that object, then the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import orjson

LONGEST = 100_000_000
"""Bytes; the format itself allows no longer head."""


class HeadError(ValueError):
    """The file is no .safetensors file, or it is cut off; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Names and shapes of the tensors, and the notes (`__metadata__`) that whoever made the file has left."""

    shapes: Mapping[str, tuple[int, ...]]
    notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def any(self, *starts: str) -> bool:
        """Whether the name of a tensor begins with one of these."""
        return any(name.startswith(starts) for name in self.shapes)


def head(file: Path) -> Head:
    """The head of a file.

    Raises:
        HeadError: it is not in this format.
    """
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 0 < length <= LONGEST:
            raise HeadError(f"{file.name} is no .safetensors file")
        raw = stream.read(length)
    if len(raw) < length:
        raise HeadError(f"{file.name} is no .safetensors file, or a part of one")
    try:
        read = orjson.loads(raw)
        notes = read.pop("__metadata__", None) or {}
        shapes = {name: tuple(about["shape"]) for name, about in read.items()}
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise HeadError(f"{file.name} is no .safetensors file, or a part of one") from error
    return Head(shapes=MappingProxyType(shapes), notes=MappingProxyType(notes))
