"""What a service is, and what an update makes of it.

Its tasks are containers on any node of the swarm; they are described by the
functions that describe containers. What the daemon that was asked decides by
default (``defaults``) stands for every node. Secrets, configs and networks are
named here; whose they are is known by ``objects``.
"""

import re
from collections.abc import Iterator, Mapping

from authz.docker.request import ApiRequest
from authz.facts import defaults
from authz.facts.capabilities import added_facts, kept_facts
from authz.facts.container import health_value
from authz.facts.endpoints import is_users_network, name_facts, net_value
from authz.facts.environment import secret_facts
from authz.facts.facts import Fact
from authz.facts.images import created_from, image_name
from authz.facts.known import UNKNOWN, Known
from authz.facts.labels import check_labels, check_new_labels
from authz.facts.limits import limit_facts, priority_facts, resource_facts
from authz.facts.members import (
    Document,
    number,
    pairs,
    strings,
    table,
    tables,
    text,
    texts,
    unreadable,
)
from authz.facts.mounts import mount_facts, propagation_facts
from authz.facts.plugin_rights import privilege_facts, setting_names
from authz.facts.ports import EVERY_ADDRESS, HIGHEST, PROTOCOLS
from authz.facts.programs import create_program
from authz.facts.questions import Topic
from authz.facts.security import posture_facts, security_facts
from authz.facts.task_container import (
    Version,
    container_config,
    container_host,
    mount_type,
    template_mounts,
)
from authz.facts.users import user_value
from authz.facts.variants import image_settings
from authz.facts.volume_options import LOCAL

MODES = {
    "Replicated": "replicated",
    "Global": "global",
    "ReplicatedJob": "replicated-job",
    "GlobalJob": "global-job",
}

_CONTAINER = "container"
_LIMITS = frozenset({"mem.limit", "mem.swap", "cpu.limit", "pids.limit"})
"""The limits that a service can set; its tasks have the others by default."""

_NOTHING: Mapping[str, str] = {}
_RESTART = {"": "always", "any": "always", "none": "no", "on-failure": "on-failure"}
_PUBLISH = frozenset({"", "ingress", "host"})
_RELATION = re.compile("([=!]=)")


def service_create_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe ``POST /services/create``."""
    body: Document = request.body or {}
    check_labels(texts(body, "Labels"), "Labels")
    yield from _service(body, known, request.version)


def service_update_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe an update: a whole new definition, or the former one that comes back.

    A rollback is told beside the definition that is sent along. What the
    former one says is what the daemon has stored.
    """
    body: Document = request.body or {}
    service = known.document(Topic.SERVICE, request.path["id"])
    spec = table(service or {}, "Spec")
    check_new_labels(texts(body, "Labels"), texts(spec, "Labels"), "Labels")
    container = table(table(spec, "TaskTemplate"), "ContainerSpec")
    yield from _service(body, known, request.version, kept=texts(container, "Labels"))
    previous = rolled_back(request, known)
    if previous is None:
        return
    yield Fact("service.rollback", "previous" if previous else UNKNOWN)
    for fact in _service(previous, known, None, stored=True) if previous else ():
        yield fact._replace(looked_up=True)


def rolled_back(request: ApiRequest, known: Known) -> Document | None:
    """Return the definition that comes back: empty where it is not known, None where none does.

    Raises RefusedError for a word that is not the daemon's.
    """
    rollback = request.parameter("rollback")
    if rollback in {"", "none"}:
        return None
    if rollback != "previous":
        raise unreadable(f"rollback {rollback!r}; expected previous or none")
    return table(known.document(Topic.SERVICE, request.path["id"]) or {}, "PreviousSpec")


def attachments(body: Document) -> list[Document]:
    """Return the networks of the tasks; old clients name them beside the task."""
    return [*tables(table(body, "TaskTemplate"), "Networks"), *tables(body, "Networks")]


