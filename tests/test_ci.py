"""The recipes for CI: the actions that start and end a mock, and GitLab's file of docs/ci.md.

Each is held to the schema that its service publishes, and its scripts are carried out by the shell that a runner uses,
in a clean folder. Only what needs a network is stood in for: `python -m venv` gives a folder whose pip writes down what
it was asked for, and whose command is the one of this environment; in GitLab's jobs `pip` does the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from mockserver.cli import serve
from mockserver.core.clock import ClockMode
from mockserver.running import ServerThread
from mockserver.settings import Settings

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PAGE = ROOT / "docs" / "ci.md"
ACTIONS = {name: ROOT / "actions" / name / "action.yml" for name in ("mock", "mock-end")}
GITHUB = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""What a runner of GitHub starts for `shell: bash`."""
VENV = """#!/bin/sh
# python -m venv FOLDER
mkdir -p "$3/bin"
printf '#!/bin/sh\\nprintf "%%s\\\\n" "$@" >> "%s"\\n' "$ASKED_OF_PIP" > "$3/bin/pip"
printf '#!/bin/sh\\nexec "%s" -m mockserver "$@"\\n' "$REAL_PYTHON" > "$3/bin/novita-mock"
chmod +x "$3/bin/pip" "$3/bin/novita-mock"
"""
PIP = '#!/bin/sh\nprintf "%s\\n" "$*" >> "$ASKED_OF_PIP"\n'


def loaded(path: Path) -> dict[str, Any]:
    """A file of an action."""
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def executable(path: Path, text: str) -> None:
    """Writes a program."""
    path.write_text(text)
    path.chmod(0o755)


def held_to(schema: str, *files: Path) -> None:
    """Passes files that their service would take."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# GitHub


@dataclass
class Job:
    """A job on a runner: its folders, and what its steps have told the later ones.

    Attributes:
        folder: everything lies in it.
        environment: set for later steps.
        processes: started in the background.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "commands").mkdir()
        (self.folder / "runner temp").mkdir()
        executable(self.folder / "commands" / "python", VENV)

    def step(self, action: str, id: str, **inputs: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
        """Runs the script of a step; gives what it printed, and its outputs."""
        found = loaded(ACTIONS[action])
        [step] = [step for step in found["runs"]["steps"] if step.get("id") == id]
        known = {name: str(one.get("default", "")) for name, one in found.get("inputs", {}).items()} | inputs
        paths = {name: self.folder / name for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "ASKED_OF_PIP")}
        for name in ("GITHUB_OUTPUT", "GITHUB_ENV"):
            paths[name].write_text("")
        script = self.folder / "script.sh"
        script.write_text(step["run"])
        env = {
            "PATH": f"{self.folder / 'commands'}:{os.defpath}",
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),
            "REAL_PYTHON": sys.executable,
            "RUNNER_TEMP": str(self.folder / "runner temp"),
            "GITHUB_ACTION_PATH": str(ACTIONS[action].parent),
            **{name: str(path) for name, path in paths.items()},
            **self.environment,
            **{name: self._filled(value, known) for name, value in step.get("env", {}).items()},
        }
        done = subprocess.run(
            [*GITHUB, str(script)], cwd=self.folder, env=env, capture_output=True, text=True, check=False, timeout=120
        )
        outputs = dict(line.split("=", 1) for line in paths["GITHUB_OUTPUT"].read_text().splitlines())
        self.environment |= dict(line.split("=", 1) for line in paths["GITHUB_ENV"].read_text().splitlines())
        if "pid" in outputs:
            self.processes.append(int(outputs["pid"]))
        return done, outputs

    def _filled(self, value: str, inputs: dict[str, str]) -> str:
        value = value.replace("${{ steps.python.outputs.python-path }}", str(self.folder / "commands" / "python"))
        return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: inputs[found[1]], value)


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    """A job; what it left running ends with it, as on a runner."""
    found = Job(tmp_path)
    yield found
    for pid in found.processes:
        if is_alive(pid):
            os.kill(pid, 9)


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def test_the_actions_are_what_github_takes() -> None:
    held_to("vendor.github-actions", *ACTIONS.values(), ROOT / "action.yml")


@pytest.mark.parametrize("name", ACTIONS)
def test_each_expression_names_something_and_no_input_stands_in_a_script(name: str) -> None:
    found = loaded(ACTIONS[name])
    said = ACTIONS[name].read_text(encoding="utf-8")
    assert set(re.findall(r"\binputs\.([\w-]+)", said)) == set(found.get("inputs", {}))
    steps = {step["id"]: step for step in found["runs"]["steps"] if "id" in step}
    for id, output in re.findall(r"steps\.([\w-]+)\.outputs\.([\w-]+)", said):
        assert "uses" in steps[id] or f'"{output}=' in steps[id]["run"], (id, output)
    for step in found["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), "it would be read as a command"
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "actions/none@v0"))


