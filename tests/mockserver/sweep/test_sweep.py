"""`novita-mock sweep`, played with a program that has bad habits on request."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import jsonschema_rs
import pytest

from mockserver.sweep import report
from tests.mockserver.programs.running import DRAWING, TIMEOUT_S, WAITING, called, novita_mock

SCHEMA = json.loads(Path(report.__file__).with_name("report.schema.json").read_text(encoding="utf-8"))


def swept(folder: Path, *only: str, how: str = "", flags: tuple[str, ...] = ()) -> tuple[int, dict[str, Any], str]:
    """Exit code, report and output of a sweep of the drawing program."""
    program = 'exec "$0" "$1" out.png "$NOVITA_API_URI" "$2"'
    choice = [part for name in only for part in ("--only", name)]
    command = ["sweep", *choice, *flags, "--", "sh", "-c", program, *DRAWING, how]
    done = called(*command, cwd=folder)
    found: dict[str, Any] = json.loads((folder / "novita-mock-sweep" / "sweep.json").read_text())
    jsonschema_rs.validate(SCHEMA, found)
    return done.returncode, found, done.stdout


def marks(found: dict[str, Any]) -> dict[str, list[str]]:
    return {cell["case"]: cell["marks"] for cell in found["cells"]}


def test_a_program_that_gives_up_is_not_red_unless_that_is_asked_for(tmp_path: Path) -> None:
    code, found, said = swept(tmp_path, "poll-500", "fails", "more-fields")
    assert code == 0
    assert marks(found) == {"fails": ["failed"], "poll-500": ["failed"], "more-fields": ["survived"]}
    assert [cell["rating"] for cell in found["cells"]] == ["good", "weak", "good"]
    assert "3 runs: 1 survived, 2 failed" in said

    code, _, _ = swept(tmp_path, "poll-500", flags=("--weak",))
    assert code == 1


def test_a_program_that_tries_everything_again_pays_twice(tmp_path: Path) -> None:
    code, found, said = swept(tmp_path, "lost-reset", "submit-429", how="again")
    assert code == 1
    assert marks(found) == {"submit-429": ["survived"], "lost-reset": ["paid twice", "survived"]}
    assert "paid 0.0030 USD instead of 0.0015" in said


def test_a_program_that_looks_at_nothing_saves_garbage(tmp_path: Path) -> None:
    code, found, _ = swept(tmp_path, "link-403", "link-html", "link-corrupt", how="blind")
    assert code == 1
    assert set(map(tuple, marks(found).values())) == {("saved garbage", "failed")}
    assert all(cell["silent"] for cell in found["cells"])
    kept = tmp_path / "novita-mock-sweep" / "runs" / "link-html" / "files" / "out.png"
    assert kept.read_bytes().startswith(b"<!doctype html>")


def test_a_program_that_prints_its_key_leaks_it_and_the_report_does_not(tmp_path: Path) -> None:
    code, found, _ = swept(tmp_path, "more-fields", how="leak")
    assert (code, marks(found)) == (1, {"more-fields": ["leaked the key", "survived"]})
    assert found["cells"][0]["leaks"] == ["stdout"]
    for name in ("sweep.json", "sweep.html"):
        assert "sk-mock-run" not in (tmp_path / "novita-mock-sweep" / name).read_text()


def test_a_program_that_never_ends_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    code, found, said = swept(tmp_path, "stuck", flags=("--timeout", "3"))
    assert (code, marks(found)) == (1, {"stuck": ["hung"]})
    assert "stopped after 3 s" in said
    assert found["cells"][0]["exit_code"] is None


def test_a_tape_plays_its_cell_again(tmp_path: Path) -> None:
    _, found, _ = swept(tmp_path, "poll-500")
    [cell] = found["cells"]
    assert cell["repeat"].startswith("novita-mock run --tape novita-mock-sweep/tapes/poll-500.tape -- sh -c ")
    done = novita_mock("run", "--tape", f"novita-mock-sweep/{cell['tape']}", "--", *DRAWING, "again.png", cwd=tmp_path)
    assert done.returncode == 1
    assert "HTTP Error 500" in done.stderr
    assert "not reached" not in done.stderr


def test_points_that_the_program_never_comes_to_are_left_out_and_told(tmp_path: Path) -> None:
    _, found, said = swept(tmp_path, "webhook-twice", "models-500", "more-fields")
    assert [cell["case"] for cell in found["cells"]] == ["more-fields"]
    assert {one["case"] for one in found["left_out"]} == {"webhook-twice", "models-500"}
    assert "2 failures left out, since the program never came to models, webhook.attempt" in said


def test_a_program_that_waits_for_webhooks_is_swept_in_seconds(tmp_path: Path) -> None:
    only = [part for name in ("webhook-", "queue-10m") for part in ("--only", name)]
    done = called("sweep", *only, "--", *WAITING, "out.png", cwd=tmp_path)
    found = json.loads((tmp_path / "novita-mock-sweep" / "sweep.json").read_text())
    assert done.returncode == 0, done.stdout
    assert marks(found) == {
        "queue-10m": ["survived"],
        "webhook-early": ["survived"],
        "webhook-twice": ["survived"],
        "webhook-opposite": ["survived"],
        "webhook-cut": ["survived"],
        "webhook-lost": ["failed"],
    }


def test_an_interrupt_ends_the_programs_too(tmp_path: Path) -> None:
    program = "import pathlib, os, time; pathlib.Path(os.environ['MARK']).write_text(str(os.getpid())); time.sleep(60)"
    mark = tmp_path / "mark"
    process = subprocess.Popen(
        [sys.executable, "-m", "mockserver", "sweep", "--workdir", "empty", "--", sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "MARK": str(mark)},  # noqa: TID251  # a child inherits the environment
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = monotonic() + TIMEOUT_S
    while not (mark.exists() and mark.read_text()) and monotonic() < deadline:
        pass
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=TIMEOUT_S)

    assert process.returncode == 130
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_the_current_folder_stays_as_it_was(tmp_path: Path) -> None:
    swept(tmp_path, "more-fields", "poll-500", how="careful")
    assert [path.name for path in tmp_path.iterdir()] == ["novita-mock-sweep"]
    swept(tmp_path, "more-fields", "poll-500", how="careful", flags=("--workdir", "here"))
    assert [path.name for path in tmp_path.iterdir()] == ["novita-mock-sweep"]


def test_a_program_with_the_address_built_in_is_swept_behind_a_proxy(tmp_path: Path) -> None:
    command = ("--", *DRAWING, "out.png", "https://api.novita.ai", "careful")
    done = called("sweep", "--only", "poll-reset", "--only", "link-cut", "--intercept", *command, cwd=tmp_path)
    found = json.loads((tmp_path / "novita-mock-sweep" / "sweep.json").read_text())
    assert marks(found) == {"poll-reset": ["survived"], "link-cut": ["failed"]}, done.stderr
    assert "--intercept" in found["cells"][0]["repeat"]


def test_a_program_that_fails_without_any_failure_is_not_swept(tmp_path: Path) -> None:
    done = called("sweep", "--", sys.executable, "-c", "exit('I have no idea')", cwd=tmp_path)
    assert done.returncode == 3
    assert "without any failure the program ended with 1" in done.stderr
    assert "I have no idea" in done.stderr


def test_a_program_that_never_calls_is_told_what_it_should_read(tmp_path: Path) -> None:
    done = called("sweep", "--", "true", cwd=tmp_path)
    assert done.returncode == 3
    assert "NOVITA_API_URI" in done.stderr
    assert "--intercept" in done.stderr


def test_a_command_that_there_is_not_ends_as_in_a_shell(tmp_path: Path) -> None:
    assert called("sweep", "--", "no-such-command-at-all", cwd=tmp_path).returncode == 127


def test_the_failures_are_listed_without_a_program(tmp_path: Path) -> None:
    done = called("sweep", "--list", "--only", "webhook-", cwd=tmp_path)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 5)
    assert called("sweep", cwd=tmp_path).returncode == 2


def test_a_folder_that_is_no_older_sweep_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "letter").write_text("dear")
    done = called("sweep", "--out", "precious", "--", "true", cwd=tmp_path)
    assert done.returncode == 2
    assert (tmp_path / "precious" / "letter").read_text() == "dear"


@pytest.mark.parametrize("wrong", [("--only", "no-such-failure"), ("--scenario", "no-such-scenario")])
def test_what_there_is_not_is_refused_with_what_there_is(tmp_path: Path, wrong: tuple[str, str]) -> None:
    done = called("sweep", *wrong, "--", "true", cwd=tmp_path)
    assert done.returncode == 2
    assert "there are: " in done.stderr


def test_the_page_shows_what_a_program_said_as_text(tmp_path: Path) -> None:
    program = (
        "import os, sys, urllib.request as u\n"
        "key, url = os.environ['NOVITA_API_KEY'], os.environ['NOVITA_API_URI']\n"
        "print('<script>alert(1)</script>')\n"
        "u.urlopen(u.Request(url + '/v3/model', headers={'Authorization': 'Bearer ' + key}))\n"
    )
    called("sweep", "--only", "models", "--", sys.executable, "-c", program, cwd=tmp_path)
    page = (tmp_path / "novita-mock-sweep" / "sweep.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
