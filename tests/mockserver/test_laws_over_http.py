"""Laws that only a whole call can break: what was promised holds whatever happens in between."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from tests.bodies import IMG2IMG, TXT2IMG, TXT2IMG_V2, img2img, txt2img, txt2img_v2
from tests.conftest import Server


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize("depth", [200, 300, 980, 1000, 5000])
@pytest.mark.parametrize("path", [TXT2IMG, IMG2IMG, TXT2IMG_V2])
def test_a_deeply_nested_body_is_no_fault_of_the_server(server: Server, path: str, depth: int) -> None:
    """An unknown field of any depth is ignored or refused; a float seed takes the slow parser, a picture the writer."""
    body = {TXT2IMG: txt2img(), IMG2IMG: img2img(), TXT2IMG_V2: txt2img_v2()}[path]
    fields = body.get("request", body)
    fields["seed"] = 5.0
    content = orjson.dumps(body)[:-1] + b',"deep":' + nested(depth) + b"}"
    answer = server.call("POST", path, content=content, headers={"content-type": "application/json"})

    assert answer.status_code in (200, 400)
    assert answer.json().get("code") != -1


def test_a_world_forgotten_while_a_body_comes_in_owns_the_task_all_the_same(server: Server) -> None:
    """The task of an accepted submit can be polled, and its place is given back later."""

    async def run() -> dict[str, Any]:
        body = orjson.dumps(txt2img())
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            server.mock.forget(server.mock.world(server.key))
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"authorization", f"Bearer {server.key}".encode()), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": TXT2IMG, "query_string": b"", "headers": headers}
        await server.app({**scope, "scheme": "http", "root_path": ""}, receive, send)
        found: dict[str, Any] = orjson.loads(sent[1]["body"])
        return found

    task_id = server.loop.run_until_complete(asyncio.wait_for(run(), 10))["task_id"]
    assert server.result(task_id)["task"]["status"] == "TASK_STATUS_QUEUED"
    server.control("DELETE", "/worlds/current")
    assert server.mock.owner(task_id) is None


def test_the_classifiers_setting_is_taken_at_submission(server: Server) -> None:
    """A finished task never changes, also when its world is told to answer otherwise."""
    done = server.finished(TXT2IMG, txt2img({"enable_nsfw_detection": True}))
    server.control("PATCH", "/worlds/current", {"nsfw_confidences": [99]})
    again = server.result(done["task"]["task_id"])

    assert again["images"][0]["nsfw_detection_result"] == done["images"][0]["nsfw_detection_result"]


def test_a_frozen_clock_stays_frozen_in_another_mode(server: Server) -> None:
    """Only resume lets it run again."""
    server.control("POST", "/clock/freeze")
    for mode in ("real", "x100", "auto"):
        changed = server.control("PUT", "/clock", {"mode": mode})
        server.wall.now_ms += 60_000
        assert server.control("GET", "/clock")["now_ms"] == changed["now_ms"]
        assert changed["frozen"] is True
    resumed = server.control("POST", "/clock/resume")
    server.wall.now_ms += 60_000
    assert server.control("GET", "/clock")["now_ms"] == resumed["now_ms"] + 60_000


def test_refused_requests_push_no_picture_out(server: Server) -> None:
    """The store of source pictures holds those of accepted tasks only."""
    from mockserver.parts.inputs import MemoryInputs

    store = server.mock.inputs
    assert isinstance(store, MemoryInputs)
    unit = {"model_name": "control_v11p_sd15_canny", "image_base64": "no picture", "strength": 1}
    refused = server.call("POST", IMG2IMG, json=img2img(controlnet={"units": [unit]}))
    assert refused.status_code == 400
    assert store.total_bytes == 0
    server.submit(IMG2IMG, img2img())
    assert store.total_bytes > 0


def test_a_v2_seed_beyond_64_bits_is_exact_beside_a_stray_request(server: Server) -> None:
    """The seed of a v2 body stands at its top, whatever else is there (C22)."""
    seed = 2**64 + 5
    content = orjson.dumps(txt2img_v2(request={"seed": 1}))[:-1] + b',"seed":%d}' % seed
    answer = server.call("POST", TXT2IMG_V2, content=content, headers={"content-type": "application/json"})
    task_id = answer.json()["data"]["task_id"]

    assert server.control("GET", f"/tasks/{task_id}")["seed"] == str(seed)


def test_strict_v2_answers_only_documented_codes(make_server: Any) -> None:
    """Code 11 is known from a client only (C33)."""
    strict: Server = make_server(strict=True, illegal_words=("forbidden",))
    assert strict.call("POST", TXT2IMG_V2, json=txt2img_v2(prompt="forbidden")).json()["code"] == 10
