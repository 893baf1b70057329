"""The text of a reproduction script: what it sends, in which order, and how it judges.

`conformance.repro` chooses the conversation.
A script needs sh, curl and python3. Keys come from the environment, never from the text.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance import predicates
from conformance.bodies import PROGRESS, RESULT
from conformance.budget import SUBMITS
from conformance.expect import Claim
from conformance.session import Session
from conformance.target import Target
from conformance.verdict import Outcome
from conformance.wire import Exchange
from openapi.requirements import Requirement

POLLS = 120


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


def whole_check(session: Session, row: Requirement, outcome: Outcome) -> str:
    """A script that runs the one check, with the flags of this run."""
    flags = ["--only", row.id, "--no-repro", *_flags(session)]
    lines = [
        *_head(session, row, outcome),
        "# No single small answer shows this, so the check itself runs: needs novita-conformance on the PATH.",
        "# Further flags of the run may follow the script's own name; set NOVITA_SECOND_API_KEY for a second account.",
        f'novita-conformance run "$BASE" {" ".join(flags)} "$@"',
        "case $? in 0) exit 0 ;; 1) exit 1 ;; *) exit 2 ;; esac",
    ]
    return "\n".join(lines) + "\n"


def _flags(session: Session) -> list[str]:
    """Flags of the run that a verdict may depend on; none holds a secret."""
    target, plain = session.target, Target(url="", key="")
    found = ["--strict"] if target.strict else []
    found += [shlex.quote(f"--name={field}={model}") for field, model in target.names.items()]
    for flag, value, default in (
        ("timeout", target.timeout_s, plain.timeout_s),
        ("task-timeout", target.task_timeout_s, plain.task_timeout_s),
        ("patience", target.patience_s, plain.patience_s),
        ("webhook-host", target.webhook_host, plain.webhook_host),
        ("webhook-port", target.webhook_port, plain.webhook_port),
        ("clock", target.control if target.clock_named else "", ""),
    ):
        if value != default:
            text = f"{value:g}" if isinstance(value, float) else str(value)
            found.append(shlex.quote(f"--{flag}={text}"))
    return found


def script_of(session: Session, row: Requirement, outcome: Outcome, steps: Sequence[Step], claim: Claim) -> str:
    """A script that sends a conversation with curl and holds its last answer to a claim."""
    source = Path(predicates.__file__).read_text(encoding="utf-8")
    lines = [
        *_head(session, row, outcome),
        "work=$(mktemp -d) || exit 2\ntrap 'rm -rf \"$work\"' EXIT",
        _heredoc('cat > "$work/predicates.py"', source),
        _heredoc('cat > "$work/look.py"', _LOOK),
        _heredoc('cat > "$work/claim.json"', json.dumps(claim.data)),
        'look() { python3 "$work/look.py" "$@"; }',
        _UNANSWERED,
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
    otherwise = "unanswered $?" if last else "exit 2"
    call = (
        f"curl -sS -g --max-time {max(30, round(session.target.timeout_s) + 5)} -X {exchange.method} "
        f'-o "$work/{index}.body" -D "$work/{index}.head"{headers}{data} {where} || {otherwise}'
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
        shown = value.replace(target.second_key, "${NOVITA_SECOND_API_KEY:?set it to the key of another account}")
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

# 18, 52 and 56: the server closed the connection, which is no answer to anything.
_UNANSWERED = """unanswered() {
  case $1 in 18 | 52 | 56) echo 'violated: the connection was closed without a whole answer'; exit 1 ;; esac
  exit 2
}"""

_TICK = """tick() {{
  curl -sS -o /dev/null -X POST -H "Authorization: Bearer $NOVITA_API_KEY" -H 'Content-Type: application/json' \\
    -d '{{"seconds": 30}}' "$BASE{control}/clock/advance"
}}"""
