"""Completion in shells: requirements, profiles, revisions, mutants, reports.

A shell asks at every press of the key. So ids are looked for in the text of their file, without a reader of YAML and
without the checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import BashComplete, CompletionItem, get_completion_class

PROGRAM = "novita-conformance"
SHELLS = ("bash", "zsh", "fish")

Items = list[CompletionItem[str]]
Values = Callable[[click.Context, click.Parameter, str], Items]
"""What click asks: the context, the parameter, and what stands there already."""

_ID = re.compile(r"^ *- id: (\S+)$", re.MULTILINE)


class Bash(BashComplete):
    """bash hands `--flag=value` over as three words; the one between is no value."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is completed, and its beginning."""
        args, incomplete = super().get_completion_args()
        return [word for word in args if word != "="], incomplete


def of_words(words: Callable[[], Iterable[str]]) -> Values:
    """Completes from a list, which is made when a shell asks; large or small letters do not matter."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
        del ctx, param
        wanted = incomplete.lower()
        return [CompletionItem(word) for word in words() if word.lower().startswith(wanted)]

    return complete


def ids() -> list[str]:
    """The ids of all requirements, in the order of their file."""
    from openapi.requirements import FILE

    return _ID.findall(FILE.read_text(encoding="utf-8"))


def areas() -> list[str]:
    """What ids begin with: V3-TXT2IMG."""
    return list(dict.fromkeys(one.rpartition("-")[0] for one in ids()))


def _profiles() -> list[str]:
    from openapi.requirements import Profile

    return ["all", *Profile]


def _revisions() -> list[str]:
    return sorted(path.stem for path in (Path(__file__).parent / "profiles").glob("*.yaml"))


def _mutants() -> list[str]:
    from conformance.mutants.catalogue import load_mutants
    from conformance.mutants.values import FAITHFUL

    return [FAITHFUL.name, *load_mutants()]


def _reports() -> list[str]:
    """Kinds with a usual name of a file behind each."""
    from conformance.report.write import KINDS

    return [f"{kind}={_file_of(kind)}" for kind in KINDS]


def _file_of(kind: str) -> str:
    return {"junit": "junit.xml", "badge": "badge.svg"}.get(kind, f"report.{kind}")


requirement_ids = of_words(ids)
ids_or_areas = of_words(lambda: [*areas(), *ids()])
area_names = of_words(areas)
profile_names = of_words(_profiles)
revision_names = of_words(_revisions)
mutant_names = of_words(_mutants)
reports = of_words(_reports)
clocks = of_words(lambda: ("auto", "none"))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    r"""Print the script that makes SHELL complete commands, flags, requirements and mutants.

    \b
    bash: eval "$(novita-conformance completion bash)"       in ~/.bashrc
    zsh:  eval "$(novita-conformance completion zsh)"        in ~/.zshrc, after compinit
    fish: novita-conformance completion fish | source        in ~/.config/fish/config.fish
    """
    from conformance.cli import cli

    found = get_completion_class(shell)
    assert found is not None, "click knows the three"
    script = found(cli, {}, PROGRAM, f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE")
    click.echo(script.source(), nl=False)
