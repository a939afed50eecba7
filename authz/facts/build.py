"""One request, with the answers to its questions, to its facts: the whole of stage 4.

It knows which modules describe which operation, that facts are distinct and
few, and that some kinds must be there. What a setting means is known by the
modules that it calls.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache

from authz.docker.request import ApiRequest
from authz.docker.routes import Operation, load_operations, newest
from authz.docker.target import Version
from authz.errors import Reason, RefusedError
from authz.facts import memory
from authz.facts.catalogue import TARGETED, obligatory
from authz.facts.cluster_volumes import volume_update_facts
from authz.facts.conditions import conditions
from authz.facts.container import create_facts, target_facts
from authz.facts.devices import device_facts
from authz.facts.facts import Fact, Facts
from authz.facts.image_build import build_facts
from authz.facts.images import (
    commit_facts,
    import_facts,
    load_facts,
    name_given,
    pull_facts,
)
from authz.facts.known import NOBODY, UNKNOWN, FactSettings, Key, Known
from authz.facts.labels import check_labels
from authz.facts.limits import changed_facts, resource_facts
from authz.facts.logins import login_facts
from authz.facts.marks import marked
from authz.facts.members import Document, table, tables, text, texts, unreadable
from authz.facts.networks import connection_facts, network_create_facts
from authz.facts.objects import object_facts, target_container
from authz.facts.paths import clean
from authz.facts.plugins import plugin_facts, plugin_install_facts, plugin_set_facts
from authz.facts.processes import exec_create_facts, exec_start_facts
from authz.facts.questions import Answers, Question
from authz.facts.services import service_create_facts, service_update_facts
from authz.facts.swarm import (
    config_facts,
    node_update_facts,
    secret_facts,
    swarm_init_facts,
    swarm_join_facts,
    swarm_update_facts,
)
from authz.facts.variants import image_settings
from authz.facts.volumes import volume_create_facts
from authz.identity.identity import Identity

Describer = Callable[[ApiRequest, Known], Iterator[Fact]]

WEAK_BELOW = (1, 40)
"""API versions below this one have weaker defaults, which a policy may want to forbid."""

_CHECKPOINT = re.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]+")
"""What a checkpoint can be called when it is made."""

_USUAL = FactSettings()

_REPEATS = 4
"""How often, on average, one fact may come again before a request counts as too big."""


def describe(
    request: ApiRequest,
    identity: Identity,
    answers: Answers,
    settings: FactSettings | None = None,
) -> Facts:
    """Say what a request would do, with ``unknown`` for what is not known.

    Raises RefusedError: UNREADABLE_REQUEST for values that no engine reads or
    that engines read differently, RESERVED_LABEL, TOO_MANY_FACTS, MISSING_FACT.
    """
    return _complete(_walked(request, Known(answers, identity, settings or _USUAL)))


def survey(
    request: ApiRequest,
    identity: Identity,
    answers: Answers,
    settings: FactSettings | None = None,
    key: Key | None = None,
) -> Facts | tuple[Question, ...]:
    """Say what a request would do, or what must still be looked up before that can be told.

    Raises RefusedError like :func:`describe`: a request that will be refused
    asks for nothing more. Whoever asks again about the same request gives the same ``key``.
    """
    settings = settings or _USUAL
    name = request.operation.name
    if name in _alike() and not request.unknown_fields and not request.opaque:
        same = _undescribed(name, request.version)
        if len(same.facts) <= settings.max_facts:
            return same
    known = Known(answers, identity, settings, key=key or Key())
    facts = _remembered(request, known) if name in memory.REMEMBERED else _told(request, known)
    if known.pending:
        return tuple(known.pending)
    said = Facts(request.operation.action, facts, conditions(request, known))
    return tuple(known.pending) or said


@lru_cache(maxsize=512)
def _undescribed(name: str, version: Version | None) -> Facts:
    """Say what every request of an operation says, such as a list or a ping."""
    request = ApiRequest(_alike()[name], version, {}, {})
    return _complete(_walked(request, Known({}, NOBODY, _USUAL)))


@cache
def _alike() -> Mapping[str, Operation]:
    """Return the operations whose facts and conditions follow from name and version alone."""
    return {
        operation.name: operation
        for operation in load_operations()
        if operation.object == "none" and operation.name not in _DESCRIBERS
    }


def _walked(request: ApiRequest, known: Known) -> Facts:
    """Describe a request once, whatever it asks on the way."""
    facts = _distinct(_all(request, known), known.settings.max_facts)
    return Facts(request.operation.action, facts, conditions(request, known))


def _told(request: ApiRequest, known: Known) -> tuple[Fact, ...]:
    """Describe a request; nothing is missing in it where nothing is pending afterwards."""
    facts = _distinct(_all(request, known), known.settings.max_facts)
    if not known.pending:
        _check_complete(request.operation.action, facts)
    return facts


def _remembered(request: ApiRequest, known: Known) -> tuple[Fact, ...]:
    """Do the same, or remember it. Labels make no facts, and are looked at each time."""
    check_labels(table(request.body or {}, "Labels"), "Labels")
    wanted = known.key.value = known.key.value or memory.key(request, known)
    facts = memory.recall(wanted, known)
    if facts is None:
        facts = _told(memory.essence(request), known)
        memory.keep(wanted, known, facts)
    return facts


def _complete(facts: Facts) -> Facts:
    _check_complete(facts.action, facts.facts)
    return facts


def _check_complete(action: str, facts: tuple[Fact, ...]) -> None:
    """Refuse a request that does not say what its action must say."""
    missing = obligatory(action) - {fact.kind for fact in facts}
    if missing:
        problem = f"{action} must say {', '.join(sorted(missing))}, and this request does not"
        raise RefusedError(Reason.MISSING_FACT, problem)


def _distinct(facts: Iterator[Fact], most: int) -> tuple[Fact, ...]:
    """Return each fact once, in order; a long list of equal ones is too much work as well."""
    found: dict[Fact, None] = {}
    for count, fact in enumerate(facts):
        found[fact] = None
        if len(found) > most or count > most * _REPEATS:
            problem = f"the request says more than {most} things; expected fewer"
            raise RefusedError(Reason.TOO_MANY_FACTS, problem)
    return tuple(found)


def _all(request: ApiRequest, known: Known) -> Iterator[Fact]:
    if request.opaque:
        yield Fact("body.opaque", request.opaque)
    yield from (Fact("field.unknown", path) for path in request.unknown_fields)
    if request.version is not None and not WEAK_BELOW <= request.version <= newest():
        yield Fact("api.version", "{}.{}".format(*request.version))
    yield from object_facts(request, known)
    describer = _DESCRIBERS.get(request.operation.name)
    if describer is not None:
        yield from describer(request, known)
    if request.operation.object != "none" and request.operation.action in TARGETED:
        container = target_container(request, known)
        if container is not None:
            yield from target_facts(container, known)


def _create(request: ApiRequest, known: Known) -> Iterator[Fact]:
    body = request.body or {}
    check_labels(table(body, "Labels"), "Labels")
    for mount in tables(table(body, "HostConfig"), "Mounts"):
        check_labels(table(table(mount, "VolumeOptions"), "Labels"), "VolumeOptions.Labels")
    platform = request.parameter("platform")
    named = text(body, "Image")
    inherited = image_settings(named, platform, known) if named else None
    # A container inherits what its image carries, unless it is written over.
    if inherited is not None and not marked(known.identity, known.settings):
        check_labels(texts(inherited, "Labels"), "the image")
    yield from create_facts(body, known, version=request.version, platform=platform)


def _update(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe an update; no engine applies devices and the like, which are told all the same."""
    change: Document = request.body or {}
    stored = table(target_container(request, known) or {}, "HostConfig")
    yield from changed_facts(change, stored)
    yield from resource_facts(change)
    yield from device_facts(change, known)


