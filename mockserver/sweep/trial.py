"""One run of the program: a mock of its own, a workplace of its own, a time limit, and what it left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from mockserver.core.codes import Code
from mockserver.faults.points import COURSE, Point
from mockserver.faults.tape import tape
from mockserver.parts.wall import SystemWall
from mockserver.pictures import recipe_digest
from mockserver.programs.child import exit_code, start_program
from mockserver.programs.closing import sums
from mockserver.programs.names import KEY
from mockserver.programs.stage import staged_for
from mockserver.submitting import recipe_of
from mockserver.sweep.files import Kind, Seen, look
from mockserver.sweep.judging import Evidence
from mockserver.sweep.place import Place
from mockserver.sweep.workplace import workplace

if TYPE_CHECKING:
    from mockserver.faults.scenario import Scenario
    from mockserver.mock import Mock
    from mockserver.settings import Settings

GRACE_S = 1.0
"""Between being asked to end and being killed."""
LOOK_S = 0.5
MAX_PRINTED = 64 * 1024 * 1024
"""A program that prints more is stopped: its log would fill the disk."""
LAST_WORDS = 2_000
MAX_SEARCHED = 64 * 1024 * 1024
MAX_KEPT_FILES = 50
PICTURE_PREFIXES = ("/prod/", "/v2_prod/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all runs of a sweep have in common.

    Attributes:
        program: command and arguments.
        settings: of every mock.
        environment: the variables that the program inherits.
        key: its API key.
        hosts: whom a proxy answers for; none: no proxy.
        place: where it works.
        source: the current folder.
        out: where what was seen is written.
    """

    program: Sequence[str]
    settings: Settings
    environment: Mapping[str, str]
    source: Path
    out: Path
    key: str = KEY
    hosts: tuple[str, ...] = ()
    place: Place = Place.COPY


