"""The files of the page: complete, in the package, and without anything that its policy would have to forgive."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mockserver.inspector.page import ASSETS, HEADERS, MEDIA_TYPES
from tests.conftest import Server

FILES = sorted(ASSETS.iterdir())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]


def test_the_page_is_served_with_its_policy(server: Server) -> None:
    """Its own scripts and styles, its own server, nothing else."""
    page = server.call("GET", "/__mock/", key=None)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert page.headers["x-content-type-options"] == "nosniff"


def test_the_address_without_its_slash_leads_there(server: Server) -> None:
    """The page's files are named relative to the folder."""
    answer = server.call("GET", "/__mock", key=None)
    assert (answer.status_code, answer.headers["location"]) == (308, "/__mock/")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_served(server: Server, path: Path) -> None:
    """With its media type and the policy."""
    answer = server.call("GET", f"/__mock/inspector/{path.name}", key=None)
    assert answer.status_code == 200
    assert answer.content == path.read_bytes()
    assert answer.headers["content-type"].startswith(MEDIA_TYPES[path.suffix])
    assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fpage.py", "%2e%2e%2fpage.py", "page.py", ".", "style.css%00"])
def test_no_other_file_is(server: Server, name: str) -> None:
    """Nothing outside the folder, nothing of another kind."""
    assert server.call("GET", f"/__mock/inspector/{name}", key=None).status_code == 404


def test_modules_find_each_other() -> None:
    """Each import names a file that is there, and something that it exports."""
    for path in SCRIPTS:
        for names, file in re.findall(r"import \{([^}]*)\} from '\./([^']+)'", path.read_text(encoding="utf-8")):
            other = (ASSETS / file).read_text(encoding="utf-8")
            for name in filter(None, map(str.strip, names.split(","))):
                assert re.search(rf"export (async )?(function|const|class) {re.escape(name)}[ ({{]", other), (
                    f"{path.name}: {name}"
                )


def test_the_page_names_elements_that_its_scripts_use() -> None:
    """An id that a script looks for stands on the page or is made by a script."""
    page = (ASSETS / "index.html").read_text(encoding="utf-8")
    made = page + "".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    for path in SCRIPTS:
        for id in re.findall(r"\$\('([a-z-]+)'\)", path.read_text(encoding="utf-8")):
            assert f'id="{id}"' in made or f"id: '{id}'" in made, f"{path.name}: {id}"


def test_no_markup_is_made_of_text() -> None:
    """Nothing that a client sent can become an element, a script or a style."""
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc|DOMParser"
        r"|createContextualFragment|setHTML|javascript:"
    )
    for path in SCRIPTS:
        assert not forbidden.search(path.read_text(encoding="utf-8")), path.name
    page = (ASSETS / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=", page)


def test_no_file_names_another_host() -> None:
    """The page works without a network."""
    for path in FILES:
        found = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", path.read_text(encoding="utf-8"))
        assert [one for one in found if one != "http://www.w3.org"] == [], path.name


def test_every_shortcut_is_documented() -> None:
    """The page's help and docs/inspector.md list the same keys."""
    keys = re.findall(r"^  \['([^']+)', '([^']+)'\],$", (ASSETS / "keys.js").read_text(encoding="utf-8"), re.MULTILINE)
    guide = (Path(__file__).resolve().parents[3] / "docs" / "inspector.md").read_text(encoding="utf-8")
    assert len(keys) == 13
    for key, words in keys:
        assert f"| {' '.join(f'`{one}`' for one in key.split())} | {words} |" in guide
