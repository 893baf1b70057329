"""`novita-mock explain TASK`: the story of a task of a running server, in the terminal; without TASK, which there are.

Exit codes: 0 told, 2 usage, 3 no such task, or no server that could tell.
"""

from __future__ import annotations

import json
import re
from typing import Any

import click

from mockserver.settings import DEFAULT_PORT

EXIT_UNKNOWN = 3
TIMEOUT_S = 30.0

LISTED = 10
SEARCHED = 50
"""Tasks of each world, and worlds, that are looked through; newest first."""

_ID = re.compile(r"[0-9A-Za-z_-]+")
_BEGINNING = re.compile(r"[0-9a-f]{4,8}|[0-9a-f]{8}-[0-9a-f-]{0,26}")


class NotTold(click.ClickException):
    """There is no story to tell; the message says why and what to try."""

    exit_code = EXIT_UNKNOWN


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("task", required=False)
@click.option(
    "--url",
    envvar="NOVITA_API_URI",
    default=f"http://127.0.0.1:{DEFAULT_PORT}",
    show_default=True,
    show_envvar=True,
    metavar="URL",
    help="Where the mock runs.",
)
@click.option(
    "--key",
    metavar="KEY",
    help="Key of the task's world; only a server that was started with --key, or is called by a public name, asks.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def explain(task: str | None, url: str, key: str | None, *, as_json: bool) -> None:
    """Tell everything that happened to TASK, an id that a submit answered or its beginning, in order.

    The times are those since the submit, by the world's clock. `+` went well, `!` did not, `.` is planned.

    Without TASK the newest tasks are listed.
    """
    from mockserver.inspector.telling import listed, told

    url = url.rstrip("/")
    if task is None:
        newest = _newest(url, key)[:LISTED]
        click.echo(json.dumps(newest, indent=2, ensure_ascii=False) if as_json else listed(newest))
        return
    story = _story(_whole(task, url, key), url, key)
    click.echo(json.dumps(story, indent=2, ensure_ascii=False) if as_json else told(story))


def _newest(url: str, key: str | None) -> list[dict[str, Any]]:
    """Tasks of all worlds, or of that of a key."""
    path = f"/__mock/tasks?limit={SEARCHED}"
    if key is not None:
        found = _asked(url, path, {"Authorization": f"Bearer {key}"})["tasks"]
    else:
        worlds = [world for world in _asked(url, "/__mock/worlds", {})["worlds"] if world["tasks"]["held"]]
        found = [one for world in worlds[-SEARCHED:] for one in _asked(url, f"{path}&world={world['id']}", {})["tasks"]]
    return sorted(found, key=lambda one: int(one["submitted_ms"]), reverse=True)


def _whole(task: str, url: str, key: str | None) -> str:
    """The id that begins like this, where only one does."""
    if not _BEGINNING.fullmatch(task):
        return task
    found = [str(one["task_id"]) for one in _newest(url, key) if str(one["task_id"]).startswith(task)]
    if len(found) > 1:
        raise NotTold(f"{len(found)} tasks begin with {task}: {', '.join(found[:LISTED])}")
    return found[0] if found else task


def _story(task: str, url: str, key: str | None) -> dict[str, Any]:
    if not _ID.fullmatch(task):
        raise NotTold(f"expected a task's id, as a submit answered it, came {task[:64]!r}")
    path = f"/__mock/tasks/{task}/story"
    if key is not None:
        return _asked(url, path, {"Authorization": f"Bearer {key}"})
    world = _asked(url, f"/__mock/worlds/of/{task}", {})
    return _asked(url, f"{path}?world={world['id']}", {})


def _asked(url: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    import httpx  # only where a server is asked

    try:
        # Not through a proxy of the environment: the mock is on this machine or beside it.
        answer = httpx.get(url + path, headers=headers, timeout=TIMEOUT_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise NotTold(f"{url}: no answer ({error}); is a novita-mock running there? --url names another") from None
    try:
        told = answer.json()
    except ValueError:
        told = None
    if answer.status_code == 200 and isinstance(told, dict):
        return told
    if isinstance(told, dict) and isinstance(told.get("detail"), str):
        hint = "; --key gives the key of its world" if answer.status_code == 403 else ""
        which = "; without TASK the newest are listed" if answer.status_code == 404 else ""
        raise NotTold(f"{told['detail']}{hint}{which}")
    raise NotTold(f"{url}: status {answer.status_code}; expected the address of a novita-mock")
