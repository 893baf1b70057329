"""Values that a defect looks for, and what it makes of them."""

from __future__ import annotations

import base64
import binascii
import io
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlencode

from conformance.bodies import picture
from conformance.predicates import type_name

if TYPE_CHECKING:
    from PIL.Image import Image

    from conformance.mutants.values import Request

Wish: TypeAlias = "Callable[[Any], bool]"

MOST_PIXELS: Final = 16 * 1024 * 1024
MEGABYTE: Final = 1024 * 1024


def text(value: Any) -> bool:
    """A string."""
    return isinstance(value, str)


def filled(value: Any) -> bool:
    """A string that is not empty."""
    return isinstance(value, str) and bool(value)


def number(value: Any) -> bool:
    """A finite number; true is none."""
    return type_name(value) in ("integer", "number") and (isinstance(value, int) or math.isfinite(value))


def fraction(value: Any) -> bool:
    """A number that is not whole."""
    return type_name(value) == "number" and math.isfinite(value)


def whole_float(value: Any) -> bool:
    """A whole number that is written with a point, such as 2.0."""
    return isinstance(value, float) and value.is_integer()


def array(value: Any) -> bool:
    """A list."""
    return isinstance(value, list)


def mapping(value: Any) -> bool:
    """An object."""
    return isinstance(value, dict)


def above(most: float) -> Wish:
    """A number that is larger."""
    return lambda value: number(value) and value > most


def below(least: float) -> Wish:
    """A number that is smaller."""
    return lambda value: number(value) and value < least


def between(least: float, most: float) -> Wish:
    """A number inside, the ends left out."""
    return lambda value: number(value) and least < value < most


def longer(most: int) -> Wish:
    """A string of more characters."""
    return lambda value: isinstance(value, str) and len(value) > most


def entries(count: int) -> Wish:
    """A list of so many."""
    return lambda value: isinstance(value, list) and len(value) == count


def first(count: int) -> Callable[[Any], Any]:
    """The first few entries, or characters."""
    return lambda value: value[:count]


# Pictures -------------------------------------------------------------------------------------------------------------


def decoded(value: Any) -> bytes | None:
    """The bytes of strict base64; None for what is none."""
    if not isinstance(value, str):
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def opened(value: Any) -> Image | None:
    """The picture of bare base64, not unfolded; None for what is none."""
    from PIL import Image as PillowImage

    data = decoded(value)
    if not data:
        return None
    limit, PillowImage.MAX_IMAGE_PIXELS = PillowImage.MAX_IMAGE_PIXELS, None
    try:
        return PillowImage.open(io.BytesIO(data))
    except (OSError, ValueError, SyntaxError):
        return None
    finally:
        PillowImage.MAX_IMAGE_PIXELS = limit


def depicts(wish: Callable[[Image], bool]) -> Wish:
    """Base64 of a picture that fulfils a predicate."""

    def fits(value: Any) -> bool:
        image = opened(value)
        return image is not None and wish(image)

    return fits


def pixels(least: int, most: float = float("inf")) -> Wish:
    """Base64 of a picture with more than `least` pixels and at most `most`."""
    return depicts(lambda image: least < image.width * image.height <= most)


def cut_off(value: Any) -> bool:
    """Base64 of a picture file whose end is missing."""
    image = opened(value)
    if image is None or image.width * image.height > MOST_PIXELS:
        return False
    try:
        image.load()
    except (OSError, ValueError, SyntaxError):
        return True
    return False


def no_base64(value: Any) -> bool:
    """Text that is not base64, and no data URI either."""
    return filled(value) and decoded(value) is None and not value.startswith("data:")


def no_picture(value: Any) -> bool:
    """Base64 of bytes that are no picture."""
    return filled(value) and decoded(value) is not None and opened(value) is None


def data_uri(value: Any) -> bool:
    """A data URI."""
    return isinstance(value, str) and value.startswith("data:")


def a_picture(value: Any = None) -> str:
    """A picture in place of whatever was sent."""
    return picture()


@cache
def enum_words(schema: str, field: str) -> frozenset[str]:
    """The words that the contract lists for a field."""
    from openapi.document import Reading, load

    found = load().rendered(Reading.DOCUMENTED)["components"]["schemas"][schema]["properties"][field]["enum"]
    return frozenset(found)


def unlisted(schema: str, field: str) -> Wish:
    """Text that is none of the words listed for a field."""
    return lambda value: filled(value) and value not in enum_words(schema, field)


# Queries --------------------------------------------------------------------------------------------------------------


def params(request: Request) -> list[tuple[str, str]]:
    """The query, in order."""
    return parse_qsl(request.query, keep_blank_values=True)


def with_params(request: Request, pairs: list[tuple[str, str]]) -> Request:
    """With another query."""
    return replace(request, query=urlencode(pairs))
