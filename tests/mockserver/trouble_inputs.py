"""What is thrown at worlds in trouble: rules of every point and effect, requests of every kind, moves of clocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from mockserver.faults.effects import EFFECTS, effects_at
from mockserver.faults.kinds import Kind
from mockserver.faults.points import Point
from tests.bodies import IMG2IMG, IMG2IMG_V2, TXT2IMG, TXT2IMG_V2, img2img, img2img_v2, txt2img, txt2img_v2
from tests.mockserver.faults.strategies import effects
from tests.mockserver.trouble_site import FULL_BUCKET, RECEIVERS

LONG_S = 40
"""Longer than any task of these worlds works."""
SMALL: Mapping[str, Any] = {"width": 128, "height": 128, "steps": 5}

Json = dict[str, Any]

_POINTS = [*(point for point in Point if point is not Point.AUTH), *[Point.WEBHOOK_ATTEMPT] * 3, *Point]
"""Where something happens; less often at the one that stands before all others."""


@st.composite
def rules(draw: st.DrawFn) -> Json:
    """A rule that may well strike, of any point and any effect that makes sense there."""
    point = draw(st.sampled_from(_POINTS))
    kind = draw(st.sampled_from(effects_at(point)))
    effect = _short(kind) if draw(st.booleans()) else draw(effects(point))
    triggers = st.fixed_dictionaries(
        {},
        optional={
            "nth": st.integers(1, 3),
            "every": st.integers(1, 3),
            "times": st.integers(1, 4),
            "probability": st.sampled_from([0.3, 0.7]),
            "after": st.integers(0, LONG_S),
            "until": st.integers(0, 3 * LONG_S),
            "bounded": st.booleans(),
            "match": st.fixed_dictionaries(
                {},
                optional={
                    "version": st.sampled_from(["v2", "v3"]),
                    "task": st.integers(1, 4),
                    "attempt": st.integers(1, 3),
                    "picture": st.integers(0, 1),
                },
            ),
        },
    )
    found = {"point": point.value, "effect": _in_few_pieces(effect)}
    if draw(st.sampled_from([True, False, False])):
        found |= draw(triggers)
    if point in _GATES and draw(st.sampled_from([True, True, False])):
        found["times"] = draw(st.integers(1, 3))  # else nothing comes behind it
    return found


def _short(kind: Kind) -> Any:
    """An effect with the least that has to be said."""
    return {kind.value: 503} if kind is Kind.STATUS else kind.value


def _in_few_pieces(effect: Any) -> Any:
    """Without the thousand pieces that an answer can come in; they all go the same way."""
    if isinstance(effect, dict) and isinstance(options := effect.get(Kind.DRIBBLE.value), dict) and "pieces" in options:
        return {Kind.DRIBBLE.value: {**options, "pieces": 3}}
    return effect


_GATES = (Point.AUTH, Point.SUBMIT_BEFORE)


DIRECTIVES = (
    "fail", "fail-at=0.3", "slow=30s", "queue=5s", "stuck", "vanish", "regress", "lost-ack", "429x2", "503",
    "result=503x2", "download=truncatex1", "webhook=drop", "webhook=dup", "webhook=late:30s", "webhook=hold",
    "webhook=conflict", "webhook=reorder", "webhook=early", "storage=denied", "url-ttl=1s", "nsfw",
)  # fmt: skip
"""What a prompt may ask for. Those of answers say how often, so that they are no faults of the bounded kind."""


@st.composite
def submits(draw: st.DrawFn, key: str) -> tuple[str, Json]:
    """Path and body of a submit that the contract accepts; a few are drawn so often that they are repeats."""
    path = draw(st.sampled_from([TXT2IMG, TXT2IMG, TXT2IMG, IMG2IMG, TXT2IMG_V2, IMG2IMG_V2]))
    prompt = "a tree"
    if draw(st.sampled_from([True, False, False])):
        prompt += f" [[mock:{draw(st.sampled_from(DIRECTIVES))}]]"
    seed = draw(st.sampled_from([-1, 7]))
    if path == TXT2IMG_V2:
        return path, txt2img_v2(prompt=prompt, seed=seed, n_iter=draw(st.integers(1, 2)), **SMALL)
    if path == IMG2IMG_V2:
        return path, img2img_v2(prompt=prompt, **SMALL)
    extra: Json = {}
    if draw(st.sampled_from([True, True, False])):
        extra["webhook"] = {"url": RECEIVERS + key}
        if draw(st.sampled_from([True, False, False, False])):
            status = draw(st.sampled_from(["TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"]))
            extra["webhook"]["test_mode"] = {"enabled": True, "return_task_status": status}
    if draw(st.sampled_from([True, False, False, False])):
        bucket = draw(st.sampled_from(["my-pictures", "my-pictures", FULL_BUCKET]))
        extra["custom_storage"] = {"aws_s3": {"region": "us-east-2", "bucket": bucket, "path": "out/"}}
    make = txt2img if path == TXT2IMG else img2img
    fields = {**SMALL, "prompt": prompt, "seed": seed, "image_num": draw(st.integers(1, 2))}
    return path, make(extra or None, **fields)


BROKEN_SUBMITS = (
    (TXT2IMG, txt2img(steps=1000)),
    (TXT2IMG, txt2img(prompt="a tree [[mock:nothing-of-the-kind]]")),
    (TXT2IMG_V2, txt2img_v2(sampler_name="none")),
)
"""Submits that the contract refuses."""


def accounts() -> st.SearchStrategy[Json]:
    """What an account refuses, or no more."""
    return st.fixed_dictionaries(
        {},
        optional={
            "balance": st.sampled_from([None, "0.003", "0.02", 1]),
            "rate_limits": st.sampled_from([None, "documented", {"createTxt2imgTask": 2}]),
            "concurrency": st.sampled_from([None, 1, 3]),
            "problem": st.sampled_from([None, None, None, "BILLING_FAILED"]),
            "retry_after": st.booleans(),
        },
    )


def clock_calls() -> st.SearchStrategy[tuple[str, str, Json]]:
    """Method, path and body of every verb that moves a clock."""
    seconds = st.one_of(st.integers(0, 3), st.integers(0, LONG_S), st.sampled_from([0.25, 3700]))
    advance = seconds.map(lambda s: ("POST", "/clock/advance", {"seconds": s}))
    others = st.sampled_from(
        [
            ("POST", "/clock/advance-to-next-event", {}),
            ("POST", "/clock/advance-to-next-event", {}),
            ("POST", "/clock/run-until-idle", {}),
            ("POST", "/clock/freeze", {}),
            ("POST", "/clock/resume", {}),
            ("POST", "/clock/reset", {}),
            ("PUT", "/clock", {"mode": "auto"}),
            ("PUT", "/clock", {"mode": "real"}),
            ("PUT", "/clock", {"mode": "x100"}),
            ("PUT", "/clock", {"mode": "manual"}),
        ]
    )
    return st.one_of(advance, advance, others)


assert set(EFFECTS) == {kind for point in Point for kind in effects_at(point)}, "each effect can be drawn"
