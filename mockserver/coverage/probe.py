"""The places to count at, by field: what makes reading a call cheap."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mockserver.coverage.fields import Field, Limit
from mockserver.coverage.item import Dimension
from mockserver.coverage.items_of_requests import left_out_key, sent_key, value_key
from mockserver.coverage.model import Universe
from openapi.catalogue import Kind

MAX_ENTRIES = 100
"""Entries of an array that are looked at."""

_KINDS = {
    "checkpoint-name": Kind.CHECKPOINT,
    "vae-name": Kind.VAE,
    "lora-name": Kind.LORA,
    "embedding-name": Kind.TEXTUALINVERSION,
}
_UPSCALERS = frozenset({"upscaler", "hr_upscaler"})
_CONTROL_MODEL = re.compile(r"controlnet.*\.(model|model_name)")
_LORA_IN_PROMPT = re.compile(r"<lora:[^>]+>")


class Probe:
    """The places to count at for one field, so that a call costs a few look-ups per field.

    Places are positions in the list of counts; -1 stands for none.
    """

    __slots__ = (
        "absent",
        "bases",
        "booleans",
        "entries",
        "fields",
        "kind",
        "lengths",
        "lora",
        "name",
        "null",
        "numbers",
        "sent",
        "words",
    )

    def __init__(self, universe: Universe, operation_id: str, field: Field, checkpoints: Mapping[str, int]) -> None:
        places = universe.places
        self.name = field.name
        self.sent = places[sent_key(operation_id, field)]
        self.absent = places.get(left_out_key(operation_id, field), -1)
        self.null = -1
        self.words: dict[str, int] = {}
        self.numbers: dict[float, tuple[int, ...]] = {}
        self.booleans: dict[bool, int] = {}
        self.lengths: dict[int, int] = {}
        self.entries: dict[int, int] = {}
        for edge in field.edges:
            self._add(places[value_key(operation_id, field, edge)], edge.limit, edge.value)
        self.kind = places.get(f"{Dimension.MODELS.value}:kind={_kind_of(field)}", -1)
        self.bases = checkpoints if field.format == "checkpoint-name" else {}
        in_prompt = field.name == "prompt" and operation_id.endswith("V2")
        self.lora = places.get(f"{Dimension.MODELS.value}:kind={Kind.LORA.value}", -1) if in_prompt else -1
        self.fields = tuple(Probe(universe, operation_id, one, checkpoints) for one in field.fields)

    def _add(self, place: int, limit: Limit, value: Any) -> None:
        match limit:
            case Limit.SHORTEST | Limit.LONGEST:
                self.lengths[value] = place
            case Limit.FEWEST | Limit.MOST:
                self.entries[value] = place
            case _ if value is None:
                self.null = place
            case _ if isinstance(value, bool):
                self.booleans[value] = place
            case _ if isinstance(value, str):
                self.words[value] = place
            case _:
                self.numbers[value] = (*self.numbers.get(value, ()), place)

    def count(self, value: object, counts: list[int]) -> None:
        """Counts a value that was sent; null stands for absence where the document does not allow it."""
        if value is None:
            if self.null >= 0:
                counts[self.sent] += 1
                counts[self.null] += 1
            elif self.absent >= 0:
                counts[self.absent] += 1
            return
        counts[self.sent] += 1
        kind = type(value)
        if kind is str:
            self._count_text(str(value), counts)
        elif kind is bool:
            if (place := self.booleans.get(bool(value))) is not None:
                counts[place] += 1
        elif kind is int or kind is float:
            for place in self.numbers.get(value, ()):  # type: ignore[call-overload]  # int and float are equal keys
                counts[place] += 1
        elif isinstance(value, list):
            if (place := self.entries.get(len(value))) is not None:
                counts[place] += 1
            for entry in value[:MAX_ENTRIES] if self.fields else ():
                if isinstance(entry, dict):
                    count_fields(self.fields, entry, counts)
        elif isinstance(value, dict) and self.fields:
            count_fields(self.fields, value, counts)

    def _count_text(self, text: str, counts: list[int]) -> None:
        if (place := self.words.get(text)) is not None:
            counts[place] += 1
        if self.lengths and (place := self.lengths.get(len(text))) is not None:
            counts[place] += 1
        if self.kind >= 0 and text:
            counts[self.kind] += 1
        if self.bases and (place := self.bases.get(text)) is not None:
            counts[place] += 1
        if self.lora >= 0 and _LORA_IN_PROMPT.search(text):
            counts[self.lora] += 1

    def typed(self, text: str) -> str | int | bool:
        """A query value as its field's limits have it."""
        if self.booleans and text in ("true", "false"):
            return text == "true"
        if self.numbers and text.isascii() and text.isdigit() and len(text) <= 18:
            return int(text)
        return text


def count_fields(probes: tuple[Probe, ...], given: Mapping[str, Any], counts: list[int]) -> None:
    """Counts each known field of an object, sent or left out; others are nobody's."""
    for probe in probes:
        if probe.name in given:
            probe.count(given[probe.name], counts)
        elif probe.absent >= 0:
            counts[probe.absent] += 1


def _kind_of(field: Field) -> str:
    if field.format in _KINDS:
        return _KINDS[field.format].value
    if field.name in _UPSCALERS:
        return Kind.UPSCALER.value
    return Kind.CONTROLNET.value if _CONTROL_MODEL.search(field.path) else ""
