"""Where records go: a chain of lines in a file that is only ever appended to.

A record is there before its decision is answered, so that a crash loses none.
The sink knows chains and files; what is in a record is not its business, and
neither is any event loop: ``blocking`` tells who calls whether to use a thread.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from time import monotonic, time
from typing import Any

import structlog

from authz.audit.chain import Entry, Kind, Link, body
from authz.audit.ledger import Checkpoints, Draft, Ledger, Note, now
from authz.audit.line_file import Found, LineFile
from authz.audit.record import AuditRecord, pieces
from authz.audit.resume import Resumed, TornLine, resume
from authz.audit.rotation import Rotation, closed_name
from authz.audit.stamp import stamp
from authz.errors import AuditUnavailableError, ConfigurationError

STANDARD_OUTPUT = "-"
"""The path that means standard output."""

AGAIN = 60.0
"""Seconds until it is tried again to close a file that could not be closed."""

log = structlog.get_logger(__name__)


class Durability(StrEnum):
    """What a record has survived when its decision is answered."""

    WRITE = "write"
    """The end of this process."""
    INTERVAL = "interval"
    """The same, and a power cut some time later: the disk is synced in the background."""
    FSYNC = "fsync"
    """A power cut."""


@dataclass(frozen=True, slots=True)
class Custody:
    """How records are kept."""

    durability: Durability = Durability.WRITE
    rotation: Rotation = field(default_factory=Rotation)
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    clock: Callable[[], datetime] = now


@dataclass(slots=True)
class _Failure:
    """Since when nothing can be written, and how many lines were wanted."""

    since: datetime
    problem: str = ""
    refused: int = 0


class Sink:
    """An audit file that is open for appending, by this process alone.

    ``torn`` says what was cut off its end when it was opened, or is None.
    """

    def __init__(self, path: Path | str, custody: Custody | None = None) -> None:
        """Open the file, or make it with mode 0600, its folder included.

        Raises ConfigurationError where it cannot be opened, is no regular file
        or is being written by another process.
        """
        self._custody = custody or Custody()
        self._most = self._custody.rotation.size or sys.maxsize
        self._clock = self._custody.clock
        self._turn = threading.Lock()
        self._syncing = threading.Lock()
        self._failure: _Failure | None = None
        self._unsynced = ""
        self._left: list[LineFile] = []
        self._closed = False
        self._not_before = 0.0
        self._file: LineFile | None = None
        self._named: LineFile | None = None
        self._rest = b""
        self.path = Path(path)
        found = Resumed(Link(), 1)
        if str(path) == STANDARD_OUTPUT:
            if sys.stdout is None:
                raise ConfigurationError("audit -: standard output is closed; expected a reader")
            self._output = sys.stdout.fileno()
        else:
            self._file, found = self._opened()
        self._first = found.first
        self._began = monotonic() - (max(0.0, time() - found.began) if found.began else 0.0)
        self.torn = found.torn
        self._synced = found.link
        self._ledger = Ledger(found.link, self._custody.checkpoints, self._clock)
        self._ledger.say(Kind.STARTED, pid=os.getpid(), **_told(found.torn))

    @property
    def blocking(self) -> bool:
        """Whether ``append`` or ``commit`` can wait, for a disk or a reader: use a thread."""
        return self._file is None or self._custody.durability is Durability.FSYNC

    @property
    def quick(self) -> bool:
        """Whether ``append`` by itself waits for nobody: a file's page cache is not waited for."""
        return self._file is not None

    @property
    def problem(self) -> str:
        """Why nothing can be written; empty where it can."""
        failure = self._failure
        return failure.problem if failure else self._unsynced

    @property
    def count(self) -> int:
        """How many lines the chain has."""
        return self._ledger.link.seq

    @property
    def first(self) -> int:
        """The number of the first line of the file that is written to."""
        return self._first

    def append(self, *records: AuditRecord, before: Sequence[Note] = ()) -> None:
        """Write records, and notes ``before`` them that say their time: in one piece, or nothing.

        Raises AuditUnavailableError otherwise; nothing may be answered then.
        Threads may call this at once. What the durability promises holds when
        :meth:`commit` has returned as well.
        """
        entries: list[Entry] = [(kind, (body(members),)) for kind, members in before]
        self._put(entries + [(Kind.DECISION, pieces(record)) for record in records])

    def note(self, *notes: Note) -> None:
        """Write something else that belongs on the record. Raises as ``append`` does."""
        time = stamp(self._clock())
        self._put([(kind, (body({"time": time, **members}),)) for kind, members in notes])

    def commit(self) -> None:
        """Bring to the disk what was appended, if the durability says that answers wait for it.

        Raises AuditUnavailableError. Many appends may share one call.
        """
        if self._custody.durability is Durability.FSYNC:
            self.sync()

    def sync(self) -> None:
        """Bring to the disk what was appended. Raises AuditUnavailableError."""
        with self._syncing:
            with self._turn:
                link = self._ledger.link
                settled = link == self._synced and not self._left and not self._unsynced
                current = self._file
                if current is None or self._closed or settled:
                    return
                left, self._left = self._left, []
                descriptor = current.duplicate()
            # What a file is called, and since when, is not written anew for each sync of its lines.
            sync = os.fdatasync if current is self._named else os.fsync
            try:
                for file in left:
                    os.fsync(file.descriptor)
                sync(descriptor)
            except OSError as error:
                self._unsynced = f"{self.path}: cannot be synced: {_words(error)}"
                raise AuditUnavailableError(self._unsynced) from error
            finally:
                os.close(descriptor)
                for file in left:
                    file.close()
            self._unsynced, self._synced, self._named = "", link, current

    def upkeep(self) -> None:
        """Do what time asks for: notes, a checkpoint, another file, another attempt.

        Raises nothing; it is called from a thread, every second or so.
        """
        with self._turn:
            if self._closed:
                return
            try:
                self._look()
                self._ledger.mark_by_time()
                if self._ledger.waits or self._failure is not None:
                    self._write()
            except OSError as error:
                self._fail(error, refused=0)
            settle = bool(self._left or self._unsynced)
        if settle or self._custody.durability is Durability.INTERVAL:
            self._sync_quietly()

    def close(self) -> None:
        """Say that it ends, set a last checkpoint, and close. Every later append fails."""
        with self._turn:
            if self._closed:
                return
            try:
                self._ledger.say(Kind.STOPPED)
                self._ledger.mark()
                self._look()
                self._write()
            except OSError as error:
                self._fail(error, refused=0)
        self._sync_quietly()
        with self._turn:
            self._closed = True
            if self._file is not None:
                self._file.close()

    def retire(self, names: list[str], through: int) -> None:
        """Record that closed files up to this line are about to be deleted. Raises as append."""
        self.note((Kind.RETIRED, {"files": names, "through": through}))

    # Called with the turn

    def _put(self, entries: Sequence[Entry]) -> None:
        with self._turn:
            if self._closed:
                raise AuditUnavailableError(f"{self.path}: is closed")
            if self._unsynced and not self.blocking:
                raise AuditUnavailableError(self._unsynced)
            try:
                if not self._is_ordinary():
                    self._look()
                self._write(entries)
            except OSError as error:
                self._fail(error, refused=len(entries))
                raise AuditUnavailableError(self.problem) from error

    def _is_ordinary(self) -> bool:
        """Say whether the file needs no closer look before a write. Raises OSError.

        That it was renamed or is too old is seen by :meth:`upkeep`.
        """
        file = self._file
        return (
            file is not None
            and self._failure is None
            and file.size < self._most
            and file.untouched()
        )

    def _write(self, entries: Sequence[Entry] = ()) -> None:
        """Write what waits and lines behind it, in one piece. Raises OSError."""
        more = () if self._failure is None else (self._resumption(self._failure),)
        draft = self._ledger.draft(entries, *more)
        if self._file is not None:
            self._file.write(draft.lines)
            self._ledger.written(draft)
        else:
            self._print(draft)
        if self._failure is not None:
            log.info("audit.resumed", path=str(self.path), refused=self._failure.refused)
            self._failure = None

    def _print(self, draft: Draft) -> None:
        """Write to standard output. Raises OSError.

        INVARIANT: a reader gets whole lines. Lines whose beginning he has are
        written, whatever becomes of the call: their rest comes before all others.
        """
        self._print_rest()
        self._rest = draft.lines[os.write(self._output, draft.lines) :]
        self._ledger.written(draft)
        self._print_rest()

    def _print_rest(self) -> None:
        while self._rest:
            self._rest = self._rest[os.write(self._output, self._rest) :]

    def _resumption(self, failure: _Failure) -> Note:
        members = {
            "time": stamp(self._clock()),
            "since": stamp(failure.since),
            "problem": failure.problem,
            "refused": failure.refused,
        }
        return Kind.RESUMED, members

    def _look(self) -> None:
        """See that the file is still the one that is meant, and not too big. Raises OSError."""
        file = self._file
        if file is None:
            return
        found = file.look()
        if found is Found.SAME:
            if self._is_full(file):
                self._leave()
        elif found is Found.GONE:
            log.error("audit.file_moved", path=str(self.path))
            self._go_on_in(LineFile(self.path), cause="moved or removed")
        elif by := file.accept():
            log.error("audit.file_changed", path=str(self.path), bytes=by)
            self._ledger.say(Kind.CHANGED, bytes=by)
            if not file.ends_whole():
                file.write(b"\n")

    def _is_full(self, file: LineFile) -> bool:
        wanted, now = self._custody.rotation, monotonic()
        if self.count < self._first or now < self._not_before:
            return False
        big = wanted.size and file.size >= wanted.size
        return bool(big or (wanted.age and now - self._began >= wanted.age))

    def _leave(self) -> None:
        """Close the file under another name, and begin one. Where that fails it is gone on with."""
        name = closed_name(self.path, self._first)
        try:
            self.path.rename(name)
            try:
                further = LineFile(self.path)
            except OSError:
                name.rename(self.path)
                raise
        except OSError as error:
            self._not_before = monotonic() + AGAIN
            log.error("audit.rotation_failed", path=str(self.path), problem=_words(error))  # noqa: TRY400  the disk's fault, a traceback says nothing
            return
        self._go_on_in(further, cause="size or age", named=name.name)

    def _go_on_in(self, file: LineFile, **members: str) -> None:
        self._left += [self._file] if self._file else []
        self._file = file
        self._first = self.count + 1
        self._began = monotonic()
        self._ledger.say(Kind.CONTINUED, **members)
        self._ledger.mark()

    def _fail(self, error: OSError, refused: int) -> None:
        if self._failure is None:
            self._failure = _Failure(self._clock())
        self._failure.problem = f"{self.path}: {_words(error)}"
        self._failure.refused += refused

    def _sync_quietly(self) -> None:
        try:
            self.sync()
        except AuditUnavailableError as error:
            log.error("audit.sync_failed", problem=str(error))  # noqa: TRY400  as above

    def _opened(self) -> tuple[LineFile, Resumed]:
        try:
            file = LineFile(self.path)
        except BlockingIOError:
            problem = "another process is writing to it"
        except OSError as error:
            problem = _unopened(error)
        else:
            try:
                return file, resume(file)
            except OSError as error:
                file.close()
                problem = f"cannot be read: {_words(error)}"
        raise ConfigurationError(f"audit {self.path}: {problem}") from None


def _told(torn: TornLine | None) -> dict[str, Any]:
    if torn is None:
        return {}
    return {"torn": {"bytes": torn.size, "sha256": torn.sha256, "kept": torn.kept.name}}


def _words(error: OSError) -> str:
    return error.strerror or "cannot be written"


def _unopened(error: OSError) -> str:
    """Say why a file cannot be opened; errors without a name are about what was opened."""
    if error.filename is not None:
        return f"cannot be opened: {_words(error)}"
    return "belongs to another account" if isinstance(error, PermissionError) else _words(error)
