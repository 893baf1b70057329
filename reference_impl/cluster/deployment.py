"""The engine as a deployment of Ray Serve: replicas by the load, each told which checkpoints it holds.

Everything that draws is in `reference_impl.cluster.replica`; here is only what Ray needs to know of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from ray import serve

from reference_impl.cluster.replica import Replica, Said
from reference_impl.shelf import Shelf
from reference_impl.worker.outcomes import Batch
from reference_impl.worker.process import EngineOptions, found_maker

APPLICATION = "novita-reference"
"""What the deployment is found under, by every server that uses the cluster."""
WAITING_PER_REPLICA = 1.0
"""Batches under way or waiting, for each replica there should be: an engine draws one at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How many replicas, and what each needs.

    Attributes:
        least: that are always there.
        most: that there are when batches wait.
        cpus: of a replica.
        gpus: of a replica; may be a fraction.
        models: checkpoints that a replica holds, as far as Ray knows; the bound that counts is the engine's, in bytes.
        up_s: how long batches have to wait before there are more replicas.
        down_s: how long replicas have to be idle before there are fewer.
    """

    least: int = 1
    most: int = 1
    cpus: float = 1.0
    gpus: float = 0.0
    models: int = 4
    up_s: float = 5.0
    down_s: float = 300.0


def application(options: EngineOptions, maker: str, scale: Scale) -> serve.Application:
    """The deployment, ready for `serve.run`.

    Args:
        options: of each replica's engine.
        maker: `module:function` of what makes it; found by each replica itself.
        scale: how many.
    """

    @serve.deployment(
        name="engine",
        max_ongoing_requests=1,  # what waits stays with its server, and goes to whichever replica is free first
        ray_actor_options={"num_cpus": scale.cpus, "num_gpus": scale.gpus},
        autoscaling_config={
            "min_replicas": scale.least,
            "max_replicas": scale.most,
            "initial_replicas": scale.least,
            "target_ongoing_requests": WAITING_PER_REPLICA,
            "upscale_delay_s": scale.up_s,
            "downscale_delay_s": scale.down_s,
        },
    )
    class Drawing:
        def __init__(self) -> None:
            shelf = Shelf(options.models, dict(options.aliases))
            self._replica = Replica(found_maker(maker)(shelf, options))

        @serve.multiplexed(max_num_models_per_replica=scale.models)  # type: ignore[untyped-decorator]  # of Ray
        async def loaded(self, name: str) -> str:
            """Tells Ray that this replica has a checkpoint, or will in a moment: the engine loads it when it draws."""
            return name

        async def draw(self, batch: Batch) -> AsyncIterator[Said]:
            """See `Replica.draw`."""
            await self.loaded(serve.get_multiplexed_model_id())
            async for said in self._replica.draw(batch):
                yield said

    # Its decorator hides the class's own methods from the type checker.
    deployment: Any = Drawing
    bound: serve.Application = deployment.bind()
    return bound
