"""A collector that does what a test says: HTTP over real sockets, and one request after another."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

TAKEN = b'{"partialSuccess":{}}'


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    """Return an answer whose length is known."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class BrokenOff(bytes):
    """What is sent before somebody hangs up."""


class Collector:
    """Answers by a script: bytes are sent as they are; behind its end, all is taken."""

    def __init__(self, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.script: list[bytes] = []
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections: list[socket.socket] = []
        self.taken: list[int] = []
        self._tls = tls
        self._sock = socket.create_server(("127.0.0.1", port))
        self.port: int = self._sock.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        """Go away."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Close what is open, and stay."""
        for each in self.connections:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self._sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError), sock:
            sock = self._tls.wrap_socket(sock, server_side=True) if self._tls else sock
            self.connections.append(sock)
            with sock, sock.makefile("rb") as file:
                while self._request(sock, file):
                    pass

    def _request(self, sock: socket.socket, file: Any) -> bool:
        head = "".join(iter(lambda: file.readline().decode(), "\r\n")) if file.peek(1) else ""
        if not head:
            return False
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        body = file.read(length)
        self.heads.append(head)
        self.bodies.append(body)
        reply = self.script.pop(0) if self.script else answer("200 OK", TAKEN)
        if reply.endswith(TAKEN) and body.startswith(b'{"resourceLogs"'):
            self.taken += numbers(body)
        sock.sendall(reply)
        return not isinstance(reply, BrokenOff)


def log_records(body: bytes) -> list[dict[str, Any]]:
    """Return the records of a request."""
    (resource,) = json.loads(body)["resourceLogs"]
    (scope,) = resource["scopeLogs"]
    return list(scope["logRecords"])


def numbers(body: bytes) -> list[int]:
    """Return the numbers of the lines of a request."""
    return [json.loads(each["body"]["stringValue"])["seq"] for each in log_records(body)]


@contextmanager
def collecting(tls: ssl.SSLContext | None = None) -> Iterator[Collector]:
    """Collect for a while."""
    found = Collector(tls)
    try:
        yield found
    finally:
        found.close()
