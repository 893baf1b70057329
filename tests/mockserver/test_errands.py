"""Clocks that are moved while something is owed outside."""

from __future__ import annotations

from mockserver.core.clock import MAX_MS
from tests.bodies import TXT2IMG, txt2img
from tests.conftest import Server

WITH_A_WEBHOOK = txt2img({"webhook": {"url": "http://127.0.0.1:9/hook"}})


def test_a_move_that_is_refused_has_moved_nothing(server: Server) -> None:
    """It would otherwise have gone through everything that falls due on the way."""
    server.submit(TXT2IMG, WITH_A_WEBHOOK)
    before = server.control("GET", "/clock")
    refused = server.call("POST", "/__mock/clock/set", json={"at_ms": MAX_MS + 1})
    assert (refused.status_code, "year 9999" in refused.json()["detail"]) == (400, True)
    assert server.control("GET", "/clock") == before
    assert server.control("GET", "/webhooks/deliveries")["total"] == 0
