"""Answers that tell of many objects, and each of these as if it were inspected alone.

Where an entry of a list says what an inspection would say, it is judged by that.
What it does not tell for certain is named as doubtful, and what it tells
otherwise has to be looked up. It knows the shapes of answers, and nobody who asks.

Source: moby daemon/list.go (an image that lost its name is shown by its id),
daemon/events.go (labels become attributes), api/types/system (disk usage).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from authz.docker.request import ApiRequest
from authz.docker.routes import Operation, load_operations
from authz.errors import RefusedError
from authz.facts.facts import LABEL
from authz.facts.members import Document, is_table, strings, table, text, texts
from authz.facts.questions import Question, Topic

NAME: Final = "name"
IMAGE: Final = "image"
"""What may be doubtful: conditions, by the name of their key; LABEL stands for every label."""

EVENTS: Final = "SystemEvents"
"""The operation whose answer is a stream of events, one JSON document a line."""

_ID = "sha256:"
_UNNAMED = "<none>:<none>"
"""What older API versions call an image without a name."""

_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """An object that an answer tells of: the operation that inspects it, and what by.

    ``document`` is what a look-up would find, as far as facts and conditions read it; None
    where only a look-up can tell. ``doubtful`` are conditions that it does not tell for certain.
    """

    operation: str
    key: str
    document: Document | None = None
    doubtful: frozenset[str] = _NOTHING

    @property
    def question(self) -> Question | None:
        """What a look-up would ask; None where an inspection asks for nothing."""
        topic = _inspections()[self.operation].topic
        return None if topic is None else Question(topic, self.key)

    def request(self, version: tuple[int, int] | None) -> ApiRequest:
        """Return the inspection, in the API version of whoever asked for the list."""
        found = _inspections()[self.operation]
        return ApiRequest(found.operation, version, dict.fromkeys(found.variables, self.key), {})


See = Callable[[Document], Sighting | None]
Place = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """An answer that is a list, or holds lists.

    ``places`` are the members that lead to each list, and what its entries are; ``kept`` are
    lists that tell of no object. Any other member that is a list or an object tells what nobody
    has judged.
    """

    places: Mapping[Place, See]
    kept: frozenset[str] = field(default=_NOTHING)


def sighted(see: See, entry: object) -> Sighting | None:
    """Say what an entry is; None for what nobody could inspect, or cannot be read."""
    if not is_table(entry):
        return None
    try:
        found = see(entry)
    except RefusedError:
        return None
    return found if found is not None and found.key else None


def sighted_in_event(event: object) -> tuple[Sighting, ...]:
    """Return the objects that an event tells of; none where it is nobody's, or cannot be read."""
    if not is_table(event):
        return ()
    try:
        found = tuple(_told(event))
    except RefusedError:
        return ()
    return found if all(each.key for each in found) else ()


class _Inspection(NamedTuple):
    """How an object is inspected: the operation, the variable of its path, what is looked up."""

    operation: Operation
    variables: tuple[str, ...]
    topic: Topic | None


@cache
def _inspections() -> Mapping[str, _Inspection]:
    return {
        row.name: _Inspection(
            row,
            tuple(re.findall(r"{(\w+)}", row.path)),
            None if row.object == "none" else Topic(row.object),
        )
        for row in load_operations()
    }


def _container(entry: Document) -> Sighting:
    names = [name for name in strings(entry, "Names") if name.count("/") == 1]  # others are links
    image = text(entry, "Image")
    doubtful = {NAME} if len(names) != 1 else set()
    if image.startswith(_ID):  # what its maker wrote is another image by now, or none
        doubtful.add(IMAGE)
    config = {"Image": image, "Labels": texts(entry, "Labels")}
    document = {"Name": names[0] if len(names) == 1 else "", "Config": config}
    return Sighting("ContainerInspect", text(entry, "Id"), document, frozenset(doubtful))


def _image(entry: Document) -> Sighting:
    """Say what an image is. One that may be of containerd's store has to be looked up.

    Such an image has labels by platform, and the list and the inspection may choose
    others. It is known by the digest that it has under its name; without one nobody can tell.
    """
    key = text(entry, "Id")
    named = any(each != _UNNAMED for each in strings(entry, "RepoTags"))
    by_digest = any(each.endswith(f"@{key}") for each in strings(entry, "RepoDigests"))
    if by_digest or not named or "Descriptor" in entry or "Manifests" in entry:
        return Sighting("ImageInspect", key)
    return Sighting("ImageInspect", key, {"Config": {"Labels": texts(entry, "Labels")}})


def _same(operation: str, key: str) -> See:
    """Say what an entry is that is the very document of an inspection."""
    return lambda entry: Sighting(operation, text(entry, key), entry)


def _nobodys(_entry: Document) -> None:
    """Take a record of a builder for what it is: there is no way to inspect one."""


_volume = _same("VolumeInspect", "Name")

_networks = Shape({(): _same("NetworkInspect", "Id")})

LISTINGS: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "ContainerList": Shape({(): _container}),
        "ImageList": Shape({(): _image}),
        "VolumeList": Shape({("Volumes",): _volume}, kept=frozenset({"Warnings"})),
        "NetworkList": _networks,
        "NetworkListSlash": _networks,
        "ServiceList": Shape({(): _same("ServiceInspect", "ID")}),
        "TaskList": Shape({(): _same("TaskInspect", "ID")}),
        "NodeList": Shape({(): _same("NodeInspect", "ID")}),
        "SecretList": Shape({(): _same("SecretInspect", "ID")}),
        "ConfigList": Shape({(): _same("ConfigInspect", "ID")}),
        "PluginList": Shape({(): _same("PluginInspect", "Name")}),
        "SystemDataUsage": Shape(
            {
                ("Images",): _image,
                ("Containers",): _container,
                ("Volumes",): _volume,
                ("BuildCache",): _nobodys,
                ("ImageUsage", "Items"): _image,
                ("ContainerUsage", "Items"): _container,
                ("VolumeUsage", "Items"): _volume,
                ("BuildCacheUsage", "Items"): _nobodys,
            }
        ),
    }
)
"""The operations whose answers hold lists of objects."""

_TOLD_OF = {
    "image": "ImageInspect",
    "volume": "VolumeInspect",
    "network": "NetworkInspect",
    "plugin": "PluginInspect",
    "service": "ServiceInspect",
    "node": "NodeInspect",
    "secret": "SecretInspect",
    "config": "ConfigInspect",
    "daemon": "SystemInfo",
}
"""Types of events, containers aside; their attributes do not say whose the object is."""

_USED = frozenset({"network", "volume"})
"""Types of events that say which container uses the object."""


def _told(event: Document) -> Iterator[Sighting]:
    kind, actor = text(event, "Type"), table(event, "Actor")
    key, attributes = text(actor, "ID"), texts(actor, "Attributes")
    if kind == "container":
        yield _of_event(key, attributes)
    elif kind in _TOLD_OF:
        yield Sighting(_TOLD_OF[kind], key)
    if kind in _USED and "container" in attributes:
        yield Sighting("ContainerInspect", attributes["container"])


def _of_event(key: str, attributes: Mapping[str, str]) -> Sighting:
    """Say what a container is by an event, which has all its labels, and others among them."""
    config: dict[str, Any] = {"Image": attributes.get(IMAGE, ""), "Labels": attributes}
    document = {"Name": attributes.get(NAME, ""), "Config": config}
    return Sighting("ContainerInspect", key, document, frozenset({LABEL}))
