"""`novita-reference serve`: what it says when it starts, and when it cannot."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reference_impl import cli, running
from reference_impl.settings import Settings, default_data
from tests.reference.fakes import make_shelf
from tests.reference.servers import running as server_running
from tests.reference.servers import start, until

FAKE = ("--engine", "tests.reference.fakes:quick_painter")


def called(*arguments: str, env: dict[str, str] | None = None) -> Result:
    """What the command line says, in this process."""
    return CliRunner().invoke(cli.main, arguments, env=env)


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings with which a server would have been run; none is."""
    found: list[Settings] = []
    monkeypatch.setattr(running, "serve", found.append)
    return found


def test_flags_become_settings(chosen: list[Settings], tmp_path: Path) -> None:
    flags = (
        "--port 0 --host ::1 --api-key a --api-key b --strict --device cpu,cuda:1 --dtype float16 --threads 3 --nsfw m"
    )
    more = (
        "--cache 1.5GB --queue 9 --batch 4 --link-ttl 90s --keep 2d --alias A=b --alias C=d --public-url https://x.test"
    )
    result = called("serve", *FAKE, "--models", str(tmp_path), "--data", str(tmp_path), *flags.split(), *more.split())
    assert result.exit_code == 0, result.output
    (settings,) = chosen
    assert settings == Settings(
        models=tmp_path,
        data=tmp_path,
        port=0,
        host="::1",
        api_keys=("a", "b"),
        strict=True,
        devices=("cpu", "cuda:1"),
        dtype="float16",
        threads=3,
        nsfw="m",
        cache_bytes=3 * 2**29,
        queue=9,
        batch=4,
        link_ttl_s=90,
        keep_s=2 * 86400,
        aliases={"A": "b", "C": "d"},
        public_url="https://x.test",
        engine=FAKE[1],
    )
    assert settings.is_local


def test_variables_are_read_where_no_flag_is_given(chosen: list[Settings]) -> None:
    variables = {"NOVITA_REFERENCE_PORT": "4299", "NOVITA_REFERENCE_API_KEYS": "a b", "NOVITA_REFERENCE_DEVICE": "cuda"}
    assert called("serve", *FAKE, "--device", "cpu", env=variables).exit_code == 0
    (settings,) = chosen
    assert (settings.port, settings.api_keys, settings.devices) == (4299, ("a", "b"), ("cpu",))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--alias", "nothing"), "is not OFFICIAL=NAME"),
        (("--cache", "plenty"), "write such as 4GB"),
        (("--link-ttl", "soon"), "write such as 90s"),
        (("--queue", "1"), "x>=8"),
        (("--device", ","), "names no device"),
        (("--link-ttl", "8d"), "7 days"),
        (("--store", "redis://127.0.0.1"), "expected postgresql://"),
        (("--lease", "1s"), "2 seconds at least"),
        (("--ray", "somewhere"), "write host:port, auto"),
        (
            ("--ray", "auto", "--device", "cpu", "--cache", "1GB"),
            "give --device, --cache to `novita-reference replicas`",
        ),
        (("--public-url", "example.test"), "http"),
    ],
)
def test_a_flag_that_makes_no_sense_says_what_was_expected(flags: tuple[str, str], message: str) -> None:
    result = called("serve", *FAKE, *flags)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--min", "3", "--max", "2"), "2 is less than --min 3"),
        (("--ray", "10.0.0.1:6379", "--ray-folder", "folder"), "the cluster has its own"),
        (("--remove",), "name the cluster with --ray"),
        (("--models", "nowhere"), "is no folder"),
        (("--ray", "10.0.0.1"), "write host:port, auto or local"),
    ],
)
def test_replicas_that_make_no_sense_are_refused_before_ray_is_loaded(flags: tuple[str, ...], message: str) -> None:
    result = called("replicas", *FAKE, *flags)
    assert result.exit_code == 2
    assert message in result.output


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for command in (("replicas", *FAKE), ("serve", *FAKE, "--ray", "auto")):
        result = called(*command)
        assert result.exit_code == 3
        assert "pip install 'novita-mock[ray]'" in result.output


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for command in (("serve",), ("train", "--help")):
        result = called(*command)
        assert result.exit_code == 3
        assert "pip install 'novita-mock[reference]'" in result.output


def test_all_commands_are_listed_and_nothing_heavy_is_imported_for_it() -> None:
    listing = "import sys; from reference_impl.cli import main; main(['--help'], standalone_mode=False)"
    heavy = "print(sorted({'torch', 'diffusers', 'boto3', 'ray', 'psycopg'} & sys.modules.keys()))"
    code = f"{listing}; import reference_impl.running; {heavy}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in ("serve", "replicas", "make-models", "train", "evaluate"))
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_folder_without_models_says_how_to_make_them(tmp_path: Path) -> None:
    result = called("serve", *FAKE, "--port", "0", "--models", str(tmp_path / "no"), "--data", str(tmp_path / "data"))
    assert result.exit_code == 3
    assert "make-models" in result.output


