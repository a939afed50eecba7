"""A registry with one image, whose layer never comes to its end.

Knows as much of the registry's protocol as a pull by tag needs; it lives in a daemon's network.
"""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

SIZE = 50_000_000
"""Bytes that the layer claims to have; a tenth of them comes."""

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = json.dumps(
    {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}}
).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


_LAYER = _digest(b"nothing that will ever be seen")
_IMAGE = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(_CONFIG),
            "digest": _digest(_CONFIG),
        },
        "layers": [
            {
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": SIZE,
                "digest": _LAYER,
            }
        ],
    }
).encode()


@contextmanager
def stalling(sock: socket.socket) -> Iterator[str]:
    """Serve on a listening socket, and give the name of the image."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer as a registry does."""
            if self.path.endswith(_LAYER):
                self._say(b"x" * (SIZE // 10), "application/octet-stream", SIZE)
                over.wait()
            elif "/blobs/" in self.path:
                self._say(_CONFIG, "application/octet-stream")
            elif "/manifests/" in self.path:
                self._say(_IMAGE, _MANIFEST)
            else:
                self._say(b"{}", "application/json")

        do_HEAD = do_GET  # noqa: N815  the library says so

        def log_message(self, *words: object) -> None:
            """Say nothing."""

        def _say(self, body: bytes, media: str, length: int | None = None) -> None:
            self.send_response(200)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(length or len(body)))
            self.send_header("Docker-Content-Digest", _digest(body))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    server = _Server(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = sock
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    try:
        yield f"127.0.0.1:{sock.getsockname()[1]}/stalling:latest"
    finally:
        over.set()
        server.shutdown()
        serving.join()
        server.server_close()


_HELLO = b"\x16"
"""The first byte of TLS."""


class _Server(HTTPServer):
    def process_request(self, request: Any, client_address: object) -> None:
        """Serve each connection in a thread of its own, which nobody waits for."""
        threading.Thread(target=self._serve, args=(request, client_address), daemon=True).start()

    def _serve(self, request: socket.socket, client_address: object) -> None:
        try:
            if request.recv(1, socket.MSG_PEEK) == _HELLO:  # engines from 29 on try that first
                request.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            else:
                self.finish_request(request, client_address)
        except OSError:
            pass  # the daemon was killed, or spoke TLS
        finally:
            self.shutdown_request(request)
