"""A script for each violation: the smallest conversation that still shows it, with curl, run once to be sure.

The script needs sh, curl and python3 and nothing of ours: the claim that does not hold goes along as data, and the
text of `conformance.predicates`, which judged it here, judges it there. It exits with 1 while the violation stands,
with 0 once it is gone and with 2 when that cannot be found out. A violation that is no matter of one answer (pictures
that differ, webhooks) gets a script that runs the one check.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance import predicates
from conformance.bodies import PROGRESS, RESULT, Body, without
from conformance.budget import SUBMITS
from conformance.client import Says, WireLog
from conformance.errors import CheckEnd, Unreachable
from conformance.events import Reproduced
from conformance.expect import Claim
from conformance.predicates import task_id_v3
from conformance.session import Session
from conformance.verdict import Outcome
from conformance.wire import KEPT_BODY, Exchange
from openapi.document import Reading
from openapi.requirements import Requirement

MOST_TRIES = 24
"""Requests that reducing one conversation may cost."""
RUN_TIMEOUT_S = 60.0
POLLS = 120
VIOLATED = 1

Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of a conversation.

    Attributes:
        task: the submit whose id it asks for, by place in the conversation; None for none.
        link: the path in the answer before it that holds its URL, such as `images.0.image_url`; "" for none.
    """

    exchange: Exchange
    task: int | None = None
    link: str = ""

    @property
    def polls(self) -> bool:
        """Whether it is asked again and again."""
        return self.task is not None and self.exchange.operation_id in (RESULT, PROGRESS)


async def reproduce(session: Session, row: Requirement, outcome: Outcome, log: WireLog) -> Reproduced:
    """A script for a red outcome: reduced, and run once.

    Args:
        session: for further requests; they count in its budget.
        log: where the outcome's exchanges are.
    """
    claimed = _claimed(outcome, log)
    conversation = _conversation(outcome, log, claimed[0]) if claimed else None
    if claimed is None or conversation is None:
        return Reproduced(
            requirement=row.id, script=_whole_check(session, row, outcome), verified=False, note="runs the check itself"
        )
    telling, claim = claimed
    if len(conversation) == 1:
        conversation = [Step(exchange=await _reduced(session, telling, claim))]
    script = _script(session, row, outcome, conversation, claim)
    verified, note = await _verified(script, session)
    return Reproduced(requirement=row.id, script=script, verified=verified, note=note)


def _claimed(outcome: Outcome, log: WireLog) -> tuple[Exchange, Claim] | None:
    for number, data in outcome.claims:
        exchange = log.exchanges.get(number)
        if exchange is not None and exchange.status is not None:
            return exchange, Claim(words=outcome.expected, data=dict(data))
    return None


# Conversations --------------------------------------------------------------------------------------------------------


def _conversation(outcome: Outcome, log: WireLog, telling: Exchange) -> list[Step] | None:
    """The requests that lead to the telling one; None when a script could not send them."""
    if telling.sent_bytes > KEPT_BODY or telling.error:
        return None
    before = [log.exchanges[number] for number in outcome.exchanges if number in log.exchanges]
    submit = _submit_of(telling, before, log)
    if submit is not None and submit.sent_bytes > KEPT_BODY:
        return None
    if submit is not None:
        return [Step(exchange=submit), Step(exchange=telling, task=0)]
    found = _link_of(telling, log)
    if found is None:
        return [Step(exchange=telling)]
    poll, link = found
    submit = _submit_of(poll, before, log)
    if submit is None or submit.sent_bytes > KEPT_BODY:
        return None
    return [Step(exchange=submit), Step(exchange=poll, task=0), Step(exchange=telling, link=link)]


def _submit_of(exchange: Exchange, before: Sequence[Exchange], log: WireLog) -> Exchange | None:
    """The submit whose task an exchange asks for."""
    if exchange.operation_id not in (RESULT, PROGRESS):
        return None
    for other in (*before, *log.exchanges.values()):
        task_id = task_id_v3(other.json) if other.operation_id in SUBMITS else None
        if task_id is not None and f"task_id={task_id}" in exchange.url:
            return other
    return None


def _link_of(exchange: Exchange, log: WireLog) -> tuple[Exchange, str] | None:
    """The answer that an exchange has its URL from, and where it stands there."""
    if exchange.operation_id:
        return None
    for other in log.exchanges.values():
        if other.operation_id not in (RESULT, PROGRESS):
            continue
        for path, value in _texts(other.json):
            if value == exchange.url:
                return other, path
    return None


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{path}.{index}".lstrip("."))


# Reducing -------------------------------------------------------------------------------------------------------------


