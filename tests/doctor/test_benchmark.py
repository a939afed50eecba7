"""Section 2 of the benchmark, on what a daemon tells."""

import pytest

from authz.doctor import benchmark
from authz.doctor.processes import Dockerd

GOOD = {
    "Driver": "overlay2",
    "LiveRestoreEnabled": True,
    "SecurityOptions": [
        "name=apparmor",
        "name=seccomp,profile=builtin",
        "name=userns",
        "name=no-new-privileges",
    ],
    "RegistryConfig": {
        "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8"],
        "IndexConfigs": {"docker.io": {"Secure": True}},
    },
}
BRIDGE = {"Options": {"com.docker.network.bridge.enable_icc": "false"}}


def ids(info=None, bridge=None, daemons=()):
    """Return what is found, by control."""
    found = benchmark.findings({**GOOD, **(info or {})}, bridge or BRIDGE, daemons)
    return {each.control: each.id for each in found}


def test_a_good_daemon_has_no_findings():
    """What a careful administrator sets is enough."""
    assert ids() == {}


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"Driver": "aufs"}, {"CIS 2.6": "aufs"}),
        ({"Debug": True}, {"CIS 2.3": "debug"}),
        ({"ExperimentalBuild": True}, {"CIS 2.18": "experimental"}),
        ({"LiveRestoreEnabled": False}, {"CIS 2.15": "live-restore"}),
        ({"LiveRestoreEnabled": False, "Swarm": {"LocalNodeState": "active"}}, {}),
        (
            {"RegistryConfig": {"InsecureRegistryCIDRs": ["10.0.0.0/8"]}},
            {"CIS 2.5": "insecure-registry"},
        ),
        (
            {"RegistryConfig": {"InsecureRegistryCIDRs": ["nonsense"]}},
            {"CIS 2.5": "insecure-registry"},
        ),
        (
            {"RegistryConfig": {"IndexConfigs": {"r.test:5000": {"Secure": False}, "x": None}}},
            {"CIS 2.5": "insecure-registry"},
        ),
        ({"RegistryConfig": None}, {}),
        (
            {"SecurityOptions": ["name=rootless", "name=no-new-privileges", "name=seccomp"]},
            {},
        ),
        (
            {"SecurityOptions": None},
            {"CIS 2.9": "userns", "CIS 2.14": "no-new-privileges", "CIS 2.17": "seccomp"},
        ),
        (
            {"SecurityOptions": [*GOOD["SecurityOptions"], "name=seccomp,profile=unconfined"]},
            {"CIS 2.17": "seccomp"},
        ),
    ],
)
def test_each_control_is_told(info, expected):
    """By its number, and only that one."""
    assert ids(info) == expected


def test_containers_that_reach_each_other_are_told():
    """Where there is a default bridge."""
    open_bridge = {"Options": {"com.docker.network.bridge.enable_icc": "true"}}

    assert ids(bridge=open_bridge) == {"CIS 2.2": "icc"}
    assert ids(bridge={"Options": None}) == {}


def test_the_settings_tell_what_the_daemon_does_not():
    """Its firewall, and on old engines its default for privileges."""
    bare = Dockerd(1, settings={"iptables": False})
    old = Dockerd(1, settings={"no-new-privileges": True})
    options = ["name=seccomp,profile=default", "name=userns"]

    assert ids(daemons=[bare]) == {"CIS 2.4": "iptables"}
    assert ids({"SecurityOptions": options}, daemons=[old]) == {}
    assert ids({"SecurityOptions": options}, daemons=[old, Dockerd(2)]) == {
        "CIS 2.14": "no-new-privileges"
    }
