"""Sends every documented request to a mock, compares every documented answer with the mock's, and writes the table.

`python -m tests.contract.documented_table --write` writes docs/documented-examples.md, `--check` says whether it is up
to date. The mocks run in this process, with fixed seeds on a clock that stands still: the table is the same each time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from mockserver.access import REFUSED_KEY
from mockserver.app import create_app
from mockserver.core.clock import ClockMode
from mockserver.mock import Parts
from mockserver.parts.wall import FakeWall
from mockserver.settings import Limits, Settings
from openapi.document import Document, Reading, load
from tests.bodies import IMG2IMG, IMG2IMG_V2, TXT2IMG, TXT2IMG_V2, txt2img, txt2img_v2
from tests.conftest import Server
from tests.contract.documented import Documented, Role, differences, explained_by, load_documented, unexplained

TABLE = Path(__file__).parents[2] / "docs" / "documented-examples.md"
UNKNOWN_TASK = "00000000-0000-4000-8000-000000000000"
PATHS: Mapping[str, str] = {
    "createTxt2imgTask": TXT2IMG,
    "createImg2imgTask": IMG2IMG,
    "createTxt2imgTaskV2": TXT2IMG_V2,
    "createImg2imgTaskV2": IMG2IMG_V2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """What the mock makes of a documented request.

    `as_it_stands`, `filled_in` and `strict` are "accepted" or the reason of the refusal; the first is sent to a lenient
    mock as the page shows it, the others with pictures for placeholders. `because` cites the reasons: those the mock's
    findings give for what it only tolerates, and those of a refusal.
    """

    file: str
    operation: str
    as_it_stands: str
    filled_in: str
    strict: str
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """A documented answer beside the mock's: how they differ and why, and what nothing explains."""

    file: str
    operation: str
    beside: str
    explained: tuple[tuple[str, str], ...] = ()
    unexplained: tuple[str, ...] = ()
    fits: str = ""


def request_row(entry: Documented) -> RequestRow:
    """Sends a documented request three times, each time to a fresh mock."""
    lenient, strict = mock_server(), mock_server(strict=True)
    try:
        stands, cited = _sent(lenient, entry, entry.body)
        because = cited if entry.filled() == entry.body else []
        if entry.fragment:
            because.append("the page leaves the rest out")
        if entry.has_placeholders:
            because.append("a placeholder is no picture")
        filled, cited = _sent(lenient, entry, entry.filled())
        strictly, _ = _sent(strict, entry, entry.filled())
    finally:
        lenient.close()
        strict.close()
    return RequestRow(
        file=entry.file,
        operation=entry.operation,
        as_it_stands=stands,
        filled_in=filled,
        strict=strictly,
        because=tuple(dict.fromkeys([*because, *cited])),
    )


def answer_row(entry: Documented, entries: Mapping[str, Documented], document: Document) -> AnswerRow:
    """Puts a documented answer beside what the mock answers in the same situation."""
    row = AnswerRow(file=entry.file, operation=entry.operation, beside=entry.answers, fits=_fits(entry, document))
    if not entry.answers:
        return row
    body, ignored = mock_answer(entry, entries)
    found = differences(entry.body, body, ignored=ignored)
    explained = tuple((explained_by(one, entry), str(one)) for one in found if explained_by(one, entry))
    return AnswerRow(
        file=row.file,
        operation=row.operation,
        beside=row.beside,
        fits=row.fits,
        explained=explained,
        unexplained=tuple(str(one) for one in unexplained(found, entry)),
    )


def mock_answer(entry: Documented, entries: Mapping[str, Documented]) -> tuple[Any, frozenset[str]]:
    """What a mock answers where the page shows `entry`, and the paths at which the answer is chance.

    Raises:
        AssertionError: the mock answers with another status.
    """
    server = mock_server(**({"limits": Limits(tasks=0)} if entry.answers == "no room for a task" else {}))
    try:
        asked = entries.get(entry.answers)
        answer = _asked(server, entry, asked.filled()) if asked else SITUATIONS[entry.answers](server, entry)
        assert answer.status_code == entry.status, f"{entry.file}: {answer.status_code} {answer.text}"
        drawn = asked is not None and asked.filled().get("request", asked.filled()).get("seed", -1) == -1
        body = answer.json()
        if entry.file == "v3-model-textualinversion-names.response.json":
            # The page pipes the answer through a filter: what it shows is a list of names, in no order of ours.
            offered = [model["sd_name"] for model in body["models"]]
            body = [name for name in entry.body if name in offered]
    finally:
        server.close()
    chance = frozenset({"extra.seed", "extra.debug_info.request_info.seeds[]"})
    return body, chance if drawn else frozenset()


