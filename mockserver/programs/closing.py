"""What is said when a program has ended: what it would have cost, and what it did that it should not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockserver.core.codes import CATALOGUE, Code, Level
from mockserver.money.amounts import counted, usd
from mockserver.watch.judge import judged

if TYPE_CHECKING:
    from mockserver.core.findings import Finding
    from mockserver.intercept.proxy import Proxy
    from mockserver.mock import Mock

LATER_MS = 3_600_000
"""The program is judged as if this much time had passed since: what it has not fetched by then, it never will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What all worlds of a run come to.

    Attributes:
        calls: of operations and pictures.
        keyless: calls without an acceptable key.
        findings: each with how often.
    """

    tasks: int
    pictures: int
    micro_usd: int
    calls: int
    keyless: int
    findings: tuple[tuple[Finding, int], ...]

    def codes(self) -> dict[Code, int]:
        """How often each code was found, by code."""
        found: dict[Code, int] = {}
        for finding, count in self.findings:
            found[finding.code] = found.get(finding.code, 0) + count
        return dict(sorted(found.items()))


def sums(mock: Mock) -> Sums:
    """Adds up; to be called in the server's thread, when the program has ended."""
    worlds = mock.worlds
    spent = [world.ledger.spent for world in worlds]
    findings: list[tuple[Finding, int]] = []
    for world in worlds:
        world.clock.advance(LATER_MS)  # nobody is told: what falls due now is not carried out
        findings += [*world.findings.counted(), *judged(world)]
    return Sums(
        tasks=sum(one.tasks for one in spent),
        pictures=sum(one.pictures for one in spent),
        micro_usd=sum(one.micro_usd for one in spent),
        calls=sum(world.calls for world in worlds),
        keyless=len(mock.outside),
        findings=tuple(findings),
    )


def closing_lines(found: Sums, proxy: Proxy | None) -> Iterator[str]:
    """One line, and one more for each thing that its reader has to know."""
    codes = found.codes()
    told = ", ".join(f"{code.value} {code.label}{f' x{count}' if count > 1 else ''}" for code, count in codes.items())
    yield (
        f"{counted(found.tasks, 'task')}, {counted(found.pictures, 'picture')}, "
        f"{usd(found.micro_usd)} USD that the service would have taken; findings: {told or 'none'}"
    )
    for code in codes:
        if CATALOGUE[code].level is Level.ERROR:
            first = next(finding for finding, _ in found.findings if finding.code is code)
            yield f"{code.value} {CATALOGUE[code].title}: {first.message}"
    if not found.calls and not found.keyless:
        yield from _nothing_came(proxy)
    elif not found.calls:
        yield f"{counted(found.keyless, 'call')} came without a key that the mock accepts"
    if proxy is not None:
        for host, count in proxy.refused.items():
            yield f"refused: {host} ({counted(count, 'time')}); with --intercept nothing goes outside"
        for host, count in proxy.untrusted.items():
            yield (
                f"{counted(count, 'connection')} to {host} ended in the handshake: the client does not trust the "
                "certificate of this run (docs/any-program.md says what each language reads)"
            )


def _nothing_came(proxy: Proxy | None) -> Iterator[str]:
    if proxy is None:
        yield (
            "no call reached the mock: does the program read NOVITA_API_URI and NOVITA_API_KEY? "
            "One with the vendor's address built in needs --intercept"
        )
    elif not proxy.refused and not proxy.untrusted:
        yield "no call reached the mock: does the program's HTTP library go by HTTPS_PROXY? (docs/any-program.md)"
