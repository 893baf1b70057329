"""`novita-mock journal`: what a mock has seen, as files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from mockserver.running import ServerThread
from mockserver.settings import Settings
from tests.bodies import TXT2IMG, txt2img

KEYS = ("sk-mock-first-key", "sk-mock-second-key")
FILES = {"calls.har", "findings.sarif", "ledger.json", "tasks.json", "webhooks.json"}


def journal(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it."""
    return subprocess.run(
        [sys.executable, "-m", "mockserver", "journal", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        check=False,
    )


def play(url: str) -> None:
    """Two worlds, and a call of none."""
    for key in KEYS:
        headers = {"authorization": f"Bearer {key}"}
        assert httpx.post(url + TXT2IMG, json=txt2img(prompt=f"my key is {key}"), headers=headers).status_code == 200
    assert httpx.get(f"{url}/v3/model").status_code == 403


def test_a_folder_a_world_and_no_key_in_any_file(tmp_path: Path) -> None:
    with ServerThread(Settings(coverage=True)) as server:
        play(server.url)
        done = journal(tmp_path, server.url, "--out", "made/here")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "made" / "here"
    written = [path for path in out.rglob("*") if path.is_file()]
    assert done.stdout == f"made/here: {len(written)} files\n"
    worlds = [path for path in out.iterdir() if path.is_dir() and path.name != "no-world"]
    assert len(worlds) == 2
    for world in worlds:
        assert {path.name for path in world.iterdir()} == FILES
        calls = json.loads((world / "calls.har").read_text())["log"]["entries"]
        assert [call["response"]["status"] for call in calls] == [200]
    assert len(json.loads((out / "no-world" / "calls.har").read_text())["log"]["entries"]) == 1
    assert "<html" in (out / "coverage.html").read_text()
    assert json.loads((out / "faults.tape").read_text())["faults"] == {}
    everything = "".join(path.read_text() for path in written)
    assert not any(key in everything for key in KEYS)


def test_a_mock_with_listed_keys_tells_the_worlds_of_those_that_are_named(tmp_path: Path) -> None:
    with ServerThread(Settings(keys=frozenset(KEYS))) as server:
        play(server.url)
        refused = journal(tmp_path, server.url)
        done = journal(tmp_path, server.url, "--key", KEYS[0])
    assert refused.returncode == 3
    assert "--key" in refused.stderr
    assert done.returncode == 0
    folder = tmp_path / "novita-mock-journal"
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nowhere", "http://127.0.0.1:port"])
def test_nobody_there_is_told(tmp_path: Path, url: str) -> None:
    done = journal(tmp_path, url)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with ServerThread(Settings()) as server:
        done = journal(tmp_path, server.url, "--out", "file/below")
    assert done.returncode == 2
    assert "cannot write into file/below" in done.stderr
