"""Completion in shells: what the program's own flags cannot say by themselves, and the script that a shell loads."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, CompletionItem, get_completion_class

PROGRAM = "novita-reference"
SHELLS = ("bash", "zsh", "fish")
DEVICES = (
    ("auto", "the GPU where there is one"),
    ("cpu", ""),
    ("cuda", "the first GPU"),
    ("cuda:0,cuda:1", "a worker on each of two"),
)


class Bash(BashComplete):
    """bash hands `--flag=value` over as three words; the one between is no value."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is completed, and its beginning."""
        args, incomplete = super().get_completion_args()
        return [word for word in args if word != "="], incomplete


def device_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Usual values of `--device`; nothing is asked about the machine, since that takes seconds."""
    del ctx, param
    return [CompletionItem(word, help=about or None) for word, about in DEVICES if word.startswith(incomplete)]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    r"""Print the script that makes SHELL complete commands and flags.

    \b
    bash: eval "$(novita-reference completion bash)"         in ~/.bashrc
    zsh:  eval "$(novita-reference completion zsh)"          in ~/.zshrc, after compinit
    fish: novita-reference completion fish | source          in ~/.config/fish/config.fish
    """
    from reference_impl.cli import main

    found = get_completion_class(shell)
    assert found is not None, "click knows the three"
    script = found(main, {}, PROGRAM, f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE")
    click.echo(script.source(), nl=False)
