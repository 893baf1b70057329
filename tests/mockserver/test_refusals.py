"""What the mock refuses, and how: v3 by status and reason, v2 by HTTP 200 and a code."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from typing import Any

import pytest

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
from tests.conftest import Server


def bomb(width: int, height: int) -> str:
    """A PNG of a few bytes that claims to be huge."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    end = b"IDAT" + zlib.compress(b"\0" * 100)
    return b64encode(data + struct.pack(">I", len(end) - 4) + end + struct.pack(">I", zlib.crc32(end))).decode()


def refused(server: Server, path: str, body: object) -> tuple[int, str]:
    answer = server.call("POST", path, json=body)
    found = answer.json()
    assert set(found) == {"code", "reason", "message", "metadata"}
    assert found["code"] == answer.status_code
    assert found["message"]
    return answer.status_code, found["reason"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"width": 127}, "INVALID_IMAGE_SIZE"),
        ({"height": 2049}, "INVALID_IMAGE_SIZE"),
        ({"image_num": 0}, "INVALID_REQUEST_BODY"),
        ({"image_num": 9}, "INVALID_REQUEST_BODY"),
        ({"steps": 101}, "INVALID_REQUEST_BODY"),
        ({"steps": "20"}, "INVALID_REQUEST_BODY"),
        ({"guidance_scale": 0.9}, "INVALID_REQUEST_BODY"),
        ({"sampler_name": "DPM++ Karras"}, "INVALID_REQUEST_BODY"),
        ({"prompt": ""}, "INVALID_REQUEST_BODY"),
        ({"prompt": "x" * 1025}, "INVALID_REQUEST_BODY"),
        ({"seed": -2}, "INVALID_REQUEST_BODY"),
        ({"model_name": "no_such_model.safetensors"}, "INVALID_REQUEST_BODY"),
        ({"loras": [{"model_name": "x", "strength": 1}] * 6}, "INVALID_REQUEST_BODY"),
        ({"enable_transparent_background": True}, "INVALID_REQUEST_BODY"),
        ({"hires_fix": {"target_width": 5000, "target_height": 1024, "strength": 1}}, "INVALID_IMAGE_SIZE"),
    ],
)
def test_a_v3_request_outside_the_contract_is_refused_with_its_reason(
    server: Server, change: dict[str, Any], reason: str
) -> None:
    """Each body has exactly one thing wrong."""
    assert refused(server, TXT2IMG, txt2img(**change)) == (400, reason)


def test_a_flat_v3_body_is_refused(server: Server) -> None:
    """C12: without the request object the answer is 400, in the lenient reading too."""
    assert refused(server, TXT2IMG, txt2img()["request"]) == (400, "INVALID_REQUEST_BODY")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"{'a': 1}", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000, b"[]", b"null"]
)
def test_a_body_that_is_no_json_object_is_refused(server: Server, content: bytes) -> None:
    """C21: JSON and nothing else; v2 says it with code 1."""
    headers = {"content-type": "application/json"}
    v3 = server.call("POST", TXT2IMG, content=content, headers=headers)
    v2 = server.call("POST", TXT2IMG_V2, content=content, headers=headers)

    assert (v3.status_code, v3.json()["reason"]) == (400, "INVALID_REQUEST_BODY")
    assert (v2.status_code, v2.json()["code"], v2.json()["data"]) == (200, 1, None)


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        ("no base64 !!", "INVALID_IMAGE_FORMAT"),
        (b64encode(b"just some text").decode(), "INVALID_IMAGE_FORMAT"),
        ("{{Base64 encode image}}", "INVALID_IMAGE_FORMAT"),
        (b64encode(b"\x89PNG" + b"\0" * (10 * 1024 * 1024)).decode(), "IMAGE_FILE_EXCEEDS_MAX_SIZE"),
        (bomb(60_000, 60_000), "IMAGE_EXCEEDS_MAX_RESOLUTION"),
        (bomb(8192, 4096), "IMAGE_EXCEEDS_MAX_RESOLUTION"),
    ],
)
def test_a_source_picture_outside_the_limits_is_refused_with_its_reason(
    server: Server, picture: str, reason: str
) -> None:
    """C43: 10 MB and 16 megapixels, judged by length and header; nothing is decoded."""
    assert refused(server, IMG2IMG, img2img(image_base64=picture)) == (400, reason)


