"""Requirements that no mutant of the catalogue breaks, and why: what the matrix says of them in place of a kill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

REASONS: Final[Mapping[str, str]] = {}
"""None at present: each requirement that can be observed has a mutant."""