def _service(
    body: Document,
    known: Known,
    version: Version,
    *,
    stored: bool = False,
    kept: Mapping[str, str] = _NOTHING,
) -> Iterator[Fact]:
    """Describe a definition; ``kept`` labels are those that its containers have already."""
    task = table(body, "TaskTemplate")
    yield from _runtime(task)
    if task.get("ContainerSpec") is not None:
        _check_labels(table(task, "ContainerSpec"), known, stored=stored, kept=kept)
        yield from _container(task, known, version, stored=stored)
    yield from _networks(body, known)
    yield from _plugin(table(task, "PluginSpec"), known)
    yield from _modes(table(body, "Mode"))
    for port in tables(table(body, "EndpointSpec"), "Ports"):
        yield from _published(port)
    for constraint in strings(table(task, "Placement"), "Constraints"):
        yield Fact("placement", "".join(map(str.strip, _RELATION.split(constraint))))
    yield from _reserved(table(task, "Resources"))
    yield from log_facts(table(task, "LogDriver"), known)
    yield from _restart(table(task, "RestartPolicy"))


def _runtime(task: Document) -> Iterator[Fact]:
    """Yield what runs instead of a container."""
    found = [text(task, "Runtime")]
    found += ["plugin"] if task.get("PluginSpec") is not None else []
    found += ["attachment"] if task.get("NetworkAttachmentSpec") is not None else []
    for runtime in dict.fromkeys(found):
        if runtime not in {"", _CONTAINER}:
            yield Fact("service.runtime", runtime)


def _container(task: Document, known: Known, version: Version, *, stored: bool) -> Iterator[Fact]:
    spec = table(task, "ContainerSpec")
    config = container_config(spec)
    host = container_host(task, version, stored=stored)
    yield from created_from(text(spec, "Image"), known)
    yield from added_facts(host)
    yield from mount_facts({}, host, known, version=version)
    yield from _templates(spec)
    yield from security_facts(host, known)
    yield from name_facts({}, host)
    yield from priority_facts(host)
    yield from resource_facts(host)
    yield from (fact for fact in limit_facts(host) if fact.kind in _LIMITS)
    yield Fact("user", user_value(config, known))
    yield from kept_facts(host)
    yield from posture_facts(host, known)
    yield Fact("health", health_value(config, known))
    yield from secret_facts(config)
    yield from create_program(config, known)
    if text(spec, "Isolation").lower() not in {"", "default"}:
        yield Fact("isolation", text(spec, "Isolation").lower())
    yield from _references(spec, known)


def _check_labels(spec: Document, known: Known, *, stored: bool, kept: Mapping[str, str]) -> None:
    """Refuse reserved labels on containers and volumes; what is stored was judged then."""
    if stored:
        return
    check_new_labels(texts(spec, "Labels"), kept, "ContainerSpec.Labels")
    for mount in tables(spec, "Mounts"):
        check_labels(texts(table(mount, "VolumeOptions"), "Labels"), "VolumeOptions.Labels")
    named = text(spec, "Image")
    inherited = image_settings(named, "", known) if named else None
    check_labels(texts(inherited or {}, "Labels"), "the image")


def _templates(spec: Document) -> Iterator[Fact]:
    """Yield mounts that are known on the node only: a bind, or a volume that may hide one."""
    for mount in template_mounts(spec):
        kind = mount_type(mount)
        if kind not in {"bind", "volume"}:
            raise unreadable(f"Mounts: a template in a mount of type {kind!r}")
        yield Fact("bind", UNKNOWN)
        yield Fact("bind.rw", UNKNOWN)
        yield from propagation_facts(text(table(mount, "BindOptions"), "Propagation").lower())
        if kind == "volume":
            yield Fact("volume", UNKNOWN)
            yield from _driver(table(table(mount, "VolumeOptions"), "DriverConfig"))


def _driver(driver: Document) -> Iterator[Fact]:
    if text(driver, "Name") not in LOCAL:
        yield Fact("volume.driver", text(driver, "Name"))
    yield from (Fact("volume.opt", pair) for pair in pairs(driver, "Options"))


def _references(spec: Document, known: Known) -> Iterator[Fact]:
    """Yield secrets, configs and credential specifications."""
    for kind, topic, member in (
        ("secret", Topic.SECRET, "Secrets"),
        ("config", Topic.CONFIG, "Configs"),
    ):
        word = kind.capitalize()
        for reference in tables(spec, member):
            name, identity = text(reference, f"{word}Name"), text(reference, f"{word}ID")
            yield from named_facts(kind, topic, name, identity, known)
    credentials = table(table(spec, "Privileges"), "CredentialSpec")
    for member in ("Config", "File", "Registry"):
        if text(credentials, member):
            yield Fact("credential.spec", f"{member.lower()}={text(credentials, member)}")


