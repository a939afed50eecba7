"""How a request that was let through ended: one value for each, at its end.

The decision is recorded before anything is sent; what became of it is known
when the last byte has passed. It knows what is counted, and nobody who reads it.
"""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

CREATED = 201
MOST_KEPT = 4096
"""Bytes of an answer in which the id of a new object is looked for."""

_IDS = ("Id", "ID", "Name")
"""What the daemon calls it; a volume has its name only."""


class End(StrEnum):
    """Who or what ended it."""

    WHOLE = "whole"
    """The answer arrived as a whole, or the daemon ended what it had taken over."""
    CLIENT = "client"
    """The client went away before, or broke the framing of what it sent."""
    DAEMON = "daemon"
    """The daemon could not be reached, cut its answer off, or sent what nobody can read."""
    CUT = "cut"
    """It may go on no longer: another policy, other proofs, or their time is over."""
    STOPPED = "stopped"
    """The service ended."""


class Outcome(NamedTuple):
    """What became of one request.

    ``request`` is the id of its decision. ``status`` is what the client was
    told, 0 where it was told nothing. ``sent`` and ``received`` count bytes of
    bodies towards the daemon and from it, framing aside, and all bytes of a
    connection that was ``taken_over``. ``seconds`` begin with the verdict.
    ``created`` is the id of a new object, or the name of a volume. Of a list that is
    filtered ``hidden`` says how many of the ``entries`` the caller may not inspect.
    A tuple, because one is made for each request.
    """

    request: str
    status: int
    sent: int
    received: int
    seconds: float
    end: End
    taken_over: bool = False
    created: str = ""
    entries: int | None = None
    hidden: int | None = None


@dataclass(slots=True)
class Flow:
    """What has passed so far; whoever passes it on counts. ``end`` is set by whoever ends it."""

    status: int = 0
    sent: int = 0
    received: int = 0
    taken_over: bool = False
    end: End | None = None
    entries: int | None = None
    hidden: int | None = None
    kept: bytearray = field(default_factory=bytearray)

    def keep(self, data: bytes) -> None:
        """Keep the beginning of an answer that may name a new object."""
        if len(self.kept) <= MOST_KEPT:
            self.kept += data

    def outcome(self, request: str, seconds: float, end: End) -> Outcome:
        """Say how it ended: as was noted while it passed, else by ``end``."""
        return Outcome(
            request,
            self.status,
            self.sent,
            self.received,
            seconds,
            self.end or end,
            self.taken_over,
            _created(bytes(self.kept)) if self.kept else "",
            self.entries,
            self.hidden,
        )


def _created(answer: bytes) -> str:
    """Return the id in an answer; nothing where it has none or is longer than such answers are."""
    if len(answer) > MOST_KEPT:
        return ""
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        return ""
    found = [document.get(name) for name in _IDS] if isinstance(document, dict) else []
    return next((value for value in found if isinstance(value, str) and value), "")
