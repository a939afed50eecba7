"""Health, metrics, reload and grants, on a socket of its own.

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
from typing import TYPE_CHECKING, Any, Protocol

from authz.errors import AuditUnavailableError
from authz.lazy import later

if TYPE_CHECKING:
    from aiohttp import web
else:
    web = later("aiohttp.web")

_PEER = struct.Struct("iII")
"""``struct ucred`` of <sys/socket.h>: the ids are unsigned."""
ROOT = 0

LARGEST = 16 * 1024
"""Bytes of what is asked for."""


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


class GrantDuties(Protocol):
    """Who gives grants for a while, lists and revokes them."""

    async def give(self, asked: Mapping[str, Any], peer: Peer) -> Answer:
        """Grant what is asked for."""

    async def listed(self) -> Answer:
        """Return the grants in force."""

    async def revoke(self, name: str, peer: Peer) -> Answer:
        """End one now."""


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
    grants: GrantDuties | None = None


class AdminServer:
    """Serves ``/healthz``, ``/readyz``, ``/metrics``, ``POST /reload`` and ``/grants``."""

    def __init__(self, sock: socket.socket, duties: Duties) -> None:
        """Take a listening unix socket; :meth:`start` begins to answer."""
        self._sock = sock
        self._duties = duties
        app = web.Application(client_max_size=LARGEST)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/reload", self._reload)
        if duties.grants is not None:
            pages = _GrantPages(duties.grants, self._admitted)
            app.router.add_get("/grants", pages.listed)
            app.router.add_post("/grants", pages.give)
            app.router.add_delete("/grants/{id}", pages.revoke)
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
        refused, _ = await self._admitted(request)
        return _json(await self._duties.reload()) if refused is None else refused

    async def _admitted(self, request: web.Request) -> tuple[web.Response | None, Peer]:
        """Note that somebody wants to change something; return why he may not."""
        peer = _peer(request)
        allowed = peer.uid == ROOT
        try:
            await self._duties.note(f"{request.method} {request.path}", peer, allowed)
        except AuditUnavailableError as error:
            said = f"not done, as it cannot be recorded: {error}"
            return _json(Answer(503, {"message": said})), peer
        if not allowed:
            said = f"uid {peer.uid} may not; expected uid {ROOT}"
            return _json(Answer(403, {"message": said})), peer
        return None, peer


class _GrantPages:
    """What can be asked about grants, for whom ``admitted`` lets in."""

    def __init__(
        self,
        duties: GrantDuties,
        admitted: Callable[[web.Request], Awaitable[tuple[web.Response | None, Peer]]],
    ) -> None:
        self._duties = duties
        self._admitted = admitted

    async def listed(self, _request: web.Request) -> web.Response:
        return _json(await self._duties.listed())

    async def give(self, request: web.Request) -> web.Response:
        refused, peer = await self._admitted(request)
        if refused is not None:
            return refused
        try:
            asked = json.loads(await request.text())
        except (ValueError, LookupError, RecursionError):  # LookupError: a charset of nobody
            asked = None
        if not isinstance(asked, dict):
            return _json(Answer(400, {"message": "expected a JSON object"}))
        return _json(await self._duties.give(asked, peer))

    async def revoke(self, request: web.Request) -> web.Response:
        refused, peer = await self._admitted(request)
        if refused is not None:
            return refused
        return _json(await self._duties.revoke(request.match_info["id"], peer))


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
