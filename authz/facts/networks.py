"""What networks are made of, and what connecting a container to one means.

Source: moby daemon/network.go and the drivers below daemon/libnetwork.
"""

from collections.abc import Iterator

from authz.docker.request import ApiRequest
from authz.facts.endpoints import endpoint_facts, net_value
from authz.facts.facts import Fact
from authz.facts.known import Known
from authz.facts.labels import check_labels
from authz.facts.members import Document, flag, pairs, table, tables, text

DEFAULT_DRIVER = "bridge"

_PARENT = "parent"
_ORDINARY_IPAM = frozenset({"", "default"})
_RANGES = ("Subnet", "IPRange", "Gateway")


def network_create_facts(body: Document) -> Iterator[Fact]:
    """Yield name, driver, options, addresses and reach of a new network."""
    check_labels(table(body, "Labels"), "Labels")
    yield Fact("net", text(body, "Name"))
    if text(body, "Driver") not in {"", DEFAULT_DRIVER}:
        yield Fact("net.driver", text(body, "Driver"))
    for key, value in table(body, "Options").items():
        yield Fact("net.opt", f"{key}={value}")
        if key == _PARENT:
            yield Fact("net.parent", value)
    yield from _addresses(table(body, "IPAM"))
    yield from _reach(body)


def _addresses(ipam: Document) -> Iterator[Fact]:
    if text(ipam, "Driver") not in _ORDINARY_IPAM:
        yield Fact("net.subnet", f"driver={text(ipam, 'Driver')}")
    yield from (Fact("net.subnet", f"option={pair}") for pair in pairs(ipam, "Options"))
    for pool in tables(ipam, "Config"):
        for member in _RANGES:
            if text(pool, member):
                yield Fact("net.subnet", text(pool, member))
        for pair in pairs(pool, "AuxiliaryAddresses"):
            yield Fact("net.subnet", f"reserved={pair}")


def _reach(body: Document) -> Iterator[Fact]:
    if text(body, "Scope") not in {"", "local"}:
        yield Fact("net.scope", text(body, "Scope"))
    for member in ("Ingress", "Attachable", "ConfigOnly"):
        if flag(body, member):
            yield Fact("net.scope", member.lower())
    source = text(table(body, "ConfigFrom"), "Network")
    if source:
        yield Fact("net.scope", f"config-from={source}")


def connection_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe connect and disconnect: the network, and what the container is in it."""
    yield net_value(request.path["id"], known)
    yield from endpoint_facts(table(request.body or {}, "EndpointConfig"), known)
