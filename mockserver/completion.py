"""Completion in shells: the words that values can be, where there is a closed list of them.

A shell asks at every press of the key. So nothing here loads a server, YAML or a library that is not small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import BashComplete, CompletionItem

Items = list[CompletionItem[str]]
Values = Callable[[click.Context, click.Parameter, str], Items]
"""What click asks: the context, the parameter, and what stands there already."""

CLOCKS = (
    ("real", "runs with the wall"),
    ("auto", "runs with the wall, and each poll jumps ahead"),
    ("manual", "stands until it is moved"),
    ("x10", "ten times as fast"),
    ("x100", "a hundred times as fast"),
)


class Bash(BashComplete):
    """bash hands `--flag=value` over as three words; the one between is no value."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is completed, and its beginning."""
        args, incomplete = super().get_completion_args()
        return [word for word in args if word != "="], incomplete


def of_words(words: Callable[[], Iterable[tuple[str, str]]], *, or_file: bool = False) -> Values:
    """Completes from a list.

    Args:
        words: gives each with a line of help; called when a shell asks.
        or_file: a file may stand there too.
    """

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
        del ctx, param
        found = [CompletionItem(word, help=about or None) for word, about in words() if word.startswith(incomplete)]
        # What is no word of the list is taken for the beginning of a file's name: shells forget words before `file`.
        return [CompletionItem(incomplete, type="file"), *found] if or_file else found

    return complete


def _scenarios() -> Iterable[tuple[str, str]]:
    from mockserver.scenarios import names

    return ((name, "") for name in names())


def _failures() -> Iterable[tuple[str, str]]:
    from mockserver.sweep.cases import CASES

    return ((case.id, case.name) for case in CASES)


def _dimensions() -> Iterable[tuple[str, str]]:
    from mockserver.coverage.item import Dimension

    return ((f"{dimension.value}=100", "") for dimension in Dimension)


def _acls() -> Iterable[tuple[str, str]]:
    from mockserver.storage.s3 import Acl

    return ((acl.value, "") for acl in Acl)


clocks = of_words(lambda: CLOCKS)
scenario_names = of_words(_scenarios)
scenario_or_file = of_words(_scenarios, or_file=True)
failures = of_words(_failures)
dimensions = of_words(_dimensions)
acls = of_words(_acls)
files = of_words(tuple, or_file=True)
