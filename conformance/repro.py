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
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from conformance.bodies import PROGRESS, RESULT, Body, without
from conformance.budget import SUBMITS
from conformance.client import Says, WireLog
from conformance.connections import CLOSED, CUT_OFF
from conformance.errors import CheckEnd, Unreachable
from conformance.events import Reproduced
from conformance.expect import Claim
from conformance.predicates import task_id_v3
from conformance.repro_script import Step, script_of, whole_check
from conformance.session import Session
from conformance.verdict import Outcome
from conformance.wire import KEPT_BODY, Exchange
from openapi.document import Reading
from openapi.requirements import Requirement

MOST_TRIES = 24
"""Requests that reducing one conversation may cost."""
RUN_TIMEOUT_S = 60.0
VIOLATED = 1

Steps = tuple[str | int, ...]


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
            requirement=row.id, script=whole_check(session, row, outcome), verified=False, note="runs the check itself"
        )
    telling, claim = claimed
    if len(conversation) == 1:
        conversation = [Step(exchange=await _reduced(session, telling, claim))]
    script = script_of(session, row, outcome, conversation, claim)
    verified, note = await _verified(script, session)
    return Reproduced(requirement=row.id, script=script, verified=verified, note=note)


def _claimed(outcome: Outcome, log: WireLog) -> tuple[Exchange, Claim] | None:
    for number, data in outcome.claims:
        exchange = log.exchanges.get(number)
        if exchange is not None and (exchange.status is not None or exchange.error in (CLOSED, CUT_OFF)):
            return exchange, Claim(words=outcome.expected, data=dict(data))
    return None


# Conversations --------------------------------------------------------------------------------------------------------


def _conversation(outcome: Outcome, log: WireLog, telling: Exchange) -> list[Step] | None:
    """The requests that lead to the telling one; None when a script could not send them."""
    if telling.sent_bytes > KEPT_BODY or telling.error not in ("", CLOSED, CUT_OFF):
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
    if telling.status is None:
        return telling
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
            "NOVITA_SECOND_API_KEY": session.target.second_key,
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
