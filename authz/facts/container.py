"""What a container may do: one that is to be made, and one that is there already.

A container is described by the same functions in both cases; what differs is
that a new one also states its posture, and that of a stored one only what
reaches beyond the container counts. Single settings are known by the modules
that are called here.
"""

import re
from collections.abc import Iterator

from authz.errors import Reason, RefusedError
from authz.facts import defaults
from authz.facts.capabilities import added_facts, kept_facts
from authz.facts.catalogue import TARGET, UNKNOWN, Kind, catalogue
from authz.facts.devices import device_facts
from authz.facts.endpoints import host_name_facts, link_facts, name_facts, network_facts
from authz.facts.environment import secret_facts
from authz.facts.facts import Fact
from authz.facts.images import created_from, image_of
from authz.facts.known import Known
from authz.facts.limits import limit_facts, priority_facts, resource_facts, restart_facts
from authz.facts.members import Document, flag, pairs, strings, table, tables, text
from authz.facts.mounts import (
    existing_volume_facts,
    mount_facts,
    propagation_facts,
    volume_fact,
)
from authz.facts.namespaces import CONTAINER, namespace_facts
from authz.facts.paths import host_path_facts
from authz.facts.ports import port_facts
from authz.facts.programs import create_program
from authz.facts.questions import Topic
from authz.facts.security import implied_facts, posture_facts, security_facts
from authz.facts.users import user_value
from authz.facts.variants import image_settings
from authz.facts.volume_options import LOCAL

Version = tuple[int, int] | None

MOST_REACHED = 16
"""Containers whose mounts or namespaces one container may share."""

_DAEMONS_CHOICE = frozenset({"seccomp", "userns", "runtime"})
"""Kinds that are unknown where a rehearsal does not say how the daemon is set up."""

_DAEMONS_NAME = re.compile("[0-9a-f]{64}")
"""What the daemon calls a volume that nobody named."""

_PROBES = frozenset({"CMD", "CMD-SHELL"})
"""Health checks that run; the daemon takes any other for none (moby daemon/health.go)."""

_SHARED = ("PidMode", "IpcMode", "NetworkMode")


def create_facts(
    body: Document, known: Known, *, version: Version, platform: str = ""
) -> Iterator[Fact]:
    """Yield everything that a create asks for, and the state that it leaves to defaults."""
    host = table(body, "HostConfig")
    endpoints = table(table(body, "NetworkingConfig"), "EndpointsConfig")
    yield from created_from(text(body, "Image"), known)
    yield from _isolation(body, host, endpoints, known, version=version)
    if text(body, "Runtime"):  # counts on engines up to 26 where there is no HostConfig
        yield Fact("runtime", defaults.runtime(text(body, "Runtime"), known))
    for name in reached_containers(host):
        container = known.document(Topic.CONTAINER, name)
        if container is not None:
            yield from target_facts(container, known)
    yield from link_facts(host, known)
    yield from name_facts(body, host)
    yield from host_name_facts(body, host, endpoints)
    yield from _posture(body, host, known, platform)


def reached_containers(host: Document) -> tuple[str, ...]:
    """Return the names of the containers whose mounts or namespaces are shared.

    Raises RefusedError for more than will be described, which is much work for each.
    """
    names = tuple(dict.fromkeys(_shared(host)))
    if len(names) > MOST_REACHED:
        problem = f"the container shares with more than {MOST_REACHED} others; expected fewer"
        raise RefusedError(Reason.TOO_MANY_FACTS, problem)
    return names


def _shared(host: Document) -> Iterator[str]:
    for spec in strings(host, "VolumesFrom"):
        yield spec.partition(":")[0].removeprefix("/")
    for member in _SHARED:
        mode = text(host, member)
        if mode.startswith(CONTAINER):
            yield mode.removeprefix(CONTAINER).removeprefix("/")


def target_facts(container: Document, known: Known) -> Iterator[Fact]:
    """Yield what reaching into a stored container reaches, by its inspect document.

    Only what goes beyond an ordinary container is told: grant kinds, and of
    them no value that the core pack allows.
    """
    kinds = catalogue().kinds
    for fact in _stored(container, known):
        kind = kinds[fact.kind]
        if kind.target and not _is_ordinary(fact, kind):
            yield Fact(TARGET + fact.kind, fact.value, looked_up=True)


