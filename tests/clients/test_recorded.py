"""Jobs of the vendor's clients, recorded against a server of ours and played again."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockserver.core.clock import ClockMode
from mockserver.core.fleet import FleetSettings
from mockserver.pictures import decode
from mockserver.running import ServerThread
from mockserver.settings import Settings
from tests.clients.environments import NPM_V2, NPM_V3, PYTHON_V3, ROOT, Environment
from tests.mockserver.programs.running import called

pytestmark = pytest.mark.clients

DRIVERS = ROOT / "tests" / "clients" / "drivers"
PROGRAMS = {
    PYTHON_V3: (PYTHON_V3.program, str(DRIVERS / "app_python.py")),
    NPM_V3: (NPM_V3.program, str(DRIVERS / "app_npm.cjs"), str(NPM_V3.folder)),
    NPM_V2: (NPM_V2.program, str(DRIVERS / "app_npm.cjs"), str(NPM_V2.folder)),
}


@pytest.mark.parametrize("environment", PROGRAMS, ids=lambda environment: environment.name)
def test_a_clients_job_is_recorded_and_played_again(tmp_path: Path, environment: Environment) -> None:
    """v3 by Python and npm, v2 by the old npm; the second picture is the first one's."""
    environment.require()
    program = PROGRAMS[environment]
    with ServerThread(Settings(clock=ClockMode.parse("real"), fleet=FleetSettings(task_ms=1500))) as upstream:
        live = ("--upstream", upstream.url, "--live", "--max-usd", "0.05")
        done = called("record", *live, "--", *program, cwd=tmp_path, env={"NOVITA_API_KEY": "sk-live-0123456789"})
    assert done.returncode == 0, done.stderr
    first = (tmp_path / "out.png").read_bytes()
    (tmp_path / "out.png").unlink()

    assert called("cassette", "audit", "cassettes", cwd=tmp_path).returncode == 0
    again = called("replay", "cassettes", "--", *program, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "not played" not in again.stderr
    assert decode((tmp_path / "out.png").read_bytes()) == decode(first)
