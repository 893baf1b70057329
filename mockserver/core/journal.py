"""The journal: what was asked and answered, newest kept, secrets never stored.

Entries keep header values of an allow-list only, and the first bytes of a body. Each world has a bounded journal of
its own; a `JournalBudget` bounds the bytes of all journals of a server together (bodies, headers, queries and what an
entry costs in itself), the oldest entries going first.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterator

BODY_BYTES = 8 * 1024
"""How much of a body is kept, per direction."""
ENTRY_BYTES = 450
"""What an entry costs beside the texts in it."""
KEPT_HEADERS = frozenset({b"accept", b"accept-encoding", b"content-type", b"content-length", b"user-agent", b"range"})

_SECRET = re.compile(rb"((?:^|&)[^=&]*(?:key|token|secret|passw|auth|signature|credential)[^=&]*=)[^&]+", re.IGNORECASE)


def without_secrets(query: bytes) -> bytes:
    """A query string with `...` for the values of names such as `api_key`: a client may send its key anywhere."""
    return _SECRET.sub(rb"\1...", query)


class Entry:
    """One call.

    Attributes:
        number: position in the world's journal, from 1.
        at_ms: the world's instant of the answer.
        method, path: as sent.
        query: query string as sent, secrets cut out.
        operation_id: the operation; empty for paths outside the contract.
        status: HTTP status of the answer.
        headers: allowed header names and values, as sent.
        request, answer: the first `BODY_BYTES` of the bodies.
        request_bytes, answer_bytes: their full lengths.
        findings: how many findings the call made.
        size: about how many bytes it takes.
    """

    __slots__ = (
        "answer",
        "answer_bytes",
        "at_ms",
        "findings",
        "headers",
        "method",
        "number",
        "operation_id",
        "path",
        "query",
        "request",
        "request_bytes",
        "size",
        "status",
    )

    def __init__(
        self,
        number: int,
        at_ms: int,
        method: str,
        path: str,
        query: bytes,
        operation_id: str,
        status: int,
        headers: tuple[tuple[bytes, bytes], ...],
        request: bytes,
        answer: bytes,
        findings: int,
    ) -> None:
        self.number = number
        self.at_ms = at_ms
        self.method = method
        self.path = path
        self.query = query
        self.operation_id = operation_id
        self.status = status
        self.headers = headers
        self.request_bytes = len(request)
        self.request = request[:BODY_BYTES]
        self.answer_bytes = len(answer)
        self.answer = answer[:BODY_BYTES]
        self.findings = findings
        size = ENTRY_BYTES + len(path) + len(query) + len(self.request) + len(self.answer)
        for name, value in headers:
            size += len(name) + len(value)
        self.size = size


class JournalBudget:
    """Bounds the bytes of all journals of a server together.

    Over the bound the journals that were written to longest ago lose their oldest entries first.

    Attributes:
        total_bytes: bytes kept now.
    """

    __slots__ = ("_journals", "_last", "_max_bytes", "total_bytes")

    def __init__(self, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._max_bytes = max_bytes
        self._journals: OrderedDict[Journal, None] = OrderedDict()
        self._last: Journal | None = None
        self.total_bytes = 0

    def charge(self, journal: Journal, size: int) -> None:
        """Counts an entry that was just written."""
        if journal is not self._last:
            self._journals[journal] = None
            self._journals.move_to_end(journal)
            self._last = journal
        self.total_bytes += size
        while self.total_bytes > self._max_bytes:
            idle = next(iter(self._journals))
            idle.drop_oldest()
            if not len(idle):
                del self._journals[idle]
                self._last = None

    def forget(self, journal: Journal) -> None:
        """A journal is empty and gone."""
        self._journals.pop(journal, None)
        self._last = None


class Journal:
    """The calls of one world, newest `limit` kept.

    Attributes:
        written: how many calls were written in all.
    """

    __slots__ = ("_budget", "_entries", "_limit", "written")

    def __init__(self, budget: JournalBudget, limit: int = 1000) -> None:
        self._entries: deque[Entry] = deque()
        self._budget = budget
        self._limit = limit
        self.written = 0

    def write(
        self,
        *,
        at_ms: int,
        method: str,
        path: str,
        query: bytes,
        operation_id: str,
        status: int,
        headers: tuple[tuple[bytes, bytes], ...],
        request: bytes,
        answer: bytes,
        findings: int,
    ) -> None:
        """Writes a call."""
        if self._limit == 0:
            return
        self.written += 1
        entry = Entry(
            self.written, at_ms, method, path, query, operation_id, status, headers, request, answer, findings
        )
        if len(self._entries) >= self._limit:
            self.drop_oldest()
        self._entries.append(entry)
        self._budget.charge(self, entry.size)

    def drop_oldest(self) -> None:
        """Forgets the oldest entry, if there is one."""
        if self._entries:
            self._budget.total_bytes -= self._entries.popleft().size

    def clear(self) -> None:
        """Forgets all entries and starts numbering again."""
        while self._entries:
            self.drop_oldest()
        self._budget.forget(self)
        self.written = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)
