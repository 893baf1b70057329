"""Answers as bytes on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response


class JSONAnswer(Response):
    """A JSON body."""

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(content, status_code, headers)

    def render(self, content: Any) -> bytes:
        """The value as JSON; mappings of any kind become objects."""
        return orjson.dumps(content, default=dict)
