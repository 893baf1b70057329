"""The inspector when something is in its way: many tasks, a broken stream, a reset, keys, no mouse."""

from __future__ import annotations

import http.client
import json
import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import CDPSession, expect

from mockserver.core.fleet import FleetSettings
from mockserver.running import ServerThread
from tests.bodies import TXT2IMG, txt2img
from tests.mockserver.inspector.visiting import WAIT_MS, Client, Visiting, serving

pytestmark = pytest.mark.browser

MANY = 5_000
SCREENS = 30
MOST_CPU_S = 0.15
"""Of the page's thread for a whole new screen of lanes; an idle machine needs a tenth. Time of the processor, not of
the wall: a machine that is busy with other tests must not fail for it."""


def submit_many(client: Client, count: int) -> None:
    """Submits so many tasks over one connection."""
    host = urlsplit(client.url).netloc
    connection = http.client.HTTPConnection(host, timeout=30)
    headers = {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json", "User-Agent": "many"}
    for number in range(count):
        body = json.dumps(txt2img(prompt=f"picture number {number}", seed=number))
        connection.request("POST", TXT2IMG, body, headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    connection.close()


def busy_s(told: CDPSession) -> float:
    """Seconds of the processor that the page's own thread has used for its tasks."""
    metrics = told.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def test_thousands_of_tasks_do_not_freeze_it(visit: Visiting) -> None:
    """5,000 tasks: only the rows in view exist, scrolling and filtering stay quick, new ones still arrive."""
    with serving(fleet=FleetSettings(workers=10_000)) as server:
        client = Client(server.url, "sk-many")
        submit_many(client, MANY)
        client.advance("10s")
        page = visit(server.url)
        told = page.tab.context.new_cdp_session(page.tab)
        told.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.open(client.world)
        page.see("#lanes .row", f"picture number {MANY - 1}")
        assert page.tab.locator("#lanes .row").count() < 60
        expect(page.tab.locator("#tab-tasks .count")).to_have_text("5,000")
        before_s = busy_s(told)
        page.tab.evaluate(
            """async (screens) => {
                const box = document.getElementById('lanes');
                for (let step = 1; step <= screens; step += 1) {
                    box.scrollTop = (box.scrollHeight - box.clientHeight) * step / screens;
                    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
                }
            }""",
            SCREENS,
        )
        took_s = (busy_s(told) - before_s) / SCREENS
        page.see("#lanes .row", "picture number 0")
        assert page.tab.locator("#lanes .row").count() < 60
        page.tab.fill("#task-filter", "number 4321")
        page.see("#lanes .row", "picture number 4321")
        assert page.tab.locator("#lanes .row").count() == 1
        page.tab.fill("#task-filter", "")
        client.submit("the newest of all")
        page.tab.evaluate("document.getElementById('lanes').scrollTop = 0")
        page.see("#lanes .row", "the newest of all")
        page.lane("the newest of all")

        assert took_s < MOST_CPU_S


def test_what_is_in_view_stays_in_view_when_tasks_arrive(client: Client, visit: Visiting) -> None:
    """A reader who has scrolled down is not moved by what comes in above."""
    for number in range(60):
        client.submit(f"early {number}")
    page = visit()
    page.open(client.world)
    page.see("#lanes .row", "early 59")
    page.tab.evaluate("document.getElementById('lanes').scrollTop = 44 * 20")
    page.see("#lanes .row", "early 39")
    top = page.tab.locator("#lanes .row", has_text="early 39").bounding_box()
    for number in range(5):
        client.submit(f"late {number}")
    page.until("document.querySelector('#tab-tasks .count').textContent === '65'")
    assert page.tab.locator("#lanes .row", has_text="early 39").bounding_box() == top


def test_a_broken_stream_is_told_and_made_up_for(client: Client, visit: Visiting) -> None:
    """Without server-sent events it asks every two seconds, and says so."""
    client.submit("before")
    page = visit()
    page.tab.route("**/__mock/events*", lambda route: route.abort())
    page.open(client.world)
    page.see("#live", "not live, asking every 2 s")
    client.submit("after the stream broke")
    page.see("#lanes .row", "after the stream broke")
    page.tab.unroute("**/__mock/events*")
    page.troubles.clear()  # Chromium tells each refused stream on the console


def test_a_server_that_ends_and_comes_back_is_found_again(visit: Visiting) -> None:
    """The page says that it is not live meanwhile; the server does not wait for it."""
    with serving() as server:
        client = Client(server.url, "sk-gone")
        client.submit("of the first life")
        page = visit(server.url)
        page.open(client.world)
        page.see("#lanes .row", "of the first life")
        expect(page.tab.locator("#live span")).to_have_text("live")
    page.see("#live", "not live")
    page.troubles.clear()


def test_a_hidden_page_gives_its_stream_back(visit: Visiting) -> None:
    """And takes up again what it has missed when it is seen."""
    with serving() as server:
        client = Client(server.url, "sk-hidden")
        client.submit("seen at once")
        page = visit(server.url)
        page.open(client.world)
        page.see("#lanes .row", "seen at once")
        expect(page.tab.locator("#live span")).to_have_text("live")
        turn = """(hidden) => {
            Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
        page.tab.evaluate(turn, True)
        deadline = time.monotonic() + WAIT_MS / 1000
        while server.mock.on_end:
            assert time.monotonic() < deadline
        client.submit("missed at first")
        page.tab.evaluate(turn, False)
        page.see("#lanes .row", "missed at first")


def test_another_address_opens_another_task(client: Client, visit: Visiting) -> None:
    """An address that somebody sent, pasted over the one that is open."""
    first, second = client.finished("a first task"), client.finished("a second task")
    page = visit()
    page.open(client.world, task=first)
    page.see("#detail h2", "a first task")
    page.tab.goto(f"{client.url}/__mock/#task={second}")
    page.see("#detail h2", "a second task")


def test_a_reset_empties_the_page_and_it_goes_on(client: Client, visit: Visiting) -> None:
    """The stream lives through it."""
    client.submit("of the first life")
    page = visit()
    page.open(client.world)
    page.see("#lanes .row", "of the first life")
    client.control("POST", "/reset")
    page.see("#empty", "Nothing has happened in this world")
    client.submit("of the second life")
    page.see("#lanes .row", "of the second life")
    assert page.tab.locator("#lanes .row").count() == 1
    expect(page.tab.locator("#live span")).to_have_text("live")


def test_a_forgotten_world_is_left(visit: Visiting) -> None:
    """The page says so and waits for another."""
    with serving() as server:
        client = Client(server.url, "sk-forgotten")
        client.submit("to be forgotten")
        page = visit(server.url)
        page.open()
        page.see("#lanes .row", "to be forgotten")
        client.control("DELETE", "/worlds/current")
        page.see("#empty", "Nothing has happened yet")
        Client(server.url, "sk-another").submit("in another world")
        page.see("#lanes .row", "in another world")
        # What the page asked for before it was told is answered with 404, and the browser tells of that by itself.
        page.troubles[:] = [trouble for trouble in page.troubles if "404 (Not Found)" not in trouble]


def test_a_server_with_listed_keys_asks_for_one(visit: Visiting) -> None:
    """The key is kept in memory, goes out in a header, and stands nowhere on the page."""
    with serving(keys=frozenset({"sk-listed-0123456789"})) as server:
        client = Client(server.url, "sk-listed-0123456789")
        client.finished("behind a key")
        page = visit(server.url)
        asked: list[str] = []
        page.tab.on("request", lambda request: asked.append(request.url))
        page.open()
        page.see("#key-dialog[open]")
        page.see("#alarm", "a world is opened by its key")
        page.tab.fill("#key", "sk-listed-0123456789")
        page.tab.click("#key-form button[type=submit]")
        page.see("#lanes .row", "behind a key")
        page.see("#live", "not live, asking every 2 s")
        page.lane("behind a key")
        page.until("document.querySelector('#detail .pictures img')?.naturalWidth === 512")
        client.submit("a second one")
        page.see("#lanes .row", "a second one")
        assert [url for url in asked if "listed" in url] == []
        assert "sk-listed-0123456789" not in page.tab.content()
        assert "listed" not in page.tab.url
        page.troubles.clear()  # the refused call is told on the console


def test_everything_is_reached_without_a_mouse(client: Client, visit: Visiting) -> None:
    """Keys that the help lists; where they act can be seen."""
    for number in range(4):
        client.finished(f"picture {number}", negative_prompt="")
    page = visit()
    page.open(client.world)
    page.see("#lanes .row", "picture 3")
    press = page.tab.keyboard.press

    press("j")
    press("j")
    expect(page.tab.locator("#lanes .row[aria-selected=true]")).to_contain_text("picture 2")
    assert (
        page.tab.evaluate("getComputedStyle(document.querySelector('#lanes .row[aria-selected=true]')).outlineStyle")
        == "solid"
    )
    press("Enter")
    page.see("#detail h2", "picture 2")
    press("Escape")
    expect(page.tab.locator("#detail")).to_be_hidden()
    assert page.tab.evaluate("document.activeElement.id") == "lanes"
    press("End")
    expect(page.tab.locator("#lanes .row[aria-selected=true]")).to_contain_text("picture 0")
    press("/")
    page.tab.keyboard.type("picture 1f")
    assert page.tab.input_value("#task-filter") == "picture 1f"  # letters are text where text is typed
    press("Escape")
    press("2")
    page.see("#calls .row")
    press("4")
    page.see("#view-findings .finding", "NV401")
    press("1")
    press("f")
    page.see("#mode", "manual, frozen")
    press("?")
    page.see("#help-dialog[open]", "Single keys are shortcuts")
    page.tab.uncheck("#keys-on")
    press("Escape")
    press("2")
    expect(page.tab.locator("#view-calls")).to_be_hidden()
    press("Tab")
    assert page.tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_tabs_follow_the_arrows(client: Client, visit: Visiting) -> None:
    """As tabs do: one stop, arrows within."""
    client.submit()
    page = visit()
    page.open(client.world)
    page.see("#lanes .row")
    page.tab.focus("#tab-tasks")
    page.tab.keyboard.press("ArrowLeft")
    expect(page.tab.locator("#tab-coverage")).to_have_attribute("aria-selected", "true")
    expect(page.tab.locator("#view-coverage")).to_be_visible()
    page.tab.keyboard.press("ArrowRight")
    expect(page.tab.locator("#tab-tasks")).to_be_focused()


def test_many_pages_look_at_once(client: Client, visit: Visiting, site: ServerThread) -> None:
    """Each has a stream of its own, and they end with their pages."""
    client.submit("seen by three")
    pages = [visit() for _ in range(3)]
    for page in pages:
        page.open(client.world)
        page.see("#lanes .row", "seen by three")
        expect(page.tab.locator("#live span")).to_have_text("live")
    assert len(site.mock.on_end) >= 3
    for page in pages:
        page.tab.close()
    client.submit("and by nobody")