def mock_server(**options: Any) -> Server:
    """A mock on a clock that stands still."""
    wall = FakeWall()
    settings = Settings(clock=ClockMode.parse("manual"), **options)
    return Server(create_app(load(), settings, Parts(wall=wall)), wall)


def _asked(server: Server, entry: Documented, body: Any) -> httpx.Response:
    """The mock's answer to a request, or to the poll of the finished task that the request made."""
    if entry.operation in PATHS:
        return server.call("POST", PATHS[entry.operation], json=body)
    path = TXT2IMG if "image_base64" not in body["request"] else IMG2IMG
    task_id = server.submit(path, body)
    server.finish_all()
    return server.call("GET", "/v3/async/task-result", params={"task_id": task_id})


def _steps_as_text(server: Server, entry: Documented) -> httpx.Response:
    return server.call("POST", PATHS[entry.operation], json=txt2img(steps="20"))


def _refused_key(server: Server, entry: Documented) -> httpx.Response:
    del entry
    return server.call("GET", "/v3/async/task-result", params={"task_id": UNKNOWN_TASK}, key=REFUSED_KEY)


def _unknown_task(server: Server, entry: Documented) -> httpx.Response:
    del entry
    return server.call("GET", "/v3/async/task-result", params={"task_id": UNKNOWN_TASK})


def _no_room(server: Server, entry: Documented) -> httpx.Response:
    return server.call("POST", PATHS[entry.operation], json=txt2img())


def _failed_task(server: Server, entry: Documented) -> httpx.Response:
    del entry
    task_id = server.submit(TXT2IMG, txt2img())
    server.control("POST", f"/tasks/{task_id}/end", {"status": "TASK_STATUS_FAILED", "reason": "out of memory"})
    return server.call("GET", "/v3/async/task-result", params={"task_id": task_id})


def _as_request_info_tells(server: Server, entry: Documented) -> httpx.Response:
    info = json.loads(entry.body["extra"]["debug_info"]["request_info"])
    request = txt2img(
        model_name=info["model"],
        prompt=info["prompts"][0],
        negative_prompt=info["negative_prompts"][0],
        seed=info["seeds"][0],
        height=info["height"],
        width=info["width"],
        guidance_scale=info["guidance_scale"],
        image_num=info["num_images_per_prompt"],
        steps=info["num_inference_steps"],
        sampler_name=info["sampler_name"],
    )
    return _asked(server, entry, request)


def _four_v2_pictures(server: Server, entry: Documented) -> httpx.Response:
    del entry
    extra = {"enable_nsfw_detection": True}
    task_id = server.submit(TXT2IMG_V2, txt2img_v2(batch_size=4, extra=extra))
    server.finish_all()
    return server.call("GET", "/v2/progress", params={"task_id": task_id})


def _by_query(server: Server, entry: Documented) -> httpx.Response:
    return server.call("GET", f"/v3/model?{entry.query}")


SITUATIONS: Mapping[str, Callable[[Server, Documented], httpx.Response]] = {
    "steps as text": _steps_as_text,
    "a refused key": _refused_key,
    "an unknown task": _unknown_task,
    "no room for a task": _no_room,
    "a failed task": _failed_task,
    "the request its request_info tells": _as_request_info_tells,
    "four v2 pictures with detection": _four_v2_pictures,
    "its query": _by_query,
}
"""Situations that the data file names in `answers`, beside the requests of other files."""


def _sent(server: Server, entry: Documented, body: Any) -> tuple[str, list[str]]:
    """What became of a request, and what the mock cites: for what it tolerated, or the entry's for a refusal."""
    server.control("DELETE", "/findings")
    answer = server.call("POST", PATHS[entry.operation], json=body)
    found = answer.json()
    if answer.status_code == 200 and found.get("code", 0) == 0:
        return "accepted", [reason for finding in server.findings() for reason in finding["because"] if reason != "C50"]
    name = server.mock.document.v2_codes[found["code"]] if answer.status_code == 200 else found["reason"]
    return f"{found['code']} {name}", list(entry.contradictions)


def _fits(entry: Documented, document: Document) -> str:
    """Which readings of the document the example fits."""
    if entry.role is Role.WEBHOOK:
        validator = document.webhooks[entry.operation.partition(":")[2]]
        fitting = [reading for reading in Reading if validator.is_valid(entry.body, reading)]
    else:
        fitting = [
            reading
            for reading in Reading
            if document.response_validator(entry.operation, entry.status, reading).is_valid(entry.body)
        ]
    return "both" if len(fitting) == 2 else "".join(fitting) or "neither"


# ---- the table -------------------------------------------------------------------------------------------------------


