"""Submits that name a webhook: what is taken and what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from conformance.bodies import IMG2IMG, TXT2IMG
from conformance.mutants.making import ABSENT, V3, accepts, is_wanted, looks, refuses, refuses_when, rewrites
from conformance.mutants.values import Mutant
from conformance.mutants.wanted import text
from conformance.predicates import type_name

_URL, _MODE = "extra.webhook.url", "extra.webhook.test_mode"
_SUCCEED, _FAILED = "TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"


def _webhook(body: Any) -> dict[str, Any]:
    extra = body.get("extra") if isinstance(body, dict) else None
    found = extra.get("webhook") if isinstance(extra, dict) else None
    return found if isinstance(found, dict) else {}


def _mode(body: Any) -> dict[str, Any]:
    found = _webhook(body).get("test_mode")
    return found if isinstance(found, dict) else {}


def _passed_over(name: str, text: str, bad: Callable[[dict[str, Any]], bool], ops: Any = V3) -> Mutant:
    """A webhook that should be refused counts as none."""

    def change(body: Any) -> None:
        if _webhook(body) and bad(_webhook(body)):
            del body["extra"]["webhook"]

    return rewrites(name, "WEBHOOK-002", text, ops, change)


def _no_url(webhook: dict[str, Any]) -> bool:
    url = webhook.get("url")
    return isinstance(url, str) and not (urlsplit(url).scheme and urlsplit(url).netloc)


def _of_type(field: str, *good: str) -> Callable[[dict[str, Any]], bool]:
    """Whether a field is there with another JSON type; null is another matter."""

    def bad(webhook: dict[str, Any]) -> bool:
        holder: Any = webhook
        for step in field.split(".")[:-1]:
            holder = holder.get(step) if isinstance(holder, dict) else None
        value = holder.get(field.split(".")[-1], ABSENT) if isinstance(holder, dict) else ABSENT
        return value is not ABSENT and value is not None and type_name(value) not in good

    return bad


def _bad_word(webhook: dict[str, Any]) -> bool:
    mode = webhook.get("test_mode")
    word = mode.get("return_task_status") if isinstance(mode, dict) else None
    return isinstance(word, str) and word not in (_SUCCEED, _FAILED)


def _mode_puts(name: str, number: str, text: str, when: dict[str, Any], new: dict[str, Any], **more: Any) -> Mutant:
    """Reads a test mode with some values as another one; ABSENT looks for a key that is not there."""

    def change(body: Any) -> None:
        mode = _mode(body)
        # An empty one is looked at too, if there is any.
        if not isinstance(_webhook(body).get("test_mode"), dict):
            return
        # By is_wanted, for 0 is not false.
        if all(is_wanted(mode.get(key, ABSENT), value) for key, value in when.items()):
            mode.update(new)

    return rewrites(name, f"WEBHOOK-{number}", text, V3, change, **more)


MUTANTS = (
    refuses("webhooks-refused", "WEBHOOK-001", "A webhook is refused.", TXT2IMG, _URL, text),
    refuses_when(
        "webhooks-need-test-mode",
        "WEBHOOK-001",
        "A webhook without test mode is refused for image to image.",
        IMG2IMG,
        lambda body: bool(_webhook(body)) and not _mode(body),
    ),
    _passed_over("webhook-without-url", "A webhook without url is taken.", lambda webhook: "url" not in webhook),
    _passed_over("webhook-of-no-url", "A url that is none is taken.", _no_url),
    _passed_over("webhook-of-no-url-img2img", "A url that is none is taken for image to image.", _no_url, IMG2IMG),
    _passed_over("webhook-url-of-any-type", "A url of another type is taken.", _of_type("url", "string")),
    _passed_over("test-mode-of-any-type", "A test_mode of another type is taken.", _of_type("test_mode", "object")),
    _passed_over(
        "test-mode-enabled-of-any-type",
        "An enabled of another type is taken.",
        _of_type("test_mode.enabled", "boolean"),
    ),
    _passed_over(
        "test-status-of-any-type",
        "A return_task_status of another type is taken.",
        _of_type("test_mode.return_task_status", "string"),
    ),
    _passed_over("test-status-of-any-word", "Any return_task_status is taken.", _bad_word),
    accepts(
        "test-status-queued",
        "WEBHOOK-002",
        "TASK_STATUS_QUEUED is taken for a return_task_status.",
        V3,
        f"{_MODE}.return_task_status",
        "TASK_STATUS_QUEUED",
        _SUCCEED,
    ),
    refuses(
        "test-mode-refused", "WEBHOOK-014", "Test mode is refused.", V3, f"{_MODE}.enabled", True, also=("WEBHOOK-015",)
    ),
    _mode_puts(
        "test-mode-always-fails",
        "014",
        "Test mode gives a failure for any status.",
        {"enabled": True, "return_task_status": _SUCCEED},
        {"return_task_status": _FAILED},
    ),
    _mode_puts(
        "test-mode-always-succeeds",
        "015",
        "Test mode gives a success for any status.",
        {"enabled": True, "return_task_status": _FAILED},
        {"return_task_status": _SUCCEED},
    ),
    _mode_puts(
        "test-status-optional",
        "016",
        "Test mode without a status is taken.",
        {"enabled": True, "return_task_status": ABSENT},
        {"return_task_status": _SUCCEED},
    ),
    _mode_puts(
        "test-mode-on-by-default",
        "016",
        "Test mode without enabled is on.",
        {"enabled": ABSENT},
        {"enabled": True},
    ),
    _mode_puts(
        "test-mode-always-on", "017", "Test mode is on when enabled is false.", {"enabled": False}, {"enabled": True}
    ),
    refuses_when(
        "test-mode-off-refused",
        "WEBHOOK-017",
        "A test mode that is off is refused.",
        V3,
        looks(f"{_MODE}.enabled", False),
    ),
)
