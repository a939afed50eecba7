"""Where a body ends: by its length, by its chunks, or with the connection.

Each reader is fed what arrives and returns the body's bytes, and keeps what
stands behind the body. It knows no heads and does no I/O.

Source: RFC 9112, sections 6 and 7.
"""

import re
from collections.abc import Sequence
from typing import Protocol, TypeAlias

from authz.proxy.head import FramingError

Piece: TypeAlias = bytes | memoryview
"""A part of a body. A view keeps what it is part of; pieces are sent or joined at once."""

LAST_CHUNK = b"0\r\n\r\n"

_MOST_LINE = 64
"""Bytes of the line of a chunk's size. Extensions are not taken, so it is short."""

_MOST_TRAILERS = 16 * 1024
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_OPENING = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_OWN = re.compile(rb"([1-9a-f][0-9a-f]{0,14})\r\n")
_OWN_END = b"\r\n" + LAST_CHUNK


class Body(Protocol):
    """A body that arrives. ``done`` once its end was seen."""

    done: bool

    def feed(self, data: bytes) -> tuple[list[Piece], bytes]:
        """Return the pieces of the body in ``data``, and what is behind the body's end.

        Raises FramingError where the framing is broken.
        """


class Measured:
    """A body whose length is known."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0

    def feed(self, data: bytes) -> tuple[list[Piece], bytes]:
        """Return as much as belongs to the body, and the rest."""
        if len(data) <= self._left:
            self._left -= len(data)
            self.done = self._left == 0
            return ([data] if data else []), b""
        piece, rest = data[: self._left], data[self._left :]
        self._left = 0
        self.done = True
        return ([piece] if piece else []), rest


class Unbounded:
    """A body that ends with the connection; whoever sees the end says so."""

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes) -> tuple[list[Piece], bytes]:
        """Everything is body."""
        return [data], b""


class Chunked:
    """A body in chunks, in the strict form: no extensions, CRLF alone.

    Trailers are refused unless ``trailers`` is set, and thrown away then.
    """

    def __init__(self, *, trailers: bool = False) -> None:
        self._trailers = trailers
        self._line = bytearray()
        self._left = 0
        self._ends_chunk = False
        self._in_trailers = False
        self._trailing = 0
        self.done = False

    def feed(self, data: bytes) -> tuple[list[Piece], bytes]:
        """Return the contents of the chunks."""
        pieces: list[Piece] = []
        view = memoryview(data)  # a gigabyte of chunks is not copied twice
        at = 0
        while at < len(data) and not self.done:
            if self._left:
                piece = view[at : at + self._left]
                pieces.append(piece)
                self._left -= len(piece)
                self._ends_chunk = self._left == 0
                at += len(piece)
                continue
            after = self._take_whole(data, at, view, pieces)
            at = self._take_line(data, at) if after == at else after
        return pieces, data[at:]

    def alone(self, data: bytes) -> int:
        """Take a whole body that is written as :func:`chunk` does it; return its size.

        It can go on as it is. A quick way: 0 says that nothing was taken, for :meth:`feed`.
        """
        found = _OWN.match(data)
        if found is None or self._left or self._line or self._ends_chunk or self._in_trailers:
            return 0
        size = int(found[1], 16)
        if len(data) != found.end() + size + len(_OWN_END) or not data.endswith(_OWN_END):
            return 0
        self.done = True
        return size

    def _take_whole(self, data: bytes, at: int, view: memoryview, pieces: list[Piece]) -> int:
        """Take a chunk that is there from its size to its end; return where to go on.

        A quick way, which refuses nothing: all else is read line by line.
        """
        if self._line or self._ends_chunk or self._in_trailers:
            return at
        found = _OPENING.match(data, at)
        if found is None:
            return at
        start = found.end()
        end = start + int(found[1], 16)
        if not data.startswith(b"\r\n", end):
            return at
        if end > start:
            pieces.append(view[start:end])
        else:
            self._in_trailers = self.done = True
        return end + 2

    def _take_line(self, data: bytes, at: int) -> int:
        """Read up to the end of a line; return where to go on."""
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        line = data[at:stop]
        if self._line or end < 0:
            self._line += line
            line = bytes(self._line)
        if len(line) > (_MOST_TRAILERS if self._in_trailers else _MOST_LINE):
            raise FramingError("line of a chunk's size is too long")
        if end >= 0:
            self._line.clear()
            if not line.endswith(b"\r\n"):
                raise FramingError("line of a chunk does not end in CRLF")
            self._end_line(line[:-2])
        return stop

    def _end_line(self, line: bytes) -> None:
        if self._ends_chunk:
            if line:
                raise FramingError("chunk is longer than it says")
            self._ends_chunk = False
        elif self._in_trailers:
            self._end_trailer(line)
        else:
            if not _SIZE.fullmatch(line):
                raise FramingError("size of a chunk is not a hexadecimal number")
            self._left = int(line, 16)
            self._in_trailers = self._left == 0

    def _end_trailer(self, line: bytes) -> None:
        if not line:
            self.done = True
            return
        self._trailing += len(line)
        if not self._trailers or self._trailing > _MOST_TRAILERS:
            raise FramingError("trailers follow the last chunk")


def framed(pieces: Sequence[Piece], size: int) -> tuple[Piece, ...]:
    """Return the parts of one chunk of these pieces, ``size`` bytes in all; none for no bytes."""
    return (b"%x\r\n" % size, *pieces, b"\r\n") if size else ()


def chunk(pieces: Sequence[Piece]) -> bytes:
    """Return one chunk of these pieces; nothing where they are empty."""
    return b"".join(framed(pieces, sum(map(len, pieces))))
