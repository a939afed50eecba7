"""What is written next: the lines that are wanted, and what belongs on the record before them.

Notes about the log itself wait here until a line is written, so that they share
its write, and stay when that fails. It knows no files: it makes bytes, and is
told when they have been written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, NamedTuple

from authz.audit.chain import Entry, Kind, Link, body, chained
from authz.audit.checkpoint import Promise, Signer, checkpoint
from authz.audit.stamp import stamp

SLACK = 100
"""Lines about the log itself that may come between two checkpoints beyond the others."""


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """How often a checkpoint is written: after so many lines, or seconds with a new one."""

    lines: int = 1000
    seconds: float = 60
    signer: Signer | None = None
    copy: Callable[[bytes], None] | None = None
    """Takes every checkpoint that was written, to keep it elsewhere; it must not wait."""


class Draft(NamedTuple):
    """Lines that are to be written in one piece, and where the chain stands behind them."""

    lines: bytes
    link: Link
    checkpoints: tuple[bytes, ...] = ()
    """The checkpoints among them."""
    marked: int = 0
    """The line from which on lines count towards the next checkpoint."""


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

    def draft(self, entries: Sequence[Entry] = (), *more: Note) -> Draft:
        """Return all that is to be written, with lines of these bodies at the end.

        ``more`` are notes of this moment, which a failed write forgets. A
        checkpoint that falls due among the lines stands among them.
        """
        lines: list[bytes] = []
        checkpoints: list[bytes] = []
        link, marked, due = self.link, self._marked, self._mark
        if self._notes or more:
            notes = [(kind, (body(members),)) for kind, members in (*self._notes, *more)]
            lines, link = chained(link, notes)
        begin, every = 0, self._wanted.lines
        while True:
            if due or link.seq - marked >= every:
                line = link.line(Kind.CHECKPOINT, body(self._checkpoint(link)))
                link, due = link.after(line), False
                marked = link.seq + (begin < len(entries))  # the line behind it is not counted
                lines.append(line)
                checkpoints.append(line)
            end = begin + max(1, marked + every - link.seq)
            further, link = chained(link, entries[begin:end])
            lines += further
            if end >= len(entries):
                return Draft(b"".join(lines), link, tuple(checkpoints), marked)
            begin = end

    def written(self, draft: Draft) -> None:
        """Take note that these lines are there."""
        self._notes.clear()
        if draft.checkpoints:
            self._mark = False
            self._marked, self._marked_at = draft.marked, monotonic()
            if self._wanted.copy is not None:
                for each in draft.checkpoints:
                    self._wanted.copy(each)
        self.link = draft.link

    def _checkpoint(self, link: Link) -> dict[str, Any]:
        promise = Promise(self._wanted.lines + SLACK)
        return checkpoint(link, self._clock(), promise, self._wanted.signer)


Note = tuple[Kind, Mapping[str, Any]]
