"""A world with a client and a page that looks into it: what the tests of the inspector share."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from mockserver.core.clock import ClockMode
from mockserver.running import ServerThread
from mockserver.settings import Settings
from tests.bodies import TXT2IMG, txt2img

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 30_000
LOOK_MS = 30
SIZES = {"wide": (1440, 900), "narrow": (360, 740)}


class MissingBrowser(RuntimeError):
    """There is no Chromium on this machine."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own.

    Raises:
        MissingBrowser: none is installed; says what to do.
    """
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        raise MissingBrowser(
            "no Chromium on the PATH: apt-get install chromium, or leave these tests out: make test BROWSER=no, "
            "or pytest -m 'not browser'"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def serving(clock: str = "manual", **options: Any) -> Iterator[ServerThread]:
    """A mock of its own."""
    with ServerThread(Settings(clock=ClockMode.parse(clock), **options)) as server:
        yield server


@dataclass(slots=True)
class Client:
    """What a client of one world does.

    Attributes:
        url: of the mock.
        key: of the world.
    """

    url: str
    key: str
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"authorization": f"Bearer {self.key}", "user-agent": "a-client", "connection": "close"}
        self.http = httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60.0)

    def submit(self, prompt: str = "a cute dog", extra: Mapping[str, Any] | None = None, **request: Any) -> str:
        """Submits a task that must be accepted."""
        answer = self.http.post(TXT2IMG, json=txt2img(extra, prompt=prompt, **request))
        assert answer.status_code == 200, answer.text
        task_id: str = answer.json()["task_id"]
        return task_id

    def result(self, task_id: str) -> dict[str, Any]:
        """Polls once."""
        body: dict[str, Any] = self.http.get("/v3/async/task-result", params={"task_id": task_id}).json()
        return body

    def control(self, method: str, path: str, json: object = None) -> dict[str, Any]:
        """A control call that must succeed."""
        answer = self.http.request(method, f"/__mock{path}", json=json)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def advance(self, duration: str) -> None:
        """Moves the clock."""
        self.control("POST", "/clock/advance", {"duration": duration})

    def finished(self, prompt: str = "a cute dog", extra: Mapping[str, Any] | None = None, **request: Any) -> str:
        """A task that was submitted, has ended, and was asked for."""
        task_id = self.submit(prompt, extra, **request)
        self.control("POST", "/clock/run-until-idle")
        self.result(task_id)
        return task_id

    @property
    def world(self) -> str:
        """The id of its world."""
        return str(self.control("GET", "/worlds/current")["id"])

    @property
    def inbox(self) -> str:
        """Where its webhooks can go."""
        return str(self.control("GET", "/webhooks/inbox")["url"])


@dataclass(slots=True)
class Visit:
    """A page that looks into a world, and everything that went wrong in it.

    Attributes:
        tab: the page.
        url: of the mock.
        troubles: errors of scripts, of the policy, of loading.
    """

    tab: Page
    url: str
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tab.set_default_timeout(WAIT_MS)
        self.tab.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.tab.on(
            "console", lambda told: self.troubles.append(told.text) if told.type in ("error", "warning") else None
        )

    def open(self, world: str | None = None, view: str = "tasks", task: str | None = None) -> None:
        """Opens the inspector, at a world if one is named."""
        parts = [f"world={world}"] if world else []
        parts += [f"view={view}"] if view != "tasks" else []
        parts += [f"task={task}"] if task else []
        self.tab.goto("about:blank")  # a mere change of the fragment would not load the page anew
        self.tab.goto(f"{self.url}/__mock/" + (f"#{'&'.join(parts)}" if parts else ""))

    def see(self, selector: str, text: str | None = None) -> None:
        """Waits until something is shown."""
        found = self.tab.locator(selector) if text is None else self.tab.locator(selector, has_text=text)
        found.first.wait_for(state="visible")

    def until(self, expression: str) -> None:
        """Waits until an expression of the page holds; asked from outside, since the page may evaluate nothing."""
        deadline = time.monotonic() + WAIT_MS / 1000
        while not self.tab.evaluate(expression):
            assert time.monotonic() < deadline, f"never true: {expression}"
            self.tab.wait_for_timeout(LOOK_MS)

    def lane(self, prompt: str) -> None:
        """Opens the lane of a task by its prompt."""
        self.tab.locator("#lanes .row", has_text=prompt).first.click()
        self.see("#detail .story")


@contextmanager
def visiting(browser: Browser, url: str, *, size: str = "wide", **options: Any) -> Iterator[Visit]:
    """A page in a context of its own."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion="reduce", service_workers="block", **options
    )
    try:
        yield Visit(context.new_page(), url)
    finally:
        context.close()


Visiting = Callable[..., Visit]
