"""What a policy has to pass before it comes in force, and what the log says of it then."""

from __future__ import annotations

import structlog

from authz.lazy import later
from authz.policy.snapshot import Snapshot
from authz.tools.proof import prove

_exposure = later("authz.tools.exposure")  # few bundles bring a model

log = structlog.get_logger(__name__)


def accept(snapshot: Snapshot) -> None:
    """Run its tests, and warn of what its own model leaves open. Raises PolicyError."""
    prove(snapshot)
    if snapshot.bundle.brought:
        for each in _exposure.exposed(snapshot):
            log.warning("policy.exposed", problem=f"{each.location}: {each.message}")
