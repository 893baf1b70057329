"""Requirements that no mutant of the catalogue breaks, and why: what the matrix says of them in place of a kill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_BUCKET = "needs a bucket; shown red and green with an S3 server in tests/conformance/test_checks_storage.py"

REASONS: Final[Mapping[str, str]] = {f"V3-STORAGE-00{number}": _BUCKET for number in range(4, 8)}
