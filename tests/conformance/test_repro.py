"""Reproduction scripts, run by sh against a mutant on a port, against the mock, and against nobody."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.connections import connected
from conformance.events import Reproduced
from conformance.mutants.catalogue import load_mutants
from conformance.mutants.proxy import Proxy
from conformance.mutants.serving import listening
from conformance.opening import opened
from conformance.registry import load_checks
from conformance.repro import reproduce
from conformance.runner import Plan, run
from conformance.target import Target
from conformance.verdict import Verdict
from openapi.document import load
from openapi.requirements import load_requirements
from tests.processes import mock_process

KEY = "sk-mock-repro"


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    with mock_process("--clock", "manual") as url:
        yield url


async def reproduced(name: str, upstream: str, **told: Any) -> Reproduced:
    """Runs the check that sees a mutant, and makes a script of what it saw."""
    mutant, rows, document = load_mutants()[name], load_requirements(), load()
    async with connected() as network, listening(Proxy(mutant, upstream, document, network)) as url:
        target = Target(url=url, key=KEY, control="/__mock", **told)
        result = await run(target, Plan(requirements=(rows[mutant.breaks],)), load_checks(), document, rows)
        outcome = result.outcomes[mutant.breaks]
        assert outcome.verdict is Verdict.FAIL
        async with opened(target, document) as session:
            return await reproduce(session, rows[mutant.breaks], outcome, result.log)


def play(script: str, url: str, folder: Path) -> int:
    """The exit code of a script against a server."""
    file = folder / "repro.sh"
    file.write_text(script, encoding="utf-8")
    environment = {**os.environ, "NOVITA_API_KEY": KEY, "BASE": url}  # noqa: TID251  # a child inherits the environment
    return subprocess.run(["sh", str(file)], env=environment, capture_output=True, timeout=60, check=False).returncode


def test_a_refusal_that_did_not_come_is_shown_by_one_call(mock: str, tmp_path: Path) -> None:
    """Run once against the mutant: it showed the violation; against a server that is right it says so."""
    made = asyncio.run(reproduced("accepts-steps-101", mock))
    assert made.verified, made.note
    assert made.script.count("\ncurl ") == 1
    assert KEY not in made.script
    assert play(made.script, mock, tmp_path) == 0
    assert play(made.script, "http://127.0.0.1:1", tmp_path) == 2


@pytest.mark.parametrize(
    ("name", "needs"), [("eta-below-0", "task=$(look task-id"), ("files-of-octets", "link=$(look text")]
)
def test_a_bad_answer_late_in_a_story_is_shown_by_the_story(name: str, needs: str, mock: str, tmp_path: Path) -> None:
    """The submit, a bounded loop of polls with the id that came, and the download where the link is at fault."""
    made = asyncio.run(reproduced(name, mock))
    assert made.verified, made.note
    assert needs in made.script
    assert "while [ $polls -lt" in made.script
    assert play(made.script, mock, tmp_path) == 0


def test_what_no_single_answer_shows_is_left_to_the_check(mock: str) -> None:
    """Pictures that should differ; the script runs the one requirement and passes on what came of it."""
    made = asyncio.run(reproduced("seed-ignored", mock))
    assert not made.verified
    assert "novita-conformance run" in made.script
    assert "--only V3-IMAGE-009" in made.script
    assert KEY not in made.script


def test_a_closed_connection_is_shown_by_curl_alone(mock: str, tmp_path: Path) -> None:
    made = asyncio.run(reproduced("no-json-is-not-answered", mock))
    assert made.verified, made.note
    assert "novita-conformance run" not in made.script
    assert play(made.script, mock, tmp_path) == 0
    assert play(made.script, "http://127.0.0.1:1", tmp_path) == 2, "nobody there is no violation"


def test_a_script_repeats_the_flags_that_a_verdict_depends_on(mock: str) -> None:
    made = asyncio.run(
        reproduced("seed-ignored", mock, names={"checkpoint": "sd_xl_base_1.0.safetensors"}, patience_s=5.0)
    )
    assert "--name=checkpoint=sd_xl_base_1.0.safetensors" in made.script
    assert "--patience=5" in made.script
    assert "--timeout" not in made.script


def test_a_body_shrinks_to_what_shows_the_violation(mock: str) -> None:
    """What the request does not need is taken away, as long as the same one thing is wrong with it."""
    made = asyncio.run(reproduced("accepts-steps-101", mock))
    assert '"steps": 101' in made.script
    assert "webhook" not in made.script
    assert "extra" not in made.script
