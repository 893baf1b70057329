"""The inspector as people use it: in real Chromium, against a real server."""

from __future__ import annotations

import subprocess

import httpx
import pytest
from playwright.sync_api import expect

from mockserver.handles import world_in_hand
from mockserver.pictures import decode
from mockserver.running import ServerThread
from tests.bodies import IMG2IMG, img2img
from tests.mockserver.inspector.visiting import Client, Visiting, serving

pytestmark = pytest.mark.browser

NASTY = (
    "<img src=x onerror=\"window.hit='img'\"><script>window.hit='script'</script><svg onload=\"window.hit='svg'\">"
    '"><a href="javascript:window.hit=1">x</a>'
)


def test_a_newcomer_is_told_what_to_send_and_sees_it_arrive(visit: Visiting) -> None:
    """The line on the empty page works as it stands, and its task appears without a reload."""
    with serving("auto") as server:
        page = visit(server.url)
        page.open()
        page.see("#empty", "Nothing has happened yet")
        line = page.tab.locator("#empty pre").first.inner_text()
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=30)
        assert "task_id" in done.stdout, done
        page.see("#lanes .row", "a lighthouse at dawn")
        expect(page.tab.locator("#live")).to_contain_text("live")
        expect(page.tab.locator("#empty")).to_be_hidden()


def test_what_a_client_sent_is_text_and_runs_nothing(client: Client, visit: Visiting) -> None:
    """Markup in prompts, queries, reasons and webhook addresses is shown as it was sent."""
    task = client.submit(NASTY, {"webhook": {"url": f"{client.inbox}?x=<script>window.hit=2</script>"}})
    client.http.get("/v3/async/task-result", params={"task_id": NASTY})
    client.control("POST", f"/tasks/{task}/end", {"status": "TASK_STATUS_FAILED", "reason": NASTY})
    page = visit()
    page.open(client.world)

    page.see("#lanes .row", "onerror")
    page.lane("onerror")
    expect(page.tab.locator("#detail h2")).to_have_text(NASTY)
    page.see("#detail .facts", "javascript:window.hit")
    page.tab.click("#tab-calls")
    page.tab.locator("#calls .row.bad").first.click()
    page.see("#detail pre", "onerror")
    page.tab.click("#tab-webhooks")
    page.tab.locator("#deliveries .row").first.click()
    page.see("#detail pre", "TASK_STATUS_FAILED")
    page.tab.click("#tab-findings")
    assert page.tab.evaluate("window.hit") is None
    assert page.tab.locator("main script, main svg, aside script, aside svg, aside a[href^=javascript]").count() == 0
    assert page.tab.locator("main img, aside img").count() == 0


def test_its_policy_runs_no_script_of_somebody_else(client: Client, visit: Visiting) -> None:
    """Even markup that got in could do nothing: no inline script, no inline style, no other host."""
    page = visit()
    page.open(client.world)
    page.see("#empty")
    page.tab.evaluate(
        """() => {
            window.refused = [];
            const note = (event) => window.refused.push(event.effectiveDirective);
            document.addEventListener('securitypolicyviolation', note);
            const script = document.createElement('script');
            script.textContent = 'window.hit = 1';
            document.body.append(script);
            const box = document.createElement('div');
            box.innerHTML = '<p style="color: red" onclick="window.hit = 2">x</p><img src="http://elsewhere.test/x.png">';
            document.body.append(box);
            box.firstChild.click();
            fetch('http://elsewhere.test/').catch(() => {});
        }"""
    )
    page.until("window.refused.length >= 5")
    assert page.tab.evaluate("window.hit") is None
    assert set(page.tab.evaluate("window.refused")) == {
        "script-src-elem", "script-src-attr", "style-src-attr", "img-src", "connect-src",
    }  # fmt: skip
    page.troubles.clear()


def test_it_talks_to_nobody_but_its_server(client: Client, visit: Visiting) -> None:
    """Every request of the page, pictures and streams included, goes to the mock itself."""
    client.finished("a tram in the rain")
    page = visit()
    asked: list[str] = []
    page.tab.on("request", lambda request: asked.append(request.url))
    page.open(client.world)
    page.lane("a tram in the rain")
    page.see("#detail .pictures img")
    for view in ("calls", "webhooks", "findings", "faults", "coverage"):
        page.tab.click(f"#tab-{view}")
        page.see(f"#view-{view}")

    assert len(asked) > 20
    assert [url for url in asked if not url.startswith((f"{client.url}/__mock/", "about:", "data:"))] == []