class Stopper:
    """Ends every program that runs, when the sweep is interrupted."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self.stopped = False

    @contextmanager
    def watching(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """A program is running."""
        with self._lock:
            self._running.add(process)
            if self.stopped:
                _kill(process, signal.SIGKILL)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(process)

    def stop(self) -> None:
        """Ends them all, and those that start from now on."""
        with self._lock:
            self.stopped = True
            for process in self._running:
                _kill(process, signal.SIGKILL)


def run_once(
    setup: Setup,
    name: str,
    situation: Scenario | None,
    *,
    timeout_s: float,
    stopper: Stopper,
    clean: Evidence | None = None,
) -> Evidence:
    """Runs the program once, in a situation; writes its tape, what it printed and what it wrote.

    Args:
        setup: what all runs share.
        name: of the run, for its files.
        situation: what goes wrong; None: nothing.
        timeout_s: when it is stopped.
        stopper: can end it earlier.
        clean: the run in which nothing went wrong.

    Raises:
        CannotRun: there is no such program.
    """
    kept = setup.out / "runs" / name
    kept.mkdir(parents=True)
    settings = replace(setup.settings, scenario=situation)
    with (
        tempfile.TemporaryDirectory(prefix="nm-") as base,
        workplace(setup.place, setup.source, Path(base), setup.out) as where,
        staged_for(settings, setup.environment, key=setup.key, intercept=setup.hosts) as stage,
    ):
        mock = stage.server.mock
        temporary = str(where.temporary)
        environment = {**stage.environment, "TMPDIR": temporary, "TEMP": temporary, "TMP": temporary}
        returned, seconds = _run(setup.program, environment, where.folder, kept, timeout_s, stopper)
        passed_ms = stage.server.call(lambda: _passed_ms(mock)) if returned is None else 0
        books = stage.server.call(lambda: _books(mock))
        (setup.out / "tapes" / f"{name}.tape").write_bytes(books.pop("tape"))
        was = {} if clean is None else {one.path: one.kind for one in clean.files}
        new = where.new_files()
        files = tuple(look(file, path, books["digests"], was.get(file)) for file, path in new.items())
        leaks = _leaks(setup.key.encode(), new, kept)
        fresh = new.keys() - where.before.keys() if setup.place is Place.HERE else frozenset[str]()
        _keep(new, files, kept / "files", fresh)
    del books["digests"]
    return Evidence(
        exit_code=None if returned is None else exit_code(returned),
        seconds=seconds,
        stopped_after_ms=passed_ms,
        files=files,
        leaks=leaks,
        last_words=_last_words(kept).replace(setup.key, "[the key]"),
        **books,
    )


def _run(
    program: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    kept: Path,
    timeout_s: float,
    stopper: Stopper,
) -> tuple[int | None, float]:
    """Return code, None for one that was stopped; and the seconds it took."""
    wall = SystemWall()
    began_ms = wall()
    with (kept / "stdout.txt").open("wb") as output, (kept / "stderr.txt").open("wb") as errors:
        process = start_program(
            program, environment, folder, output=output.fileno(), errors=errors.fileno(), apart=True
        )
        try:
            with stopper.watching(process):
                returned = _awaited(process, timeout_s, (kept / "stdout.txt", kept / "stderr.txt"))
                if returned is None:
                    _kill(process, signal.SIGTERM)
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(GRACE_S)
        finally:
            _kill(process, signal.SIGKILL)  # and what it has left running
            process.wait()
    return returned, (wall() - began_ms) / 1000


def _awaited(process: subprocess.Popen[bytes], timeout_s: float, printed: Sequence[Path]) -> int | None:
    """Its return code; None when it is to be stopped, for its time is over or what it prints has no end."""
    left_s = timeout_s
    while left_s > 0:
        try:
            return process.wait(min(left_s, LOOK_S))
        except subprocess.TimeoutExpired:
            left_s -= LOOK_S
            if any(path.stat().st_size > MAX_PRINTED for path in printed):
                return None
    return None


def _kill(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)  # the program began a group of its own


def _passed_ms(mock: Mock) -> int:
    """How much time the tasks have seen since the first was submitted."""
    return max(
        (
            world.clock.now_ms() - min(task.submitted_ms for task in world.tasks)
            for world in mock.worlds
            if len(world.tasks)
        ),
        default=0,
    )


def _books(mock: Mock) -> dict[str, Any]:
    """What the mock knows of the run."""
    played = orjson.dumps(tape(mock.settings.seed, mock.told_faults()))
    found = sums(mock)
    worlds = mock.worlds
    codes: dict[Code, int] = found.codes()
    return {
        "tasks": found.tasks,
        "micro_usd": found.micro_usd,
        "double_spends": sum(world.verdicts.double_spends for world in worlds),
        "unclaimed": sum(len(world.verdicts.unclaimed()) for world in worlds),
        "findings": codes,
        "fired": tuple(one.position for _, fired in mock.told_faults() for one in fired),
        "points": frozenset(_points(mock)),
        "digests": frozenset(recipe_digest(recipe_of(task, mock)) for world in worlds for task in world.tasks),
        "tape": played,
    }


def _points(mock: Mock) -> Iterator[Point]:
    """Where the program came by."""
    for world in mock.worlds:
        yield Point.AUTH
        for entry in world.journal:
            if entry.operation_id == "listModels":
                yield Point.MODELS
            elif entry.path.startswith(PICTURE_PREFIXES):
                yield Point.DOWNLOAD
        for task in world.tasks:
            yield from (Point.SUBMIT_BEFORE, Point.SUBMIT_AFTER_COMMIT, *COURSE)
            if task.polls:
                yield Point.RESULT
            if task.delivery.webhook_url is not None:
                yield from (Point.WEBHOOK_BEFORE_REPLY, Point.WEBHOOK_ATTEMPT)
            if task.delivery.storage is not None:
                yield Point.STORAGE_PUT


def _leaks(key: bytes, new: Mapping[str, Path], kept: Path) -> tuple[str, ...]:
    """Where the key stands."""
    places = {"stdout": kept / "stdout.txt", "stderr": kept / "stderr.txt", **new}
    return tuple(name for name, path in places.items() if _holds(path, key))


def _holds(path: Path, key: bytes) -> bool:
    try:
        return path.stat().st_size <= MAX_SEARCHED and key in path.read_bytes()
    except OSError:  # what cannot be read is told as such among the files
        return False


def _keep(new: Mapping[str, Path], files: Sequence[Seen], folder: Path, fresh: Set[str]) -> None:
    """Keeps the pictures and what passed for one; what is `fresh` makes way for the next run in the same folder."""
    for seen in files[:MAX_KEPT_FILES]:
        if seen.kind is not Kind.OTHER or seen.path in fresh:
            target = folder / seen.path
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.move if seen.path in fresh else shutil.copyfile)(new[seen.path], target)


def _last_words(kept: Path) -> str:
    said = [
        (kept / name).read_bytes()[-LAST_WORDS:].decode("utf-8", "replace") for name in ("stdout.txt", "stderr.txt")
    ]
    return "\n".join(text for text in said if text.strip())
