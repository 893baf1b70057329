"""Delivery options of v3, and the request for detection of unsafe pictures."""

from __future__ import annotations

from typing import Any

from conformance.bodies import IMG2IMG, TXT2IMG
from conformance.mutants.making import ABSENT, V3, accepts, breaks_on, refuses
from conformance.mutants.values import Mutant


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is(kind: type) -> Any:
    return lambda value: isinstance(value, kind)


def _accepts(name: str, number: str, text: str, field: str, bad: Any, good: Any, ops: Any = V3) -> Mutant:
    return accepts(f"accepts-{name}", f"V3-{number}", text, ops, f"extra.{field}", bad, good)


_KINDS = ("png", "webp", "jpeg")

MUTANTS = (
    refuses("refuses-bodies-without-extra", "V3-TXT2IMG-001", "txt2img needs extra.", TXT2IMG, "extra", ABSENT),
    refuses("refuses-empty-extra", "V3-EXTRA-001", "An empty extra is refused.", V3, "extra", {}),
    refuses("refuses-empty-extra-of-img2img", "V3-EXTRA-001", "img2img refuses an empty extra.", IMG2IMG, "extra", {}),
    accepts("accepts-list-as-extra", "V3-EXTRA-002", "extra may be a list.", V3, "extra", _is(list), {}),
    accepts("accepts-text-as-extra", "V3-EXTRA-002", "extra may be text.", V3, "extra", _text, ABSENT),
    _accepts("detection-in-quotes", "EXTRA-002", "Text counts as true.", "enable_nsfw_detection", _text, True),
    _accepts("detection-as-number", "EXTRA-002", "1 counts as true.", "enable_nsfw_detection", _number, True, IMG2IMG),
    _accepts("level-in-quotes", "EXTRA-002", "A level may be text.", "nsfw_detection_level", _text, 1),
    _accepts("number-as-type", "EXTRA-002", "A type may be a number.", "response_image_type", _number, "png"),
    _accepts("text-as-webhook", "EXTRA-002", "A webhook may be its URL.", "webhook", _text, ABSENT),
    _accepts("list-as-storage", "EXTRA-002", "A storage may be a list.", "custom_storage", _is(list), ABSENT),
    _accepts("true-as-plan", "EXTRA-002", "A plan may be true.", "enterprise_plan", _is(bool), ABSENT, TXT2IMG),
    _accepts("text-as-enabled", "EXTRA-002", "A plan's enabled may be text.", "enterprise_plan.enabled", _text, False),
    breaks_on("null-extra-is-a-fault", "V3-EXTRA-003", "extra of null is a fault.", V3, "extra", None),
    breaks_on(
        "null-type-is-a-fault", "V3-EXTRA-003", "A type of null is a fault.", V3, "extra.response_image_type", None
    ),
    breaks_on(
        "null-level-is-a-fault", "V3-EXTRA-003", "A level of null is a fault.", V3, "extra.nsfw_detection_level", None
    ),
    refuses("refuses-webp", "V3-EXTRA-004", "webp is refused.", V3, "extra.response_image_type", "webp"),
    refuses("refuses-png", "V3-EXTRA-004", "png is refused when it is named.", V3, "extra.response_image_type", "png"),
    refuses(
        "refuses-jpeg-of-img2img", "V3-EXTRA-004", "img2img refuses jpeg.", IMG2IMG, "extra.response_image_type", "jpeg"
    ),
    _accepts(
        "any-type",
        "EXTRA-005",
        "A type that nobody knows means png.",
        "response_image_type",
        lambda kind: _text(kind) and kind not in _KINDS,
        "png",
    ),
    _accepts(
        "type-in-capitals",
        "EXTRA-005",
        "A type in capitals is taken.",
        "response_image_type",
        lambda kind: _text(kind) and kind not in _KINDS and kind.lower() in _KINDS,
        str.lower,
    ),
    _accepts("jpg", "EXTRA-005", "jpg means jpeg.", "response_image_type", "jpg", "jpeg"),
    refuses("refuses-an-empty-plan", "V3-EXTRA-006", "An empty plan is refused.", V3, "extra.enterprise_plan", {}),
    refuses(
        "refuses-a-plan-that-is-off",
        "V3-EXTRA-006",
        "A plan that is off is refused.",
        V3,
        "extra.enterprise_plan.enabled",
        False,
    ),
    refuses("refuses-level-2", "V3-NSFW-005", "Level 2 is refused.", V3, "extra.nsfw_detection_level", 2),
    refuses(
        "refuses-level-0", "V3-NSFW-005", "Level 0 is refused by img2img.", IMG2IMG, "extra.nsfw_detection_level", 0
    ),
    _accepts(
        "level-3",
        "NSFW-006",
        "A level above 2 means 2.",
        "nsfw_detection_level",
        lambda level: _number(level) and level > 2,
        2,
    ),
    _accepts(
        "negative-levels",
        "NSFW-006",
        "A level below 0 means 0.",
        "nsfw_detection_level",
        lambda level: _number(level) and level < 0,
        0,
    ),
)