def test_a_task_is_seen_from_submit_to_end(client: Client, visit: Visiting) -> None:
    """Live: queued, polls, its end, and what it cost, as they happen."""
    page = visit()
    page.open(client.world)
    page.see("#empty", "Nothing has happened in this world")

    task = client.submit("a paper crane")
    page.see("#lanes .row.is-queued", "a paper crane")
    for _ in range(2):
        client.advance("300ms")
        client.result(task)
    page.see("#lanes .row.is-running", "a paper crane")
    page.until("document.querySelectorAll('#lanes .mark.poll').length === 2")
    page.lane("a paper crane")
    page.see("#detail .step", "polled")
    page.see("#detail .step.planned", "succeeded (planned)")
    page.tab.click("#run-idle")
    page.see("#lanes .row.is-succeeded", "a paper crane")
    page.see("#detail .step.good:not(.planned)", "succeeded")
    page.see("#sums", "0.0021 USD spent")


def test_the_clock_is_moved_by_its_buttons(client: Client, visit: Visiting) -> None:
    """Freeze and resume, advance, next event, another mode."""
    client.submit()
    page = visit()
    page.open(client.world)
    page.see("#lanes .row")
    before = client.control("GET", "/clock")["now_ms"]

    page.tab.fill("#advance-by", "2h")
    page.tab.click("#advance button")
    page.see("#notice", "Moved by 2h.")
    assert client.control("GET", "/clock")["now_ms"] == before + 7_200_000
    page.tab.fill("#advance-by", "soon")
    page.tab.click("#advance button")
    page.see("#alarm", "not a duration")
    page.tab.click("#freeze")
    page.see("#mode", "manual, frozen")
    page.tab.click("#freeze")
    page.until("document.getElementById('mode').textContent === 'manual'")
    page.tab.select_option("#clock-mode", "x100")
    page.see("#mode", "x100")
    assert client.control("GET", "/clock")["mode"] == "x100"
    page.troubles.clear()  # Chromium tells the refused call on the console


def test_its_pictures_are_those_of_the_task(client: Client, visit: Visiting) -> None:
    """They are shown without a download that the client could be judged by."""
    task = client.finished("a fox in a scarf", image_num=2)
    page = visit()
    page.open(client.world, task=task)
    page.see("#detail .pictures a:nth-child(2) img")
    page.until("[...document.querySelectorAll('#detail .pictures img')].every((one) => one.naturalWidth === 512)")
    sources = page.tab.locator("#detail .pictures img").evaluate_all("(all) => all.map((one) => one.src)")

    assert [decode(httpx.get(source, trust_env=False).content).index for source in sources] == [0, 1]
    found = next(one for one in client.control("GET", "/tasks")["tasks"] if one["task_id"] == task)
    assert found["downloads"] == 0


def test_a_task_is_copied_as_a_curl_line(client: Client, visit: Visiting) -> None:
    """The line, run as it stands, submits the same again; quotes and all."""
    prompt = 'it\'s a "quoted" $HOME `prompt` \\ with\nlines, 日本語 and 🦊'
    task = client.finished(prompt)
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.open(client.world, task=task)
    page.tab.click("text=Copy as curl")
    page.see("#notice", "The curl line is on the clipboard.")
    line = page.tab.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, check=True, timeout=30,
        env={"NOVITA_API_KEY": client.key, "PATH": "/usr/bin:/bin", "no_proxy": "*"},
    )  # fmt: skip

    assert "task_id" in done.stdout, done
    submits = [one for one in client.control("GET", "/requests")["requests"] if one["method"] == "POST"]
    assert len(submits) == 2
    assert submits[0]["request"] == submits[1]["request"]


@pytest.mark.parametrize("fault", [False, True], ids=["plain", "with-a-fault"])
def test_a_task_is_copied_as_a_test(client: Client, visit: Visiting, fault: bool) -> None:
    """The test runs with the plugin's own fixture and passes; faults that happened are armed in it."""
    if fault:
        client.control("POST", "/faults", {"point": "result", "effect": {"status": {"code": 503}}, "nth": 1})
    prompt = 'a "quoted" prompt \\ with\nlines, 日本語 and 🦊'
    task = client.finished(prompt)
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.open(client.world, task=task)
    page.see("#detail .story")
    page.tab.keyboard.press("p")
    page.see("#notice", "The test is on the clipboard.")
    source = page.tab.evaluate("navigator.clipboard.readText()")
    names: dict[str, object] = {}
    exec(compile(source, "copied.py", "exec"), names)
    (test,) = [one for name, one in names.items() if name.startswith("test_")]
    assert callable(test)
    assert (".faults.arm(" in source) is fault

    with serving("auto") as other:
        test(world_in_hand(other, "sk-copied"))
        told = httpx.get(f"{other.url}/__mock/requests", headers={"authorization": "Bearer sk-copied"}, trust_env=False)
    calls = told.json()["requests"]
    assert calls[0]["request"]["request"]["prompt"] == prompt
    assert any(call["status"] == 503 for call in calls) is fault


