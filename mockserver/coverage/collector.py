"""Counts what a client did. Cheap enough to run with every call, and bounded however long a server lives.

A call is read after its answer was made: the request's body and query by the field tree of its operation, the answer
by its state, reason or code. Only accepted calls count for operations, parameters and values; a refused one counts as
its reason. What there is to count comes from `mockserver.coverage.model`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import orjson

from mockserver.coverage.item import Dimension, LinkOutcome, WebhookOutcome
from mockserver.coverage.items_of_surroundings import bases
from mockserver.coverage.model import STATUS_AT, Universe
from mockserver.coverage.probe import MAX_ENTRIES, Probe, count_fields
from mockserver.coverage.report import Report
from openapi.catalogue import Catalogue
from openapi.document import Operation

MAX_TASKS = 10_000
"""Tasks whose last state is remembered; beyond it the one polled longest ago counts as it stands."""
MAX_WAITING = 4_096
"""Worlds and ways on which a survivor is awaited."""
MAX_QUERY_BYTES = 4_096
MAX_POLL_BYTES = 256
"""A poll's query, which holds the task's id; a longer one is no client's."""
FURTHER_READS = 1
"""Polls after the end that still count as having stopped: one more gives fresh links."""
MAX_CODES = 200
"""Different findings that are counted."""

_TASK = "task"
_DOWNLOAD = "download"
_WEBHOOK = "webhook"
_WAY_OF_POINT = {
    "queue": _TASK,
    "start": _TASK,
    "progress": _TASK,
    "finish": _TASK,
    "storage.put": _TASK,
    "download": _DOWNLOAD,
    "webhook.attempt": _WEBHOOK,
}
"""Where a client shows that it got through a fault; at every other point, in a later call of the same operation."""


