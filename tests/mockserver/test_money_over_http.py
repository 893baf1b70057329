"""Money as a client and a test see it: the ledger, budgets, balance, rate limits, trouble with the account."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.bodies import IMG2IMG, TXT2IMG, TXT2IMG_V2, img2img, txt2img, txt2img_v2
from tests.conftest import Server
from tests.processes import mock_process

ONE = 2_100
"""Micro-USD of one 512x512 picture of 20 steps (docs/prices.md)."""


def lose_next_answer(server: Server, effect: object = "EMPTY_RESPONSE") -> None:
    server.control("POST", "/faults", {"point": "submit.after_commit", "effect": effect, "times": 1})


def submit_and_lose(server: Server, body: object) -> None:
    """Submits; the connection breaks, which in process is an exception."""
    with pytest.raises(ConnectionResetError):
        server.call("POST", TXT2IMG, json=body)


def account(server: Server, **fields: Any) -> None:
    server.control("PATCH", "/worlds/current", {"account": fields})


def refusal(server: Server, path: str = TXT2IMG, body: object = None) -> tuple[int, str]:
    """Status and reason of a submit that is refused."""
    answer = server.call("POST", path, json=body or txt2img())
    return answer.status_code, answer.json()["reason"]


# The ledger


def test_the_ledger_counts_what_was_accepted(server: Server) -> None:
    """Refused submits cost nothing; failed tasks are not paid back."""
    server.submit(TXT2IMG, txt2img(image_num=2))
    server.submit(TXT2IMG_V2, txt2img_v2())
    assert server.call("POST", TXT2IMG, json=txt2img(width=1)).status_code == 400
    found = server.control("GET", "/ledger")
    assert found["spent"]["tasks"] == 2
    assert found["by_operation"]["createTxt2imgTask"] == {
        "tasks": 1,
        "pictures": 2,
        "micro_usd": 2 * ONE,
        "usd": "0.0042",
    }
    assert sum(entry["micro_usd"] for entry in found["entries"]) == found["spent"]["micro_usd"]
    assert found["prices"] == "2026-11-21"


def test_classifying_costs_more(server: Server) -> None:
    """0.0015 USD per picture (facts of the txt2img page)."""
    server.submit(TXT2IMG, txt2img({"enable_nsfw_detection": True}, image_num=2))
    assert server.control("GET", "/ledger")["spent"]["micro_usd"] == 2 * (ONE + 1_500)


@pytest.mark.parametrize(("usd", "ok"), [(0.0021, True), ("0.0020", False)])
def test_a_budget_is_held_against_what_was_spent(server: Server, usd: object, ok: bool) -> None:
    server.submit(TXT2IMG, txt2img())
    found = server.control("POST", "/ledger/budget", {"budget_usd": usd})
    assert found["ok"] is ok
    assert found["message"].startswith("spent 0.0021 USD of 0.002")


@pytest.mark.parametrize("usd", [-1, "much", 0.0000005])
def test_a_budget_that_is_none_is_refused(server: Server, usd: object) -> None:
    answer = server.call("POST", "/__mock/ledger/budget", json={"budget_usd": usd})
    assert answer.status_code == 400
    assert "budget_usd" in answer.json()["detail"]


# The lost acknowledgement


def test_a_repeat_after_a_lost_answer_is_a_double_spend(server: Server) -> None:
    """Both tasks and the amount are named, in the ledger and as a finding of the call."""
    lose_next_answer(server)
    submit_and_lose(server, txt2img(seed=1))
    [lost] = server.control("GET", "/ledger")["unclaimed"]
    answer = server.call("POST", TXT2IMG, json=txt2img(seed=1))
    assert "NV301" in answer.headers["novita-mock-findings"]
    [verdict] = server.control("GET", "/ledger")["verdicts"]
    assert verdict["kind"] == "double-spend"
    assert (verdict["first_task_id"], verdict["task_id"]) == (lost["task_id"], answer.json()["task_id"])
    assert verdict["wasted_micro_usd"] == ONE
    assert server.control("GET", "/ledger")["unclaimed"] == []


@pytest.mark.parametrize("effect", [{"status": 503}, {"break": "missing"}, {"break": "wrapped"}], ids=str)
def test_an_answer_without_the_task_is_lost_too(server: Server, effect: object) -> None:
    lose_next_answer(server, effect)
    server.call("POST", TXT2IMG, json=txt2img())
    assert len(server.control("GET", "/ledger")["unclaimed"]) == 1


def test_an_answer_with_something_added_is_not_lost(server: Server) -> None:
    lose_next_answer(server, {"break": "extra"})
    assert "task_id" in server.call("POST", TXT2IMG, json=txt2img()).json()
    assert server.control("GET", "/ledger")["unclaimed"] == []


def test_a_client_that_finds_its_task_has_lost_nothing(server: Server) -> None:
    """It may learn of the task elsewhere; the next equal request is one of its own."""
    lose_next_answer(server)
    submit_and_lose(server, txt2img(seed=-1))
    [lost] = server.control("GET", "/ledger")["unclaimed"]
    server.result(lost["task_id"])
    server.submit(TXT2IMG, txt2img(seed=-1))
    assert server.control("GET", "/ledger")["verdicts"] == []


def test_a_repeat_of_what_was_refused_is_safe(server: Server) -> None:
    """Nothing had been made: it costs once."""
    server.control("POST", "/faults", {"point": "submit.before", "effect": {"status": 500}, "times": 2})
    for _ in range(2):
        assert server.call("POST", TXT2IMG, json=txt2img()).status_code == 500
    server.submit(TXT2IMG, txt2img())
    found = server.control("GET", "/ledger")
    [verdict] = found["verdicts"]
    assert (verdict["kind"], verdict["wasted_micro_usd"], found["wasted_micro_usd"]) == ("safe-retry", 0, 0)
    assert found["spent"]["tasks"] == 1


# The account


def test_the_documented_limits_refill_after_a_minute(server: Server) -> None:
    """20 pictures of txt2img a minute, by the world's clock; img2img has a window of its own."""
    account(server, rate_limits="documented")
    for _ in range(5):
        server.submit(TXT2IMG, txt2img(image_num=4))
    assert refusal(server) == (429, "RATE_LIMIT_EXCEEDED")
    server.submit(IMG2IMG, img2img())
    server.control("POST", "/clock/advance", {"seconds": 59})
    assert refusal(server) == (429, "RATE_LIMIT_EXCEEDED")
    server.control("POST", "/clock/advance", {"seconds": 1})
    server.submit(TXT2IMG, txt2img())


