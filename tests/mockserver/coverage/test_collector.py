"""What a client does turns its items on, exactly; nothing that it sends breaks anything."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.coverage import collector
from mockserver.coverage.collector import Coverage
from mockserver.coverage.item import LinkOutcome, WebhookOutcome
from mockserver.coverage.model import Universe
from openapi.document import Document
from tests import bodies
from tests.mockserver.coverage.client import Client

TXT2IMG = "createTxt2imgTask"


def values(path: str, operation_id: str = TXT2IMG) -> str:
    return f"values:{operation_id}:{path}"


def test_a_fresh_server_has_seen_nothing(client: Client) -> None:
    assert client.seen() == set()


def test_a_task_of_a_world_that_was_reset_counts_as_it_stood(client: Client) -> None:
    """The first task of the next life has the same id, and is another."""
    client.poll("t", "SUCCEED")
    client.coverage.world_ended("other")
    client.coverage.world_ended("w")
    client.poll("t", "QUEUED")
    assert client.count("outcomes:v3:TASK_STATUS_SUCCEED") == 1
    client.poll("t", "SUCCEED")
    assert client.count("outcomes:v3:TASK_STATUS_SUCCEED") == 2


def test_a_fault_of_a_world_that_was_reset_is_not_survived_in_its_next_life(client: Client) -> None:
    client.coverage.saw_fault("submit.before", "status", operation=TXT2IMG, world="w")
    client.coverage.saw_fault("finish", "fail", world="w")
    client.coverage.world_ended("w")
    for _ in range(2):
        client.submit(bodies.txt2img())
        client.poll("t", "SUCCEED")
    assert client.count("faults:submit.before:status") == client.count("faults:finish:fail") == 0


def test_an_accepted_call_turns_its_operation_its_version_and_its_fields_on(client: Client) -> None:
    client.submit(bodies.txt2img(seed=7))
    seen = client.seen()
    assert {f"operations:{TXT2IMG}", "versions:v3", f"parameters:{TXT2IMG}:request.seed"} <= seen
    assert f"parameters:{TXT2IMG}:request.loras:left-out" in seen
    assert f"parameters:{TXT2IMG}:request.seed:left-out" not in seen
    assert f"parameters:{TXT2IMG}:request.loras" not in seen


def test_a_refused_call_counts_as_its_reason_only(client: Client) -> None:
    answer = {"code": 400, "reason": "ILLEGAL_PROMPT", "message": "", "metadata": {}}
    client.call(TXT2IMG, body=bodies.txt2img(), answer=answer, status=400)
    assert client.seen() == {f"errors:{TXT2IMG}:ILLEGAL_PROMPT", "versions:v3"}


def test_a_v2_error_counts_as_its_code(client: Client) -> None:
    client.call("createTxt2imgTaskV2", body=bodies.txt2img_v2(), answer={"code": 6, "msg": "", "data": None})
    assert client.seen() == {"v2-codes:6", "versions:v2"}


@pytest.mark.parametrize(
    ("field", "value", "label"),
    [
        ("steps", 1, "minimum=1"),
        ("steps", 100, "maximum=100"),
        ("width", 128, "minimum=128"),
        ("width", 2048, "maximum=2048"),
        ("guidance_scale", 30.0, "maximum=30"),
        ("seed", -1, "minimum=-1"),
        ("prompt", "x", "shortest=1"),
        ("prompt", "x" * 1024, "longest=1024"),
        ("sampler_name", "DPM++ 2M Karras", 'value="DPM++ 2M Karras"'),
        ("restore_faces", True, "value=true"),
        ("restore_faces", False, "value=false"),
        ("loras", [{"model_name": "add_detail_44319", "strength": 0.5}] * 5, "most=5"),
    ],
)
def test_a_limit_is_hit_exactly_there(client: Client, field: str, value: Any, label: str) -> None:
    client.submit(bodies.txt2img(**{field: value}))
    hits = {key for key in client.seen() if key.startswith(f"{values('request.' + field)}:")}
    assert hits == {f"{values('request.' + field)}:{label}"}


@pytest.mark.parametrize(
    ("field", "value"),
    [("steps", 2), ("steps", 99), ("steps", True), ("prompt", "x" * 1023), ("loras", []), ("restore_faces", 1)],
)
def test_a_value_beside_a_limit_hits_none(client: Client, field: str, value: Any) -> None:
    client.submit(bodies.txt2img(**{field: value}))
    assert not {key for key in client.seen() if key.startswith(f"{values('request.' + field)}:")}


def test_null_is_a_value_where_the_document_allows_it(client: Client) -> None:
    client.submit(bodies.img2img(strength=None), "createImg2imgTask")
    assert client.count(f"{values('request.strength', 'createImg2imgTask')}:value=null") == 1
    assert client.count("parameters:createImg2imgTask:request.strength") == 1


def test_null_stands_for_absence_where_it_is_only_tolerated(client: Client) -> None:
    client.submit(bodies.txt2img(seed=None))
    assert client.count(f"parameters:{TXT2IMG}:request.seed:left-out") == 1
    assert client.count(f"parameters:{TXT2IMG}:request.seed") == 0


def test_fields_of_entries_count_for_each_entry(client: Client) -> None:
    loras = [{"model_name": "add_detail_44319", "strength": strength} for strength in (0, 1, 0.5)]
    client.submit(bodies.txt2img(loras=loras))
    assert client.count(f"parameters:{TXT2IMG}:request.loras[].strength") == 3
    assert client.count(f"{values('request.loras[].strength')}:minimum=0") == 1
    assert client.count(f"{values('request.loras[].strength')}:maximum=1") == 1


def test_query_parameters_count_as_sent_and_left_out(client: Client) -> None:
    client.call("listModels", query="filter.types=lora&filter.is_sdxl=true&pagination.limit=100", answer={"models": []})
    assert client.count('values:listModels:filter.types:value="lora"') == 1
    assert client.count("values:listModels:filter.is_sdxl:value=true") == 1
    assert client.count("values:listModels:pagination.limit:maximum=100") == 1
    assert client.count("parameters:listModels:filter.query:left-out") == 1


@pytest.mark.parametrize(
    ("operation_id", "fields", "keys"),
    [
        (TXT2IMG, {}, {"kind=checkpoint", "checkpoint=SD 1.5 Standard"}),
        (TXT2IMG, {"model_name": bodies.SDXL_CHECKPOINT}, {"kind=checkpoint", "checkpoint=SDXL 1.0 Standard"}),
        (TXT2IMG, {"sd_vae": "sdxl_vae.safetensors"}, {"kind=vae"}),
        (TXT2IMG, {"loras": [{"model_name": "a", "strength": 1}]}, {"kind=lora"}),
        (TXT2IMG, {"embeddings": [{"model_name": "a"}]}, {"kind=textualinversion"}),
        (TXT2IMG, {"hires_fix": {"upscaler": "Latent"}}, {"kind=upscaler"}),
        ("createImg2imgTask", {"controlnet": {"units": [{"model_name": "a"}]}}, {"kind=controlnet"}),
    ],
)
def test_models_count_by_kind(client: Client, operation_id: str, fields: dict[str, Any], keys: set[str]) -> None:
    client.submit(bodies.txt2img(**fields), operation_id)
    assert {f"models:{key}" for key in keys} <= client.seen()


def test_a_lora_in_a_v2_prompt_counts_and_in_a_v3_prompt_does_not(client: Client) -> None:
    prompt = "a lighthouse, <lora:add_detail_44319:0.7>"
    client.submit(bodies.txt2img(prompt=prompt))
    assert client.count("models:kind=lora") == 0
    client.submit(bodies.txt2img_v2(prompt=prompt), "createTxt2imgTaskV2")
    assert client.count("models:kind=lora") == 1


def test_states_and_transitions_are_those_that_the_client_saw(client: Client) -> None:
    for task, states in {"a": ("QUEUED", "QUEUED", "PROCESSING", "SUCCEED"), "b": ("QUEUED", "FAILED")}.items():
        for state in states:
            client.poll(task, state)
    assert client.count("states:v3:TASK_STATUS_QUEUED") == 3
    assert {key.partition(":v3:")[2] for key in client.seen() if key.startswith("transitions:")} == {
        "TASK_STATUS_QUEUED->TASK_STATUS_PROCESSING",
        "TASK_STATUS_PROCESSING->TASK_STATUS_SUCCEED",
        "TASK_STATUS_QUEUED->TASK_STATUS_FAILED",
    }


def test_v2_states_count_by_their_numbers(client: Client) -> None:
    for state in (0, 1, 3):
        client.poll_v2("a", state)
    assert {
        "states:v2:0",
        "states:v2:3",
        "transitions:v2:0->1",
        "transitions:v2:1->3",
        "outcomes:v2:3",
    } <= client.seen()


def test_an_outcome_is_handled_while_the_client_asks_at_most_once_more(client: Client) -> None:
    outcome = "outcomes:v3:TASK_STATUS_SUCCEED"
    client.poll("a", "PROCESSING")
    assert client.count(outcome) == 0
    client.poll("a", "SUCCEED")
    assert client.count(outcome) == 1
    client.poll("a", "SUCCEED")
    assert client.count(outcome) == 1, "once more is for fresh links"
    client.poll("a", "SUCCEED")
    assert client.count(outcome) == 0, "it goes on asking"


def test_what_is_remembered_of_tasks_is_bounded_and_their_outcomes_stay(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "MAX_TASKS", 3)
    for number in range(10):
        client.poll(str(number), "SUCCEED")
    assert client.count("outcomes:v3:TASK_STATUS_SUCCEED") == 10
    for number in range(10, 20):
        client.poll(str(number), "FAILED")
    assert client.count("outcomes:v3:TASK_STATUS_SUCCEED") == 10


def test_a_fault_is_survived_by_a_call_of_the_same_operation_after_the_struck_one(client: Client) -> None:
    key = "faults:submit.before:delay"
    client.coverage.saw_fault("submit.before", "delay", operation=TXT2IMG, world="w")
    client.poll("a", "QUEUED")
    client.submit(bodies.txt2img())
    assert client.count(key) == 0, "the struck call itself is no proof"
    client.call(TXT2IMG, answer={"reason": "CREATE_TASK_FAILED"}, status=500)
    assert client.count(key) == 0
    assert client.coverage.report().happened == {key: 1}
    client.submit(bodies.txt2img())
    client.submit(bodies.txt2img())
    assert client.count(key) == 1


def test_a_call_without_an_answer_counts_as_neither_accepted_nor_refused(client: Client) -> None:
    client.call(TXT2IMG, body=bodies.txt2img(), answer=b"", status=0)
    assert client.seen() == {"versions:v3"}


def test_an_answer_may_be_told_as_it_was_sent(client: Client) -> None:
    client.call("getTaskResult", query="task_id=a", answer=b'{"task": {"status": "TASK_STATUS_QUEUED"}}')
    client.call(TXT2IMG, answer=b'{"reason": "RATE_LIMIT_EXCEEDED"}', status=429)
    client.call(TXT2IMG, answer=b"<html>Bad Gateway</html>", status=502)
    assert {"states:v3:TASK_STATUS_QUEUED", f"errors:{TXT2IMG}:RATE_LIMIT_EXCEEDED"} <= client.seen()


def test_a_fault_of_another_world_is_not_survived_here(client: Client) -> None:
    client.coverage.saw_fault("submit.before", "status", operation=TXT2IMG, world="other")
    client.submit(bodies.txt2img())
    client.submit(bodies.txt2img())
    assert client.count("faults:submit.before:status") == 0


def test_faults_of_tasks_links_and_webhooks_are_survived_in_their_own_way(client: Client) -> None:
    coverage = client.coverage
    for point, effect in (("finish", "fail"), ("download", "status"), ("webhook.attempt", "status")):
        coverage.saw_fault(point, effect, world="w")
    client.submit(bodies.txt2img())
    client.poll("a", "PROCESSING")
    assert not {key for key in client.seen() if key.startswith("faults:")}
    client.poll("a", "FAILED")
    assert client.count("faults:finish:fail") == 1
    coverage.saw_download("v3", LinkOutcome.OPENED, image_type="png", world="w")
    assert client.count("faults:download:status") == 1
    coverage.saw_webhook(WebhookOutcome.EXHAUSTED, world="w")
    assert client.count("faults:webhook.attempt:status") == 0
    coverage.saw_webhook(WebhookOutcome.RETRIED, world="w")
    assert client.count("faults:webhook.attempt:status") == 1


def test_a_fault_at_no_operation_is_survived_by_any_accepted_call(client: Client) -> None:
    client.coverage.saw_fault("submit.before", "status", world="w")
    client.call("listModels", answer={"models": []})
    assert client.count("faults:submit.before:status") == 1


def test_survivors_that_are_awaited_are_bounded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "MAX_WAITING", 2)
    for world in "abc":
        client.coverage.saw_fault("finish", "fail", world=world)
    client.coverage.saw_fault("made.up", "fail", world="w")
    assert client.coverage.report().happened == {"faults:finish:fail": 3}


def test_webhook_outcomes_count_and_test_mode_by_its_status(client: Client) -> None:
    client.coverage.saw_webhook(WebhookOutcome.DELIVERED, test_status="TASK_STATUS_FAILED")
    client.coverage.saw_webhook(WebhookOutcome.EXHAUSTED, test_status="TASK_STATUS_SUCCEED")
    found = {"webhooks:delivered", "webhooks:exhausted", "webhooks:test-mode=TASK_STATUS_FAILED"}
    assert client.seen() == found


def test_a_link_is_renewed_when_one_is_opened_after_one_had_expired(client: Client) -> None:
    client.coverage.saw_download("v3", LinkOutcome.OPENED, image_type="webp", world="w")
    assert client.seen() == {"links:v3:opened:webp"}
    client.coverage.saw_download("v3", LinkOutcome.EXPIRED, world="w")
    client.coverage.saw_download("v2", LinkOutcome.OPENED, image_type="png", world="w")
    assert client.count("links:v3:renewed") == 0
    client.coverage.saw_download("v3", LinkOutcome.OPENED, image_type="png", world="w")
    assert {"links:v3:expired", "links:v3:renewed"} <= client.seen()


def test_findings_are_counted_beside_the_items(client: Client) -> None:
    client.coverage.saw_finding("NV203")
    client.coverage.saw_finding("NV203")
    assert client.coverage.report().findings == {"NV203": 2}
    assert client.seen() == set()


def test_clearing_forgets_all(client: Client) -> None:
    client.coverage.saw_fault("submit.before", "status", operation=TXT2IMG, world="w")
    client.poll("a", "SUCCEED")
    client.coverage.clear()
    client.submit(bodies.txt2img())
    client.submit(bodies.txt2img())
    report = client.coverage.report()
    assert client.count("outcomes:v3:TASK_STATUS_SUCCEED") == client.count("faults:submit.before:status") == 0
    assert (report.calls, report.happened, report.findings) == (2, {}, {})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"request":' * 2_000 + b"1" + b"}" * 2_000,
        b'{"request": [{"loras": 3}]}',
        b'{"request": {"loras": {"strength": 1}, "steps": {"a": []}, "prompt": [[[]]], "sampler_name": {}}}',
        b'{"request": {"steps": 1e999, "seed": 123456789012345678901234567890}, "\\u0000<script>": 1}',
    ],
)
def test_a_hostile_body_breaks_nothing(client: Client, body: bytes) -> None:
    client.call(TXT2IMG, body=body)
    assert client.count(f"operations:{TXT2IMG}") == 1


@pytest.mark.parametrize("answer", [{}, {"task": None}, {"task": {"status": ["a"]}}, {"task": {"status": "?"}}])
def test_a_broken_answer_breaks_nothing(client: Client, answer: Any) -> None:
    client.call("getTaskResult", query="task_id=a", answer=answer)
    client.call("getTaskResult", query="task_id=" + "a" * 10_000, answer=answer)
    client.call("listModels", query="%ff=%00&" * 5_000, answer={})
    assert not {key for key in client.seen() if key.startswith(("states:", "transitions:", "outcomes:"))}


def test_unknown_fields_count_for_nobody(client: Client) -> None:
    client.submit(bodies.txt2img())
    before = client.seen()
    client.submit(bodies.txt2img(extra={}, made_up=1, **{"<script>": "x"}) | {"more": {"steps": 100}})
    assert client.seen() - before == {
        f"parameters:{TXT2IMG}:extra",
        *(
            key
            for key in client.coverage.universe.places
            if key.startswith(f"parameters:{TXT2IMG}:extra.") and key.count(".") == 1 and key.endswith(":left-out")
        ),
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["steps", "loras", "prompt", "seed", "hires_fix", "sampler_name", "controlnet", "ip_adapters"])


@given(request=st.dictionaries(FIELDS, JSON), extra=JSON)
def test_no_json_breaks_anything(document: Document, everything: Universe, request: Any, extra: Any) -> None:
    client = Client(document, Coverage(everything))
    client.submit(orjson.dumps({"request": request, "extra": extra}), "createImg2imgTask")
    assert client.count("operations:createImg2imgTask") == 1


def test_the_documented_examples_together_send_every_field(client: Client, document: Document) -> None:
    for example in document.examples(TXT2IMG):
        if example.role == "request" and example.reading is not None:
            client.submit(example.value)
    sent = {key for key in client.coverage.universe.places if key.startswith(f"parameters:{TXT2IMG}:")}
    assert {key for key in sent - client.seen() if not key.endswith(":left-out")} == set()
