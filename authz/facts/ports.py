"""Which ports of the host a container is published on.

It reads ``PortBindings``, ``PublishAllPorts`` and nothing else, by the rules of
moby api/types/network/port.go and daemon/network.go; what old engines read
differently is refused.
"""

import re
from collections.abc import Iterator

from authz.facts.endpoints import address_value
from authz.facts.facts import Fact
from authz.facts.members import Document, flag, table, tables, text, unreadable

EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  what an empty HostIp means
PROTOCOLS = frozenset({"tcp", "udp", "sctp"})
HIGHEST = 65535

_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


def port_facts(host: Document) -> Iterator[Fact]:
    """Yield each published port, the random ones, and the addresses they are published on.

    A range yields each of its ports: the daemon takes any of them. Raises
    RefusedError for what is no port or address.
    """
    if flag(host, "PublishAllPorts"):
        yield Fact("port.random", "all")
        yield from _addresses("")
    bindings = table(host, "PortBindings")
    for written in bindings:
        port, protocol = _container_port(written)
        # an empty list is one binding of the daemon's choice
        for binding in tables(bindings, written) or [{}]:
            yield from _published(text(binding, "HostPort"), port, protocol)
            yield from _addresses(text(binding, "HostIp"))


def _published(host_port: str, port: int, protocol: str) -> Iterator[Fact]:
    first, last = _ports(host_port or "0", host_port)
    if first == 0:
        yield Fact("port.random", f"{port}/{protocol}")
    for number in range(max(first, 1), last + 1):
        yield Fact("port", f"{number}/{protocol}")


def _container_port(written: str) -> tuple[int, str]:
    """Split ``80/tcp``; tcp where no protocol is written, in any case."""
    number, _, protocol = written.partition("/")
    protocol = protocol.lower() or "tcp"
    first, last = _ports(number, written)
    if first != last or protocol not in PROTOCOLS:
        raise unreadable(f"PortBindings: {written!r}; expected a port such as 80/tcp")
    return first, protocol


def _ports(written: str, whole: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(written)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if first > last or last > HIGHEST:
        raise unreadable(f"PortBindings: {whole!r}; expected a port or a range")
    return first, last


def _addresses(written: str) -> Iterator[Fact]:
    addresses = (address_value(written),) if written else EVERY_ADDRESS
    yield from (Fact("port.ip", address) for address in addresses)
