"""Writes figures in the text formats that Prometheus reads. The only module that imports prometheus-client.

Labels hold words of the contract and of the mock only: never keys, worlds, prompts or ids of tasks. So the number of
series has a bound that no client can move.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from mockserver.metrics.counting import BUCKETS_S, NO_ANSWER, Api, Tally
from mockserver.metrics.snapshot import Snapshot

PREFIX = "novita_mock_"
MICRO = 1_000_000

_KNOWN_STATUSES = frozenset(HTTPStatus)
_LE = (*map(floatToGoString, BUCKETS_S), "+Inf")


class Exposition:
    """A registry of one server's own, so that two servers of a process do not meet."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._shown = _Shown()
        self._registry.register(self._shown)
        ProcessCollector(registry=self._registry)

    def written(self, snapshot: Snapshot, accept: str) -> tuple[bytes, str]:
        """A snapshot as text, and its media type.

        Args:
            snapshot: the figures.
            accept: the caller's header Accept; it chooses between Prometheus' own format and OpenMetrics.
        """
        encode, media_type = choose_encoder(accept)
        self._shown.snapshot = snapshot
        try:
            return encode(self._registry), media_type
        finally:
            self._shown.snapshot = None


class _Shown(Collector):
    """Gives a registry the figures of one snapshot."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are ours, and a registry of one's own has no others that they could clash with."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """All families."""
        return () if self.snapshot is None else families(self.snapshot)


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """The figures by name, in the order of docs/operating.md."""
    build = {"version": snapshot.version, "contract": snapshot.contract, "python": platform.python_version()}
    yield InfoMetricFamily(f"{PREFIX}build", "Versions of the program, the contract and Python.", value=build)
    yield from _calls(snapshot.calls)
    yield from _submissions(snapshot)
    yield _gauges("tasks", "Tasks kept now, by state.", ("operation", "state"), snapshot.tasks.items())
    yield _counter("pictures_drawn", "Pictures drawn.", snapshot.drawn)
    yield _counter("pictures_from_cache", "Downloads whose picture was still there.", snapshot.from_cache)
    yield _gauge("picture_cache_pictures", "Drawn pictures kept for the next download.", snapshot.cached_pictures)
    yield _gauge("picture_cache_bytes", "Bytes of these.", snapshot.cached_bytes)
    yield _counters(
        "webhook_attempts", "Attempts to deliver webhooks.", ("cause", "outcome"), snapshot.attempts.items()
    )
    yield _counters("faults_fired", "Faults that happened.", ("point", "effect"), snapshot.faults.items())
    yield _gauge("faults_armed", "Rules in force, of all worlds.", snapshot.armed)
    by_code = (((code,), count) for code, count in snapshot.findings.items())
    yield _counters("findings", "Findings about clients, by code (docs/findings).", ("code",), by_code)
    yield _gauge("worlds", "Worlds (API keys with state) there are.", snapshot.worlds)
    yield _counter("worlds_forgotten", "Worlds that went at the bound.", snapshot.forgotten_worlds)
    yield _gauge("journal_entries", "Calls kept in journals.", snapshot.journal_entries)
    yield _gauge("journal_bytes", "Bytes of these.", snapshot.journal_bytes)
    limits = (((name,), bound) for name, bound in snapshot.limits.items())
    yield _gauges("limit", "Bounds of what is held (docs/limits.md).", ("of",), limits)


def _calls(calls: Mapping[tuple[Api, str], Tally]) -> Iterator[Metric]:
    """Calls, how long they took, and their bytes."""
    labels = ("api", "operation")
    requests = CounterMetricFamily(f"{PREFIX}requests", "Calls answered.", labels=(*labels, "status"))
    took = HistogramMetricFamily(
        f"{PREFIX}request_duration_seconds",
        "From the whole request to the end of the answer, waits that were asked for included.",
        labels=labels,
    )
    received = CounterMetricFamily(f"{PREFIX}received_bytes", "Bytes of request bodies.", labels=labels)
    sent = CounterMetricFamily(f"{PREFIX}sent_bytes", "Bytes of answer bodies.", labels=labels)
    for (api, operation), tally in calls.items():
        name = (api.value, operation)
        for status, count in _by_text(tally.statuses).items():
            requests.add_metric((*name, status), count)
        if api in (Api.CONTRACT, Api.PICTURES):  # a page of the inspector listens for hours
            up_to = zip(_LE, accumulate(tally.buckets), strict=True)
            took.add_metric(name, [(bound, float(count)) for bound, count in up_to], sum_value=tally.seconds)
        received.add_metric(name, tally.received_bytes)
        sent.add_metric(name, tally.sent_bytes)
    yield from (requests, took, received, sent)


def _by_text(statuses: Mapping[int, int]) -> Mapping[str, int]:
    """Counts by the status as it is shown: a fault may answer with any number, and few of them are worth a series."""
    found: dict[str, int] = {}
    for status, count in statuses.items():
        text = "none" if status == NO_ANSWER else str(status) if status in _KNOWN_STATUSES else f"{status // 100}xx"
        found[text] = found.get(text, 0) + count
    return found


def _submissions(snapshot: Snapshot) -> Iterator[Metric]:
    """What was accepted, and what the service would have taken for it."""
    tasks = CounterMetricFamily(f"{PREFIX}tasks_accepted", "Tasks accepted.", labels=("operation",))
    pictures = CounterMetricFamily(f"{PREFIX}pictures_ordered", "Pictures of these.", labels=("operation",))
    cost = CounterMetricFamily(
        f"{PREFIX}cost_usd", "US dollars that the service would have taken.", labels=("operation",)
    )
    for operation, booked in snapshot.booked.items():
        tasks.add_metric((operation,), booked.tasks)
        pictures.add_metric((operation,), booked.pictures)
        cost.add_metric((operation,), booked.micro_usd / MICRO)
    yield from (tasks, pictures, cost)


def _counter(name: str, about: str, value: int) -> Metric:
    return CounterMetricFamily(PREFIX + name, about, value=value)


def _gauge(name: str, about: str, value: int) -> Metric:
    return GaugeMetricFamily(PREFIX + name, about, value=value)


def _counters(name: str, about: str, labels: tuple[str, ...], counts: Iterable[tuple[tuple[str, ...], int]]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, about, labels=labels)
    for values, count in counts:
        family.add_metric(values, count)
    return family


def _gauges(name: str, about: str, labels: tuple[str, ...], counts: Iterable[tuple[tuple[str, ...], int]]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, about, labels=labels)
    for values, count in counts:
        family.add_metric(values, count)
    return family
