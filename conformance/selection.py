"""Which requirements a run decides: profiles, frozen per revision of the contract, then --only and --exclude.

A profile is the set of ids that profiles/REVISION.yaml holds for it. Such a file never changes once it is there, so a
server that conformed to a revision still does when the suite has grown: rows that are newer are decided and reported,
but not scored. `python -m conformance.selection --freeze REVISION` writes the file of a new revision.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openapi.requirements import Profile, Requirement, Requirements, load_requirements

FOLDER = Path(__file__).parent / "profiles"
OPT_IN = (Profile.V3_STORAGE, Profile.V3_LIMITS)
"""Run only when they are asked for: one needs a bucket, the other uses up what an account may do in a minute."""
ALL = "all"

_REVISION = re.compile(r"\d{4}-\d{2}")


class SelectionError(ValueError):
    """What was asked for does not exist; the message says what does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """Frozen profiles.

    Attributes:
        name: year and month, such as 2026-11.
        contract: version of the document it was frozen with.
        profiles: ids of each profile.
    """

    name: str
    contract: str
    profiles: Mapping[str, tuple[str, ...]]

    @property
    def ids(self) -> frozenset[str]:
        """All that it holds."""
        return frozenset(one for ids in self.profiles.values() for one in ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a run decides.

    Attributes:
        chosen: rows in the order of their file.
        left_out: id and reason of every other row.
        profiles: chosen ones; `other_profiles` the rest.
        not_scored: chosen ids that the revision does not hold.
    """

    chosen: tuple[Requirement, ...]
    revision: str
    left_out: Mapping[str, str] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    other_profiles: tuple[str, ...] = ()
    not_scored: tuple[str, ...] = ()


def revisions() -> list[str]:
    """Names of all revisions, the newest last."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_revision(name: str = "") -> Revision:
    """A revision, the newest when none is named.

    Raises:
        SelectionError: there is none of this name.
    """
    import yaml

    known = revisions()
    name = name or known[-1]
    if name not in known:
        raise SelectionError(f"no revision {name!r}; known: {', '.join(known)}")
    raw = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    profiles = {profile: tuple(ids) for profile, ids in raw["profiles"].items()}
    return Revision(name=name, contract=raw["contract"], profiles=profiles)


def select(
    rows: Requirements,
    revision: Revision,
    *,
    profiles: Iterable[str] = (),
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> Selection:
    """The rows to decide.

    Args:
        profiles: names, or `all`; by default all but those that must be asked for, and with `only` simply all.
        only, exclude: ids, areas or beginnings of them up to a hyphen: V3-TXT2IMG-013, V3-TXT2IMG, V3.

    Raises:
        SelectionError: a profile does not exist, or a word of `only` or `exclude` fits no row.
    """
    named = _profiles(tuple(profiles), anything=bool(only))
    for word in (*only, *exclude):
        _must_fit(word, rows)
    frozen = {one: profile for profile, ids in revision.profiles.items() for one in ids}
    chosen: list[Requirement] = []
    left_out: dict[str, str] = {}
    for row in rows:
        if only and not _fits(row.id, only):
            left_out[row.id] = "not named by --only"
        elif _fits(row.id, exclude):
            left_out[row.id] = "--exclude"
        elif (profile := frozen.get(row.id, row.profile)) not in named:
            left_out[row.id] = f"profile {profile} was not chosen"
        else:
            chosen.append(row)
    return Selection(
        chosen=tuple(chosen),
        revision=revision.name,
        left_out=left_out,
        profiles=tuple(named),
        other_profiles=tuple(profile for profile in Profile if profile not in named),
        not_scored=tuple(row.id for row in chosen if row.id not in frozen),
    )


def _profiles(asked: tuple[str, ...], *, anything: bool) -> tuple[str, ...]:
    if ALL in asked or (anything and not asked):
        return tuple(Profile)
    unknown = [name for name in asked if name not in set(Profile)]
    if unknown:
        raise SelectionError(f"no profile {unknown[0]!r}; known: {ALL}, {', '.join(Profile)}")
    return tuple(profile for profile in Profile if (profile in asked if asked else profile not in OPT_IN))


def _fits(requirement: str, words: Iterable[str]) -> bool:
    return any(f"{requirement}-".startswith(f"{word.upper().rstrip('-')}-") for word in words)


def _must_fit(word: str, rows: Requirements) -> None:
    if any(_fits(row.id, (word,)) for row in rows):
        return
    reason = rows.retired.get(word.upper())
    if reason:
        raise SelectionError(f"{word} is retired: {reason}")
    raise SelectionError(f"no requirement is, or begins with, {word!r}; areas: {', '.join(rows.areas)}")


def frozen_text(name: str, contract: str, rows: Requirements) -> str:
    """The file of a revision that holds all rows of today."""
    lines = [
        f"# Profiles of revision {name}. Frozen: this file never changes; a new revision gets a file of its own.",
        f"revision: {name!r}",
        f"contract: {contract}",
        "profiles:",
    ]
    for profile in Profile:
        lines.append(f"  {profile}:")
        lines += [f"    - {row.id}" for row in rows.of_profile(profile)]
    return "\n".join(lines) + "\n"


def freeze(name: str, folder: Path = FOLDER) -> Path:
    """Writes the file of a new revision.

    Raises:
        SelectionError: the name is none, or the revision exists.
    """
    from openapi.document import load

    path = folder / f"{name}.yaml"
    if not _REVISION.fullmatch(name):
        raise SelectionError(f"{name!r}: expected year and month, as 2026-11")
    if path.exists():
        raise SelectionError(f"revision {name} is frozen; a change needs a revision of its own")
    path.write_text(frozen_text(name, load().version, load_requirements()), encoding="utf-8")
    return path


def main(arguments: Sequence[str]) -> int:
    """`python -m conformance.selection --freeze REVISION`; gives the exit code."""
    import click

    if len(arguments) != 2 or arguments[0] != "--freeze":
        click.echo("usage: python -m conformance.selection --freeze YEAR-MONTH", err=True)
        return 2
    try:
        click.echo(f"wrote {freeze(arguments[1])}")
    except SelectionError as error:
        click.echo(str(error), err=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
