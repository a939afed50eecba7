"""What the daemon stored, held against the document that we read.

Two documents are compared member by member. Where the daemon stores something
else than it was sent, the reason stands beside the member; everything else that
differs is a finding, in either direction. It knows no facts.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

Document = Mapping[str, Any]

MASKED_AT_LEAST = 5
"""Paths that every engine masks or protects by default; a list of its own is longer."""

_CONFIG = ("User", "Labels", "Volumes", "Entrypoint", "NetworkDisabled", "Domainname", "Shell")
"""Members of Config that are stored as they were sent."""


def plain(value: Any) -> Any:
    """Leave out what is empty, as Go's zero values are."""
    if isinstance(value, Mapping):
        parts = {name: plain(part) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part} or None
    if isinstance(value, list):
        return [plain(part) for part in value] or None
    return value or None


def container_differences(body: Document, found: Document) -> Iterator[str]:
    """Compare a create with the container that came of it."""
    host = body.get("HostConfig") or {}
    upper = body.get("Runtime")  # it was told, so that it may count where there is no other
    if upper and "HostConfig" not in body and found["HostConfig"].get("Runtime") == upper:
        host = {"Runtime": upper}
    yield from _compare("HostConfig", host, found["HostConfig"], _HOST)
    for name in _CONFIG:
        if name == "User" and not body.get(name):
            continue  # the image's counts: it is looked at apart
        if plain(found["Config"].get(name)) != plain(body.get(name)) and body.get(name) != [""]:
            yield _difference(name, found["Config"].get(name), body.get(name))
    test = (body.get("Healthcheck") or {}).get("Test")
    kept = (found["Config"].get("Healthcheck") or {}).get("Test")
    if plain(test) != plain(kept):
        yield _difference("Healthcheck.Test", kept, test)


def volume_differences(body: Document, found: Document) -> Iterator[str]:
    """Compare a create with the volume that came of it."""
    for stored, sent in (("Options", "DriverOpts"), ("Labels", "Labels"), ("Name", "Name")):
        if plain(found.get(stored)) != plain(body.get(sent)) and body.get(sent, "") != "":
            yield _difference(sent, found.get(stored), body.get(sent))
    if found["Driver"] != (body.get("Driver") or "local"):
        yield _difference("Driver", found["Driver"], body.get("Driver"))


def exec_differences(body: Document, found: Document) -> Iterator[str]:
    """Compare an exec with what was stored; the container's user stands in for none."""
    process = found["ProcessConfig"]
    for stored, sent in (("privileged", "Privileged"), ("user", "User"), ("tty", "Tty")):
        if (process.get(stored) or None) != (body.get(sent) or None):
            yield _difference(sent, process.get(stored), body.get(sent))
    command = [process["entrypoint"], *(process.get("arguments") or [])]
    if command != body.get("Cmd"):
        yield _difference("Cmd", command, body.get("Cmd"))


def network_differences(body: Document, found: Document) -> Iterator[str]:
    """Compare a create with the network that came of it."""
    # A network that only lends its configuration has no driver, whatever was asked for.
    lent = {"Driver"} if found.get("ConfigOnly") else set()
    if lent and not (found.get("IPAM") or {}).get("Config"):
        lent.add("IPAM")  # engines from 29 on keep it and do not show it
    members = {name: found.get(name) for name in _NETWORK_MEMBERS if name not in lent}
    yield from _compare("", body, members, _NETWORK)


def update_differences(body: Document, before: Document, after: Document) -> Iterator[str]:
    """Compare an update with what changed: members that were set and nothing else."""
    for name, value in after.items():
        if plain(value) == plain(before.get(name)) or plain(value) == plain(body.get(name)):
            continue
        if name == "MemorySwap" and (body.get("Memory") or body.get("MemorySwap")):
            continue  # follows Memory where it is not given
        if name == "RestartPolicy" and body.get(name, {}).get("Name") == (value or {}).get("Name"):
            continue
        if name == "PidsLimit" and not value and (body.get(name) or 0) <= 0:
            continue  # both mean that there is none
        yield _difference(name, value, body.get(name))