def test_source_pictures_are_stood_in_for(client: Client, visit: Visiting) -> None:
    """What is copied of an image-to-image task can be sent, and says what is not the same in it."""
    answer = client.http.post(IMG2IMG, json=img2img(prompt="a redrawn boat"))
    task = answer.json()["task_id"]
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.open(client.world, task=task)
    page.see("#detail .story")
    page.tab.keyboard.press("c")
    page.see("#notice", "The curl line is on the clipboard.")
    line = page.tab.evaluate("navigator.clipboard.readText()")
    assert line.startswith("# A small grey picture stands in for each source picture.\n")
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, check=True, timeout=30,
        env={"NOVITA_API_KEY": client.key, "PATH": "/usr/bin:/bin", "no_proxy": "*"},
    )  # fmt: skip
    assert "task_id" in done.stdout, done


def test_calls_that_are_of_no_world_are_found(visit: Visiting) -> None:
    """A client whose key is not accepted, or whose path is wrong, would seem to have sent nothing."""
    with serving() as server:
        page = visit(server.url)
        page.open()
        page.see("#empty", "Nothing has happened yet")
        httpx.get(f"{server.url}/v3/async/task-reslut", trust_env=False)
        httpx.get(f"{server.url}/v3/model", headers={"authorization": "Bearer sk-mock-invalid"}, trust_env=False)
        page.see("#empty", "/v3/async/task-reslut")
        page.tab.click("#empty li button >> nth=0")
        page.see("#detail pre", "INVALID_API_KEY")
        page.tab.click("#close-detail")
        Client(server.url, "sk-good").submit()
        page.see("#lanes .row")
        page.tab.click("#tab-calls")
        page.tab.select_option("#call-which", "outside")
        page.see("#calls .row", "/v3/async/task-reslut")


def test_webhooks_are_held_released_and_sent_again(client: Client, visit: Visiting) -> None:
    """The laboratory's verbs, on buttons."""
    client.control("POST", "/webhooks/hold")
    task = client.finished("a bicycle", {"webhook": {"url": client.inbox}})
    page = visit()
    page.open(client.world, view="webhooks")
    page.see("#deliveries .row", "held")
    page.tab.locator("#deliveries .row").first.click()
    page.tab.click("#detail button:text-is('Release')")
    page.see("#deliveries .row", "delivered")
    page.see("#detail .step.good", "first 1: taken")
    page.tab.click("#detail button:text-is('Replay')")
    page.see("#detail .step.good", "replay 2: taken")
    page.see("#inbox", "took 2 events")
    page.tab.click(f"#detail button:has-text('{task}')")
    page.see("#detail .step.webhook", "webhook replay 2: taken")

    assert client.control("GET", "/webhooks/inbox")["total"] == 2


def test_a_fault_is_armed_and_seen_to_happen(client: Client, visit: Visiting) -> None:
    """The form knows the points and effects; the lost answer is told on lane, call and story."""
    client.control("GET", "/worlds/current")
    page = visit()
    page.open(client.world, view="faults")
    page.tab.select_option("#fault-point", "result")
    page.tab.select_option("#fault-effect", "status")
    page.tab.fill("#option-code", "429")
    page.tab.fill("#option-retry_after", "2s")
    page.tab.click("#view-faults button:text-is('Arm')")
    page.see("#view-faults .card.line", '"code":429')
    task = client.submit("a mountain lake")
    assert client.http.get("/v3/async/task-result", params={"task_id": task}).status_code == 429
    page.see("#view-faults", "Happened (1)")
    page.tab.click("#tab-tasks")
    page.see("#lanes .row", "fault")
    page.lane("a mountain lake")
    page.see("#detail .step.bad", "polled: 429 RATE_LIMIT_EXCEEDED")
    page.tab.click("#tab-faults")
    page.tab.click("#view-faults button:text-is('Disarm')")
    page.see("#view-faults", "Nothing is armed")

    assert client.control("GET", "/faults")["armed"] == []


