"""The command line: settings by flag, environment and file, readiness, exit codes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.bodies import txt2img
from tests.processes import mock_process, start


def run(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mockserver", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},  # noqa: TID251  # a child inherits the environment
        timeout=60,
        check=False,
    )


def test_ready_is_said_once_it_answers(tmp_path: Path) -> None:
    """The first request after the line is answered, on the port that the line names."""
    with mock_process("--clock", "auto", cwd=tmp_path) as url:
        headers = {"authorization": "Bearer sk-mock-cli"}
        task_id = httpx.post(f"{url}/v3/async/txt2img", json=txt2img(), headers=headers).json()["task_id"]
        statuses = [
            httpx.get(f"{url}/v3/async/task-result", params={"task_id": task_id}, headers=headers).json()
            for _ in range(3)
        ]
        assert statuses[-1]["task"]["status"] == "TASK_STATUS_SUCCEED"
        link = statuses[-1]["images"][0]["image_url"]
        assert link.startswith(url)
        assert httpx.get(link).status_code == 200


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    """Each of three settings comes from another place; what is not set is the default."""
    (tmp_path / "novita-mock.yaml").write_text("clock: manual\nseed: 11\nstrict: true\n")
    env = {"NOVITA_MOCK_SEED": "22", "NOVITA_MOCK_CLOCK": "x10"}
    with mock_process("--clock", "auto", env=env, cwd=tmp_path) as url:
        version = httpx.get(f"{url}/__mock/version").json()

    assert (version["clock"], version["seed"], version["strict"]) == ("auto", 22, True)


@pytest.mark.parametrize("place", ["variable", "file", "list in a file"])
def test_a_repeatable_flag_is_set_by_its_own_name(tmp_path: Path, place: str) -> None:
    """`--key` is NOVITA_MOCK_KEY and `key:`; a server that was told one key refuses the others."""
    text = {"file": "key: sk-mock-told\n", "list in a file": "key: [sk-mock-told, sk-mock-also]\n"}.get(place)
    if text is not None:
        (tmp_path / "novita-mock.yaml").write_text(text)
    env = {"NOVITA_MOCK_KEY": "sk-mock-told"} if place == "variable" else {}
    with mock_process(env=env, cwd=tmp_path) as url:
        answers = [
            httpx.get(f"{url}/v3/model", headers={"authorization": f"Bearer {key}"}).status_code
            for key in ("sk-mock-told", "sk-mock-other")
        ]

    assert answers == [200, 403]


def test_an_unknown_variable_is_told(tmp_path: Path) -> None:
    """NOVITA_MOCK_ with a slip of the pen warns and starts nothing else differently."""
    taken = socket.socket()
    with taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = run("--port", port, cwd=tmp_path, env={"NOVITA_MOCK_PROT": "1"})

    assert "NOVITA_MOCK_PROT" in ended.stderr
    assert ended.returncode == 3
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_and_a_termination_are_ordinary_ends(tmp_path: Path, number: signal.Signals) -> None:
    """Exit code 0 and nothing on stderr, although a client keeps its connection open."""
    process, url = start("--clock", "auto", cwd=tmp_path)
    with httpx.Client(base_url=url) as client:
        assert client.get("/__mock/health").status_code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=30)

    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_an_open_address_is_warned_about(tmp_path: Path, host: str, warned: bool) -> None:
    """Loopback is silent; on any other address whoever reaches the machine can use the mock."""
    process, url = start("--host", host, cwd=tmp_path)
    process.terminate()
    _, err = process.communicate(timeout=30)

    assert url.startswith("http://127.0.0.1:")
    assert ("lets everybody in" in err) is warned


def test_a_client_that_never_finishes_its_upload_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Calls in progress get a moment; then their connections are cut, without a traceback."""
    process, url = start(cwd=tmp_path)
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 80)) as client:
        client.sendall(
            b"POST /v3/async/txt2img HTTP/1.1\r\nHost: mock\r\nAuthorization: Bearer sk-mock\r\n"
            b"Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n{"
        )
        assert client.recv(64).startswith(b"HTTP/1.1 100")  # the call is in progress
        process.terminate()
        _, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (0, "")


