"""`novita-mock completion SHELL`: the script that makes a shell complete commands, flags and values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "novita-mock"
SHELLS = ("bash", "zsh", "fish")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    r"""Print the script that makes SHELL complete commands, flags and values.

    \b
    bash: eval "$(novita-mock completion bash)"              in ~/.bashrc
    zsh:  eval "$(novita-mock completion zsh)"               in ~/.zshrc, after compinit
    fish: novita-mock completion fish | source               in ~/.config/fish/config.fish
    """
    from mockserver.cli import cli

    found = get_completion_class(shell)
    assert found is not None, "click knows the three"
    script = found(cli, {}, PROGRAM, f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE")
    click.echo(script.source(), nl=False)
