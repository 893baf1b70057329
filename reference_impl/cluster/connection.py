"""Calls of Ray that block: connect, look, let go. Made in threads, and Ray is imported there: it takes seconds."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference_impl.worker.protocol import Condition, WorkerState

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
START = "`novita-reference replicas` starts it"


def keep_here() -> None:
    """Have Ray keep to loopback, and tell nobody that it is used; called before Ray is imported.

    Otherwise it takes 127.0.0.1 for a slip and puts an address in its place that others reach.
    """
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # noqa: TID251  # this process's own; holds on Linux too
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # noqa: TID251
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # noqa: TID251  # a question too late must not start a Ray of its own


def prepare(address: str) -> None:
    """Set what Ray reads before it is imported, for a cluster at this address."""
    if address.rpartition(":")[0] in LOOPBACK:
        keep_here()
        # A local cluster demands the token that it has left in the user's home; to one elsewhere none is shown that
        # was not meant for it, unless RAY_AUTH_MODE says so.
        found = os.environ  # noqa: TID251  # Ray's own variables
        known = "RAY_AUTH_TOKEN" in found or "RAY_AUTH_TOKEN_PATH" in found
        if known or (Path.home() / ".ray" / "auth_token").exists():
            found.setdefault("RAY_AUTH_MODE", "token")


def connected(address: str) -> DeploymentHandle[Any]:
    """What batches are handed to.

    Raises:
        Exception: no cluster answers at this address, or the deployment is not there; one of many kinds of Ray's.
    """
    prepare(address)
    import ray
    from ray import serve

    from reference_impl.cluster.deployment import APPLICATION

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    if not ray.is_initialized():
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    return serve.get_app_handle(APPLICATION)


def condition() -> WorkerState:
    """How the deployment is."""
    from ray import serve
    from ray.serve.schema import ApplicationStatus

    from reference_impl.cluster.deployment import APPLICATION

    found = serve.status().applications.get(APPLICATION)
    if found is None:
        return WorkerState(condition=Condition.LOADING, reason=f"the cluster has no {APPLICATION}; {START}")
    states = [pair for one in found.deployments.values() for pair in one.replica_states.items()]
    running = sum(number for state, number in states if state == "RUNNING")
    if running or found.status is ApplicationStatus.RUNNING:
        return WorkerState(condition=Condition.READY)
    failed = found.status is ApplicationStatus.DEPLOY_FAILED
    reasons = [found.message, *(one.message for one in found.deployments.values())]
    return WorkerState(
        condition=Condition.BROKEN if failed else Condition.LOADING,
        reason=next((" ".join(reason.split()) for reason in reasons if reason), ""),
    )


def disconnect() -> None:
    """Leave the cluster; it lives on."""
    import ray

    ray.shutdown()
