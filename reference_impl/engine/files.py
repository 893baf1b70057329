"""Finished pictures as files: PNG, JPEG or WebP, with the text of their parameters inside."""

from __future__ import annotations

import io

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from reference_impl.jobs import FileFormat

QUALITY = 92
"""Of JPEG and WebP: 90 begins to show at hard edges, 95 costs half as much again."""

_EXIF = 0x8769
_USER_COMMENT = 0x9286
_LONGEST_COMMENT = 60_000
"""Bytes: EXIF stands in one JPEG segment, and that ends at 65,533."""


def as_file(picture: Image.Image, file_format: FileFormat, text: str) -> bytes:
    """The file; no colour profile, no time, so equal pictures give equal bytes.

    Args:
        picture: RGB, or RGBA; JPEG cannot hold transparency, there it is laid on white.
        file_format: which.
        text: the `parameters` text: a text chunk of that name in PNG, the EXIF user comment in JPEG and WebP.
    """
    file = io.BytesIO()
    if file_format is FileFormat.PNG:
        info = PngInfo()
        info.add_text("parameters", text)
        # Level 1 takes a third of the time of 6, and the files of drawn pictures are hardly larger.
        picture.save(file, "PNG", pnginfo=info, compress_level=1)
    elif file_format is FileFormat.JPEG:
        _opaque(picture).save(file, "JPEG", quality=QUALITY, subsampling=0, exif=_exif(text))
    else:
        picture.save(file, "WEBP", quality=QUALITY, method=2, exif=_exif(text))
    return file.getvalue()


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB":
        return picture
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA")).convert("RGB")


def _exif(text: str) -> bytes:
    encoded = text.encode("utf-16-be", "replace")[:_LONGEST_COMMENT]
    exif = Image.Exif()
    exif.get_ifd(_EXIF)[_USER_COMMENT] = b"UNICODE\0" + encoded
    return exif.tobytes()
