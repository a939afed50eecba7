"""One connection to a daemon's socket, on which any bytes can be sent.

Knows HTTP as far as an answer is read; checks nothing that it sends.
"""

import contextlib
import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 20
"""Seconds for one answer."""

_GLIMPSE = 0.15
"""Seconds for the body of an answer that has no stated end, such as events."""

_ENOUGH = 65536


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``body`` may be the beginning only, where the answer is a stream."""

    status: int
    kind: str
    body: bytes

    @property
    def message(self) -> str:
        """The daemon's message, where this is an error."""
        document = self.json()
        return str(document.get("message", "")) if isinstance(document, dict) else ""

    def json(self) -> Any:
        """Read the body; None where it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Wire:
    """A connection that is kept open between requests, and opened again when it was lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, request: bytes, method: str = "POST") -> Answer:
        """Send a whole request as it is and read the answer to its end.

        The status is 0 where there is none: a handler that panics says nothing.
        """
        for _ in range(2):  # the daemon closes after requests that it does not read to their end
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._exchange(request, method)
            self.close()
        return Answer(0, "", b"")

    def ask(self, method: str, target: str, body: object = None) -> Answer:
        """Send a request of the ordinary kind."""
        payload = b"" if body is None else json.dumps(body).encode()
        return self.send(written(method, target, payload), method)

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, request: bytes, method: str) -> Answer:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(PATIENCE)
            self._socket.connect(str(self._path))
        self._socket.sendall(request)
        response = http.client.HTTPResponse(self._socket, method=method)
        try:
            response.begin()
            answer = Answer(
                response.status, response.getheader("Content-Type", ""), response.read()
            )
        finally:
            response.close()
        if response.will_close:
            self.close()
        return answer


def glimpse(path: Path, request: bytes, method: str) -> Answer:
    """Send a request on a connection of its own; of a body without a length see the beginning.

    A request that is no HTTP at all to the daemon has the status 0.
    """
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(path))
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(request)
        response = http.client.HTTPResponse(connection, method=method)
        try:
            response.begin()
        except (OSError, http.client.HTTPException):
            return Answer(0, "", b"")
        kind = response.getheader("Content-Type", "")
        if response.length is not None:
            return Answer(response.status, kind, response.read())
        connection.settimeout(_GLIMPSE)
        seen = b""
        with contextlib.suppress(OSError, http.client.HTTPException):
            while len(seen) < _ENOUGH and (part := response.read1(_ENOUGH)):
                seen += part
        response.close()
        return Answer(response.status, kind, seen)


def written(
    method: str, target: str, body: bytes = b"", kind: str | None = "application/json"
) -> bytes:
    """Write a request; no Content-Type where ``kind`` is None or there is no body."""
    head = f"{method} {target} HTTP/1.1\r\nHost: docker\r\n"
    if body or method not in {"GET", "HEAD"}:
        head += f"Content-Length: {len(body)}\r\n"
    if kind is not None and body:
        head += f"Content-Type: {kind}\r\n"
    return head.encode("utf-8", "surrogateescape") + b"\r\n" + body
