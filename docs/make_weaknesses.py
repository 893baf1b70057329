"""Writes docs/client-weaknesses.md: what each of the vendor's clients did under each trouble, and what the mock said.

`python docs/make_weaknesses.py --write` plays everything of tests/clients/weaknesses.py and writes down what it saw;
`--check` plays it too, and exits 1 when the page says something else. The clients have to be installed
(`python -m tests.clients.environments`).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the clients' jobs are tests, which are not installed

from mockserver.core.codes import CATALOGUE, Code  # noqa: E402  # after the path
from tests.clients.weaknesses import CLIENTS, TROUBLES, Rule, Seen, Trouble, bench  # noqa: E402

PAGE = ROOT / "docs" / "client-weaknesses.md"
HEAD = """<!-- Written by docs/make_weaknesses.py from a run; do not edit. -->

# What the vendor's clients do in trouble

Every row was played: the published client, unmodified, in a process of its own, asked for one picture as a caller does
who trusts it, and something went wrong. Then an hour passed, and the mock was asked for its findings
([all codes](findings/README.md)). Findings that these clients have in every run (NV4xx) are left out;
[The vendor's own clients](clients.md) tells of them.

## What to remember

- **None of them survives a failed poll.** One 429, 500 or reset while polling, and the task, paid for, is lost with the
  exception (NV303). Keep the task id yourself: submit and wait in separate calls, and poll again. npm's calls that
  submit and poll once leave the loop to you; the rows here are those of a loop that catches nothing.
- **None of them repeats a submit**, and that is right: after a lost answer the task exists and is paid for, and a
  repeat is paid twice (NV301). The exception looks like any other, so a retry decorator around the whole call does it.
- **Python never looks at the status of a download.** S3's error text or a web page comes back as the picture's bytes,
  without an exception (NV203, NV205). Open every picture before you store it.
- **Python gives up after 300 polls**, two and a half minutes; its message calls them seconds. A task that had to wait
  goes on to its end and is paid (NV105).
- **npm 1.1.0 `..Sync` polls without end** when a task is stuck (NV304) or its status is not one it knows (NV103).
- **npm has no time-out** in either version: a connection without an answer hangs for good (NV602). Both take a
  `signal` (an `AbortSignal`) beside the parameters of a call.
- A field more in an answer disturbs nobody. A field less, a null or a new word does; npm's calls that submit and poll
  once hand on whatever came, and leave it to you.

## How to play it

Arm the JSON of a row with `POST /__mock/faults` under the key that your program uses, run your program, and read
`GET /__mock/findings` and `GET /__mock/ledger`:

```console
$ curl -s localhost:8080/__mock/faults -H 'Authorization: Bearer sk-mock-mine' \\
    -d '{"point": "result", "effect": {"status": 429}, "times": 1}'
```

Two things were other than in life, so that the run is quick: Python's sleep between polls moved the world's clock, and
its time-out of a call, a number in its settings, was 0.8 s instead of 120 s. Silence that the mock calls endless
(130 s) passed a hundred times faster. The one-call jobs of npm were on a clock that jumps from event to event.
"""
WELL = "gets the picture"
NOTES = {
    "the submit's answer is lost: reset, and the caller tries again": "The second call is the caller's.",
    "the links are used an hour and a second after the result": "No fault: links live for an hour.",
    "none": "No fault: so that the other rows say something.",
}


def page(seen: Mapping[tuple[str, str], Seen]) -> str:
    """The page."""
    parts = [HEAD, "## At a glance\n", *_matrix(seen), ""]
    for trouble in TROUBLES:
        parts.append(f"## {trouble.name[0].upper()}{trouble.name[1:]}\n")
        parts += _armed_by(trouble)
        parts.append("| client | its caller | paid | ledger | findings |\n|---|---|---|---|---|")
        parts += _rows(seen, trouble)
        parts.append("")
    codes = sorted({code for one in seen.values() for code in one.findings})
    parts.append("## The findings here\n")
    parts += [f"- [{code}](findings/{code}.md) {CATALOGUE[Code(code)].title}" for code in codes]
    return "\n".join(parts) + "\n"


def _matrix(seen: Mapping[tuple[str, str], Seen]) -> list[str]:
    """One word for each client under each trouble."""
    names = [_short(client.name) for client in CLIENTS]
    lines = [f"| trouble | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for trouble in TROUBLES:
        cells = [_cell(seen.get((client.id, trouble.name))) for client in CLIENTS]
        lines.append(f"| {trouble.name} | {' | '.join(cells)} |")
    return [
        *lines,
        "",
        "*picture*: all is well. *error*: the caller gets an exception. *wrong file*: the caller gets something else",
        "for the picture, and no error. *as it is*: the client hands on what came. *no end*: it had to be stopped.",
        "Nothing stands where that part is the caller's own affair, or was not played.",
    ]


def _cell(one: Seen | None) -> str:
    if one is None:
        return ""
    return " ".join([_word(one.outcome), *one.findings])


def _word(outcome: str) -> str:
    if outcome == WELL:
        return "picture"
    if outcome.startswith("gets "):
        return "**wrong file**"
    if outcome.startswith("hands on"):
        return "as it is"
    return "**no end**" if "without end" in outcome else "error"


def _armed_by(trouble: Trouble) -> list[str]:
    note = [f"{NOTES[trouble.name]}\n"] if trouble.name in NOTES else []
    if not trouble.v3:
        return note
    if trouble.v2 is None or trouble.v2 == trouble.v3:
        return [*note, f"{_json(trouble.v3)}\n"]
    return [*note, f"v3: {_json(trouble.v3)}  ", f"v2: {_json(trouble.v2)}\n"]


def _json(rules: Sequence[Rule]) -> str:
    return f"`{json.dumps(rules[0] if len(rules) == 1 else {'faults': rules})}`"


def _rows(seen: Mapping[tuple[str, str], Seen], trouble: Trouble) -> list[str]:
    """Clients that did the same share a row."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for client in CLIENTS:
        one = seen.get((client.id, trouble.name))
        if one is not None:
            what = (_cleaned(one.outcome), f"{one.usd} USD", one.verdict, _links(one.findings))
            rows.setdefault(what, []).append(client.name)
    return [f"| {'<br>'.join(names)} | {' | '.join(what)} |" for what, names in rows.items()]


def _links(codes: Sequence[str]) -> str:
    return ", ".join(f"[{code}](findings/{code}.md)" for code in codes)


def _short(name: str) -> str:
    return name.replace(", `", "<br>`")


def _cleaned(text: str) -> str:
    """A text that a table and Markdown leave alone."""
    if text.startswith(("gets", "hands on", "hangs", "polls")):
        return text
    return "`" + text.replace("|", "\\|").replace("`", "'") + "`"


def main() -> int:
    """Writes or checks the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write the page")
    what.add_argument("--check", action="store_true", help="exit 1 when the page is stale")
    write = parser.parse_args().write
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder)) as clients:
        seen = clients.play_all()
    if any(one.outcome != WELL for (_, trouble), one in seen.items() if trouble == "none"):
        sys.stderr.write("a client got no picture without any trouble: the mock or a client is out of order\n")
        return 1
    text = page(seen)
    if write:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write("docs/client-weaknesses.md is stale: run python docs/make_weaknesses.py --write\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