def test_a_data_uri_is_accepted(server: Server) -> None:
    """C48: a helper of the official JavaScript client makes one."""
    server.submit(IMG2IMG, img2img(image_base64=f"data:image/png;base64,{base64_png()}"))


def test_image_assets_id_is_refused(server: Server) -> None:
    """C48: the older field does not stand for the picture."""
    body = img2img(image_assets_id="1234")
    del body["request"]["image_base64"]
    assert refused(server, IMG2IMG, body) == (400, "INVALID_REQUEST_BODY")


def test_a_body_beyond_the_bound_is_refused_before_it_is_read(server: Server) -> None:
    """The length header is enough: the body of 100 MB is never sent."""
    answer = server.call(
        "POST", IMG2IMG, content=b"{}", headers={"content-length": "104857600", "content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["reason"]) == (400, "IMAGE_FILE_EXCEEDS_MAX_SIZE")


def test_transparency_needs_png_and_sdxl(server: Server) -> None:
    """C46: another format is refused, and so is an SD 1.5 checkpoint."""
    jpeg = txt2img({"response_image_type": "jpeg"}, model_name=SDXL_CHECKPOINT, enable_transparent_background=True)
    assert refused(server, TXT2IMG, jpeg) == (400, "INVALID_REQUEST_BODY")
    server.submit(TXT2IMG, txt2img({"response_image_type": "jpeg"}, enable_transparent_background=False))


def test_an_ip_adapter_must_fit_the_checkpoint(server: Server) -> None:
    """The adapter for SDXL does not go with an SD 1.5 checkpoint."""
    unit = {"image_base64": base64_png(), "strength": 0.5}
    misfit = img2img(model_name=CHECKPOINT, ip_adapters=[{"model_name": "ip-adapter_sdxl.bin", **unit}])
    assert refused(server, IMG2IMG, misfit) == (400, "INVALID_REQUEST_BODY")
    server.submit(IMG2IMG, img2img(ip_adapters=[{"model_name": "ip-adapter_sd15.bin", **unit}]))


def test_v2_img2img_needs_a_source_picture(server: Server) -> None:
    """An empty list holds none."""
    assert server.call("POST", IMG2IMG_V2, json=img2img_v2(init_images=[])).json()["code"] == 1


def test_an_illegal_prompt_is_refused(make_server: Any) -> None:
    """Words of --illegal-word: ILLEGAL_PROMPT on v3, code 11 on v2."""
    server: Server = make_server(illegal_words=("forbidden",))
    assert refused(server, TXT2IMG, txt2img(prompt="a Forbidden thing")) == (400, "ILLEGAL_PROMPT")
    assert server.call("POST", TXT2IMG_V2, json=txt2img_v2(prompt="forbidden")).json()["code"] == 11


def test_a_bad_storage_path_is_refused(server: Server) -> None:
    """INVALID_CUSTOM_OUTPUT_PATH names a prefix that is none."""
    storage = {"aws_s3": {"region": "eu-west-1", "bucket": "b", "path": "../up"}}
    assert refused(server, TXT2IMG, txt2img({"custom_storage": storage})) == (400, "INVALID_CUSTOM_OUTPUT_PATH")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"width": 0}, 6),
        ({"steps": 51}, 6),
        ({"cfg_scale": 31}, 6),
        ({"sampler_name": "No Such"}, 8),
        ({"model_name": "no_such_model"}, 2),
        ({"prompt": 5}, 1),
    ],
)
def test_v2_refuses_with_http_200_and_a_code(server: Server, change: dict[str, Any], code: int) -> None:
    """C33: the code says what was wrong; data is null."""
    answer = server.call("POST", TXT2IMG_V2, json=txt2img_v2(**change))

    assert answer.status_code == 200
    assert answer.json()["code"] == code
    assert answer.json()["data"] is None
    assert answer.json()["msg"]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer sk-mock-invalid"}, {"authorization": "Bearer "}])
