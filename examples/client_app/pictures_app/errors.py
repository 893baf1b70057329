"""What can go wrong, by what the caller can do about it."""

from __future__ import annotations


class PicturesError(Exception):
    """Root of the tree; every message is for people."""


class Refused(PicturesError):
    """The service said no, and nothing was made or billed. Trying the same again will not help.

    Attributes:
        reason: the service's word for it, such as `INVALID_IMAGE_SIZE`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason


class TooBusy(PicturesError):
    """The service did not take the call, however often it was tried. Nothing was made or billed; try again later."""


class OutcomeUnknown(PicturesError):
    """An order may have been taken and billed, or not: its answer was lost. Nobody should repeat it unasked."""


class TaskFailed(PicturesError):
    """The task was taken and failed; the message is the service's reason."""


class StillWorking(PicturesError):
    """The task has not ended in the time that was given. Its id is kept; waiting can go on later."""


class BudgetSpent(PicturesError):
    """The order would go beyond what the app may spend. Nothing was sent."""
