"""Accessibility and layout of the inspector: axe-core finds nothing, nothing sticks out; both themes, both sizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mockserver.running import ServerThread
from tests.mockserver.inspector.axe import script
from tests.mockserver.inspector.visiting import Client, Visit, Visiting, serving

pytestmark = pytest.mark.browser

VIEWS = ("calls", "webhooks", "findings", "faults", "coverage")


@pytest.fixture(scope="module")
def busy(site: ServerThread) -> Client:
    """A world in which everything has happened: an end of each kind, webhooks, faults, findings, money lost."""
    client = Client(site.url, "sk-busy")
    client.control("PUT", "/webhooks/inbox", {"answers": [{"status": 500}]})
    hook = {"webhook": {"url": client.inbox}}
    client.finished("a lighthouse at dawn, seen from a boat that is much too far out for this weather", hook)
    client.submit("a cat [[mock:stuck]]")
    client.finished("market street at night [[mock:fail]]", hook)
    client.finished("a teapot", negative_prompt="")
    client.control(
        "POST", "/faults", {"point": "submit.after_commit", "effect": "CONNECTION_RESET_BY_PEER", "times": 1}
    )
    for _ in range(2):
        try:
            client.submit("a bicycle")
        except httpx.HTTPError:
            continue
    client.control("POST", "/webhooks/hold")
    client.finished("a paper crane", hook)
    client.submit("a tram that waits")
    return client


@pytest.fixture(scope="module")
def bare() -> Iterator[ServerThread]:
    """A server that nobody has called."""
    with serving() as server:
        yield server


def check(page: Visit, where: str, wrong: list[str]) -> None:
    """Adds what axe-core and a ruler find. The dark theme differs from the light one in its colours alone."""
    found: list[dict[str, Any]] = []
    for theme, options in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        page.tab.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        told = page.tab.evaluate(
            "async (options) => (await axe.run({ resultTypes: ['violations'], ...options })).violations", options
        )
        found += [{"theme": theme, **one} for one in told]
    for one in found:
        node = one["nodes"][0]
        wrong.append(f"{where}, {one['theme']}: {one['id']}: {node['html'][:160]} {node['failureSummary']}")
    wide = page.tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if wide > 0:
        wrong.append(f"{where}: {wide} px stick out")


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_axe_finds_nothing_on_any_view(busy: Client, bare: ServerThread, visit: Visiting, size: str) -> None:
    """Every view, the panel and the dialogs, and the empty page."""
    wrong: list[str] = []
    page = visit(size=size, bypass_csp=True)  # the checker is not the page's own
    page.tab.add_init_script(script())
    page.open(busy.world)
    page.see("#lanes .row", "a tram that waits")
    check(page, "tasks", wrong)
    page.lane("a lighthouse at dawn")
    page.see("#detail .pictures img")
    check(page, "task", wrong)
    page.tab.click("#close-detail")
    for view in VIEWS:
        page.tab.click(f"#tab-{view}")
        page.see({"calls": "#calls .row", "webhooks": "#deliveries .row"}.get(view, f"#view-{view} > *"))
        check(page, view, wrong)
        if view in ("calls", "webhooks"):
            page.tab.locator("#calls .row.bad, #deliveries .row").locator("visible=true").first.click()
            page.see("#detail h2")
            check(page, f"one of {view}", wrong)
            page.tab.click("#close-detail")
    for button, dialog in (("#help", "#help-dialog"), ("#open-key", "#key-dialog")):
        page.tab.click(button)
        page.see(f"{dialog}[open]")
        check(page, dialog, wrong)
        page.tab.keyboard.press("Escape")
    empty = visit(bare.url, size=size, bypass_csp=True)
    empty.tab.add_init_script(script())
    empty.open()
    empty.see("#empty pre")
    check(empty, "empty", wrong)

    assert wrong == [], "\n".join(wrong)
