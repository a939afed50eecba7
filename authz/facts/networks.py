"""What networks are made of, and what connecting a container to one means.

Source: moby daemon/network.go and the drivers below daemon/libnetwork.
"""

from collections.abc import Iterator, Mapping

from authz.docker.request import ApiRequest
from authz.facts.endpoints import endpoint_facts, is_users_network, net_value
from authz.facts.facts import Fact
from authz.facts.known import Known
from authz.facts.labels import check_labels
from authz.facts.members import Document, flag, pairs, table, tables, text, texts, unreadable
from authz.facts.namespaces import CONTAINER
from authz.facts.questions import Topic

DEFAULT_DRIVER = "bridge"

_OVERLAY = "overlay"
_ENCRYPTED = "encrypted"
_PARENT = "parent"
_ORDINARY_IPAM = frozenset({"", "default"})
_RANGES = ("Subnet", "IPRange", "Gateway")


def network_create_facts(body: Document) -> Iterator[Fact]:
    """Yield name, driver, options, addresses and reach of a new network.

    Raises RefusedError for a name that would be taken for a container's
    network wherever somebody joins it.
    """
    check_labels(table(body, "Labels"), "Labels")
    name = text(body, "Name")
    if not name.strip() or name.startswith(CONTAINER):
        raise unreadable(f"Name {name!r}; expected the name of a network")
    yield Fact("net", name)
    if text(body, "Driver") not in {"", DEFAULT_DRIVER}:
        yield Fact("net.driver", text(body, "Driver"))
    for key, value in texts(body, "Options").items():
        yield Fact("net.opt", f"{key}={value}")
        if key == _PARENT:
            yield Fact("net.parent", value)
    if text(body, "Driver") == _OVERLAY:
        yield Fact("net.encrypted", _encryption(texts(body, "Options")))
    yield from _addresses(table(body, "IPAM"))
    yield from _reach(body)


def _encryption(options: Mapping[str, str]) -> str:
    """Say whether traffic between nodes is encrypted; the option takes no value, or a yes."""
    return "on" if options.get(_ENCRYPTED) in {"", "true"} else "off"


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
    body: Document = request.body or {}
    yield net_value(request.path["id"], known)
    yield from endpoint_facts(table(body, "EndpointConfig"), known)
    if request.operation.name == "NetworkConnect" and is_users_network(request.path["id"]):
        yield from _host_name(text(body, "Container").removeprefix("/"), known)


def _host_name(container: str, known: Known) -> Iterator[Fact]:
    """Yield the host name that the container was made with: others will resolve it, too."""
    stored = known.document(Topic.CONTAINER, container) or {}
    name = text(table(stored, "Config"), "Hostname")
    if name and not text(stored, "Id").startswith(name):
        yield Fact("net.alias", name, looked_up=True)