def test_a_scenario_is_entered_and_left(client: Client, visit: Visiting) -> None:
    """A whole situation at once."""
    client.control("GET", "/worlds/current")
    page = visit()
    page.open(client.world, view="faults")
    page.tab.select_option("#scenario", "brown-out")
    page.tab.click("text=Put the world into it")
    page.see("#notice", "The world is in brown-out.")
    assert client.control("GET", "/scenario")["name"] == "brown-out"
    page.tab.click("text=Leave it")
    page.see("#notice", "The world is in no scenario.")
    assert client.control("GET", "/scenario")["name"] is None


def test_a_call_shows_the_clause_that_it_breaks(client: Client, visit: Visiting) -> None:
    """A tolerated request: code, place, what was expected, the contradiction, what to do instead."""
    client.submit("a teapot", negative_prompt="")
    page = visit()
    page.open(client.world, view="calls")
    page.tab.select_option("#call-which", "findings")
    page.see("#calls .row", "NV401")
    page.tab.locator("#calls .row").first.click()
    page.see("#detail .finding", "createTxt2imgTask: request.negative_prompt")
    page.see("#detail .finding", "Rests on C13")
    page.see("#detail .finding", "Instead: Send what is documented")
    page.see("#detail pre", '"negative_prompt": ""')
    page.tab.click("#tab-findings")
    page.see("#view-findings .finding", "NV401")


def test_money_paid_twice_is_told_on_both_lanes(client: Client, visit: Visiting) -> None:
    """The submit whose answer was lost, and the one that repeated it."""
    client.control(
        "POST", "/faults", {"point": "submit.after_commit", "effect": "CONNECTION_RESET_BY_PEER", "times": 1}
    )
    with pytest.raises(httpx.HTTPError):
        client.submit("a market street")
    client.submit("a market street")
    page = visit()
    page.open(client.world)
    page.see("#lanes .row", "paid twice")
    page.see("#lanes .row", "answer lost")
    page.see("#sums", "0.0021 USD paid twice")
    page.tab.locator("#lanes .row", has_text="answer lost").click()
    page.see("#detail .step.bad", "submitted, answer lost")
    page.see("#detail .step.bad", "double spend")


def test_a_task_is_ended_by_hand(client: Client, visit: Visiting) -> None:
    """A failure where the client expects a success."""
    task = client.submit("a poster")
    page = visit()
    page.open(client.world, task=task)
    page.tab.click("text=End: fail")
    page.see("#lanes .row.is-failed", "a poster")
    assert client.result(task)["task"]["status"] == "TASK_STATUS_FAILED"


def test_coverage_says_what_was_exercised(client: Client, visit: Visiting) -> None:
    """And how to switch it on where it is off."""
    client.finished()
    page = visit()
    page.open(client.world, view="coverage")
    page.see("#view-coverage .big", "% of the contract")
    page.see("#view-coverage meter")
    with serving() as plain:
        Client(plain.url, "sk-one").submit()
        other = visit(plain.url)
        other.open(view="coverage")
        other.see("#view-coverage", "coverage is off; start the server with --coverage")
        other.troubles.clear()  # Chromium tells each 409 on the console


def test_worlds_are_chosen_from_a_list(client: Client, visit: Visiting, site: ServerThread) -> None:
    """Each shows its own tasks; the address remembers which."""
    other = Client(site.url, f"{client.key}-other")
    client.submit("a red kite")
    other.submit("a blue kite")
    page = visit()
    page.open(client.world)
    page.see("#lanes .row", "a red kite")
    page.tab.select_option("#world", other.world)
    page.see("#lanes .row", "a blue kite")
    expect(page.tab.locator("#lanes .row", has_text="a red kite")).to_have_count(0)
    assert f"world={other.world}" in page.tab.url
    assert client.key not in page.tab.content()
    page.tab.reload()
    page.see("#lanes .row", "a blue kite")


def test_the_theme_is_turned_and_kept(client: Client, visit: Visiting) -> None:
    """As the system has it, until it is turned."""
    client.submit()
    page = visit(color_scheme="dark")
    page.open(client.world)
    page.see("#lanes .row")
    back = "getComputedStyle(document.body).backgroundColor"
    dark = page.tab.evaluate(back)
    page.tab.click("#theme")
    light = page.tab.evaluate(back)
    assert dark != light
    page.tab.reload()
    page.see("#lanes .row")
    assert page.tab.evaluate(back) == light
