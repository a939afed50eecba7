"""One file that lines are appended to, each whole or not at all, by one process.

It knows descriptors and sizes; what is in a line is not its business.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from enum import Enum, auto
from pathlib import Path

_CHUNK = 64 * 1024


class Found(Enum):
    """What a look at the path shows."""

    SAME = auto()
    GONE = auto()
    """The path leads nowhere, or to another file."""
    RESIZED = auto()
    """Somebody else wrote to the file or cut it."""


class LineFile:
    """A file that is open for appending, and locked.

    ``size`` is what it has been brought to.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it with mode 0600, its folder included.

        Raises OSError: BlockingIOError where another process writes to it,
        PermissionError where it belongs to another account.
        """
        self.path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self.descriptor = os.open(path, flags, 0o600)
        try:
            status = self._claim()
        except BaseException:
            self.close()
            raise
        self.size = status.st_size
        self._place = (status.st_ino, status.st_dev)
        self._cut_to: int | None = None

    def untouched(self) -> bool:
        """Say whether the file has a name still, and is as it was left. Raises OSError.

        That it has its own name is not seen: that takes a walk along the path.
        """
        status = os.fstat(self.descriptor)
        return status.st_size == self.size and status.st_nlink > 0

    def look(self) -> Found:
        """Say whether the path still leads to this file, as it was left. Raises OSError."""
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return Found.GONE
        if (status.st_ino, status.st_dev) != self._place:
            return Found.GONE
        return Found.SAME if status.st_size == self.size else Found.RESIZED

    def accept(self) -> int:
        """Take the size that the file has for the right one; return by how much it differs.

        What a failed write of our own left is taken back before. Raises OSError.
        """
        self._repair()
        before, self.size = self.size, os.fstat(self.descriptor).st_size
        return self.size - before

    def duplicate(self) -> int:
        """Return another descriptor of the file, for whoever syncs it in his own time."""
        return os.dup(self.descriptor)

    def ends_whole(self) -> bool:
        """Say whether the next line would begin on a line of its own."""
        return self.size == 0 or os.pread(self.descriptor, 1, self.size - 1) == b"\n"

    def write(self, text: bytes) -> None:
        """Append in one call. A part of it is taken back before the error leaves.

        Raises OSError. What could not be taken back is cut off later, before
        anything is written behind it.
        """
        if self._cut_to is not None:
            self._repair()
        self._cut_to = self.size
        try:
            written = os.write(self.descriptor, text)
            if written < len(text):
                raise _too_little(written, len(text))
        except OSError:
            self._repair()
            raise
        self._cut_to = None
        self.size += written

    def cut(self, size: int) -> None:
        """Cut everything behind ``size`` off. Raises OSError."""
        os.ftruncate(self.descriptor, size)
        os.fsync(self.descriptor)
        self.size = size

    def close(self) -> None:
        """Close it. Every later write fails."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1

    def _repair(self) -> None:
        """Take back what a failed write has left, so that the next line starts clean."""
        if self._cut_to is not None:
            os.ftruncate(self.descriptor, self._cut_to)
            self._cut_to = None

    def _claim(self) -> os.stat_result:
        """Make sure that nobody else writes or reads here.

        Two writers would cut each other's lines off when a write fails.
        """
        status = os.fstat(self.descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is no regular file")
        fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fchmod(self.descriptor, 0o600)
        return status


def lines_from_the_end(descriptor: int, size: int, most: int) -> list[tuple[int, bytes]]:
    """Return the last lines with the offsets at which they begin, the last one first.

    A last line without an end is among them. At most ``most`` bytes are read,
    and a line that began before them is left out.
    """
    start = max(0, size - most)
    text = b"".join(
        os.pread(descriptor, min(_CHUNK, size - at), at) for at in range(start, size, _CHUNK)
    )
    found = []
    end = len(text)
    while end > 0:
        begin = text.rfind(b"\n", 0, end - 1) + 1
        if begin == 0 and start > 0:
            break
        found.append((start + begin, text[begin:end]))
        end = begin
    return found


def _too_little(written: int, wanted: int) -> OSError:
    """Say why a disk took a part only: it is full, or has no room for this account."""
    return OSError(errno.ENOSPC, f"{written} of {wanted} bytes were written: no space left")
