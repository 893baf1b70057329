"""The command line: `novita-reference serve`, and the commands that make models."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import add_completion_class

from reference_impl.cluster.command import replicas
from reference_impl.completion import Bash, completion, device_names
from reference_impl.parameters import Bytes, Failure, RayAddress, Seconds, pairs, require_engine
from reference_impl.settings import LOCAL_ENGINE, Settings, default_data

SHIPPED = Path(__file__).parent / "weights"
MODEL_COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "make-models": "Make a folder of tiny models, untrained or with the weights that are shipped.",
        "train": "Train the tiny models.",
        "evaluate": "Measure how well the tiny models follow a request.",
    }
)
"""Commands of `reference_impl.tiny.commands`; that module is imported when one of them is called."""


class _Commands(click.Group):
    """Knows the names of the model commands without importing what they need."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return [*super().list_commands(ctx), *MODEL_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command; of the model commands what a list of them shows."""
        if cmd_name in MODEL_COMMANDS:
            return click.Command(cmd_name, short_help=MODEL_COMMANDS[cmd_name])
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called; a model command from where it lives."""
        if args[0] not in MODEL_COMMANDS:
            return super().resolve_command(ctx, args)
        if not ctx.resilient_parsing:  # a shell that completes wants its flags only
            require_engine()
        module = importlib.import_module("reference_impl.tiny.commands")
        command: click.Command = getattr(module, args[0].replace("-", "_"))
        return args[0], command, args[1:]


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A server that obeys the contract and draws with real diffusion models."""


@main.command(context_settings={"auto_envvar_prefix": "NOVITA_REFERENCE", "show_default": True})
@click.option("--port", default=4290, help="Where to listen; 0 picks a free port.")
@click.option("--host", default="127.0.0.1", help="Address to listen at; 0.0.0.0 is all of the machine's.")
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    default=SHIPPED,
    show_default="the shipped ones",
    help="Folder of checkpoints, LoRAs and so on.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=None,
    show_default="novita-reference in $XDG_STATE_HOME or ~/.local/state",
    help="Folder of tasks and finished pictures; of one server at a time, or of all that share one --store.",
)
@click.option("--store", default=None, metavar="URL", help="Tasks in PostgreSQL, for several servers: postgresql://...")
@click.option("--lease", "lease_s", type=Seconds(), default="60s", help="When tasks of a lost server are taken over.")
@click.option(
    "--ray",
    type=RayAddress(),
    default=None,
    metavar="ADDRESS",
    help="Have pictures drawn by the replicas of this Ray cluster.",
)
@click.option("--ray-batches", type=click.IntRange(min=1), default=8, help="How many batches it is given at a time.")
@click.option("--api-key", "api_keys", multiple=True, help="An account's key; repeatable. None: any key is an account.")
@click.option("--strict", is_flag=True, help="Accept only what the documentation says.")
@click.option(
    "--device",
    default="auto",
    shell_complete=device_names,
    help="auto, cpu, cuda, cuda:1, or several with commas: one worker each.",
)
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    help="Numbers of the models; auto: float32 on a CPU, float16 on CUDA.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=None,
    help="Of each worker on a CPU. Not given: one for small models, all cores for large ones.",
)
@click.option("--cache", "cache_bytes", type=Bytes(), default="4GB", help="Weights that a worker keeps loaded.")
@click.option("--queue", type=click.IntRange(min=8), default=1000, help="Pictures that may wait; more: status 429.")
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=1,
    help="Pictures drawn at once, of one task or several: faster on a GPU, but values may be 1/255 off.",
)
@click.option(
    "--pictures-per-minute",
    type=click.IntRange(min=0),
    default=None,
    help="What an account may ask for; 0: the documented numbers. Not given: no limit.",
)
@click.option("--link-ttl", "link_ttl_s", type=Seconds(), default="1h", help="How long a link of v3 lives.")
@click.option("--keep", "keep_s", type=Seconds(), default="7d", help="How long an ended task can be read.")
@click.option("--public-url", default=None, help="What links begin with, where callers see another address.")
@click.option("--alias", "aliases", multiple=True, metavar="OFFICIAL=NAME", help="Another name of a model; repeatable.")
@click.option(
    "--nsfw",
    default=None,
    metavar="MODEL",
    help="Detector (safety/) that judges pictures; not given: the first there is.",
)
@click.option("--s3-endpoint", default=None, metavar="URL", help="An S3 for custom_storage that is not Amazon's.")
@click.option("--allow-private-webhooks", is_flag=True, help="Events may go to addresses of the server's own network.")
@click.option("--webhook-retry", "webhook_retry_s", type=float, default=1.0, help="Seconds to the second attempt.")
@click.option("--test-clock", is_flag=True, help="Let anybody set the clock forward under /__test/clock; for tests.")
@click.option("--json-logs", is_flag=True, help="Log as JSON, one object a line.")
@click.option("--verbose", is_flag=True, help="Log what goes well too.")
@click.option("--engine", default=LOCAL_ENGINE, hidden=True)
def serve(data: Path | None, device: str, aliases: tuple[str, ...], verbose: bool, **chosen: Any) -> None:
    """Answer requests until stopped. Every flag is also a variable: NOVITA_REFERENCE_PORT and so on."""
    # Held back until here, so that --help and the other commands start at once.
    from reference_impl.assembly import CannotStart
    from reference_impl.links import LONGEST_S
    from reference_impl.logs import start_logging
    from reference_impl.running import serve as run

    devices = tuple(name.strip() for name in device.split(",") if name.strip())
    if not devices:
        raise click.BadParameter(
            f"{device!r} names no device; write such as cpu or cuda:0,cuda:1", param_hint="--device"
        )
    if chosen["link_ttl_s"] > LONGEST_S:
        raise click.BadParameter("links live for 7 days at most", param_hint="--link-ttl")
    if chosen["public_url"] and not re.match(r"https?://[^/]", chosen["public_url"]):
        raise click.BadParameter("expected a URL that begins with http:// or https://", param_hint="--public-url")
    _check_shared(chosen)
    settings = Settings(
        data=data or default_data(),
        devices=devices,
        aliases=pairs(aliases),
        **chosen,
    )
    if settings.engine == LOCAL_ENGINE and settings.ray is None:
        require_engine()
    start_logging(as_json=settings.json_logs, verbose=verbose)
    try:
        run(settings)
    except CannotStart as error:
        raise Failure(str(error)) from None


def _check_shared(chosen: Mapping[str, Any]) -> None:
    """What belongs to several servers and to a cluster fits together."""
    if chosen["store"] is not None and not re.match(r"postgres(ql)?://", chosen["store"]):
        raise click.BadParameter("expected postgresql://user:password@host:port/database", param_hint="--store")
    if chosen["lease_s"] < 2:
        raise click.BadParameter("a lease is 2 seconds at least", param_hint="--lease")
    if chosen["ray"] is None:
        return
    here = click.get_current_context()
    set_here = [
        f"--{name.replace('_', '-')}"
        for name in ("device", "dtype", "threads", "cache_bytes")
        if here.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if set_here:
        there = ", ".join(set_here).replace("--cache-bytes", "--cache")
        raise click.UsageError(f"with --ray the replicas draw: give {there} to `novita-reference replicas`")
    if importlib.util.find_spec("ray") is None:
        raise Failure("--ray needs Ray: pip install 'novita-mock[ray]'")


main.add_command(replicas)
main.add_command(completion)
add_completion_class(Bash)
