"""The files of one audit: what they are called, and which of them may go.

``audit.jsonl`` is written to; ``audit.jsonl.0000000000000042`` was, and begins
with line 42; ``.gz`` behind it means that it was compressed. Files that a
program such as logrotate renamed count as well, also those in bzip2 and xz.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import shutil
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeAlias

DIGITS = 16
GZIP = ".gz"
DAY = 86_400.0

Stream: TypeAlias = IO[bytes] | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile

BROKEN: Final = (EOFError, zlib.error, lzma.LZMAError)
"""What a compressed file raises that is not whole, beside OSError."""

_OPENERS: Final[Mapping[bytes, Callable[[Path], Stream]]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}
"""How a compressed file is read, by its first bytes."""

_CLOSED = re.compile(r"[.-][0-9][0-9TZ:_.-]*(\.(gz|bz2|xz))?")
_PACKED = re.compile(r"\.(gz|bz2|xz)$")
_OURS = re.compile(rf"\.([0-9]{{{DIGITS}}})(-[0-9]+)?(\.gz)?$")
_PART = ".part"
_LOOKS = 10


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is closed: above so many bytes, after so many seconds; 0 is never."""

    size: int = 256 * 1024 * 1024
    age: float = 0
    compress: bool = True


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of closed files: so many, for so many days, so many bytes; 0 is all."""

    files: int = 0
    days: float = 0
    size: int = 0

    def __bool__(self) -> bool:
        """Whether anything is ever deleted."""
        return bool(self.files or self.days or self.size)


def closed_name(path: Path, first: int) -> Path:
    """Return what a file is called when it is closed; ``first`` is the number of its first line.

    A name that is taken, by a chain that began anew, is left alone.
    """
    name = path.with_name(f"{path.name}.{first:0{DIGITS}}")
    further = 0
    while name.exists() or name.with_name(name.name + GZIP).exists():
        further += 1
        name = path.with_name(f"{path.name}.{first:0{DIGITS}}-{further}")
    return name


def family(path: Path) -> list[Path]:
    """Return the closed files of an audit, our own in their order before those of others.

    A file that was just compressed is named once. Raises OSError.
    """
    found: dict[str, Path] = {}
    for each in sorted(_listed(path), reverse=True):
        found[_PACKED.sub("", each.name)] = each  # the one without .gz comes last
    return sorted(found.values(), key=lambda one: (first_of(one) is None, one.name))


def _listed(path: Path) -> set[Path]:
    """List closed files until nothing changes: a file that changes its name may not be seen."""
    found: set[Path] = set()
    for _ in range(_LOOKS):
        before, found = (
            found,
            {
                each
                for each in path.parent.iterdir()
                if each.name.startswith(path.name)
                and _CLOSED.fullmatch(each.name[len(path.name) :])
                and not _is_special(each)
            },
        )
        if found == before:
            break
    return found


def _is_special(path: Path) -> bool:
    """Say whether a name leads to what is no file: a pipe would be waited for."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False  # it may just be getting another name


def first_of(path: Path) -> int | None:
    """Return the number of the first line that a name of ours tells; None for another name."""
    match = _OURS.search(path.name)
    return int(match[1]) if match else None


def opened(path: Path) -> Stream:
    """Open a file for reading, through its compression. Raises OSError.

    One that was compressed since it was listed is found under its new name.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        packed = path.with_name(path.name + GZIP)
        if not packed.exists():
            raise
        return opened(packed)
    head = file.peek(6)
    for mark, opener in _OPENERS.items():
        if head.startswith(mark):
            file.close()
            return opener(path)
    return file


def compress(path: Path) -> Path:
    """Put a compressed file in the place of a closed one. Raises OSError, with nothing lost.

    The original goes when the other one is whole, and on the disk.
    """
    target = path.with_name(path.name + GZIP)
    part = path.with_name(target.name + _PART)
    with suppress(FileNotFoundError):
        part.unlink()
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as raw:
            with path.open("rb") as source, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                shutil.copyfileobj(source, packed, 256 * 1024)
            raw.flush()
            os.fsync(raw.fileno())
        part.rename(target)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    path.unlink()
    return target


def expired(closed: Sequence[Path], keep: Retention, now: float) -> list[Path]:
    """Return the oldest of our closed files that need not be kept. Raises OSError.

    What follows a file that is kept is kept: the chain loses its beginning
    only. Files that others named are theirs to delete.
    """
    ours = [(path, path.stat()) for path in closed if first_of(path) is not None]
    left = len(ours)
    size = sum(status.st_size for _, status in ours)
    gone = []
    for path, status in ours:
        many = keep.files and left > keep.files
        big = keep.size and size > keep.size
        old = keep.days and now - status.st_mtime > keep.days * DAY
        if not (many or big or old):
            break
        gone.append(path)
        left -= 1
        size -= status.st_size
    return gone


def to_compress(path: Path) -> Iterator[Path]:
    """Yield the closed files of our own that are not compressed yet. Raises OSError."""
    for each in family(path):
        if first_of(each) is not None and not each.name.endswith(GZIP):
            yield each