def test_a_broken_contract_is_a_sentence_and_exit_code_3(tmp_path: Path) -> None:
    """The document says something that its reader does not know: the server does not start, and says where."""
    program = (
        "import sys, openapi.document as d, json, pathlib;"
        "raw = json.loads(d.COMPILED.read_bytes()); raw['surprise'] = 1;"
        "d.COMPILED = pathlib.Path('contract.json'); d.COMPILED.write_text(json.dumps(raw));"
        "sys.argv = ['novita-mock', '--port', '0'];"
        "from mockserver.cli import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )

    assert ended.returncode == 3, ended.stderr
    assert "'surprise' is not known" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--clock", "slow"], "expected real, manual, auto"),
        (["--port", "99999"], "0<=x<=65535"),
        (["--no-such-flag"], "No such option"),
        (["dance"], "No such command"),
        (["--config", "missing.yaml"], "cannot read missing.yaml"),
        (["--task-duration", "soon"], "not a duration"),
        (["--task-duration", "\N{SUPERSCRIPT TWO}"], "not a duration"),
        (["--speed", "nan"], "expected a number above 0"),
        (["--host", ""], "an empty address"),
        (["--public-base-url", "pictures.example"], "expected scheme and host"),
        (["decode", "missing.png"], "does not exist"),
    ],
)
def test_bad_usage_is_exit_code_2_with_a_sentence(tmp_path: Path, arguments: list[str], says: str) -> None:
    """What was expected, no traceback."""
    ended = run(*arguments, cwd=tmp_path)

    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "not YAML"),
        ("- 1", "name: value"),
        ("colour: red", "unknown setting colour; known: allow-target, any-model"),
        ("port:", "port has no value"),
        ("port: many", "is not a valid integer"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """An unknown setting is an error that lists the known ones."""
    (tmp_path / "mock.yaml").write_text(text)
    ended = run("serve", "--config", "mock.yaml", cwd=tmp_path)

    assert ended.returncode == 2
    assert says in " ".join(ended.stderr.split())


def test_version_and_help(tmp_path: Path) -> None:
    """Both answer without starting anything."""
    assert run("--version", cwd=tmp_path).stdout.startswith("novita-mock ")
    listed = run("--help", cwd=tmp_path).stdout
    assert "serve --help" in " ".join(listed.split())
    for command in ("serve", "decode", "spec"):
        assert command in listed
    flags = run("serve", "--help", cwd=tmp_path).stdout
    assert "NOVITA_MOCK_ILLEGAL_WORD" in flags
    assert "4280" in flags


def test_decode_reads_a_receipt_from_a_file(tmp_path: Path) -> None:
    """The seed and the parameters text of a downloaded picture; a strange file is exit code 1."""
    with mock_process("--clock", "auto", cwd=tmp_path) as url:
        headers = {"authorization": "Bearer sk-mock-cli"}
        body = txt2img(seed=4242)
        task_id = httpx.post(f"{url}/v3/async/txt2img", json=body, headers=headers).json()["task_id"]
        for _ in range(3):
            done = httpx.get(f"{url}/v3/async/task-result", params={"task_id": task_id}, headers=headers).json()
        (tmp_path / "out.png").write_bytes(httpx.get(done["images"][0]["image_url"]).content)
    (tmp_path / "text.png").write_text("no picture")

    decoded = run("decode", "out.png", cwd=tmp_path)
    assert decoded.returncode == 0, decoded.stderr
    assert "seed    4242" in decoded.stdout
    assert "a cute dog" in decoded.stdout
    strange = run("decode", "text.png", cwd=tmp_path)
    assert strange.returncode == 1
    assert "Traceback" not in strange.stderr


KEY = "sk-mock-never-logged"


def logged(cwd: Path, *flags: str) -> list[str]:
    """Lines of the log of a server that answered three calls: with a key, with an odd one, and of a strange path."""
    process, url = start(*flags, cwd=cwd)
    httpx.get(f"{url}/v3/model", headers={"authorization": f"Bearer {KEY}"})
    httpx.get(f"{url}/v2/progress", headers={"x-omni-key": KEY})
    httpx.get(f"{url}/no%0Awhere", headers={"authorization": f"Bearer {KEY}"})
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert KEY not in err
    return [line for line in err.splitlines() if "call.answered" in line]


def test_the_log_can_be_json_and_never_holds_a_key(tmp_path: Path) -> None:
    """Each call is an object with an event and its fields; of the key there is a label."""
    models, progress, nowhere = map(json.loads, logged(tmp_path, "--log-format", "json", "--log-level", "debug"))

    assert {"at", "level", "event"} <= models.keys()
    assert (models["operation_id"], models["status"], models["world"]) == ("listModels", 200, "sk-m...ed")
    assert progress["findings"] == ["NV405", "NV403"]
    assert (nowhere["path"], nowhere["status"], nowhere["world"]) == ("/no\nwhere", 404, None)


def test_a_call_is_one_line_of_the_text_log(tmp_path: Path) -> None:
    """With its fields; a line break in a path does not make two of it. Without --log-level nothing is said."""
    lines = logged(tmp_path, "--log-level", "info")

    assert len(lines) == 3
    assert "method=GET path=/v3/model status=200 world=sk-m...ed operation_id=listModels findings=[]" in lines[0]
    assert "path=/no\\nwhere status=404" in lines[2]
    assert logged(tmp_path) == []
