"""The tape: every fault that happened in a run, by world and position, so that another run suffers exactly the same.

A tape needs none of the rules that made it. It also names the server's seed, from which ids, drawn seeds and jitter
follow. Worlds are known by the fingerprint of their key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from mockserver.faults.effects import Effect, read_effect
from mockserver.faults.options import PlanError
from mockserver.faults.plan import Fired
from mockserver.faults.points import Point

FORMAT = "novita-mock-tape/1"

_POINTS = frozenset(map(str, Point))

Decisions = Mapping[str, Mapping[str, Effect]]
"""Effects by world and position."""


class TapeError(ValueError):
    """A file is no tape; the message says where and why."""


def tape(seed: int, worlds: Iterable[tuple[str, Iterable[Fired]]]) -> dict[str, Any]:
    """The tape of a run.

    Args:
        seed: the server's.
        worlds: the fingerprint of each key, and what happened in its world.
    """
    faults = {world: [{"at": one.position, "effect": one.effect.as_json()} for one in fired] for world, fired in worlds}
    return {"format": FORMAT, "seed": seed, "faults": {world: found for world, found in faults.items() if found}}


def read_tape(raw: bytes) -> tuple[int, Decisions]:
    """The seed and the decisions of a tape.

    Raises:
        TapeError: it is none.
    """
    try:
        found = orjson.loads(raw)
    except ValueError as error:
        raise TapeError(f"not JSON: {error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise TapeError(f"expected a tape as GET /__mock/tape gives it, 'format': {FORMAT!r}")
    seed, faults = found.get("seed"), found.get("faults")
    if not isinstance(seed, int) or isinstance(seed, bool) or not isinstance(faults, dict):
        raise TapeError("expected 'seed', a number, and 'faults', lists by world")
    try:
        return seed, {world: _decisions(entries, world) for world, entries in faults.items()}
    except PlanError as error:
        raise TapeError(str(error)) from None


def load_tape(path: Path) -> tuple[int, Decisions]:
    """Reads a tape's file; see `read_tape`.

    Raises:
        TapeError: it cannot be read, or is no tape.
    """
    try:
        return read_tape(path.read_bytes())
    except OSError as error:
        raise TapeError(f"cannot read {path}: {error.strerror}") from None
    except TapeError as error:
        raise TapeError(f"{path}: {error}") from None


def unreached(decisions: Decisions, worlds: Iterable[tuple[str, Iterable[Fired]]]) -> list[str]:
    """What a tape holds and a run never came to, as `WORLD submit.before#4`.

    Args:
        decisions: of the tape.
        worlds: the fingerprint of each key, and what happened in its world.
    """
    happened = {world: {one.position for one in fired} for world, fired in worlds}
    return [
        f"{world} {position}"
        for world, effects in decisions.items()
        for position in effects
        if position not in happened.get(world, ())
    ]


def _decisions(entries: Any, world: str) -> dict[str, Effect]:
    if not isinstance(entries, list):
        raise PlanError(("faults", world), "expected a list")
    found: dict[str, Effect] = {}
    for index, entry in enumerate(entries):
        path = ("faults", world, index)
        if not isinstance(entry, dict) or not isinstance(entry.get("at"), str) or "effect" not in entry:
            raise PlanError(path, "expected 'at' and 'effect'")
        name = entry["at"].partition("#")[0]
        if name not in _POINTS:
            raise PlanError((*path, "at"), f"unknown point {name!r}; expected one of {', '.join(Point)}")
        found[entry["at"]] = read_effect(entry["effect"], Point(name), (*path, "effect"))
    return found
