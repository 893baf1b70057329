"""A task as the suite sees it: the submit, every poll until its end, and the pictures behind its links."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from conformance.predicates import has_type, task_id_v3
from conformance.wire import MISSING, Exchange

if TYPE_CHECKING:
    from PIL.Image import Image

    from conformance.bodies import Body

ENDED_V3 = ("TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED")
WORDS_V3 = ("TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING", *ENDED_V3)
ENDED_V2 = (2, 3, 4)


@dataclass(kw_only=True)
class Picture:
    """A file behind a link, decoded to its end.

    Attributes:
        entry: its entry of `images` in v3; {"image_url": link} in v2.
        download: the exchange that fetched it.
    """

    index: int
    entry: dict[str, Any]
    download: Exchange
    image: Image

    @property
    def data(self) -> bytes:
        """The file."""
        return self.download.body

    @property
    def format(self) -> str:
        """png, jpeg or webp, by its bytes."""
        return (self.image.format or "").lower()

    @cached_property
    def rgb(self) -> Image:
        """Without alpha."""
        return self.image.convert("RGB")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size


def decoded(data: bytes) -> Image:
    """A picture, read to its last pixel.

    Raises:
        OSError, ValueError, SyntaxError: it is none, or not whole.
    """
    from PIL import Image as PillowImage

    image = PillowImage.open(io.BytesIO(data))
    image.load()
    return image


@dataclass(kw_only=True)
class Task:
    """One accepted submit.

    Attributes:
        body: what was asked for.
        submit: the exchange that made it.
        polls: every answer to a question for it that the suite got, also after it had ended.
    """

    operation_id: str
    body: Body
    submit: Exchange
    task_id: str
    polls: list[Exchange] = field(default_factory=list)

    @property
    def v2(self) -> bool:
        """Whether it is one of version 2."""
        return self.operation_id.endswith("V2")

    @property
    def result(self) -> Exchange:
        """The answer that showed its end, whatever was answered after it; the last one while none did."""
        return next((poll for poll in self.polls if ended(status_of(poll, v2=self.v2), v2=self.v2)), self.polls[-1])

    @property
    def status(self) -> Any:
        """`task.status` or `data.status` of `result`; MISSING when there is none."""
        return status_of(self.result, v2=self.v2)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of its exchanges in the wire log."""
        return (self.submit.number, *(poll.number for poll in self.polls))


def status_of(answer: Exchange, *, v2: bool) -> Any:
    """The status in an answer; MISSING when there is none."""
    return answer.at("data", "status") if v2 else answer.at("task", "status")


def ended(status: Any, *, v2: bool) -> bool:
    """Whether a status is one of a task's end."""
    if status is MISSING or isinstance(status, bool):
        return False
    return status in (ENDED_V2 if v2 else ENDED_V3)


def links(answer: Exchange, *, v2: bool) -> list[dict[str, Any]]:
    """Entries of `images` (v3), or the links of `data.imgs` as such entries (v2); what is malformed is left out."""
    found = answer.at("data", "imgs") if v2 else answer.at("images")
    entries = found if isinstance(found, list) else []
    if v2:
        return [{"image_url": link} for link in entries if isinstance(link, str)]
    return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("image_url"), str)]


def odd_acceptance_v3(answer: Exchange) -> str:
    """Which requirement a v3 answer to a submit breaks that is neither an acceptance nor a refusal; "" when it is one.

    An id with a status of the class 4xx is none of its matters: it may be a refusal that says too much.
    """
    if answer.status is None or 400 <= answer.status <= 499:
        return ""
    if task_id_v3(answer.json) is None:
        return "V3-SUBMIT-002" if 200 <= answer.status <= 299 else ""
    return "" if 200 <= answer.status <= 299 else "V3-SUBMIT-001"


def odd_acceptance_v2(answer: Exchange) -> str:
    """Which requirement a v2 answer of 2xx breaks that is neither an acceptance nor a refusal; "" when it is one."""
    code = answer.at("code")
    if has_type(code, ["integer"]) and code != 0:
        return ""
    right = code == 0 and not isinstance(code, bool) and task_id_v3(answer.json) is not None
    return "V2-SUBMIT-001" if right and answer.status != 200 else "V2-SUBMIT-002"
