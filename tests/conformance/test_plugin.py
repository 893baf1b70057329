from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mockserver.core.clock import ClockMode
from mockserver.running import ServerThread
from mockserver.settings import Settings

FLAGS = "--api-key sk-mock-conformance-plugin --no-repro"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A mock whose clock the suite moves."""
    with ServerThread(Settings(clock=ClockMode.parse("manual"))) as server:
        yield server.url


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Pytest in a process of its own, in a folder that has nothing of ours."""
    plain = ["-p", "no:cacheprovider", "-p", "no:randomly", "-rA"]
    if "conformance.plugin" not in _entry_points():
        plain += ["-p", "conformance.plugin"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plain, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def _entry_points() -> set[str]:
    from importlib.metadata import entry_points

    return {point.value for point in entry_points(group="pytest11")}


def test_each_requirement_is_a_test(url: str, tmp_path: Path) -> None:
    """PASS passes, WARN warns, NOT_APPLICABLE is skipped, UNTESTABLE fails; -k chooses; reports come too."""
    only = "--only V3-SUBMIT-001 --only V3-SUBMIT-011 --only V3-AUTH-006 --only V3-ERROR --only V3-LINK-001"
    report = f"--report json={tmp_path / 'report.json'}"
    done = run_pytest(
        tmp_path,
        *("--pyargs", "conformance", "--target", url, "--target-flags", f"{FLAGS} {only} {report}"),
        *("-k", "SUBMIT or AUTH or ERROR-0", f"--junitxml={tmp_path / 'junit.xml'}"),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    found = {case.attrib["name"]: [child.tag for child in case] for case in root.iter("testcase")}
    assert found["V3-SUBMIT-001"] == []
    assert found["V3-SUBMIT-011"] == []
    assert found["V3-AUTH-006"] == ["failure"]
    assert ["skipped"] in found.values()
    assert "V3-LINK-001" not in found
    assert "ConformanceWarning: V3-SUBMIT-011: " in done.stdout
    assert "UNTESTABLE: needs the key of a second account" in done.stdout
    assert "Traceback" not in done.stdout
    raw = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert {one["id"] for one in raw["requirements"]} == set(found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "needs --target URL"),
        (("--target", "http://127.0.0.1:1", "--target-flags", "--api-key k --only V9"), "no requirement is"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run_pytest(tmp_path, "--pyargs", "conformance", *arguments)
    assert done.returncode in (2, 4)
    assert said in done.stdout + done.stderr


def test_a_clock_that_is_not_there_ends_the_session(url: str, tmp_path: Path) -> None:
    flags = f"{FLAGS} --only V3-MODEL --clock /elsewhere"
    done = run_pytest(tmp_path, "--pyargs", "conformance", "--target", url, "--target-flags", flags)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--clock /elsewhere: no clock answers there" in done.stdout + done.stderr


def test_other_suites_may_have_a_flag_of_the_same_name(tmp_path: Path) -> None:
    """Our flags exist only when our package is asked for, and nothing of the suite is imported else."""
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--target', default='theirs')\n", encoding="utf-8"
    )
    (tmp_path / "test_theirs.py").write_text(
        "import sys\n\ndef test_theirs(request):\n"
        "    assert request.config.getoption('--target') == 'mine'\n"
        "    assert 'conformance.job' not in sys.modules\n",
        encoding="utf-8",
    )
    done = run_pytest(tmp_path, "--target", "mine")
    assert done.returncode == 0, done.stdout + done.stderr
