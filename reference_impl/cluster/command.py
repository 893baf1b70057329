"""`novita-reference replicas`: puts the engine on a Ray cluster, or on one of its own on this machine."""

from __future__ import annotations

import importlib.util
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reference_impl.cluster.connection import keep_here, prepare
from reference_impl.parameters import Bytes, Failure, RayAddress, Seconds, pairs, require_engine
from reference_impl.settings import LOCAL_ENGINE
from reference_impl.worker.process import EngineOptions

if TYPE_CHECKING:
    from reference_impl.cluster.deployment import Scale

HERE = "local"
SHIPPED = Path(__file__).resolve().parents[1] / "weights"


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option(
    "--ray",
    "address",
    type=RayAddress(local=True),
    default=HERE,
    metavar="ADDRESS",
    help="host:port of a cluster's head; auto; or local.",
)
@click.option("--min", "least", type=click.IntRange(min=1), default=1, help="Replicas that are always there.")
@click.option("--max", "most", type=click.IntRange(min=1), default=None, help="When batches wait. Not given: as --min.")
@click.option("--cpus", type=click.FloatRange(min=0), default=1.0, help="Cores that a replica is given.")
@click.option("--gpus", type=click.FloatRange(min=0), default=0.0, help="GPUs that a replica is given.")
@click.option("--scale-down", "down_s", type=Seconds(), default="5m", help="How long replicas are idle before they go.")
@click.option("--checkpoints", type=click.IntRange(min=1), default=4, help="How many Ray counts on a replica to hold.")
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    default=SHIPPED,
    show_default="the shipped ones",
    help="Folder of checkpoints, LoRAs and so on; every replica reads it.",
)
@click.option("--alias", "aliases", multiple=True, metavar="OFFICIAL=NAME", help="Another name of a model; repeatable.")
@click.option("--device", default="auto", help="Of each replica: auto, cpu or cuda.")
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    help="Numbers of the models; auto: float32 on a CPU, float16 on CUDA.",
)
@click.option("--threads", type=click.IntRange(min=1), default=None, help="Of each replica on a CPU.")
@click.option("--cache", "cache_bytes", type=Bytes(), default="4GB", help="Weights that a replica keeps loaded.")
@click.option("--batch", type=click.IntRange(min=1), default=1, help="Pictures drawn at once; as with the servers.")
@click.option("--nsfw", default=None, metavar="MODEL", help="Detector (safety/) that judges pictures.")
@click.option("--remove", is_flag=True, help="Take the replicas off the cluster.")
@click.option("--ray-folder", type=click.Path(path_type=Path), default=None, help="Where a local Ray keeps its files.")
@click.option("--engine", default=LOCAL_ENGINE, hidden=True)
def replicas(address: str, ray_folder: Path | None, engine: str, remove: bool, **chosen: Any) -> None:
    """Put replicas of the engine on a Ray cluster, for servers that are started with --ray.

    With --ray local a cluster of this machine's own is started, and ends with this command. Otherwise the command ends
    when the replicas are there, and they stay; called again, it changes them.
    """
    if importlib.util.find_spec("ray") is None:
        raise Failure("this needs Ray: pip install 'novita-mock[ray]'")
    if engine == LOCAL_ENGINE:
        require_engine()
    if not chosen["models"].is_dir():
        raise click.BadParameter(f"{chosen['models']} is no folder", param_hint="--models")
    most = chosen["most"] or chosen["least"]
    if most < chosen["least"]:
        raise click.BadParameter(f"{most} is less than --min {chosen['least']}", param_hint="--max")
    if ray_folder is not None and address != HERE:
        raise click.BadParameter("the cluster has its own", param_hint="--ray-folder")
    if address == HERE:
        keep_here()
    else:
        prepare(address)
    if remove and address == HERE:
        raise click.BadParameter(
            "name the cluster with --ray; a local one ends with its command", param_hint="--remove"
        )
    # Held back until here: it takes seconds to import.
    from reference_impl.cluster import running
    from reference_impl.cluster.deployment import Scale

    options = EngineOptions(
        models=chosen["models"].resolve(),
        aliases=pairs(chosen["aliases"]),
        device=chosen["device"],
        dtype=chosen["dtype"],
        threads=chosen["threads"],
        cache_bytes=chosen["cache_bytes"],
        batch=chosen["batch"],
        nsfw=chosen["nsfw"],
    )
    scale = Scale(
        least=chosen["least"],
        most=most,
        cpus=chosen["cpus"],
        gpus=chosen["gpus"],
        models=chosen["checkpoints"],
        down_s=float(chosen["down_s"]),
    )
    if remove:
        running.remove(address)
        click.echo("Removed.")
    elif address != HERE:
        running.deploy(address, options, engine, scale)
        click.echo(f"Deployed: {scale.least} to {scale.most} replicas. novita-reference serve --ray {address}")
    else:
        _stay(options, engine, scale, ray_folder)


def _stay(options: EngineOptions, engine: str, scale: Scale, ray_folder: Path | None) -> None:
    """Run a cluster of this machine's own until a signal."""
    from reference_impl.cluster import running

    told_to_stop = threading.Event()
    with running.own_cluster(options, engine, scale, ray_folder) as own:
        for number in (signal.SIGTERM, signal.SIGINT):  # behind Ray's own, which would end all in disorder
            signal.signal(number, lambda *_: told_to_stop.set())
        click.echo(f"Ready. {scale.least} to {scale.most} replicas. novita-reference serve --ray {own}")
        told_to_stop.wait()
