"""What is done with the blocks of each page that people follow, and why some cannot be run."""

from __future__ import annotations

from collections.abc import Mapping

from tests.docs.blocks import README

FILES = ("testing.md", "webhooks.md", "migrate/from-respx.md")
"""Pages whose blocks are files of one folder, named by their first lines, and commands (`test_files.py`)."""

SESSIONS = (
    README,
    "index.md",
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
    "operating.md",
    "conformance/README.md",
)
"""Pages whose `console` blocks are typed in order (`test_sessions.py`, `test_first_pages.py`,
`test_servers.py`)."""

LINES = ("operating.md",)
"""Sessions whose `sh` blocks are typed as well."""

UNDERSTOOD = (
    "ci.md",
    "conformance/reports.md",
    "conformance/timing.md",
    "reference/README.md",
)
"""Pages whose commands need a service, a runner of CI or minutes; the programs read them (`test_commands.py`)."""

PROGRAMS = (README,)
"""Pages whose `python` blocks are tests of an app that the page leaves to its reader (`test_first_pages.py`)."""

SCRIPTS = ("custom-storage.md",)
"""Pages whose `python` blocks are programs without a file (`test_data.py`)."""

ELSEWHERE: Mapping[str, str] = {
    "coverage.md": "tests/mockserver/coverage/test_page_of_the_docs.py",
}
"""Pages whose blocks have tests of their own, and where those are."""

NOT_RUN: Mapping[tuple[str, str], str] = {
    (README, "make run     # its own virtual environment, the base install, and the mock at http://127.0.0.1:4280"): (
        "makes an environment of its own and runs every test, this one too"
    ),
    (
        README,
        "make reference   # an environment of its own with torch, and the server at http://127.0.0.1:4290 with"
        " tiny models",
    ): "makes an environment of its own with torch; tests/reference starts the same server",
    ("any-program.md", "$ pip install 'novita-mock[intercept]'"): (
        "needs the vendor's command line in an environment of its own; tests/clients/test_built_in.py runs it"
    ),
    ("migrate/from-aimock.md", "$ npx -y -p @copilotkit/aimock@1.43.0 llmock -p 4010 -f fixtures &"): (
        "needs aimock from npm; tried by hand with 1.43.0"
    ),
    ("migrate/from-aimock.md", "// novita-by-hand.mjs"): "needs aimock from npm; tried by hand with 1.43.0",
}
"""Blocks that no test of ours runs, by page and first line, and why. YAML and JSON is parsed all the same."""

NOT_TYPED: Mapping[tuple[str, str], str] = {
    (README, "novita-mock run --intercept -- novita image generate"): (
        "needs the vendor's command line in an environment of its own; tests/clients/test_built_in.py runs it"
    ),
    ("conformance/README.md", "NOVITA_API_KEY=sk-first-account pytest --pyargs"): (
        "collects what the line behind it does, which takes seconds; tests/conformance/test_plugin.py makes runs"
    ),
}
"""Commands inside blocks that are typed, by page and how they begin, that are left out, and why."""

SHORT: Mapping[tuple[str, str], tuple[str, str]] = {
    (README, "novita-conformance run"): ("--plan", "a run takes minutes; tests/conformance/runs.py makes whole ones"),
    ("conformance/README.md", "novita-conformance run"): (
        "--plan",
        "runs take minutes; tests/conformance/runs.py makes whole ones, and of a half-finished server too",
    ),
    ("conformance/README.md", "pytest --pyargs"): (
        "--collect-only -q",
        "a run takes minutes; tests/conformance/test_plugin.py makes one",
    ),
}
"""Commands that are typed with more flags, so that they do less: by page and how they begin, the flags, and why."""

DATA = ("json", "yaml")
OUTPUT = ("text",)
"""What a program prints; nothing to run."""
