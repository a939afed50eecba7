"""Which networks a container joins, and as what.

It knows network names, endpoint settings, links, and the entries that the
daemon writes into hosts and resolver files. Networks that are made or changed
are described elsewhere.
"""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from authz.facts.facts import Fact
from authz.facts.known import UNKNOWN, Known
from authz.facts.members import Document, pairs, strings, table, text, unreadable
from authz.facts.namespaces import CONTAINER, shared_with
from authz.facts.neighbours import whose_container
from authz.facts.questions import MISSING, Topic

PREDEFINED = frozenset({"default", "bridge", "none", "host"})
"""Networks that every daemon has; nobody can make another one of the name."""

_HEX_PAIR = re.compile("[0-9a-f]{2}")


def net_value(named: str, known: Known) -> Fact:
    """Return the fact of joining a network by its name or id; an empty name is the default.

    An id is resolved, so that one network has one name: an id that leads to
    the host's network is ``net:host``.
    """
    if named in PREDEFINED or not named:
        return Fact("net", named or "default")
    if named.startswith(CONTAINER):
        return Fact("net", shared_with(named, known))
    answer = known.ask(Topic.NETWORK, named)
    if answer is MISSING:
        return Fact("net", named)
    if not isinstance(answer, Mapping):
        return Fact("net", UNKNOWN)
    name = "host" if text(answer, "Driver") == "host" else text(answer, "Name") or named
    return Fact("net", _no_container(name), looked_up=name != named)


def _no_container(name: str) -> str:
    """Return a network's name. Raises RefusedError for one that reads as a container's network."""
    if name.startswith(CONTAINER):
        raise unreadable(f"a network is called {name!r}")
    return name


def network_facts(
    host: Document, endpoints: Mapping[str, Any], known: Known, *, stored: bool = False
) -> Iterator[Fact]:
    """Yield the networks of a container and what it is there.

    ``endpoints`` are its EndpointsConfig, or its Networks where it is stored:
    those have names already, and what it is called there does not matter.
    """
    yield net_value(text(host, "NetworkMode"), known)
    for name in endpoints:
        if stored:
            yield Fact("net", _no_container(name))
        else:
            yield net_value(name, known)
            yield from endpoint_facts(table(endpoints, name), known)


def endpoint_facts(settings: Document, known: Known) -> Iterator[Fact]:
    """Yield what endpoint settings ask for: names, addresses, options and links.

    Raises RefusedError for an address that is none.
    """
    if text(settings, "NetworkID"):  # it wins over the name (container_operations.go)
        yield net_value(text(settings, "NetworkID"), known)
    yield from (Fact("net.alias", alias) for alias in strings(settings, "Aliases"))
    fixed = table(settings, "IPAMConfig")
    addresses = [text(fixed, "IPv4Address"), text(fixed, "IPv6Address")]
    for address in (*addresses, *strings(fixed, "LinkLocalIPs")):
        if address:
            yield Fact("net.ip", address_value(address))
    if text(settings, "MacAddress"):
        yield Fact("net.mac", hardware_address(text(settings, "MacAddress")))
    yield from (Fact("net.opt", pair) for pair in pairs(settings, "DriverOpts"))
    yield from link_facts(settings, known)


def link_facts(document: Document, known: Known) -> Iterator[Fact]:
    """Yield whose containers ``Links`` names: ``container[:alias]``."""
    for link in strings(document, "Links"):
        yield Fact("link", whose_container(link.partition(":")[0], known))


def host_name_facts(
    config: Document, host: Document, endpoints: Mapping[str, Any]
) -> Iterator[Fact]:
    """Yield the host name as an alias, which it is in every network of a user's.

    From moby daemon/container_operations.go (buildEndpointDNSNames, and
    updateNetworkConfig of old engines).
    """
    joined = {text(host, "NetworkMode"), *endpoints}
    if text(config, "Hostname") and any(is_users_network(name) for name in joined):
        yield Fact("net.alias", text(config, "Hostname"))


def is_users_network(named: str) -> bool:
    """Say whether this is a network with names: none of the daemon's, and no container's."""
    return bool(named) and named not in PREDEFINED and not named.startswith(CONTAINER)


def name_facts(config: Document, host: Document) -> Iterator[Fact]:
    """Yield hosts entries, resolver settings and the old container-wide hardware address."""
    yield from (Fact("host.extra", entry) for entry in strings(host, "ExtraHosts"))
    for member in ("Dns", "DnsSearch", "DnsOptions"):
        yield from (Fact("dns", entry) for entry in strings(host, member))
    if text(config, "MacAddress"):
        yield Fact("net.mac", hardware_address(text(config, "MacAddress")))


def address_value(written: str) -> str:
    """Return an IP address in its one spelling. Raises RefusedError if it is none.

    A zone is refused, and an IPv4 address within IPv6 is IPv4, as Go has it.
    """
    try:
        address = ip_address(written)
    except ValueError:
        raise unreadable(f"{written!r} is not an IP address") from None
    if "%" in written:
        raise unreadable(f"IP address {written!r} has a zone")
    return str(getattr(address, "ipv4_mapped", None) or address)


def hardware_address(written: str) -> str:
    """Return a hardware address as pairs with colons; other spellings mean the same to Go."""
    digits = re.sub("[:.-]", "", written.lower())
    return ":".join(_HEX_PAIR.findall(digits)) if _is_pairs(digits) else written


def _is_pairs(digits: str) -> bool:
    return re.fullmatch("([0-9a-f]{2})+", digits) is not None
