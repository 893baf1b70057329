"""The site as it is built: complete, strict, and usable from plain files without a network."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.docs.blocks import DOCS, ROOT
from tests.mockserver.inspector.visiting import WAIT_MS, chromium

FETCHED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
"""Elements that a browser fetches something for, and the attribute that says what."""
OUTSIDE = re.compile(r"(https?:)?//")


def build(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Builds a site as `make docs` does."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--config-file", str(config), "--site-dir", str(folder)],
        cwd=ROOT,
        env={"PATH": "", "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Fetched(HTMLParser):
    """Collects what a browser fetches for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Looks at one element."""
        address = dict(attrs).get(FETCHED.get(tag, ""))
        if address:
            self.found.append(address)


def test_nothing_is_fetched_from_outside(site: Path) -> None:
    """No font, script, style, picture or beacon of another host, in no page and no style of ours."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 80
    for page in pages:
        parser = Fetched()
        parser.feed(page.read_text(encoding="utf-8"))
        assert parser.found
        assert [address for address in parser.found if OUTSIDE.match(address)] == [], page
    for style in site.rglob("*.css"):
        assert not re.search(r"""(@import|url\()\s*["']?(https?:)?//""", style.read_text(encoding="utf-8")), style


def test_every_page_of_the_docs_is_in_the_site(site: Path) -> None:
    """And nothing that is no page: scripts stay outside."""
    for page in DOCS.rglob("*.md"):
        built = page.relative_to(DOCS).with_suffix(".html")
        built = built.with_name("index.html") if built.name == "README.html" else built
        assert (site / built).exists(), page
    assert {path.suffix for path in site.rglob("*") if path.is_file()} <= {
        *(".html", ".css", ".js", ".json", ".map", ".png", ".svg", ".xml", ".gz")
    }


def test_tables_show_pipes_and_tags_as_they_are_meant(site: Path) -> None:
    """`fail-at=queue|start` has no backslash, and `x<N>` is text."""
    assert "fail-at=queue|start|progress|finish" in (site / "magic.html").read_text(encoding="utf-8")
    assert "x&lt;N&gt; (N times as fast)" in (site / "settings.html").read_text(encoding="utf-8")
    for page in site.rglob("*.html"):
        spans = re.findall(r"<td>.*?</td>", page.read_text(encoding="utf-8"), re.S)
        assert not [span for span in spans if re.search(r"<code>[^<]*\\\|", span)], page


def test_the_states_of_a_task_are_drawn_without_a_script(site: Path) -> None:
    page = (site / "life-cycle.html").read_text(encoding="utf-8")
    assert '<svg class="state-diagram"' in page
    assert "mermaid" not in page.lower()
    for label in ("TASK_STATUS_QUEUED", "started", "rendered", "broke", "fell-back"):
        assert f">{label}</text>" in page


MISTAKES = {
    "link.md": ("[a link](nowhere.md)", "nowhere.md"),
    "anchor.md": ("[an anchor](index.md#nowhere)", "#nowhere"),
    "file.md": ("[a file](../no-such-file.py)", "no-such-file.py"),
    "picture.md": ("![a picture](nowhere.png)", "nowhere.png"),
}
"""Pages with one mistake each, and what the complaint names."""


def test_what_is_broken_or_orphaned_stops_the_build(tmp_path: Path) -> None:
    """Each mistake is told, in a site with our settings."""
    texts = {page: text for page, (text, _) in MISTAKES.items()}
    config = small(tmp_path, {**texts, "orphan.md": "a page"}, without="orphan.md")
    done = build(config, tmp_path / "site")
    assert done.returncode != 0
    for page, (_, told) in MISTAKES.items():
        assert re.search(f"'{page}'.*{re.escape(told)}", done.stderr), f"{page}: {done.stderr}"
    assert "orphan.md" in done.stderr
    assert f"Aborted with {len(MISTAKES) + 1} warnings" in done.stderr + done.stdout


def test_links_into_the_repository_are_names(tmp_path: Path) -> None:
    """Pages of the repository are pages of the site; other files have no address there."""
    links = "[home](../README.md), [code](../mockserver/app.py), [`mockserver/mock.py`](../mockserver/mock.py)"
    done = build(small(tmp_path, {"other.md": links}), tmp_path / "site")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "other.html").read_text(encoding="utf-8")
    assert (
        '<a href="index.html">home</a>, code (<code>mockserver/app.py</code>), <code>mockserver/mock.py</code>' in page
    )


def test_only_diagrams_of_states_can_be_drawn() -> None:
    """Another kind of diagram stops the build instead of being shown as text."""
    spec = importlib.util.spec_from_file_location("state_diagram", DOCS / "state_diagram.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["state_diagram"] = module
    spec.loader.exec_module(module)
    with pytest.raises(ValueError, match="only state diagrams"):
        module.draw("pie")


def small(folder: Path, texts: dict[str, str], without: str = "") -> Path:
    """Our mkdocs.yml for a folder of other pages, and without those that are made from files outside docs/."""
    (folder / "docs").mkdir()
    for page, text in {"index.md": "home", **texts}.items():
        (folder / "docs" / page).write_text(f"# A page\n\n{text}\n", encoding="utf-8")
    hooks = (DOCS / "site_hooks.py").read_text(encoding="utf-8").replace("in ELSEWHERE.items():", "in ():", 1)
    hooks = hooks.replace("Path(__file__).resolve().parent.parent", f"Path({str(ROOT)!r})")
    (folder / "hooks.py").write_text(hooks, encoding="utf-8")
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[0]
    config = config.replace("docs/site_hooks.py", str(folder / "hooks.py"))
    pages = [page for page in ("index.md", *texts) if page != without]
    (folder / "mkdocs.yml").write_text(f"{config}\nnav: {pages}\n", encoding="utf-8")
    return folder / "mkdocs.yml"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    with chromium() as found:
        yield found


@pytest.mark.browser
def test_search_works_from_plain_files(site: Path, browser: Browser) -> None:
    """Without a server and without a network."""
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "index.html").as_uri())
    page.locator("input.md-search__input").click()
    page.locator("input.md-search__input").type("double spend")
    found = page.locator(".md-search-result__item a").first
    found.wait_for(timeout=WAIT_MS)
    assert "money" in page.locator(".md-search-result__list").inner_html()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    page.close()


@pytest.mark.browser
def test_pages_fit_a_narrow_screen_in_both_themes(site: Path, browser: Browser) -> None:
    """Tables and code scroll inside themselves; nothing on the page complains."""
    page = browser.new_page(viewport={"width": 360, "height": 740})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for name in ("tutorial", "fault-table", "cli/novita-mock", "life-cycle"):
        page.emulate_media(color_scheme="light")
        page.goto((site / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
        assert page.locator("body").get_attribute("data-md-color-scheme") == "default"
        page.emulate_media(color_scheme="dark")
        page.wait_for_selector("body[data-md-color-scheme=slate]", timeout=WAIT_MS)
    assert errors == []
    page.close()
