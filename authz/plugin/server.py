"""Serves the AuthZ plugin protocol on a unix socket.

It knows the three calls of the protocol; what a question means and whether it
may be is asked of the runner. The daemon waits for an answer without any limit,
so whatever is wrong with a call is answered at once.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from time import monotonic

import structlog

from authz.errors import Reason, RefusedError
from authz.gate import Verdict
from authz.pending import Pending
from authz.plugin.connection import Answer, Answering, Call, Connection, Fault, Held, answer
from authz.plugin.outcomes import Outcomes
from authz.plugin.protocol import (
    ACTIVATION,
    ALLOWED,
    denial,
    message_limit,
    read_call,
    too_large,
)
from authz.runner import Runner
from authz.wire.raw import Door, RawRequest

ACTIVATE = "/Plugin.Activate"
REQUEST = "/AuthZPlugin.AuthZReq"
RESPONSE = "/AuthZPlugin.AuthZRes"

SHUTDOWN_TIME = 3.0
"""Seconds for what is being answered when the service ends."""

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
        self._peers: dict[Connection, int | None] = {}
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to answer."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), sock=self._sock)

    async def close(self) -> None:
        """Take no more connections, finish what is being answered, and close."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._peers):
            connection.close()
        until = monotonic() + SHUTDOWN_TIME
        while monotonic() < until and any(each.busy for each in self._peers):  # noqa: ASYNC110  rare
            await asyncio.sleep(0.01)
        for connection in self._peers:
            if connection.waiting:
                connection.waiting.cancel()
        await asyncio.sleep(0)  # what was answered last is written now

    # --- what connections say -----------------------------------------------------------------

    def enter(self, connection: Connection, transport: asyncio.Transport) -> None:
        """Take note of a connection, and of who it is."""
        self._peers[connection] = _caller(transport)

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        self._peers.pop(connection, None)

    def room(self, path: str) -> int:
        """Keep what is read, and one byte that tells of a longer one; nothing of anything else."""
        kept = path == REQUEST or (path == RESPONSE and self._runner.records_outcomes)
        return message_limit(self._max_body) + 1 if kept else 0

    def answer(self, connection: Connection, call: Call) -> Answer | Held | Answering:
        """Answer what needs nobody else at once."""
        caller = self._peers[connection]
        if caller not in self._callers:
            log.warning("plugin.caller_refused", uid=caller)
            return _refusal("only the daemon may ask", HTTPStatus.FORBIDDEN)
        if call.method != "POST":
            return _refusal("expected a POST", HTTPStatus.METHOD_NOT_ALLOWED, last=True)
        if call.path == REQUEST:
            return self._half(call.fault) if call.fault else self._decide(call.document)
        if call.path == RESPONSE:
            if 0 < len(call.document) <= message_limit(self._max_body) and not call.fault:
                asyncio.get_running_loop().call_soon(self._record, call.document)
            return _ALLOWED  # a denial would hide what the daemon has done, not undo it
        if call.fault:
            return _refusal(f"this {call.fault.problem}", call.fault.status, last=True)
        return _ACTIVATED if call.path == ACTIVATE else _UNKNOWN

    def failed(self, error: BaseException) -> Answer:
        """Refuse; the traceback is in the log."""
        return _failed(error)

    def _decide(self, document: bytes) -> Held | Answering:
        try:
            raw = read_call(document, max_body=self._max_body)
        except RefusedError as error:
            return _Held(self._runner.refused(_unread(), error), _said)
        return self._judged(raw)

    async def _judged(self, raw: RawRequest) -> Answer | Held:
        found = await self._runner.decided(raw, at_once=len(self._peers) == 1)
        if isinstance(found, Verdict):
            return _said(found)  # a look-up of our own comes back, and is not recorded
        return _Held(
            found, partial(self._answered, raw) if self._runner.records_outcomes else _said
        )

    def _answered(self, raw: RawRequest, verdict: Verdict) -> Answer:
        if verdict.lets_through:
            self._outcomes.asked(raw, verdict.id)
        return _said(verdict)

    def _half(self, fault: Fault) -> Held:
        """Refuse half a document."""
        if fault.status is HTTPStatus.OK:
            refusal = too_large(self._max_body)
        else:
            late = fault.status is HTTPStatus.REQUEST_TIMEOUT
            reason = Reason.TIMEOUT if late else Reason.UNREADABLE_REQUEST
            refusal = RefusedError(reason, f"plugin message {fault.problem}")
        pending = self._runner.refused(_unread(), refusal)
        return _Held(pending, partial(_said, status=fault.status, last=True))

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


class _Held:
    """The answer to a question whose verdict is pending. ``write`` makes it of the verdict."""

    __slots__ = ("_pending", "_take", "_write")

    def __init__(self, pending: Pending, write: Callable[[Verdict], Answer]) -> None:
        self._pending = pending
        self._write = write

    def then(self, take: Callable[[Answer], None]) -> None:
        """Hand it over when the verdict holds."""
        self._take = take
        self._pending.then(self._leave)

    def _leave(self, verdict: Verdict) -> None:
        try:
            found = self._write(verdict)
        except Exception as error:  # noqa: BLE001  the daemon waits
            found = _failed(error)
        self._take(found)


def _said(verdict: Verdict, status: HTTPStatus = HTTPStatus.OK, *, last: bool = False) -> Answer:
    if verdict.lets_through:  # in shadow mode without a word, too
        return _ALLOWED
    return answer(denial(verdict.message), status, last=last)


def _failed(error: BaseException) -> Answer:
    log.error("plugin.answer_failed", exc_info=error)
    return _refusal("a defect of the gate", HTTPStatus.INTERNAL_SERVER_ERROR, last=True)


def _caller(transport: asyncio.Transport) -> int | None:
    """Ask the kernel for the uid of who connected (unix(7), SO_PEERCRED); None: he has gone."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return None
    found = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    uid: int = _PEER.unpack(found)[1]
    return uid


def _unread() -> RawRequest:
    """Stand in for a request that nobody could read."""
    return RawRequest("", "", door=Door.PLUGIN)


def _refusal(problem: str, status: HTTPStatus, *, last: bool = False) -> Answer:
    document = denial(f"dockgate: refused: {problem}")
    return answer(document, status, last=last)


_ALLOWED = answer(ALLOWED)
_UNKNOWN = _refusal("the plugin has no such call", HTTPStatus.NOT_FOUND)
_ACTIVATED = answer(ACTIVATION)
