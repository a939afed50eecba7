"""Whose objects a request touches, directly or by reference: the facts ``on:``.

Each object is resolved by asking the daemon, because one object has many names.
``unknown`` is what could not be resolved, a name that nothing has among it.
The value tells a caller no more than that an object is not his, so it counts
as said by the request and is shown to him.
"""

from collections.abc import Iterable, Iterator, Mapping

from authz.docker.request import ApiRequest
from authz.facts.container import reached_containers
from authz.facts.endpoints import is_users_network
from authz.facts.facts import Fact
from authz.facts.known import UNKNOWN, Known
from authz.facts.members import Document, strings, table, tables, text, texts
from authz.facts.mounts import named_volumes
from authz.facts.neighbours import whose_container
from authz.facts.questions import MISSING, Answer, Topic
from authz.facts.services import attachments, rolled_back
from authz.facts.task_container import plain_mounts, template_mounts

NEW = "new"

_LOOKED_UP = {
    "container": Topic.CONTAINER,
    "image": Topic.IMAGE,
    "network": Topic.NETWORK,
    "volume": Topic.VOLUME,
    "service": Topic.SERVICE,
    "secret": Topic.SECRET,
    "config": Topic.CONFIG,
    "node": Topic.NODE,
}
"""Objects that are asked about by what the path calls them."""

_OWNERS = {"exec": Topic.CONTAINER, "task": Topic.SERVICE}
"""Objects without labels, and what they belong to."""

SPECIFIED = frozenset({Topic.SERVICE, Topic.SECRET, Topic.CONFIG, Topic.NODE})
"""Objects whose name and labels stand in their Spec."""