def _commit(request: ApiRequest, _known: Known) -> Iterator[Fact]:
    check_labels(table(request.body or {}, "Labels"), "Labels")
    yield from commit_facts(request)


def _rename(request: ApiRequest, _known: Known) -> Iterator[Fact]:
    yield Fact("rename.to", request.parameter("name").removeprefix("/"))


def _archive(request: ApiRequest, _known: Known) -> Iterator[Fact]:
    """Describe a copy in or out; a path that is not absolute counts from the root."""
    yield Fact("archive.path", clean(request.parameter("path")))
    if request.opaque:
        yield Fact("archive.compressed", UNKNOWN)


def _copy(_request: ApiRequest, _known: Known) -> Iterator[Fact]:
    """Describe the copy of old: its path is in the body, which is not read."""
    yield Fact("archive.path", UNKNOWN)


def _checkpoint(request: ApiRequest, _known: Known) -> Iterator[Fact]:
    """Describe the host folder of checkpoints, where one is named.

    A start takes the name of a checkpoint for a part of a path (moby
    daemon/checkpoint.go, getCheckpointDir), so that it could lead anywhere.
    """
    name = request.parameter("checkpoint")
    if name and not _CHECKPOINT.fullmatch(name):
        raise unreadable(f"checkpoint {name!r}; expected letters, digits and ._-")
    created: Document = request.body or {}
    for parameter in ("dir", "checkpoint-dir", "CheckpointDir"):
        folder = request.parameter(parameter) or text(created, parameter)
        if folder and not folder.startswith("/"):
            raise unreadable(f"{parameter} {folder!r} is not absolute")
        if folder:
            yield Fact("checkpoint.dir", clean(folder))


