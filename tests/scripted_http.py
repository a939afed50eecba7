"""A server that says what it was told to, on a unix socket or TLS, for clients that block."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

Script = Mapping[str, tuple[int, bytes]]
"""What is answered, by ``METHOD /target``; anything else is 404."""


class Server(socketserver.ThreadingUnixStreamServer):
    """Answers by its script, and keeps what it was asked, with the headers."""

    daemon_threads = True

    def __init__(self, path: Path, script: Script) -> None:
        self.script = dict(script)
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(str(path), _Answer)


class _Answer(BaseHTTPRequestHandler):
    server: Server

    def _say(self) -> None:
        line = f"{self.command} {self.path}"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((line, dict(self.headers), body))
        status, text = self.server.script.get(line, (404, b'{"message":"page not found"}'))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def handle(self) -> None:
        """Answer; who has gone meanwhile is not answered."""
        with suppress(ConnectionError):
            super().handle()

    do_GET = do_POST = do_DELETE = _say  # noqa: N815  the library's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        """Return nothing: a unix socket has no address."""
        return ""


@contextmanager
def scripted(path: Path, script: Script) -> Iterator[Server]:
    """Serve on a path until the end of the block."""
    with Server(path, script) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class TlsServer(socketserver.ThreadingTCPServer):
    """Answers by its script on TCP, to clients with a certificate."""

    daemon_threads = True

    def __init__(self, script: Script, context: ssl.SSLContext) -> None:
        self.script = dict(script)
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Answer)
        self.socket = context.wrap_socket(self.socket, server_side=True)


@contextmanager
def answering(script: Script, context: ssl.SSLContext) -> Iterator[int]:
    """Serve on a port until the end of the block."""
    with TlsServer(script, context) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
