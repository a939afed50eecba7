"""Where records go: a file that is only ever appended to.

A record is there before its decision is answered, so that a crash loses none.
The sink knows bytes and files; what is in a record is not its business, and
neither is any event loop: ``blocking`` tells who calls whether to use a thread.
"""

import errno
import fcntl
import os
import stat
import sys
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

from authz.audit.record import AuditRecord, line
from authz.errors import AuditUnavailableError, ConfigurationError

STANDARD_OUTPUT = "-"
"""The path that means standard output."""

_CHUNK = 64 * 1024

log = structlog.get_logger(__name__)


class Durability(StrEnum):
    """What a record has survived when ``append`` returns."""

    WRITE = "write"
    """The end of this process."""
    FSYNC = "fsync"
    """A power cut."""


@dataclass(frozen=True, slots=True)
class TornLine:
    """The rest of a record that was being written when everything stopped."""

    size: int
    kept: Path


class Sink:
    """An audit file that is open for appending, by this process alone.

    ``torn`` says what was cut off its end when it was opened, or is None.
    """

    def __init__(self, path: Path | str, durability: Durability | str = Durability.WRITE) -> None:
        """Open the file, or make it with mode 0600, its folder included.

        Raises ConfigurationError where it cannot be opened, is no regular file
        or is being written by another process.
        """
        self.torn: TornLine | None = None
        self._sync = Durability(durability) is Durability.FSYNC
        self._is_file = str(path) != STANDARD_OUTPUT
        self._path = Path(path)
        self._turn = threading.Lock()
        self._cut_to: int | None = None
        self._descriptor = self._open() if self._is_file else sys.stdout.fileno()

    @property
    def blocking(self) -> bool:
        """Whether ``append`` can wait for a disk or a reader, and so needs a thread."""
        return self._sync or not self._is_file

    def append(self, record: AuditRecord) -> None:
        """Write one record, whole or not at all.

        Raises AuditUnavailableError otherwise; nothing may be answered then.
        Threads may call this at once.
        """
        with self._turn:
            try:
                self._write(line(record))
            except OSError as error:
                raise AuditUnavailableError(f"{self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file. Every later append fails."""
        with self._turn:
            if self._is_file and self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, text: bytes) -> None:
        if self._is_file:
            self._write_whole(text)
            return
        while text:
            text = text[os.write(self._descriptor, text) :]

    def _write_whole(self, text: bytes) -> None:
        """Write a line in one call. A part of it is taken back before the error leaves."""
        self._repair()
        status = os.fstat(self._descriptor)
        if status.st_nlink == 0:
            raise OSError(errno.ENOENT, "the file was removed; a restart makes it anew")
        self._cut_to = status.st_size
        try:
            _write_at_once(self._descriptor, text)
            if self._sync:
                os.fsync(self._descriptor)
        except OSError:
            self._repair()
            raise
        self._cut_to = None

    def _repair(self) -> None:
        """Take back what a failed write has left, so that the next line starts clean."""
        if self._cut_to is not None:
            os.ftruncate(self._descriptor, self._cut_to)
            self._cut_to = None

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"audit {self._path}: cannot be opened: {error.strerror}"
            ) from None
        try:
            self._claim(descriptor)
            self.torn = self._cut_torn_line(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _claim(self, descriptor: int) -> None:
        """Make sure that nobody else writes or reads here.

        Two writers would cut each other's records off when a write fails.
        """
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigurationError(f"audit {self._path}: is no regular file")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"audit {self._path}: another process is writing to it"
            ) from None
        try:
            os.fchmod(descriptor, 0o600)
        except PermissionError:
            raise ConfigurationError(f"audit {self._path}: belongs to another account") from None

    def _cut_torn_line(self, descriptor: int) -> TornLine | None:
        """Cut a last line that has no end; its bytes are kept in a file beside."""
        size = os.fstat(descriptor).st_size
        start = _end_of_last_line(descriptor, size)
        if start == size:
            return None
        kept = self._path.with_name(self._path.name + ".torn")
        _keep(kept, os.pread(descriptor, size - start, start))
        os.ftruncate(descriptor, start)
        os.fsync(descriptor)
        torn = TornLine(size - start, kept)
        log.error("audit.torn_line_cut", path=str(self._path), size=torn.size, kept=str(kept))
        return torn


def _write_at_once(descriptor: int, text: bytes) -> None:
    """Write in one call. A disk that is almost full takes a part only."""
    written = os.write(descriptor, text)
    if written < len(text):
        raise OSError(errno.EIO, f"{written} of {len(text)} bytes were written")


def _end_of_last_line(descriptor: int, size: int) -> int:
    """Return the offset behind the last line feed, or 0 where there is none."""
    end = size
    while end > 0:
        start = max(0, end - _CHUNK)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _keep(path: Path, text: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        os.write(descriptor, text + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
