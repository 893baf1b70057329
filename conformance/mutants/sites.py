"""The assertions of the checks: where each of them stands. What they say is not judged here."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ASSERTING = frozenset(("expect", "fail", "refused", "accepted", "judge_refusal"))
"""Methods of a trial that raise `Broken`."""
AWAITED = frozenset(("refused", "accepted"))
GATHERING = "all"
"""The method that awaits several; what they raise comes from its line."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Site:
    """An assertion; several on one line count as one.

    Attributes:
        module: of `conformance.checks`.
        last_line: where its statement or call ends.
    """

    module: str
    line: int
    last_line: int

    @property
    def name(self) -> str:
        """As `Outcome.site` has it."""
        return f"{self.module}:{self.line}"


def all_sites() -> tuple[Site, ...]:
    """Every assertion of the checks, module by module, line by line."""
    from conformance import checks

    paths = [path for folder in checks.__path__ for path in Path(folder).glob("*.py")]
    found = {site for path in paths for site in sites_of(path.stem, path.read_text(encoding="utf-8"))}
    by_line: dict[str, Site] = {}
    for site in sorted(found):
        by_line.setdefault(site.name, site)
    return tuple(by_line.values())


def sites_of(module: str, source: str) -> Iterator[Site]:
    """Those of one module."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in _asserting(function):
                yield Site(module=module, line=node.lineno, last_line=node.end_lineno or node.lineno)


def site_at(place: str, known: Iterable[Site]) -> Site | None:
    """The assertion that a place such as `links_v3:57` belongs to; None for a line without one.

    A check can also end where it calls what all checks share; such a line is no assertion of its own.
    """
    module, _, line = place.rpartition(":")
    found = [site for site in known if site.module == module and site.line <= int(line) <= site.last_line]
    return min(found, key=lambda site: site.last_line - site.line, default=None)


def _asserting(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr | ast.stmt]:
    """What may raise `Broken` in a function, where a traceback would show it."""
    nodes = list(_own(function))
    awaited = {id(node.value) for node in nodes if isinstance(node, ast.Await)}
    gathered = {id(inner): call for call in nodes if _calls(call) == GATHERING for inner in ast.walk(call)}
    gatherings = [call for call in nodes if isinstance(call, ast.Call) and _calls(call) == GATHERING]
    for node in nodes:
        name = _calls(node)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and _named(node.exc.func, "Broken"):
            yield node
        elif isinstance(node, ast.Call) and name in ASSERTING and not _blames_another(node):
            if name not in AWAITED or id(node) in awaited:
                yield node
            elif id(node) in gathered:
                call = gathered[id(node)]
                assert isinstance(call, ast.Call)
                yield call
            else:
                yield from gatherings or (node,)  # made here and awaited there, or by whom it is given to


def _own(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        ]


def _calls(node: ast.AST) -> str:
    """The name of the method of a trial that is called; "" for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _named(node.func.value, "t"):
        return node.func.attr
    return ""


def _blames_another(call: ast.Call) -> bool:
    """Whether it names the requirement that is broken: a foundation, which turns red where that one is judged."""
    named = [word.value for word in call.keywords if word.arg == "blame"]
    return any(isinstance(value, ast.Constant) and bool(value.value) for value in named)


def _named(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
