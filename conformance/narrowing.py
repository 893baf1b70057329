"""From a valid body that a target refuses to the few settings that are to blame.

A setting is a field that differs from the plainest body, which the target accepts. One after the other is taken back;
what is left when nothing more can be is either one field, or several that the target does not take together.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.bodies import IMG2IMG, IMG2IMG_V2, TXT2IMG, TXT2IMG_V2, Body, img2img, img2img_v2, txt2img, txt2img_v2
from conformance.expect import Claim, accepted_v2, accepted_v3
from conformance.findings import Finding
from conformance.places import Places
from conformance.session import Session
from conformance.wire import MISSING, Exchange
from openapi.inventory import Aspect
from openapi.problems import Step, show

SUBMITS = (TXT2IMG, IMG2IMG, TXT2IMG_V2, IMG2IMG_V2)
ACCEPTANCE: Mapping[str, str] = {
    TXT2IMG: "V3-TXT2IMG-002",
    IMG2IMG: "V3-IMG2IMG-002",
    TXT2IMG_V2: "V2-TXT2IMG-002",
    IMG2IMG_V2: "V2-IMG2IMG-002",
}
"""Which row says that optional fields may be set, of each submit operation."""

Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """What is to blame for a refusal.

    Attributes:
        settings: values by place, as few as could be found.
        exchange: the smallest submit that is still refused.
    """

    settings: dict[Path, Any]
    exchange: Exchange

    def explains(self, body: Body) -> bool:
        """Whether another body has all of the settings too."""
        return all(_at(body, path) == value for path, value in self.settings.items())


async def plain(session: Session, operation_id: str) -> Body:
    """The plainest body of a submit operation, ordering no work where the target allows that."""
    names = await session.names()
    makers = {TXT2IMG: txt2img, IMG2IMG: img2img, TXT2IMG_V2: txt2img_v2, IMG2IMG_V2: img2img_v2}
    return await session.free(operation_id, makers[operation_id](names))


async def is_free(session: Session, operation_id: str) -> bool:
    """Whether submits of an operation can be sent without ordering pictures."""
    body = await plain(session, operation_id)
    return body.get("n_iter") == 0 if operation_id.endswith("V2") else "webhook" in body.get("extra", {})


def is_accepted(operation_id: str, answer: Exchange) -> bool:
    """Whether a submit was accepted."""
    return acceptance(operation_id).judge(answer)[0]


def acceptance(operation_id: str) -> Claim:
    """That a submit is accepted."""
    return accepted_v2() if operation_id.endswith("V2") else accepted_v3()


async def narrow(session: Session, operation_id: str, body: Body, purpose: str) -> Narrowed | None:
    """The settings of a refused body that are to blame.

    Returns:
        None when the body is accepted now, or the plain one is not.
    """
    base = await plain(session, operation_id)

    async def refused(settings: Mapping[Path, Any]) -> Exchange | None:
        answer = await session.ask(operation_id, _with(base, settings), purpose=purpose)
        return None if is_accepted(operation_id, answer) else answer

    left = dict(differences(base, body))
    if await refused({}) is not None:
        return None
    shown = await refused(left)
    if shown is None:
        return None
    for path in list(left):
        fewer = {place: value for place, value in left.items() if place != path}
        answer = await refused(fewer) if fewer else None
        if answer is not None:
            left, shown = fewer, answer
    return Narrowed(settings=left, exchange=shown)


def differences(base: Body, body: Body) -> list[tuple[Path, Any]]:
    """Fields of a body that the base lacks or has another value for; one level below `request` and `extra`."""
    found: list[tuple[Path, Any]] = []
    for key, value in body.items():
        if key in ("request", "extra") and isinstance(value, dict):
            held = base.get(key, {})
            found += [((key, name), inner) for name, inner in value.items() if name not in held or held[name] != inner]
        elif key not in base or base[key] != value:
            found.append(((key,), value))
    return found


def blamed(places: Places, operation_id: str, narrowed: Narrowed, refused: Exchange) -> Finding:
    """A finding on the row that says that the settings are accepted.

    Args:
        refused: the submit that was refused at first.
    """
    if len(narrowed.settings) == 1:
        [(path, value)] = narrowed.settings.items()
        spot = places.of_acceptance(operation_id, path, _aspects(value), empty=value in ({}, []))
        rows, related, place = spot.requirements or (ACCEPTANCE[operation_id],), spot.related, spot.place
    else:
        rows, related, place = (ACCEPTANCE[operation_id],), (), operation_id
        for path, value in narrowed.settings.items():
            related += places.of_acceptance(operation_id, path, _aspects(value)).related
    told = " and ".join(f"{'.'.join(map(str, path))} {show(value)}" for path, value in narrowed.settings.items())
    return Finding(
        requirements=rows,
        expected=f"an accepted submit with {told or 'these values'}",
        actual=narrowed.exchange.brief(),
        exchanges=(refused.number, narrowed.exchange.number),
        place=place,
        related=related,
        claims=((narrowed.exchange.number, acceptance(operation_id)),),
    )


def _at(body: Any, path: Path) -> Any:
    for step in path:
        if not isinstance(body, dict) or step not in body:
            return MISSING
        body = body[step]
    return body


def _with(base: Body, settings: Mapping[Path, Any]) -> Body:
    found = copy.deepcopy(base)
    for path, value in settings.items():
        holder = found
        for step in path[:-1]:
            holder = holder.setdefault(str(step), {})
        holder[str(path[-1])] = value
    return found


def _aspects(value: Any) -> tuple[Aspect, ...]:
    """What a value shows of its field, the most telling first."""
    match value:
        case None:
            return (Aspect.NULL,)
        case bool():
            return (Aspect.DEFAULT,)
        case str():
            return (Aspect.ENUM, Aspect.LENGTH, Aspect.FORMAT)
        case int() | float():
            return (Aspect.RANGE, Aspect.ENUM)
        case list():
            return (Aspect.ITEMS,)
    return ()
