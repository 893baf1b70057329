"""The control interface under /__mock."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import validate

from mockserver import __version__
from mockserver.control.app import openapi_document
from mockserver.control.table import RESOURCES
from mockserver.faults.rules import MAX_RULES
from mockserver.world import World
from tests.bodies import TXT2IMG, txt2img
from tests.conftest import Server


def test_its_document_is_valid_and_lists_every_resource(server: Server) -> None:
    """Routes and document come from one table."""
    document = server.control("GET", "/openapi.json")

    validate(document)
    listed = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert listed == {(resource.method, f"/__mock{resource.path}") for resource in RESOURCES}
    ids = [resource.operation_id for resource in RESOURCES]
    assert len(set(ids)) == len(ids)
    assert openapi_document(RESOURCES)["info"]["version"] == __version__


def test_health_ready_and_version_need_no_key(server: Server) -> None:
    """A readiness probe has no key."""
    for path in ("/health", "/ready", "/version", "/worlds"):
        assert server.call("GET", f"/__mock{path}", key=None).status_code == 200
    ready = server.control("GET", "/ready")
    assert ready["operations"] == 7
    assert ready["models"] > 100


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("PUT", "/health", None, 405),
        ("POST", "/clock/advance", {}, 400),
        ("POST", "/clock/advance", {"seconds": -1}, 400),
        ("POST", "/clock/advance", {"seconds": 1, "duration": "1s"}, 400),
        ("POST", "/clock/advance", {"duration": "soon"}, 400),
        ("POST", "/clock/advance", {"seconds": 1e300}, 400),
        ("POST", "/clock/set", {"at": "yesterday"}, 400),
        ("POST", "/clock/set", {"at": "2001-01-01T00:00:00Z"}, 400),
        ("PUT", "/clock", {"mode": "x0"}, 400),
        ("PATCH", "/worlds/current", {"fleet": {"workers": 0}}, 400),
        ("PATCH", "/worlds/current", {"no_such": 1}, 400),
        ("GET", "/tasks/nope", None, 404),
        ("GET", "/tasks?colour=red", None, 400),
        ("GET", "/tasks?limit=many", None, 400),
        ("GET", "/tasks?limit=--1", None, 400),
        ("GET", "/tasks?limit=%C2%B2", None, 400),
        ("POST", "/decode", None, 422),
    ],
)
def test_bad_calls_are_problems_that_say_what_was_expected(
    server: Server, method: str, path: str, body: Any, status: int
) -> None:
    """RFC 9457 problem+json, with a detail for people."""
    answer = server.call(method, f"/__mock{path}", json=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:novita-mock:problem:")
    assert len(problem["detail"]) > 10


def test_a_deep_body_is_refused(server: Server) -> None:
    """Deeper than the validator goes: 400, not a failure of ours."""
    for depth in (10, 300, 5_000):
        deep = b'{"seconds":' + b"[" * depth + b"]" * depth + b"}"
        assert server.call("POST", "/__mock/clock/advance", content=deep).status_code == 400


@pytest.mark.parametrize(("method", "path"), [("POST", "/faults"), ("PUT", "/scenario")])
@pytest.mark.parametrize("depth", [250, 900, 1_000, 5_000])
def test_a_deep_body_is_refused_by_readers_too(server: Server, method: str, path: str, depth: int) -> None:
    """A reader of its own quotes what it refuses, and quoting ends with the stack: nothing so deep reaches one."""
    for name in ("point", "name", "scenario", "faults"):
        deep = b'{"%s":' % name.encode() + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
        answer = server.call(method, f"/__mock{path}", content=deep)
        assert answer.status_code in (400, 404)
        assert len(answer.json()["detail"]) < 2_000


def test_one_fault_and_a_list_are_not_mixed(server: Server) -> None:
    """What stands beside a list would be left out without a word."""
    rule = {"point": "result", "effect": "no-answer"}
    answer = server.call("POST", "/__mock/faults", json={**rule, "max_in_a_row": 2})

    assert answer.status_code == 400
    assert "'effect' beside them" in answer.json()["detail"]
    assert server.control("GET", "/faults")["armed"] == []


def test_a_world_has_a_bound_of_faults(server: Server) -> None:
    """However many calls arm them; none of a list that is too long is in force."""
    rule = {"point": "result", "effect": "no-answer", "nth": 1000}
    server.control("POST", "/faults", json={"faults": [rule] * (MAX_RULES - 1)})
    answer = server.call("POST", "/__mock/faults", json={"faults": [rule] * 2})

    assert answer.status_code == 409
    assert len(server.control("GET", "/faults")["armed"]) == MAX_RULES - 1
    server.control("POST", "/faults", json=rule)
    assert server.call("POST", "/__mock/faults", json=rule).status_code == 409


def test_a_failure_of_our_own_is_a_problem_too(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 in the interface's own form; the log has the trace."""

    def fail(_: object) -> None:
        raise RuntimeError("made to fail")

    monkeypatch.setattr(World, "next_event_ms", fail)
    answer = server.call("GET", "/__mock/clock")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "made to fail" not in answer.text
    assert [record.message for record in caplog.records] == ["control.failed"]


