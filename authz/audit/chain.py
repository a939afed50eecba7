"""How the lines of the audit hang together: by number, and by the digest of the line before.

The digest is SHA-256 over the exact bytes of a line, its line feed included, so
that anybody can check it with ``sha256sum``. Nothing here knows files or records.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

GENESIS = "0" * 64
"""What the first line of all carries in the place of a digest."""


class Kind(StrEnum):
    """What a line tells. Members are added, never renamed."""

    DECISION = "decision"
    OUTCOME = "outcome"
    """How a request ended that was let through."""
    SUMMARY = "summary"
    """So many more refusals of one kind."""
    UNRECORDED = "unrecorded"
    """Reads that were let through while nothing could be written."""
    STARTED = "started"
    STOPPED = "stopped"
    CONTINUED = "continued"
    """The first line of a further file: what the one before is called, and why it was left."""
    CHANGED = "changed"
    """Somebody else made the file shorter or longer."""
    RESUMED = "resumed"
    """Lines can be written again."""
    RETIRED = "retired"
    """Old files are about to be deleted, as the settings want it."""
    CHECKPOINT = "checkpoint"
    GRANT = "grant"
    """Somebody was granted something for a while, or that ended."""


class Link(NamedTuple):
    """How far a chain has come: the number of its last line, and the digest of that."""

    seq: int = 0
    head: str = GENESIS

    def line(self, kind: str, body: bytes) -> bytes:
        """Return the next line: the body, which is one JSON object and a line feed, linked."""
        return b'{"seq":%d,"prev":"%s","kind":"%s",%s' % (
            self.seq + 1,
            self.head.encode(),
            kind.encode(),
            body[1:],
        )

    def after(self, line: bytes) -> Link:
        """Return where the chain stands behind a line."""
        return Link(self.seq + 1, digest(line))


Pieces: TypeAlias = tuple[bytes, ...]
"""A body as for :meth:`Link.line`, cut anywhere but before its first byte."""

Entry: TypeAlias = tuple[Kind, Pieces]
"""What is to become a line: its kind, and its body."""


def chained(link: Link, entries: Iterable[Entry]) -> tuple[list[bytes], Link]:
    """Return the next lines in pieces, each linked to the one before, and where the chain stands.

    It is :meth:`Link.line` and :meth:`Link.after` over and over, for the many lines of a turn.
    """
    seq, head = link
    lines: list[bytes] = []
    for kind, (text, *more) in entries:
        seq += 1
        begin = b'{"seq":%d,"prev":"%s","kind":"%s",%s' % (
            seq,
            head.encode(),
            _WRITTEN[kind],
            text[1:],
        )
        found = hashlib.sha256(begin)
        lines.append(begin)
        for each in more:
            found.update(each)
        lines += more
        head = found.hexdigest()
    return lines, Link(seq, head)


def digest(line: bytes) -> str:
    """Return the digest of a line with its line feed, in hex."""
    return hashlib.sha256(line).hexdigest()


def body(members: Mapping[str, Any]) -> bytes:
    """Write members as a body for :meth:`Link.line`; there is at least one."""
    return _ENCODER.encode(members).encode("ascii") + b"\n"


def link_of(line: bytes) -> Link | None:
    """Return where the chain stands behind a line that was read; None: the line is no link."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not is_link(record):
        return None
    return Link(record["seq"], digest(line))


def is_link(record: Mapping[str, Any]) -> bool:
    """Say whether a record has the members of a link, in their form."""
    number, before = record.get("seq"), record.get("prev")
    return (
        type(number) is int
        and number > 0
        and isinstance(before, str)
        and len(before) == len(GENESIS)
    )


_WRITTEN = {kind: kind.encode() for kind in Kind}
_ENCODER = json.JSONEncoder(separators=(",", ":"))