def _compare(
    place: str, sent: Document, stored: Document, rules: Mapping[str, Callable[..., bool]]
) -> Iterator[str]:
    for name, value in stored.items():
        if plain(value) == plain(sent.get(name)) and name not in _LISTS:
            continue
        if name in rules and rules[name](value, sent):
            continue
        yield _difference(f"{place}.{name}".lstrip("."), value, sent.get(name))


def _difference(place: str, stored: Any, sent: Any) -> str:
    return f"{place}: the daemon has {stored!r}, we read {sent!r}"


def _default(name: str, *values: Any) -> Callable[..., bool]:
    """Take one of the values where nothing was sent."""
    return lambda stored, sent: not plain(sent.get(name)) and stored in values


def _of_container(name: str, *defaults: str) -> Callable[..., bool]:
    """Take the id of a container for its name, and a default for nothing."""
    return lambda stored, sent: (
        (str(sent.get(name)).startswith("container:") and stored.startswith("container:"))
        or (sent.get(name) in {None, "", "default"} and stored in defaults)
    )


def _ignored(_stored: Any, _sent: Document) -> bool:
    """Take anything: the member does nothing to the container's isolation."""
    return True


def _paths(name: str) -> Callable[..., bool]:
    """Take the daemon's own list where none was sent; privileged containers have none."""

    def check(stored: Any, sent: Document) -> bool:
        if sent.get(name) is None:
            return bool(sent.get("Privileged")) or len(stored or ()) >= MASKED_AT_LEAST
        return list(stored or ()) == list(sent[name])

    return check


def _capabilities(name: str) -> Callable[..., bool]:
    """Take the names in the daemon's spelling, each once."""

    def normal(names: Any) -> set[str]:
        upper = {each.upper() for each in names or ()}
        return {
            each if each == "ALL" or each.startswith("CAP_") else f"CAP_{each}" for each in upper
        }

    return lambda stored, sent: normal(stored) == normal(sent.get(name))


def _security(stored: Any, sent: Document) -> bool:
    """Take the labels that the daemon adds for privileged and host namespaces."""
    added = [each for each in stored or () if each not in (sent.get("SecurityOpt") or ())]
    kept = [each for each in stored or () if each in (sent.get("SecurityOpt") or ())]
    return set(added) <= {"label=disable"} and kept == list(sent.get("SecurityOpt") or ())


def _log(stored: Any, sent: Document) -> bool:
    config = sent.get("LogConfig") or {}
    return stored["Type"] == (config.get("Type") or "json-file") and plain(
        stored.get("Config")
    ) == plain(config.get("Config"))


def _swap(stored: Any, sent: Document) -> bool:
    return not sent.get("MemorySwap") and stored in {0, -1, _wrapped(2 * sent.get("Memory", 0))}


def _wrapped(number: int) -> int:
    """Count as Go's int64 does."""
    return (number + 2**63) % 2**64 - 2**63


def _mounts(stored: Any, sent: Document) -> bool:
    """Take mounts without the options that this version of the API does not know.

    None of them takes anything away from what we read; where a read-only mount
    reaches is looked at apart.
    """
    pairs = zip(stored or (), sent.get("Mounts") or (), strict=False)
    return len(stored or ()) == len(sent.get("Mounts") or ()) and all(
        plain(_known(kept)) == plain(_known(given)) for kept, given in pairs
    )


def _known(mount: Document) -> Document:
    return {
        name: {key: part for key, part in value.items() if key not in _NEW_OPTIONS}
        if isinstance(value, Mapping)
        else value
        for name, value in mount.items()
    }


_NEW_OPTIONS = frozenset(
    {
        "Options",  # of tmpfs
        "Subpath",
        "CreateMountpoint",
        "NonRecursive",
        "ReadOnlyNonRecursive",
        "ReadOnlyForceRecursive",
    }
)


