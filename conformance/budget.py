"""Hard stops, what was spent, and what a submit costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.errors import OverBudget

USD_PER_PICTURE = 0.0021
"""A picture of 512 x 512 and 20 steps with an SD 1.5 checkpoint, as once listed by the vendor; an upper estimate for
what the suite orders, which is smaller."""
USD_PER_DETECTION = 0.0015
"""Unsafe-picture detection, per picture (V3-NSFW-009)."""

V2_SUBMITS = ("createTxt2imgTaskV2", "createImg2imgTaskV2")
SUBMITS = ("createTxt2imgTask", "createImg2imgTask", *V2_SUBMITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What something needs: numbers of requests, tasks and pictures, and US dollars."""

    requests: int = 0
    tasks: int = 0
    images: int = 0
    usd: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            requests=self.requests + other.requests,
            tasks=self.tasks + other.tasks,
            images=self.images + other.images,
            usd=self.usd + other.usd,
        )


def pictures(operation_id: str, body: object) -> int:
    """How many pictures a submit asks for; a made-up event of test mode asks for none (WEBHOOK-020)."""
    if not isinstance(body, dict):
        return 0
    if operation_id in V2_SUBMITS:
        return _whole(body.get("batch_size", 1)) * _whole(body.get("n_iter", 1))
    if _get(body, "extra", "webhook", "test_mode", "enabled") is True:
        return 0
    return _whole(_get(body, "request", "image_num"))


def pictures_at_most(operation_id: str, body: object) -> int:
    """The same from a target that knows no test mode, and makes a picture where none is asked for."""
    if operation_id in V2_SUBMITS and isinstance(body, dict):
        return max(1, _whole(body.get("batch_size", 1))) * max(1, _whole(body.get("n_iter", 1)))
    return max(1, _whole(_get(body, "request", "image_num"))) if operation_id in SUBMITS else 0


def cost_of(operation_id: str, body: object) -> Cost:
    """What one submit costs when it is accepted."""
    if operation_id not in SUBMITS:
        return Cost(requests=1)
    number = pictures(operation_id, body)
    detects = _get(body, "extra", "enable_nsfw_detection") is True
    return Cost(
        requests=1, tasks=1, images=number, usd=number * (USD_PER_PICTURE + (USD_PER_DETECTION if detects else 0))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Hard stops; None is no stop."""

    max_requests: int | None = None
    max_tasks: int | None = None
    max_images: int | None = None
    max_usd: float | None = None
    max_time_s: float | None = None

    def less(self, spent: Cost, took_s: float) -> Limits:
        """What is left of them."""
        usd, time_s = self.max_usd, self.max_time_s
        return Limits(
            max_requests=_left(self.max_requests, spent.requests),
            max_tasks=_left(self.max_tasks, spent.tasks),
            max_images=_left(self.max_images, spent.images),
            max_usd=None if usd is None else max(0.0, usd - spent.usd),
            max_time_s=None if time_s is None else max(0.0, time_s - took_s),
        )


def _left(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(0, limit - spent)


class Budget:
    """Counts what is spent and stops before a limit is passed.

    Args:
        limits: the hard stops.
        now: monotonic seconds.
    """

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        self._started_s = now()
        self.spent = Cost()
        """What was sent; tasks and pictures count when the submit was accepted."""

    def ask(self, cost: Cost) -> None:
        """Allows a request, which is counted at once.

        Args:
            cost: what it needs if it is accepted.

        Raises:
            OverBudget: it would pass a limit.
        """
        limits, spent = self._limits, self.spent
        beyond = limits.max_tasks is not None and spent.tasks > limits.max_tasks
        if beyond or (limits.max_images is not None and spent.images > limits.max_images):
            raise OverBudget("not measured: budget (the target accepted more than it should have)")
        for name, limit, wanted in (
            ("--max-requests", limits.max_requests, spent.requests + 1),
            ("--max-tasks", limits.max_tasks, spent.tasks + cost.tasks),
            ("--max-images", limits.max_images, spent.images + cost.images),
            ("--max-usd", limits.max_usd, spent.usd + cost.usd),
            ("--max-time", limits.max_time_s, self._now() - self._started_s),
        ):
            if limit is not None and wanted > limit:
                raise OverBudget(f"not measured: budget ({name} {limit:g} would be passed)")
        self.spent = spent + Cost(requests=1)

    def accepted(self, cost: Cost) -> None:
        """A submit was accepted."""
        self.spent += Cost(tasks=cost.tasks, images=cost.images, usd=cost.usd)


def _get(body: object, *path: str) -> Any:
    for step in path:
        body = body.get(step) if isinstance(body, dict) else None
    return body


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
