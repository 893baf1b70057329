"""Records jobs on their way to a service: an ASGI application that passes the contract's calls on, and watches.

Calls go to the service as they came, with the caller's key, and answers come back as they are, so that the client
downloads from where it always does. What a cassette may hold is picked out of them (`scrubbing`); nothing else is
kept. A submit whose price would go beyond the budget is refused before it is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson

from mockserver.bodies import CallerGone, read_body
from mockserver.cassettes.cassette import SUFFIX, Cassette, Ending, Picture, Poll, Webhook, as_json
from mockserver.cassettes.scrubbing import kept_request, match_of
from mockserver.cassettes.seeing import Seen, json_of, member, same, seen_v2, seen_v3, status_of, thinned, with_file
from mockserver.core.errors import Reason, Refusal
from mockserver.money.amounts import usd
from mockserver.pictures import NotAPicture, probe
from mockserver.submitting import submission_of
from openapi.catalogue import Kind

if TYPE_CHECKING:
    import httpx
    from starlette.types import Receive, Scope, Send

    from mockserver.mock import Mock
    from openapi.document import Operation

PASSED_ON = frozenset({b"authorization", b"x-omni-key", b"content-type", b"accept", b"user-agent"})
WEBHOOK_PATH = "/__record/webhook/"
TIMEOUT_S = 180.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_PICTURE_BYTES = 64 * 1024 * 1024
MAX_POLLS = 400
"""Polls of a job that are kept; of more every second one is enough, since what lies between is interpolated."""

RETURNED = ("content-type", "retry-after")
"""Headers of answers that are passed back."""

Headers = list[tuple[bytes, bytes]]
Answer = tuple[int, Headers, bytes]
"""Status, headers, body."""


_JSON: Headers = [(b"content-type", b"application/json")]
_TEXT: Headers = [(b"content-type", b"text/plain; charset=utf-8")]


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A job under way. Instants are the wall's milliseconds.

    Attributes:
        webhook_url: where its client wanted the event; empty: nowhere.
        files: its pictures by index, if they are kept.
    """

    operation: str
    match: str
    request: Mapping[str, Any]
    micro_usd: int
    submit_ms: int
    answered_ms: int
    webhook_url: str = ""
    polls: list[Poll] = field(default_factory=list)
    files: dict[int, bytes] = field(default_factory=dict)
    ending: Ending | None = None
    webhook: Webhook | None = None