def test_its_document_says_which_bodies_are_needed(server: Server) -> None:
    """A body with a required member is required; one that may be left out is not."""
    paths = server.control("GET", "/openapi.json")["paths"]

    assert paths["/__mock/clock"]["put"]["requestBody"]["required"] is True
    assert paths["/__mock/decode"]["post"]["requestBody"]["required"] is True
    assert paths["/__mock/worlds/current"]["patch"]["requestBody"]["required"] is False


def test_calls_about_a_world_need_a_key(server: Server) -> None:
    """403 as a problem, not in the vendor's form."""
    answer = server.call("GET", "/__mock/clock", key=None)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_clock_moves_by_every_verb(server: Server) -> None:
    """advance, advance-to-next-event, run-until-idle, freeze, resume, set, reset, and changing the mode."""
    start = server.control("GET", "/clock")
    assert start["next_event_ms"] is None
    server.submit(TXT2IMG, txt2img())
    due = server.control("GET", "/clock")["next_event_ms"]

    assert server.control("POST", "/clock/advance-to-next-event")["now_ms"] == due
    assert server.control("POST", "/clock/run-until-idle")["next_event_ms"] is None
    before = server.control("GET", "/clock")["now_ms"]
    assert server.control("POST", "/clock/advance", {"duration": "1h30m"})["now_ms"] == before + 5_400_000
    assert (
        server.control("POST", "/clock/set", {"at": "2090-01-01T00:00:00+00:00"})["now"] == "2090-01-01T00:00:00.000Z"
    )
    assert server.control("PUT", "/clock", {"mode": "x10"})["mode"] == "x10"
    server.wall.now_ms += 1000
    assert server.control("GET", "/clock")["now"] == "2090-01-01T00:00:10.000Z"
    server.control("POST", "/clock/freeze")
    server.wall.now_ms += 1000
    assert server.control("GET", "/clock")["now"] == "2090-01-01T00:00:10.000Z"
    assert server.control("POST", "/clock/resume")["frozen"] is False
    reset = server.control("POST", "/clock/reset")
    assert (reset["mode"], reset["now"]) == ("manual", "2090-01-01T00:00:10.000Z")


def test_a_task_can_be_ended_by_hand(server: Server) -> None:
    """A failure is an ordinary 200 answer with a reason and empty arrays; a finished task never changes."""
    task_id = server.submit(TXT2IMG, txt2img())
    server.control("POST", f"/tasks/{task_id}/end", {"status": "TASK_STATUS_FAILED", "reason": "out of memory"})
    failed = server.result(task_id)

    assert failed["task"]["status"] == "TASK_STATUS_FAILED"
    assert failed["task"]["reason"] == "out of memory"
    assert failed["images"] == failed["videos"] == []
    again = server.call("POST", f"/__mock/tasks/{task_id}/end", json={"status": "TASK_STATUS_SUCCEED"})
    assert again.status_code == 409
    timeline = server.control("GET", f"/tasks/{task_id}")["timeline"]
    assert [entry["event"] for entry in timeline][-1] == "broke"


def test_a_picture_names_the_task_that_made_it(server: Server) -> None:
    """POST /decode reads the receipt and finds the task."""
    done = server.finished(TXT2IMG, txt2img(image_num=2, seed=77))
    server.finished(TXT2IMG, txt2img(image_num=2, seed=78))
    data = server.download(done["images"][1]["image_url"]).content
    answer = server.call("POST", "/__mock/decode", content=data)

    assert answer.status_code == 200, answer.text
    assert answer.json()["tasks"] == [done["task"]["task_id"]]
    assert (answer.json()["index"], answer.json()["seed"]) == (1, "77")


