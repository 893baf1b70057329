"""`novita-mock journal URL`: what a running mock has seen, written into a folder; for the end of a CI job.

Exit codes: 0 written, 2 usage, or a folder that cannot be written to, 3 no mock that could tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockserver.settings import DEFAULT_PORT

if TYPE_CHECKING:
    import httpx

FOLDER = "novita-mock-journal"
OUTSIDE = "no-world"
TIMEOUT_S = 30.0
MOST = 1000
"""Deliveries and ledger entries of a world that are written, the youngest."""

OF_A_WORLD = {
    "calls.har": "requests.har",
    "findings.sarif": "findings.sarif",
    "ledger.json": f"ledger?limit={MOST}",
    "webhooks.json": f"webhooks/deliveries?limit={MOST}",
    "tasks.json": f"tasks?limit={MOST}",
}
"""Files of a world's folder, and the resource that gives each."""
OF_THE_SERVER = {"worlds.json": "worlds", "faults.tape": "tape"}


class NotWritten(click.ClickException):
    """There is no mock that tells; the message says what to try."""

    exit_code = 3


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("url", envvar="NOVITA_API_URI", default=f"http://127.0.0.1:{DEFAULT_PORT}", metavar="[URL]")
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(FOLDER),
    show_default=True,
    help="Folder; made when it is not there, files of the same names are written over.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Only the world of this key; repeatable. Needed where the server was started with --key.",
)
def journal(url: str, out: Path, keys: tuple[str, ...]) -> None:
    """Write what the mock at URL has seen into a folder: calls, findings, ledger, webhooks, tasks, tape, coverage.

    A folder a world, named by its shortened key and id; calls without an acceptable key are in `no-world`. Secrets were
    cut out when they came. Without URL: NOVITA_API_URI, else http://127.0.0.1:4280.
    """
    import httpx  # only where a server is asked

    try:
        # Not through a proxy of the environment: the mock is on this machine or beside it.
        with httpx.Client(base_url=f"{url.rstrip('/')}/__mock/", timeout=TIMEOUT_S, trust_env=False) as client:
            count = sum(_write(out / name, data) for name, data in _files(client, keys))
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise NotWritten(f"{url}: no answer ({error}); is a novita-mock running there?") from None
    except OSError as error:
        raise click.BadParameter(f"cannot write into {out}: {error.strerror}", param_hint="--out") from None
    click.echo(f"{out}: {count} files")


def _write(path: Path, data: bytes) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return 1


def _files(client: httpx.Client, keys: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    listed = _asked(client, "worlds")
    for name, resource in OF_THE_SERVER.items():
        yield name, _asked(client, resource).content
    yield f"{OUTSIDE}/calls.har", _asked(client, "requests.har").content
    report = client.get("coverage", params={"format": "html"})
    if report.status_code == 200:  # else it was not counted
        yield "coverage.html", report.content
        yield "coverage.json", _asked(client, "coverage").content
    if keys:
        for key in keys:
            headers = {"Authorization": f"Bearer {key}"}
            world = _asked(client, "worlds/current", headers).json()
            yield from _of_world(client, world, headers, {})
        return
    for world in listed.json()["worlds"]:
        yield from _of_world(client, world, {}, {"world": world["id"]})


def _of_world(
    client: httpx.Client, world: dict[str, str], headers: dict[str, str], query: dict[str, str]
) -> Iterator[tuple[str, bytes]]:
    folder = "".join(
        letter if letter.isalnum() or letter in "-." else "_" for letter in f"{world['key']}-{world['id']}"
    )
    for name, resource in OF_A_WORLD.items():
        yield f"{folder}/{name}", _asked(client, resource, headers, query).content


def _asked(
    client: httpx.Client, resource: str, headers: dict[str, str] | None = None, query: dict[str, str] | None = None
) -> httpx.Response:
    path, _, given = resource.partition("?")
    params = dict(pair.split("=", 1) for pair in given.split("&") if pair) | (query or {})
    answer = client.get(path, headers=headers or {}, params=params)
    if answer.status_code == 200 and (resource != "worlds" or "worlds" in _told(answer)):
        return answer
    detail = _told(answer).get("detail")
    if detail is None:
        raise NotWritten(f"{client.base_url}: status {answer.status_code}; expected the address of a novita-mock")
    raise NotWritten(f"{detail}; --key gives the key of a world" if answer.status_code == 403 else str(detail))


def _told(answer: httpx.Response) -> dict[str, object]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
