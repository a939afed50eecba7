"""Limits of a container."""

import pytest

from authz.errors import RefusedError
from authz.facts.limits import (
    changed_facts,
    limit_facts,
    priority_facts,
    resource_facts,
    restart_facts,
)
from tests.builders import words

GIB = 1 << 30


def limits(**host):
    """Return the limits by kind."""
    return {fact.kind: fact.value for fact in limit_facts(host)}


def test_no_limit_is_stated():
    """So a policy can demand one."""
    assert limits() == {
        "mem.limit": "none",
        "mem.swap": "none",
        "cpu.limit": "none",
        "cpuset": "none",
        "pids.limit": "none",
        "blkio.weight": "none",
        "shm.size": "67108864",
    }


@pytest.mark.parametrize(
    ("host", "kind", "value"),
    [
        ({"Memory": GIB}, "mem.limit", "1073741824"),
        ({"Memory": -1}, "mem.limit", "none"),
        ({"Memory": GIB}, "mem.swap", "2147483648"),
        ({"Memory": GIB, "MemorySwap": -1}, "mem.swap", "unlimited"),
        ({"Memory": GIB, "MemorySwap": GIB}, "mem.swap", "1073741824"),
        ({"NanoCpus": 1_500_000_000}, "cpu.limit", "1.5"),
        ({"NanoCpus": 1}, "cpu.limit", "0.000000001"),
        ({"CpuQuota": 200_000}, "cpu.limit", "2"),
        ({"CpuQuota": 1_000_000}, "cpu.limit", "10"),
        ({"CpuQuota": 50_000, "CpuPeriod": 25_000}, "cpu.limit", "2"),
        ({"CpuQuota": 100_000, "CpuPeriod": 300_000}, "cpu.limit", "0.333333334"),
        ({"CpuPeriod": 50_000}, "cpu.limit", "none"),
        ({"CpuQuota": -1}, "cpu.limit", "none"),
        ({"CpuQuota": -1, "NanoCpus": 5}, "cpu.limit", "none"),
        ({"CpusetCpus": "0-3"}, "cpuset", "0-3"),
        ({"PidsLimit": 100}, "pids.limit", "100"),
        ({"PidsLimit": 0}, "pids.limit", "none"),
        ({"PidsLimit": -1}, "pids.limit", "none"),
        ({"BlkioWeight": 10}, "blkio.weight", "10"),
        ({"ShmSize": GIB}, "shm.size", "1073741824"),
    ],
)
def test_limits(host, kind, value):
    """Zero and negative values mean what the daemon makes of them."""
    assert limits(**host)[kind] == value


def test_priorities():
    """Real time and protection from the memory killer; being killed first is no privilege."""
    host = {
        "CpuRealtimePeriod": 1000,
        "CpuRealtimeRuntime": 950,
        "OomKillDisable": True,
        "OomScoreAdj": -500,
    }

    assert words(priority_facts(host)) == [
        "cpu.realtime:period=1000",
        "cpu.realtime:runtime=950",
        "oom:kill-disable",
        "oom:score=-500",
    ]
    assert words(priority_facts({"OomKillDisable": False, "OomScoreAdj": 500})) == []


def test_resources():
    """Process limits, memory nodes and the control group."""
    host = {
        "CpusetMems": "0",
        "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 2048}, {"Name": "core"}],
        "CgroupParent": "/",
    }

    assert words(resource_facts(host)) == [
        "cpuset:mems=0",
        "ulimit:nofile=1024:2048",
        "ulimit:core=0:0",
        "cgroup.parent:/",
    ]
    assert words(resource_facts({})) == []


@pytest.mark.parametrize(
    ("policy", "facts"),
    [
        (None, ["restart:no"]),
        ({"Name": ""}, ["restart:no"]),
        ({"Name": "always"}, ["restart:always"]),
        ({"Name": "unless-stopped", "MaximumRetryCount": 3}, ["restart:unless-stopped"]),
        ({"Name": "on-failure"}, ["restart:on-failure"]),
        (
            {"Name": "on-failure", "MaximumRetryCount": 5},
            ["restart:on-failure", "restart.count:5"],
        ),
    ],
)
def test_restart_policies(policy, facts):
    """The count means something for on-failure alone."""
    assert words(restart_facts({"RestartPolicy": policy})) == facts


def test_an_unknown_restart_policy_is_refused():
    """Names are case-sensitive and closed."""
    with pytest.raises(RefusedError, match="RestartPolicy 'Always'"):
        words(restart_facts({"RestartPolicy": {"Name": "Always"}}))


@pytest.mark.parametrize(
    ("change", "stored", "facts"),
    [
        ({}, {}, []),
        ({"Memory": 0, "PidsLimit": None, "RestartPolicy": {"Name": ""}}, {}, []),
        ({"Memory": GIB}, {}, ["mem.limit:1073741824"]),
        ({"MemorySwap": -1}, {"Memory": GIB}, ["mem.swap:unlimited"]),
        ({"CpuPeriod": 50_000}, {"CpuQuota": 100_000, "CpuPeriod": 100_000}, ["cpu.limit:2"]),
        ({"CpuQuota": -1}, {"CpuQuota": 100_000}, ["cpu.limit:none"]),
        ({"NanoCpus": 2_000_000_000}, {"NanoCpus": 1}, ["cpu.limit:2"]),
        ({"CpusetCpus": "0", "CpusetMems": "1"}, {}, ["cpuset:0", "cpuset:mems=1"]),
        ({"PidsLimit": 0}, {"PidsLimit": 5}, ["pids.limit:none"]),
        ({"BlkioWeight": 500}, {}, ["blkio.weight:500"]),
        (
            {"CpuRealtimeRuntime": 1, "OomScoreAdj": -1},
            {},
            ["cpu.realtime:runtime=1", "oom:score=-1"],
        ),
        ({"RestartPolicy": {"Name": "always"}}, {}, ["restart:always"]),
        ({"Devices": [{"PathOnHost": "/dev/sda"}]}, {}, []),
    ],
)
def test_updates(change, stored, facts):
    """Only what an update sets is a fact, in its effect on what is there."""
    assert words(changed_facts(change, stored)) == facts


def test_twice_the_memory_may_be_more_than_there_are_numbers():
    """The daemon's number wraps around, and below zero there is no limit."""
    facts = words(limit_facts({"Memory": 2**62}))

    assert "mem.swap:unlimited" in facts
