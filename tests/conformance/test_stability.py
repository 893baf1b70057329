"""Runs one after the other: the same verdicts are told as such, others by name; busy cores are let go again."""

from __future__ import annotations

from dataclasses import replace

import click
import httpx
import pytest
from click.testing import CliRunner

from conformance.job import Job
from conformance.mutants.upstreams import DEFAULT, upstream
from conformance.run_options import job_of, run_flags
from conformance.stability import Once, busy, main, news, repeated, unsteady, words
from conformance.verdict import Verdict
from tests.conformance.harness import KEY, URL, Answered, Asked, defect, mock_transport

ROWS = ("V3-SUBMIT-001", "V3-SUBMIT-002", "V3-RESULT-003")


def job(*flags: str) -> Job:
    """The job of a command line."""
    found: list[Job] = []

    @click.command()
    @run_flags
    def command(**options: object) -> None:
        found.append(job_of(options))

    args = [URL, "--api-key", KEY, *flags, *(word for row in ROWS for word in ("--only", row))]
    assert CliRunner().invoke(command, args).exit_code == 0
    return replace(found[0], repro=False)


def once(**said: Verdict) -> Once:
    return Once(said={name: (verdict, f"said {verdict}") for name, verdict in said.items()}, took_s=1.0)


def test_the_same_verdicts_in_every_run_are_steady() -> None:
    told: list[Once] = []
    runs = repeated(job(), 3, told.append, mock_transport())
    assert runs == told
    assert [set(run.said) for run in runs] == [set(ROWS)] * 3
    assert unsteady(runs) == {}
    assert words(runs).endswith("Every verdict was the same in all of them.")


def test_a_server_that_answers_otherwise_in_one_run_is_told_by_its_sentence() -> None:
    runs: list[Once] = []

    def answer(asked: Asked, answered: Answered) -> Answered:
        unknown = asked.path.endswith("task-result") and answered.status == 404
        return replace(answered, status=410) if unknown and len(runs) == 2 else answered

    transport = defect(answer=answer)(mock_transport())
    repeated(job(), 3, runs.append, transport)
    found = unsteady(runs)
    assert list(found) == ["V3-RESULT-003"]
    assert found["V3-RESULT-003"].startswith("2 times PASS, 1 times FAIL; run 3: ")
    assert "V3-RESULT-003: 2 times PASS" in words(runs)
    assert [line[: len("V3-RESULT-003: FAIL, not PASS: ")] for line in news(runs[2], runs[0])] == [
        "V3-RESULT-003: FAIL, not PASS: "
    ]
    assert news(runs[1], runs[0]) == []


def test_the_rarest_verdict_is_the_one_that_is_explained() -> None:
    runs = [once(A=Verdict.PASS), once(A=Verdict.UNSTABLE), once(A=Verdict.PASS), once()]
    assert unsteady(runs)["A"] == "2 times PASS, 1 times UNSTABLE, 1 times ERROR; run 4: not decided"


def test_a_run_that_does_not_come_to_its_end_is_the_last() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    told: list[Once] = []
    repeated(job(), 3, told.append, httpx.MockTransport(refuse))
    assert len(told) == 1
    assert "did not come to its end" in words(told)


def test_what_was_seen_before_a_run_that_was_cut_short_is_told() -> None:
    cut = replace(once(), stopped="interrupted")
    assert words([once(A=Verdict.PASS), once(A=Verdict.PASS), cut]).endswith("was the same in 2 of them.")
    assert "A: 1 times PASS, 1 times FAIL" in words([once(A=Verdict.PASS), once(A=Verdict.FAIL), cut])


def test_the_command_says_each_run_and_exits_by_what_all_say() -> None:
    with upstream(DEFAULT) as url:
        args = [url, "--api-key", KEY, "--runs", "2", "--only", ROWS[0]]
        result = CliRunner().invoke(main, args)
        nowhere = CliRunner().invoke(main, ["http://127.0.0.1:9", *args[1:]])
    assert (result.exit_code, nowhere.exit_code) == (0, 3), result.output + nowhere.output
    assert "run 2: 1 PASS (" in result.output
    assert "2 runs of 1 requirements" in result.output


@pytest.mark.parametrize("flags", [("--plan",), ("--report", "json=a.json"), ("--repro",)])
def test_flags_of_a_single_run_are_refused(flags: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, ["http://127.0.0.1:9", "--api-key", KEY, *flags])
    assert result.exit_code == 2
    assert flags[0] in result.output


def test_cores_are_busy_only_meanwhile() -> None:
    with busy(2) as spinning:
        assert [process.poll() for process in spinning] == [None, None]
    assert None not in [process.poll() for process in spinning]
