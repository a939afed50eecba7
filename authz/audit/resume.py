"""Where a chain goes on after a start: what the files say, and what a crash left of a line.

A process that is killed, or a machine that loses its power, can leave half a
line, or bytes that are no line at all. They are cut off, kept in a file beside,
and the next line of the chain says so.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from authz.audit.chain import Link, link_of
from authz.audit.line_file import LineFile, lines_from_the_end
from authz.audit.reader import LONGEST_LINE
from authz.audit.rotation import BROKEN, family, opened

_CHUNK = 64 * 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TornLine:
    """The rest of a line that was being written when everything stopped."""

    size: int
    kept: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where the chain stands.

    ``first`` is the number of the file's first line, ``began`` its time in
    seconds since 1970; 0 where it tells none.
    """

    link: Link
    first: int
    began: float = 0
    torn: TornLine | None = None


def resume(file: LineFile) -> Resumed:
    """Find the end of the chain in a file, or in those before it. Raises OSError."""
    found = _tail(file)
    if found is None:
        torn = _set_aside(file, 0) if file.size else None
        link = _last_of(file.path)
        return Resumed(link, link.seq + 1, torn=torn)
    link, end = found
    torn = _set_aside(file, end) if end < file.size else None
    line = _first_line(file.descriptor)
    first = link_of(line)
    if first is None:
        return Resumed(link, link.seq, torn=torn)
    return Resumed(link, first.seq, _time_of(line), torn)


def _tail(file: LineFile) -> tuple[Link, int] | None:
    """Return the last link of a file and where it ends, or None where there is none."""
    for start, line in lines_from_the_end(file.descriptor, file.size, 2 * LONGEST_LINE):
        link = link_of(line)
        if link is not None:
            return link, start + len(line)
    return None


def _set_aside(file: LineFile, end: int) -> TornLine:
    """Cut off what is no line; its bytes are kept in a file beside."""
    kept = file.path.with_name(file.path.name + ".torn")
    size = file.size - end
    torn = TornLine(size, kept, _keep(kept, file.descriptor, end, file.size))
    file.cut(end)
    log.error("audit.torn_line_cut", path=str(file.path), size=torn.size, kept=str(kept))
    return torn


def _last_of(path: Path) -> Link:
    """Return where the chain stands at the end of the closed files.

    Whoever renamed them, the last is the one that begins with the highest number.
    """
    best, newest = 0, None
    for each in family(path):
        link = link_of(next(_lines(each), b""))
        if link and link.seq > best:
            best, newest = link.seq, each
    last = Link()
    for line in _lines(newest) if newest else ():
        last = link_of(line) or last
    return last


def _lines(path: Path) -> Iterator[bytes]:
    """Yield what can be read of a file; what is broken in it is for ``verify`` to tell."""
    with suppress(OSError, *BROKEN), opened(path) as lines:
        yield from lines


def _first_line(descriptor: int) -> bytes:
    text = os.pread(descriptor, LONGEST_LINE, 0)
    return text[: text.find(b"\n") + 1]


def _time_of(line: bytes) -> float:
    try:
        return datetime.fromisoformat(json.loads(line)["time"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return 0


def _keep(path: Path, source: int, start: int, end: int) -> str:
    """Add a part of a file to another one; return its digest."""
    found = hashlib.sha256()
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(path, flags, 0o600), "wb") as kept:  # noqa: PTH123  a descriptor
        for at in range(start, end, _CHUNK):
            part = os.pread(source, min(_CHUNK, end - at), at)
            found.update(part)
            kept.write(part)
        kept.write(b"\n")
        kept.flush()
        os.fsync(kept.fileno())
    return found.hexdigest()