class Coverage:
    """What the clients of one server have exercised so far.

    Args:
        universe: what there is to cover.
        catalogue: the models, to tell checkpoints apart; the one that the universe was made with.
    """

    def __init__(self, universe: Universe, catalogue: Catalogue | None = None) -> None:
        self.universe = universe
        checkpoints = {
            name: universe.places[f"{Dimension.MODELS.value}:checkpoint={base}"]
            for base, names in bases(catalogue or ()).items()
            for name in names
        }
        self._bodies = {
            operation_id: tuple(Probe(universe, operation_id, field, checkpoints) for field in fields)
            for operation_id, fields in universe.bodies.items()
        }
        self._queries = {
            operation_id: tuple(Probe(universe, operation_id, field, checkpoints) for field in fields)
            for operation_id, fields in universe.queries.items()
        }
        self._polls = frozenset(
            operation_id
            for operation_id, fields in universe.queries.items()
            if any(field.name == "task_id" for field in fields)
        )
        self.clear()

    def clear(self) -> None:
        """Forgets all that was seen."""
        self._counts = [0] * len(self.universe.items)
        self._calls = 0
        self._happened: dict[int, int] = {}
        self._findings: dict[str, int] = {}
        self._tasks: OrderedDict[tuple[str, str, bytes], tuple[str | int, int]] = OrderedDict()
        self._struck: OrderedDict[tuple[str, str], set[int]] = OrderedDict()
        self._waiting: OrderedDict[tuple[str, str], set[int]] = OrderedDict()

    def saw_call(
        self,
        *,
        operation: Operation,
        query: bytes,
        body: bytes,
        answer: Mapping[str, Any] | bytes,
        status: int,
        world: str = "",
    ) -> None:
        """A call of an operation, once its answer was made.

        Args:
            operation: what was called.
            query: as sent.
            body: as sent.
            answer: the body of the answer, read or as sent.
            status: its HTTP status; 0 when none came.
            world: id of the world; tells clients with different keys apart.
        """
        self._calls += 1
        told = _read(answer) if isinstance(answer, bytes) else answer
        accepted = self._saw_answer(operation, told, status)
        operation_id = operation.operation_id
        if accepted:
            self._add(f"{Dimension.OPERATIONS.value}:{operation_id}")
            if self._waiting:
                self._survived(world, operation_id)
                self._survived(world, "")
            if operation_id in self._polls:
                self._saw_poll(operation, query, told, world)
            elif body:
                self._saw_body(operation_id, body)
            else:
                self._saw_query(operation_id, query)
        if self._struck:  # last: this call was struck, so it is no proof itself
            for place in self._struck.pop((world, operation_id), ()):
                self._wait(self._waiting, (world, operation_id), place)

    def _saw_answer(self, operation: Operation, answer: Mapping[str, Any], status: int) -> bool:
        """Counts the version and the reason or code of a refusal; gives whether the call was accepted."""
        version = operation.version
        self._add(f"{Dimension.VERSIONS.value}:{version}")
        if version == "v2":
            code = answer.get("code")
            if status == 200 and code == 0:
                return True
            self._add(f"{Dimension.V2_CODES.value}:{code}")
            return False
        if status != 200:
            self._add(f"{Dimension.ERRORS.value}:{operation.operation_id}:{answer.get('reason')}")
        return status == 200

    def saw_fault(self, point: str, effect: str, *, operation: str = "", world: str = "") -> None:
        """A fault happened; it counts as survived when the client gets through later.

        One that strikes a call is told while that call is handled, before `saw_call`: the next call of that operation
        in that world is the struck one, and only those after it show that the client got through.

        Args:
            point: where it happened.
            effect: what it did.
            operation: operationId of the call that it struck; empty: any accepted call will do. Faults of tasks,
                links and webhooks are survived in their own way.
            world: id of the world.
        """
        place = self.universe.places.get(f"{Dimension.FAULTS.value}:{point}:{effect}")
        if place is None:
            return
        self._happened[place] = self._happened.get(place, 0) + 1
        way = _WAY_OF_POINT.get(point)
        if way is None and operation:
            self._wait(self._struck, (world, operation), place)
        else:
            self._wait(self._waiting, (world, way or ""), place)

    def saw_download(self, version: str, outcome: LinkOutcome, *, image_type: str = "", world: str = "") -> None:
        """A picture link was used.

        Args:
            version: `v2` or `v3`, of the task.
            outcome: what it gave.
            image_type: format of the picture that was sent.
            world: id of the world.
        """
        links, way = Dimension.LINKS.value, (world, f"{_DOWNLOAD}/{version}")
        if outcome is LinkOutcome.EXPIRED:
            self._add(f"{links}:{version}:expired")
            place = self.universe.places.get(f"{links}:{version}:renewed")
            if place is not None:
                self._wait(self._waiting, way, place)
            return
        self._add(f"{links}:{version}:opened:{image_type}")
        self._survived(world, f"{_DOWNLOAD}/{version}")
        self._survived(world, _DOWNLOAD)

    def saw_webhook(self, outcome: WebhookOutcome, *, test_status: str = "", world: str = "") -> None:
        """A delivery ended.

        Args:
            outcome: how.
            test_status: the status that test mode was asked for; empty for a real task.
            world: id of the world.
        """
        self._add(f"{Dimension.WEBHOOKS.value}:{outcome.value}")
        if outcome is not WebhookOutcome.EXHAUSTED:
            if test_status:
                self._add(f"{Dimension.WEBHOOKS.value}:test-mode={test_status}")
            self._survived(world, _WEBHOOK)

    def world_ended(self, world: str) -> None:
        """A world was reset or forgotten: its tasks are asked for no more, and no survivor of a fault is awaited in it.

        The next task of the same key has the same id, and is another.
        """
        for task in [task for task in self._tasks if task[1] == world]:
            self._settle(task[0], *self._tasks.pop(task))
        for places in (self._struck, self._waiting):
            for way in [way for way in places if way[0] == world]:
                del places[way]

    def saw_finding(self, code: str) -> None:
        """A finding was made. Findings are told beside the coverage and change no percentage."""
        if code in self._findings or len(self._findings) < MAX_CODES:
            self._findings[code] = self._findings.get(code, 0) + 1

    def report(self) -> Report:
        """What was exercised so far."""
        counts = list(self._counts)
        for (version, _, _), (state, reads) in self._tasks.items():
            if state in self.universe.terminal and reads <= FURTHER_READS:
                self._add_outcome(counts, version, state)
        return Report(
            contract=self.universe.contract,
            items=self.universe.items,
            counts=tuple(counts),
            happened={self.universe.items[place].key: number for place, number in self._happened.items()},
            findings=dict(self._findings),
            calls=self._calls,
        )

    def _saw_body(self, operation_id: str, body: bytes) -> None:
        try:
            given = orjson.loads(body)
        except (ValueError, RecursionError):  # the answer came from elsewhere, such as a planned one
            return
        if isinstance(given, dict):
            count_fields(self._bodies[operation_id], given, self._counts)

    def _saw_query(self, operation_id: str, query: bytes) -> None:
        given: dict[str, Any] = {}
        if query and len(query) <= MAX_QUERY_BYTES:
            given.update(parse_qs(query.decode("latin-1"), keep_blank_values=True))
        for probe in self._queries[operation_id]:
            texts = given.get(probe.name, ())
            if not texts and probe.absent >= 0:
                self._counts[probe.absent] += 1
            for text in texts[:MAX_ENTRIES]:
                probe.count(probe.typed(text), self._counts)

    def _saw_poll(self, operation: Operation, query: bytes, answer: Mapping[str, Any], world: str) -> None:
        version, operation_id = operation.version, operation.operation_id
        for probe in self._queries[operation_id]:
            self._counts[probe.sent] += 1  # an accepted poll has all there is: the id
        state: Any = answer
        for step in STATUS_AT[version]:
            state = state.get(step) if isinstance(state, Mapping) else None
        if type(state) not in (str, int) or len(query) > MAX_POLL_BYTES:
            return
        self._add(f"{Dimension.STATES.value}:{version}:{state}")
        task = version, world, query
        last, reads = self._tasks.pop(task, (None, 0))
        if last is not None and last != state:
            self._add(f"{Dimension.TRANSITIONS.value}:{version}:{last}->{state}")
        ended = state in self.universe.terminal
        if ended:
            self._survived(world, _TASK)
        if last is None and len(self._tasks) >= MAX_TASKS:
            (of, _, _), seen = self._tasks.popitem(last=False)
            self._settle(of, *seen)
        self._tasks[task] = state, reads + 1 if last in self.universe.terminal else 0

    def _settle(self, version: str, state: str | int, reads: int) -> None:
        """A task is asked for no more: it counts as it stands."""
        if state in self.universe.terminal and reads <= FURTHER_READS:
            self._add_outcome(self._counts, version, state)

    def _add(self, key: str) -> None:
        place = self.universe.places.get(key)
        if place is not None:
            self._counts[place] += 1

    def _add_outcome(self, counts: list[int], version: str, state: str | int) -> None:
        place = self.universe.places.get(f"{Dimension.OUTCOMES.value}:{version}:{state}")
        if place is not None:
            counts[place] += 1

    @staticmethod
    def _wait(waiting: OrderedDict[tuple[str, str], set[int]], way: tuple[str, str], place: int) -> None:
        """Notes an item that counts when something happens on its way; the oldest ways are given up at the bound."""
        waiting.setdefault(way, set()).add(place)
        waiting.move_to_end(way)
        if len(waiting) > MAX_WAITING:
            waiting.popitem(last=False)

    def _survived(self, world: str, way: str) -> None:
        for place in self._waiting.pop((world, way), ()):
            self._counts[place] += 1


def _read(answer: bytes) -> Mapping[str, Any]:
    """An answer as it was sent; empty when it is no JSON object, as a gateway's error page."""
    try:
        told = orjson.loads(answer)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
