"""What the audit of a receiver asks: one row per check. How each is made is `mockserver.webhooks.audit`."""

from __future__ import annotations

from dataclasses import dataclass

AT_ONCE = 8
"""Deliveries of one event at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check.

    Attributes:
        code: of its finding; keeps its meaning.
        title: what is asked of a receiver.
        clause: what that rests on: requirement ids, or whose advice it is.
        advice: what to do when it fails.
    """

    code: str
    title: str
    clause: str
    advice: str


IN_TIME = Check(
    code="NV501",
    title="answers in time",
    clause="WEBHOOK-010",
    advice="Answer first and work afterwards: put the event into a queue and return 200.",
)
TAKES = Check(
    code="NV502",
    title="takes an event with 2xx",
    clause="WEBHOOK-009",
    advice="Answer any event that you could read with 2xx; everything else is sent again, up to five times.",
)
REPEAT = Check(
    code="NV503",
    title="takes the same event again",
    clause="WEBHOOK-009, WEBHOOK-010",
    advice="An answer can be lost, and then the event comes again. Remember task ids, and answer a known one with 2xx.",
)
UNKNOWN_EVENT = Check(
    code="NV504",
    title="takes an event of another type",
    clause="vendor's advice",
    advice="Ignore an event_type that you do not know, and answer it with 2xx.",
)
FAILED_TASK = Check(
    code="NV505",
    title="takes the event of a failed task",
    clause="WEBHOOK-015",
    advice="Look at task.status before images: of a failed task the arrays are empty, and task.reason says why.",
)
LARGE = Check(
    code="NV506",
    title="takes a body over 1 MiB",
    clause="no bound documented",
    advice="Raise the limit on request bodies, of the framework and of what stands in front of it.",
)
REDIRECT = Check(
    code="NV507",
    title="answers without a redirect",
    clause="WEBHOOK-009",
    advice="Give the final address: scheme, host, slash at the end or not. A redirect counts as a failed delivery.",
)
CONCURRENT = Check(
    code="NV508",
    title=f"takes {AT_ONCE} deliveries of an event at once",
    clause="WEBHOOK-010",
    advice="A repeat can come while the first is worked on: let the database decide which was first, and answer both.",
)
CONTRADICTION = Check(
    code="NV509",
    title="takes FAILED after SUCCEED",
    clause="good practice",
    advice="Keep the first final state of a task and answer 2xx; a state that changed is worth a line in your log.",
)
UNKNOWN_FIELDS = Check(
    code="NV510",
    title="takes fields that it does not know",
    clause="WEBHOOK-005",
    advice="Read the fields that you need and ignore others: answers grew fields before without notice.",
)
GET = Check(
    code="NV511",
    title="answers GET without an error of its own",
    clause="good practice",
    advice="Answer other methods with 405; a 5xx there fills your log whenever somebody opens the address.",
)
SIGNED = Check(
    code="NV512",
    title="refuses a forged signature",
    clause="Standard Webhooks",
    advice="Verify the signature over the raw body before anything else, and answer 401 when it is wrong.",
)

CHECKS = (
    IN_TIME,
    TAKES,
    REPEAT,
    UNKNOWN_EVENT,
    FAILED_TASK,
    LARGE,
    REDIRECT,
    CONCURRENT,
    CONTRADICTION,
    UNKNOWN_FIELDS,
    GET,
    SIGNED,
)