def test_a_call_without_an_accepted_key_is_refused(server: Server, headers: dict[str, str]) -> None:
    """C35: 403 INVALID_API_KEY, on v2 code 4."""
    v3 = server.call("POST", TXT2IMG, json=txt2img(), key=None, headers=headers)
    v2 = server.call("GET", "/v2/progress", params={"task_id": "x"}, key=None, headers=headers)

    assert (v3.status_code, v3.json()["reason"]) == (403, "INVALID_API_KEY")
    assert (v2.status_code, v2.json()["code"], v2.json()["data"]) == (200, 4, None)


def test_a_bare_key_and_the_old_header_are_findings(server: Server, strict: Server) -> None:
    """Forms that real clients use are accepted and said; the strict reading refuses them."""
    bare = {"authorization": "sk-mock-bare"}
    old = {"x-omni-key": "sk-mock-old"}

    assert server.call("GET", "/v3/model", key=None, headers=bare).status_code == 200
    assert server.call("GET", "/v2/progress?task_id=x", key=None, headers=old).json()["code"] == 3
    assert server.call("GET", "/v3/model", key=None, headers=old).status_code == 403
    found = server.call("GET", "/__mock/findings", headers={"authorization": "Bearer sk-mock-bare"}).json()
    assert [finding["code"] for finding in found["findings"]] == ["NV405"]
    assert strict.call("GET", "/v3/model", key=None, headers=bare).status_code == 403
    assert strict.call("GET", "/v2/progress?task_id=x", key=None, headers=old).json()["code"] == 4


def test_unknown_paths_and_methods_are_answered_as_unknown_routes(server: Server) -> None:
    """404 API_NOT_FOUND in the v3 form; `Allow` tells what the path would take."""
    nowhere = server.call("GET", "/v3/models")
    wrong = server.call("DELETE", TXT2IMG)

    assert (nowhere.status_code, nowhere.json()["reason"]) == (404, "API_NOT_FOUND")
    assert (wrong.status_code, wrong.json()["reason"], wrong.headers["allow"]) == (404, "API_NOT_FOUND", "POST")


def test_an_unknown_task_is_not_found(server: Server) -> None:
    """404 TASK_NOT_FOUND on v3, code 3 on v2, and each version knows its own tasks only."""
    v2_task = server.submit(TXT2IMG_V2, txt2img_v2())

    for task_id in ("00000000-0000-4000-8000-000000000000", v2_task):
        answer = server.call("GET", "/v3/async/task-result", params={"task_id": task_id})
        assert (answer.status_code, answer.json()["reason"]) == (404, "TASK_NOT_FOUND")
    assert server.call("GET", "/v3/async/task-result").status_code == 400


def test_strict_refuses_what_lenient_notes(server: Server, strict: Server) -> None:
    """An empty negative_prompt is tolerated with its C-number, and refused in the strict reading."""
    body = txt2img(negative_prompt="", no_such_field=1)

    lenient = server.call("POST", TXT2IMG, json=body)
    assert lenient.status_code == 200
    assert "C13" in lenient.headers["novita-mock-findings"]
    assert {"C13"} <= {number for finding in server.findings() for number in finding["because"]}
    assert refused(strict, TXT2IMG, body) == (400, "INVALID_REQUEST_BODY")


def test_the_strict_reading_wants_the_content_type(server: Server, strict: Server) -> None:
    """C40: only application/json is documented for v3 submits."""
    headers = {"content-type": "text/plain"}
    content = b'{"request": {}}'
    assert strict.call("POST", TXT2IMG, content=content, headers=headers).json()["reason"] == "INVALID_REQUEST_BODY"
    import json

    assert server.call("POST", TXT2IMG, content=json.dumps(txt2img()).encode(), headers=headers).status_code == 200
    assert server.findings()[0]["code"] == "NV407"


@pytest.mark.parametrize(("path", "body"), [(TXT2IMG_V2, txt2img_v2()), (IMG2IMG_V2, img2img_v2())])
@pytest.mark.parametrize(("sampler", "code"), [("No such sampler", 8), (7, 1)])
def test_an_unknown_sampler_has_a_code_of_its_own_on_v2(
    server: Server, path: str, body: dict[str, Any], sampler: object, code: int
) -> None:
    """V2-CODE-006; in the list of img2img null is a word too (C14), and that changes nothing."""
    assert server.call("POST", path, json={**body, "sampler_name": sampler}).json()["code"] == code
