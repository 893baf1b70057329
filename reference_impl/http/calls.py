"""What handlers work with: one call of an operation, and the parts that answer it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.requests import Request

from openapi.document import Document, Operation, Reading
from openapi.query import QueryValue
from reference_impl.http.bodies import read_body
from reference_impl.http.keys import Keys
from reference_impl.http.limits import PicturesPerMinute
from reference_impl.http.models import ModelList
from reference_impl.http.results import Results
from reference_impl.service import NoSuchTask, Service
from reference_impl.submissions import Accepted, Fault, Refused, Submissions
from reference_impl.tasks import TaskView

_LARGE = 256 * 1024
"""Bytes of a body whose reading takes so long that others should not have to wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that handlers need, made once."""

    document: Document
    service: Service
    submissions: Submissions
    results: Results
    models: ModelList
    keys: Keys
    limit: PicturesPerMinute
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to an operation, by an account that is known."""

    request: Request
    operation: Operation
    account: str

    def query(self, reading: Reading) -> Mapping[str, QueryValue]:
        """Typed query parameters by name. Names that no page lists are ignored in both readings (V3-SUBMIT-012).

        Raises:
            Refused: one is missing or not what the document wants.
        """
        texts: dict[str, list[str]] = {}
        for name, text in self.request.query_params.multi_items():
            texts.setdefault(name, []).append(text)
        values, problems = self.operation.read_query(texts, reading)
        for problem in problems:
            if problem.keyword != "unknown-parameter":
                raise Refused(Fault.FORM, ".".join(str(step) for step in problem.path), problem.message)
        return values


Handler = Callable[[Parts, Call], Awaitable[Mapping[str, Any]]]
"""Answers a call with the body of a good answer; raises one of `reference_impl.http.errors.REFUSALS` otherwise."""


async def submit(parts: Parts, call: Call, *, json_only: bool = False) -> tuple[str, Accepted]:
    """Make a task of the call's body: its id, and what was understood.

    Args:
        parts: see `Parts`.
        call: of a submit operation.
        json_only: the Content-Type has to be JSON's.

    Raises:
        Refused: the body is not as the document wants it, or cannot be done.
        TooManyPictures: the account is over its limit.
        QueueFull: there is no room.
    """
    body = await read_body(call.request, json_only=json_only)
    operation_id = call.operation.operation_id
    read = partial(parts.submissions.accept, operation_id, body, parts.service.ids.seed)
    accepted = read() if len(body) < _LARGE else await asyncio.to_thread(read)
    parts.limit.take(call.account, call.operation, accepted.job.count)
    task_id = await parts.service.submit(
        call.account, operation_id, body, accepted.job, accepted.delivery, accepted.echo
    )
    return task_id, accepted


async def read_task(parts: Parts, call: Call) -> TaskView:
    """The task that the call asks for, where it is one of its account and of its version.

    Raises:
        Refused: the call names none.
        NoSuchTask: there is none.
    """
    view = await parts.service.read(call.account, str(call.query(parts.reading)["task_id"]))
    if parts.document.operations[view.task.operation_id].version != call.operation.version:
        raise NoSuchTask
    return view