async def _reduced(session: Session, telling: Exchange, claim: Claim) -> Exchange:
    """The same request with every key taken away that is not needed to show the violation.

    A key is taken away only while the document finds the same things wrong with the body as before: otherwise the
    target might answer the same for another reason.
    """
    operation = session.document.operations.get(telling.operation_id)
    body = _json_object(telling)
    if operation is None or operation.method != "POST" or body is None or session.target.safe:
        return telling
    wrong = [str(problem) for problem in operation.problems(body, Reading.DOCUMENTED)]
    tries = 0
    for path in list(_keys(body)):
        if tries >= MOST_TRIES:
            break
        try:
            smaller = without(body, path)
        except (KeyError, IndexError):
            continue  # went away with the object that held it
        if [str(problem) for problem in operation.problems(smaller, Reading.DOCUMENTED)] != wrong:
            continue
        tries += 1
        try:
            answer = await session.client.call(
                telling.operation_id, smaller, says=Says.UNCHECKED, purpose=telling.purpose
            )
        except (CheckEnd, Unreachable):
            break
        if answer.status is not None and not claim.judge(answer)[0]:
            body, telling = smaller, answer
    return telling


def _json_object(exchange: Exchange) -> Body | None:
    try:
        found = json.loads(exchange.request_body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _keys(body: Body, path: Steps = ()) -> Iterator[Steps]:
    """Paths to all keys, outer ones first."""
    for key, value in body.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from _keys(value, (*path, key))


# Scripts --------------------------------------------------------------------------------------------------------------


def _head(session: Session, row: Requirement, outcome: Outcome) -> list[str]:
    source = row.sources[0]
    said = [
        f"{row.id} {row.keyword}: {row.text}",
        f"Source: {source.page.title} ({source.strength}) {source.page.url}".rstrip(),
        f"Expected: {outcome.expected}",
        f"Seen: {outcome.actual}",
        "Exits with 1 while the violation stands, 0 once it is gone, 2 when that cannot be found out.",
        "Needs sh, curl and python3; set BASE and NOVITA_API_KEY for another server or account.",
    ]
    lines = ["#!/bin/sh"]
    lines += [f"# {line}" for text in said for line in " ".join(_redacted(session, text).split("\r")).splitlines()]
    return [
        *lines,
        "set -u",
        f"BASE=${{BASE:-{session.target.url}}}",
        ': "${NOVITA_API_KEY:?set it to an API key of the server}"',
    ]


def _whole_check(session: Session, row: Requirement, outcome: Outcome) -> str:
    flags = ["--only", row.id, "--no-repro"] + (["--strict"] if session.target.strict else [])
    lines = [
        *_head(session, row, outcome),
        "# This shows itself in several answers together, compared by a check: needs novita-conformance.",
        "# Give the run's other flags (--name ...) to this script too; set NOVITA_SECOND_API_KEY for a second account.",
        f'novita-conformance run "$BASE" {" ".join(flags)} "$@"',
        "case $? in 0) exit 0 ;; 1) exit 1 ;; *) exit 2 ;; esac",
    ]
    return "\n".join(lines) + "\n"


def _script(session: Session, row: Requirement, outcome: Outcome, steps: Sequence[Step], claim: Claim) -> str:
    source = Path(predicates.__file__).read_text(encoding="utf-8")
    lines = [
        *_head(session, row, outcome),
        "work=$(mktemp -d) || exit 2\ntrap 'rm -rf \"$work\"' EXIT",
        _heredoc('cat > "$work/predicates.py"', source),
        _heredoc('cat > "$work/look.py"', _LOOK),
        _heredoc('cat > "$work/claim.json"', json.dumps(claim.data)),
        'look() { python3 "$work/look.py" "$@"; }',
    ]
    if session.clock is not None and any(step.polls for step in steps):
        lines.append(_TICK.format(control=session.target.control))
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        lines += [f"\n# {index + 1}. {step.exchange.purpose}", *_asking(session, index, step, last=last)]
    if not steps[-1].polls:
        lines.append(f'\nlook judge "$work/{len(steps) - 1}" "$work/claim.json"\nexit $?')
    return "\n".join(lines) + "\n"


def _asking(session: Session, index: int, step: Step, *, last: bool) -> list[str]:
    exchange = step.exchange
    where = f'"$BASE"{shlex.quote(exchange.url.removeprefix(session.target.url))}'
    if step.link:
        where = '"$link"'
    elif not exchange.url.startswith(session.target.url):
        where = shlex.quote(exchange.url)
    if step.task is not None:
        where = f'"$BASE{exchange.url.removeprefix(session.target.url).partition("?")[0]}?task_id=$task"'
    lines = []
    data = ""
    if step.link:
        lines.append(f'link=$(look text "$work/{index - 1}" {shlex.quote(step.link)}) && [ -n "$link" ] || exit 2')
    if exchange.request_body:
        lines.append(_body_file(f'"$work/{index}.json"', exchange.request_body))
        data = f' --data-binary @"$work/{index}.json"'
    headers = "".join(f" -H {_header(session, name, value)}" for name, value in exchange.request_headers)
    call = (
        f"curl -sS -g --max-time {max(30, round(session.target.timeout_s) + 5)} -X {exchange.method} "
        f'-o "$work/{index}.body" -D "$work/{index}.head"{headers}{data} {where} || exit 2'
    )
    if not step.polls:
        lines.append(call)
        if exchange.operation_id in SUBMITS and not last:
            lines.append(f'task=$(look task-id "$work/{index}") || exit 2')
        return lines
    tick = "tick" if session.clock is not None else "sleep 0.5"
    judge = f'look judge "$work/{index}" "$work/claim.json"; case $? in 1) exit 1 ;; 2) exit 2 ;; esac' if last else ":"
    lines += [
        "polls=0",
        f"while [ $polls -lt {POLLS} ]; do",
        f"  {call}",
        f"  {judge}",
        f'  look ended "$work/{index}" && break',
        f"  polls=$((polls + 1)); {tick}",
        "done",
    ]
    if last:
        lines.append(f'look ended "$work/{index}" && exit 0\nexit 2')
    return lines


def _header(session: Session, name: str, value: str) -> str:
    """A header as an argument for curl; keys come from the environment."""
    target = session.target
    if target.key and target.key in value:
        shown = value.replace(target.key, "$NOVITA_API_KEY")
        return f'"{name}: {shown}"'
    if target.second_key and target.second_key in value:
        shown = value.replace(target.second_key, "${NOVITA_SECOND_KEY:?set it to the key of another account}")
        return f'"{name}: {shown}"'
    return shlex.quote(f"{name}: {value}")


def _redacted(session: Session, text: str) -> str:
    for secret in (session.target.key, session.target.second_key):
        text = text.replace(secret, "***") if secret else text
    return text


def _body_file(place: str, body: bytes) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or "\r" in text:
        from base64 import encodebytes

        return _heredoc(f"base64 -d > {place}", encodebytes(body).decode())
    return _heredoc(f"cat > {place}", text)


def _heredoc(command: str, text: str) -> str:
    word = "END"
    while word in text:
        word += "_"
    return f"{command} <<'{word}'\n{text.rstrip(chr(10))}\n{word}"


_LOOK = """import json, sys
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
from predicates import judge, task_id_v3, values

def answer(name):
    blocks = [b for b in open(name + ".head", "rb").read().decode("latin-1").split("\\r\\n\\r\\n") if b.strip()]
    lines = blocks[-1].split("\\r\\n")
    headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:])}
    try:
        body = open(name + ".body", "rb").read()
    except OSError:
        body = b""
    return {"status": int(lines[0].split()[1]), "headers": headers, "body": body}

def parsed(found):
    try:
        return json.loads(found["body"])
    except ValueError:
        return None

what, found = sys.argv[1], answer(sys.argv[2])
if what == "judge":
    holds, seen = judge(found, json.load(open(sys.argv[3])))
    print("holds" if holds else "violated: " + seen)
    sys.exit(0 if holds else 1)
if what == "task-id":
    task = task_id_v3(parsed(found))
    print(task or "")
    sys.exit(0 if task else 2)
if what == "ended":
    body = parsed(found) or {}
    task, data = body.get("task") or {}, body.get("data") or {}
    over = task.get("status") in ("TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED") or data.get("status") in (2, 3, 4)
    sys.exit(0 if over else 1)
if what == "text":
    places = values(parsed(found), sys.argv[3])
    print(places[0][1] if places and places[0][2] else "")
"""

_TICK = """tick() {{
  curl -sS -o /dev/null -X POST -H "Authorization: Bearer $NOVITA_API_KEY" -H 'Content-Type: application/json' \\
    -d '{{"seconds": 30}}' "$BASE{control}/clock/advance"
}}"""


async def _verified(script: str, session: Session) -> tuple[bool, str]:
    """Runs a script once; whether it shows the violation, and what came instead."""
    if session.target.safe:
        return False, "not run: safe mode"
    if not all(shutil.which(program) for program in ("sh", "curl", "python3")):
        return False, "not run: sh, curl and python3 are needed"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "repro.sh")
        file.write_text(script, encoding="utf-8")  # noqa: ASYNC240  # a few kilobytes
        environment = {
            **os.environ,  # noqa: TID251  # a child inherits the environment
            "NOVITA_API_KEY": session.target.key,
            "NOVITA_SECOND_KEY": session.target.second_key,
        }
        process = await asyncio.create_subprocess_exec(
            "sh",
            str(file),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(RUN_TIMEOUT_S):
                said, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return False, f"not shown again: the script did not end within {RUN_TIMEOUT_S:.0f} s"
    if process.returncode == VIOLATED:
        return True, ""
    text = said.decode("utf-8", "replace").strip()[-200:]
    return False, f"not shown again: the script exited with {process.returncode} {text}".rstrip()
