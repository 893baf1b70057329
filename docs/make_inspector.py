"""Takes the pictures of docs/inspector.md: a busy world in Chromium.

`python docs/make_inspector.py` writes docs/img/inspector-*.png; `--all FOLDER` writes every view in both themes and at
both sizes instead, for whoever changes the page to look at.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the helpers are tests', which are not installed

from tests.mockserver.inspector.visiting import Client, Visit, chromium, serving, visiting  # noqa: E402  # after the path

PROMPTS = (
    "a lighthouse at dawn",
    "a bowl of ripe lemons on a blue table",
    "portrait of a fox in a knitted scarf, studio light",
    "an old tram in the rain, film grain",
    "<b>bold</b> lettering on a shop sign",
    "mountain lake, morning mist, wide angle",
    "a paper crane on sheet music",
    "market street at night [[mock:fail]]",
    "a cat [[mock:stuck]]",
    "a teapot shaped like a cloud",
    "poster of a bicycle, flat colours",
    "ginger bread house, macro photo",
)
HOOKED, LOST, LIMITED, ODD = (0, 3, 5, 7), 9, 5, 6
VIEWS = ("calls", "webhooks", "findings", "faults", "coverage")


def fill(client: Client) -> None:
    """Lets a client do a bit of everything."""
    hook = {"webhook": {"url": client.inbox}}
    statuses = (500, 200, 503, 500, 200)
    client.control("PUT", "/webhooks/inbox", {"answers": [{"status": status} for status in statuses]})
    for number, prompt in enumerate(PROMPTS):
        if number == LOST:
            rule = {"point": "submit.after_commit", "effect": "CONNECTION_RESET_BY_PEER", "times": 1}
            client.control("POST", "/faults", rule)
        if number == LIMITED:
            rule = {"point": "result", "effect": {"status": {"code": 429, "retry_after": "2s"}}, "times": 2}
            client.control("POST", "/faults", rule)
        more = {"negative_prompt": ""} if number == ODD else {}
        task = _submit(
            client,
            prompt,
            hook if number in HOOKED else None,
            steps=20 + 5 * (number % 4),
            image_num=1 + number % 3,
            width=512 if number % 2 else 768,
            **more,
        )
        for _ in range(1 + (number * 3) % 6):
            client.advance(f"{300 + 170 * (number % 3)}ms")
            told = client.result(task)
            if told.get("task", {}).get("status") == "TASK_STATUS_SUCCEED":
                for picture in told["images"][:2]:
                    httpx.get(picture["image_url"], headers={"connection": "close"}, trust_env=False)
                break
    client.advance("42s")
    for prompt in PROMPTS[:3]:
        client.result(client.submit(f"{prompt}, again", steps=40))
    client.advance("900ms")


def _submit(client: Client, prompt: str, extra: dict[str, dict[str, str]] | None, **request: object) -> str:
    try:
        return client.submit(prompt, extra, **request)
    except httpx.HTTPError:
        return client.submit(prompt, extra, **request)  # as many clients do


def take(folder: Path, client: Client) -> None:
    """The three pictures of the page."""
    with chromium() as browser:
        with visiting(browser, client.url) as page:
            page.open(client.world)
            page.see("#lanes .row")
            page.lane("mountain lake")
            _settled(page)
            page.tab.screenshot(path=folder / "inspector-tasks.png")
        with visiting(browser, client.url, color_scheme="dark") as page:
            page.open(client.world, view="webhooks")
            page.tab.locator("#deliveries .row", has_text=":").nth(2).click()
            page.see("#detail .step")
            page.tab.screenshot(path=folder / "inspector-webhooks.png")
        with visiting(browser, client.url, size="narrow") as page:
            page.open(client.world)
            page.see("#lanes .row")
            page.tab.screenshot(path=folder / "inspector-narrow.png")


def take_all(folder: Path, client: Client, bare: str) -> None:
    """Every view, theme and size."""
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for theme in ("light", "dark"):
            for size in ("wide", "narrow"):
                name = f"{theme}-{size}"
                with visiting(browser, client.url, size=size, color_scheme=theme) as page:
                    page.open(client.world)
                    page.see("#lanes .row")
                    page.tab.screenshot(path=folder / f"{name}-tasks.png")
                    page.lane("mountain lake")
                    _settled(page)
                    page.tab.screenshot(path=folder / f"{name}-task.png")
                    page.tab.click("#close-detail")
                    for view in VIEWS:
                        page.tab.click(f"#tab-{view}")
                        page.see(f"#view-{view} h3, #view-{view} .row, #view-{view} p")
                        page.tab.screenshot(path=folder / f"{name}-{view}.png")
                    page.tab.click("#help")
                    page.tab.screenshot(path=folder / f"{name}-help.png")
                with visiting(browser, bare, size=size, color_scheme=theme) as page:
                    page.open()
                    page.see("#empty pre")
                    page.tab.screenshot(path=folder / f"{name}-empty.png")


def _settled(page: Visit) -> None:
    page.see("#detail .pictures img")
    page.until("[...document.querySelectorAll('#detail img')].every((one) => one.naturalWidth > 0)")


def main() -> None:
    """Takes them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every view into a folder instead")
    asked = parser.parse_args()
    with serving(coverage=True, seed=7) as server, serving() as bare:
        client = Client(server.url, "sk-studio-0123456789")
        fill(client)
        if asked.all is None:
            take(ROOT / "docs" / "img", client)
        else:
            take_all(asked.all, client, bare.url)


if __name__ == "__main__":
    main()
