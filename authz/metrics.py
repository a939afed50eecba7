"""What is counted, in one place. Names and labels are added to and never renamed.

``effect`` is allow, deny or refuse; ``reason`` a code of the closed list in
``authz.errors``. Labels never hold what a caller says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import accumulate
from time import time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Seconds. A decision takes two at most."""


STAGE_BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 1.0, 2.0)
"""Seconds. To judge takes a tenth of a millisecond, to look up can take all the time there is."""


class Spans(Collector):
    """A histogram of times by one label, in plain lists.

    The event loop alone counts, several times for each request; the locks of
    the library would cost more than what is counted.
    """

    def __init__(self, name: str, about: str, label: str, buckets: tuple[float, ...]) -> None:
        self._name, self._about, self._label, self._buckets = name, about, label, buckets
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, value: str, seconds: float) -> None:
        """Count one. ``value`` is one of few."""
        counts = self._counts.get(value)
        if counts is None:
            counts = self._counts[value] = [0] * (len(self._buckets) + 1)
            self._sums[value] = 0.0
        counts[bisect_left(self._buckets, seconds)] += 1
        self._sums[value] += seconds

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """Return the histogram."""
        family = HistogramMetricFamily(self._name, self._about, labels=[self._label])
        for value, counts in sorted(self._counts.items()):
            bounds = [*map(str, self._buckets), "+Inf"]
            family.add_metric(
                [value], list(zip(bounds, accumulate(counts), strict=True)), self._sums[value]
            )
        yield family


class Tally(dict[tuple[str, ...], int]):
    """How often each set of labels was counted; ``since`` says when that began, as the library."""

    def __init__(self) -> None:
        super().__init__()
        self.since: dict[tuple[str, ...], float] = {}

    def __missing__(self, labels: tuple[str, ...]) -> int:
        """Begin to count."""
        self.since[labels] = time()
        return 0


class Tallies(Collector):
    """A counter by several labels, in a plain dictionary, for the reason given above."""

    def __init__(self, name: str, about: str, labels: tuple[str, ...]) -> None:
        self._name, self._about, self._labels = name, about, labels
        self.count = Tally()

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Return the counter."""
        family = CounterMetricFamily(self._name, self._about, labels=self._labels)
        for labels, count in sorted(self.count.items()):
            family.add_metric(labels, count, created=self.count.since[labels])
        yield family


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.decisions = self._tallies(
            "dockgate_decisions",
            "Decisions by door, effect, reason and whether they were enforced.",
            ("door", "effect", "reason", "enforced"),
        )
        self.seconds = Spans(
            "dockgate_decision_seconds",
            "Time from the question to the answer, look-ups and the record included.",
            "door",
            BUCKETS,
        )
        self.registry.register(self.seconds)
        self.in_flight = Gauge(
            "dockgate_in_flight", "Questions that are being answered.", registry=self.registry
        )
        self.lookups = self._tallies(
            "dockgate_lookups",
            "Questions to the daemon and the file system, by topic and outcome.",
            ("topic", "outcome"),
        )
        self.passes = Counter(
            "dockgate_passes",
            "Dockgate's own look-ups that came back to it, by outcome.",
            ("outcome",),
            registry=self.registry,
        )
        self.unwritten = Counter(
            "dockgate_audit_failures",
            "Records that could not be written; their requests were refused.",
            registry=self.registry,
        )
        self.reloads = Counter(
            "dockgate_policy_reloads",
            "Times that the policy was read again, by outcome.",
            ("outcome",),
            registry=self.registry,
        )
        self.stages = Spans(
            "dockgate_stage_seconds",
            "Time of each stage of a decision; without look-ups there is no such stage.",
            "stage",
            STAGE_BUCKETS,
        )
        self.actions = self._tallies(
            "dockgate_actions",
            "Decisions by action and effect; what could not be read has the action unread.",
            ("action", "effect"),
        )
        self.registry.register(self.stages)
        self._proxy()
        self._audit()
        self._state()

    def _proxy(self) -> None:
        """Add what only the proxy counts."""
        self.connections = Gauge(
            "dockgate_proxy_connections", "Connections of clients.", registry=self.registry
        )
        self.entries = Counter(
            "dockgate_list_entries",
            "Objects in answers that are filtered, by what became of them.",
            ("outcome",),
            registry=self.registry,
        )

    def _audit(self) -> None:
        """Add the state of the audit, and of those to whom it is sent."""
        self.audit_failing = Gauge(
            "dockgate_audit_failing", "Whether nothing can be recorded now.", registry=self.registry
        )
        self.audit_waiting = Gauge(
            "dockgate_audit_waiting", "Records that wait to be written.", registry=self.registry
        )
        self.audit_lag = Gauge(
            "dockgate_audit_lag",
            "Lines of the audit that were not sent on yet, by where to.",
            ("sink",),
            registry=self.registry,
        )
        self.audit_rejected = Gauge(
            "dockgate_audit_rejected",
            "Lines of the audit that were taken and thrown away there, by where.",
            ("sink",),
            registry=self.registry,
        )

    def _state(self) -> None:
        """Add what is no count but a state of the service."""
        self.grants = Gauge(
            "dockgate_grants", "Grants for a while that are in force.", registry=self.registry
        )
        self.grant_events = Counter(
            "dockgate_grant_events",
            "Grants that were given, revoked, or expired.",
            ("event",),
            registry=self.registry,
        )
        self.build = Gauge(
            "dockgate_build_info", "One, with the version.", ("version",), registry=self.registry
        )
        self.shadow = Gauge(
            "dockgate_shadow",
            "Whether what a policy denies is let through.",
            registry=self.registry,
        )
        self.policy = Gauge(
            "dockgate_policy_info",
            "One, with the digest of the policy in force.",
            ("digest",),
            registry=self.registry,
        )
        self.policy_loaded = Gauge(
            "dockgate_policy_loaded_timestamp_seconds",
            "When the policy in force was read.",
            registry=self.registry,
        )
        self.policy_stale = Gauge(
            "dockgate_policy_stale",
            "Policies whose files do not load, so that an older one is in force.",
            registry=self.registry,
        )
        self.daemon_up = Gauge(
            "dockgate_daemon_up", "Whether the daemon answered last.", registry=self.registry
        )
        self.streams = Gauge(
            "dockgate_proxy_streams",
            "Connections that were taken over, and answers that last.",
            registry=self.registry,
        )
        self._streams: list[Callable[[], int]] = []
        self.streams.set_function(lambda: float(sum(count() for count in self._streams)))

    def count_streams(self, count: Callable[[], int]) -> None:
        """Let a listener say how many streams it has."""
        self._streams.append(count)

    def _tallies(self, name: str, about: str, labels: tuple[str, ...]) -> Tallies:
        found = Tallies(name, about, labels)
        self.registry.register(found)
        return found

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