def test_a_port_that_is_taken_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        models = str(make_shelf(tmp_path / "models").folder)
        result = called("serve", *FAKE, "--port", port, "--models", models, "--data", str(tmp_path / "data"))
    assert result.exit_code == 3
    assert "--port 0 picks a free one" in result.output


def test_a_data_folder_that_is_in_use_is_refused(tmp_path: Path) -> None:
    models = make_shelf(tmp_path / "models").folder
    with server_running(models, tmp_path / "data"):
        flags = ("--port", "0", "--models", str(models), "--data", str(tmp_path / "data"))
        done = subprocess.run(
            [sys.executable, "-m", "reference_impl", "serve", *FAKE, *flags],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    assert "another server uses" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    models, file = str(make_shelf(tmp_path / "models").folder), tmp_path / "file"
    file.touch()
    result = called("serve", *FAKE, "--port", "0", "--models", models, "--data", str(file))
    assert result.exit_code == 3
    assert "--data names another folder" in result.output


def test_a_detector_that_is_not_there_is_refused(tmp_path: Path) -> None:
    models = str(make_shelf(tmp_path / "models").folder)
    flags = ("--port", "0", "--models", models, "--data", str(tmp_path / "data"))
    result = called("serve", *FAKE, *flags, "--nsfw", "nobody")
    assert result.exit_code == 3
    assert "there is no detector 'nobody'" in result.output


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ('{"id2label": {"0": "fine"}}', 'safety/worldly.json should say "nsfw_levels"'),
        ("[", "safety/worldly/config.json is no JSON"),
        ("[]", "safety/worldly/config.json should hold a JSON object"),
    ],
)
def test_a_detector_that_does_not_say_which_labels_count_is_told_at_once(
    tmp_path: Path, config: str, told: str
) -> None:
    models = make_shelf(tmp_path / "models").folder
    (models / "safety" / "worldly").mkdir(parents=True)
    (models / "safety" / "worldly" / "config.json").write_text(config)
    flags = ("--port", "0", "--models", str(models), "--data", str(tmp_path / "data"))
    result = called("serve", *FAKE, *flags)
    assert result.exit_code == 3
    assert told in result.output


def test_a_server_without_an_engine_answers_and_says_what_is_wrong(tmp_path: Path) -> None:
    models = make_shelf(tmp_path / "models").folder
    with server_running(models, tmp_path / "data", engine="missing_engine") as server:

        def broken() -> Any:
            answer = server.client.get("/ready")
            return answer if answer.json()["status"] == "broken" else None

        answer = until(broken)
        assert answer.status_code == 503
        assert "pip install" in answer.json()["reason"]
        task = server.submit()
        assert server.result(task)["task"]["status"] == "TASK_STATUS_QUEUED"


def test_the_clock_is_set_forward_only_where_that_was_asked_for(tmp_path: Path) -> None:
    models = make_shelf(tmp_path / "models").folder
    with server_running(models, tmp_path / "plain") as server:
        assert server.client.get("/__test/clock").status_code == 404
    with server_running(models, tmp_path / "data", "--test-clock", engine="quick_painter") as server:
        before_ms = server.client.get("/__test/clock").json()["now_ms"]
        url = server.ended(server.submit())["images"][0]["image_url"]
        assert server.client.get(url).status_code == 200
        assert server.client.post("/__test/clock/advance", json={"seconds": 3602}).status_code == 200
        assert server.client.get("/__test/clock").json()["now_ms"] >= before_ms + 3_602_000
        assert server.client.get(url).status_code == 403
        wrongs: list[Any] = [
            {},
            [],
            {"seconds": -1},
            {"seconds": "1"},
            {"seconds": True},
            {"seconds": 1, "more": "late"},
        ]
        for wrong in wrongs:
            assert server.client.post("/__test/clock/advance", json=wrong).status_code == 400


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_has_not_failed(tmp_path: Path, how: signal.Signals) -> None:
    server = start(make_shelf(tmp_path / "models").folder, tmp_path / "data")
    server.client.close()
    server.process.send_signal(how)
    _, errors = server.process.communicate(timeout=20)
    assert (server.process.returncode, errors) == (0, "")


def test_data_lies_where_the_user_keeps_state() -> None:
    assert default_data({"XDG_STATE_HOME": "/state"}) == Path("/state/novita-reference")
    assert default_data({}) == Path.home() / ".local" / "state" / "novita-reference"
