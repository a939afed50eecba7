"""The container that a task of a service is, in the words of a container create.

A service says the same things in other members. The swarm's agent translates
them (moby daemon/cluster/convert and executor/container); so does this module,
so that whatever is known about containers holds for services. It yields no
facts. Where a daemon leaves a member out for old API versions, a member that
weakens the container counts all the same and one that confines it does not.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from authz.facts.members import (
    Document,
    flag,
    number,
    strings,
    table,
    tables,
    text,
    texts,
    unreadable,
)

Version = tuple[int, int] | None

CAPABILITIES_SINCE = (1, 41)
CONFINEMENT_SINCE = (1, 44)
SWAP_SINCE = (1, 52)
"""API versions from which on a daemon takes these members of a service."""

_TEMPLATE = "{{"
_SECCOMP = frozenset({"", "default", "unconfined", "custom"})
_APPARMOR = frozenset({"", "default", "disabled"})
_UNLIMITED = -1


def container_config(spec: Document) -> Document:
    """Return what would be the container's Config, as far as facts need it.

    A Command is its entry point, and none leaves the image's.
    """
    return {
        "Entrypoint": strings(spec, "Command") or None,
        "Cmd": strings(spec, "Args"),
        "Image": text(spec, "Image"),
        "User": text(spec, "User"),
        "Hostname": text(spec, "Hostname"),
        "Healthcheck": table(spec, "Healthcheck"),
        "Env": strings(spec, "Env"),
    }


def container_host(task: Document, version: Version, *, stored: bool) -> Document:
    """Return what would be the container's HostConfig.

    ``task`` is a TaskSpec. A ``stored`` one has lost already what an old
    version leaves out. Raises RefusedError for a word that engines read
    differently or not at all.
    """
    spec = table(task, "ContainerSpec")
    dns = table(spec, "DNSConfig")
    confines = stored or _since(version, CAPABILITIES_SINCE, default=True)
    return {
        "Mounts": list(plain_mounts(spec)),
        "CapAdd": strings(spec, "CapabilityAdd"),
        "CapDrop": strings(spec, "CapabilityDrop") if confines else [],
        "GroupAdd": strings(spec, "Groups"),
        "ReadonlyRootfs": flag(spec, "ReadOnly"),
        "Sysctls": texts(spec, "Sysctls"),
        "OomScoreAdj": number(spec, "OomScoreAdj"),
        "Ulimits": tables(spec, "Ulimits"),
        "SecurityOpt": list(_security_options(table(spec, "Privileges"), version, stored=stored)),
        "ExtraHosts": list(_hosts(spec)),
        "Dns": strings(dns, "Nameservers"),
        "DnsSearch": strings(dns, "Search"),
        "DnsOptions": strings(dns, "Options"),
        **_limits(table(task, "Resources"), version, stored=stored, pids=confines),
    }


def plain_mounts(spec: Document) -> Iterator[Document]:
    """Yield the mounts whose source and options are known, as a create has them.

    The daemon folds the case of type and propagation, takes an empty type for
    a bind and loses how a read-only mount treats its submounts.
    """
    for mount in tables(spec, "Mounts"):
        if not is_template(mount):
            bind = dict(table(mount, "BindOptions"))
            bind.pop("ReadOnlyForceRecursive", None)
            bind["Propagation"] = text(bind, "Propagation").lower()
            yield {**mount, "Type": mount_type(mount), "BindOptions": bind}


def template_mounts(spec: Document) -> Iterator[Document]:
    """Yield the mounts that each node makes something else of."""
    return (mount for mount in tables(spec, "Mounts") if is_template(mount))


def mount_type(mount: Document) -> str:
    """Return the type of a mount; an empty one is a bind."""
    return text(mount, "Type").lower() or "bind"


def is_template(mount: Document) -> bool:
    """Say whether the source or a driver option holds a template of Go's.

    The agent fills in both (github.com/moby/swarmkit/v2 template/expand.go).
    A template may hold any text: ``{{"/etc"}}`` is one.
    """
    options = texts(table(table(mount, "VolumeOptions"), "DriverConfig"), "Options")
    return any(_TEMPLATE in part for part in (text(mount, "Source"), *options.values()))


def _since(version: Version, first: tuple[int, int], *, default: bool) -> bool:
    return default if version is None else version >= first


def _security_options(privileges: Document, version: Version, *, stored: bool) -> Iterator[str]:
    context = table(privileges, "SELinuxContext")
    if flag(context, "Disable"):
        yield "label=disable"
    for member in ("User", "Role", "Level", "Type"):
        if text(context, member):
            yield f"label={member.lower()}:{text(context, member)}"
    yield from _seccomp(table(privileges, "Seccomp"))
    mode = _word(table(privileges, "AppArmor"), "AppArmor.Mode", _APPARMOR)
    if mode == "disabled":
        yield "apparmor=unconfined"
    confines = stored or _since(version, CONFINEMENT_SINCE, default=False)
    if flag(privileges, "NoNewPrivileges") and confines:
        yield "no-new-privileges=true"


def _seccomp(options: Document) -> Iterator[str]:
    mode = _word(options, "Seccomp.Mode", _SECCOMP)
    if mode == "unconfined":
        yield "seccomp=unconfined"
    elif mode == "custom":
        yield f"seccomp={_decoded(text(options, 'Profile'))}"


def _word(options: Document, place: str, known: frozenset[str]) -> str:
    word = text(options, "Mode")
    if word not in known:
        raise unreadable(f"{place} {word!r}; expected of {', '.join(sorted(filter(None, known)))}")
    return word


def _decoded(written: str) -> str:
    """Return the text behind base64, which Go reads without its line ends."""
    try:
        plain = b64decode(written.replace("\r", "").replace("\n", ""), validate=True)
        return plain.decode("utf-8")
    except (binascii.Error, ValueError):
        raise unreadable("Seccomp.Profile is no text in base64") from None


def _hosts(spec: Document) -> Iterator[str]:
    """Yield entries of the hosts file: the address comes first, what follows the name is lost."""
    for entry in strings(spec, "Hosts"):
        address, name, *_ = [*entry.split(), "", ""]
        if name:
            yield f"{name}:{address}"


def _limits(
    resources: Document, version: Version, *, stored: bool, pids: bool
) -> Mapping[str, Any]:
    limits = table(resources, "Limits")
    memory = number(limits, "MemoryBytes")
    found: dict[str, Any] = {"NanoCpus": number(limits, "NanoCPUs"), "Memory": max(memory, 0)}
    if pids:
        found["PidsLimit"] = number(limits, "Pids")
    swap = number(resources, "SwapBytes")
    confines = stored or _since(version, SWAP_SINCE, default=False)
    if memory > 0 and swap == _UNLIMITED:
        found["MemorySwap"] = _UNLIMITED
    elif memory > 0 and resources.get("SwapBytes") is not None and confines:
        found["MemorySwap"] = memory + max(swap, 0)
    return found
