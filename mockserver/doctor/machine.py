"""The machine: its clock, where files can be written, and whether certificates can be made."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from mockserver.doctor.values import Line, ok, problem, warning

RELEASED_MS = 1_767_225_600_000
"""The first of January 2026, in milliseconds since the epoch: no machine that runs this is older."""
LATEST_MS = RELEASED_MS + 20 * 365 * 86_400_000
LITTLE_BYTES = 100 * 1024 * 1024
FEW_FILES = 256


def clock(now_ms: int) -> Iterator[Line]:
    """Whether the machine's clock can be right.

    Args:
        now_ms: what it says, milliseconds since the epoch.
    """
    shown = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if not RELEASED_MS <= now_ms <= LATEST_MS:
        yield problem(
            "clock",
            f"the machine's clock says {shown}: links, signatures of webhooks and certificates count by it",
            "set the clock; in a container or virtual machine that of the host",
        )
    else:
        yield ok("clock", f"the clock says {shown}; a clock that is set while a mock runs moves none of its worlds")


def folders(here: Path) -> Iterator[Line]:
    """Whether files can be written: temporary ones, and results in the working folder."""
    try:
        temporary = Path(tempfile.gettempdir())
    except OSError as error:
        yield problem("temporary", f"there is no folder for temporary files: {error}", "set TMPDIR to one")
    else:
        yield from _folder("temporary", temporary, "folder for temporary files", problem)
    yield from _folder("folder", here, "working folder (sweep, record and journal write into it)", warning)


def _folder(id: str, folder: Path, what: str, bad: Callable[[str, str, str], Line]) -> Iterator[Line]:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".novita-mock-"):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        yield bad(
            id, f"{folder}, the {what}, cannot be written to: {error.strerror}", "make it writable, or use another"
        )
        return
    if free < LITTLE_BYTES:
        yield warning(id, f"{folder}, the {what}, has {free // 1024**2} MiB left", "free some space")
    else:
        yield ok(id, f"{folder}, the {what}, can be written to")


def files() -> Iterator[Line]:
    """How many files and connections a process may have open, where that can be known."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= limit < FEW_FILES:
        yield warning("files", f"a process may open {limit} files: few clients can be connected", "ulimit -n 1024")
    else:
        yield ok("files", "a process may open enough files and connections")


def authority(environment: Mapping[str, str]) -> Iterator[Line]:
    """Whether the throw-away authority of --intercept can be made; nothing where the extra is not installed."""
    if find_spec("trustme") is None:
        return
    from mockserver.intercept.authority import Authority, trusted_before
    from mockserver.programs.names import VENDOR_HOST

    trusted = trusted_before(environment)
    try:
        with tempfile.TemporaryDirectory(prefix="novita-mock-") as folder:
            Authority(Path(folder), trusted).server_context(VENDOR_HOST)
    except Exception as error:  # whatever OpenSSL or the library have to say
        yield problem(
            "authority",
            f"--intercept cannot make its certificates: {error}",
            "pip install --upgrade trustme cryptography",
        )
        return
    if trusted is None:
        yield warning(
            "authority",
            "--intercept can make its certificates, but finds none of this system's: programs under it trust the mock "
            "only",
            "install ca-certificates, or name a bundle in SSL_CERT_FILE",
        )
    else:
        yield ok("authority", f"--intercept can make its certificates, and adds them to {trusted}")
