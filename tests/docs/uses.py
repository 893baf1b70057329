"""What is done with the blocks of each page that people follow, and why some cannot be run."""

from __future__ import annotations

from collections.abc import Mapping

FILES = ("testing.md", "webhooks.md", "migrate/from-respx.md")
"""Pages whose blocks are files of one folder, named by their first lines, and commands (`test_files.py`)."""

SESSIONS = (
    "tutorial.md",
    "any-program.md",
    "sweep.md",
    "record.md",
    "scenarios.md",
    "inspector.md",
    "webhooks.md",
    "webhook-audit.md",
    "migrate/from-wiremock.md",
    "migrate/from-aimock.md",
)
"""Pages whose `console` blocks are typed in order (`test_sessions.py`)."""

UNDERSTOOD = (
    "ci.md",
    "operating.md",
    "conformance/README.md",
    "conformance/reports.md",
    "conformance/timing.md",
    "reference/README.md",
)
"""Pages whose commands need a service, a runner of CI or minutes; the programs read them (`test_commands.py`)."""

SCRIPTS = ("custom-storage.md",)
"""Pages whose `python` blocks are programs without a file (`test_data.py`)."""

ELSEWHERE: Mapping[str, str] = {
    "coverage.md": "tests/mockserver/coverage/test_page_of_the_docs.py",
}
"""Pages whose blocks have tests of their own, and where those are."""

NOT_RUN: Mapping[tuple[str, str], str] = {
    ("any-program.md", "$ pip install 'novita-mock[intercept]'"): (
        "needs the vendor's command line in an environment of its own; tests/clients/test_built_in.py runs it"
    ),
    ("migrate/from-aimock.md", "$ npx -y -p @copilotkit/aimock@1.43.0 llmock -p 4010 -f fixtures &"): (
        "needs aimock from npm; tried by hand with 1.43.0"
    ),
    ("migrate/from-aimock.md", "// novita-by-hand.mjs"): "needs aimock from npm; tried by hand with 1.43.0",
}
"""Blocks that no test of ours runs, by page and first line, and why. YAML and JSON is parsed all the same."""

DATA = ("json", "yaml")
OUTPUT = ("text",)
"""What a program prints; nothing to run."""
