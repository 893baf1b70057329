"""What the exit status of a run means."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Where several apply: INTERRUPTED, then UNREACHABLE, HARNESS_ERROR, VIOLATION, INCONCLUSIVE."""

    CONFORMANT = 0
    VIOLATION = 1
    """A requirement is broken, or an expected failure is none any more."""
    USAGE = 2
    UNREACHABLE = 3
    INCONCLUSIVE = 4
    """Nothing is broken, but something could not be decided, or nothing was chosen at all."""
    HARNESS_ERROR = 5
    """A mistake of the suite; the other verdicts stand, but the run is not whole."""
    INTERRUPTED = 130

    @property
    def words(self) -> str:
        """For people."""
        return _WORDS[self]


_WORDS = {
    ExitCode.CONFORMANT: "conformant",
    ExitCode.VIOLATION: "not conformant",
    ExitCode.USAGE: "wrong usage",
    ExitCode.UNREACHABLE: "target unreachable",
    ExitCode.INCONCLUSIVE: "inconclusive",
    ExitCode.HARNESS_ERROR: "error of the suite",
    ExitCode.INTERRUPTED: "interrupted",
}
