"""Makes an OpenAPI document of what pages state, and puts the reviewed overlay on it.

The derived document holds facts only: names, types, required, null, ranges, value lists, defaults, each field with its
source line in `x-source`. Words of the pages are not copied. What no page states, and where the committed document
reads a page otherwise, is said by `overlay.yaml`, one reason per action.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openapi.facts import ITEMS, Bounds, Field, Page, Place, Type, dotted
from openapi.overlay import Applied, Overlay, apply_overlay
from openapi.overlay import steps as target_steps
from openapi.spec_errors import DerivationError

JSON = "application/json"

_PARAMETER_PLACES = (Place.PATH, Place.QUERY, Place.HEADER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """A derived document.

    Attributes:
        stated: what the pages say, nothing else.
        document: the same with the overlay on it; the same object when there is no overlay.
        applied: what each action of the overlay did.
    """

    pages: tuple[Page, ...]
    stated: Mapping[str, Any]
    document: Mapping[str, Any]
    overlay: Overlay | None
    applied: tuple[Applied, ...]

    def stale_actions(self) -> list[tuple[Applied, str]]:
        """Actions that have nothing to do any more although their operation is among the pages, and why."""
        stale = []
        for applied in self.applied:
            if not self._concerns_pages(applied.action.target):
                continue
            if not applied.nodes:
                stale.append((applied, "selects nothing: what it was written for is gone"))
            elif not applied.changed:
                stale.append((applied, "changes nothing: the page says so itself now"))
        return stale

    def _concerns_pages(self, target: str) -> bool:
        """Whether the place that a target begins with (a path or a component) is in this document."""
        names = [step for _, step in target_steps(target)]
        for prefix in (["paths"], ["components", "schemas"]):
            if names[: len(prefix)] == prefix and len(names) > len(prefix):
                node: Any = self.stated
                for name in prefix:
                    node = node.get(name, {})
                return names[len(prefix)] is None or names[len(prefix)] in node
        return True


def derive(pages: Sequence[Page], overlay: Overlay | None = None) -> Derivation:
    """The document that pages state, with the overlay applied.

    Raises:
        DerivationError: two pages for one operation, or fields that contradict each other.
        OverlayError: the overlay cannot be applied.
    """
    stated = state(pages)
    if overlay is None:
        return Derivation(pages=tuple(pages), stated=stated, document=stated, overlay=None, applied=())
    document, applied = apply_overlay(stated, overlay)
    return Derivation(pages=tuple(pages), stated=stated, document=document, overlay=overlay, applied=tuple(applied))


def state(pages: Iterable[Page]) -> dict[str, Any]:
    """An OpenAPI document of the pages' facts.

    Each operation has the components `<Method><Path>Request` and `<Method><Path>Response`, so that overlay targets
    stay short; everything below them is written in place.

    Raises:
        DerivationError: two pages for one operation, or one field twice on a page.
    """
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    security_schemes: dict[str, Any] = {}
    titles: list[str] = []
    for page in pages:
        methods = paths.setdefault(page.path, {})
        if page.method.lower() in methods:
            raise DerivationError(f"{page.file}: a second page for {page.operation}")
        methods[page.method.lower()] = _operation(page, schemas, security_schemes)
        titles.append(page.operation)
    components: dict[str, Any] = {"schemas": schemas}
    if security_schemes:
        components["securitySchemes"] = security_schemes
    info = {"title": f"What the pages state about {', '.join(titles)}", "version": "0"}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": components}


def component_name(page: Page, suffix: str) -> str:
    """`POST /v2/txt2img`, Request: `PostV2Txt2imgRequest`."""
    words = re.findall(r"[A-Za-z0-9]+", f"{page.method.lower()} {page.path}")
    return "".join(word[0].upper() + word[1:] for word in words) + suffix


def _operation(page: Page, schemas: dict[str, Any], security_schemes: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {"x-source": Path(page.file).name}
    by_place: dict[Place, list[Field]] = {place: [] for place in Place}
    for item in page.fields:
        by_place[item.place].append(item)

    media_type = JSON
    parameters = []
    for item in (item for place in _PARAMETER_PLACES for item in by_place[place]):
        header = item.name.lower() if item.place is Place.HEADER else ""
        if header == "authorization":
            # OpenAPI says this by a security scheme: a header parameter of that name is ignored.
            security_schemes["Authorization"] = {"type": "apiKey", "in": "header", "name": "Authorization"}
            operation["security"] = [{"Authorization": []}] if item.required else [{"Authorization": []}, {}]
        elif header == "content-type":
            # ... and this by the key of `content`.
            media_type = str(item.enum[0]) if item.enum else JSON
        else:
            parameters.append(_parameter(item, page))
    if parameters:
        operation["parameters"] = parameters
    if by_place[Place.BODY]:
        name = component_name(page, "Request")
        schemas[name] = _object(by_place[Place.BODY], page)
        operation["requestBody"] = {"required": True, "content": {media_type: {"schema": _reference(name)}}}
    response: dict[str, Any] = {"description": "Accepted"}
    if by_place[Place.RESPONSE]:
        name = component_name(page, "Response")
        schemas[name] = _object(by_place[Place.RESPONSE], page)
        response["content"] = {JSON: {"schema": _reference(name)}}
    operation["responses"] = {"200": response}
    return operation


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _parameter(item: Field, page: Page) -> dict[str, Any]:
    return {
        "name": item.name,
        "in": item.place.value,
        "required": item.required,
        "schema": schema_of(item),
        "x-source": _source(item, page),
    }


def _object(fields: Iterable[Field], page: Page) -> dict[str, Any]:
    """One schema of the fields of one place, nested as their paths say."""
    root: dict[str, Any] = {"type": "object"}
    schemas: dict[tuple[str, ...], dict[str, Any]] = {(): root}
    for item in fields:
        parent = schemas[item.path[:-1]]
        properties = parent.setdefault("properties", {})
        if item.path[-1] in properties:
            raise DerivationError(f"{_source(item, page)}: {item.name!r} stands on the page twice")
        schema = {**schema_of(item), "x-source": _source(item, page)}
        properties[item.path[-1]] = schemas[item.path] = schema
        if item.type is Type.ARRAY:
            schemas[*item.path, ITEMS] = schema["items"]
        if item.required:
            parent.setdefault("required", []).append(item.path[-1])
    return root


def _source(item: Field, page: Page) -> str:
    return f"{Path(page.file).name}:{item.line}"


def schema_of(item: Field) -> dict[str, Any]:
    """The JSON Schema keywords of one field's facts, without its properties and source."""
    schema: dict[str, Any] = {"type": [item.type.value, "null"] if item.nullable else item.type.value}
    if item.items is not None:
        schema["items"] = {"type": item.items.value}
    if item.enum:
        # A nullable field with a value list may be null: enum is checked beside type, so it has to hold null too.
        schema["enum"] = [*item.enum, None] if item.nullable else list(item.enum)
    if item.bounds is not None:
        schema |= _bounds(item.type, item.bounds)
    if item.default is not None:
        schema["default"] = item.default
    if item.picture is not None:
        limits = {"max-pixels": item.picture.max_pixels, "max-bytes": item.picture.max_bytes}
        schema["x-picture"] = {word: value for word, value in limits.items() if value is not None}
    return schema


