"""Networks that are made, joined and left."""

import pytest

from authz.errors import RefusedError
from authz.facts.facts import Fact
from authz.facts.networks import connection_facts, network_create_facts
from tests.builders import a_call, a_known, a_stored_container, words

TEAM = {"Name": "team", "Driver": "bridge"}


def facts(**body):
    """Describe a network create; keywords are members of its body."""
    return words(network_create_facts({"Name": "team", **body}))[1:]


def connected(stored=None, operation="NetworkConnect", **settings):
    """Describe how the container ``web`` joins the network ``team``."""
    known = a_known(network={"team": TEAM}, container={"web": stored or a_stored_container()})
    body = {"Container": "/web", "EndpointConfig": settings}
    return list(connection_facts(a_call(operation, "team", body), known))


def test_an_ordinary_network():
    """By its name; a bridge is what everybody gets."""
    assert words(network_create_facts({"Name": "team", "Driver": "bridge"})) == ["net:team"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"Driver": "macvlan"}, ["net.driver:macvlan"]),
        (
            {"Options": {"parent": "eth0", "x": "y"}},
            ["net.opt:parent=eth0", "net.parent:eth0", "net.opt:x=y"],
        ),
        ({"Driver": "overlay"}, ["net.driver:overlay", "net.encrypted:off"]),
        (
            {"Driver": "overlay", "Options": {"encrypted": ""}},
            ["net.driver:overlay", "net.opt:encrypted=", "net.encrypted:on"],
        ),
        (
            {"Driver": "overlay", "Options": {"encrypted": "true"}},
            ["net.driver:overlay", "net.opt:encrypted=true", "net.encrypted:on"],
        ),
        (
            {"Driver": "overlay", "Options": {"encrypted": "false"}},
            ["net.driver:overlay", "net.opt:encrypted=false", "net.encrypted:off"],
        ),
        ({"Scope": "local"}, []),
        ({"Scope": "swarm"}, ["net.scope:swarm"]),
        (
            {"Ingress": True, "Attachable": True, "ConfigOnly": True},
            ["net.scope:ingress", "net.scope:attachable", "net.scope:configonly"],
        ),
        ({"ConfigFrom": {"Network": "base"}}, ["net.scope:config-from=base"]),
        ({"IPAM": {"Driver": "default", "Config": [{}]}}, []),
        (
            {"IPAM": {"Driver": "dhcp", "Options": {"a": "b"}}},
            ["net.subnet:driver=dhcp", "net.subnet:option=a=b"],
        ),
        (
            {
                "IPAM": {
                    "Config": [
                        {
                            "Subnet": "10.9.0.0/24",
                            "IPRange": "10.9.0.0/28",
                            "Gateway": "10.9.0.1",
                            "AuxiliaryAddresses": {"router": "10.9.0.2"},
                        }
                    ]
                }
            },
            [
                "net.subnet:10.9.0.0/24",
                "net.subnet:10.9.0.0/28",
                "net.subnet:10.9.0.1",
                "net.subnet:reserved=router=10.9.0.2",
            ],
        ),
        ({"EnableIPv6": True, "Internal": True, "CheckDuplicate": True}, []),
    ],
)
def test_what_a_network_is_made_of(body, expected):
    """Driver, options, addresses and reach."""
    assert facts(**body) == expected


@pytest.mark.parametrize("name", ["", " ", "container:own", "container:"])
def test_a_name_that_is_none_is_refused(name):
    """Whoever joined it would be taken for sharing a container's network."""
    with pytest.raises(RefusedError, match="expected the name of a network"):
        list(network_create_facts({"Name": name}))


def test_reserved_labels_are_refused():
    """Nobody says whose a network is but Dockgate."""
    with pytest.raises(RefusedError, match="reserved_label"):
        facts(Labels={"dockgate.tenant": "red"})


def test_a_connection():
    """The network, and what the container is in it."""
    assert words(connected(Aliases=["db"])) == ["net:team", "net.alias:db"]


def test_leaving_a_network():
    """Nothing is asked for."""
    stored = a_stored_container(config={"Hostname": "db"})

    assert words(connected(stored, "NetworkDisconnect")) == ["net:team"]


def test_a_host_name_comes_along():
    """Others in the network resolve it as they do an alias; the short id is everybody's own."""
    named = a_stored_container(config={"Hostname": "db"})
    plain = a_stored_container(config={"Hostname": "4b" * 6})

    assert connected(named)[1:] == [Fact("net.alias", "db", looked_up=True)]
    assert connected(plain)[1:] == []


def test_the_networks_of_the_daemon_have_no_names():
    """Nobody resolves a host name in the default bridge."""
    named = a_stored_container(config={"Hostname": "db"})
    request = a_call("NetworkConnect", "bridge", {"Container": "web"})

    assert words(connection_facts(request, a_known(container={"web": named}))) == ["net:bridge"]
