"""One HTTP POST after another over a connection that is kept: what a follower asks a collector.

It trusts the other side with nothing: an answer has a longest length and a time
within which it is whole, redirects are answers like others, and the environment
names no proxy. It knows nothing of lines.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from authz.sinks.streams import SENDING, connected

LONGEST_ANSWER = 64 * 1024
"""Bytes of an answer, its head included."""

_FINAL = 200
_REDIRECTION = 300


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests go to."""

    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: whole where it says that all went well, else as far as it came."""

    status: int
    retry_after: str
    body: bytes

    @property
    def taken(self) -> bool:
        """Whether it says that all went well."""
        return _FINAL <= self.status < _REDIRECTION


class Endpoint:
    """Takes one request at a time. The connection is made when it is needed."""

    def __init__(
        self, place: Place, tls: ssl.SSLContext | None = None, within: float = SENDING
    ) -> None:
        """Take note of the place; ``within`` so many seconds an answer is whole, or given up."""
        self._place, self._tls, self._within = place, tls, within
        self._sock: socket.socket | None = None

    def post(self, content: bytes, kind: str) -> Answer:
        """Send content of a media type, and return the answer. Raises OSError.

        Where it raises, the other side may have taken the content all the same.
        """
        sock, self._sock = self._open(), None
        reading = _Reading()
        try:
            ended = time.monotonic() + self._within
            broken = _write(sock, self._head(len(content), kind) + content, ended)
            answer = _read(sock, reading, ended)
            if broken and answer.taken:
                raise broken
            if reading.lasts and not broken:
                self._sock = sock
        finally:
            if self._sock is None:
                _hang_up(sock)
        return answer

    def close(self) -> None:
        """Hang up."""
        if self._sock is not None:
            _hang_up(self._sock)
        self._sock = None

    def _open(self) -> socket.socket:
        """Return a connection on which nothing is to be read: the one that was kept, or another."""
        if self._sock is not None:
            if _is_quiet(self._sock):
                return self._sock
            self.close()
        return connected((self._place.host, self._place.port), self._tls)

    def _head(self, length: int, kind: str) -> bytes:
        host = f"[{self._place.host}]" if ":" in self._place.host else self._place.host
        return (
            f"POST {self._place.path} HTTP/1.1\r\nHost: {host}:{self._place.port}\r\n"
            f"User-Agent: dockgate\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        ).encode("ascii")


class _Reading:
    """An answer as it comes, by llhttp."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._retry_after = ""
        self._length = 0
        self._status = 0
        self.whole = self.lasts = False

    def feed(self, data: bytes) -> None:
        """Read a piece. Raises OSError."""
        self._length += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.lasts = False
            if not self.whole:
                problem = f"the answer is no HTTP ({type(error).__name__})"
                raise ConnectionError(problem) from None
        if self._length > LONGEST_ANSWER and not self.refused:
            raise ConnectionError(f"the answer is longer than {LONGEST_ANSWER} bytes")

    @property
    def refused(self) -> Answer | None:
        """The answer, where it has a head and that says no: its body can be left."""
        answer = self.answer() if self._status else None
        return answer if answer and not answer.taken else None

    @property
    def enough(self) -> bool:
        """Whether nothing further is wanted."""
        return self.whole or self._length > LONGEST_ANSWER

    def answer(self) -> Answer:
        """Return what came."""
        return Answer(self._status, self._retry_after, b"".join(self._pieces))

    # --- the parser ---------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Notice what nobody asked for."""
        self.lasts = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the one that matters, of the answer that was asked for."""
        if not self.whole and name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Take note of the status; ``100 Continue`` and its like are none."""
        status = self._parser.get_status_code()
        if not self.whole and status >= _FINAL:
            self._status = status

    def on_body(self, body: bytes) -> None:
        """Keep a piece."""
        if not self.whole:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        """Take note of the end."""
        if self._status and not self.whole:
            self.whole, self.lasts = True, self._parser.should_keep_alive()


def _write(sock: socket.socket, data: bytes, ended: float) -> ConnectionError | None:
    """Send data; return why not all went: who refuses may do so, and hang up, before the end."""
    left = memoryview(data)
    try:
        while left:
            sock.settimeout(_until(ended))
            left = left[sock.send(left[:65536]) :]
    except ConnectionError as error:
        return error
    return None


def _read(sock: socket.socket, reading: _Reading, ended: float) -> Answer:
    while not reading.enough:
        sock.settimeout(_until(ended))
        data = sock.recv(16384)
        if not data:
            if answer := reading.refused:
                return answer
            raise ConnectionResetError("the connection ended before an answer was whole")
        reading.feed(data)
    return reading.answer()


def _until(ended: float) -> float:
    """Return the seconds until then. Raises TimeoutError when it is past."""
    left = ended - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left


def _is_quiet(sock: socket.socket) -> bool:
    """Say whether a connection is open and nothing came that nobody asked for."""
    sock.settimeout(0)
    try:
        sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False


def _hang_up(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.close()