def _plainly(describer: Callable[[ApiRequest], Iterator[Fact]]) -> Describer:
    """Let a describer that asks nobody stand beside the others."""
    return lambda request, _known: describer(request)


_DESCRIBERS: dict[str, Describer] = {
    "ContainerCreate": _create,
    "ContainerUpdate": _update,
    "ContainerRename": _rename,
    "ContainerStart": _checkpoint,
    "CheckpointList": _checkpoint,
    "CheckpointCreate": _checkpoint,
    "CheckpointDelete": _checkpoint,
    "ContainerArchive": _archive,
    "ContainerArchiveInfo": _archive,
    "PutContainerArchive": _archive,
    "ContainerCopy": _copy,
    "ContainerExec": exec_create_facts,
    "ExecStart": exec_start_facts,
    "ExecResize": exec_start_facts,
    "ImageCommit": _commit,
    "ImageCreate": _plainly(pull_facts),
    "ImageImport": _plainly(import_facts),
    "ImageLoad": _plainly(load_facts),
    "ImageTag": _plainly(name_given),
    "ImageBuild": build_facts,
    "ImageBuildKit": build_facts,
    "VolumeCreate": lambda request, known: volume_create_facts(request.body or {}, known),
    "NetworkCreate": lambda request, _known: network_create_facts(request.body or {}),
    "NetworkConnect": connection_facts,
    "NetworkDisconnect": connection_facts,
    "GetPluginPrivileges": _plainly(plugin_facts),
    "PluginPull": plugin_install_facts,
    "PluginPush": _plainly(plugin_facts),
    "PluginUpgrade": plugin_install_facts,
    "PluginSet": plugin_set_facts,
    "PluginCreate": _plainly(plugin_facts),
    "VolumeUpdate": volume_update_facts,
    "SystemAuth": _plainly(login_facts),
    "SwarmInit": swarm_init_facts,
    "SwarmJoin": swarm_join_facts,
    "SwarmUpdate": swarm_update_facts,
    "NodeUpdate": node_update_facts,
    "ServiceCreate": service_create_facts,
    "ServiceUpdate": service_update_facts,
    "SecretCreate": secret_facts,
    "SecretUpdate": secret_facts,
    "ConfigCreate": config_facts,
    "ConfigUpdate": config_facts,
}
"""Which function describes what an operation would do; the others only touch their object."""
