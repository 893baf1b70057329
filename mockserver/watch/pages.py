"""The pages of docs/findings, one a code, from the catalogue of codes. SARIF carries the same text as help."""

from __future__ import annotations

from mockserver.core.codes import CATALOGUE, Code

FOLDER = "docs/findings"
"""Where the pages lie in the project."""

_GROUPS = {
    "1": "Waiting for a task",
    "2": "Keys, links and pictures",
    "3": "Money",
    "4": "What the contract does not document",
    "5": "Webhook receivers",
    "6": "The HTTP client",
    "9": "The mock itself",
}
"""Heading by the first digit of a code."""


def page_of(code: Code) -> str:
    """Path of a code's page in the project."""
    return f"{FOLDER}/{code.value}.md"


def body(code: Code) -> str:
    """What the page says below its heading, as Markdown."""
    about = CATALOGUE[code]
    parts = [
        f"`{code.label}`, level **{about.level}**.",
        f"**What was seen.** {about.what}",
        f"**Why it matters.** {about.why}",
        f"**What to do instead.** {about.instead}",
    ]
    return "\n\n".join(parts) + "\n"


def page(code: Code) -> str:
    """The whole page."""
    return f"# {code.value}: {CATALOGUE[code].title}\n\n{body(code)}\n[All findings](README.md)\n"


def index() -> str:
    """The page that lists all codes by group."""
    lines = [
        "# Findings",
        "",
        "What the mock noticed about a client: things that a single answer does not show, and that cost money or break",
        "with the real service. `GET /__mock/findings` lists those of a world, `GET /__mock/findings.sarif` gives them",
        "as SARIF 2.1.0. A code keeps its meaning. Levels are SARIF's: `note`, `warning`, `error`.",
    ]
    group = ""
    for code, about in sorted(CATALOGUE.items()):
        if code.value[2] != group:
            group = code.value[2]
            lines += ["", f"## {_GROUPS[group]}", "", "| code | level | what the client did |", "|---|---|---|"]
        lines.append(f"| [{code.value}]({code.value}.md) `{code.label}` | {about.level} | {about.title} |")
    return "\n".join(lines) + "\n"
