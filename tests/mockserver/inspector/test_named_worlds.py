"""Worlds named by `?world=`, without their key: for the inspector on this machine, for nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bodies import TXT2IMG, txt2img
from tests.conftest import Server


def world(server: Server) -> str:
    return str(server.control("GET", "/worlds/current")["id"])


def named(server: Server, path: str = "/tasks", id: str | None = None, **headers: str) -> Any:
    return server.call(
        "GET", f"/__mock{path}", key=None, params={"world": id or world(server)},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )  # fmt: skip


def test_a_world_is_named_by_its_id(server: Server) -> None:
    """As GET /worlds tells it; reading and acting alike."""
    task = server.submit(TXT2IMG, txt2img())
    assert named(server).json()["tasks"][0]["task_id"] == task
    answer = server.call("POST", "/__mock/clock/freeze", key=None, params={"world": world(server)})
    assert answer.json()["frozen"] is True
    found = server.call("GET", f"/__mock/worlds/of/{task}", key=None).json()
    assert found["id"] == world(server)
    assert server.call("GET", "/__mock/worlds/of/nobody", key=None).status_code == 404


def test_naming_makes_no_world(server: Server) -> None:
    """Only a key does."""
    answer = named(server, id="0123456789ab")
    assert answer.status_code == 404
    assert "GET /__mock/worlds lists them" in answer.json()["detail"]


def test_a_key_and_a_name_are_not_mixed(server: Server) -> None:
    """Which of the two is meant would be a guess."""
    answer = server.call("GET", "/__mock/tasks", params={"world": world(server)})
    assert (answer.status_code, answer.json()["detail"]) == (400, "expected a key or ?world=, came both")


def test_resources_without_a_world_take_no_name(server: Server) -> None:
    """A parameter that would be passed over is refused."""
    assert named(server, "/version").status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://elsewhere.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"host": "rebound.example.com"},
        {"host": "127.0.0.1.example.com"},
        {"host": ""},
        {"host": "[::1"},
    ],
    ids=str,
)
def test_pages_of_others_cannot_name_one(server: Server, headers: dict[str, str]) -> None:
    """Nor a name that somebody else's DNS has pointed here; a key is needed then."""
    answer = named(server, **headers)
    assert answer.status_code == 403, answer.text
    assert "key" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://mock.test"},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"host": "127.0.0.1:4280"},
        {"host": "[::1]:4280"},
        {"host": "localhost:4280"},
        {"host": "LOCALHOST"},
        {"host": "mock:4280"},
        {"host": "mock.internal"},
        {"host": "192.168.1.5:4280"},
    ],
    ids=str,
)
def test_the_servers_own_page_can(server: Server, headers: dict[str, str]) -> None:
    """Addresses, names of this machine and of its network."""
    answer = named(server, **headers)
    assert answer.status_code == 200, answer.text


def test_listed_keys_lock_worlds(make_server: Any) -> None:
    """Where only some keys are accepted, a world is opened by its key."""
    server = make_server(keys=frozenset({"sk-mock-test"}))
    answer = named(server)
    assert answer.status_code == 403
    assert "listed keys" in answer.json()["detail"]


def test_the_public_address_is_an_own_one(make_server: Any) -> None:
    """What --public-base-url names."""
    server = make_server(public_base_url="https://pictures.example.com")
    assert named(server, host="pictures.example.com").status_code == 200
    assert named(server, host="other.example.com").status_code == 403
