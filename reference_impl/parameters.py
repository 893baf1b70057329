"""Kinds of values on the command line, and how a command says that it cannot start."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import click

EXTRA = "this needs torch and diffusers, which are not installed: pip install 'novita-mock[reference]'"
NEEDED = ("torch", "diffusers", "transformers")
CANNOT_START = 3


class Failure(click.ClickException):
    """What was asked for cannot be started; the message says why and what helps."""

    exit_code = CANNOT_START


class Bytes(click.ParamType[int]):
    """A size in bytes."""

    name = "size"
    _UNITS = MappingProxyType({"": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3})

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes, from a number with or without KB, MB, GB."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]B)?", str(value).strip().upper())
        if found is None:
            self.fail(f"{value!r} is no size; write such as 4GB or 512MB", param, ctx)
        return int(float(found[1]) * self._UNITS[found[2] or ""])


class Seconds(click.ParamType[int]):
    """A time in seconds."""

    name = "time"
    _UNITS = MappingProxyType({"": 1, "S": 1, "M": 60, "H": 3600, "D": 86400})

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds, from a number with or without s, m, h, d."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+)\s*([SMHD]?)", str(value).strip().upper())
        if found is None:
            self.fail(f"{value!r} is no time; write such as 90s, 30m, 12h or 7d", param, ctx)
        return int(found[1]) * self._UNITS[found[2]]


class RayAddress(click.ParamType[str]):
    """Where a Ray cluster is.

    Args:
        local: whether a cluster of this machine's own may be meant.
    """

    name = "address"

    def __init__(self, *, local: bool = False) -> None:
        self._words = ("auto", "local") if local else ("auto",)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address as it was given."""
        said = str(value).strip()
        if said not in self._words and not re.fullmatch(r"[^:\s/]+:\d{1,5}", said):
            self.fail(
                f"{value!r} is no address of a Ray cluster; write host:port, {' or '.join(self._words)}", param, ctx
            )
        return said


def pairs(aliases: Sequence[str]) -> dict[str, str]:
    """What `--alias OFFICIAL=NAME` says, once or often.

    Raises:
        click.BadParameter: one is not of this form.
    """
    split = [alias.partition("=") for alias in aliases]
    for official, equals, name in split:
        if not (official and equals and name):
            raise click.BadParameter(f"{official + equals + name!r} is not OFFICIAL=NAME", param_hint="--alias")
    return {official: name for official, _, name in split}


def require_engine() -> None:
    """Say at once what is missing, without importing it: that takes ten seconds.

    Raises:
        Failure: torch, diffusers or transformers is.
    """
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        raise Failure(EXTRA)
