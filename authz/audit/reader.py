"""Reads audit files back, also closed and compressed ones, and says where a line is no record.

It trusts nothing about the files: whoever reads an audit wants to know what is
wrong with it, not to be stopped by it. It holds one line at a time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from authz.audit.chain import Kind
from authz.audit.rotation import BROKEN, Stream, family, first_of, opened
from authz.errors import ConfigurationError

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes of a line that is read; a longer one is no record."""

_LOOKS = 10

TORN = "is torn: the line has no end"
DAMAGED = "cannot be read: the compressed file is damaged"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a file, counted from 1.

    ``record`` has the members that ``authz.audit.record.as_json`` wrote; it is
    empty where ``problem`` says what is wrong with the line. ``text`` is the
    line itself, with its line feed.
    """

    line: int
    record: Mapping[str, Any]
    problem: str = ""
    text: bytes = field(default=b"", compare=False, repr=False)
    path: Path = field(default=Path(), compare=False)

    @property
    def kind(self) -> str:
        """What the line tells; records of before there was a chain are decisions."""
        return str(self.record.get("kind", Kind.DECISION)) if self.record else ""


def read(paths: Path | Iterable[Path]) -> Iterator[Entry]:
    """Yield every line of the files in order. Raises ConfigurationError if one cannot be opened.

    The last one is opened first: it may be written to, and be closed and
    replaced by another one while those before it are read.
    """
    *before, last = [paths] if isinstance(paths, Path) else list(paths) or [Path(os.devnull)]
    with _opened(last) as stream:
        for path in before:
            with _opened(path) as earlier:
                yield from _entries(path, earlier)
        yield from _entries(last, stream)


def whole(paths: Iterable[Path]) -> list[Path]:
    """Return the files with the closed ones that belong to them, in the order of their lines.

    A closed file that is named stands for itself. Raises ConfigurationError.
    """
    wanted = list(paths)
    found: list[Path] = []
    for _ in range(_LOOKS):
        places = [_place(path) for path in wanted]
        found = sorted({each for path in wanted for each in _with_closed(path)}, key=_begin)
        if [_place(path) for path in wanted] == places:
            break  # none was closed while the others were listed
    return found


def _with_closed(path: Path) -> list[Path]:
    if first_of(path) is not None:
        return [path]
    try:
        closed = family(path)
    except OSError as error:
        raise ConfigurationError(f"audit {path}: cannot be read: {error.strerror}") from None
    return [*closed, path] if path.exists() or not closed else closed


def _place(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return status.st_dev, status.st_ino


def _begin(path: Path) -> tuple[int, str]:
    """Return the number of the first line of a file; one that has none comes first.

    A pipe gives its lines only once.
    """
    if path.is_fifo():
        return 0, str(path)
    first = next(read(path), None)
    number = first.record.get("seq") if first else None
    return (number if isinstance(number, int) else 0), str(path)


@contextmanager
def _opened(path: Path) -> Iterator[Stream]:
    """Open a file, and tell in our words what is wrong with it."""
    try:
        with opened(path) as stream:
            yield stream
    except OSError as error:
        problem = error.strerror or "is not a whole compressed file"
        raise ConfigurationError(f"audit {path}: cannot be read: {problem}") from None


def _entries(path: Path, stream: Stream) -> Iterator[Entry]:
    number = 0
    try:
        while text := stream.readline(LONGEST_LINE + 1):
            number += 1
            if len(text) > LONGEST_LINE:
                _skip(stream)
                yield Entry(number, {}, f"is longer than {LONGEST_LINE} bytes", path=path)
            else:
                yield _entry(path, number, text)
    except BROKEN:
        yield Entry(number + 1, {}, DAMAGED, path=path)


def _skip(stream: Stream) -> None:
    """Read to the end of a line that is too long."""
    while (text := stream.readline(LONGEST_LINE)) and not text.endswith(b"\n"):
        pass


def _entry(path: Path, number: int, text: bytes) -> Entry:
    if not text.endswith(b"\n"):
        return Entry(number, {}, TORN, text, path)
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return Entry(number, {}, "is not JSON", text, path)
    if not isinstance(record, dict) or not isinstance(record.get("kind", record.get("id")), str):
        return Entry(number, {}, "is JSON but no record", text, path)
    return Entry(number, record, "", text, path)
