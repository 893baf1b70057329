"""The catalogue of mutants is sound, a proxy without a defect changes nothing, and typical mutants are seen alone."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from conformance.mutant_commands import mutant as mutant_command
from conformance.mutants.catalogue import load_mutants
from conformance.mutants.judging import Bench, grade, outcomes, quick_ids, relevant_ids, ruling
from conformance.mutants.making import ABSENT, accepts, is_wanted, places, put, puts, refuses, statuses
from conformance.mutants.matrix import bench
from conformance.mutants.proxy import Proxy
from conformance.mutants.serving import in_process, listening
from conformance.mutants.upstreams import DEFAULT, NoUpstream, upstream
from conformance.mutants.values import FAITHFUL, Answer, Hook, Link, Mutant, Request, State
from openapi.document import load
from tests.conformance.loops import in_a_loop

CATALOGUE = load_mutants()


BODY = {
    "request": {
        "model_name": "dreamshaper_8_93211.safetensors",
        "prompt": "a field",
        "width": 128,
        "height": 128,
        "image_num": 1,
        "steps": 4,
        "guidance_scale": 7.5,
        "sampler_name": "Euler a",
    }
}
ORIGIN = "http://mutant.localhost"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with upstream(DEFAULT) as url:
        yield url


@pytest.fixture(scope="module")
def held() -> Bench:
    return bench("/__mock")


class Asking:
    """A client of a mutant, with a key of its own."""

    def __init__(self, connections: Any, key: str) -> None:
        self._connections = connections
        self._headers = {"authorization": f"Bearer sk-mock-{key}", "content-type": "application/json"}

    async def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        content = None if body is None else json.dumps(body).encode()
        url = path if path.startswith("http") else ORIGIN + path
        return await self._connections.send(method, url, self._headers | headers, content, 10.0)

    async def finished(self, body: object = BODY) -> dict[str, Any]:
        """The result of a task that has ended."""
        submitted = await self("POST", "/v3/async/txt2img", body)
        task_id = json.loads(submitted.body)["task_id"]
        await self("POST", "/__mock/clock/advance", {"seconds": 60})
        found = await self("GET", f"/v3/async/task-result?task_id={task_id}")
        result: dict[str, Any] = json.loads(found.body)
        return result


@asynccontextmanager
async def asking(mutant: Mutant, server: str) -> AsyncIterator[Asking]:
    async with in_process(mutant, server, load(), ORIGIN) as connections:
        yield Asking(connections, mutant.name)


def test_names_are_short_words_with_hyphens_and_sentences_end() -> None:
    for mutant in CATALOGUE.values():
        assert re.fullmatch(r"[a-z0-9]+([-.][a-z0-9]+)*", mutant.name), mutant.name
        assert len(mutant.name) <= 48
        assert mutant.text.endswith("."), mutant.name


def test_each_mutant_breaks_a_requirement_that_can_be_observed(held: Bench) -> None:
    rows = {row.id: row for row in held.rows}
    for mutant in CATALOGUE.values():
        assert rows[mutant.breaks].observable, mutant.name
        assert set(mutant.also) <= set(rows), mutant.name


def test_each_mutant_has_exactly_the_hooks_that_it_says() -> None:
    for mutant in CATALOGUE.values():
        assert mutant.request or mutant.answer or mutant.picture or mutant.other or mutant.event, mutant.name
        assert mutant.sees_links or not mutant.picture, mutant.name
        assert mutant.sees_webhooks or not mutant.event, mutant.name


def test_there_are_as_many_as_were_promised() -> None:
    assert len(CATALOGUE) >= 150


@in_a_loop
async def test_without_a_defect_the_suite_sees_no_difference(server: str, held: Bench) -> None:
    ids = {"V3-SUBMIT-001", "V3-RESULT-016", "V3-IMAGE-002", "V3-LINK-002", "V3-AUTH-002"} & {
        check.requirement for check in held.registry
    }
    found = await outcomes(held, FAITHFUL, server, ids)
    assert {name: grade(outcome) for name, outcome in found.items()} == dict.fromkeys(ids, 0)


@pytest.mark.parametrize("name", ["accepts-steps-101", "sides-rounded", "links-need-a-key", "task-id-in-capitals"])
@in_a_loop
async def test_a_mutant_turns_its_own_requirement_red(name: str, server: str, held: Bench) -> None:
    mutant = CATALOGUE[name]
    found = await ruling(held, mutant, server, {}, {mutant.breaks})
    assert found.killed, found
    assert found.alone


@in_a_loop
async def test_a_mutant_that_does_nothing_survives(server: str, held: Bench) -> None:
    idle = Mutant(name="idle", breaks="V3-SUBMIT-001", text="It does nothing.", request=lambda state, request: request)
    found = await ruling(held, idle, server, {}, {"V3-SUBMIT-001"})
    assert not found.killed
    assert found.alone


@in_a_loop
async def test_what_is_wrong_reaches_the_upstream_as_something_good(server: str) -> None:
    mutant = accepts("t-accepts", "V3-TXT2IMG-013", "-", "createTxt2imgTask", "request.steps", 101, 100)
    async with asking(mutant, server) as ask:
        taken = await ask("POST", "/v3/async/txt2img", {"request": {**BODY["request"], "steps": 101}})
        other = await ask("POST", "/v3/async/txt2img", {"request": {**BODY["request"], "steps": 102}})
    assert (taken.status, other.status) == (200, 400)


@in_a_loop
async def test_a_good_value_is_refused(server: str) -> None:
    async with asking(
        refuses("t-refuses", "V3-TXT2IMG-006", "-", "createTxt2imgTask", "request.steps", 4), server
    ) as ask:
        assert (await ask("POST", "/v3/async/txt2img", BODY)).status == 400
        assert (await ask("GET", "/v3/model?pagination.limit=1")).status == 200


@in_a_loop
async def test_answers_have_other_values_and_statuses(server: str) -> None:
    result = "getTaskResult"
    async with asking(puts("t-puts", "V3-RESULT-009", "-", result, "task.reason", "odd"), server) as ask:
        assert (await ask.finished())["task"]["reason"] == "odd"
    async with asking(statuses("t-statuses", "V3-RESULT-003", "-", result, 404, 400), server) as ask:
        assert (await ask("GET", "/v3/async/task-result?task_id=none")).status == 400


@in_a_loop
async def test_links_lead_through_the_proxy_and_pictures_may_change(server: str) -> None:
    def picture(state: State, link: Link, request: Request, answer: Answer) -> Answer:
        return answer.with_body(f"{link.task_id} {link.index}".encode())

    mutant = Mutant(name="t-links", breaks="V3-IMAGE-001", text="-", picture=picture, sees_links=True)
    async with asking(mutant, server) as ask:
        result = await ask.finished()
        link = result["images"][0]["image_url"]
        assert link.startswith(f"{ORIGIN}/~links/")
        assert (await ask("GET", link)).body == f"{result['task']['task_id']} 0".encode()


@in_a_loop
async def test_events_go_through_the_proxy_and_name_the_callers_own_url(server: str) -> None:
    came: list[dict[str, Any]] = []

    async def receiver(scope: Any, receive: Any, send: Any) -> None:
        came.append(json.loads((await receive())["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def twice(state: State, hook: Hook, request: Request) -> Answer:
        await state.deliver(hook, request)
        return await state.deliver(hook, request)

    mutant = Mutant(name="t-events", breaks="WEBHOOK-009", text="-", event=twice, sees_webhooks=True)
    async with listening(receiver) as url, asking(mutant, server) as ask:
        result = await ask.finished({**BODY, "extra": {"webhook": {"url": f"{url}/here"}}})
        await ask("GET", "/v3/model")
    assert result["task"]["status"] == "TASK_STATUS_SUCCEED"
    assert len(came) == 2
    assert came[0] == came[1]
    assert "/~hooks/" not in json.dumps([came, result])


@in_a_loop
async def test_a_mutant_can_be_reached_over_the_network(server: str) -> None:
    from conformance.connections import connected

    async with connected() as network:
        proxy: Any = Proxy(CATALOGUE["pictures-in-imgs"], server, load(), network)
        async with listening(proxy) as url, httpx.AsyncClient(base_url=url) as client:
            refused = await client.get("/v3/model")
            large = await client.post("/v3/async/txt2img", content=b" " * 5_000_000)
    assert refused.status_code in (400, 401, 403)
    assert 400 <= large.status_code < 500


@pytest.mark.parametrize(
    ("path", "found"),
    [("a", [1]), ("b[].c", [2, ABSENT]), ("b[]", [{"c": 2}, {}]), ("x.y", []), ("x", [ABSENT]), ("a.b", [])],
)
def test_paths_lead_to_places(path: str, found: list[object]) -> None:
    body = {"a": 1, "b": [{"c": 2}, {}]}
    assert [
        holder[key] if isinstance(holder, list) else holder.get(key, ABSENT) for holder, key in places(body, path)
    ] == found


def test_a_value_is_set_made_or_taken_away() -> None:
    body: dict[str, Any] = {"a": 1, "b": 2, "c": 3}
    put((body, "a"), ABSENT)
    put((body, "b"), lambda old: old + 40)
    put((body, "d"), None)
    assert body == {"b": 42, "c": 3, "d": None}


@pytest.mark.parametrize(
    ("value", "wanted", "holds"),
    [
        (1, 1, True),
        (True, 1, False),
        (ABSENT, ABSENT, True),
        (None, ABSENT, False),
        ("a", str.isalpha, True),
        (1, str.isalpha, False),
    ],
)
def test_what_is_looked_for_has_its_json_type(value: object, wanted: Any, holds: bool) -> None:
    assert is_wanted(value, wanted) is holds


def test_a_mutant_of_one_version_is_not_asked_about_the_other(held: Bench) -> None:
    ids = relevant_ids(held, CATALOGUE["accepts-steps-101"])
    assert not [name for name in ids if name.startswith("V2-")]
    assert quick_ids(held, CATALOGUE["accepts-steps-101"]) <= ids


def test_a_command_that_tells_no_url_is_no_upstream() -> None:
    with pytest.raises(NoUpstream), upstream("echo nothing"):
        pass


def test_mutants_are_listed_and_asked_for_by_name() -> None:
    listed = CliRunner().invoke(mutant_command, ["--list"])
    assert all(name in listed.output for name in CATALOGUE)
    assert CliRunner().invoke(mutant_command, ["nobody", "--upstream", "http://x"]).exit_code == 2
    assert CliRunner().invoke(mutant_command, []).exit_code == 2


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["files-change", "--upstream", "http://127.0.0.1:1", "--port", str(port)]
        result = CliRunner().invoke(mutant_command, words)
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1, port {port}" in result.output
    assert "Ready" not in result.output