def _is_ordinary(fact: Fact, kind: Kind) -> bool:
    if fact.value == UNKNOWN:
        return fact.kind in _DAEMONS_CHOICE
    return fact.value in kind.posture


def _stored(container: Document, known: Known) -> Iterator[Fact]:
    config, host = table(container, "Config"), table(container, "HostConfig")
    joined = table(table(container, "NetworkSettings"), "Networks")
    yield from _isolation(config, host, joined, known, version=None, stored=True)
    yield from _mounted(container, known)


def _mounted(container: Document, known: Known) -> Iterator[Fact]:
    """Describe the mount points that were resolved, those of other containers among them."""
    for point in tables(container, "Mounts"):
        name = text(point, "Name")
        match text(point, "Type"):
            case "bind":
                writable = flag(point, "RW")
                yield from host_path_facts(text(point, "Source"), known, writable=writable)
                yield from propagation_facts(text(point, "Propagation"))
            case "volume":
                yield from _mounted_volume(point, name, known)
            case "image":  # the source is the folder where the daemon has it
                yield Fact("mount.image", image_of(name, known) or UNKNOWN)
            case "npipe" | "cluster" as kind:
                yield Fact(f"mount.{kind}", name or text(point, "Source"))


def _mounted_volume(point: Document, name: str, known: Known) -> Iterator[Fact]:
    """Describe a volume; one that the daemon named is part of the container.

    Engines from 28 on show no name of the volume for a bind without a source, which
    has no options.
    """
    if text(point, "Driver") not in LOCAL:
        yield Fact("volume.driver", text(point, "Driver"))
    if not name:
        return
    if not _DAEMONS_NAME.fullmatch(name):
        yield volume_fact(name)
    yield from existing_volume_facts(name, known, writable=flag(point, "RW"))


def _isolation(  # noqa: PLR0913  a container's three documents, and how to read them
    config: Document,
    host: Document,
    endpoints: Document,
    known: Known,
    *,
    version: Version,
    stored: bool = False,
) -> Iterator[Fact]:
    """Yield what keeps the container apart from the host, or does not."""
    if flag(host, "Privileged"):
        yield Fact("privileged", "true")
    yield from added_facts(host)
    yield from device_facts(host, known)
    yield from mount_facts(config, host, known, version=version, stored=stored)
    yield from namespace_facts(host, known, version=version, stored=stored)
    yield from network_facts(host, endpoints, known, stored=stored)
    yield from security_facts(host, known, stored=stored)
    yield from port_facts(host)
    yield from priority_facts(host)
    yield from resource_facts(host)
    yield Fact("runtime", defaults.runtime(text(host, "Runtime"), known))
    if text(host, "Isolation") not in {"", "default"}:
        yield Fact("isolation", text(host, "Isolation"))
    yield from (Fact("annotation", pair) for pair in pairs(host, "Annotations"))
    yield from implied_facts(host)


def _posture(config: Document, host: Document, known: Known, platform: str) -> Iterator[Fact]:
    """Yield the state of an ordinary container, so that a policy can demand more."""
    log = table(host, "LogConfig")
    yield Fact("user", user_value(config, known, platform))
    yield from kept_facts(host)
    yield from posture_facts(host, known)
    yield from limit_facts(host)
    yield from restart_facts(host)
    yield Fact("log", text(log, "Type") or defaults.log_driver(known))
    yield from (Fact("log.opt", pair) for pair in pairs(log, "Config"))
    yield Fact("health", health_value(config, known, platform))
    yield from secret_facts(config)
    yield from create_program(config, known)


def health_value(config: Document, known: Known, platform: str = "") -> str:
    """Say whether a health check runs; one without a test takes the image's."""
    test = strings(table(config, "Healthcheck"), "Test")
    if test:
        return "set" if test[0] in _PROBES else "none"
    settings = image_settings(text(config, "Image"), platform, known)
    if settings is None:
        return "image"
    inherited = strings(table(settings, "Healthcheck"), "Test")
    return "image" if inherited and inherited[0] in _PROBES else "none"
