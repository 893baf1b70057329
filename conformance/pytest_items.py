"""One pytest test per requirement, named by its id; the whole run happens once, when the first of them is due.

A warning passes with a warning; what could not be decided fails, as it is no word for the target; what does not apply
is skipped with its reason. Requirements that `-k` and the like leave out are not decided at all.
"""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import SkipTest

import click
import pytest

from conformance import selection
from conformance.errors import NoClock
from conformance.job import Job, perform
from conformance.report.model import Entry
from conformance.report.write import write_reports, write_scripts
from conformance.run_commands import run_command
from conformance.run_options import job_of
from conformance.verdict import Verdict

ANCHOR = selection.FOLDER
"""The folder whose newest revision stands for the tests: pytest wants each test to have a file."""


class ConformanceWarning(pytest.PytestWarning):
    """A SHOULD that was not followed, or a MUST done in the tolerated way."""


class NotConformant(Exception):
    """Why a requirement's test fails."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.id)
        self.entry = entry


def pytest_addoption(parser: pytest.Parser) -> None:
    """The flags."""
    group = parser.getgroup("novita conformance")
    group.addoption("--target", metavar="URL", help="Server to judge.")
    group.addoption(
        "--target-flags",
        metavar="FLAGS",
        default="",
        help="Flags of novita-conformance run, in one text: --target-flags='--strict --report html=out.html'.",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The newest revision is the file that holds the tests."""
    if file_path == ANCHOR / f"{selection.revisions()[-1]}.yaml":
        found: pytest.Collector = RequirementsFile.from_parent(parent, path=file_path)
        return found
    return None


class RequirementsFile(pytest.File):
    """All chosen requirements."""

    def collect(self) -> Iterator[pytest.Item]:
        """A test for each."""
        for row in self.run.job.selection.chosen:
            yield RequirementItem.from_parent(self, name=row.id)

    @cached_property
    def run(self) -> Run:
        """The run that they share."""
        return Run(self.session, self.config)


class Run:
    """Decides all collected requirements at once, when the first is asked for."""

    def __init__(self, session: pytest.Session, config: pytest.Config) -> None:
        self._session = session
        url = config.getoption("--target")
        if not url:
            raise pytest.UsageError(
                "--pyargs conformance needs --target URL, and NOVITA_API_KEY or --target-flags='--api-key KEY'"
            )
        if hasattr(config, "workerinput") or config.getoption("numprocesses", None):
            raise pytest.UsageError(
                "the run is one conversation with the target; it cannot be spread over processes (-n 0)"
            )
        self._options = _options(url, config.getoption("--target-flags"))
        try:
            self.job: Job = job_of(self._options)
        except click.ClickException as error:
            raise pytest.UsageError(error.format_message()) from None

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """What came of each requirement."""
        wanted = {item.name for item in self._session.items if isinstance(item, RequirementItem)}
        chosen = self.job.selection
        rows = tuple(row for row in chosen.chosen if row.id in wanted)
        whole = len(rows) == len(chosen.chosen)
        left = dict.fromkeys((row.id for row in chosen.chosen if row.id not in wanted), "deselected")
        part = replace(chosen, chosen=rows, left_out={**chosen.left_out, **left})
        try:
            report = perform(replace(self.job, selection=part, fuzz=self.job.fuzz and whole))
        except NoClock as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
        if self.job.repro:
            write_scripts(report, self._options["repro_dir"])
        write_reports(report, self._options["reports"])
        return {entry.id: entry for entry in report.entries}


def _options(url: str, flags: str) -> dict[str, Any]:
    """The options of `run` for a target, environment included."""
    try:
        return run_command.make_context("pytest", [url, *shlex.split(flags)]).params
    except (click.ClickException, ValueError) as error:
        said = error.format_message() if isinstance(error, click.ClickException) else str(error)
        raise pytest.UsageError(f"--target, --target-flags: {said}") from None
    except click.exceptions.Exit:
        raise pytest.UsageError("--target-flags: no --help here; see novita-conformance run --help") from None


class RequirementItem(pytest.Item):
    """One requirement."""

    def runtest(self) -> None:
        """Reports what came of it."""
        parent = self.parent
        assert isinstance(parent, RequirementsFile)
        entry = parent.run.entries[self.name]
        if entry.verdict is Verdict.NOT_APPLICABLE:
            raise SkipTest(entry.message)
        if entry.stale:
            raise NotConformant(entry)
        if not entry.verdict.green:
            if not entry.counts:
                raise SkipTest(f"{entry.verdict}, but it does not count: {entry.excuse or 'newer than the revision'}")
            raise NotConformant(entry)
        if entry.verdict is Verdict.WARN:
            warnings.warn(ConformanceWarning(f"{entry.id}: {entry.actual or entry.message}"), stacklevel=1)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What is broken, without a traceback of ours."""
        if not isinstance(excinfo.value, NotConformant):
            return super().repr_failure(excinfo, style)
        entry = excinfo.value.entry
        source = entry.row.sources[0]
        lines = [
            f"{entry.id} {entry.row.keyword} {entry.sentence}",
            f"source:   {source.page.title} ({source.strength}) {source.page.url}".rstrip(),
        ]
        if entry.stale:
            lines.append("expected to fail, but does not: take it off the list")
        elif entry.verdict is not Verdict.FAIL:
            lines.append(f"{entry.verdict}: {entry.message}")
        if entry.expected:
            lines += [f"expected: {entry.expected}", f"actual:   {entry.actual}"]
        return "\n".join(lines)

    def reportinfo(self) -> tuple[Path, None, str]:
        """How pytest names it."""
        return self.path, None, self.name
