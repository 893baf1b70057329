"""The README and the site's first page: what somebody types first says what they show."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests import processes
from tests.docs.blocks import DOCS, README, blocks
from tests.docs.following import app, follow, session
from tests.docs.shell import PRINTED, QUIET, Reader, Step

HEADERS = {"Authorization": "Bearer sk-any"}
MY_APP = '''
import os
import httpx

class OutcomeUnknown(Exception):
    """Nobody knows whether the task was made."""

def draw(prompt):
    api = httpx.Client(
        base_url=os.environ["NOVITA_API_URI"], headers={"Authorization": "Bearer " + os.environ["NOVITA_API_KEY"]}
    )
    request = {**REQUEST, "prompt": prompt}
    with api:
        try:
            task = api.post("/v3/async/txt2img", json={"request": request}).json()["task_id"]
        except httpx.TransportError as error:
            raise OutcomeUnknown from error
        while True:
            result = api.get("/v3/async/task-result", params={"task_id": task}).json()
            if result["task"]["status"] == "TASK_STATUS_SUCCEED":
                return httpx.get(result["images"][0]["image_url"]).content
'''
"""The app that the README's tests speak of: one that keeps to what they want."""


def order() -> dict[str, Any]:
    """The body of the README's first submit."""
    [text] = [step.command for step in session(README) if "a lighthouse at dawn" in step.command]
    body: dict[str, Any] = json.loads(text.partition("-d '")[2].removesuffix("'"))
    return body


def rows(shown: str) -> str:
    """The lines of a sweep's report that a page shows, with anything between them."""
    return "…\n" + "\n…\n".join(shown.splitlines()) + "\n…"


def test_the_readme(tmp_path: Path) -> None:
    """`…` in a command is what came before."""
    (tmp_path / "draw.py").write_text(
        app().replace('"again" in how', "True", 1).replace('"blind" not in how', "False"), encoding="utf-8"
    )
    submit = f"-H 'Authorization: Bearer sk-any' -H 'Content-Type: application/json' -d '{json.dumps(order())}'"
    kept = {"1d8e952f-…": r'"task_id":"([0-9a-f-]{36})"', "$IMAGE_URL": r'"image_url":"([^"]+)"'}
    only = "novita-mock sweep --only lost-reset --only link-html --"
    with Reader(
        tmp_path,
        instead={"/txt2img …": f"/txt2img {submit}", "novita-mock sweep --": only},
        kept=kept,
        codes={f"curl -sS {PRINTED}/v3/async/txt2img …": 56, "novita-mock sweep": 1},
    ) as reader:
        for step in session(README):
            match step.command.split():
                case ["make", "run", *flags]:
                    flags = shlex.split(" ".join(flags).partition("ARGS=")[2])[0].split()
                    reader.type(Step(f"novita-mock {' '.join(flags)}", step.output))
                    continue
                case ["curl", "-s", address, *_] if "task-result" in address:
                    for _ in range(2):  # the time that a person takes to type: the task is done after it
                        asked = {"task_id": reader.meant("1d8e952f-…")}
                        httpx.get(f"{reader.meant(PRINTED)}/v3/async/task-result", params=asked, headers=HEADERS)
                case ["novita-mock", "sweep", *_]:
                    step = Step(step.command, rows(step.output))
            reader.type(step)


def test_a_program_that_polls_at_once_is_told_what_the_readme_says(tmp_path: Path) -> None:
    """Of a task behind another one, because this machine may be slow: the queue is an hour long."""
    said = re.findall(r"`(TASK_STATUS_\w+)`", (DOCS / README).read_text(encoding="utf-8"))[:2]
    flags = ("--clock", "auto", "--workers", "1", "--task-duration", "1h")
    with processes.mock_process(*flags, cwd=tmp_path) as url, httpx.Client(base_url=url, headers=HEADERS) as api:
        for _ in range(2):
            task = api.post("/v3/async/txt2img", json=order()).json()["task_id"]
        polls = [api.get("/v3/async/task-result", params={"task_id": task}).json()["task"] for _ in range(3)]
    assert [(poll["status"], poll["progress_percent"]) for poll in polls] == [
        (said[0], 0),
        (said[1], 50),
        ("TASK_STATUS_SUCCEED", 100),
    ]


def test_the_mistake_of_the_readme_is_answered_so(tmp_path: Path) -> None:
    [mistake] = blocks(README, "json")
    body = order()
    body["request"]["width"] = 64
    with processes.mock_process(cwd=tmp_path) as url:
        answer = httpx.post(f"{url}/v3/async/txt2img", json=body, headers=HEADERS)
    assert answer.text == mistake.text.strip()


def test_the_tests_of_the_readme_pass(tmp_path: Path) -> None:
    [tests] = blocks(README, "python")
    request = {**order()["request"]}
    (tmp_path / "my_app.py").write_text(f"{MY_APP}\nREQUEST = {request!r}\n", encoding="utf-8")
    (tmp_path / "test_my_app.py").write_text(f"import my_app\nimport pytest\n\n\n{tests.text}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *QUIET, "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert "the service" in done.stdout  # "and the run ends with what it would have cost"


def test_the_sites_first_page(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        follow(reader, "index.md")
