"""Why a submission is not taken. What it is called on the wire is the business of `reference_impl.http.errors`."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """The kinds of refusal that a version of the interface tells apart."""

    BODY = "body"
    """No JSON, or no object."""
    FORM = "form"
    """A field is missing, unknown, or of another type."""
    RANGE = "range"
    """A value outside its range or list."""
    SIZE = "size"
    """A width or height outside its range."""
    MODEL = "model"
    """No model has this name."""
    SAMPLER = "sampler"
    """No sampler has this name."""
    PICTURE = "picture"
    """What should be a picture is none, or of a format that is not taken."""
    PICTURE_BYTES = "picture bytes"
    """A picture's file is too large."""
    PICTURE_PIXELS = "picture pixels"
    """A picture unfolds to too many pixels."""
    STORAGE_PATH = "storage path"
    """A path in the caller's bucket that cannot be used."""


class Refused(Exception):
    """A submission that is not taken.

    Args:
        fault: what kind of refusal it is.
        field: where in the body, as `request.steps`; empty for the whole body.
        message: what was expected and what came, without the field.
    """

    def __init__(self, fault: Fault, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.fault = fault
        self.field = field
