"""The image API over HTTP: three calls, and for each of them what may be repeated and what may not.

Polls and downloads change nothing, so they are repeated after any trouble that may pass. A submit makes a task that is
billed, and the API has no idempotency key: it is repeated only when nothing can have been made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

import httpx

from .backoff import Backoff
from .errors import OutcomeUnknown, PicturesError, Refused, TooBusy

SERVICE = "https://api.novita.ai"
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
NEVER_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Errors before a request was sent: nobody can have acted on it."""
LONGEST_RETRY_AFTER_S = 120.0

Pause = Callable[[float], None]
"""Waits for seconds; `time.sleep`, or a test's clock."""


class Status(StrEnum):
    """Where a task stands. A word that is not here is `UNKNOWN`, and the task is asked for again."""

    QUEUED = "TASK_STATUS_QUEUED"
    PROCESSING = "TASK_STATUS_PROCESSING"
    SUCCEED = "TASK_STATUS_SUCCEED"
    FAILED = "TASK_STATUS_FAILED"
    UNKNOWN = ""

    @classmethod
    def _missing_(cls, value: object) -> Status:
        return cls.UNKNOWN

    @property
    def is_final(self) -> bool:
        """Whether it will never change again."""
        return self in (Status.SUCCEED, Status.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be drawn."""

    prompt: str
    model: str = "dreamshaper_8_93211.safetensors"
    width: int = 512
    height: int = 512
    pictures: int = 1
    steps: int = 20
    seed: int = -1

    def as_request(self, webhook_url: str | None) -> dict[str, Any]:
        """The body of a submit."""
        request = {
            "model_name": self.model,
            "prompt": self.prompt,
            "width": self.width,
            "height": self.height,
            "image_num": self.pictures,
            "steps": self.steps,
            "seed": self.seed,
            "guidance_scale": 7.5,
            "sampler_name": "Euler a",
        }
        if webhook_url is None:
            return {"request": request}
        return {"extra": {"webhook": {"url": webhook_url}}, "request": request}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as the service shows it; the links live for a limited time."""

    id: str
    status: Status
    reason: str = ""
    links: tuple[str, ...] = ()


class Api:
    """Calls the service.

    Args:
        key: the API key. It goes to the service, never to the hosts of pictures.
        url: scheme and host of the service.
        pause: waits between tries.
        backoff: how long, and how often.
    """

    def __init__(self, key: str, url: str = SERVICE, *, pause: Pause, backoff: Backoff | None = None) -> None:
        self._service = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT)
        self._pictures = httpx.Client(timeout=TIMEOUT)  # without the key
        self._pause = pause
        self._backoff = backoff or Backoff()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._service.close()
        self._pictures.close()

    def submit(self, order: Order, webhook_url: str | None = None) -> str:
        """Orders pictures; gives the id of the task.

        Args:
            order: what is to be drawn.
            webhook_url: told of the task's end.

        Raises:
            Refused: the order cannot be filled.
            TooBusy: the service took no orders, however often it was tried.
            OutcomeUnknown: the answer was lost on the way.
        """
        body = order.as_request(webhook_url)
        waits_s = self._backoff.waits_s()
        while True:
            try:
                answer = self._service.post("/v3/async/txt2img", json=body)
            except NEVER_ARRIVED as error:
                self._wait(waits_s, f"the service cannot be reached: {error}")
                continue
            except httpx.TransportError as error:
                raise OutcomeUnknown(f"the order was sent and its answer lost: {error!r}") from error
            if answer.status_code == 429:
                self._wait(waits_s, "the service takes no more orders for now", _retry_after_s(answer))
                continue
            if answer.status_code >= 500:
                raise OutcomeUnknown(f"the service answered the order with {answer.status_code}")
            try:
                return str(_json(answer)["task_id"])
            except KeyError:
                raise OutcomeUnknown("the service took the order and named no task") from None

    def task(self, task_id: str) -> Task:
        """A task as it stands now.

        Raises:
            Refused: there is no such task, or the key is not accepted.
            TooBusy: no answer, however often it was tried.
        """
        answer = self._get(self._service, "/v3/async/task-result", {"task_id": task_id})
        body = _json(answer)
        shown: Mapping[str, Any] = body.get("task") or {}
        return Task(
            id=task_id,
            status=Status(shown.get("status", "")),
            reason=str(shown.get("reason") or "no reason was given"),
            links=tuple(str(image["image_url"]) for image in body.get("images") or ()),
        )

    def download(self, link: str) -> bytes | None:
        """A picture's file; None when its link has expired and a fresh one is needed.

        Raises:
            TooBusy: no whole picture, however often it was tried.
            PicturesError: the link leads to something else.
        """
        try:
            answer = self._get(self._pictures, link)
        except Refused as error:
            if error.reason == "403":
                return None
            raise
        kind = answer.headers.get("content-type", "")
        if not kind.startswith("image/"):
            raise PicturesError(f"expected a picture, came {kind or 'no content type'}")
        return answer.content

    def _get(self, client: httpx.Client, url: str, params: Mapping[str, str] | None = None) -> httpx.Response:
        """Asks until there is an answer that means something."""
        waits_s = self._backoff.waits_s()
        while True:
            try:
                answer = client.get(url, params=params)
            except httpx.TransportError as error:
                self._wait(waits_s, f"no answer: {error!r}")
                continue
            if answer.status_code == 429 or answer.status_code >= 500:
                self._wait(waits_s, f"the answer was {answer.status_code}", _retry_after_s(answer))
                continue
            if client is self._pictures and not answer.is_success:
                raise Refused(str(answer.status_code), "the picture cannot be fetched")
            return answer

    def _wait(self, waits_s: Iterator[float], trouble: str, at_least_s: float = 0.0) -> None:
        wait_s = next(waits_s, None)
        if wait_s is None:
            raise TooBusy(f"gave up after {self._backoff.tries + 1} tries: {trouble}")
        self._pause(max(wait_s, at_least_s))


def _json(answer: httpx.Response) -> Mapping[str, Any]:
    """The body of an answer of the service.

    Raises:
        Refused: the service said no; its own words.
        PicturesError: this is no answer of the service.
    """
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise PicturesError(f"expected JSON, came status {answer.status_code} with {answer.text[:80]!r}")
    if not answer.is_success:
        raise Refused(str(body.get("reason", answer.status_code)), str(body.get("message", "")))
    return body


def _retry_after_s(answer: httpx.Response) -> float:
    """What the service asks for, within reason; 0 when it does not say."""
    try:
        return min(float(answer.headers.get("retry-after", 0)), LONGEST_RETRY_AFTER_S)
    except ValueError:  # a date: the growing waits will do
        return 0.0
