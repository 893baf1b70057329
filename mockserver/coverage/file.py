"""A report in a file: written whole or not at all, as other workers may read it at any moment."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mockserver.coverage.report import Report
from mockserver.coverage.wire import ReportError, dump


def write_report(report: Report, path: Path) -> None:
    """Writes a report as JSON; the folder is made when there is none.

    Raises:
        ReportError: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(dump(report))
        fresh.replace(path)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise ReportError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder that is ours"
        ) from None
