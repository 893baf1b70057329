"""Several servers on one store: none runs another's task, and the work of a lost one, or a lost store, is not lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reference.databases import Database
from tests.reference.fakes import make_shelf
from tests.reference.fleet import Accepted, in_hand, served
from tests.reference.receiver import receiving
from tests.reference.servers import Server, start, until

pytestmark = pytest.mark.ray

Launch = Callable[..., Server]


@pytest.fixture
def launch(tmp_path: Path, database: Database, request: pytest.FixtureRequest) -> Launch:
    """Starts servers on one store and one folder; they are stopped with the test."""
    shelf = make_shelf(tmp_path / "models")

    def one(*flags: str, engine: str = "patient_painter") -> Server:
        shared = ("--store", database.url, "--lease", "2s", "--webhook-retry", "0.2")
        server = start(shelf.folder, tmp_path / "data", *shared, *flags, engine=engine)
        request.addfinalizer(lambda: server.process.poll() is None and server.stop())
        return server

    return one


def test_servers_that_share_a_store_are_one_to_their_callers(launch: Launch, tmp_path: Path) -> None:
    """A task, its progress and its links are the same wherever they are asked for."""
    first, second = launch(), launch()
    with receiving() as receiver:
        accepted = Accepted(shelf=make_shelf(tmp_path / "models"), receiver=receiver)
        accepted.submit([first, second], 6)
        (task_id,) = accepted.submit([first], 1, steps=60)
        seen: list[int] = []
        while (task := [first, second][len(seen) % 2].result(task_id)["task"])["status"] != "TASK_STATUS_SUCCEED":
            seen.append(task["progress_percent"])
        assert seen == sorted(seen)
        assert len({percent for percent in seen if 0 < percent < 100}) >= 3
        link = first.result(task_id)["images"][0]["image_url"]
        assert served(first, link) == served(second, link)
        accepted.all_end_well(second)


def test_the_tasks_of_a_server_that_is_killed_are_ended_by_the_others(launch: Launch, tmp_path: Path) -> None:
    first, second = launch(), launch()
    with receiving() as receiver:
        accepted = Accepted(shelf=make_shelf(tmp_path / "models"), receiver=receiver)
        task_ids = accepted.submit([first, second], 10, steps=20)
        until(lambda: len(in_hand(second, task_ids)) >= 2)
        first.kill()
        accepted.all_end_well(second, once=False)
        assert launch().client.get("/health").status_code == 200


def test_a_store_that_dies_and_comes_back_loses_no_task(launch: Launch, tmp_path: Path, database: Database) -> None:
    first, second = launch(), launch()
    with receiving() as receiver:
        accepted = Accepted(shelf=make_shelf(tmp_path / "models"), receiver=receiver)
        task_ids = accepted.submit([first, second], 8, steps=20)
        until(lambda: in_hand(first, task_ids))
        database.stop()
        refused = second.client.get("/v3/async/task-result", params={"task_id": task_ids[0]})
        assert refused.status_code == 500
        assert first.client.get("/health").status_code == 200
        database.start()
        until(lambda: first.client.get("/v3/async/task-result", params={"task_id": task_ids[0]}).status_code == 200)
        accepted.all_end_well(first, once=False)


def test_a_folder_of_another_store_is_refused(launch: Launch, tmp_path: Path, database: Database) -> None:
    """Otherwise its pictures would be swept away as nobody's."""
    launch().stop()
    database.clear()
    models = str(tmp_path / "models")
    flags = ("--models", models, "--data", str(tmp_path / "data"), "--engine", "tests.reference.fakes:painter")
    for more in (("--store", database.url), ()):
        command = [sys.executable, "-m", "reference_impl", "serve", "--port", "0", *flags, *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 3
        assert "task store" in done.stderr
        assert "Traceback" not in done.stderr
