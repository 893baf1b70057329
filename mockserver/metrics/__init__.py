"""Figures of a server for Prometheus: what is counted while it runs, and what is read when somebody asks."""

from __future__ import annotations

from importlib.util import find_spec

INSTALL = "pip install 'novita-mock[metrics]'"


class MetricsUnavailable(ValueError):
    """What writes the figures is not installed; the message says how to get it."""

    def __init__(self) -> None:
        super().__init__(f"figures are written with prometheus-client: {INSTALL}")


def metrics_available() -> bool:
    """Whether the extra is installed; nothing of it is imported for the answer."""
    return find_spec("prometheus_client") is not None