def test_a_mock_is_there_for_later_steps_and_its_end_keeps_what_it_saw(job: Job) -> None:
    inputs = {"port": "0", "scenario": "happy", "args": "--coverage --seed 7", "key": "sk-mock-of-the-job"}
    began, outputs = job.step("mock", "start", **inputs)
    assert began.returncode == 0, began.stdout + began.stderr
    assert f"kill {outputs['pid']}" in began.stdout, "it says how to stop it"
    assert job.environment == {"NOVITA_API_URI": outputs["url"], "NOVITA_API_KEY": "sk-mock-of-the-job"}
    asked = (job.folder / "ASKED_OF_PIP").read_text().splitlines()
    assert asked[:2] == ["install", "--quiet"]
    assert Path(asked[2]).resolve() == ROOT
    told = httpx.get(f"{outputs['url']}/__mock/version").json()
    assert (told["clock"], told["seed"]) == ("auto", 7)
    headers = {"authorization": f"Bearer {outputs['key']}"}
    assert httpx.get(f"{outputs['url']}/v3/model", headers=headers).status_code == 200

    ended, kept = job.step("mock-end", "end")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not is_alive(int(outputs["pid"]))
    journal = Path(kept["folder"])
    assert {"worlds.json", "coverage.html", "mock.log", "no-world"} <= {path.name for path in journal.iterdir()}
    [calls] = [path for path in journal.rglob("calls.har") if path.parent.name != "no-world"]
    assert json.loads(calls.read_text())["log"]["entries"]
    again, nothing = job.step("mock-end", "end")
    assert (again.returncode, nothing) == (0, {})


@pytest.mark.parametrize(
    ("inputs", "said"), [({"scenario": "no-such"}, "no-such"), ({"args": "--no-such-flag"}, "--no-such-flag")]
)
def test_a_mock_that_does_not_start_fails_its_step_with_its_log(job: Job, inputs: dict[str, str], said: str) -> None:
    began, outputs = job.step("mock", "start", port="0", **inputs)
    assert began.returncode == 1
    assert "::error" in began.stdout
    assert said in began.stdout
    assert "url" not in outputs
    assert job.environment == {}


def test_the_variables_can_be_left_alone_and_a_version_is_what_pip_installs(job: Job) -> None:
    began, outputs = job.step("mock", "start", port="0", environment="false", version="novita-mock==0.1.0")
    assert began.returncode == 0, began.stdout + began.stderr
    assert job.environment == {}
    assert outputs["key"] == "sk-mock-ci"
    assert (job.folder / "ASKED_OF_PIP").read_text().splitlines()[-1] == "novita-mock==0.1.0"


def test_a_mock_with_listed_keys_tells_the_world_of_the_jobs_key(job: Job) -> None:
    _, outputs = job.step("mock", "start", port="0", key="sk-mock-of-the-job", args="--key sk-mock-of-the-job")
    headers = {"authorization": f"Bearer {outputs['key']}"}
    assert httpx.get(f"{outputs['url']}/v3/model", headers=headers).status_code == 200
    ended, kept = job.step("mock-end", "end")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    worlds = [path for path in Path(kept["folder"]).iterdir() if path.is_dir() and path.name != "no-world"]
    assert len(worlds) == 1


def test_the_end_says_so_when_the_mock_has_ended_before(job: Job) -> None:
    """Its log is kept all the same, and the step is red: something was wrong."""
    _, outputs = job.step("mock", "start", port="0")
    os.kill(int(outputs["pid"]), 9)
    ended, kept = job.step("mock-end", "end")
    assert ended.returncode == 3
    assert "had ended before" in ended.stdout
    assert (Path(kept["folder"]) / "mock.log").is_file()


# The page


def yaml_blocks() -> dict[str, list[str]]:
    """The YAML of docs/ci.md by the file that its first line names."""
    found: dict[str, list[str]] = {}
    for name, text in re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S):
        found.setdefault(name, []).append(text)
    return found


def test_the_page_shows_files_that_their_services_take(tmp_path: Path) -> None:
    blocks = yaml_blocks()
    for number, text in enumerate(blocks[".gitlab-ci.yml"]):
        (tmp_path / f"{number}.gitlab-ci.yml").write_text(text)
    held_to("vendor.gitlab-ci", *tmp_path.glob("*.gitlab-ci.yml"))
    [workflow] = blocks[".github/workflows/test.yml"]
    (tmp_path / "test.yml").write_text(workflow)
    held_to("vendor.github-workflows", tmp_path / "test.yml")


