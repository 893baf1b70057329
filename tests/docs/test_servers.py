"""Operating a mock and judging a server: the pages' commands, typed in their order."""

from __future__ import annotations

import json
import platform
import re
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import processes
from tests.bodies import txt2img
from tests.docs.blocks import blocks
from tests.docs.following import session
from tests.docs.shell import PRINTED, Reader, Step

ELSEWHERE = "http://127.0.0.1:8000"
"""The reader's own server."""
TROUBLE = {"NOVITA_MOCK_CLOCK": "fast", "HTTP_PROXY": "http://proxy.example:3128"}
"""What the page's doctor finds wrong."""
CLEAN = "unset $(env | grep -io '^[a-z_]*_proxy=' | tr -d =); unset SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE"
"""Settings of whoever runs this, of which the page knows nothing."""


def of_here(shown: str) -> str:
    """The doctor's report, with this machine's versions; how it counts other warnings is not the page's."""
    for text, here in {
        "3.12.4": platform.python_version(),
        "CPython on Linux x86_64": f"{platform.python_implementation()} on {platform.system()} {platform.machine()}",
        "…/.venv": "…",
        "…/site-packages/mockserver": "…/mockserver",
    }.items():
        assert text in shown
        shown = shown.replace(text, here)
    return shown.replace("1 problem, 1 warning.", "1 problem, …")


def test_operating(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        reader.run(CLEAN)
        for step in session("operating.md"):
            if step.command == "novita-mock doctor":
                port = reader.begin_with("--clock", "auto", "--seed", "7").rpartition(":")[2]
                words = " ".join(f"{name}={value}" for name, value in TROUBLE.items())
                reader.codes = {words: 2}
                reader.type(Step(f"{words} {step.command} --port {port}", of_here(step.output)))
            elif step.command.startswith("novita-mock doctor "):
                code, came = reader.run(step.command.replace(PRINTED, reader.meant(PRINTED)))
                assert code in (0, 1), came  # "1 warnings": of this machine, and of the programs of tests/docs/shell.py
            else:
                reader.type(step)
            if step.command == "novita-mock serve --metrics":
                code, figures = reader.run(f"curl -s {reader.meant(PRINTED)}/__mock/metrics")
                assert code == 0
                assert "novita_mock_build_info{" in figures
    assert list((tmp_path / "mock-journal").iterdir())


@contextmanager
def defect(step: Step, url: str) -> Iterator[str]:
    """The server with a defect that a command starts in front of another, on a free port."""
    _, command, name, flag, *_ = shlex.split(step.command)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    process, said = processes.start("--port", str(port), flag, url, program=("conformance", command, name))
    try:
        yield said.split()[0]
    finally:
        process.terminate()
        process.communicate(timeout=processes.START_TIMEOUT_S)


def submitted(reader: Reader, url: str, steps: int) -> int:
    """The status of a submit with a number of steps; `Ready.` of a server with a defect comes a little early."""
    body = {"request": {**txt2img()["request"], "steps": steps}}
    ask = f"curl -s --retry 9 --retry-connrefused -o answer.json -w '%{{http_code}}' {url}/v3/async/txt2img"
    headers = "-H 'Authorization: Bearer sk-first-account' -H 'Content-Type: application/json'"
    return int(reader.run(f"{ask} {headers} -d {shlex.quote(json.dumps(body))}")[1])


def test_judging_a_server(tmp_path: Path) -> None:
    """With a second mock as the reader's own server, and reports of one sentence for the matrix."""
    operations, known = blocks("conformance/README.md", "yaml")[:2]
    (tmp_path / "caps.yaml").write_text(operations.text, encoding="utf-8")
    (tmp_path / "known.yaml").write_text(known.text, encoding="utf-8")
    with Reader(tmp_path, instead={"=my-model": "=dreamshaper_8_93211.safetensors"}) as reader:
        other = reader.begin_with("--clock", "manual")
        url = reader.begin_with("--clock", "manual")
        reader.instead = {**reader.instead, ELSEWHERE: other}
        for step in session("conformance/README.md"):
            if "matrix" in step.command:
                for report in re.findall(r"\S+/report\.json", step.command):
                    judge = f"novita-conformance run {url} --api-key sk-first-account --only V3-ERROR-001 --no-repro"
                    assert reader.run(f"{judge} --report json={report}")[0] == 0
            if "--upstream" in step.command:
                assert submitted(reader, url, 101) == 400
                with defect(step, url) as broken:
                    assert submitted(reader, broken, 101) == 200
            else:
                reader.type(step)
    assert "V3-ERROR-001" in (tmp_path / "matrix.html").read_text(encoding="utf-8")
