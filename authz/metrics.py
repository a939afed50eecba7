"""What is counted, in one place. Names and labels are added to and never renamed.

``effect`` is allow, deny or refuse; ``reason`` a code of the closed list in
``authz.errors``. Labels never hold what a caller says.
"""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Seconds. A decision takes two at most."""


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.decisions = Counter(
            "dockgate_decisions",
            "Decisions by door, effect, reason and whether they were enforced.",
            ("door", "effect", "reason", "enforced"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "dockgate_decision_seconds",
            "Time from the question to the answer, look-ups and the record included.",
            ("door",),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "dockgate_in_flight", "Questions that are being answered.", registry=self.registry
        )
        self.lookups = Counter(
            "dockgate_lookups",
            "Questions to the daemon and the file system, by topic and outcome.",
            ("topic", "outcome"),
            registry=self.registry,
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

        self.connections = Gauge(
            "dockgate_proxy_connections", "Connections of clients.", registry=self.registry
        )

    @lru_cache(maxsize=256)  # noqa: B019  one object for the life of the process
    def decision(self, door: str, effect: str, reason: str, enforced: str) -> Counter:
        """Return the counter of one way to decide; the library takes a lock to find it."""
        return self.decisions.labels(door, effect, reason, enforced)

    @lru_cache(maxsize=64)  # noqa: B019  as above
    def lookup(self, topic: str, outcome: str) -> Counter:
        """Return the counter of one way for a look-up to end."""
        return self.lookups.labels(topic, outcome)

    @lru_cache(maxsize=16)  # noqa: B019  as above
    def seconds_of(self, door: str) -> Histogram:
        """Return the histogram of one door."""
        return self.seconds.labels(door)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
