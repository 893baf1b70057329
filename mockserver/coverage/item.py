"""What can be covered: dimensions, and the items in them. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Dimension(StrEnum):
    """A question about what the tests exercised."""

    OPERATIONS = "operations"
    PARAMETERS = "parameters"
    VALUES = "values"
    ERRORS = "errors"
    V2_CODES = "v2-codes"
    STATES = "states"
    TRANSITIONS = "transitions"
    OUTCOMES = "outcomes"
    FAULTS = "faults"
    WEBHOOKS = "webhooks"
    LINKS = "links"
    MODELS = "models"
    VERSIONS = "versions"

    @property
    def heading(self) -> str:
        """Its name for people."""
        return _ABOUT[self][0]

    @property
    def weight(self) -> int:
        """Its part of the overall percentage: all together 100; 0 is shown and not weighed."""
        return _ABOUT[self][1]

    @property
    def question(self) -> str:
        """What its percentage says."""
        return _ABOUT[self][2]


_ABOUT: dict[Dimension, tuple[str, int, str]] = {
    Dimension.OPERATIONS: ("Operations", 10, "each operation, in a call that was accepted"),
    Dimension.PARAMETERS: ("Parameters", 15, "each field: sent; an optional one also left out"),
    Dimension.VALUES: ("Values at limits", 10, "listed values, smallest and largest, shortest and longest"),
    Dimension.ERRORS: ("Error reasons", 15, "each v3 reason that the document lists, by operation"),
    Dimension.V2_CODES: ("v2 codes", 5, "each documented code other than 0"),
    Dimension.STATES: ("Task states", 5, "each state, as an answer to a poll"),
    Dimension.TRANSITIONS: ("Transitions", 5, "each change of state between two polls of a task"),
    Dimension.OUTCOMES: ("Outcomes", 10, "each end that a client saw and then stopped polling"),
    Dimension.FAULTS: ("Faults survived", 10, "a fault happened, and the client got through afterwards"),
    Dimension.WEBHOOKS: ("Webhooks", 5, "how deliveries ended, and both outcomes of test mode"),
    Dimension.LINKS: ("Picture links", 5, "pictures opened by format, expired links, links renewed"),
    Dimension.MODELS: ("Model kinds", 5, "what kinds of models requests named"),
    Dimension.VERSIONS: ("Versions", 0, "which versions were called; shown only, since one is enough"),
}


class Scope(StrEnum):
    """Which version of the contract an item belongs to."""

    V2 = "v2"
    V3 = "v3"
    ANY = "any"


class WebhookOutcome(StrEnum):
    """How a delivery ended."""

    DELIVERED = "delivered"
    """Taken at the first attempt."""
    RETRIED = "retried"
    """Taken at a later attempt."""
    EXHAUSTED = "exhausted"
    """Never taken."""


class LinkOutcome(StrEnum):
    """What a picture link gave."""

    OPENED = "opened"
    EXPIRED = "expired"


class Versions(StrEnum):
    """Which versions of the contract are judged."""

    AUTO = "auto"
    """Those that were called; v3 when none was."""
    V2 = "v2"
    V3 = "v3"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that tests can have exercised.

    Attributes:
        key: its name for programs, unique and stable: `values:createTxt2imgTask:request.steps:maximum=100`.
        dimension: the question it belongs to.
        scope: the version it belongs to.
        group: what it is shown with: the other values of its field, the other operations of its reason.
        label: the item within its group, for people.
        share: how many items weigh as one thing together; this one weighs `1 / share`.
        needs: key of the item that comes first: the operation of a parameter, the object of a field; empty for none.
        test: the test that would cover it, in words.
        example: what such a test sends, as JSON or as a call; empty where that says nothing.
    """

    key: str
    dimension: Dimension
    scope: Scope
    group: str
    label: str
    share: int
    needs: str
    test: str
    example: str


def make_item(dimension: Dimension, scope: str, name: str, *, label: str, test: str, **rest: Any) -> Item:
    """An item that stands alone in its group, unless `rest` says otherwise.

    Args:
        dimension: the question it belongs to.
        scope: the version it belongs to.
        name: its key without the dimension.
        label: for people.
        test: the test that would cover it.
        rest: further attributes of `Item`.
    """
    given = {"group": name, "share": 1, "needs": "", "example": "", **rest}
    return Item(
        key=f"{dimension.value}:{name}", dimension=dimension, scope=Scope(scope), label=label, test=test, **given
    )
