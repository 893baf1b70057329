"""Breadth by generated calls: nothing is found in a right server, defects are found on the rows that they break."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Collection, Sequence
from hashlib import blake2b

import pytest
from schemathesis.checks import CHECKS

from conformance import fuzz, fuzz_engine
from conformance.bodies import IMG2IMG, MODELS, PROGRESS, RESULT, TXT2IMG, TXT2IMG_V2, img2img, txt2img, txt2img_v2
from conformance.budget import Limits
from conformance.fuzz import Explored
from conformance.fuzz_bodies import Tamer
from conformance.fuzz_judge import Judge
from conformance.names import Names
from conformance.wire import Exchange
from openapi.document import Reading, load
from tests.conformance.harness import Answered, Asked, Wrapper, defect
from tests.conformance.sessions import opened

WEBHOOK = {
    "url": "http://127.0.0.1:9/sink",
    "test_mode": {"enabled": True, "return_task_status": "TASK_STATUS_SUCCEED"},
}
TAMER = Tamer(
    names=Names(checkpoint="tiny", checkpoint_in_api="tiny", vae="small-vae", lora="some-lora"),
    webhook=WEBHOOK,
    zero_runs=True,
)
NO_TASK = {"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "not today"}


def explored(
    between: Wrapper | None = None,
    *,
    phases: Sequence[str] = ("coverage",),
    operations: Collection[str] | None = None,
    seed: int = 1,
    examples: int = 3,
    strict: bool = False,
    limits: Limits | None = None,
) -> tuple[Explored, list[Exchange]]:
    """What is found, and every exchange."""

    async def explore() -> tuple[Explored, list[Exchange]]:
        async with opened(between, strict=strict, limits=limits) as session:
            found = await fuzz.explore(session, seed=seed, examples=examples, phases=phases, operations=operations)
            return found, list(session.client.log.exchanges.values())

    return asyncio.run(explore())


def rows(found: Explored) -> set[str]:
    return {row for finding in found.findings for row in finding.requirements}


def assert_nothing_found(found: Explored) -> None:
    assert (found.findings, found.notes, found.stopped, found.errors) == ((), (), "", ())


@pytest.mark.parametrize("strict", [False, True])
def test_nothing_is_found_in_a_right_server(strict: bool) -> None:
    """Both readings, every phase, three of the seven operations."""
    found, exchanges = explored(phases=fuzz.PHASES, operations=[TXT2IMG, TXT2IMG_V2, RESULT], strict=strict, examples=2)

    assert_nothing_found(found)
    assert set(found.cases) == set(fuzz.PHASES)
    assert found.verdicts["accepted"] > 100
    assert found.verdicts["refused"] > 200
    generated = [exchange for exchange in exchanges if exchange.purpose.startswith("breadth: ")]
    assert Counter(exchange.purpose.removeprefix("breadth: ") for exchange in generated) >= Counter(found.cases)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("strict", [False, True])
def test_nothing_is_found_in_a_right_server_whatever_the_seed(strict: bool, seed: int) -> None:
    found, _ = explored(phases=fuzz.PHASES, strict=strict, seed=seed, examples=30)

    assert_nothing_found(found)


def test_no_pictures_are_ordered() -> None:
    """A whole coverage phase of an operation; every accepted submit is one of test mode."""
    found, exchanges = explored(operations=[IMG2IMG])

    assert_nothing_found(found)
    for exchange in exchanges:
        if exchange.operation_id == IMG2IMG and exchange.status == 200:
            assert json.loads(exchange.request_body)["extra"]["webhook"]["test_mode"]["enabled"] is True


def test_the_same_seed_sends_the_same_calls() -> None:
    def sent(seed: int) -> bytes:
        digest = blake2b()
        _, exchanges = explored(operations=[TXT2IMG, MODELS], phases=("examples", "fuzzing"), seed=seed, examples=5)
        for exchange in exchanges:
            if exchange.purpose.startswith("breadth: "):
                sink = json.dumps(exchange.request_body.decode("utf-8", "replace"))
                digest.update(f"{exchange.method} {exchange.url} {_without_port(sink)}".encode())
        return digest.digest()

    assert sent(5) == sent(5)
    assert sent(5) != sent(6)


def _without_port(text: str) -> str:
    """The receiver of events has another port in each session."""
    head, mark, tail = text.partition("http://127.0.0.1:")
    return head + mark + tail.lstrip("0123456789") if mark else text


# Defects --------------------------------------------------------------------------------------------------------------


def lenient_about(field: str, usual: object) -> Wrapper:
    """A server that takes every value of a field of a v3 `request`, and its absence."""

    def change(asked: Asked) -> Asked:
        body = asked.json
        if isinstance(body, dict) and isinstance(body.get("request"), dict):
            return asked.saying({**body, "request": {**body["request"], field: usual}})
        return asked

    return defect(request=change)


def refusing(*needles: str) -> Wrapper:
    """A server that refuses submits with some texts in them."""

    def spoil(asked: Asked, answered: Answered) -> Answered:
        hit = all(needle.encode() in asked.body for needle in needles)
        return answered.saying(NO_TASK, status=400) if hit and asked.method == "POST" else answered

    return defect(answer=spoil)


def test_another_correct_server_is_right_too() -> None:
    """Without v2, with an empty model list, other words of errors, more keys and other statuses for a wrong key."""

    def spoil(asked: Asked, answered: Answered) -> Answered:
        if asked.path.startswith("/v2"):
            return answered.saying({"message": "route not found"}, status=404)
        body = answered.json
        if asked.path == "/v3/model" and answered.status == 200:
            return answered.saying({"models": [], "more": 1})
        if isinstance(body, dict) and answered.status == 400:
            return answered.saying({"code": 400, "reason": body["reason"], "message": "no", "trace": ["a"]})
        return answered.saying({**body, "more": {"to": "come"}}) if isinstance(body, dict) else answered

    found, _ = explored(defect(answer=spoil), phases=("examples", "fuzzing"), examples=5)

    assert_nothing_found(found)
    assert found.verdicts["accepted"] > 10


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        pytest.param(lenient_about("steps", 4), {"V3-TXT2IMG-003", "V3-TXT2IMG-004", "V3-TXT2IMG-013"}, id="steps"),
        pytest.param(
            lenient_about("sampler_name", "Euler a"),
            {"V3-TXT2IMG-003", "V3-TXT2IMG-005", "V3-TXT2IMG-008"},
            id="sampler",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lenient_about("negative_prompt", "blurry"), {"V3-TXT2IMG-005", "V3-TXT2IMG-009"}, id="negative prompt"
        ),
        pytest.param(refusing('"webp"'), {"V3-EXTRA-004"}, id="webp"),
        pytest.param(refusing('"UniPC"'), {"V3-TXT2IMG-007"}, id="UniPC", marks=pytest.mark.slow),
        pytest.param(refusing('"clip_skip": 12'), {"V3-TXT2IMG-006"}, id="clip_skip 12", marks=pytest.mark.slow),
        pytest.param(refusing('"restore_faces": true'), {"V3-TXT2IMG-002"}, id="restore_faces", marks=pytest.mark.slow),
    ],
)
def test_a_defect_is_found_on_the_rows_that_it_breaks(between: Wrapper, expected: set[str]) -> None:
    found, exchanges = explored(between, operations=[TXT2IMG])

    assert rows(found) == expected
    numbers = {exchange.number for exchange in exchanges}
    assert all(set(finding.exchanges) <= numbers and finding.exchanges for finding in found.findings)
    assert {one.requirement for one in found.broken} == expected


def test_what_v2_takes_too_much_of_is_found() -> None:
    def change(asked: Asked) -> Asked:
        body = asked.json
        wrong = isinstance(body, dict) and isinstance(body.get("batch_size"), int) and body["batch_size"] > 8
        return asked.saying({**body, "batch_size": 8}) if wrong else asked

    found, _ = explored(defect(request=change), operations=[TXT2IMG_V2])

    assert rows(found) == {"V2-TXT2IMG-010"}


def test_an_unknown_task_that_is_served_is_found() -> None:
    task = {"task": {"task_id": "3c3b6ff4-0d4c-4b3c-9f0f-2c1a5b7b1a11", "status": "TASK_STATUS_QUEUED"}}

    def spoil(asked: Asked, answered: Answered) -> Answered:
        return answered.saying(task, status=200) if "task-result" in asked.path else answered

    found, _ = explored(defect(answer=spoil), operations=[RESULT], phases=("coverage", "fuzzing"))

    assert rows(found) <= {"V3-RESULT-002", "V3-RESULT-003", "V3-ERROR-008"}
    assert "V3-RESULT-003" in rows(found)


def test_error_bodies_of_another_form_are_found() -> None:
    def spoil(asked: Asked, answered: Answered) -> Answered:
        return answered.saying({"detail": "no"}) if answered.status == 400 else answered

    found, _ = explored(defect(answer=spoil), operations=[RESULT, MODELS])

    assert "V3-ERROR-001" in rows(found)
    assert rows(found) <= {"V3-ERROR-001"}


def test_a_fault_of_the_server_is_found_with_what_it_is_related_to() -> None:
    def spoil(asked: Asked, answered: Answered) -> Answered:
        body = asked.json
        steps = body.get("request", {}) if isinstance(body, dict) else {}
        broken = isinstance(steps, dict) and steps.get("steps") == 101
        return answered.saying({"error": "boom"}, status=500) if broken else answered

    found, _ = explored(defect(answer=spoil), operations=[TXT2IMG])

    [finding] = found.findings
    assert finding.requirements == ("ROBUST-001",)
    assert "V3-TXT2IMG-013" in finding.related


def test_a_server_that_is_down_is_left_alone() -> None:
    asked_for = 0

    def spoil(asked: Asked, answered: Answered) -> Answered:
        nonlocal asked_for
        if b"breadth" in asked.body or asked.method == "POST":
            asked_for += 1
        return answered.saying({}, status=503) if asked_for > 40 else answered

    found, exchanges = explored(defect(answer=spoil), operations=[TXT2IMG])

    assert "faults" in found.stopped
    assert rows(found) == {"ROBUST-001"}
    assert len(exchanges) < 80


def test_a_hard_stop_ends_it() -> None:
    found, exchanges = explored(operations=[TXT2IMG], limits=Limits(max_requests=60))

    assert "--max-requests" in found.stopped
    assert found.findings == ()
    assert len(exchanges) == 60


def test_a_target_without_test_mode_gets_only_what_it_must_refuse() -> None:
    def spoil(asked: Asked, answered: Answered) -> Answered:
        return answered.saying(NO_TASK, status=400) if b'"test_mode"' in asked.body else answered

    found, exchanges = explored(defect(answer=spoil), operations=[TXT2IMG])

    assert found.findings == ()
    assert "accepted" not in found.verdicts
    generated = [exchange for exchange in exchanges if exchange.purpose == "breadth: coverage"]
    assert not [exchange for exchange in generated if exchange.status == 200]


def test_a_failure_of_the_suite_is_no_word_on_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a slip of the judge")

    monkeypatch.setattr(Judge, "take", fail)

    with pytest.raises(RuntimeError, match="a slip of the judge"):
        explored(operations=[TXT2IMG])


def test_429_is_waited_for_or_ends_it() -> None:
    """The target answers 429 from some call on, and names a time beyond our patience."""
    seen = 0

    def spoil(asked: Asked, answered: Answered) -> Answered:
        nonlocal seen
        seen += 1
        limited = {"code": 429, "reason": "RATE_LIMIT_EXCEEDED", "message": "later"}
        return answered.saying(limited, status=429) if seen > 50 else answered

    found, exchanges = explored(defect(answer=spoil), operations=[TXT2IMG])

    assert "429" in found.stopped
    assert found.findings == ()
    assert len(exchanges) == 51


# Parts ----------------------------------------------------------------------------------------------------------------


def test_somebody_decided_about_every_check_of_the_library() -> None:
    """A later version may bring one."""
    assert {*CHECKS.get_all_names(), "max_response_time"} == fuzz_engine.KEPT.keys() | fuzz_engine.LEFT_OUT.keys()
    assert not fuzz_engine.KEPT.keys() & fuzz_engine.LEFT_OUT.keys()


def test_a_valid_body_is_tamed_once_and_for_all() -> None:
    """What no schema says is put right, and a second time changes nothing."""
    names = TAMER.names
    wild = txt2img(
        names,
        {
            "webhook": {"url": "https://stranger.test/"},
            "custom_storage": {"aws_s3": {}},
            "enterprise_plan": {"enabled": True},
        },
        model_name="unknown",
        prompt="\x00ä",
        seed=2**70,
        steps=4.0,
        enable_transparent_background=True,
        loras=[{"model_name": "x", "strength": 1}] * 3,
        embeddings=[{"model_name": "y"}],
        hires_fix={"target_width": 128, "target_height": 128, "strength": 1},
        width=1024,
    )

    tamed = TAMER.valid(TXT2IMG, wild)

    assert tamed == TAMER.valid(TXT2IMG, tamed)
    assert not load().operations[TXT2IMG].problems(tamed, Reading.DOCUMENTED)
    request = tamed["request"]
    assert (request["model_name"], request["prompt"], request["seed"]) == ("tiny", "aa", 2**31 - 1)
    assert request["loras"] == [{"model_name": "some-lora", "strength": 1}]
    assert "embeddings" not in request
    assert request["hires_fix"]["target_width"] == 1024
    assert tamed["extra"] == {"webhook": WEBHOOK, "custom_storage": {}, "enterprise_plan": {}}


def test_a_wrong_body_stays_wrong_in_the_same_place() -> None:
    operation = load().operations[TXT2IMG]
    wrong = txt2img(TAMER.names, {"webhook": {"url": "https://stranger.test/"}}, steps=101, model_name="unknown")

    harmless = TAMER.harmless(operation, wrong)

    assert [problem.path for problem in operation.problems(harmless, Reading.DOCUMENTED)] == [("request", "steps")]
    assert harmless["request"]["model_name"] == "tiny"
    assert harmless["extra"]["webhook"] == WEBHOOK


@pytest.mark.parametrize(
    "body", [{"extra": {"webhook": {"url": "https://stranger.test/"}}, "request": 5}, [], "x", None]
)
def test_no_stranger_is_told_of_an_event(body: object) -> None:
    assert "stranger" not in json.dumps(TAMER.harmless(load().operations[TXT2IMG], body))


def test_other_submits_are_tamed_too() -> None:
    document = load()
    control = {"units": [{"model_name": "controlnet-canny-sdxl-1.0", "image_base64": "", "strength": 1}] * 2}
    adapters = [{"model_name": "ip-adapter_sdxl.bin", "image_base64": "QQ==", "strength": 1}]
    for operation_id, body in (
        (IMG2IMG, img2img(TAMER.names, controlnet=control, ip_adapters=adapters, image_base64="")),
        (TXT2IMG_V2, txt2img_v2(TAMER.names, width=1, batch_size=0, seed=-7, clip_skip=99, hr_resize_x=5)),
    ):
        tamed = TAMER.valid(operation_id, body)
        assert not document.operations[operation_id].problems(tamed, Reading.DOCUMENTED)
        assert tamed == TAMER.valid(operation_id, tamed)


def test_progress_of_an_unknown_v2_task_is_judged_by_its_code() -> None:
    def spoil(asked: Asked, answered: Answered) -> Answered:
        served = {"code": 0, "msg": "", "data": {"status": 0}}
        return answered.saying(served) if asked.path == "/v2/progress" and asked.method == "GET" else answered

    found, _ = explored(defect(answer=spoil), operations=[PROGRESS])

    assert rows(found) == {"V2-PROGRESS-002", "V2-CODE-007"}
