"""What the tests demand of the files that a client saved: format, size, receipt, and where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

from PIL import Image

from mockserver.pictures import Receipt, decode, read_parameters


def receipts(folder: Path, names: Sequence[str], *, form: str, size: tuple[int, int]) -> list[Receipt]:
    """Checks format (`PNG`, `JPEG`, `WEBP`) and size of every file and reads its receipt.

    Raises:
        AssertionError: a file is something else.
        PictureError: a file carries no receipt.
    """
    found = []
    for name in names:
        content = (folder / name).read_bytes()
        with Image.open(BytesIO(content)) as picture:
            assert (picture.format, picture.size) == (form, size)
        found.append(decode(content))
    return found


def check_one_task(found: Sequence[Receipt], *, count: int, seed: int | None = None) -> None:
    """The receipts are those of one task: one digest, the indexes in order, the seed asked for."""
    assert [receipt.index for receipt in found] == list(range(count))
    assert len({receipt.digest for receipt in found}) == 1
    assert all(receipt.exact for receipt in found)
    if seed is not None:
        assert {receipt.seed for receipt in found} == {seed}


def check_parameters(folder: Path, names: Sequence[str], *phrases: str) -> None:
    """Every file says in its `parameters` text that these took part in the picture."""
    for name in names:
        text = read_parameters((folder / name).read_bytes())
        assert text is not None
        for phrase in phrases:
            assert phrase in text


def check_links(links: Sequence[str], uri: str, task_id: str, *, ttl_s: int) -> None:
    """The links are absolute, on this server, name the task, need no key, and hide `/` in their query."""
    assert len(set(links)) == len(links)
    for link in links:
        parts = urlsplit(link)
        assert link.startswith(uri + "/")
        assert task_id in parts.path
        assert "/" not in parts.query
        assert parse_qs(parts.query)["X-Amz-Expires"] == [str(ttl_s)]


def s3_error(content: bytes) -> tuple[str, str]:
    """Code and message of an S3 error page."""
    root = ElementTree.fromstring(content)
    assert root.tag == "Error"
    return root.findtext("Code", ""), root.findtext("Message", "")


def mean_colour(path: Path, *, left: bool) -> tuple[float, float, float]:
    """Mean red, green and blue of one half of a picture."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    width, height = picture.size
    half = picture.crop((0, 0, width // 2, height) if left else (width // 2, 0, width, height))
    red, green, blue = half.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # type: ignore[misc]
    return float(red), float(green), float(blue)