@pytest.mark.parametrize("told", [True, False])
def test_how_long_to_wait_is_told_on_demand(server: Server, told: bool) -> None:
    """Retry-After is not documented."""
    account(server, rate_limits={"createTxt2imgTask": 1}, retry_after=told)
    server.submit(TXT2IMG, txt2img())
    answer = server.call("POST", TXT2IMG, json=txt2img())
    assert answer.status_code == 429
    assert answer.headers.get("retry-after") == ("60" if told else None)
    assert "60 s" in answer.json()["message"]


def test_a_balance_runs_out(server: Server) -> None:
    """C36: 400 in v3, code 7 in v2; topping it up helps."""
    account(server, balance=0.003)
    server.submit(TXT2IMG, txt2img())
    assert refusal(server) == (400, "BILLING_BALANCE_NOT_ENOUGH")
    v2 = server.call("POST", TXT2IMG_V2, json=txt2img_v2())
    assert (v2.status_code, v2.json()["code"]) == (200, 7)
    assert server.control("POST", "/ledger/top-up", {"usd": 1})["balance_usd"] == "1.0009"
    server.submit(TXT2IMG, txt2img())


def test_a_balance_without_a_bottom_cannot_be_topped_up(server: Server) -> None:
    answer = server.call("POST", "/__mock/ledger/top-up", json={"usd": 1})
    assert answer.status_code == 409
    assert "PATCH" in answer.json()["detail"]


def test_tasks_at_a_time_are_limited(server: Server) -> None:
    account(server, concurrency=2)
    for _ in range(2):
        server.submit(TXT2IMG, txt2img())
    assert refusal(server) == (429, "RATE_LIMIT_EXCEEDED")
    server.finish_all()
    server.submit(TXT2IMG, txt2img())


def test_tasks_that_never_end_give_no_time_to_wait_for(server: Server) -> None:
    account(server, concurrency=1, retry_after=True)
    server.control("POST", "/faults", {"point": "start", "effect": "stuck"})
    server.submit(TXT2IMG, txt2img())
    answer = server.call("POST", TXT2IMG, json=txt2img())
    assert (answer.status_code, answer.headers.get("retry-after")) == (429, None)
    assert answer.json()["message"].endswith("Try again when one has ended")


@pytest.mark.parametrize("reason", ["BILLING_AUTH_FAILED", "NEED_REAL_NAME_VERIFY", "API_NOT_ALLOWED"])
def test_trouble_with_the_account_refuses_submits(server: Server, reason: str) -> None:
    account(server, problem=reason)
    assert refusal(server) == (403, reason)
    account(server, problem=None)
    server.submit(TXT2IMG, txt2img())


def test_a_world_that_starts_again_owes_nothing(server: Server) -> None:
    account(server, balance=0.0021)
    server.submit(TXT2IMG, txt2img())
    server.control("POST", "/reset")
    found = server.control("GET", "/ledger")
    assert (found["spent"]["tasks"], found["balance_micro_usd"]) == (0, None)
    server.submit(TXT2IMG, txt2img())


def test_flags_say_what_every_account_has() -> None:
    """--balance, --rate-limits, --retry-after and --concurrency hold for each new world."""
    flags = ("--balance", "0.0042", "--rate-limits", "--retry-after", "--concurrency", "1", "--clock", "manual")
    with mock_process(*flags) as url, httpx.Client(base_url=url) as client:
        for key in ("sk-mock-a", "sk-mock-b"):
            client.headers["authorization"] = f"Bearer {key}"
            assert client.get("/__mock/worlds/current").json()["account"] == {
                "rate_limits": {
                    "createTxt2imgTask": 20,
                    "createImg2imgTask": 10,
                    "createTxt2imgTaskV2": 20,
                    "createImg2imgTaskV2": 10,
                },
                "retry_after": True,
                "balance": "0.0042",
                "concurrency": 1,
                "problem": None,
            }
            statuses = [client.post(TXT2IMG, json=txt2img()).status_code for _ in range(2)]
            client.post("/__mock/clock/run-until-idle")
            statuses += [client.post(TXT2IMG, json=txt2img()).status_code]
            client.post("/__mock/clock/run-until-idle")
            statuses += [client.post(TXT2IMG, json=txt2img()).status_code]
            assert statuses == [200, 429, 200, 400]
