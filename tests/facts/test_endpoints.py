"""Networks of a container."""

import pytest

from authz.errors import RefusedError
from authz.facts.endpoints import (
    address_value,
    endpoint_facts,
    hardware_address,
    host_name_facts,
    link_facts,
    name_facts,
    net_value,
    network_facts,
)
from authz.facts.facts import Fact
from authz.facts.questions import MISSING
from tests.builders import a_known, a_stored_container, words

HOST_ID = "9f" * 32
TEAM = {"Name": "team", "Driver": "bridge"}


@pytest.mark.parametrize("name", ["default", "bridge", "none", "host"])
def test_predefined_networks_need_no_look_up(name):
    """Their names are taken."""
    known = a_known()

    assert net_value(name, known) == Fact("net", name)
    assert not known.pending


def test_no_name_is_the_default():
    """An empty network mode is the default network."""
    assert net_value("", a_known()) == Fact("net", "default")


@pytest.mark.parametrize(
    ("named", "answer", "fact"),
    [
        ("team", TEAM, Fact("net", "team")),
        ("7a", TEAM, Fact("net", "team", looked_up=True)),
        ("team", MISSING, Fact("net", "team")),
        ("team", {}, Fact("net", "team")),
        (HOST_ID, {"Name": "host", "Driver": "host"}, Fact("net", "host", looked_up=True)),
        ("mine", {"Name": "mine", "Driver": "host"}, Fact("net", "host", looked_up=True)),
    ],
)
def test_networks_are_looked_up(named, answer, fact):
    """Names and ids lead to one name; whatever is the host's network is host."""
    assert net_value(named, a_known(network={named: answer})) == fact


def test_an_unanswered_network_is_unknown():
    """Nobody knows what an id stands for."""
    known = a_known()

    assert net_value("7a", known) == Fact("net", "unknown")
    assert [q.key for q in known.pending] == ["7a"]


@pytest.mark.parametrize(
    ("labels", "whose"), [({"dockgate.owner": "user:alice"}, "own"), (None, "unowned")]
)
def test_the_network_of_another_container(labels, whose):
    """Whose it is decides."""
    known = a_known(container={"db": a_stored_container(labels)})

    assert net_value("container:db", known) == Fact("net", f"container:{whose}")
    assert net_value("container:x", a_known()) == Fact("net", "container:unknown")


def test_the_networks_of_a_container():
    """The mode and every endpoint are joined."""
    known = a_known(network={"team": TEAM})
    endpoints = {"bridge": None, "team": {"Aliases": ["web"]}}

    facts = words(network_facts({"NetworkMode": "bridge"}, endpoints, known))

    assert facts == ["net:bridge", "net:bridge", "net:team", "net.alias:web"]


def test_the_networks_of_a_stored_container():
    """Stored endpoints have names already; what else they say does not matter."""
    known = a_known()
    endpoints = {"team": {"Aliases": ["web"], "NetworkID": "7a"}}

    facts = words(network_facts({"NetworkMode": "default"}, endpoints, known, stored=True))

    assert facts == ["net:default", "net:team"]
    assert not known.pending


def test_an_endpoint():
    """Everything that an endpoint asks for is a fact."""
    known = a_known(network={"7a": TEAM}, container={"db": a_stored_container()})
    settings = {
        "NetworkID": "7a",
        "Aliases": ["web", "www"],
        "IPAMConfig": {
            "IPv4Address": "10.0.0.7",
            "IPv6Address": "FD00:0::7",
            "LinkLocalIPs": ["169.254.0.7"],
        },
        "MacAddress": "02-42-AC-11-00-02",
        "DriverOpts": {"com.docker.network.endpoint.ifname": "eth9"},
        "Links": ["db:alias"],
    }

    assert words(endpoint_facts(settings, known)) == [
        "net:team",
        "net.alias:web",
        "net.alias:www",
        "net.ip:10.0.0.7",
        "net.ip:fd00::7",
        "net.ip:169.254.0.7",
        "net.mac:02:42:ac:11:00:02",
        "net.opt:com.docker.network.endpoint.ifname=eth9",
        "link:unowned",
    ]


def test_an_endpoint_that_asks_for_nothing():
    """An empty endpoint adds no fact."""
    assert words(endpoint_facts({"IPAMConfig": None}, a_known())) == []


@pytest.mark.parametrize("link", ["db", "db:alias", "/db:/web/alias"])
def test_links(link):
    """A link is known by whose container it leads to."""
    known = a_known(container={"db": a_stored_container({"dockgate.owner": "user:bob"})})

    assert words(link_facts({"Links": [link]}, known)) == ["link:foreign"]
    assert words(link_facts({"Links": [link]}, a_known())) == ["link:unknown"]


@pytest.mark.parametrize("answer", [{"Name": "container:own"}, {"Name": "container:"}])
def test_a_network_that_reads_like_a_container_is_refused(answer):
    """Its fact would say that the network of one's own container is joined."""
    with pytest.raises(RefusedError, match="a network is called"):
        net_value("7a", a_known(network={"7a": answer}))
    with pytest.raises(RefusedError, match="a network is called"):
        list(network_facts({}, {answer["Name"]: None}, a_known(), stored=True))


@pytest.mark.parametrize(
    ("host", "endpoints", "said"),
    [
        ({}, {}, False),
        ({"NetworkMode": "host"}, {}, False),
        ({"NetworkMode": "container:db"}, {}, False),
        ({"NetworkMode": "team"}, {}, True),
        ({"NetworkMode": "bridge"}, {"bridge": None, "team": None}, True),
    ],
)
def test_a_host_name_is_an_alias(host, endpoints, said):
    """In networks that people make, others resolve it."""
    facts = words(host_name_facts({"Hostname": "db"}, host, endpoints))

    assert facts == (["net.alias:db"] if said else [])
    assert words(host_name_facts({}, host, endpoints)) == []


def test_names_and_resolvers():
    """Hosts entries, resolver settings and the container-wide hardware address."""
    host = {
        "ExtraHosts": ["db:10.0.0.7"],
        "Dns": ["1.1.1.1"],
        "DnsSearch": ["."],
        "DnsOptions": ["x"],
    }

    assert words(name_facts({"MacAddress": "0242.AC11.0002"}, host)) == [
        "host.extra:db:10.0.0.7",
        "dns:1.1.1.1",
        "dns:.",
        "dns:x",
        "net.mac:02:42:ac:11:00:02",
    ]
    assert words(name_facts({}, {})) == []


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("FE80::1", "fe80::1"),
    ],
)
def test_an_address_has_one_spelling(written, value):
    """Different spellings of an address are one value."""
    assert address_value(written) == value


@pytest.mark.parametrize(
    "written", ["", "localhost", "127.0.0.01", "[::1]", "10.0.0.0/8", "fe80::1%lo"]
)
def test_what_is_no_address_is_refused(written):
    """Engines that cannot read an address may take it for every address."""
    with pytest.raises(RefusedError, match="IP address"):
        address_value(written)


@pytest.mark.parametrize("written", ["x", "02:42:g", "0", ""])
def test_an_odd_hardware_address_stays(written):
    """What is no hardware address is shown as it is."""
    assert hardware_address(written) == written
