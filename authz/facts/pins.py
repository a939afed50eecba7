"""Which names of a request go to the daemon as the ids that were judged.

A name can be given to another object between the look-up and the request; an id
cannot. So a door that writes requests anew sends the id where the daemon takes
it in the place of the name, with the same effect. It knows those places, and
asks nothing: the answers are those by which the request was described.

Left as they are: names of volumes, which have no id; images that are pushed,
saved or deleted, where the name is part of the request; links, which other
containers resolve by name; networks of a create, which are stored by name; a
network that is asked for in a scope which it does not have; what a swarm's
network or service refers to; and whatever the daemon does not have.

Source: moby daemon/container.go (GetContainer), daemon/network.go (FindNetwork),
daemon/volumes.go, daemon/container_operations.go, daemon/images/image.go,
daemon/containerd/image.go and daemon/cluster/helpers.go, of 20.10 and of 29: each
looks for a whole id first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from authz.docker.forward import Edit, Pins
from authz.docker.request import ApiRequest
from authz.errors import Reason, RefusedError
from authz.facts.image_build import FALSE
from authz.facts.members import Document, strings, table, text
from authz.facts.namespaces import CONTAINER
from authz.facts.objects import path_name
from authz.facts.questions import Answers, Question, Topic

_BY_ID = {
    "container": Topic.CONTAINER,
    "network": Topic.NETWORK,
    "service": Topic.SERVICE,
    "task": Topic.TASK,
    "secret": Topic.SECRET,
    "config": Topic.CONFIG,
    "node": Topic.NODE,
}
"""Objects whose operations all take an id for the name in the path."""

_IMAGES = frozenset({"ImageHistory", "ImageInspect", "ImageTag"})
"""Operations on images that do the same by id; the others mean the name itself."""

_LOCAL_ID = ("Id", re.compile("[0-9a-f]{64}"))
_SWARM_ID = ("ID", re.compile("[0-9a-z]{25}"))
_IDS = {
    Topic.CONTAINER: _LOCAL_ID,
    Topic.IMAGE: ("Id", re.compile("sha256:[0-9a-f]{64}")),
    Topic.NETWORK: ("Id", re.compile("[0-9a-f]{64}|[0-9a-z]{25}")),
}
"""Where a document has its id and what that looks like; all others are a swarm's."""

_NAMESPACES = ("PidMode", "IpcMode", "NetworkMode")
_NO_PINS = Pins()
_NETWORK_MEMBERS = frozenset({"NetworkConnect", "NetworkDisconnect"})


def pins(request: ApiRequest, answers: Answers, *, images: bool = False) -> Pins:
    """Say which ids take the place of names, by the answers that the request was judged by.

    ``images`` says that a create takes the image that was judged, whatever its
    tag means by then. Raises RefusedError (LOOKUP_FAILED) for an answer about
    an object that has no id.
    """
    if not answers:
        return _NO_PINS
    return Pins(
        path=dict(_path(request, answers)),
        query=dict(_query(request, answers)),
        body=tuple(_body(request, answers, images=images)),
    )


def _path(request: ApiRequest, answers: Answers) -> Iterator[tuple[str, str]]:
    operation = request.operation
    topic = Topic.IMAGE if operation.name in _IMAGES else _BY_ID.get(operation.object)
    if topic is None or not path_name(request) or _is_link(request):
        return
    if operation.name == "NetworkConnect" and _of_swarm(request, answers):
        return
    if operation.name == "NetworkInspect" and _is_elsewhere(request, answers):
        return
    found = _id(topic, path_name(request), answers)
    if found:
        yield ("id" if "id" in request.path else "name"), found


def _is_link(request: ApiRequest) -> bool:
    """Say whether a delete means the name of a link, and not its container (delete.go)."""
    if request.operation.name != "ContainerDelete":
        return False
    return request.parameter("link").strip().lower() not in FALSE


def _of_swarm(request: ApiRequest, answers: Answers) -> bool:
    """Say whether a container joins a network that this node may not have yet.

    It is stored as it is called then (container_operations.go, ConnectToNetwork).
    """
    answer = answers.get(Question(Topic.NETWORK, path_name(request)))
    return isinstance(answer, Mapping) and text(answer, "Scope") == "swarm"


def _is_elsewhere(request: ApiRequest, answers: Answers) -> bool:
    """Say whether a network is wanted in another scope than it has.

    By its name the daemon does not find it there; by its id it shows it in any scope
    (network_routes.go, getNetwork).
    """
    answer = answers.get(Question(Topic.NETWORK, path_name(request)))
    wanted = request.parameter("scope")
    return bool(wanted) and isinstance(answer, Mapping) and text(answer, "Scope") != wanted


def _query(request: ApiRequest, answers: Answers) -> Iterator[tuple[str, str]]:
    if request.operation.name == "ImageCommit":
        found = _container(request.parameter("container"), answers)
        if found:
            yield "container", found
    if request.operation.name == "ImageBuild":
        mode = request.parameter("networkmode")
        if _joined(mode, answers) != mode:
            yield "networkmode", _joined(mode, answers)


def _body(request: ApiRequest, answers: Answers, *, images: bool) -> Iterator[Edit]:
    body: Document = request.body or {}
    if request.operation.name in _NETWORK_MEMBERS:
        found = _container(text(body, "Container"), answers)
        if found:
            yield Edit(("Container",), found)
    if request.operation.name != "ContainerCreate":
        return
    host = table(body, "HostConfig")
    for member in _NAMESPACES:
        mode = text(host, member)
        if _joined(mode, answers) != mode:
            yield Edit(("HostConfig", member), _joined(mode, answers))
    written = strings(host, "VolumesFrom")
    pinned = [_mounted(spec, answers) for spec in written]
    if pinned != written:
        yield Edit(("HostConfig", "VolumesFrom"), pinned)
    image = _id(Topic.IMAGE, text(body, "Image"), answers) if images else ""
    if image:
        yield Edit(("Image",), image)


def _joined(mode: str, answers: Answers) -> str:
    """Return ``container:<id>`` for ``container:<name>``, and any other mode as it is."""
    if not mode.startswith(CONTAINER):
        return mode
    found = _container(mode.removeprefix(CONTAINER), answers)
    return CONTAINER + found if found else mode


def _mounted(spec: str, answers: Answers) -> str:
    """Return ``<id>[:modes]`` for ``<name>[:modes]``."""
    name, colon, modes = spec.partition(":")
    found = _container(name, answers)
    return found + colon + modes if found else spec


def _container(name: str, answers: Answers) -> str:
    return _id(Topic.CONTAINER, name.removeprefix("/"), answers)


def _id(topic: Topic, name: str, answers: Answers) -> str:
    """Return the id of what was found under a name; empty where nothing was."""
    answer = answers.get(Question(topic, name))
    if not isinstance(answer, Mapping):
        return ""
    member, form = _IDS.get(topic, _SWARM_ID)
    found = text(answer, member)
    if not form.fullmatch(found):
        problem = f"{topic} {name!r}: the daemon gave the id {found!r}; expected {form.pattern}"
        raise RefusedError(Reason.LOOKUP_FAILED, problem)
    return found
