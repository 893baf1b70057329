"""What a server offers, found out by asking; the file says it and is read back as claims."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from conformance.capabilities import claims_from
from conformance.cli import cli
from conformance.opening import opened
from conformance.probe import Capabilities, probe
from conformance.target import Target
from openapi.document import load
from tests.conformance.harness import Answered, Asked, Wrapper, defect, mock_transport
from tests.processes import mock_process

DOCUMENT = load()


def probed(wrapper: Wrapper | None = None) -> Capabilities:
    async def ask() -> Capabilities:
        target = Target(url="http://mock.test", key="sk-mock-probe", control="/__mock")
        inner = mock_transport()
        async with opened(target, DOCUMENT, transport=wrapper(inner) if wrapper else inner) as session:
            return await probe(session)

    return asyncio.run(ask())


def test_the_mock_offers_everything() -> None:
    found = probed()
    assert set(found.operations) == set(DOCUMENT.operations)
    assert all(found.operations.values())
    assert found.profiles
    assert all(found.profiles.values())
    assert found.virtual_clock


def test_a_route_that_is_not_there_is_absent_with_its_profiles() -> None:
    def gone(asked: Asked, answered: Answered) -> Answered:
        if asked.path != "/v2/img2img":
            return answered
        return replace(answered, status=404, body=b"no such page")

    found = probed(defect(answer=gone))
    assert [name for name, offered in found.operations.items() if not offered] == ["createImg2imgTaskV2"]
    assert [name for name, offered in found.profiles.items() if not offered] == ["v2-img2img"]


def test_an_option_that_is_ignored_is_not_offered() -> None:
    """A wrong value in it is accepted: nobody looks there."""

    def without_extra(asked: Asked) -> Asked:
        return replace(asked, body=asked.body.replace(b'"nsfw_detection_level": 9', b'"nsfw_detection_level": 1'))

    found = probed(defect(request=without_extra))
    assert [name for name, offered in found.profiles.items() if not offered] == ["v3-nsfw"]


def test_the_file_is_read_back_as_claims() -> None:
    found = probed()
    text = found.as_file("http://mock.test", "2026-11-21T12:00:00Z")
    assert claims_from(yaml.safe_load(text), DOCUMENT.operations) == {**found.operations, **found.profiles}


def test_the_command_writes_a_file_that_run_takes(tmp_path: Path) -> None:
    file = tmp_path / "capabilities.yaml"
    with mock_process("--clock", "manual") as url:
        written = CliRunner().invoke(cli, ["probe", url, "--api-key", "sk-mock-probe", "-o", str(file)])
        assert written.exit_code == 0, written.output
        chosen = ["--only", "V3-MODEL-001", "--capabilities", str(file)]
        ran = CliRunner().invoke(cli, ["run", url, "--api-key", "sk-mock-probe", *chosen])
    assert ran.exit_code == 0, ran.output


@pytest.mark.parametrize("command", [["probe"], ["diff", "http://127.0.0.1:1"]])
def test_nobody_there_is_exit_code_3(command: list[str]) -> None:
    told = CliRunner().invoke(cli, [*command, "http://127.0.0.1:1", "--api-key", "sk-any"])
    assert told.exit_code == 3
    assert "cannot be reached" in told.output
