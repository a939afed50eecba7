"""A stand-in for the daemon: judges what a client sends, and plays along.

The Docker CLI goes on after an answer only when the answer looks like the
daemon's, so allowed requests get the shortest plausible one. Nothing is kept
but the containers that were "created", and nothing reaches a daemon.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from email import errors as email_errors
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self

from authz.errors import RefusedError
from authz.gate import Verdict
from authz.wire.raw import Door, RawRequest

API_VERSION = "1.47"
MAX_BODY = 16 * 1024 * 1024
"""Bytes of a request body that are kept; build contexts are cut here."""
PIECE = 64 * 1024
"""Bytes of a body that are read at once."""
MAX_LINE = 8 * 1024
"""Bytes of a line within a chunked body."""

POLL_INTERVAL = 0.02
"""Seconds until the server notices that it should end; nobody waits for the usual half second."""

Judge = Callable[[RawRequest], tuple[Verdict, str]]
"""Judges a request; returns the verdict and the name of the operation (or nothing)."""

OBJECT_ID = secrets.token_hex(32)

STATE = {"Status": "running", "Running": True, "ExitCode": 0, "Pid": 1}
"""What one can attach to; whoever waits for it is told that it has ended."""
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
    "Swarm": {"LocalNodeState": "active", "NodeID": "scratch", "ControlAvailable": True},
}
"""A stock daemon."""

STORED: dict[str, Any] = {"ID": OBJECT_ID, "Version": {"Index": 1}}
"""An object of a swarm."""
SERVICE: dict[str, Any] = {
    "Name": "scratch",
    "TaskTemplate": {"ContainerSpec": {"Image": "scratch"}},
    "Mode": {"Replicated": {"Replicas": 0}},
    "UpdateConfig": {"Monitor": 1},
}
"""One without tasks, which has nothing to wait for."""
NODE: dict[str, Any] = {"Role": "worker", "Availability": "active"}

LISTS = (
    *("ContainerList", "ContainerChanges", "ImageList", "ImageDelete", "ImageHistory"),
    *("ImageSearch", "NetworkList", "ServiceList", "TaskList", "NodeList", "SecretList"),
    *("ConfigList", "PluginList", "GetPluginPrivileges"),
)
"""What is answered by a list."""

ANSWERS: dict[str, tuple[int, Any]] = {
    **dict.fromkeys(LISTS, (200, [])),
    "SystemVersion": (200, {"Version": "27.0.0", "ApiVersion": API_VERSION, "Os": "linux"}),
    "SystemInfo": (200, INFO),
    "ContainerCreate": (201, {"Id": OBJECT_ID, "Warnings": []}),
    "ContainerInspect": (200, CONTAINER),
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
    "ImageInspect": (200, {"Id": f"sha256:{OBJECT_ID}", "Config": {}}),
    "VolumeList": (200, {"Volumes": [], "Warnings": None}),
    "VolumeCreate": (201, {"Name": "scratch", "Driver": "local"}),
    "VolumeDelete": (204, None),
    "NetworkCreate": (201, {"Id": OBJECT_ID}),
    "NetworkDelete": (204, None),
    "SwarmInit": (200, "scratch"),
    "ServiceCreate": (201, {"ID": OBJECT_ID}),
    "ServiceInspect": (200, {**STORED, "Spec": SERVICE}),
    "NodeInspect": (200, {**STORED, "Spec": NODE}),
    "SecretCreate": (201, {"ID": OBJECT_ID}),
    "ConfigCreate": (201, {"ID": OBJECT_ID}),
}
"""What the daemon would say, as briefly as clients accept; anything else is ``{}``."""

MISSING = frozenset({"VolumeInspect", "NetworkInspect"})
"""Questions that an empty daemon answers with 404, so that clients create what they need."""

STAT = "X-Docker-Container-Path-Stat"
FOLDER = base64.b64encode(b'{"name":"/","mode":2147484141,"mtime":"2026-01-01T00:00:00Z"}').decode()
"""A folder in a container, as clients want it before they copy into one (drwxr-xr-x)."""

TOLD = {"PluginPull": ("Docker-Plugin-Name", "scratch")}
"""What clients read of an answer beside its document."""

RAW_STREAMS = frozenset({"ContainerAttach", "ExecStart"})

_LENGTH = re.compile("[0-9]{1,15}")
_NAME = re.compile("[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CHUNK = re.compile(b"[0-9A-Fa-f]{1,12}")
_BAD_HEADERS = (
    email_errors.FirstHeaderLineIsContinuationDefect,
    email_errors.InvalidHeaderDefect,
    email_errors.MissingHeaderBodySeparatorDefect,
)
"""What the parser of headers noticed; its other complaints are about e-mail."""


class _BrokenRequestError(Exception):
    """Nobody can say where this request ends, so that nothing behind it can be read."""


class ScratchDaemon:
    """A unix socket that behaves like an empty daemon behind the gate."""

    def __init__(self, path: Path, judge: Judge) -> None:
        self._server = _Server(str(path), _Conversation)
        self._server.judge = judge
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_INTERVAL,), daemon=True
        )

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

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Let a client go that hung up; anything else is a defect, and shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Serve every method alike; the table of operations knows which exist."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it
        """Stay silent: the decisions are the output."""

    def _serve(self) -> None:
        try:
            body = self._body()
        except _BrokenRequestError as error:
            self.close_connection = True
            self._answer(400, {"message": f"dockgate: {error}"})
            return
        # As it was sent: ``path`` is what the base class makes of it.
        target = self.requestline.split()[1]
        raw = RawRequest(self.command, target, tuple(self.headers.items()), body, door=Door.CLI)
        try:
            verdict, operation = self.server.judge(raw)
        except RefusedError as error:
            self._answer(403, {"message": f"dockgate: refused: {error.detail}"})
            return
        if not verdict.lets_through:
            self._answer(403, {"message": verdict.message})
        elif operation in RAW_STREAMS and "Upgrade" in self.headers:
            self._hijack()
        elif operation in MISSING:
            self._answer(404, {"message": "no such object in the scratch daemon"})
        elif operation == "ContainerArchiveInfo" and target.endswith(("/", "%2F")):
            self._answer(200, {}, (STAT, FOLDER))
        else:
            more = [TOLD[operation]] if operation in TOLD else []
            self._answer(*ANSWERS.get(operation, (200, {})), *more)

    def _body(self) -> bytes:
        overlooked = any(isinstance(defect, _BAD_HEADERS) for defect in self.headers.defects)
        if overlooked or not all(_NAME.fullmatch(name) for name in self.headers):
            raise _BrokenRequestError("a header cannot be read")
        codings = self.headers.get_all("Transfer-Encoding", [])
        if codings:
            if [coding.lower() for coding in codings] != ["chunked"]:
                raise _BrokenRequestError(f"transfer coding is {codings!r}; expected chunked")
            return self._chunks()
        lengths = set(self.headers.get_all("Content-Length", ["0"]))
        written = lengths.pop()
        if lengths or not _LENGTH.fullmatch(written):
            raise _BrokenRequestError(f"content length is {written!r}; expected one number")
        body = bytearray()
        self._read(int(written), body)
        return bytes(body)

    def _chunks(self) -> bytes:
        body = bytearray()
        while size := self._chunk_size():
            self._read(size, body)
            if self._line():
                raise _BrokenRequestError("a chunk is longer than it says")
        while self._line():
            pass  # trailers say nothing that is judged
        return bytes(body)

    def _chunk_size(self) -> int:
        written = self._line().partition(b";")[0].rstrip()
        if not _CHUNK.fullmatch(written):
            raise _BrokenRequestError(f"chunk size is {written[:20]!r}; expected a number")
        return int(written, 16)

    def _line(self) -> bytes:
        line = self.rfile.readline(MAX_LINE)
        if not line.endswith(b"\n"):
            raise _BrokenRequestError("the body ends within a line")
        return line.rstrip(b"\r\n")

    def _read(self, size: int, body: bytearray) -> None:
        """Read so many bytes of the body; keep what there is room for."""
        while size:
            piece = self.rfile.read(min(size, PIECE))
            if not piece:
                raise _BrokenRequestError("the body ends early")
            size -= len(piece)
            body += piece[: MAX_BODY - len(body)]

    def _answer(self, status: int, document: object, *headers: tuple[str, str]) -> None:
        payload = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Api-Version", API_VERSION)
        self.send_header("Ostype", "linux")
        self.send_header("Content-Type", "application/json")
        for header in headers:
            self.send_header(*header)
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