def test_the_journal_is_searched_and_keeps_no_secret(server: Server) -> None:
    """Calls by operation, status and content; the key is nowhere in it."""
    server.submit(TXT2IMG, txt2img(prompt="a red house"))
    server.submit(TXT2IMG, txt2img(prompt="a blue house"))
    server.call("POST", TXT2IMG, json={})

    assert server.control("GET", "/requests/count", operation_id="createTxt2imgTask")["count"] == 3
    assert server.control("GET", "/requests/count", status=400)["count"] == 1
    found = server.control("GET", "/requests", contains="red house")
    assert found["total"] == 1
    assert found["requests"][0]["request"]["request"]["prompt"] == "a red house"
    assert server.key not in server.call("GET", "/__mock/requests").text
    assert server.control("DELETE", "/requests")["cleared"] == 3


def test_calls_without_a_key_are_in_a_journal_of_their_own(server: Server) -> None:
    """Without a key, /requests shows what came without an acceptable one."""
    server.call("GET", "/v3/model", key=None)
    server.call("GET", "/nowhere", key=None)
    found = server.call("GET", "/__mock/requests", key=None).json()["requests"]

    assert [entry["status"] for entry in found] == [403, 404]


def test_a_world_is_changed_and_reset(server: Server) -> None:
    """Fleet and classifier are settings of a world; a reset brings the first ones back."""
    changed = server.control(
        "PATCH", "/worlds/current", {"fleet": {"workers": 1, "task_duration": "60s"}, "nsfw_confidences": [1, 99.5]}
    )
    assert changed["fleet"] == {"workers": 1, "speed": 1.0, "task_duration": 60}
    done = server.finished(TXT2IMG, txt2img({"enable_nsfw_detection": True}, image_num=3))
    assert [image["nsfw_detection_result"]["confidence"] for image in done["images"]] == [1, 99.5, 1]
    debug = done["extra"]["debug_info"]
    assert int(debug["complete_time_ms"]) - int(debug["execute_time_ms"]) == 60_000

    first = server.control("GET", "/tasks")["tasks"][0]["task_id"]
    server.control("POST", "/reset")
    assert server.control("GET", "/worlds/current")["tasks"]["created"] == 0
    assert server.submit(TXT2IMG, txt2img()) == first


def test_reset_all_and_forget(server: Server) -> None:
    """Worlds are listed without their keys and can be dropped."""
    server.call("GET", "/v3/model", key="sk-mock-another-one")
    listed = server.call("GET", "/__mock/worlds", key=None)
    assert len(listed.json()["worlds"]) == 1
    assert "sk-mock-another-one" not in listed.text
    server.control("GET", "/worlds/current")
    server.control("DELETE", "/worlds/current")
    assert server.control("POST", "/reset", all="true")["worlds"] == 2


def test_the_contract_is_served_in_both_readings(server: Server) -> None:
    """The lenient reading is the default; both are valid OpenAPI."""
    documented = server.control("GET", "/contract.json", reading="documented")
    tolerated = server.control("GET", "/contract.json")

    validate(documented)
    validate(tolerated)
    assert documented != tolerated


def test_browsers_are_let_in(server: Server) -> None:
    """A preflight and the call after it carry CORS headers."""
    origin = {"origin": "http://localhost:3000"}
    preflight = server.call(
        "OPTIONS",
        TXT2IMG,
        key=None,
        headers={
            **origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        },
    )
    call = server.call("POST", TXT2IMG, json=txt2img(), headers=origin)

    assert preflight.status_code == 200
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert call.headers["access-control-allow-origin"] == "*"


def test_long_answers_are_compressed_when_asked_and_pictures_never(server: Server) -> None:
    """Gzip for JSON; a picture's bytes and ETag stay as they are."""
    models = server.call("GET", "/v3/model?pagination.limit=100", headers={"accept-encoding": "gzip"})
    done = server.finished(TXT2IMG, txt2img())
    image = server.download(done["images"][0]["image_url"], **{"accept-encoding": "gzip"})

    assert models.headers["content-encoding"] == "gzip"
    assert len(models.json()["models"]) == 100
    assert "content-encoding" not in image.headers
