"""Magic inputs: ordinary fields of a request that ask for trouble, for clients that can be told nothing else.

A prompt holds directives (`a fox [[mock:fail=out of memory]]`), the checkpoint or the seed is a reserved one. Nothing
of the request is changed: it is echoed, and drawn, as it was sent. docs/magic.md is written from the tables here and
in `mockserver.faults.directives`. The key's suffix (`sk-mock-mine--slow-queue`) is read by `mockserver.access`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mockserver.core.errors import Reason, Refusal, V2Code
from mockserver.faults.directives import SHOWN, Spell, cast
from mockserver.faults.effects import Effect, read_effect
from mockserver.faults.kinds import Kind
from mockserver.faults.marks import CLOSING, MODEL_PREFIX, OPENING
from mockserver.faults.options import PlanError
from mockserver.faults.points import Point
from mockserver.faults.rules import Match, Rule

STAND_IN = "dreamshaper_8_93211.safetensors"
"""The checkpoint that draws for the reserved names."""
ALWAYS = 1_000_000
"""Often enough: an upper limit of `times`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """A reserved model name or seed: it stands for directives."""

    items: str
    what: str


MODELS: Mapping[str, Reserved] = {
    "mock-always-fail.safetensors": Reserved(items="fail", what="the task fails"),
    "mock-slow-60s.safetensors": Reserved(
        items="slow=60s", what="the work takes 60 s longer; any TIME may stand there"
    ),
    "mock-stuck.safetensors": Reserved(items="stuck", what="the task never ends"),
    "mock-vanish.safetensors": Reserved(items="vanish", what="half-way the task is unknown"),
    "mock-lost-ack.safetensors": Reserved(items="lost-ack", what="accepted and paid, the answer is lost"),
    "mock-rate-limited.safetensors": Reserved(items="429x2", what="refused twice, then accepted"),
    "mock-expired-links.safetensors": Reserved(items="url-ttl=1s", what="links live one second"),
    "mock-nsfw.safetensors": Reserved(items="nsfw", what="the classifier finds every picture unsafe"),
    "mock-flaky-every-3rd.safetensors": Reserved(
        items="", what="every third submit with it is answered 503 before a task is made; any ordinal may stand there"
    ),
    "mock-no-balance.safetensors": Reserved(
        items="", what="every submit with it is refused with BILLING_BALANCE_NOT_ENOUGH (v2: code 7)"
    ),
}
"""Checkpoints that are accepted and not listed: `GET /v3/model` stays what the service documents."""

SEEDS: Mapping[int, Reserved] = {
    4000000002: Reserved(items="fail", what="the task fails at the end of its work"),
    4000000119: Reserved(items="fail-at=progress", what="the task fails while it is worked on"),
    4000000341: Reserved(items="lost-ack", what="accepted and paid, the answer is lost"),
    4000000429: Reserved(items="429x2", what="refused twice with 429, then accepted"),
    4000000503: Reserved(items="503x2", what="refused twice with 503, then accepted"),
    4000000060: Reserved(items="slow=60s", what="the work takes 60 s longer"),
    4000000404: Reserved(items="vanish", what="half-way the task is unknown"),
    4000000403: Reserved(items="url-ttl=1s", what="links live one second"),
    4000000666: Reserved(items="nsfw", what="the classifier finds every picture unsafe"),
    4000000999: Reserved(items="stuck", what="the task never ends"),
}

_SLOW = re.compile(r"mock-slow-([0-9a-z.]{1,40})\.safetensors")
_FLAKY = re.compile(r"mock-flaky-every-([0-9]{1,6})(?:st|nd|rd|th)\.safetensors")


def is_reserved(model: str) -> bool:
    """Whether a model's name is one of ours."""
    return model in MODELS or _of_model(model) is not None


def spell_of(request: Mapping[str, Any], where: str) -> Spell | None:
    """What the drawing part of a valid request asks for; None, in nearly all cases, when it asks for nothing.

    Args:
        request: the object with the prompt in it: `request` in v3, the whole body in v2.
        where: what a message calls the prompt.

    Raises:
        Refusal: a directive that there is not, or with a value that it cannot have.
    """
    prompt, model, seed = request.get("prompt") or "", request.get("model_name") or "", request.get("seed")
    asking = OPENING in prompt
    reserved = model.startswith(MODEL_PREFIX)
    if not (asking or reserved or seed in SEEDS):
        return None
    spells = []
    if seed in SEEDS:
        assert seed is not None
        spells.append(cast(SEEDS[int(seed)].items, "seed"))
    if reserved:
        found = _of_model(model)
        if found is not None:
            spells.append(found)
    if asking:
        spells.append(_of_prompt(prompt, where))
    return _together(spells) if spells else None


def unknown_model(name: str) -> str:
    """What to say of a name that looks like one of ours and is none."""
    return f"{name[:SHOWN]!r} is none of the reserved models; they are {', '.join(MODELS)}"


def _of_model(name: str) -> Spell | None:
    """What a reserved name asks for; None for any other name."""
    if name == "mock-no-balance.safetensors":
        refusal = {"reason": Reason.BILLING_BALANCE_NOT_ENOUGH.value, "message": "this account has no credit"}
        effect = read_effect({Kind.STATUS.value: refusal}, Point.SUBMIT_BEFORE, ())
        return Spell(rules=(_own(effect, ALWAYS),))
    flaky = _FLAKY.fullmatch(name)
    if flaky is not None and int(flaky[1]) > 0:
        effect = read_effect({Kind.STATUS.value: 503}, Point.SUBMIT_BEFORE, ())
        every = Rule(
            point=Point.SUBMIT_BEFORE, effect=effect, match=Match(model=name), every=int(flaky[1]), source="model"
        )
        return Spell(lasting=(every,))
    slow = _SLOW.fullmatch(name)
    if slow is not None:
        try:
            return cast(f"slow={slow[1]}", "model")
        except PlanError:
            return None
    return cast(MODELS[name].items, "model") if name in MODELS else None


def _own(effect: Effect, times: int) -> Rule:
    return Rule(point=Point.SUBMIT_BEFORE, effect=effect, times=times, bounded=False, source="model")


def _of_prompt(prompt: str, where: str) -> Spell:
    items = []
    for part in prompt.split(OPENING)[1:]:
        inside, closing, _ = part.partition(CLOSING)
        if not closing:
            raise _refused(f"{where}: [[mock:{inside[:SHOWN]} is not closed; expected ]] behind it")
        items.append(inside)
    try:
        return cast(",".join(items), "prompt")
    except PlanError as error:
        raise _refused(f"{where}: [[mock:...]]: {error.detail}") from None


def _together(spells: Sequence[Spell]) -> Spell:
    """Several as one: what the prompt says comes before the model's name, and that before the seed."""
    found = spells[0]
    for spell in spells[1:]:
        found = replace(
            found,
            rules=(*spell.rules, *found.rules),
            lasting=(*spell.lasting, *found.lasting),
            link_ttl_s=found.link_ttl_s if spell.link_ttl_s is None else spell.link_ttl_s,
            nsfw_confidence=found.nsfw_confidence if spell.nsfw_confidence is None else spell.nsfw_confidence,
        )
    return found


def _refused(detail: str) -> Refusal:
    return Refusal(Reason.INVALID_REQUEST_BODY, f"{detail} (docs/magic.md; --no-magic)", v2_code=V2Code.INVALID_JSON)