def _ports(stored: Any, sent: Document) -> bool:
    """Take ports in the spelling of engines from 29 on: with a protocol, in small letters.

    They write a binding where there is none, which older ones do at the start.
    """
    bindings = sent.get("PortBindings") or {}
    spelt = {_port(name): value or [{}] for name, value in bindings.items()}
    return plain(stored) == plain(spelt)


def _port(written: str) -> str:
    number, _, protocol = written.partition("/")
    return f"{number}/{protocol.lower() or 'tcp'}"


def _restart(stored: Any, sent: Document) -> bool:
    policy = sent.get("RestartPolicy") or {}
    return (stored.get("Name") or "no") == (policy.get("Name") or "no") and (
        stored.get("MaximumRetryCount", 0) == policy.get("MaximumRetryCount", 0)
    )


def _addresses(stored: Any, sent: Document) -> bool:
    """Take what the daemon chooses where nothing was sent: a driver, subnets, gateways.

    Engines from 28 add a private subnet of IPv6 to those that were sent, where it is
    enabled and has none; those from 29 show the gateway that they took.
    """
    wanted = sent.get("IPAM") or {}
    own = [each for each in stored.get("Config") or () if _is_chosen(each, sent)]
    subnets = [each for each in stored.get("Config") or () if each not in own]
    subnets = [
        {name: value for name, value in each.items() if name != "Gateway" or name in told}
        for each, told in zip_longest(subnets, wanted.get("Config") or (), fillvalue={})
    ]
    return (
        stored.get("Driver") == (wanted.get("Driver") or stored.get("Driver"))
        and plain(stored.get("Options")) == plain(wanted.get("Options"))
        and (not plain(wanted.get("Config")) or plain(subnets) == plain(wanted["Config"]))
    )


def _is_chosen(subnet: Document, sent: Document) -> bool:
    told = [each.get("Subnet", "") for each in (sent.get("IPAM") or {}).get("Config") or ()]
    return (
        bool(sent.get("EnableIPv6"))
        and subnet["Subnet"].startswith("fd")
        and not any(":" in each for each in told)
    )


_LISTS = frozenset({"MaskedPaths", "ReadonlyPaths"})
"""Members whose empty list is not the same as none."""

_HOST: Mapping[str, Callable[..., bool]] = {
    "MaskedPaths": _paths("MaskedPaths"),
    "ReadonlyPaths": _paths("ReadonlyPaths"),
    "CapAdd": _capabilities("CapAdd"),
    "CapDrop": _capabilities("CapDrop"),
    "SecurityOpt": _security,
    "LogConfig": _log,
    "MemorySwap": _swap,
    "RestartPolicy": _restart,
    "PortBindings": _ports,
    "CgroupnsMode": _default("CgroupnsMode", "private", "host"),
    "ShmSize": _default("ShmSize", 67108864),
    "Runtime": _default("Runtime", "runc"),
    "OomKillDisable": _default("OomKillDisable", False),  # noqa: FBT003  a value
    "ConsoleSize": _ignored,
    "PidMode": _of_container("PidMode"),
    "IpcMode": _of_container("IpcMode", "private", "shareable"),
    "NetworkMode": _of_container("NetworkMode", "default", "bridge"),
    "AutoRemove": _ignored,  # not known to API 1.24
    "BlkioWeightDevice": _ignored,  # dropped where the kernel has no weights
    "Mounts": _mounts,
    "BlkioWeight": _ignored,
    "MemorySwappiness": _ignored,
    "PidsLimit": lambda stored, sent: not stored and (sent.get("PidsLimit") or 0) <= 0,
    # They are kept with the container, and told in the daemon's names.
    "Links": lambda stored, sent: len(stored or ()) <= len(sent.get("Links") or ()),
}

_NETWORK_MEMBERS = (
    "Driver",
    "Options",
    "Internal",
    "Attachable",
    "Ingress",
    "ConfigOnly",
    "ConfigFrom",
    "Scope",
    "IPAM",
    "Labels",
    "EnableIPv6",
)
_NETWORK: Mapping[str, Callable[..., bool]] = {
    "Driver": _default("Driver", "bridge", "", "null"),
    "Scope": _default("Scope", "local", ""),
    "IPAM": _addresses,
}
