"""A server without a model list that has models of its own: what a run, `probe` and a capabilities file make of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from conformance.names import names_from
from conformance.opening import opened
from conformance.probe import probe
from conformance.runner import Result
from conformance.target import Target
from conformance.verdict import Verdict
from openapi.document import load
from openapi.requirements import Profile
from tests.conformance.harness import Answered, Asked, Wrapper, defect, judge, mock_transport, of_verdict

OWN = "my-model.safetensors"
KNOWN = "dreamshaper_8_93211.safetensors"
GONE = {"code": 404, "reason": "API_NOT_FOUND", "message": "no such route", "metadata": {}}
NO_MODEL = {"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "no such model", "metadata": {}}
REFUSALS = ["V3-TXT2IMG-008", "V3-TXT2IMG-013"]


def foreign(*gone: str) -> Wrapper:
    """The mock with one model, whose name only its owner knows, and without the model list and some other routes."""

    def change(asked: Asked) -> Asked:
        body = asked.json
        if (
            isinstance(body, dict)
            and isinstance(body.get("request"), dict)
            and body["request"].get("model_name") == OWN
        ):
            return asked.saying({**body, "request": {**body["request"], "model_name": KNOWN}})
        return asked

    def answer(asked: Asked, answered: Answered) -> Answered:
        if asked.path.startswith(("/v3/model", *gone)):
            return answered.saying(GONE, 404)
        body = asked.json
        named = isinstance(body, dict) and isinstance(body.get("request"), dict) and body["request"].get("model_name")
        return answered.saying(NO_MODEL, 400) if named and named != OWN else answered

    return defect(request=change, answer=answer)


def judged(*ids: str, transport: Wrapper, names: dict[str, str] | None = None, **target: Any) -> Result:
    return judge(ids, transport=transport, names=names or {}, **target)


def test_refusals_say_nothing_while_no_model_is_known() -> None:
    """Every submit is refused, for its model: neither broken nor held, and the reason says which flag helps."""
    found = judged("V3-TXT2IMG-001", "V3-SUBMIT-001", *REFUSALS, transport=foreign())
    assert {outcome.verdict for outcome in found.outcomes.values()} == {Verdict.UNTESTABLE}
    [reason] = {outcome.message for outcome in found.outcomes.values()}
    assert "--name checkpoint=" in reason
    assert "no such model" in reason
    assert KNOWN in reason


def test_with_a_name_the_same_server_is_judged() -> None:
    found = judged("V3-TXT2IMG-001", "V3-SUBMIT-001", *REFUSALS, transport=foreign(), names={"checkpoint": OWN})
    assert of_verdict(found, Verdict.PASS) == set(found.outcomes)


def test_a_server_that_takes_any_model_is_judged_without_a_name() -> None:
    def no_list(asked: Asked, answered: Answered) -> Answered:
        return answered.saying(GONE, 404) if asked.path.startswith("/v3/model") else answered

    found = judged("V3-TXT2IMG-001", *REFUSALS, transport=defect(answer=no_list))
    assert of_verdict(found, Verdict.PASS) == set(found.outcomes)


def test_a_fault_at_every_submit_is_broken_whatever_is_known_of_models() -> None:
    def fault(asked: Asked, answered: Answered) -> Answered:
        if asked.path.startswith("/v3/model"):
            return answered.saying(GONE, 404)
        return answered.saying({"code": 500}, 500) if asked.method == "POST" else answered

    found = judged("V3-TXT2IMG-001", transport=defect(answer=fault))
    assert of_verdict(found, Verdict.FAIL) == {"V3-TXT2IMG-001"}


def test_a_name_that_was_given_serves_version_2_too() -> None:
    assert names_from([], {"checkpoint": OWN}).checkpoint_in_api == OWN
    assert names_from([], {"checkpoint": OWN, "checkpoint_in_api": "other"}).checkpoint_in_api == "other"
    listed = [{"sd_name": "a", "sd_name_in_api": "b", "type": {"name": "checkpoint"}}]
    assert names_from(listed, {"checkpoint": OWN}).checkpoint_in_api == "b"


def test_what_only_a_disclaimed_operation_can_show_does_not_apply() -> None:
    """Before any name of a model is asked for: nothing has to be told for what is not there."""
    claims = {"createImg2imgTask": False, "listModels": False}
    found = judged(
        "V3-IMG2IMG-0", transport=foreign("/v3/async/img2img"), names={"checkpoint": OWN}, claims=claims, second_key=""
    )
    by_verdict = {name: outcome.verdict for name, outcome in found.outcomes.items()}
    assert set(by_verdict.values()) == {Verdict.NOT_APPLICABLE}, by_verdict


@pytest.mark.parametrize(("names", "offered"), [({}, None), ({"checkpoint": OWN}, True)])
def test_probe_finds_options_when_it_is_told_a_model(names: dict[str, str], offered: bool | None) -> None:
    """A wrong value in an option is refused for its model otherwise, which tells nothing of the option."""

    def other_status(asked: Asked, answered: Answered) -> Answered:
        return replace(answered, status=404) if answered.json == NO_MODEL else answered

    async def ask() -> bool | None:
        target = Target(url="http://mock.test", key="sk-mock-probe", control="/__mock", names=names)
        through = defect(answer=other_status)(foreign()(mock_transport()))
        async with opened(target, load(), transport=through) as session:
            found = await probe(session)
            assert ("--name checkpoint=" in found.as_file("", "")) is (offered is None)
            return found.profiles.get(Profile.V3_NSFW)

    assert asyncio.run(ask()) is offered
