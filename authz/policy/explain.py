"""The one line that a caller reads.

It must fit the daemon's error format and a terminal: one line of at most
1 KiB, with nothing in it that could move a cursor or reorder text.
"""

from __future__ import annotations

import unicodedata

from authz.errors import Reason
from authz.policy.decision import Decision, Effect, Outcome, Row

LIMIT = 1024
"""Bytes of UTF-8, the request id included."""

SYSTEM_FAILURES = frozenset(
    {
        Reason.LOOKUP_FAILED,
        Reason.TIMEOUT,
        Reason.OVERLOADED,
        Reason.AUDIT_UNAVAILABLE,
        Reason.INTERNAL_ERROR,
    }
)
"""Refusals that are the system's fault, not the request's. They read "failed"."""


BUILDKIT = frozenset({"build.session", "build.grpc", "build.buildkit"})
"""Actions of BuildKit, whose own protocol nobody reads in parts."""

_WHOLE = "; BuildKit is granted as a whole: ask for {}, or build with DOCKER_BUILDKIT=0"


def denial(decision: Decision, subject: str, request_id: str, action: str = "") -> str:
    """Say which fact a policy denied, for whom, and by which row.

    One failing fact is spelt out, the first that a row denies before one that
    no row allows, and the others are counted; the audit record, which
    ``request_id`` finds, has them all. ``action`` is what was asked for; a
    build by BuildKit gets a word on what to do.
    """
    failing = [outcome for outcome in decision.outcomes if not outcome.allowed]
    failing.sort(key=lambda outcome: outcome.row is None)
    if not failing:
        return _line("denied", "the request yields no fact that could be allowed", request_id)
    first = _sentence(failing[0], subject)
    rest = f"; {len(failing) - 1} more" if len(failing) > 1 else ""
    if action in BUILDKIT:
        rest += _WHOLE.format(action)
    verb = "refused" if decision.effect is Effect.REFUSE else "denied"
    return _line(verb, first, request_id, rest)


def refusal(reason: Reason, detail: str, request_id: str) -> str:
    """Say why the gate refused or the system failed."""
    verb = "failed" if reason in SYSTEM_FAILURES else "refused"
    return _line(verb, f"{detail} ({reason})", request_id)


def shown(outcome: Outcome) -> str:
    """Return a fact as its caller may see it.

    What a look-up told about somebody else's object is shown by kind only.
    """
    fact = outcome.fact
    return fact.kind if fact.looked_up else str(fact)


def place(row: Row) -> str:
    """Return ``id (file:line) [controls]``; the place alone where the row has no id."""
    name = row.at if row.id == row.at else f"{row.id} ({row.at})"
    return f"{name} [{', '.join(row.controls)}]" if row.controls else name


def printable(text: str) -> str:
    """Escape what could move a cursor, hide or reorder text: control, format, bidi, separators."""
    return "".join(
        char
        if char == " " or unicodedata.category(char)[0] not in "CZ"
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def _sentence(outcome: Outcome, subject: str) -> str:
    who = f"{shown(outcome)} for {subject}"
    if outcome.error:
        where = f" by {place(outcome.row)}" if outcome.row else ""
        return f"{who}{where}: {outcome.error}"
    if outcome.row is None:
        return f"{who}: no row allows it"
    return f"{who} by {place(outcome.row)}"


def _line(verb: str, what: str, request_id: str, rest: str = "") -> str:
    head, tail = f"dockgate: {verb}: ", f"{rest}; request {request_id}"
    room = LIMIT - len(head.encode()) - len(tail.encode())
    return head + _cut(printable(what), room) + tail


def _cut(text: str, room: int) -> str:
    """Shorten to ``room`` bytes of UTF-8, saying so with three dots."""
    encoded = text.encode()
    if len(encoded) <= room:
        return text
    return encoded[: room - 3].decode(errors="ignore") + "..."
