"""The pictures of the mock: drawn from a recipe, always the same for the same recipe, each one a receipt.

The public functions are here; importing this package does not import Pillow, and neither does rendering a
text-to-image PNG, probing a file or reading its text.
"""

from __future__ import annotations

from dataclasses import replace

from .digest import recipe_digest
from .drawing import preview, render
from .errors import NotAPicture, NotAReceipt, PictureError
from .parameters import parameters_text, read_machine_text, read_parameters
from .probe import Probe, probe
from .receipt import Origin, Parent, Receipt

__all__ = [
    "NotAPicture",
    "NotAReceipt",
    "Origin",
    "Parent",
    "PictureError",
    "Probe",
    "Receipt",
    "decode",
    "parameters_text",
    "preview",
    "probe",
    "read_parameters",
    "recipe_digest",
    "render",
]


def decode(data: bytes, *, pixels_only: bool = False) -> Receipt:
    """Which task made this picture, which of its pictures it is, and from which seed.

    The pixels are asked first, and they win over the file's text: a text can be copied onto another picture. The text
    decides where the pixels say nothing (a weak img2img, a picture of a few pixels, a small repainted part) or show
    the receipt of the source picture that the text names as the parent.

    Args:
        data: a PNG, JPEG or WebP file, perhaps scaled down, recompressed or written on since it was made.
        pixels_only: ignore the file's text.

    Raises:
        NotAReceipt: no picture, no receipt in it, or (`damaged`) one whose checksum fails. Never a guess.
    """
    from .reading import receipt_in_file

    text = None if pixels_only else read_machine_text(data)
    try:
        seen = receipt_in_file(data)
    except NotAReceipt:
        if text is None:
            raise
        return text
    except NotAPicture as error:
        raise NotAReceipt(error.reason) from error
    if text is None:
        return seen
    if (seen.digest, seen.index) == (text.digest, text.index):
        return replace(seen, parent=text.parent)
    if text.parent and seen.digest == text.parent.digest:
        return text
    return seen
