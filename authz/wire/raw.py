"""One request as a door received it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from authz.wire.evidence import Evidence


class Door(StrEnum):
    """Where a request came in. The plugin sees less and can change nothing."""

    PLUGIN = "plugin"
    PROXY = "proxy"
    CLI = "cli"
    ADMIN = "admin"
    """What was asked of Dockgate itself."""


class BodyState(StrEnum):
    """How much of the body the door saw."""

    COMPLETE = "complete"
    """All of it; ``body`` may be empty because there is none."""
    UNSEEN = "unseen"
    """The door was not shown a body; the daemon may still read one."""
    TOO_LARGE = "too_large"
    """There is more than the door's limit; ``body`` is empty."""


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request, uninterpreted.

    ``target`` is the request target of the request line, neither decoded nor
    cleaned. ``headers`` are in the order received; through the plugin each
    name comes once with its last value, because the daemon passes a map.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    body_state: BodyState = BodyState.COMPLETE
    evidence: Evidence = field(default_factory=Evidence)
    door: Door = Door.PLUGIN
