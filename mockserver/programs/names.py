"""The names that programs know: of the vendor's host, and of the variables that its own clients read."""

from __future__ import annotations

VENDOR_HOST = "api.novita.ai"
KEY_VARIABLE = "NOVITA_API_KEY"
URI_VARIABLE = "NOVITA_API_URI"
KEY = "sk-mock-run"
"""A program's key, unless another is given: always the same, so that a tape fits the next run."""
