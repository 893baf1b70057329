"""The oracle that judges Schemathesis's cases: what it expects of a call, and what it makes of an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openapi.catalogue import load_catalogue
from openapi.document import Document, Reading
from tests.bodies import (
    CHECKPOINT,
    IMG2IMG,
    IMG2IMG_V2,
    SDXL_CHECKPOINT,
    TXT2IMG,
    TXT2IMG_V2,
    base64_png,
    img2img,
    img2img_v2,
    txt2img,
    txt2img_v2,
)
from tests.contract.cross_rules import CrossRules
from tests.contract.oracle import Exchange, Oracle, Verdict

RESULT = "/v3/async/task-result"


def exchange(path: str, body: object = None, *, method: str = "POST", status: int = 200, **change: Any) -> Exchange:
    """A call with a key and a JSON body; `answer` is JSON."""
    headers = {"authorization": "Bearer sk", "content-type": "application/json", **change.get("headers", {})}
    return Exchange(
        method=method,
        url=f"http://mock.test{path}",
        headers={name: value for name, value in headers.items() if value is not None},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        status=status,
        answer_headers=change.get("answer_headers", {}),
        answer=json.dumps(change.get("answer", {})).encode(),
    )


@pytest.fixture(scope="module")
def oracles(document: Document) -> dict[Reading, Oracle]:
    return {reading: Oracle(document, load_catalogue(), reading) for reading in Reading}


ACCEPTED, REFUSED, EITHER = Verdict.ACCEPTED, Verdict.REFUSED, Verdict.EITHER
KEY, ROUTE = Verdict.KEY_REFUSED, Verdict.NO_SUCH_ROUTE
OTHER_FAMILY = {"units": [{"model_name": "controlnet-canny-sdxl-1.0", "image_base64": base64_png(), "strength": 1}]}
ADAPTER = [{"model_name": "ip-adapter_sdxl.bin", "image_base64": base64_png(), "strength": 1}]
STORAGE = {"aws_s3": {"region": "us-east-2", "bucket": "b", "path": "../up"}}


@pytest.mark.parametrize(
    ("call", "strict", "lenient"),
    [
        (exchange(TXT2IMG, txt2img()), ACCEPTED, ACCEPTED),
        (exchange(TXT2IMG, txt2img(steps=0)), REFUSED, REFUSED),
        (exchange(TXT2IMG, txt2img(steps=20.0)), ACCEPTED, ACCEPTED),
        (exchange(TXT2IMG, txt2img(negative_prompt="")), REFUSED, ACCEPTED),
        (exchange(TXT2IMG, txt2img(model_name="no_such.safetensors")), REFUSED, REFUSED),
        (exchange(TXT2IMG, txt2img(embeddings=[{"model_name": "BadDream_53202.pt"}])), REFUSED, ACCEPTED),
        (exchange(TXT2IMG, txt2img(enable_transparent_background=True)), REFUSED, REFUSED),
        (
            exchange(TXT2IMG, txt2img(enable_transparent_background=True, model_name=SDXL_CHECKPOINT)),
            ACCEPTED,
            ACCEPTED,
        ),
        (exchange(TXT2IMG, txt2img({"custom_storage": STORAGE})), REFUSED, REFUSED),
        (exchange(TXT2IMG, txt2img({"webhook": {"url": "client.test"}})), REFUSED, REFUSED),
        (exchange(TXT2IMG, b"{"), REFUSED, REFUSED),
        (exchange(TXT2IMG, txt2img(), headers={"content-type": "text/plain"}), REFUSED, ACCEPTED),
        (exchange(IMG2IMG, img2img()), ACCEPTED, ACCEPTED),
        (exchange(IMG2IMG, img2img(image_base64="AAAA")), REFUSED, REFUSED),
        (exchange(IMG2IMG, img2img(image_base64="")), REFUSED, REFUSED),
        (exchange(IMG2IMG, img2img(image_base64=f"data:image/png;base64,{base64_png()}")), REFUSED, ACCEPTED),
        (exchange(IMG2IMG, img2img(controlnet=OTHER_FAMILY)), REFUSED, ACCEPTED),
        (exchange(IMG2IMG, img2img(ip_adapters=ADAPTER)), REFUSED, REFUSED),
        (exchange(TXT2IMG_V2, txt2img_v2()), ACCEPTED, ACCEPTED),
        (exchange(TXT2IMG_V2, txt2img_v2(), headers={"content-type": None}), ACCEPTED, ACCEPTED),
        (exchange(TXT2IMG_V2, txt2img_v2(enable_hr=True, hr_resize_x=-1)), REFUSED, REFUSED),
        (exchange(IMG2IMG_V2, img2img_v2()), ACCEPTED, ACCEPTED),
        (exchange(IMG2IMG_V2, img2img_v2(init_images=[])), REFUSED, REFUSED),
        (exchange(TXT2IMG, txt2img(), headers={"authorization": None}), KEY, KEY),
        (exchange(TXT2IMG, txt2img(), headers={"authorization": "sk-bare"}), KEY, ACCEPTED),
        (
            exchange(TXT2IMG_V2, txt2img_v2(), headers={"authorization": None, "x-omni-key": "sk"}),
            KEY,
            ACCEPTED,
        ),
        (exchange(f"{RESULT}?task_id=x", method="GET"), EITHER, EITHER),
        (exchange(RESULT, method="GET"), REFUSED, REFUSED),
        (exchange("/v3/model?pagination.limit=0", method="GET"), REFUSED, REFUSED),
        (exchange("/v3/model?made_up=1", method="GET"), EITHER, EITHER),
        (exchange(TXT2IMG, method="DELETE"), ROUTE, ROUTE),
        (exchange("/v3/models", method="GET"), ROUTE, ROUTE),
    ],
)
def test_what_a_call_must_lead_to(
    oracles: dict[Reading, Oracle], call: Exchange, strict: Verdict, lenient: Verdict
) -> None:
    """Key, route, form, names, pictures and the rules between fields, in both readings."""
    assert oracles[Reading.DOCUMENTED].expected(call) is strict
    assert oracles[Reading.TOLERATED].expected(call) is lenient


def error(status: int, reason: str) -> dict[str, Any]:
    return {"code": status, "reason": reason, "message": "m"}


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        (exchange(TXT2IMG, txt2img(), answer={"task_id": "t"}), None),
        (exchange(TXT2IMG, txt2img(steps=0), answer={"task_id": "t"}), "refused expected, accepted came"),
        (
            exchange(TXT2IMG, txt2img(), status=400, answer=error(400, "INVALID_REQUEST_BODY")),
            "accepted expected, refused came",
        ),
        (exchange(TXT2IMG, txt2img(steps=0), status=400, answer=error(400, "INVALID_REQUEST_BODY")), None),
        (
            exchange(TXT2IMG, txt2img(steps=0), status=400, answer=error(500, "INVALID_REQUEST_BODY")),
            "refused expected: a v3 error repeats its status and has a reason",
        ),
        (exchange(TXT2IMG_V2, txt2img_v2(), answer={"code": 0}), None),
        (exchange(TXT2IMG_V2, txt2img_v2(steps=0), answer={"code": 6}), None),
        (exchange(TXT2IMG_V2, txt2img_v2(), answer={"code": 6}), "accepted expected, refused came"),
        (exchange(TXT2IMG_V2, txt2img_v2(steps=0), answer={"code": 0}), "refused expected, accepted came"),
        (
            exchange(TXT2IMG_V2, txt2img_v2(steps=0), status=400, answer={"code": 6}),
            "refused expected: a v2 answer has status 200 and a code",
        ),
        (exchange(TXT2IMG, method="PUT", status=404, answer_headers={"allow": "POST"}), None),
        (
            exchange(TXT2IMG, method="PUT", status=404),
            "no such route expected: a refused method, and no Allow header that tells the right one",
        ),
        (
            exchange(f"{RESULT}?task_id=x", method="GET", status=404, answer=error(404, "TASK_NOT_FOUND")),
            None,
        ),
        (
            exchange(f"{RESULT}?task_id=x", method="GET", status=403, answer=error(403, "INVALID_API_KEY")),
            "accepted or refused expected, key refused came",
        ),
        (exchange(TXT2IMG, txt2img(), status=502, answer=[]), "accepted expected: "),
    ],
)
def test_an_answer_is_compared_with_what_was_expected(
    oracles: dict[Reading, Oracle], call: Exchange, wrong: str | None
) -> None:
    """A wrong answer is told in a sentence; v2 answers are read by their code."""
    found = oracles[Reading.DOCUMENTED].disagreement(call)

    assert (found or "").startswith(wrong or "")
    assert bool(found) is bool(wrong)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (img2img(ip_adapters=ADAPTER), "model family"),
        (img2img(controlnet=OTHER_FAMILY), "model family"),
        (img2img(ip_adapters=ADAPTER, controlnet={"units": [*OTHER_FAMILY["units"]] * 2}), "model family"),
        (txt2img(enable_transparent_background=True), "transparency"),
        (txt2img({"custom_storage": STORAGE}), "storage path"),
        (img2img_v2(init_images=[]), "init_images"),
        (img2img_v2(init_images=[""]), "empty picture"),
        (txt2img_v2(enable_hr=True, hr_resize_x=-512, hr_resize_y=512), "hr_resize"),
        (img2img_v2(controlnet_units={"model": "ip-adapter_xl", "input_image": base64_png()}), "model family"),
    ],
)
def test_a_broken_rule_is_named_and_repaired(body: dict[str, Any], rule: str) -> None:
    """Each rule between fields is seen, and the repaired body breaks none and is otherwise the same."""
    rules = CrossRules(catalogue=load_catalogue(), strict=True)
    assert rules.broken_rule(body) == rule

    repaired = rules.repaired(body, base64_png())

    assert rules.broken_rule(repaired) is None
    assert repaired.keys() == body.keys()
    assert repaired.get("request", repaired)["prompt"] == body.get("request", body)["prompt"]


def test_a_body_without_fault_is_not_repaired() -> None:
    """Repairing changes only what breaks a rule; a mask of one family stays."""
    rules = CrossRules(catalogue=load_catalogue(), strict=True)
    unit = {"model_name": "control_v11p_sd15_canny", "image_base64": base64_png(), "strength": 1}

    for body in (txt2img(), img2img(model_name=CHECKPOINT, controlnet={"units": [unit]}), txt2img_v2(), img2img_v2()):
        assert rules.repaired(body, base64_png()) == body