def object_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Yield at least one ``on:`` for every request."""
    for whose in _whose(request, known):
        yield Fact("on", whose)


def target_container(request: ApiRequest, known: Known) -> Document | None:
    """Return the inspect document of the container that is reached into; None if not known."""
    operation = request.operation
    if operation.name == "ImageCommit":
        return known.document(Topic.CONTAINER, request.parameter("container").removeprefix("/"))
    if operation.object == "container":
        return known.document(Topic.CONTAINER, path_name(request))
    process = known.document(Topic.EXEC, path_name(request)) if operation.object == "exec" else None
    if process is None or not text(process, "ContainerID"):
        return None
    return known.document(Topic.CONTAINER, text(process, "ContainerID"))


def object_document(request: ApiRequest, known: Known) -> Answer | None:
    """Return what is known of the object that the path names."""
    if request.operation.object in {"container", "exec"} or request.operation.name == "ImageCommit":
        return target_container(request, known)
    if request.operation.object == "task":
        task = known.document(Topic.TASK, path_name(request)) or {}
        return known.ask(Topic.SERVICE, text(task, "ServiceID")) if task else None
    name = path_name(request)
    # A list of images to save stands in the query; there is no one object then.
    return known.ask(_LOOKED_UP[request.operation.object], name) if name else None


def labels_of(topic: Topic, document: Document) -> Mapping[str, str]:
    """Return the labels of an object by its inspect document."""
    if topic in SPECIFIED:
        return texts(table(document, "Spec"), "Labels")
    inner = topic in {Topic.CONTAINER, Topic.IMAGE}
    return texts(table(document, "Config") if inner else document, "Labels")


def path_name(request: ApiRequest) -> str:
    """Return what the path calls its object; the daemon takes a slash before it, too."""
    return (request.path.get("id") or request.path.get("name") or "").removeprefix("/")


def _whose(request: ApiRequest, known: Known) -> Iterator[str]:
    operation = request.operation
    match operation.name:
        case "ContainerCreate":
            yield NEW
            yield from _referenced(request.body or {}, known)
        case "VolumeCreate":
            yield from _existing(Topic.VOLUME, text(request.body or {}, "Name"), known)
        case "NetworkCreate":
            yield NEW
            yield from _existing(Topic.NETWORK, text(request.body or {}, "Name"), known)
        case "ServiceCreate":
            yield NEW
            yield from _used(request.body or {}, known)
        case "ImageBuild" | "ImageBuildKit":
            yield NEW
            host = {"NetworkMode": request.parameter("networkmode")}
            yield from _referenced({"HostConfig": host}, known)
        case "ImageCommit":
            yield NEW
            yield _of_container(target_container(request, known), known)
        case "ImageGetAll":
            names = [part for name in request.query.get("names", ()) for part in name.split(",")]
            yield from (_of(Topic.IMAGE, name, known) for name in names)
            if not names:
                yield UNKNOWN
        case _ if operation.object != "none":
            yield _of_named(request, known)
            yield from _also(request, known)
        case _:
            yield from operation.targets


def _also(request: ApiRequest, known: Known) -> Iterator[str]:
    """Yield whose the further objects of a path with one object are."""
    if request.operation.name in {"NetworkConnect", "NetworkDisconnect"}:
        body: Document = request.body or {}
        yield whose_container(text(body, "Container"), known)
        yield from _joined([table(body, "EndpointConfig")], known)
    if request.operation.name == "ServiceUpdate":
        yield from _used(request.body or {}, known)
        yield from _used(rolled_back(request, known) or {}, known)
    if request.operation.name == "ImageGet":
        for name in request.query.get("names", ()):
            yield _of(Topic.IMAGE, name, known)


def _referenced(body: Document, known: Known) -> Iterator[str]:
    """Yield whose the containers, volumes and networks are that a create leans on."""
    host = table(body, "HostConfig")
    endpoints = table(table(body, "NetworkingConfig"), "EndpointsConfig")
    for name in reached_containers(host):
        yield whose_container(name, known)
    yield from _linked(host, known)
    for name in named_volumes(host):
        yield from _existing(Topic.VOLUME, name, known)
    for name in (text(host, "NetworkMode"), *endpoints):
        if is_users_network(name):
            yield _of(Topic.NETWORK, name, known)
    yield from _joined((table(endpoints, name) for name in endpoints), known)


def _used(service: Document, known: Known) -> Iterator[str]:
    """Yield whose the volumes, networks, secrets and configs are that a service leans on."""
    spec = table(table(service, "TaskTemplate"), "ContainerSpec")
    for name in named_volumes({"Mounts": list(plain_mounts(spec))}):
        yield from _existing(Topic.VOLUME, name, known)
    yield from (UNKNOWN for _ in template_mounts(spec))
    for attachment in attachments(service):
        if is_users_network(text(attachment, "Target")):
            yield _of(Topic.NETWORK, text(attachment, "Target"), known)
    for topic, member, key in (
        (Topic.SECRET, "Secrets", "SecretID"),
        (Topic.CONFIG, "Configs", "ConfigID"),
    ):
        for reference in tables(spec, member):
            yield _of(topic, text(reference, key), known) if text(reference, key) else UNKNOWN


def _joined(endpoints: Iterable[Document], known: Known) -> Iterator[str]:
    """Yield whose the containers and networks are that endpoint settings name."""
    for settings in endpoints:
        yield from _linked(settings, known)
        if is_users_network(text(settings, "NetworkID")):
            yield _of(Topic.NETWORK, text(settings, "NetworkID"), known)


def _linked(document: Document, known: Known) -> Iterator[str]:
    for link in strings(document, "Links"):
        yield whose_container(link.partition(":")[0], known)


def _existing(topic: Topic, name: str, known: Known) -> Iterator[str]:
    """Yield whose an object is that is made unless it is there; one without a name is new."""
    if not name or known.ask(topic, name) is MISSING:
        yield NEW
    else:
        yield _of(topic, name, known)


def _of(topic: Topic, name: str, known: Known) -> str:
    return known.once(("whose", topic, name), lambda: _resolved(topic, name, known))


def _resolved(topic: Topic, name: str, known: Known) -> str:
    document = known.document(topic, name)
    return UNKNOWN if document is None else known.whose(labels_of(topic, document))


def _of_named(request: ApiRequest, known: Known) -> str:
    """Say whose the object of the path is; a task is its service's, an exec its container's."""
    answer = object_document(request, known)
    if not isinstance(answer, Mapping):
        return UNKNOWN
    topic = _OWNERS.get(request.operation.object) or _LOOKED_UP[request.operation.object]
    return known.whose(labels_of(topic, answer))


def _of_container(container: Document | None, known: Known) -> str:
    return UNKNOWN if container is None else known.whose(labels_of(Topic.CONTAINER, container))
