"""What whoever runs the server may choose, as one value; `cli.py` makes it from flags and environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

LOCAL_ENGINE = "reference_impl.worker.process:local_engine"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All choices.

    Attributes:
        api_keys: the accounts; empty: any key is taken, each an account of its own.
        strict: only what the pages document is accepted; otherwise also what clients are known to send.
        public_url: what links to pictures begin with; None: http://host:port.
        link_ttl_s: seconds that a link of v3 lives; v2 has its own.
        aliases: name in requests -> name on the shelf.
        devices: one worker each.
        threads: of each worker on a CPU; None: one for small models, all cores for large ones.
        cache_bytes: how many bytes of weights a worker keeps loaded.
        queue: how many pictures may wait.
        batch: how many pictures, of one task or several, are drawn at once; 1: each on its own.
        pictures_per_minute: how many an account may ask for with each operation that has a documented limit; 0: the
            documented number; None: no limit.
        keep_s: seconds that an ended task can be read.
        nsfw: the detector of the shelf (`safety`) that judges pictures; None: the first there is.
        engine: `module:function` that makes a worker's engine; tests name their own.
        s3_endpoint: of an S3 that is not Amazon's.
        allow_private_webhooks: events may go to addresses that only the server's own network reaches.
        test_clock: anybody may set the clock forward (`test_clock.py`); for tests of the server only.
        webhook_retry_s: seconds until the second attempt of an event; each later wait is twice as long.
        store: URL of a database in which tasks are kept and that several servers may share; None: a file in `data`.
        lease_s: seconds after which others take over the tasks of a server that shares a store and is gone.
        ray: address of a Ray cluster whose replicas draw; None: this machine's devices do.
        ray_batches: how many batches of this server are with the cluster at a time.
    """

    host: str = "127.0.0.1"
    port: int = 4290
    models: Path
    data: Path
    api_keys: tuple[str, ...] = ()
    strict: bool = False
    public_url: str | None = None
    link_ttl_s: int = 3600
    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    devices: tuple[str, ...] = ("auto",)
    dtype: str = "auto"
    threads: int | None = None
    cache_bytes: int = 4 * 1024**3
    queue: int = 1000
    batch: int = 1
    pictures_per_minute: int | None = None
    keep_s: int = 7 * 24 * 3600
    nsfw: str | None = None
    engine: str = LOCAL_ENGINE
    s3_endpoint: str | None = None
    allow_private_webhooks: bool = False
    webhook_retry_s: float = 1.0
    store: str | None = None
    lease_s: int = 60
    ray: str | None = None
    ray_batches: int = 8
    test_clock: bool = False
    json_logs: bool = False

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in LOOPBACK


def default_data(environment: Mapping[str, str] | None = None) -> Path:
    """Where a server keeps its tasks and pictures unless it is told otherwise: the user's own folder for state."""
    found = os.environ if environment is None else environment  # noqa: TID251  # the one reader
    home = found.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "novita-reference"
