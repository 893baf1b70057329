"""Writes what is said of faults from the code: docs/magic.md, the library in docs/scenarios.md, the scenarios' schema.

`python docs/make_faults.py` writes them; with `--check` it exits 1 when one is not what the code says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from mockserver.faults import directives, magic
from mockserver.faults.effects import effects_at
from mockserver.faults.scenario import scenario_schema
from mockserver.scenarios import SCHEMA, names, shipped

HERE = Path(__file__).parent
BEGIN, END = "<!-- The library: written by docs/make_faults.py; do not edit. -->", "<!-- End of the library. -->"


def magic_page() -> str:
    """Every directive, reserved model and reserved seed."""
    lines = [
        "<!-- Written by docs/make_faults.py; do not edit. -->",
        "",
        "# Magic inputs",
        "",
        "Ordinary fields of a request ask the mock for trouble. They reach it through any client, any user interface",
        "and any hosted staging, because nothing else has to be configured. `--no-magic` switches all of them off.",
        "",
        "What is drawn and echoed does not change: a prompt comes back as it was sent, directive and all, and its",
        "pictures are as repeatable as those of any other. [Scenarios](scenarios.md) are for whole situations.",
        "",
        "## In the prompt",
        "",
        "`[[mock:...]]` anywhere in the prompt, as in `a fox in the snow [[mock:fail=out of memory]]`. Several stand",
        "in one pair of brackets with commas between them, or in several pairs; the last one of a name wins. A",
        "directive or a word that there is not is refused with `INVALID_REQUEST_BODY` (v2: code 1) and the list of the",
        "known ones. The prompt is looked at after the JSON was read, so an escaped bracket is a bracket.",
        "",
        "| directive | example | what it does |",
        "|---|---|---|",
        *_directives(),
        "",
        "- TIME is seconds, or text such as `300ms`, `90s` or `2h30m`. All times but `delay` are of the world's clock.",
        "- EFFECT is a status code (`503`), the name of an effect, or NAME:OPTION with its main option, as in",
        "  `result=delay:2s`, `result=break:null` or `finish=fail:out of memory`. The effects of each point:",
        "  " + "; ".join(_effects()) + ".",
        "- `xN` behind an effect: only the first N times. What is counted so happens N times in a row; what is not",
        "  keeps to `--max-faults-in-a-row` (default 3) where a client would try again.",
        "- Counting is by request: the same body sent to the same operation again goes on where it was, until it is",
        "  answered with a task. Then the next one begins anew. So `429x2` refuses two submits and accepts the third.",
        "",
        "## In the model's name",
        "",
        "For clients whose prompt is fixed. These names are accepted wherever a checkpoint is named, and drawn by",
        f"`{magic.STAND_IN}`, an SD 1.5 model. They are instructions and no models, so `GET /v3/model` does not list",
        "them and stays what the service documents.",
        "",
        "| model | as | what happens |",
        "|---|---|---|",
        *(f"| `{name}` | {_items(one)} | {one.what} |" for name, one in magic.MODELS.items()),
        "",
        "## In the seed",
        "",
        "For clients whose prompt and model are fixed. All of them are seeds that the service takes.",
        "",
        "| seed | as | what happens |",
        "|---|---|---|",
        *(f"| `{seed}` | {_items(one)} | {one.what} |" for seed, one in magic.SEEDS.items()),
        "",
        "## In the API key",
        "",
        "`sk-mock-<world>--<scenario>` is a world that is in a [scenario](scenarios.md) from its first call, as in",
        "`sk-mock-checkout-test--slow-queue`. A name that there is not is answered 403 INVALID_API_KEY with the list.",
        "",
        "## In a header",
        "",
        "`Prefer: code=429` on any call of the contract answers that call with the status, and nothing is done.",
        "",
    ]
    return "\n".join(lines)


def library() -> str:
    """The scenarios that ship, as a table."""
    rows = (f"| `{name}` | {shipped(name).description} |" for name in names())
    return "\n".join(
        [BEGIN, "", "| scenario | what happens, and what a correct client does |", "|---|---|", *rows, "", END]
    )


def scenarios_page(text: str) -> str:
    """The page with its library as the code has it."""
    before, _, rest = text.partition(BEGIN)
    return before + library() + rest.partition(END)[2]


def schema() -> str:
    """The JSON Schema of a scenario's file."""
    return json.dumps(scenario_schema(), indent=1) + "\n"


def _directives() -> Iterator[str]:
    for name, one in directives.DIRECTIVES.items():
        yield f"| {_forms(one.form)} | `[[mock:{one.example}]]` | {one.what} |"
        if name == "delay":
            yield f"| {_forms(directives.CODE_FORM)} | `[[mock:{directives.CODE_EXAMPLE}]]` | {directives.CODE_WHAT} |"


def _forms(form: str) -> str:
    return ", ".join(f"`{one}`" for one in form.split(", ")).replace("|", "\\|")


def _effects() -> Iterator[str]:
    by_effects: dict[tuple[str, ...], list[str]] = {}
    for point in directives.POINTS:
        by_effects.setdefault(tuple(kind.value for kind in effects_at(point)), []).append(f"`{point.value}`")
    for kinds, points in by_effects.items():
        yield f"{', '.join(points)}: {', '.join(kinds)}"


def _items(one: magic.Reserved) -> str:
    return f"`[[mock:{one.items}]]`" if one.items else ""


def main() -> int:
    """Writes or checks everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when something is stale")
    check = parser.parse_args().check
    page = HERE / "scenarios.md"
    stale = 0
    for path, text in (
        (HERE / "magic.md", magic_page()),
        (page, scenarios_page(page.read_text(encoding="utf-8"))),
        (SCHEMA, schema()),
    ):
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"{path} is stale; run: python docs/make_faults.py\n")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