def _bounds(kind: Type, bounds: Bounds) -> dict[str, Any]:
    if kind in {Type.INTEGER, Type.NUMBER}:
        low, high = ("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")
        found = {low[not bounds.low_open]: bounds.low, high[not bounds.high_open]: bounds.high}
    else:
        # Lengths and counts are whole numbers: an open end is the next one.
        words = ("minItems", "maxItems") if kind is Type.ARRAY else ("minLength", "maxLength")
        found = {
            words[0]: None if bounds.low is None else int(bounds.low) + bounds.low_open,
            words[1]: None if bounds.high is None else int(bounds.high) - bounds.high_open,
        }
    return {word: value for word, value in found.items() if value is not None}


# Writing it down -----------------------------------------------------------------------------------------------------


def as_table(pages: Iterable[Page]) -> str:
    """The facts of pages, a line per field, for the terminal."""
    lines = []
    for page in pages:
        rows = [_row(item) for item in page.fields]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines.append(f"{page.operation}  ({page.file}, {len(rows)} fields)")
        for item, row in zip(page.fields, rows, strict=True):
            cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
            lines.append(f"  {item.line:>4}  {cells}  {row[4]}".rstrip())
        lines.append("")
    return "\n".join(lines)


def _row(item: Field) -> tuple[str, str, str, str, str]:
    kind = f"{item.items.value}[]" if item.items else item.type.value
    facts = [str(item.bounds)] if item.bounds else []
    if item.enum:
        facts.append(f"one of {', '.join(map(str, item.enum[:3]))}{', ...' * (len(item.enum) > 3)} ({len(item.enum)})")
    if item.default is not None:
        facts.append(f"default {json.dumps(item.default)}")
    nullable = f"{kind} or null" if item.nullable else kind
    return item.place.value, dotted(item.path), nullable, "required" if item.required else "", "; ".join(facts)
