"""Health, metrics and reload, on a socket of its own.

It knows HTTP and nothing of requests to the daemon: what it tells is asked of
the functions that it is given. Whoever may connect is root, by the socket's
mode; to change something the peer must be root as well.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from authz.errors import AuditUnavailableError
from authz.lazy import later

if TYPE_CHECKING:
    from aiohttp import web
else:
    web = later("aiohttp.web")

_PEER = struct.Struct("iII")
"""``struct ucred`` of <sys/socket.h>: the ids are unsigned."""
ROOT = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end, as the kernel knows it."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to an operator: a status and a document."""

    status: int
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Duties:
    """What the socket can be asked for.

    ``ready`` says whether requests can be judged, and how. ``metrics`` returns
    the text format of Prometheus. ``reload`` reads the policy again;
    ``note`` writes an attempt to change something into the audit file and
    raises AuditUnavailableError where that is not possible.
    """

    ready: Callable[[], Awaitable[Answer]]
    metrics: Callable[[], bytes]
    reload: Callable[[], Awaitable[Answer]]
    note: Callable[[str, Peer, bool], Awaitable[None]]


class AdminServer:
    """Serves ``/healthz``, ``/readyz``, ``/metrics`` and ``POST /reload``."""

    def __init__(self, sock: socket.socket, duties: Duties) -> None:
        """Take a listening unix socket; :meth:`start` begins to answer."""
        self._sock = sock
        self._duties = duties
        app = web.Application(client_max_size=1024)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/reload", self._reload)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)

    async def start(self) -> None:
        """Begin to answer."""
        await self._runner.setup()
        await web.SockSite(self._runner, self._sock).start()

    async def close(self) -> None:
        """Finish what is being answered, for a second at most, and close."""
        await self._runner.cleanup()

    async def _health(self, _request: web.Request) -> web.Response:
        return _json(Answer(200, {"status": "alive"}))

    async def _ready(self, _request: web.Request) -> web.Response:
        return _json(await self._duties.ready())

    async def _metrics(self, _request: web.Request) -> web.Response:
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=self._duties.metrics(), headers=headers)

    async def _reload(self, request: web.Request) -> web.Response:
        peer = _peer(request)
        allowed = peer.uid == ROOT
        try:
            await self._duties.note(f"{request.method} {request.path}", peer, allowed)
        except AuditUnavailableError as error:
            return _json(Answer(503, {"message": f"not done, as it cannot be recorded: {error}"}))
        if not allowed:
            return _json(Answer(403, {"message": f"uid {peer.uid} may not; expected uid {ROOT}"}))
        return _json(await self._duties.reload())


def _json(answer: Answer) -> web.Response:
    text = json.dumps(dict(answer.document), indent=2) + "\n"
    return web.Response(text=text, status=answer.status, content_type="application/json")


def _peer(request: web.Request) -> Peer:
    """Ask the kernel who connected (unix(7), SO_PEERCRED)."""
    transport = request.transport
    sock = transport.get_extra_info("socket") if transport else None
    if sock is None:  # the peer has gone
        raise web.HTTPBadRequest(text="no peer")
    return Peer(*_PEER.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)))
