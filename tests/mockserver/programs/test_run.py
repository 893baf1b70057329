"""`novita-mock run`: a program beside a mock of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mockserver.pictures import decode
from tests.mockserver.programs.running import DRAWING, TIMEOUT_S, WAITING, novita_mock

PRINTED = "import os; print(os.environ['NOVITA_API_KEY'], os.environ['NOVITA_API_URI'])"


def test_a_program_draws_and_the_last_line_says_what_it_would_have_cost(tmp_path: Path) -> None:
    done = novita_mock("run", "--", *DRAWING, "out.png", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, "drawn\n")
    assert decode((tmp_path / "out.png").read_bytes()).seed == 7
    assert done.stderr.splitlines() == [
        "novita-mock: 1 task, 1 picture, 0.0015 USD that the service would have taken; findings: none"
    ]


def test_address_and_key_are_in_the_programs_environment_and_a_real_key_is_not(tmp_path: Path) -> None:
    done = novita_mock(
        "run", "--quiet", sys.executable, "-c", PRINTED, cwd=tmp_path, env={"NOVITA_API_KEY": "sk-real-and-dear"}
    )

    key, url = done.stdout.split()
    assert key == "sk-mock-run"
    assert url.startswith("http://127.0.0.1:")
    assert "sk-real-and-dear" not in done.stdout + done.stderr


@pytest.mark.parametrize("code", [0, 1, 7, 77])
def test_the_exit_code_is_the_programs(tmp_path: Path, code: int) -> None:
    assert novita_mock("run", "--", sys.executable, "-c", f"exit({code})", cwd=tmp_path).returncode == code


def test_a_program_that_a_signal_ends_gives_the_code_that_a_shell_would(tmp_path: Path) -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert novita_mock("run", "--", sys.executable, "-c", program, cwd=tmp_path).returncode == 128 + signal.SIGKILL


def test_a_command_that_there_is_not_ends_as_in_a_shell(tmp_path: Path) -> None:
    done = novita_mock("run", "--", "no-such-command-at-all", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (127, "novita-mock: no-such-command-at-all: command not found\n")


def test_a_file_that_is_no_program_ends_as_in_a_shell(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("words")
    done = novita_mock("run", "--", "./text", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (126, "novita-mock: ./text: Permission denied\n")


def test_without_a_command_the_usage_is_told(tmp_path: Path) -> None:
    done = novita_mock("run", cwd=tmp_path)
    assert done.returncode == 2
    assert "CMD" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_reach_the_program_which_decides_what_they_mean(tmp_path: Path, number: signal.Signals) -> None:
    program = (
        "import signal, sys\n"
        "signal.signal(int(sys.argv[1]), lambda number, frame: sys.exit(40 + number))\n"
        "print('listening', flush=True)\n"
        "signal.pause()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "mockserver", "run", "--quiet", sys.executable, "-c", program, str(int(number))],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,  # no terminal of ours sends anything
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "listening\n"
    process.send_signal(number)
    process.communicate(timeout=TIMEOUT_S)

    assert process.returncode == 40 + number


def test_flags_of_the_server_say_what_kind_of_day_it_is(tmp_path: Path) -> None:
    done = novita_mock("run", "--scenario", "failed-task", "--", *DRAWING, "out.png", cwd=tmp_path)
    assert done.returncode == 1
    assert "the task failed: the GPU ran out of memory" in done.stderr
    assert not (tmp_path / "out.png").exists()


def test_findings_are_told_with_what_they_mean(tmp_path: Path) -> None:
    rules = {"name": "bad-poll", "description": "one", "faults": [
        {"point": "result", "effect": {"status": 500}, "times": 1}]}  # fmt: skip
    (tmp_path / "bad-poll.yaml").write_text(json.dumps(rules))
    done = novita_mock("run", "--scenario", "bad-poll.yaml", "--", *DRAWING, "out.png", cwd=tmp_path)

    told = [line for line in done.stderr.splitlines() if line.startswith("novita-mock: ")]
    assert "findings: NV303 paid-task-lost" in told[0]
    assert told[1].startswith("novita-mock: NV303 Loses a paid task after one error while polling: a poll was")


def test_a_servers_file_of_settings_serves_here_too(tmp_path: Path) -> None:
    """Port and host are passed over: every run has a free port of its own."""
    (tmp_path / "novita-mock.yaml").write_text("port: 4280\nhost: 127.0.0.1\nclock: real\ntask-duration: 0s\n")
    done = novita_mock("run", "--", *DRAWING, "out.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_setting_that_there_is_not_is_refused(tmp_path: Path) -> None:
    (tmp_path / "novita-mock.yaml").write_text("prot: 4280\n")
    done = novita_mock("run", "--", "true", cwd=tmp_path)
    assert done.returncode == 2
    assert "unknown setting prot" in done.stderr


def test_a_program_that_never_calls_is_told_how_it_could(tmp_path: Path) -> None:
    done = novita_mock("run", "--", sys.executable, "-c", "", cwd=tmp_path)
    assert "no call reached the mock" in done.stderr
    assert "--intercept" in done.stderr


def test_a_tape_repeats_a_run_that_had_the_default_key(tmp_path: Path) -> None:
    """The key of every run is the same, and so is its world's name on the tape."""
    program = (
        "import os, urllib.request as u; url = os.environ['NOVITA_API_URI']; "
        "h = {'Authorization': 'Bearer ' + os.environ['NOVITA_API_KEY']}; "
        "print(u.urlopen(u.Request(url + '/__mock/tape', headers=h)).read().decode())"
    )
    shell = f'{" ".join(DRAWING)} out.png; {sys.executable} -c "{program}"'
    first = novita_mock("run", "--quiet", "--scenario", "failed-task", "--", "sh", "-c", shell, cwd=tmp_path)
    (tmp_path / "run.tape").write_text(first.stdout)
    again = novita_mock("run", "--tape", "run.tape", "--", *DRAWING, "out.png", cwd=tmp_path)

    assert "the task failed: the GPU ran out of memory" in again.stderr
    assert "were not reached" not in again.stderr


def test_the_programs_input_and_output_are_ours(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mockserver", "run", "--quiet", "cat"],
        input="words",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=dict(os.environ),  # noqa: TID251  # a child inherits the environment
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "words", "")


def test_a_program_that_waits_for_its_webhook_does_not_wait_for_ten_minutes(tmp_path: Path) -> None:
    """While it is silent, the `auto` clock goes on to what is owed next: first the queue, then a retry."""
    faults = [
        {"point": "queue", "effect": {"late": "10m"}},
        {"point": "webhook.attempt", "effect": "truncate", "times": 1},
    ]
    (tmp_path / "slow.yaml").write_text(json.dumps({"name": "slow", "description": "slow", "faults": faults}))
    done = novita_mock("run", "--scenario", "slow.yaml", "--", *WAITING, "out.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert decode((tmp_path / "out.png").read_bytes()).seed == 7
