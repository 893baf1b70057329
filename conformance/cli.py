"""The command line: which commands there are, and where each lives; a command's modules load when it is called.

Exit codes: see `conformance.exit_codes`.
"""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from importlib.util import find_spec

import click
from click.shell_completion import CompletionItem, add_completion_class

from conformance.completion import Bash
from conformance.exit_codes import ExitCode

ELSEWHERE = {
    "run": "conformance.run_commands:run_command",
    "list": "conformance.list_commands:list_command",
    "explain": "conformance.list_commands:explain_command",
    "compare": "conformance.report_commands:compare_command",
    "matrix": "conformance.report_commands:matrix_command",
    "probe": "conformance.probe_commands:probe",
    "diff": "conformance.diff_commands:diff",
    "mutant": "conformance.mutant_commands:mutant",
    "completion": "conformance.completion:completion",
}
"""Commands by name, and where each is found."""

EXTRA = ("h11", "hypothesis", "jinja2", "jsonschema", "rich", "schemathesis")
"""What the extra brings."""


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands."""
        del ctx
        return [name for name, place in ELSEWHERE.items() if find_spec(place.partition(":")[0])]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Commands by name alone, since their help is in their modules; and flags."""
        found = [CompletionItem(name) for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command."""
        module, _, attribute = ELSEWHERE.get(cmd_name, "").partition(":")
        if not module or not find_spec(module):
            return None
        try:
            found: click.Command = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            if error.name and error.name.partition(".")[0] in EXTRA:
                if ctx.resilient_parsing:  # a shell completes: there is nobody to tell
                    return None
                raise click.ClickException(
                    f"{error.name} is missing; install the extra: pip install 'novita-mock[conformance]'"
                ) from None
            raise
        return found


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    del param
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        from conformance import SUITE_VERSION

        click.echo(f"novita-conformance {version('novita-mock')} (suite {SUITE_VERSION})")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Judge any server of the Novita AI image API by HTTP: which sentence of the contract holds, and which does not."""


add_completion_class(Bash)


def main() -> None:
    """The entry point. Ctrl-C ends with 130 wherever it comes."""
    try:
        cli(prog_name="novita-conformance", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(int(ExitCode.USAGE))
    except (click.Abort, KeyboardInterrupt):
        click.echo("novita-conformance: interrupted", err=True)
        sys.exit(int(ExitCode.INTERRUPTED))
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("conformance", "openapi"):
            raise
        click.echo(f"novita-conformance needs {error.name}: pip install 'novita-mock[conformance]'", err=True)
        sys.exit(int(ExitCode.USAGE))
    except Exception:  # Python would exit with 1, which means that a server is at fault
        traceback.print_exc()
        sys.exit(int(ExitCode.HARNESS_ERROR))
