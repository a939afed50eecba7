"""Published ports."""

import pytest

from authz.errors import RefusedError
from authz.facts.ports import port_facts
from tests.builders import words

EVERYWHERE = ["port.ip:0.0.0.0", "port.ip:::"]


def facts(bindings=None, **host):
    """Describe port bindings."""
    return words(port_facts({"PortBindings": bindings, **host}))


def test_nothing_published():
    """A container publishes nothing by itself."""
    assert facts() == []
    assert facts({}) == []


@pytest.mark.parametrize("key", ["80/tcp", "80", "80/TCP", "80/"])
def test_a_published_port(key):
    """The host's port and the container's protocol; an empty address is every address."""
    assert facts({key: [{"HostIp": "", "HostPort": "8080"}]}) == ["port:8080/tcp", *EVERYWHERE]


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_a_port_on_one_address(address):
    """An address has one spelling."""
    found = facts({"53/udp": [{"HostIp": address, "HostPort": "053"}]})

    assert found == ["port:53/udp", "port.ip:127.0.0.1"]


def test_a_range_is_each_port():
    """The daemon may take any port of a range."""
    found = facts({"80/tcp": [{"HostPort": "8000-8002"}]})

    assert found == ["port:8000/tcp", "port:8001/tcp", "port:8002/tcp", *EVERYWHERE]


@pytest.mark.parametrize(
    "bindings", [[], None, [{}], [None], [{"HostPort": ""}], [{"HostPort": "0"}]]
)
def test_a_port_of_the_daemon_s_choice(bindings):
    """Without a host port the daemon picks one."""
    assert facts({"80/tcp": bindings}) == ["port.random:80/tcp", *EVERYWHERE]


def test_a_range_from_zero_is_both():
    """Zero is a port of the daemon's choice."""
    assert facts({"80/sctp": [{"HostPort": "0-1"}]})[:2] == ["port.random:80/sctp", "port:1/sctp"]


def test_all_exposed_ports():
    """Whatever the image exposes is published."""
    assert facts(PublishAllPorts=True) == ["port.random:all", *EVERYWHERE]


def test_several_bindings():
    """Each port and each binding counts."""
    bindings = {"80/tcp": [{"HostPort": "1"}, {"HostPort": "2"}], "81/tcp": [{"HostPort": "3"}]}

    assert [f for f in facts(bindings) if f.startswith("port:")] == [
        "port:1/tcp",
        "port:2/tcp",
        "port:3/tcp",
    ]


@pytest.mark.parametrize(
    ("key", "binding", "message"),
    [
        ("", {}, "''; expected a port or a range"),
        ("http/tcp", {}, "'http/tcp'"),
        ("80/icmp", {}, "'80/icmp'; expected a port such as 80/tcp"),
        ("80-81/tcp", {}, "'80-81/tcp'"),
        ("80/tcp", {"HostPort": "65536"}, "'65536'"),
        ("80/tcp", {"HostPort": "9-8"}, "'9-8'"),
        ("80/tcp", {"HostPort": "1-2-3"}, "'1-2-3'"),
        ("80/tcp", {"HostPort": "+80"}, "'\\+80'"),
        ("80/tcp", {"HostPort": "٨٠"}, "expected a port or a range"),
        ("80/tcp", {"HostIp": "localhost"}, "'localhost' is not an IP address"),
    ],
)
def test_what_is_no_port_is_refused(key, binding, message):
    """What engines read differently is not guessed."""
    with pytest.raises(RefusedError, match=message):
        facts({key: [binding]})
