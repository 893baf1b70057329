"""Puts the deployment on a cluster, and starts and ends a cluster on this machine for who has none."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import serve

from reference_impl.cluster.deployment import APPLICATION, Scale, application
from reference_impl.parameters import Failure
from reference_impl.worker.process import EngineOptions

STORE_BYTES = 256 * 2**20
"""Of shared memory that a local Ray sets aside for what passes between processes: pictures, for a moment."""


def deploy(address: str, options: EngineOptions, maker: str, scale: Scale) -> None:
    """Put the deployment on a cluster, or change the one that is there; returns when it is ready.

    Args:
        address: of the cluster's head, or `auto`.
        options: of each replica's engine.
        maker: of the engine.
        scale: how many.

    Raises:
        Failure: no cluster answers, or replicas cannot be made there.
    """
    with _connected(address):
        _run(options, maker, scale)


def remove(address: str) -> None:
    """Take the deployment off a cluster; servers that use it wait until there is one again.

    Args:
        address: of the cluster's head, or `auto`.

    Raises:
        Failure: no cluster answers.
    """
    with _connected(address):
        serve.delete(APPLICATION)


@contextmanager
def _connected(address: str) -> Iterator[None]:
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise Failure(f"no Ray cluster answers at {address}: {_first_line(error)}") from None
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def own_cluster(options: EngineOptions, maker: str, scale: Scale, folder: Path | None) -> Iterator[str]:
    """A cluster of this machine's own with the deployment, on loopback; its address. All ends with the block.

    `connection.keep_here` has been called before this module was imported.

    Args:
        options: of each replica's engine.
        maker: of the engine.
        scale: how many.
        folder: where Ray keeps its files; a short path, for there are sockets in it. None: its habit, below /tmp.

    Raises:
        Failure: replicas cannot be made.
    """
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    # As many cores as the replicas need, so that they find room however few there are; Serve's own parts take none.
    cores = max(scale.cpus * scale.most, 1)
    started: Any = ray.init(
        address="local",
        num_cpus=round(cores + 0.5),
        num_gpus=None if scale.gpus else 0,
        include_dashboard=False,
        object_store_memory=STORE_BYTES,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _temp_dir=str(folder.resolve()) if folder else None,
    )
    try:
        _run(options, maker, scale)
        yield str(started.address_info["gcs_address"])
    finally:
        serve.shutdown()  # type: ignore[no-untyped-call]  # of Ray
        ray.shutdown()


def _run(options: EngineOptions, maker: str, scale: Scale) -> None:
    # No HTTP of Serve's: the servers in front speak the contract, and call the replicas themselves.
    serve.start(proxy_location="Disabled", http_options={"location": "NoServer"})
    try:
        serve.run(application(options, maker, scale), name=APPLICATION, route_prefix=None)
    except RuntimeError as error:
        raise Failure(f"no replica could be made: {_first_line(error)}; ray logs of the replica say more") from None


def _first_line(error: Exception) -> str:
    said = str(error).strip() or type(error).__name__
    return said.splitlines()[0]