def test_the_workflow_of_the_page_uses_what_the_actions_have() -> None:
    [workflow] = yaml_blocks()[".github/workflows/test.yml"]
    steps = yaml.safe_load(workflow)["jobs"]["test"]["steps"]
    ours = {
        step["uses"].partition("@")[0].rpartition("/")[2]: step
        for step in steps
        if "novita-mock" in step.get("uses", "")
    }
    assert ours.keys() == ACTIONS.keys()
    assert ours["mock"]["with"].keys() <= loaded(ACTIONS["mock"])["inputs"].keys()
    assert ours["mock-end"]["if"] == "always()"
    for output in re.findall(r"steps\.mock\.outputs\.(\w+)", workflow):
        assert output in loaded(ACTIONS["mock"])["outputs"]
    table = re.findall(r"^\| `([\w-]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert table == list(loaded(ACTIONS["mock"])["inputs"])


# GitLab


def gitlab(name: str) -> dict[str, Any]:
    """A job of the page."""
    jobs: dict[str, Any] = {}
    for text in yaml_blocks()[".gitlab-ci.yml"]:
        jobs |= yaml.safe_load(text)
    found: dict[str, Any] = jobs[name]
    return found


@dataclass(frozen=True, kw_only=True)
class Done:
    """A job that has ended, in its folder."""

    code: int
    said: str
    folder: Path


def carried_out(folder: Path, job: dict[str, Any], port: int, **files: str) -> Done:
    """A job's lines as GitLab's runner gives them to bash, on a free port; what it left running ends with it."""
    commands, work = folder / "commands", folder / "work"
    commands.mkdir()
    work.mkdir()
    executable(commands / "pip", PIP)
    for name, text in files.items():
        executable(work / name, text)
    (folder / "script.sh").write_text("\n".join(["set -eo pipefail", *job["before_script"], *job["script"]]))
    env = {name: value for name, value in os.environ.items() if not name.startswith("NOVITA_")}  # noqa: TID251
    env |= {"PATH": f"{commands}:{BIN}:{os.defpath}", "ASKED_OF_PIP": str(folder / "asked"), "CI": "true"}
    env |= {"NOVITA_MOCK_PORT": str(port), "NOVITA_CONFORMANCE_ONLY": "V3-MODEL-001"}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # those of this environment take time only
    for name, value in job["variables"].items():
        env[name] = re.sub(r":(4280|8000)\b", f":{port}", value.replace("$CI_JOB_ID", "4711"))
    output = folder / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            ["bash", str(folder / "script.sh")], cwd=work, env=env, stdout=file, stderr=file, start_new_session=True
        )
        try:
            code = process.wait(120)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
    return Done(code=code, said=output.read_text(), folder=work)


def paths_of(job: dict[str, Any]) -> set[str]:
    """What a job keeps."""
    kept = job["artifacts"]
    return {*kept["paths"], kept["reports"]["junit"]}


TESTS = """
import os
import httpx

def test_models_are_listed():
    headers = {"Authorization": f"Bearer {os.environ['NOVITA_API_KEY']}"}
    answer = httpx.get(os.environ["NOVITA_API_URI"] + "/v3/model", headers=headers)
    assert answer.status_code == %d
"""
SERVER = "#!/bin/sh\nexec novita-mock --clock manual\n"


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
        return number


@pytest.mark.parametrize(("status", "code"), [(200, 0), (500, 1)])
def test_the_job_of_a_client_keeps_what_was_seen_whether_its_tests_pass_or_not(
    tmp_path: Path, port: int, status: int, code: int
) -> None:
    job = gitlab("client")
    done = carried_out(tmp_path, job, port, **{"test_it.py": TESTS % status})
    assert done.code == code, done.said
    for path in paths_of(job):
        assert (done.folder / path).exists(), path
    [calls] = [path for path in done.folder.rglob("calls.har") if path.parent.name != "no-world"]
    assert json.loads(calls.read_text())["log"]["entries"]
    assert "novita-mock" in (tmp_path / "asked").read_text()


def test_the_job_of_a_server_keeps_its_reports(tmp_path: Path, port: int) -> None:
    job = gitlab("server")
    done = carried_out(tmp_path, job, port, **{"start-my-server": SERVER})
    assert done.code == 0, done.said
    for path in paths_of(job) - {"conformance-repro/"}:
        assert (done.folder / path).is_file(), path
    assert "V3-MODEL-001" in (done.folder / "junit.xml").read_text()


def test_the_mock_as_a_service_takes_its_flags_and_its_job_is_bash(tmp_path: Path) -> None:
    """Its command is started by the service's own shell; it listens everywhere there, which a test must not."""
    job = gitlab("client-in-javascript")
    [service] = job["services"]
    [line] = service["command"]
    _, _, command = line.partition(" && ")
    program, *flags = shlex.split(command)
    assert program == "novita-mock"
    with serve.make_context("serve", flags) as ctx:
        assert ctx.params["host"] == "0.0.0.0"
    script = tmp_path / "script.sh"
    script.write_text("\n".join(job["script"]))
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        job["variables"]["NOVITA_API_URI"]
        == f"http://{service['alias']}:{service['variables']['HEALTHCHECK_TCP_PORT']}"
    )


def test_the_resources_that_the_page_asks_for_are_there() -> None:
    """By curl, in jobs without Python."""
    with ServerThread(Settings(clock=ClockMode.parse("auto"), coverage=True)) as server:
        for path in set(re.findall(r"(/__mock/[\w./]+(?:\?[\w=]+)?)", PAGE.read_text(encoding="utf-8"))):
            answer = httpx.get(server.url + path, headers={"authorization": "Bearer sk-mock-ci"})
            assert answer.status_code == 200, path
