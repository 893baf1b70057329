"""What tests of coverage share: the universe of the shipped contract, and a client that calls as `gateway` tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from mockserver.coverage.collector import Coverage
from mockserver.coverage.model import Universe, universe
from openapi.catalogue import Catalogue, load_catalogue
from openapi.document import Document

FAULTS = (
    ("submit.before", "status"),
    ("submit.before", "delay"),
    ("result", "status"),
    ("download", "status"),
    ("finish", "failed"),
    ("webhook.attempt", "status"),
)


@dataclass(slots=True)
class Client:
    """Tells calls to a coverage, and reads counts by key."""

    document: Document
    coverage: Coverage

    def call(
        self, operation_id: str, *, body: object = None, query: str = "", answer: Any = None, status: int = 200
    ) -> None:
        """A call of an operation; `body` may be bytes."""
        self.coverage.saw_call(
            operation=self.document.operations[operation_id],
            query=query.encode(),
            body=body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body),
            answer={"task_id": "t"} if answer is None else answer,
            status=status,
            world="w",
        )

    def submit(self, body: object, operation_id: str = "createTxt2imgTask") -> None:
        """A submit that is accepted."""
        answer = {"code": 0, "data": {"task_id": "t"}} if operation_id.endswith("V2") else None
        self.call(operation_id, body=body, answer=answer)

    def poll(self, task: str, state: str) -> None:
        """A v3 poll that shows a state."""
        answer = {"task": {"task_id": task, "status": f"TASK_STATUS_{state}"}}
        self.call("getTaskResult", query=f"task_id={task}", answer=answer)

    def poll_v2(self, task: str, state: int) -> None:
        """A v2 poll that shows a state."""
        self.call("getProgressV2", query=f"task_id={task}", answer={"code": 0, "data": {"status": state}})

    def count(self, key: str) -> int:
        """How often an item was seen."""
        return self.coverage.report().counts[self.coverage.universe.places[key]]

    def seen(self) -> set[str]:
        """Keys of the items that were seen."""
        report = self.coverage.report()
        return {item.key for item, count in zip(report.items, report.counts, strict=True) if count}


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The shipped models."""
    return load_catalogue()


@pytest.fixture(scope="session")
def everything(document: Document, catalogue: Catalogue) -> Universe:
    """All there is to cover."""
    return universe(document, catalogue, FAULTS)


@pytest.fixture
def client(document: Document, catalogue: Catalogue, everything: Universe) -> Client:
    """A client nobody has seen yet."""
    return Client(document, Coverage(everything, catalogue))
