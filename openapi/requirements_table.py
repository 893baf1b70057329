"""What is made from requirements.yaml: the table for readers, and the lock that keeps ids from changing their meaning.

`python -m openapi.requirements --write` writes docs/requirements.md and adds new rows to requirements.lock. A row whose
sentence changed, and an id that vanished without being retired, stop it: `--reword ID...` accepts a new wording of the
same demand. `--check` writes nothing and says what is not up to date.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from openapi.requirements import FILE, Keyword, Profile, Requirement, Requirements, RequirementsError, load_requirements

LOCK = FILE.with_suffix(".lock")
TABLE = FILE.parent.parent / "docs" / "requirements.md"

_LOCK_HEAD = "# id, digest of keyword, text and tolerated branch; made by python -m openapi.requirements --write\n"
_TABLE_HEAD = """\
# Requirements

<!-- made by python -m openapi.requirements --write; edit openapi/requirements.yaml -->

Every normative sentence of the contract, one row each. Ids are for ever: never renumbered, never used again; gaps mean
nothing. *Or* is what a server may do instead where documents or practice disagree: it is accepted with a warning, and
refused by a strict judge. *Unobservable* rows are decided by nobody over HTTP. Strengths of sources: table (a row of a
field or error list), prose, example, client (what clients send and need), inferred (nobody states it).
"""


def table(requirements: Requirements) -> str:
    """The Markdown page, complete."""
    return "\n".join([_TABLE_HEAD, *_counts(requirements), *_areas(requirements), *_pages(requirements)]) + "\n"


def _counts(requirements: Requirements) -> Iterator[str]:
    yield "| Profile | About | " + " | ".join(Keyword) + " | All | Unobservable |"
    yield "|---|---|" + "---:|" * (len(Keyword) + 2)
    lines: list[tuple[str, str, Sequence[Requirement]]] = [
        (f"`{profile}`", requirements.profiles[profile], requirements.of_profile(profile)) for profile in Profile
    ]
    for name, about, rows in [*lines, ("all", "", requirements.rows)]:
        by_keyword = Counter(row.keyword for row in rows)
        numbers = [*(by_keyword[keyword] for keyword in Keyword), len(rows), sum(not row.observable for row in rows)]
        yield f"| {name} | {about} | " + " | ".join(str(number) for number in numbers) + " |"


def _areas(requirements: Requirements) -> Iterator[str]:
    for area, heading in requirements.areas.items():
        yield f"\n## {area}: {heading}\n"
        yield "| Id | Keyword | Requirement | Profile | Source | Because |"
        yield "|---|---|---|---|---|---|"
        for row in requirements:
            if row.area == area:
                sources = ", ".join(f"{source.page.key} ({source.strength})" for source in row.sources)
                because = ", ".join([*row.contradictions, *row.observations])
                cells = (
                    f'<a id="{row.id}"></a>{row.id}',
                    row.keyword,
                    _said(row),
                    f"`{row.profile}`",
                    sources,
                    because,
                )
                yield f"| {' | '.join(cells)} |"


def _said(row: Requirement) -> str:
    said = row.text
    if row.tolerated:
        said += f" *Or:* {row.tolerated}"
    if row.unobservable:
        said += f" *Unobservable:* {row.unobservable}"
    # Inside code, Markdown shows < as it is and &lt; letter by letter; a pipe ends the cell everywhere.
    parts = said.replace("|", "\\|").split("`")
    return "`".join(part if place % 2 else part.replace("<", "&lt;") for place, part in enumerate(parts))


def _pages(requirements: Requirements) -> Iterator[str]:
    yield "\n## Sources\n"
    yield "| Key | Page |"
    yield "|---|---|"
    for page in requirements.pages.values():
        yield f"| {page.key} | " + (f"[{page.title}]({page.url})" if page.url else page.title) + " |"
    yield "\nContradictions (C1 to C53) are told in [contradictions.md](contradictions.md),"
    yield "observations (O-ids) at the head of `openapi/openapi.yaml`."


def lock_text(digests: Mapping[str, str]) -> str:
    """The lock file of some digests by id."""
    return _LOCK_HEAD + "".join(f"{key} {digest}\n" for key, digest in digests.items())


def read_lock(path: Path) -> dict[str, str]:
    """The digests of a lock file; empty when there is no such file.

    Raises:
        RequirementsError: a line is not an id and a digest.
    """
    if not path.exists():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            key, _, digest = line.partition(" ")
            if not digest:
                raise RequirementsError(path.name, f"expected an id and a digest; came {line!r}")
            found[key] = digest
    return found


def broken_promises(requirements: Requirements, locked: Mapping[str, str]) -> list[str]:
    """What is wrong with the ids: each changed or lost one, as a sentence."""
    digests = {row.id: row.digest for row in requirements}
    return [
        f"{key} is gone; an id is given up by an entry in `retired`, never removed"
        if key not in digests
        else f"{key} says something else; a new demand needs a new id (new words for the same demand: --reword {key})"
        for key, digest in locked.items()
        if digests.get(key) != digest and key not in requirements.retired
    ]


def main(arguments: Sequence[str] | None = None, *, source: Path = FILE, lock: Path = LOCK, page: Path = TABLE) -> int:
    """Writes or checks. Exit status 0; 1 when something is stale or a promise is broken; 2 for usage."""
    parser = argparse.ArgumentParser(
        prog="python -m openapi.requirements", description="Table and lock of requirements."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write docs/requirements.md and requirements.lock")
    what.add_argument("--check", action="store_true", help="only say whether they are up to date")
    parser.add_argument("--reword", nargs="+", default=[], metavar="ID", help="accept new words for the same demand")
    given = parser.parse_args(arguments)
    try:
        requirements = load_requirements(source)
        locked = {key: digest for key, digest in read_lock(lock).items() if key not in given.reword}
    except RequirementsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a program for the terminal
        return 1
    wanted = {lock: lock_text({row.id: row.digest for row in requirements}), page: table(requirements)}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    faults = broken_promises(requirements, locked)
    if given.check:
        faults += [f"{path.name} is not up to date; run: python -m openapi.requirements --write" for path in stale]
    elif not faults:
        for path in stale:
            path.write_text(wanted[path], encoding="utf-8")
            print(f"wrote {path.name}")  # noqa: T201 - a program for the terminal
    for fault in faults:
        print(fault, file=sys.stderr)  # noqa: T201 - a program for the terminal
    return 1 if faults else 0