def named_facts(kind: str, topic: Topic, name: str, identity: str, known: Known) -> Iterator[Fact]:
    """Yield a secret or config by the name it is given and by the name it has.

    The daemon takes the id and wants the name to fit it.
    """
    stored = known.document(topic, identity) if identity else None
    told = text(table(stored or {}, "Spec"), "Name")
    for found in dict.fromkeys(filter(None, (name, told))):
        yield Fact(kind, found, looked_up=found != name)
    if not name and not told:
        yield Fact(kind, UNKNOWN)


def _networks(body: Document, known: Known) -> Iterator[Fact]:
    joined = attachments(body)
    if not joined:
        yield net_value("", known)
    for attachment in joined:
        yield net_value(text(attachment, "Target"), known)
        yield from (Fact("net.alias", alias) for alias in strings(attachment, "Aliases"))
        yield from (Fact("net.opt", pair) for pair in pairs(attachment, "DriverOpts"))
    hostname = text(table(table(body, "TaskTemplate"), "ContainerSpec"), "Hostname")
    if hostname and any(is_users_network(text(each, "Target")) for each in joined):
        yield Fact("net.alias", hostname)


def _plugin(spec: Document, known: Known) -> Iterator[Fact]:
    """Describe a managed plugin that every node installs and starts."""
    for member in ("remote", "name"):
        if text(spec, member):
            yield Fact("plugin.remote", image_name(text(spec, member), member).image)
    yield from privilege_facts(tables(spec, "privileges"), known)
    yield from setting_names(strings(spec, "env"))


def _modes(mode: Document) -> Iterator[Fact]:
    """Yield how many tasks run, and where; one replica is what a service has by default."""
    chosen = [member for member in MODES if mode.get(member) is not None] or ["Replicated"]
    yield from (Fact("service.mode", MODES[member]) for member in chosen)
    for member, count in (("Replicated", "Replicas"), ("ReplicatedJob", "MaxConcurrent")):
        if member in chosen:
            counted = table(mode, member).get(count) is not None
            replicas = number(table(mode, member), count) if counted else 1
            yield Fact("service.replicas", str(replicas))


def _published(port: Document) -> Iterator[Fact]:
    """Yield a published port: on every node, or on those where a task runs."""
    protocol = text(port, "Protocol").lower() or "tcp"
    if protocol not in PROTOCOLS or text(port, "PublishMode").lower() not in _PUBLISH:
        raise unreadable(
            f"Ports: protocol {text(port, 'Protocol')!r} and mode {text(port, 'PublishMode')!r}; "
            f"expected of {', '.join(sorted(PROTOCOLS))} and of host, ingress"
        )
    target, published = number(port, "TargetPort"), number(port, "PublishedPort")
    if max(target, published) > HIGHEST:
        raise unreadable(f"Ports: {max(target, published)}; expected a port")
    if published:
        yield Fact("port", f"{published}/{protocol}")
    else:
        yield Fact("port.random", f"{target}/{protocol}")
    yield from (Fact("port.ip", address) for address in EVERY_ADDRESS)


def _reserved(resources: Document) -> Iterator[Fact]:
    """Yield generic resources, such as GPUs that a node says it has."""
    for resource in tables(table(resources, "Reservations"), "GenericResources"):
        named, counted = (
            table(resource, "NamedResourceSpec"),
            table(resource, "DiscreteResourceSpec"),
        )
        if named:
            yield Fact("resource.generic", f"{text(named, 'Kind')}={text(named, 'Value')}")
        if counted:
            yield Fact("resource.generic", f"{text(counted, 'Kind')}={number(counted, 'Value')}")


def log_facts(driver: Document, known: Known) -> Iterator[Fact]:
    """Yield the log driver of tasks and its options."""
    yield Fact("log", text(driver, "Name") or defaults.log_driver(known))
    yield from (Fact("log.opt", pair) for pair in pairs(driver, "Options"))


def _restart(policy: Document) -> Iterator[Fact]:
    condition = text(policy, "Condition")
    if condition not in _RESTART:
        raise unreadable(f"RestartPolicy {condition!r}; expected any, none or on-failure")
    yield Fact("restart", _RESTART[condition])
    if number(policy, "MaxAttempts"):
        yield Fact("restart.count", str(number(policy, "MaxAttempts")))
