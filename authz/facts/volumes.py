"""What ``volumes/create`` makes: a volume by its name, driver and options."""

from collections.abc import Iterator

from authz.facts.cluster_volumes import cluster_volume_facts
from authz.facts.facts import Fact
from authz.facts.known import Known
from authz.facts.labels import check_labels
from authz.facts.members import Document, table, text, texts
from authz.facts.mounts import ANONYMOUS, volume_fact
from authz.facts.volume_options import local_volume_facts


def volume_create_facts(body: Document, known: Known) -> Iterator[Fact]:
    """Yield the volume and whatever of the host its options reach."""
    check_labels(table(body, "Labels"), "Labels")
    name = text(body, "Name")
    yield volume_fact(name) if name else Fact("volume", ANONYMOUS)
    yield from local_volume_facts(text(body, "Driver"), texts(body, "DriverOpts"), known)
    yield from cluster_volume_facts(body, "ClusterVolumeSpec", known)
