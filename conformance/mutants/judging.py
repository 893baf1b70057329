"""Runs the suite against one mutant and says whether the right check saw it, and whether it alone did."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from conformance import timing
from conformance.budget import Limits
from conformance.errors import Unreachable
from conformance.mutants.serving import in_process
from conformance.registry import Phase
from conformance.runner import Plan, run
from conformance.target import Bucket, Target
from conformance.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from conformance.mutants.values import Mutant
    from conformance.registry import Registry
    from openapi.document import Document
    from openapi.requirements import Requirements

LONGEST_S = 300.0
"""A run that takes longer is over: a mutant that makes the suite wait for ever is the suite's mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What the suite said of one mutant.

    Attributes:
        verdict: of the requirement that the mutant breaks.
        others: requirements that are worse than without the mutant, the broken one and what it blocks left out.
        blocked: requirements that could not be decided because of the broken one.
        message: what the broken requirement's check saw; "" when it saw nothing.
        site: the assertion that killed it, as `Outcome.site` has it; "" for none.
        trouble: why there are no verdicts; "" when there are.
    """

    mutant: str
    breaks: str
    verdict: str = ""
    killed: bool = False
    others: dict[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    message: str = ""
    site: str = ""
    trouble: str = ""
    took_s: float = 0.0

    @property
    def alone(self) -> bool:
        """Whether nothing else was red, but what the mutant says it cannot help breaking."""
        return set(self.others) <= set(self.also)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all rulings share.

    Attributes:
        control: prefix of the upstream's control interface; "" for none.
        bucket: that the upstream writes to; None when it has none.
        again: whether a red check is tried once more, as in a usual run.
        keys: of the upstream's two accounts; None: it takes any key, and each mutant has accounts of its own.
        timeout_s, task_timeout_s: how long an answer and a task may take, as in a usual run.
        longest_s: how long a run may take.
    """

    document: Document
    rows: Requirements
    registry: Registry
    control: str = "/__mock"
    bucket: Bucket | None = None
    again: bool = True
    keys: tuple[str, str] | None = None
    timeout_s: float = 10.0
    task_timeout_s: float = 60.0
    longest_s: float = LONGEST_S


async def outcomes(
    bench: Bench, mutant: Mutant, upstream: str, ids: Iterable[str] = (), *, strict: bool = False
) -> Mapping[str, Outcome]:
    """Outcomes by requirement.

    Args:
        ids: only these; all that have a check when empty.
        strict: whether the judge is strict; for a mutant that says so it always is.

    Raises:
        TimeoutError: the run did not end.
        Unreachable: the upstream does not answer.
    """
    only = set(ids)
    chosen = tuple(row for row in bench.rows if row.id in bench.registry and (not only or row.id in only))
    origin = f"http://{mutant.name}.localhost"
    key, second_key = bench.keys or (f"sk-mock-{mutant.name}", f"sk-mock-{mutant.name}-second")
    target = Target(
        url=origin,
        key=key,
        second_key=second_key,
        control=bench.control,
        strict=mutant.strict or strict,
        timeout_s=bench.timeout_s,
        task_timeout_s=bench.task_timeout_s,
        bucket=bench.bucket if mutant.needs_bucket else None,  # else nothing differs there, and it takes its time
    )
    plan = Plan(requirements=chosen, limits=Limits(max_time_s=bench.longest_s), again=bench.again)
    longest_s = bench.longest_s * 1.2
    async with in_process(mutant, upstream, bench.document, origin) as transport, asyncio.timeout(longest_s):
        result = await run(target, plan, bench.registry, bench.document, bench.rows, transport=transport)
    return result.outcomes


def relevant_ids(bench: Bench, mutant: Mutant) -> set[str]:
    """Requirements that a mutant can touch at all: a proxy hands on the operations of the other version as they are."""
    version = mutant.breaks[:3]
    other = {"V2-": "V3-", "V3-": "V2-"}.get(version, "none")
    found = {row.id for row in bench.rows if row.id in bench.registry and not row.id.startswith(other)}
    return found | {need for one in found for need in bench.registry[one].needs if need in bench.registry}


def own_ids(bench: Bench, mutant: Mutant) -> set[str]:
    """The broken requirement and what it needs: enough to see whether the mutant is killed, not whether alone."""
    needs = bench.registry[mutant.breaks].needs
    return {mutant.breaks} | {need for need in needs if need in bench.registry}


def looks_at_others(bench: Bench, mutant: Mutant) -> bool:
    """Whether the broken requirement's check looks at what the others did, so that alone it may see less."""
    return bench.registry[mutant.breaks].phase is Phase.LAST


def quick_ids(bench: Bench, mutant: Mutant) -> set[str]:
    """The broken requirement, its neighbours of the same area and what they need."""
    area = mutant.breaks.rpartition("-")[0]
    found = {row.id for row in bench.rows if row.id in bench.registry and row.id.rpartition("-")[0] == area}
    return found | {need for one in found for need in bench.registry[one].needs}


async def ruling(
    bench: Bench, mutant: Mutant, upstream: str, sound: Mapping[str, int], ids: Iterable[str] = ()
) -> Ruling:
    """What the suite says of a mutant.

    Args:
        sound: grades of the same upstream without a defect, by the same judge; see `grade`.
    """
    started_s = timing.now()
    try:
        found = await outcomes(bench, mutant, upstream, ids)
    except (TimeoutError, Unreachable) as error:
        return Ruling(
            mutant=mutant.name,
            breaks=mutant.breaks,
            trouble=f"{type(error).__name__}: {error}".rstrip(": "),
            took_s=timing.now() - started_s,
        )
    broken = found.get(mutant.breaks)
    verdict = broken.verdict if broken else None
    killed = broken is not None and grade(broken) == 3 and sound.get(mutant.breaks, 0) < 3
    return Ruling(
        mutant=mutant.name,
        breaks=mutant.breaks,
        verdict=verdict.value if verdict else "no check",
        killed=killed,
        others={
            name: outcome.verdict.value
            if outcome.verdict is not Verdict.BLOCKED
            else f"BLOCKED by {outcome.blocked_by}"
            for name, outcome in found.items()
            if name != mutant.breaks and _worse(outcome, sound.get(name, 0), found)
        },
        also=mutant.also,
        blocked=tuple(name for name, one in found.items() if one.verdict is Verdict.BLOCKED),
        message=f"expected {broken.expected}, got {broken.actual}" if broken and broken.expected else "",
        site=broken.site if broken and killed else "",
        took_s=timing.now() - started_s,
    )


def grade(outcome: Outcome) -> int:
    """How bad a verdict is for a server: 0 good, 1 tolerated, 2 undecided, 3 broken."""
    if outcome.verdict is Verdict.WARN:
        return 1 if outcome.message.startswith("tolerated: ") else 3
    return {Verdict.FAIL: 3, Verdict.ERROR: 3}.get(outcome.verdict, 0 if outcome.verdict.green else 2)


def _worse(outcome: Outcome, sound: int, found: Mapping[str, Outcome]) -> bool:
    """Whether it is red of its own; what a red one blocks is not, for the defect turned only that one red."""
    root, seen = outcome, set[str]()
    while root.verdict is Verdict.BLOCKED and root.requirement not in seen:
        seen.add(root.requirement)
        root = found.get(root.blocked_by, root)
    return grade(outcome) > sound and (root is outcome or grade(root) != 3)
