from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from conformance import cli as module
from conformance.cli import cli
from conformance.exit_codes import ExitCode
from conformance.job import Job, perform
from conformance.list_commands import explanation
from conformance.registry import Area, Registry
from conformance.run_commands import run_command
from conformance.run_options import MODEL_NAMES, job_of
from conformance.selection import load_revision, select
from conformance.target import Target
from conformance.trial import Trial
from mockserver.core.clock import ClockMode
from mockserver.running import ServerThread
from mockserver.settings import Settings
from openapi.requirements import load_requirements

KEY = "sk-mock-conformance-cli"
ROWS = load_requirements()
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A mock whose clock the suite moves."""
    with ServerThread(Settings(clock=ClockMode.parse("manual"))) as server:
        yield server.url


def call(*arguments: str, env: dict[str, str] | None = None) -> Result:
    """The command, in this process; a usage error gives 2."""
    return CliRunner().invoke(cli, arguments, env=env)


def options(*arguments: str) -> Job:
    """The job that arguments of `run` ask for."""
    found = run_command.make_context("run", [*arguments, "--api-key", KEY]).params
    return job_of(found)


# Runs


def test_a_run_writes_every_report_and_exits_with_what_it_means(url: str, tmp_path: Path) -> None:
    kinds = {"json": "a.json", "html": "a.html", "junit": "a.xml", "badge": "a.svg", "md": "a.md"}
    reports = [f"{kind}={tmp_path / name}" for kind, name in kinds.items()]
    done = call(
        *("run", url, "--api-key", KEY, "--only", "V3-SUBMIT-001", "--only", "V3-LINK-001", "--no-repro"),
        *("--report", *reports, "--events", str(tmp_path / "events.jsonl")),
    )
    assert done.exit_code == 0, done.output
    assert "Conformant (exit code 0)" in done.output
    assert all((tmp_path / name).stat().st_size for name in kinds.values())
    raw = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [one["verdict"] for one in raw["requirements"]] == ["PASS", "PASS"]
    assert raw["spent"]["tasks"] >= 1
    assert raw["requirements"][0]["exchanges"]
    texts = [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()]
    assert not any(KEY in text for text in [*texts, done.output])
    assert len((tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()) > 5


def test_the_key_may_come_from_the_environment(url: str) -> None:
    done = call("run", url, "--only", "V3-SUBMIT-001", env={"NOVITA_API_KEY": KEY})
    assert done.exit_code == 0, done.output
    assert call("run", url, env={"NOVITA_API_KEY": ""}).exit_code == ExitCode.USAGE


def test_a_stale_expected_failure_is_red(url: str, tmp_path: Path) -> None:
    known = tmp_path / "known.yaml"
    known.write_text("V3-SUBMIT-001: not yet\n", encoding="utf-8")
    done = call("run", url, "--api-key", KEY, "--only", "V3-SUBMIT-001", "--expected-failures", str(known))
    assert done.exit_code == ExitCode.VIOLATION
    assert "STALE V3-SUBMIT-001" in done.output


def test_what_the_budget_does_not_allow_is_not_measured(url: str) -> None:
    done = call("run", url, "--api-key", KEY, "--only", "V3-LINK-001", "--max-requests", "3")
    assert done.exit_code == ExitCode.INCONCLUSIVE
    assert "not measured: budget (--max-requests 3 would be passed)" in done.output


def test_a_target_that_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    report = tmp_path / "a.json"
    done = call("run", NOWHERE, "--api-key", KEY, "--only", "V3-LINK", "--report", f"json={report}")
    assert done.exit_code == ExitCode.UNREACHABLE
    assert json.loads(report.read_text(encoding="utf-8"))["exit"] == "target unreachable"


def test_nothing_chosen_is_never_green(url: str) -> None:
    done = call("run", url, "--api-key", KEY, "--only", "V3-LINK", "--exclude", "V3-LINK")
    assert done.exit_code == ExitCode.INCONCLUSIVE
    assert "Nothing was chosen" in done.output


def test_a_report_that_cannot_be_written_is_no_success(url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    place = f"json={tmp_path / 'file' / 'a.json'}"
    done = call("run", url, "--api-key", KEY, "--only", "V3-SUBMIT-001", "--report", place)
    assert done.exit_code == ExitCode.HARNESS_ERROR
    assert "cannot be written" in done.output


def test_a_run_says_what_it_would_send_and_sends_nothing() -> None:
    done = call("run", NOWHERE, "--api-key", KEY, "--plan")
    assert done.exit_code == 0, done.output
    assert "nothing was sent" in done.output
    assert re.search(r"\d+ tasks, \d+ pictures", done.output)


def test_a_violation_is_told_with_its_script(tmp_path: Path) -> None:
    with empty_server() as url:
        done = call(
            *("run", url, "--api-key", KEY, "--only", "V3-MODEL-001", "--clock", "none"),
            *("--capabilities", str(claims(tmp_path)), "--repro-dir", str(tmp_path / "repro")),
        )
    assert done.exit_code == ExitCode.VIOLATION, done.output
    assert "FAIL V3-MODEL-001 MUST" in done.output
    assert (tmp_path / "repro" / "V3-MODEL-001.sh").exists()


def claims(folder: Path) -> Path:
    """A file that claims the model list."""
    path = folder / "capabilities.yaml"
    path.write_text("operations: {listModels: true}\n", encoding="utf-8")
    return path


class NothingHere(BaseHTTPRequestHandler):
    """Answers 404 to everything."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def empty_server() -> Iterator[str]:
    """A server that has nothing."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), NothingHere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


# Interruption and mistakes of ours


def job(url: str, *only: str) -> Job:
    """A job without made-up input and scripts."""
    target = Target(url=url, key=KEY, control="/__mock")
    return Job(target=target, selection=select(ROWS, load_revision(), only=only), fuzz=False)


def registry_of(monkeypatch: pytest.MonkeyPatch, **checks: object) -> None:
    """Puts other checks in the place of all: ids with underscores."""
    registry = Registry()
    for name, run in checks.items():
        area = Area()
        area.check(name.replace("_", "-"))(run)  # type: ignore[arg-type]  # a check by its shape
        registry.add(area.checks[0])
    monkeypatch.setattr("conformance.registry.load_checks", lambda: registry)


async def holds(t: Trial) -> None:
    """Finds nothing."""
    del t


def test_an_interrupted_run_reports_what_was_decided(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decided = asyncio.Event()

    async def interrupt(t: Trial) -> None:
        del t
        await decided.wait()
        signal.raise_signal(signal.SIGINT)
        await asyncio.Event().wait()

    registry_of(monkeypatch, V3_LINK_001=holds, V3_LINK_002=interrupt)

    def listen(event: object) -> None:
        if type(event).__name__ == "CheckFinished":
            decided.set()

    found = perform(job(url, "V3-LINK-001", "V3-LINK-002"), [listen])
    assert found.exit_code is ExitCode.INTERRUPTED
    assert [entry.verdict for entry in found.entries] == ["PASS", "UNTESTABLE"]
    assert found.entries[1].message == "not measured: interrupted"
    assert found.spent.requests >= 1


def test_a_mistake_of_a_check_is_ours(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(t: Trial) -> None:
        del t
        raise ZeroDivisionError

    registry_of(monkeypatch, V3_LINK_001=breaks)
    assert perform(job(url, "V3-LINK-001")).exit_code is ExitCode.HARNESS_ERROR


def test_a_mistake_outside_any_check_still_gives_a_report(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down() -> Registry:
        raise RuntimeError("no checks today")

    monkeypatch.setattr("conformance.registry.load_checks", break_down)
    found = perform(job(url, "V3-LINK-001"))
    assert found.exit_code is ExitCode.HARNESS_ERROR
    assert "no checks today" in found.stopped


def test_the_command_ends_with_5_when_it_breaks_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(**_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(module, "cli", break_down)
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == ExitCode.HARNESS_ERROR


# Flags


def test_several_reports_stand_behind_one_flag_or_several() -> None:
    arguments = ["http://h", "--report", "json=a", "html=b", "--strict", "--report", "md=c", "--api-key", "k"]
    params = run_command.make_context("run", list(arguments)).params
    assert [(kind, str(path)) for kind, path in params["reports"]] == [("json", "a"), ("html", "b"), ("md", "c")]
    assert params["strict"] is True
    first = run_command.make_context("run", ["--report=json=a", "md=c", "http://h", "--api-key", "k"]).params
    assert (len(first["reports"]), first["url"]) == (2, "http://h")


@pytest.mark.parametrize(
    ("target", "safe", "control"),
    [
        ("http://127.0.0.1:4280/", False, "/__mock"),
        ("http://localhost:4280", False, "/__mock"),
        ("https://api.example", True, ""),
    ],
)
def test_safe_mode_and_clock_follow_the_host(target: str, safe: bool, control: str) -> None:
    found = options(target).target
    assert (found.safe, found.control) == (safe, control)
    assert not found.url.endswith("/")
    other = options(target, "--no-safe" if safe else "--safe", "--clock", "/time/").target
    assert (other.safe, other.control) == (not safe, "/time")
    assert options(target, "--clock", "none").target.control == ""
    assert (found.clock_named, other.clock_named) == (False, True)


def test_a_clock_that_is_named_and_not_there_is_wrong_usage(url: str) -> None:
    done = call("run", url, "--api-key", KEY, "--only", "V3-MODEL-001", "--clock", "/elsewhere")
    assert done.exit_code == ExitCode.USAGE
    assert "--clock /elsewhere: no clock answers there" in done.output


def test_a_budget_that_allows_nothing_is_inconclusive(url: str) -> None:
    done = call("run", url, "--api-key", KEY, "--only", "V3-MODEL-001", "--max-requests", "0")
    assert done.exit_code == ExitCode.INCONCLUSIVE
    assert "not measured: budget (--max-requests 0 would be passed): V3-MODEL-001" in done.output


def test_a_run_in_real_time_says_so(url: str, tmp_path: Path) -> None:
    reports = [f"{kind}={tmp_path / kind}" for kind in ("json", "html", "md")]
    args = ["run", url, "--api-key", KEY, "--only", "V3-MODEL-001"]
    done = call(*args, "--clock", "none", "--report", *reports)
    said = "the run goes in real time: no virtual clock is used"
    assert all(
        said in text for text in (done.output, *((tmp_path / kind).read_text() for kind in ("json", "html", "md")))
    )
    assert "real time" not in call(*args).output


def test_flags_become_a_target_and_limits() -> None:
    found = options(
        *(
            "http://127.0.0.1:1",
            "--second-key",
            "two",
            "--name",
            "lora=mine",
            "--max-usd",
            "0.5",
            "--task-timeout",
            "7",
        ),
        *("--task-timeout", "7"),
        *("--s3-endpoint", "http://s3.test", "--s3-bucket", "b", "--s3-access-key", "a", "--s3-secret-key", "s"),
    )
    assert (found.target.second_key, found.target.names, found.target.task_timeout_s) == ("two", {"lora": "mine"}, 7)
    assert found.limits.max_usd == 0.5
    assert found.target.bucket is not None
    assert found.target.bucket.region == "us-east-1"
    told = json.dumps(found.options)
    assert "lora" in told
    assert not re.search(r'"(two|s|a)"', told), "secrets are not repeated"


def test_made_up_input_belongs_to_whole_runs_unless_asked_for() -> None:
    assert options("http://127.0.0.1:1").fuzz
    assert not options("http://127.0.0.1:1", "--only", "V3-LINK").fuzz
    assert options("http://127.0.0.1:1", "--only", "V3-LINK", "--fuzz").fuzz


def test_variables_stand_for_flags() -> None:
    done = call("run", NOWHERE, env={"NOVITA_API_KEY": KEY, "NOVITA_CONFORMANCE_ONLY": "V3-NONE"})
    assert "V3-NONE" in done.output
    assert done.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ftp://h"], "expected a URL"),
        (["http://h?x=1"], "no query"),
        (["http://[::1"], "Invalid"),
        (["http://h", "--only", "V9"], "no requirement is, or begins with"),
        (["http://h", "--profile", "v9"], "no profile"),
        (["http://h", "--revision", "1999-01"], "no revision"),
        (["http://h", "--name", "colour=red"], MODEL_NAMES[0]),
        (["http://h", "--report", "pdf=a"], "expected KIND=FILE"),
        (["http://h", "--clock", "here"], "expected auto, none, or a path"),
        (["http://h", "--s3-bucket", "b"], "--s3-endpoint"),
        (["http://h", "--max-images", "-1"], "--max-images"),
    ],
)
def test_wrong_usage_is_told_and_gives_2(arguments: list[str], said: str) -> None:
    done = call("run", *arguments, "--api-key", KEY)
    assert done.exit_code == ExitCode.USAGE
    assert said in done.output


def test_no_flag_repeats_a_secret_in_the_help() -> None:
    said = call("run", "--help", env={"NOVITA_API_KEY": KEY}).output
    assert KEY not in said
    assert "Exit codes: 0 conformant" in said


# Other commands


def test_list_shows_requirements_as_text_and_json() -> None:
    assert call("list", "--area", "V3-LINK").output.count("V3-LINK-") == 6
    raw = json.loads(call("list", "--profile", "v3-nsfw", "--json").output)
    assert {one["profile"] for one in raw} == {"v3-nsfw"}
    assert call("list", "--area", "V9").exit_code == ExitCode.USAGE


def test_explain_tells_sentence_source_reasons_and_check() -> None:
    said = call("explain", "v3-txt2img-013").output
    assert "steps" in said
    assert "https://novita.ai/docs/api-reference/model-apis-txt2img" in said
    assert "C16" in said
    assert re.search(r"Check: \w+ in conformance\.checks\.", said)
    assert call("explain", "V3-LINK-999").exit_code == ExitCode.USAGE


def test_requirements_of_every_area_can_be_explained() -> None:
    for row in {row.area: row for row in ROWS}.values():
        assert explanation(row, ROWS)


def test_compare_and_matrix_read_written_reports(url: str, tmp_path: Path) -> None:
    for name, only in (("one", "V3-SUBMIT-001"), ("two", "V3-SUBMIT-00")):
        ids = ["V3-SUBMIT-001"] if only.endswith("1") else ["V3-SUBMIT-001", "V3-SUBMIT-002"]
        flags = [flag for one in ids for flag in ("--only", one)]
        call("run", url, "--api-key", KEY, *flags, "--report", f"json={tmp_path / name}.json")
    first, second = str(tmp_path / "one.json"), str(tmp_path / "two.json")
    done = call("compare", first, second)
    assert (done.exit_code, "0 worse, 0 better, 1 other changes, 1 the same" in done.output) == (0, True)
    page, text = tmp_path / "m.html", tmp_path / "m.md"
    assert call("matrix", first, second, "--html", str(page), "--md", str(text)).exit_code == 0
    assert "V3-SUBMIT-001" in page.read_text(encoding="utf-8")
    assert "one" in call("matrix", first).output
    (tmp_path / "three.json").write_text("{}", encoding="utf-8")
    assert call("compare", first, str(tmp_path / "three.json")).exit_code == ExitCode.USAGE


def test_every_command_that_is_listed_can_be_called() -> None:
    assert isinstance(cli, click.Group)
    context = click.Context(cli)
    names = cli.list_commands(context)
    assert {"run", "list", "explain", "compare", "matrix"} <= set(names)
    assert all(cli.get_command(context, name) for name in names)
    assert cli.get_command(context, "coffee") is None


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "--version"], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("novita-conformance ")


def test_the_base_install_says_what_is_missing() -> None:
    """Without the extra `run` cannot start; it says which one, not where it broke."""
    program = (
        "import sys; sys.modules['aiohttp'] = None; sys.modules['rich'] = None\n"
        "sys.argv = ['novita-conformance', 'run', 'http://127.0.0.1:1', '--api-key', 'k', '--only', 'V3-MODEL-001']\n"
        "from conformance.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == ExitCode.USAGE
    assert "pip install 'novita-mock[conformance]'" in done.stderr
    assert "Traceback" not in done.stderr
