"""What is counted, under which names."""

from prometheus_client.parser import text_string_to_metric_families

from authz.errors import Reason
from authz.metrics import BUCKETS, Metrics
from authz.runner import TIME_LIMIT

NAMES = {
    "dockgate_decisions": ("counter", {"door", "effect", "reason", "enforced"}),
    "dockgate_decision_seconds": ("histogram", {"door", "le"}),
    "dockgate_in_flight": ("gauge", set()),
    "dockgate_lookups": ("counter", {"topic", "outcome"}),
    "dockgate_passes": ("counter", {"outcome"}),
    "dockgate_audit_failures": ("counter", set()),
    "dockgate_policy_reloads": ("counter", {"outcome"}),
    "dockgate_proxy_connections": ("gauge", set()),
    "dockgate_actions": ("counter", {"action", "effect"}),
    "dockgate_list_entries": ("counter", {"outcome"}),
    "dockgate_stage_seconds": ("histogram", {"stage", "le"}),
    "dockgate_build_info": ("gauge", {"version"}),
    "dockgate_shadow": ("gauge", set()),
    "dockgate_policy_info": ("gauge", {"digest"}),
    "dockgate_policy_loaded_timestamp_seconds": ("gauge", set()),
    "dockgate_policy_stale": ("gauge", set()),
    "dockgate_audit_failing": ("gauge", set()),
    "dockgate_audit_waiting": ("gauge", set()),
    "dockgate_audit_lag": ("gauge", {"sink"}),
    "dockgate_audit_rejected": ("gauge", {"sink"}),
    "dockgate_daemon_up": ("gauge", set()),
    "dockgate_proxy_streams": ("gauge", set()),
    "dockgate_grants": ("gauge", set()),
    "dockgate_grant_events": ("counter", {"event"}),
}
"""Dashboards and alerts of other people read these: names and labels are only ever added."""


def counted() -> Metrics:
    """Return metrics in which everything was counted once."""
    metrics = Metrics()
    metrics.decisions.count["plugin", "deny", Reason.RULE, "yes"] += 1
    metrics.seconds.observe("plugin", 0.001)
    metrics.in_flight.set(1)
    metrics.lookups.count["container", "found"] += 1
    metrics.passes.labels("admitted").inc()
    metrics.unwritten.inc()
    metrics.reloads.labels("done").inc()
    metrics.grants.set(1)
    metrics.actions.count["container.exec", "deny"] += 1
    metrics.stages.observe("judge", 0.00007)
    metrics.build.labels("1").set(1)
    metrics.audit_lag.labels("syslog").set(1)
    metrics.audit_rejected.labels("otlp").set(1)
    metrics.policy.labels("4b").set(1)
    metrics.grant_events.labels("granted").inc()
    metrics.entries.labels("hidden").inc()
    return metrics


def test_names_and_labels_stay():
    """Every metric is there with its kind and its labels."""
    families = {f.name: f for f in text_string_to_metric_families(counted().text().decode())}

    for name, (kind, labels) in NAMES.items():
        found = {key for sample in families[name].samples for key in sample.labels}
        assert (families[name].type, found) == (kind, labels)
        assert families[name].documentation.endswith((".", ";"))


def test_nothing_of_ours_is_counted_without_a_name_here():
    """Who adds a metric adds it to the list above."""
    families = text_string_to_metric_families(counted().text().decode())
    ours = {f.name for f in families if f.name.startswith("dockgate_")}

    assert {name.removesuffix("_created") for name in ours} == set(NAMES)


def test_the_process_is_measured_too():
    """Memory and descriptors tell of leaks."""
    text = counted().text().decode()

    assert "process_resident_memory_bytes" in text
    assert "process_open_fds" in text


def test_two_of_them_share_nothing():
    """Each process, and each test, has its own."""
    counted()

    assert Metrics().registry.get_sample_value("dockgate_audit_failures_total") == 0


def test_the_buckets_reach_to_the_limit():
    """A decision that took all its time is told from one that took longer."""
    assert BUCKETS[-1] == TIME_LIMIT
    assert list(BUCKETS) == sorted(BUCKETS)


def test_stages_are_told_as_a_histogram():
    """Each in its bucket and in all above; what takes longest is in the last."""
    metrics = Metrics()
    for seconds in (0.00005, 0.00006, 9.0):
        metrics.stages.observe("judge", seconds)

    def below(bound):
        labels = {"stage": "judge", "le": bound}
        return metrics.registry.get_sample_value("dockgate_stage_seconds_bucket", labels)

    assert [below(each) for each in ("5e-05", "0.0001", "2.0", "+Inf")] == [1, 2, 2, 3]
    total = metrics.registry.get_sample_value("dockgate_stage_seconds_sum", {"stage": "judge"})
    assert round(total, 5) == 9.00011


def test_streams_are_those_of_all_listeners():
    """Counted when somebody asks."""
    metrics = Metrics()
    metrics.count_streams(lambda: 2)
    metrics.count_streams(lambda: 3)

    assert metrics.registry.get_sample_value("dockgate_proxy_streams") == 5
