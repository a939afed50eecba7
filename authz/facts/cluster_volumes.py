"""What a volume of the swarm is: one that a CSI driver makes, on any node.

It knows ClusterVolumeSpec, at the making and at the changing of a volume.
"""

from collections.abc import Iterator

from authz.docker.request import ApiRequest
from authz.facts.facts import Fact
from authz.facts.known import Known
from authz.facts.members import Document, number, pairs, strings, table, tables, text
from authz.facts.questions import Topic
from authz.facts.services import named_facts


def volume_update_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe ``PUT /volumes/{name}``."""
    yield from cluster_volume_facts(request.body or {}, "Spec", known)


def cluster_volume_facts(body: Document, member: str, known: Known) -> Iterator[Fact]:
    """Yield what the specification below ``member`` asks for; it may be empty and still count."""
    if body.get(member) is None:
        return
    spec = table(body, member)
    access = table(spec, "AccessMode")
    mount = table(access, "MountVolume")
    yield Fact("volume.cluster", "on")
    for word, document, name in (
        ("group", spec, "Group"),
        ("availability", spec, "Availability"),
        ("scope", access, "Scope"),
        ("sharing", access, "Sharing"),
        ("fs", mount, "FsType"),
    ):
        if text(document, name):
            yield Fact("volume.cluster", f"{word}={text(document, name)}")
    yield from (Fact("volume.cluster", f"flag={flag}") for flag in strings(mount, "MountFlags"))
    if access.get("BlockVolume") is not None:
        yield Fact("volume.cluster", "block=on")
    for place in tables(table(spec, "AccessibilityRequirements"), "Requisite"):
        for pair in pairs(place, "Segments"):
            yield Fact("volume.cluster", f"place={pair}")
    size = number(table(spec, "CapacityRange"), "RequiredBytes")
    if size:
        yield Fact("volume.cluster", f"size={size}")
    for reference in tables(spec, "Secrets"):
        named = text(reference, "Secret")
        yield from named_facts("secret", Topic.SECRET, named, named, known)
