"""A client whose calls are told to a coverage as the gateway tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from mockserver.coverage.collector import Coverage
from openapi.document import Document


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
