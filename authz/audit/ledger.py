"""What is written next: the line that is wanted, and what belongs on the record before it.

Notes about the log itself wait here until a line is written, so that they share
its write, and stay when that fails. It knows no files: it makes bytes, and is
told when they have been written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from authz.audit.chain import Kind, Link, body
from authz.audit.checkpoint import Promise, Signer, checkpoint

SLACK = 100
"""Lines about the log itself that may come between two checkpoints beyond the others."""


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def stamp(time: datetime) -> str:
    """Write a time as records do."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """How often a checkpoint is written: after so many lines, or seconds with a new one."""

    lines: int = 1000
    seconds: float = 60
    signer: Signer | None = None
    copy: Callable[[bytes], None] | None = None
    """Takes every checkpoint that was written, to keep it elsewhere; it must not wait."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Lines that are to be written in one piece, and where the chain stands behind them."""

    lines: bytes
    link: Link
    checkpoint: bytes = b""
    """The checkpoint among them."""


class Ledger:
    """The end of a chain, and what waits to be added to it. Whoever calls it takes turns."""

    def __init__(self, link: Link, wanted: Checkpoints, clock: Callable[[], datetime]) -> None:
        self.link = link
        self._wanted = wanted
        self._clock = clock
        self._notes: list[tuple[Kind, Mapping[str, Any]]] = []
        self._mark = bool(link.seq)  # what comes may keep another promise than what was
        self._marked = link.seq
        self._marked_at = monotonic()

    def next_line(self, kind: str, text: bytes) -> bytes:
        """Return the line that comes next; empty where something else has to come before it.

        It is :meth:`draft` for the many lines before which nothing waits.
        """
        if self._notes or self._due:
            return b""
        return self.link.line(kind, text)

    def advance(self, line: bytes) -> None:
        """Take note that a line of :meth:`next_line` is there."""
        self.link = self.link.after(line)

    @property
    def waits(self) -> bool:
        """Whether something is to be written, even if nobody wants a line."""
        return bool(self._notes) or self._mark

    def say(self, kind: Kind, **members: object) -> None:
        """Let a note with the time of now come before the next line."""
        self._notes.append((kind, {"time": stamp(self._clock()), **members}))

    def mark(self) -> None:
        """Let a checkpoint come before the next line, unless nothing was written since the last."""
        self._mark = self._mark or self.link.seq > self._marked or bool(self._notes)

    def mark_by_time(self) -> None:
        """Do so if it is time."""
        if monotonic() - self._marked_at >= self._wanted.seconds:
            self._mark = self._mark or self.link.seq > self._marked

    def draft(self, kind: Kind = Kind.DECISION, text: bytes = b"", *more: Note) -> Draft:
        """Return all that is to be written, with a line of this body at the end if there is one.

        ``more`` are notes of this moment, which a failed write forgets.
        """
        link = self.link
        if not self._notes and not more and not self._due:
            line = link.line(kind, text) if text else b""
            return Draft(line, link.after(line) if line else link)
        lines, mark = [], b""
        for note, members in (*self._notes, *more):
            line = link.line(note, body(members))
            link = link.after(line)
            lines.append(line)
        if self._due:
            line = mark = link.line(Kind.CHECKPOINT, body(self._checkpoint(link)))
            link = link.after(line)
            lines.append(line)
        if text:
            line = link.line(kind, text)
            link = link.after(line)
            lines.append(line)
        return Draft(b"".join(lines), link, mark)

    def written(self, draft: Draft) -> None:
        """Take note that these lines are there."""
        self._notes.clear()
        if draft.checkpoint:
            self._mark = False
            self._marked, self._marked_at = draft.link.seq, monotonic()
            if self._wanted.copy is not None:
                self._wanted.copy(draft.checkpoint)
        self.link = draft.link

    @property
    def _due(self) -> bool:
        return self._mark or self.link.seq - self._marked >= self._wanted.lines

    def _checkpoint(self, link: Link) -> dict[str, Any]:
        promise = Promise(self._wanted.lines + SLACK)
        return checkpoint(link, self._clock(), promise, self._wanted.signer)


Note = tuple[Kind, Mapping[str, Any]]
