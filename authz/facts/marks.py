"""Whose an object is going to be: the labels that a door writes into what is created.

``on:own`` and its like read these labels later. Clients cannot set them
(``authz.facts.labels``), so only a door that writes requests anew can, and only
for a caller who proved who he is. It knows the places of labels, and asks nothing.

Not labelled: volumes that a container makes by the way; images, whose labels
whoever builds them chooses; what an update leaves out. Source: moby api/types
(container.Config, volume.CreateOptions, network.CreateOptions, swarm.Annotations,
swarm.ContainerSpec).
"""

from __future__ import annotations

from collections.abc import Iterator

from authz.docker.forward import Edit
from authz.docker.request import ApiRequest
from authz.facts.known import FactSettings
from authz.facts.labels import OWNER, TENANT
from authz.facts.members import table
from authz.identity.identity import Identity, Proof

LABELS = "Labels"

MADE = frozenset(
    {
        "ContainerCreate",
        "VolumeCreate",
        "NetworkCreate",
        "ServiceCreate",
        "SecretCreate",
        "ConfigCreate",
    }
)
"""Operations that make an object with a name and labels of its own."""

_CONTAINERS_OF = ("TaskTemplate", "ContainerSpec")


def marked(identity: Identity, settings: FactSettings) -> bool:
    """Say whether what this caller makes is labelled."""
    return settings.labels and identity.proof is not Proof.NONE


def marks(request: ApiRequest, identity: Identity, settings: FactSettings) -> tuple[Edit, ...]:
    """Return what a request that makes something says of its owner; nothing for any other."""
    if request.operation.name not in MADE or not marked(identity, settings):
        return ()
    # Both are written: a container inherits those of its image that it does not have itself.
    labels = {OWNER: identity.subject, TENANT: identity.tenant}
    return tuple(
        Edit((*place, name), value) for place in _places(request) for name, value in labels.items()
    )


def _places(request: ApiRequest) -> Iterator[tuple[str, ...]]:
    yield (LABELS,)
    body = request.body or {}
    if request.operation.name == "ServiceCreate" and table(
        table(body, _CONTAINERS_OF[0]), _CONTAINERS_OF[1]
    ):
        yield (*_CONTAINERS_OF, LABELS)
