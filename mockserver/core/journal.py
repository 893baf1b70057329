"""The journal: what was asked and answered, newest kept, secrets never stored.

Entries keep header values of an allow-list only, and the first bytes of a body; secrets are cut out when an entry is
written (`redaction`), so nothing that reads a journal can show them. Each world has a bounded journal of
its own; a `JournalBudget` bounds the bytes of all journals of a server together (bodies, headers, queries and what an
entry costs in itself), the oldest entries going first.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator

from mockserver.core.findings import Code, Finding
from mockserver.core.redaction import Redactor, without_secrets

__all__ = ["BODY_BYTES", "ENTRY_BYTES", "KEPT_HEADERS", "Entry", "Journal", "JournalBudget", "without_secrets"]

BODY_BYTES = 8 * 1024
"""How much of a body is kept, per direction."""
ENTRY_BYTES = 450
"""What an entry costs beside the texts in it."""
FINDING_BYTES = 150
"""What a finding that an entry keeps costs beside its words."""
MAX_TOLD = 8
"""Findings of one call that an entry keeps with their words; all of them are counted."""
KEPT_HEADERS = frozenset({b"accept", b"accept-encoding", b"content-type", b"content-length", b"user-agent", b"range"})


class Entry:
    """One call.

    Attributes:
        number: position in the world's journal, from 1.
        at_ms: the world's instant of the answer.
        method, path: as sent, the key cut out.
        query: query string as sent, secrets cut out.
        operation_id: the operation; empty for paths outside the contract.
        status: HTTP status of the answer.
        headers: allowed header names and values, as sent.
        request, answer: the first `BODY_BYTES` of the bodies, secrets cut out.
        request_bytes, answer_bytes: the full lengths of what was sent.
        findings: how many findings the call made.
        told: these findings, the first `MAX_TOLD`.
        fault: what a fault plan did to it; empty: nothing.
        size: about how many bytes it takes.
    """

    __slots__ = (
        "answer",
        "answer_bytes",
        "at_ms",
        "fault",
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
        "told",
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
        request_bytes: int,
        answer_bytes: int,
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
        self.request = request
        self.answer = answer
        self.request_bytes = request_bytes
        self.answer_bytes = answer_bytes
        self.findings = findings
        self.fault = ""
        self.told: tuple[Finding, ...] = ()
        size = ENTRY_BYTES + len(path) + len(query) + len(request) + len(answer)
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

    Args:
        budget: bounds the bytes of all journals together.
        limit: how many entries are kept; 0 switches the journal off.
        secrets: the world's API key, which is cut out wherever it stands. Without one (calls that carried no
            acceptable key) whatever looks like a key is cut.

    Attributes:
        written: how many calls were written in all.
        tell: is told when the key stood where it should not.
    """

    __slots__ = ("_budget", "_clean_headers", "_entries", "_given_headers", "_limit", "_redactor", "tell", "written")

    def __init__(self, budget: JournalBudget, limit: int = 1000, secrets: tuple[bytes, ...] = ()) -> None:
        self._entries: deque[Entry] = deque()
        self._budget = budget
        self._limit = limit
        self._redactor = Redactor(secrets)
        # A caller hands over one tuple for equal headers; only another one is searched.
        self._given_headers: tuple[tuple[bytes, bytes], ...] | None = None
        self._clean_headers: tuple[tuple[bytes, bytes], ...] = ()
        self.written = 0
        self.tell: Callable[[Iterable[Finding]], object] | None = None

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
        """Writes a call, secrets cut out."""
        if self._limit == 0:
            return
        self.written += 1
        redactor = self._redactor
        request_bytes, answer_bytes = len(request), len(answer)
        cut: tuple[str, ...] = ()
        # What the documented reading accepted whole holds documented names only, and none of them is a secret's. It is
        # searched when it holds the key, a slash (as a URL does) or a backslash (as escaped text does); numbers, since
        # looking for one byte is the fastest search.
        # An accepted v2 call has one finding at least, that v2 is deprecated.
        doubtful = status != 200 or (findings and not (findings == 1 and answer.startswith(b'{"code":0,')))
        if query and (doubtful or 38 in query or not query.startswith(b"task_id=")):
            query = redactor.query(query)
            self._note_key(operation_id, "query")
        if request:
            if (
                doubtful
                or 47 in request
                or 92 in request
                or (redactor.rare in request and request.find(redactor.key) >= 0)
            ):
                request, cut = redactor.request(request, BODY_BYTES)
                self._note_key(operation_id, "body")
            elif request_bytes > BODY_BYTES:
                request = request[:BODY_BYTES]
        if redactor.seen or 38 in answer or cut:  # only a request can have brought the key; a signed link has an &
            answer = redactor.answer(answer, BODY_BYTES, cut)
        elif answer_bytes > BODY_BYTES:
            answer = answer[:BODY_BYTES]
        if headers is not self._given_headers:
            # The given ones are kept only where they are the clean ones: they may hold the key.
            self._clean_headers = redactor.headers(headers)
            self._given_headers = headers if self._clean_headers is headers else None
        if not operation_id:  # the path of an operation is the contract's
            path = self.clean(path)
        entry = Entry(
            self.written,
            at_ms,
            method,
            path,
            query,
            operation_id,
            status,
            self._clean_headers,
            request,
            answer,
            request_bytes,
            answer_bytes,
            findings,
        )
        if len(self._entries) >= self._limit:
            self.drop_oldest()
        self._entries.append(entry)
        self._budget.charge(self, entry.size)

    def mark(self, fault: str) -> None:
        """Says of the call written last what a fault plan did to it."""
        if self._entries:
            self._entries[-1].fault = fault

    def explain(self, findings: tuple[Finding, ...]) -> None:
        """Says of the call written last what was found in it; secrets are cut out already."""
        if self._entries and findings:
            entry = self._entries[-1]
            entry.told = findings[:MAX_TOLD]
            words = sum(FINDING_BYTES + len(finding.where) + len(finding.message) for finding in entry.told)
            entry.size += words
            self._budget.charge(self, words)

    def clean(self, text: str) -> str:
        """A text without the key, for whatever else is kept or printed of a call."""
        return self._redactor.text(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def _note_key(self, operation_id: str, place: str) -> None:
        if self._redactor.found:
            self._redactor.found = False
            if self.tell is not None:
                message = f"the API key stood in the {place}; it belongs into the header Authorization alone"
                self.tell([Finding(Code.KEY_IN_URL_OR_BODY, f"{operation_id}: {place}", message)])

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