class Recorder:
    """The application.

    Args:
        mock: reads submissions and knows prices; no call is answered by it.
        client: calls the service.
        upstream: the service's address, no slash at the end.
        budget_micro_usd: what may be spent.
        folder: where the cassettes go.
        wall: the time.
        prompts: whether prompts are kept.
        pictures: whether pictures are kept, or only their size and digest.
        public_url: where the service reaches this recorder with events; empty: it does not, and they are not recorded.

    Attributes:
        spent_micro_usd: what the accepted submissions come to, by our price table.
        refused: submissions that were not sent, since they would have gone beyond the budget.
        written: files.
        asked: calls that came, of any kind.
    """

    def __init__(
        self,
        mock: Mock,
        client: httpx.AsyncClient,
        upstream: str,
        *,
        budget_micro_usd: int,
        folder: Path,
        wall: Callable[[], int],
        prompts: bool = True,
        pictures: bool = False,
        public_url: str = "",
    ) -> None:
        self._mock = mock
        self._client = client
        self._upstream = upstream
        self._budget_micro_usd = budget_micro_usd
        self._folder = folder
        self._wall = wall
        self._prompts = prompts
        self._keep_pictures = pictures
        self.public_url = public_url
        self._jobs: dict[str, Job] = {}
        self._waiting: dict[str, Job] = {}
        self._routes = {
            (operation.method, operation.path): operation for operation in mock.document.operations.values()
        }
        self.spent_micro_usd = 0
        self.refused = 0
        self.written: list[Path] = []
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a call."""
        if scope["type"] != "http":
            return
        self.asked += 1
        headers: dict[bytes, bytes] = dict(scope["headers"])
        operation = self._routes.get((scope["method"], scope["path"]))
        try:
            if scope["method"] == "POST" and scope["path"].startswith(WEBHOOK_PATH):
                status, fields, body = await self._event(scope["path"].removeprefix(WEBHOOK_PATH), receive)
            elif operation is None:
                refusal = Refusal(Reason.API_NOT_FOUND, "the recorder passes on the contract's operations only")
                status, fields, body = 404, _JSON, orjson.dumps(refusal.v3_body())
            else:
                sent = b""
                if operation.method == "POST":
                    most = self._mock.settings.limits.body_bytes
                    sent = await read_body(receive, headers.get(b"content-length"), operation, most)
                status, fields, body = await self._pass_on(operation, headers, scope["query_string"], sent)
        except CallerGone:
            return
        except Refusal as refusal:
            v2 = operation is not None and operation.version == "v2"
            given = refusal.v2_body() if v2 else refusal.v3_body()
            status, fields, body = 200 if v2 else refusal.status, _JSON, orjson.dumps(given)
        fields = [*fields, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    async def close(self) -> None:
        """Writes the jobs that have not ended."""
        for job in list(self._jobs.values()):
            self._write(job)
        self._jobs.clear()

    async def _pass_on(self, operation: Operation, headers: Mapping[bytes, bytes], query: bytes, body: bytes) -> Answer:
        if operation.operation_id.startswith("create"):
            return await self._submit(operation, headers, body)
        answer = await self._call(operation, headers, query, b"")
        task_id = parse_qs(query.decode("latin-1")).get("task_id", [""])[0]
        job = self._jobs.get(task_id)
        if job is not None and answer[0] == 200:
            await self._polled(job, task_id, operation, answer[2])
        return answer

    async def _submit(self, operation: Operation, headers: Mapping[bytes, bytes], body: bytes) -> Answer:
        """Passes a submit on, if the budget allows it.

        Raises:
            Refusal: it cannot be priced, or costs too much.
        """
        submission = submission_of(operation.operation_id, body, self._mock)
        recipe, delivery = submission.recipe, submission.delivery
        found = self._mock.catalogue.find(recipe.model, Kind.CHECKPOINT)
        is_sdxl = found is not None and found.model.is_sdxl
        price = self._mock.prices.total_micro_usd(operation.operation_id, recipe, delivery, is_sdxl=is_sdxl)
        if self.spent_micro_usd + price > self._budget_micro_usd:
            self.refused += 1
            raise Refusal(
                Reason.BILLING_BALANCE_NOT_ENOUGH,
                f"novita-mock record: not sent; it would cost {usd(price)} USD, and {usd(self.spent_micro_usd)} of "
                f"{usd(self._budget_micro_usd)} USD (--max-usd) are spent",
            )
        self.spent_micro_usd += price  # before it is sent: whatever becomes of the answer, it may be billed
        given: dict[str, Any] = orjson.loads(body)
        ticket = hashlib.blake2b(body + b"%d" % self._wall(), digest_size=12).hexdigest()
        sent = body
        if delivery.webhook_url is not None and self.public_url:
            given["extra"]["webhook"]["url"] = f"{self.public_url}{WEBHOOK_PATH}{ticket}"
            sent = orjson.dumps(given)
        began_ms = self._wall()
        job = Job(
            operation=operation.operation_id,
            match=match_of(operation.operation_id, recipe, delivery),
            request=kept_request(orjson.loads(body), prompts=self._prompts),
            micro_usd=price,
            submit_ms=0,
            answered_ms=began_ms,
            webhook_url=delivery.webhook_url or "",
        )
        if sent is not body:
            self._waiting[ticket] = job
        answer = await self._call(operation, headers, b"", sent)
        job.answered_ms = self._wall()
        job.submit_ms = job.answered_ms - began_ms
        told = json_of(answer[2])
        task_id = member(told, "task_id") or member(member(told, "data"), "task_id")
        if answer[0] == 200 and isinstance(task_id, str) and task_id:
            self._jobs[task_id] = job
        elif answer[0] < 500:
            self.spent_micro_usd -= price  # it was refused: nothing is billed
        return answer

    async def _polled(self, job: Job, task_id: str, operation: Operation, body: bytes) -> None:
        """Notes what a poll saw."""
        after_ms = self._wall() - job.answered_ms
        told = json_of(body)
        seen = seen_v2(told) if operation.version == "v2" else seen_v3(told)
        if seen is None:
            return
        status, progress, ending, _ = seen
        poll = Poll(after_ms=after_ms, status=status, progress=progress)
        if len(job.polls) >= 2 and same(job.polls[-1], poll) and same(job.polls[-2], poll):
            job.polls[-1] = poll  # of equal ones in a row the first and the last say everything
        else:
            job.polls.append(poll)
            if len(job.polls) > MAX_POLLS:
                job.polls = thinned(job.polls)
        if ending is not None and job.ending is None:
            await self._ended(job, after_ms, seen)
        self._settle(job)

    async def _ended(self, job: Job, after_ms: int, seen: Seen) -> None:
        """Notes how a job ended, and fetches its pictures."""
        _, _, ending, links = seen
        if ending is None:
            return
        pictures = await asyncio.gather(*(self._picture(picture, link) for picture, link in links))
        if job.ending is None:  # nobody was faster meanwhile
            job.ending = Ending(after_ms=after_ms, pictures=tuple(one for one, _ in pictures), **ending)
            job.files = {index: data for index, (_, data) in enumerate(pictures) if data}

    def _settle(self, job: Job) -> None:
        """Writes a job of which nothing more is to come."""
        awaited = bool(job.webhook_url and self.public_url) and job.webhook is None
        if job.ending is None or awaited:
            return
        task_id = next((task_id for task_id, known in self._jobs.items() if known is job), None)
        if task_id is not None:
            del self._jobs[task_id]
            self._write(job)

    async def _picture(self, told: Picture, link: str) -> tuple[Picture, bytes]:
        """Fetches a picture once, without the key: its digest and size, and the file."""
        import httpx

        if urlsplit(link).scheme not in ("http", "https"):
            return told, b""
        try:
            answer = await self._client.get(link, timeout=TIMEOUT_S)
            data = answer.content
            found = probe(data)
        except (httpx.HTTPError, NotAPicture):
            return told, b""
        if answer.status_code != 200 or len(data) > MAX_PICTURE_BYTES:
            return told, b""
        known = Picture(
            type=told.type,
            nsfw_confidence=told.nsfw_confidence,
            width=found.width,
            height=found.height,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        return known, data if self._keep_pictures else b""

    async def _event(self, ticket: str, receive: Receive) -> Answer:
        """Takes an event, and passes it on to whom it is for."""
        from mockserver.outbound.sender import Outgoing

        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > MAX_ANSWER_BYTES or not message.get("more_body"):
                break
        job = self._waiting.get(ticket)
        if job is None:
            return 404, _TEXT, b"no such job\n"
        told = json_of(body)
        status = status_of(member(member(member(told, "payload"), "task"), "status"))
        kind = member(told, "event_type")
        if status is not None and isinstance(kind, str) and kind.replace("_", "").isalpha() and kind.isupper():
            after_ms = max(0, self._wall() - job.answered_ms)
            job.webhook = job.webhook or Webhook(after_ms=after_ms, event_type=kind, status=status)
            seen = seen_v3(member(told, "payload"))
            if job.ending is None and seen is not None:  # the client may never ask
                await self._ended(job, after_ms, seen)
            self._settle(job)
        headers = {"Content-Type": "application/json"}
        sent = await self._mock.sender.send(Outgoing(url=job.webhook_url, headers=headers, body=body), timeout_s=5)
        return sent.status or 502, _TEXT, b""

    async def _call(self, operation: Operation, headers: Mapping[bytes, bytes], query: bytes, body: bytes) -> Answer:
        """Calls the service.

        Raises:
            Refusal: it did not answer.
        """
        import httpx

        url = f"{self._upstream}{operation.path}{'?' + query.decode('latin-1') if query else ''}"
        fields = [(name, value) for name, value in headers.items() if name in PASSED_ON]
        try:
            answer = await self._client.request(operation.method, url, headers=fields, content=body, timeout=TIMEOUT_S)
        except httpx.HTTPError as error:
            text = f"novita-mock record: the service did not answer: {type(error).__name__}"
            raise Refusal(Reason.INTERNAL, text) from None
        given = [(name.encode(), answer.headers[name].encode("latin-1")) for name in RETURNED if name in answer.headers]
        return answer.status_code, given, answer.content

    def _write(self, job: Job) -> None:
        """Writes a job's cassette, and its pictures if they are kept."""
        self._folder.mkdir(parents=True, exist_ok=True)
        kind = "img2img" if "Img2img" in job.operation else "txt2img"
        stem = f"{kind}-{job.match[:8]}"
        number = next(n for n in range(1, 10_000) if not (self._folder / f"{stem}-{n}{SUFFIX}").exists())
        ending = job.ending
        if ending is not None and job.files:
            kept = []
            for index, picture in enumerate(ending.pictures):
                name = f"{stem}-{number}.{index}.{picture.type}" if index in job.files else None
                if name is not None:
                    (self._folder / name).write_bytes(job.files[index])
                kept.append(with_file(picture, name))
            ending = replace(ending, pictures=tuple(kept))
        cassette = Cassette(
            operation=job.operation,
            match=job.match,
            request=job.request,
            usd=usd(job.micro_usd),
            submit_ms=job.submit_ms,
            polls=tuple(job.polls),
            ending=ending,
            webhook=job.webhook,
        )
        path = self._folder / f"{stem}-{number}{SUFFIX}"
        path.write_bytes(orjson.dumps(as_json(cassette), option=orjson.OPT_INDENT_2) + b"\n")
        self.written.append(path)