def table(entries: Sequence[Documented], requests: Sequence[RequestRow], answers: Sequence[AnswerRow]) -> str:
    """The Markdown page, complete."""
    outside = [entry for entry in entries if entry.outside]
    lines = [_HEAD.format(all=len(entries)), *_summary(entries, requests, answers, outside)]
    lines += ["\n## Requests\n", "| Request | Operation | As it stands | Filled in | Strict | Because |"]
    lines += ["|---|---|---|---|---|---|"]
    lines += [
        f"| {row.file.removesuffix('.request.json')} | `{row.operation}` | {row.as_it_stands} | {row.filled_in} "
        f"| {row.strict} | {', '.join(row.because)} |"
        for row in requests
    ]
    lines += ["\n## Answers and events\n", "| Example | Operation | Beside | Departures | Fits |"]
    lines += ["|---|---|---|---|---|"]
    by_file = {entry.file: entry for entry in entries}
    lines += [
        f"| {row.file.removesuffix('.json')} | `{row.operation}` | {_beside(by_file[row.file])} "
        f"| {_departures(row)} | {row.fits} |"
        for row in answers
    ]
    lines += ["\n## Beyond the scope\n", "Bodies of endpoints that the contract does not hold.\n"]
    lines += ["| Example | Endpoint |", "|---|---|"]
    lines += [f"| {entry.file.removesuffix('.json')} | `{entry.outside}` |" for entry in outside]
    return "\n".join(lines) + "\n"


_HEAD = """\
# The documented examples

<!-- made by python -m tests.contract.documented_table --write -->

Every example body of the public documentation, and those recorded from real answers: {all} in all, held against the
mock. *As it stands* is the request as the page shows it, sent to a lenient mock; *filled in* has a small picture where
the page has a placeholder, and a picture request round a fragment; *strict* sends that to a strict mock. An answer is
compared with what the mock answers in the same situation: the same names and the same JSON types at every place, and
the same values where they are not another task's. A departure names the contradiction (docs/contradictions.md) that
explains it. *Fits* tells which reading of the document the example itself fits. O-ids are those of `x-references` in
the document.
"""


def _summary(
    entries: Sequence[Documented],
    requests: Sequence[RequestRow],
    answers: Sequence[AnswerRow],
    outside: Sequence[Documented],
) -> Iterator[str]:
    accepted = sum(row.filled_in == "accepted" for row in requests)
    beside = [row for row in answers if row.beside]
    yield "| | |\n|---|---:|"
    yield f"| examples | {len(entries)} |"
    yield f"| requests of our operations | {len(requests)} |"
    yield f"| accepted as they stand | {sum(row.as_it_stands == 'accepted' for row in requests)} |"
    yield f"| accepted filled in | {accepted} |"
    yield f"| refused for a cited reason | {len(requests) - accepted} |"
    yield f"| accepted by a strict mock | {sum(row.strict == 'accepted' for row in requests)} |"
    yield f"| answers and events of our operations | {len(answers)} |"
    yield f"| beside an answer of the mock | {len(beside)} |"
    yield f"| without any departure | {sum(not row.explained and not row.unexplained for row in beside)} |"
    yield f"| with departures, each explained | {sum(bool(row.explained and not row.unexplained) for row in beside)} |"
    yield f"| beyond the scope | {len(outside)} |"


def _departures(row: AnswerRow) -> str:
    told = [f"{reason}: {text}" for reason, text in row.explained] + [
        f"**unexplained**: {one}" for one in row.unexplained
    ]
    return "<br>".join(told) or "none"


def _beside(entry: Documented) -> str:
    if entry.task_of:
        return f"a task of `{entry.task_of}`: no picture of ours"
    if entry.role is Role.WEBHOOK:
        return "the document: this version sends no events"
    return entry.answers.removesuffix(".request.json") or "the document: this version has no rate limit"


def judged(document: Document) -> tuple[list[Documented], list[RequestRow], list[AnswerRow]]:
    """Every entry, and a row for each of our operations."""
    entries = load_documented()
    by_file = {entry.file: entry for entry in entries}
    ours = [entry for entry in entries if entry.operation]
    requests = [request_row(entry) for entry in ours if entry.role is Role.REQUEST]
    answers = [answer_row(entry, by_file, document) for entry in ours if entry.role is not Role.REQUEST]
    return entries, requests, answers


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the table, or with --check only compares it. Exit status 0, or 1 when it is not up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="write docs/documented-examples.md")
    action.add_argument("--check", action="store_true", help="say whether it is up to date")
    wanted = table(*judged(load()))
    if parser.parse_args(arguments).write:
        TABLE.write_text(wanted, "utf-8")
        return 0
    if not TABLE.exists() or TABLE.read_text("utf-8") != wanted:
        print(f"{TABLE.name} is not up to date; run: python -m tests.contract.documented_table --write")  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
