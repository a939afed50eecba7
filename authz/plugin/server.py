"""Serves the AuthZ plugin protocol on a unix socket.

It knows HTTP and the three calls of the protocol; what a question means and
whether it may be is asked of the runner. The daemon waits for an answer without
any limit, so whatever is wrong with a call is answered at once.

Connections stay open while nobody asks: the daemon repeats a call whose
connection broke with an empty body (moby pkg/plugins/client.go).
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from authz.errors import Reason, RefusedError
from authz.gate import Verdict
from authz.plugin.outcomes import Outcomes
from authz.plugin.protocol import ACTIVATION, ALLOWED, message_limit, read_call, write_answer
from authz.runner import Runner
from authz.wire.raw import Door, RawRequest

ACTIVATE = "/Plugin.Activate"
REQUEST = "/AuthZPlugin.AuthZReq"
RESPONSE = "/AuthZPlugin.AuthZRes"

MEDIA_TYPE = "application/vnd.docker.plugins.v1.2+json"

READING_TIME = 2.0
"""Seconds for the document of a call to arrive. The daemon sends it at once."""

DRAINED = 64 * 1024 * 1024
"""Bytes of a document that are read at most, most of them thrown away."""

SHUTDOWN_TIME = 3.0
"""Seconds for what is being answered when the service ends."""

FOREVER = 10 * 365 * 86_400.0
"""Seconds for which an idle connection is kept: never closed under the daemon."""

_PEER = struct.Struct("iII")
"""pid, uid and gid; ids use all 32 bits."""

log = structlog.get_logger(__name__)


class PluginServer:
    """Answers the daemon on a listening unix socket."""

    def __init__(self, sock: socket.socket, runner: Runner, *, max_body: int) -> None:
        """Take the socket; :meth:`start` begins to answer. ``max_body`` in decoded bytes."""
        self._sock = sock
        self._runner = runner
        self._max_body = max_body
        self._outcomes = Outcomes()
        self._callers = frozenset({0, os.geteuid()})
        server = web.Server(
            self._answer,
            access_log=None,
            logger=_Log(),
            keepalive_timeout=FOREVER,
            lingering_time=READING_TIME,
            auto_decompress=False,  # the daemon compresses nothing, and a bomb would
        )
        self._server = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_TIME)

    async def start(self) -> None:
        """Begin to answer."""
        await self._server.setup()
        await web.SockSite(self._server, self._sock).start()

    async def close(self) -> None:
        """Take no more connections, finish what is being answered, and close."""
        await self._server.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        caller = _caller(request)
        if caller not in self._callers:
            log.warning("plugin.caller_refused", uid=caller)
            return _response(_refusal("only the daemon may ask"), status=403)
        if request.method != "POST":
            return _response(_refusal("expected a POST"), status=405)
        if request.path == REQUEST:
            return await self._decide(request)
        if request.path == ACTIVATE:
            return _response(ACTIVATION)
        if request.path == RESPONSE:
            return await self._let_out(request)
        return _response(_refusal("the plugin has no such call"), status=404)

    async def _decide(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            document = await _read(request, message_limit(self._max_body))
        except TimeoutError:
            return await self._broken(408, Reason.TIMEOUT, "did not arrive in time")
        except (OSError, web.RequestPayloadError):
            return await self._broken(400, Reason.UNREADABLE_REQUEST, "broke off")
        try:
            raw = read_call(document, max_body=self._max_body)
        except RefusedError as error:
            verdict = await self._runner.refuse(_unread(), error)
        else:
            verdict = await self._runner.decide(raw)
            # A look-up of our own comes back without a decision, and is not recorded.
            if self._runner.records_outcomes and verdict.lets_through and verdict.decision:
                self._outcomes.asked(raw, verdict.id)
        return _response(_written(verdict))

    async def _broken(self, status: int, reason: Reason, problem: str) -> web.StreamResponse:
        """Refuse half a document, and close: the rest would be taken for another call."""
        refusal = RefusedError(reason, f"plugin message {problem}")
        verdict = await self._runner.refuse(_unread(), refusal)
        response = _response(_written(verdict), status)
        response.force_close()
        return response

    async def _let_out(self, request: web.BaseRequest) -> web.StreamResponse:
        """Allow whatever the daemon has done: a denial would hide it, not undo it."""
        response = _response(ALLOWED)
        limit = message_limit(self._max_body) if self._runner.records_outcomes else 0
        try:
            document = await _read(request, limit)
        except (TimeoutError, OSError, web.RequestPayloadError):
            response.force_close()
        else:
            if 0 < len(document) <= limit:
                asyncio.get_running_loop().call_soon(self._record, document)
        return response

    def _record(self, document: bytes) -> None:
        """Record how a request ended; the answer to the daemon does not wait for it."""
        found = self._outcomes.answered(document)
        if found is not None:
            self._runner.outcome(
                found.request,
                status=found.status,
                object_id=found.object_id,
                bytes_in=found.bytes_in,
                bytes_out=found.bytes_out,
                duration_s=found.seconds,
                candidates=found.candidates,
            )


class _Log:
    """What aiohttp tells, in our form, and without the requests that it quotes."""

    def debug(self, *_args: object, **_more: object) -> None:
        """Say nothing: peers come and go."""

    def exception(self, what: str, *_args: object, exc_info: BaseException | None = None) -> None:
        """Tell what kind of nonsense came; a defect of ours with all its details."""
        if isinstance(exc_info, HttpProcessingError):
            log.warning("plugin.nonsense_received", kind=type(exc_info).__name__)
        else:
            log.error("plugin.answer_failed", problem=what, exc_info=exc_info)


async def _read(request: web.BaseRequest, limit: int) -> bytes:
    """Read a document to its end, and return it; of one above the limit one byte more than that.

    Raises TimeoutError where it takes longer than its time, and OSError or
    RequestPayloadError where it breaks off.
    """
    if request.content.is_eof():  # the daemon sends it with the head: nothing to wait for
        return request.content.read_nowait(limit + 1)
    kept = bytearray()
    drained = 0
    async with asyncio.timeout(READING_TIME):
        async for chunk in request.content.iter_any():
            drained += len(chunk)
            kept += chunk[: limit + 1 - len(kept)]
            if drained > DRAINED:
                break
    return bytes(kept)


def _caller(request: web.BaseRequest) -> int | None:
    """Ask the kernel for the uid of who connected (unix(7), SO_PEERCRED); None: he has gone."""
    sock = request.transport.get_extra_info("socket") if request.transport else None
    if sock is None:
        return None
    found = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    uid: int = _PEER.unpack(found)[1]
    return uid


def _unread() -> RawRequest:
    """Stand in for a request that nobody could read."""
    return RawRequest("", "", door=Door.PLUGIN)


def _written(verdict: Verdict) -> bytes:
    return write_answer(allow=verdict.lets_through, message=_message(verdict))


def _message(verdict: Verdict) -> str:
    """Return what the caller reads; what is let through in shadow mode goes without a word."""
    return "" if verdict.lets_through else verdict.message


def _refusal(problem: str) -> bytes:
    return write_answer(allow=False, message=f"dockgate: refused: {problem}")


def _response(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type=MEDIA_TYPE)
