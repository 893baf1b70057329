"""Pairs of settings: every pair is there, a right server takes them all, and a refusal is traced to its pair."""

from __future__ import annotations

import asyncio
from itertools import combinations

import pytest

from conformance import pairs
from conformance.bodies import IMG2IMG, TXT2IMG, img2img, img2img_v2, txt2img, txt2img_v2
from conformance.errors import Broken
from conformance.names import Names
from conformance.narrowing import ACCEPTANCE, SUBMITS
from conformance.wire import Exchange
from openapi.document import Reading, load
from tests.conformance.harness import Answered, Asked, Wrapper, defect
from tests.conformance.sessions import opened

NAMES = Names(checkpoint="tiny", checkpoint_in_api="tiny", vae="v", lora="l", embedding="e")
MAKERS = dict(zip(SUBMITS, (txt2img, img2img, txt2img_v2, img2img_v2), strict=True))


def explored(
    between: Wrapper | None = None, *, strict: bool = False, seed: int = 1
) -> tuple[list[Broken], list[Exchange]]:
    async def explore() -> tuple[list[Broken], list[Exchange]]:
        async with opened(between, strict=strict) as session:
            return await pairs.explore(session, seed), list(session.client.log.exchanges.values())

    return asyncio.run(explore())


@pytest.mark.parametrize("operation_id", SUBMITS)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_two_values_stand_together(operation_id: str, seed: int) -> None:
    parameters = pairs.parameters_of(operation_id, NAMES)

    rows = pairs.covering(parameters, seed)

    assert len(rows) <= 30
    for one, other in combinations(parameters, 2):
        seen = {(repr(row[one]), repr(row[other])) for row in rows}
        assert seen == {(repr(a), repr(b)) for a in parameters[one] for b in parameters[other]}


@pytest.mark.parametrize("operation_id", SUBMITS)
def test_every_body_is_one_that_the_document_accepts(operation_id: str) -> None:
    operation = load().operations[operation_id]
    base = MAKERS[operation_id](NAMES)

    for row in pairs.covering(pairs.parameters_of(operation_id, NAMES), 3):
        assert not operation.problems(pairs.body_of(base, row), Reading.DOCUMENTED)


def test_a_seed_gives_the_same_bodies_again() -> None:
    parameters = pairs.parameters_of(IMG2IMG, NAMES)

    assert pairs.covering(parameters, 4) == pairs.covering(parameters, 4)
    assert pairs.covering(parameters, 4) != pairs.covering(parameters, 5)


def test_names_that_a_target_lacks_are_not_sent() -> None:
    few = Names(checkpoint="tiny", checkpoint_in_api="tiny")

    for operation_id in SUBMITS:
        for row in pairs.covering(pairs.parameters_of(operation_id, few), 1):
            assert '"model_name": ""' not in repr(row)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_a_right_server_takes_them_all_and_draws_nothing(strict: bool, seed: int) -> None:
    found, exchanges = explored(strict=strict, seed=seed)

    assert found == []
    submits = [exchange for exchange in exchanges if exchange.purpose == pairs.PURPOSE]
    assert {exchange.operation_id for exchange in submits} == set(SUBMITS)
    assert len(submits) < 120
    assert all(b'"n_iter": 0' in one.request_body or b'"test_mode"' in one.request_body for one in submits)


def refusing(*needles: str) -> Wrapper:
    """A server that does not take some things together."""
    refusal = {"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "not together"}

    def spoil(asked: Asked, answered: Answered) -> Answered:
        hit = all(needle.encode() in asked.body for needle in needles)
        if not hit:
            return answered
        if asked.path.startswith("/v2"):
            return answered.saying({"code": 6, "msg": "not together", "data": None})
        return answered.saying(refusal, status=400)

    return defect(answer=spoil)


def test_a_refused_pair_is_named_on_the_row_of_acceptance() -> None:
    found, exchanges = explored(refusing('"hires_fix"', '"loras"'))

    [broken] = found
    assert broken.requirement == "V3-TXT2IMG-002"
    assert "request.hires_fix" in broken.expected
    assert "request.loras" in broken.expected
    assert broken.expected.count("request.") == 2
    [last] = [one for one in exchanges if one.number == broken.exchanges[-1]]
    assert last.status == 400
    [(number, claim)] = broken.claims
    assert number == last.number
    assert not claim.judge(last)[0]


def test_a_pair_of_v2_is_named_too() -> None:
    found, _ = explored(refusing('"denoising_strength": 0.5', '"resize_mode": 1'))

    assert [broken.requirement for broken in found] == ["V2-IMG2IMG-002"]


def test_a_single_value_is_blamed_on_its_own_row() -> None:
    found, _ = explored(refusing('"jpeg"', '"request"'))

    assert {broken.requirement for broken in found} == {"V3-EXTRA-004"}


def test_a_server_that_refuses_the_plainest_submit_is_not_asked_for_pairs() -> None:
    """Its own row says that."""
    found, exchanges = explored(refusing('"steps"'))

    assert found == []
    assert len(exchanges) < 30


def test_a_server_without_test_mode_is_not_asked_for_pictures() -> None:
    found, exchanges = explored(refusing('"test_mode"'))

    assert found == []
    assert not [one for one in exchanges if one.purpose == pairs.PURPOSE and one.operation_id == TXT2IMG]


def test_each_submit_has_a_row_of_acceptance() -> None:
    assert set(ACCEPTANCE) == set(SUBMITS)
