"""A stand-in for the daemon: judges what a client sends, and plays along.

The Docker CLI goes on after an answer only when the answer looks like the
daemon's, so allowed requests get the shortest plausible one. Nothing is kept
but the containers that were "created", and nothing reaches a daemon.
"""

from __future__ import annotations

import json
import secrets
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self

from authz.errors import RefusedError
from authz.gate import Verdict
from authz.wire.raw import Door, RawRequest

API_VERSION = "1.47"
MAX_BODY = 16 * 1024 * 1024
"""Bytes of a request body that are read; build contexts are cut here."""

Judge = Callable[[RawRequest], tuple[Verdict, str]]
"""Judges a request; returns the verdict and the name of the operation (or nothing)."""

OBJECT_ID = secrets.token_hex(32)

STATE = {"Status": "exited", "Running": False, "ExitCode": 0, "Pid": 0}
CONTAINER: dict[str, Any] = {
    "Id": OBJECT_ID,
    "Name": "/scratch",
    "State": STATE,
    "Config": {"Tty": False, "Image": "scratch", "Labels": {}},
    "HostConfig": {"NetworkMode": "default", "AutoRemove": False},
    "NetworkSettings": {"Networks": {}},
    "Mounts": [],
}
INFO: dict[str, Any] = {
    "ID": "scratch",
    "OSType": "linux",
    "Architecture": "x86_64",
    "DefaultRuntime": "runc",
    "LoggingDriver": "json-file",
    "SecurityOptions": ["name=seccomp,profile=builtin"],
    "ServerVersion": "27.0.0",
    "Swarm": {"LocalNodeState": "inactive"},
}
"""A stock daemon."""

ANSWERS: dict[str, tuple[int, Any]] = {
    "SystemVersion": (200, {"Version": "27.0.0", "ApiVersion": API_VERSION, "Os": "linux"}),
    "SystemInfo": (200, INFO),
    "ContainerCreate": (201, {"Id": OBJECT_ID, "Warnings": []}),
    "ContainerInspect": (200, CONTAINER),
    "ContainerList": (200, []),
    "ContainerStart": (204, None),
    "ContainerStop": (204, None),
    "ContainerKill": (204, None),
    "ContainerRestart": (204, None),
    "ContainerPause": (204, None),
    "ContainerUnpause": (204, None),
    "ContainerRename": (204, None),
    "ContainerDelete": (204, None),
    "ContainerWait": (200, {"StatusCode": 0}),
    "ContainerUpdate": (200, {"Warnings": []}),
    "ContainerExec": (201, {"Id": OBJECT_ID}),
    "ExecInspect": (200, {"ID": OBJECT_ID, "Running": False, "ExitCode": 0}),
    "ImageList": (200, []),
    "ImageInspect": (200, {"Id": f"sha256:{OBJECT_ID}", "Config": {}}),
    "ImageDelete": (200, []),
    "VolumeList": (200, {"Volumes": [], "Warnings": None}),
    "VolumeCreate": (201, {"Name": "scratch", "Driver": "local"}),
    "VolumeDelete": (204, None),
    "NetworkList": (200, []),
    "NetworkCreate": (201, {"Id": OBJECT_ID}),
    "NetworkDelete": (204, None),
}
"""What the daemon would say, as briefly as clients accept; anything else is ``{}``."""

MISSING = frozenset({"VolumeInspect", "NetworkInspect"})
"""Questions that an empty daemon answers with 404, so that clients create what they need."""

RAW_STREAMS = frozenset({"ContainerAttach", "ExecStart"})


class ScratchDaemon:
    """A unix socket that behaves like an empty daemon behind the gate."""

    def __init__(self, path: Path, judge: Judge) -> None:
        self._server = _Server(str(path), _Conversation)
        self._server.judge = judge
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        """Start answering."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    judge: Judge


class _Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Serve every method alike; the table of operations knows which exist."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def address_string(self) -> str:
        """Unix sockets have no address."""
        return "scratch"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it
        """Stay silent: the decisions are the output."""

    def _serve(self) -> None:
        raw = RawRequest(
            self.command, self.path, tuple(self.headers.items()), self._body(), door=Door.CLI
        )
        try:
            verdict, operation = self.server.judge(raw)
        except RefusedError as error:
            self._answer(403, {"message": f"dockgate: refused: {error.detail}"})
            return
        if not verdict.lets_through:
            self._answer(403, {"message": verdict.message})
        elif operation in RAW_STREAMS:
            self._hijack()
        elif operation in MISSING:
            self._answer(404, {"message": "no such object in the scratch daemon"})
        else:
            self._answer(*ANSWERS.get(operation, (200, {})))

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        return self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_BODY))

    def _chunks(self) -> bytes:
        body = bytearray()
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
            if len(body) > MAX_BODY:
                self.close_connection = True
                return bytes(body)
        self.rfile.readline()
        return bytes(body)

    def _answer(self, status: int, document: object) -> None:
        payload = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Api-Version", API_VERSION)
        self.send_header("Ostype", "linux")
        self.send_header("Content-Type", "application/json")
        if status != 204:  # noqa: PLR2004  No Content has no length either
            self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    def _hijack(self) -> None:
        """Switch to a raw stream and end it at once: the process printed nothing."""
        self.send_response(101, "UPGRADED")
        self.send_header("Content-Type", "application/vnd.docker.raw-stream")
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "tcp")
        self.end_headers()
        self.close_connection = True
