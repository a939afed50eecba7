"""The lines of an audit from some number on, as they are written: for whoever passes them on.

A trail goes on over files that are closed, compressed or renamed under it. It
never waits; who follows asks again.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authz.audit.reader import LONGEST_LINE
from authz.audit.rotation import BROKEN, Stream, family, opened

_SEQ = re.compile(rb'\{"seq":([0-9]{1,18}),')

PATIENCE = 5
"""Times that a file which should come next is looked for before its lines are given up."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chain and its number."""

    seq: int
    text: bytes

    def record(self) -> Mapping[str, Any]:
        """Return its members; none where somebody else wrote what only looks like a line."""
        try:
            found = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class Trail:
    """Reads what comes behind line ``seq`` of an audit."""

    def __init__(self, path: Path, seq: int) -> None:
        self._path = path
        self.seq = seq
        self._stream: Stream | None = None
        self._first = 0
        self._left = False
        self._gaps = 0

    def take(self, most: int = 100) -> list[Line]:
        """Return the next lines, at most so many; none where nothing was written.

        What cannot be read now is read when it can be: nothing is left out.
        """
        found: list[Line] = []
        while len(found) < most:
            line = self._line()
            if line is None:
                if not self._further():
                    break
            elif line.seq > self.seq:
                self.seq = line.seq
                found.append(line)
        return found

    def rewind(self, seq: int) -> None:
        """Go on behind another line."""
        self.close()
        self.seq = seq

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()
        self._stream = None
        self._first = 0
        self._left = False

    def _line(self) -> Line | None:
        """Return the next whole line that is a link; None at the end of the file."""
        if self._stream is None:
            return None
        with suppress(OSError, *BROKEN):
            while text := self._stream.readline(LONGEST_LINE):
                if not text.endswith(b"\n") and len(text) < LONGEST_LINE:
                    self._stream.seek(-len(text), os.SEEK_CUR)  # it is being written
                    return None
                match = _SEQ.match(text)
                if match and text.endswith(b"\n"):
                    return Line(int(match[1]), text)
        return None

    def _further(self) -> bool:
        """Go to the file in which the next line is, if it is another one."""
        if self._stream is not None:
            if self._is_written_to(self._stream):
                return False
            if not self._left:
                self._left = True  # what was written before it was closed is read first
                return True
        later = [each for each in self._files() if each[0] > self._first]
        if not later:
            return False
        if self._first:
            first, path = min(later)
        else:  # the last that begins before what is looked for
            begun = [each for each in later if each[0] <= self.seq + 1]
            first, path = max(begun) if begun else min(later)
        self._gaps = self._gaps + 1 if first > self.seq + 1 else 0
        if 0 < self._gaps < PATIENCE:
            return False  # the file between may just be getting another name
        try:
            stream = opened(path)
        except OSError:
            return False
        self.close()
        self._stream, self._first = stream, first
        return True

    def _is_written_to(self, stream: Stream) -> bool:
        """Say whether a file that was read to its end may still grow."""
        try:
            here, there = os.fstat(stream.fileno()), self._path.stat()
        except OSError:
            return False
        if (here.st_ino, here.st_dev) != (there.st_ino, there.st_dev):
            return False
        if there.st_size < stream.tell():  # somebody cut it: read it again
            stream.seek(0)
        return True

    def _files(self) -> Iterator[tuple[int, Path]]:
        """Yield the files of the audit with the number of their first line."""
        with suppress(OSError):
            for path in (*family(self._path), self._path):
                first = _first(path)
                if first:
                    yield first, path


def _first(path: Path) -> int:
    with suppress(OSError, *BROKEN), opened(path) as stream:
        match = _SEQ.match(stream.readline(LONGEST_LINE))
        return int(match[1]) if match else 0
    return 0
