"""Listens on one socket, for as many connections as there may be.

It knows who may connect how often, and collects what each offers as proof.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import structlog

from authz.docker.forward import Forward
from authz.errors import RefusedError
from authz.gate import Standing, Verdict
from authz.metrics import Metrics
from authz.pending import Pending
from authz.proxy.connection import ClientConnection
from authz.proxy.contexts import trusts
from authz.proxy.evidence import Accounts, Peer, bearer, certificates, read_peer, source
from authz.proxy.handshakes import Handshakes
from authz.proxy.head import Headers
from authz.proxy.outcome import Outcome
from authz.proxy.services import Proofs, Services
from authz.proxy.sifting import Sifters, Sifting, sifters, sifting
from authz.proxy.tls import TlsTransport
from authz.proxy.upstream import Daemon
from authz.runner import Entrance, Runner
from authz.wire.evidence import Evidence
from authz.wire.raw import RawRequest

MOST_CONNECTIONS = 4096
MOST_OF_ONE = 1024
"""Connections at once, in all and of one caller: an account, or an address."""

UNNAMED = "?"
"""Stands for all whose connection has no address any more."""

BACKLOG = 1024
SHUTDOWN_TIME = 3.0
"""Seconds for what is being answered when the service ends."""

_KEEPING: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""The socket's file may be systemd's; whoever made it removes it."""

FREED_ONCE = 2 * 1024 * 1024
"""Bytes that are taken and given back at the start.

What is read from a socket has up to 256 KiB. glibc takes memory of that size
from the kernel and gives it back each time, until it has once seen a larger
piece freed (mallopt(3), M_MMAP_THRESHOLD): a third of what a gigabyte costs
over TLS. It keeps at most twice this size for it.
"""

AGAIN = 5.0
"""Seconds after which what is under way is judged again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Listener:
    """One socket, and what it demands. ``tls`` makes the context of the next connection.

    With ``filters`` lists hold only what the caller may inspect.
    """

    sock: socket.socket
    address: str
    entrance: Entrance
    tls: Callable[[], ssl.SSLContext] | None = None
    filters: bool = False


def log_stream(outcome: Outcome) -> None:
    """Say that a connection that was taken over ended."""
    if outcome.taken_over:
        log.info(
            "stream.closed",
            request=outcome.request,
            end=outcome.end.value,
            sent=outcome.sent,
            received=outcome.received,
            seconds=round(outcome.seconds, 3),
        )


@dataclass(frozen=True, slots=True)
class Shared:
    """What all listeners use. ``sign`` returns headers for the daemon's plugin.

    ``ended`` is told how each request that was let through ended.
    """

    runner: Runner
    daemon: Daemon
    metrics: Metrics
    accounts: Accounts
    max_body: int
    sign: Callable[[Forward], Headers]
    ended: Callable[[Outcome], None] = log_stream
    sifters: Sifters = field(default_factory=sifters)


class ProxyServer:
    """Serves one listener."""

    def __init__(self, listener: Listener, shared: Shared) -> None:
        """Take the listening socket; :meth:`start` begins to answer."""
        self._listener = listener
        self._shared = shared
        self._services = Services(
            decide=self._decide,
            refuse=self._refuse,
            still=self._still,
            welcome=self._welcome,
            sign=shared.sign,
            daemon=shared.daemon,
            spawn=self._spawn,
            begin=self._begin,
            ended=shared.ended,
            max_body=shared.max_body,
            sift=self._sift if listener.filters else None,
        )
        self._callers: Counter[int | str] = Counter()
        self._connections: dict[asyncio.Protocol, int | str] = {}
        self._contexts: dict[asyncio.Protocol, ssl.SSLContext] = {}
        """By which contexts clients with a certificate came in."""
        self._handshakes = Handshakes()
        self._tasks: set[asyncio.Task[None]] = set()
        self._beginning = False
        self._stack = AsyncExitStack()
        self._group: asyncio.TaskGroup | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to answer."""
        freed = bytes(FREED_ONCE)
        del freed
        loop = asyncio.get_running_loop()
        self._group = await self._stack.enter_async_context(asyncio.TaskGroup())
        if self._listener.sock.family == socket.AF_UNIX:
            self._server = await loop.create_unix_server(
                self._protocol, sock=self._listener.sock, backlog=BACKLOG, **_KEEPING
            )
        else:
            self._server = await loop.create_server(
                self._protocol, sock=self._listener.sock, backlog=BACKLOG
            )

        self._spawn(self._watch(), lambda: None)
        self._shared.metrics.count_streams(self._lasting)

    def _lasting(self) -> int:
        """Count what may last for days."""
        return sum(
            1 for each in self._connections if isinstance(each, ClientConnection) and each.lasts
        )

    async def close(self) -> None:
        """Take no more connections, finish what is being answered, and close."""
        if self._server is not None:
            self._server.close()
        until = monotonic() + SHUTDOWN_TIME
        while monotonic() < until and any(map(_busy, self._connections)):  # noqa: ASYNC110  rare
            await asyncio.sleep(0.01)
        for connection in [*self._connections]:
            if isinstance(connection, ClientConnection):
                connection.close()
        self._group = None  # what waits for somebody without a task is given up
        for task in self._tasks:
            task.cancel()
        await self._stack.aclose()

    def _protocol(self) -> asyncio.Protocol:
        connection = ClientConnection(self._services, self._gone)
        if self._listener.tls is None:
            return connection
        return TlsTransport(
            connection,
            self._listener.tls(),
            server_side=True,
            handshakes=self._handshakes,
            arrived=lambda transport: self._admit(connection, _address(transport) or UNNAMED),
            failed=lambda _: self._gone(connection),
        )

    def _still(self, standing: Standing, evidence: Evidence) -> Awaitable[Verdict | None]:
        return self._shared.runner.still(standing, evidence, self._listener.entrance)

    async def _watch(self) -> None:
        """Judge again what is under way: streams do not outlive rights."""
        while True:
            await asyncio.sleep(AGAIN)
            self._cut_forsaken()
            for connection in [*self._connections]:
                if isinstance(connection, ClientConnection) and connection.lasts:
                    await self._guarded(connection.check(), connection.close)

    def _cut_forsaken(self) -> None:
        """Cut who proved himself by a handshake of before an authority was taken away."""
        if self._listener.tls is None:
            return
        context = self._listener.tls()
        earlier = set(self._contexts.values()) - {context}
        gone = {each for each in earlier if not trusts(context, each)}
        for connection, made in [*self._contexts.items()]:
            if made in gone and isinstance(connection, ClientConnection):
                log.info("connection.cut", caller=self._connections.get(connection))
                connection.cut()

    def _refuse(self, raw: RawRequest, refusal: RefusedError) -> Pending:
        return self._shared.runner.refused(raw, refusal, self._listener.entrance)

    def _decide(self, raw: RawRequest) -> Awaitable[Pending | Verdict]:
        # Records of several connections share a write, which for one alone comes at once.
        alone = len(self._connections) == 1
        return self._shared.runner.decided(raw, self._listener.entrance, at_once=alone)

    def _sift(self, verdict: Verdict) -> Sifting | None:
        return sifting(self._shared.runner, self._listener.entrance, verdict, self._shared.sifters)

    def _welcome(self, transport: asyncio.Transport, connection: asyncio.Protocol) -> Proofs | None:
        sock = transport.get_extra_info("socket")
        peer = read_peer(sock) if self._listener.sock.family == socket.AF_UNIX else None
        where = "" if peer else _address(transport)
        caller = peer.credentials.uid if peer else where or UNNAMED
        if connection not in self._connections and not self._admit(connection, caller):
            return None
        if peer is None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        tls = transport.get_extra_info("ssl_object")
        chain = certificates(tls)
        if chain:
            self._contexts[connection] = tls.context
        known = Evidence(
            certificates=chain,
            listener=self._listener.address,
            tls="mutual" if chain else "server" if tls else "none",
            source=where,
        )
        return self._proofs(peer, known)

    def _admit(self, connection: asyncio.Protocol, caller: int | str) -> bool:
        """Take a connection in, before its handshake; return False where there are too many."""
        if len(self._connections) >= MOST_CONNECTIONS or self._callers[caller] >= MOST_OF_ONE:
            log.warning("connection.turned_away", caller=caller)
            return False
        self._connections[connection] = caller
        self._callers[caller] += 1
        self._shared.metrics.connections.inc()
        return True

    def _proofs(self, peer: Peer | None, last: Evidence) -> Proofs:
        accounts = self._shared.accounts

        async def evidence(headers: Headers) -> Evidence:
            nonlocal last
            if peer is not None:
                found = await accounts.resolve(peer, last.peer)
                if found is not last.peer:
                    last = replace(last, peer=found)
            token = bearer(headers)
            return last if token is None else replace(last, bearer=token)

        return evidence

    def _gone(self, connection: asyncio.Protocol) -> None:
        self._contexts.pop(connection, None)
        caller = self._connections.pop(connection, None)
        if caller is None:
            return
        self._callers[caller] -= 1
        if not self._callers[caller]:
            del self._callers[caller]
        self._shared.metrics.connections.dec()

    def _spawn(self, work: Coroutine[None, None, None], failed: Callable[[], None]) -> None:
        self._go_on(self._guarded(work, failed))

    def _go_on(self, guarded: Coroutine[Any, None, None]) -> None:
        if self._group is None:
            guarded.close()
            return
        task = self._group.create_task(guarded)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin(self, work: Coroutine[Any, None, None], failed: Callable[[], None]) -> None:
        """Go as far as that is possible without a task, which goes on from there.

        What needs one, such as a time limit, lets it come first, by ``asyncio.sleep(0)``.
        What begins within another such work, as for requests sent ahead, has a turn of its own.
        """
        if self._beginning:
            self._spawn(work, failed)
            return
        guarded = self._guarded(work, failed)
        self._beginning = True
        try:
            waits_for: asyncio.Future[Any] | None = guarded.send(None)
        except StopIteration:
            return
        finally:
            self._beginning = False
        if waits_for is None:
            self._go_on(guarded)
        else:
            waits_for.add_done_callback(lambda _: self._go_on(guarded))

    async def _guarded(self, work: Coroutine[Any, None, None], failed: Callable[[], None]) -> None:
        """Keep a defect of one connection from ending all of them."""
        try:
            await work
        except Exception:
            log.exception("connection.failed")
            failed()


def _address(transport: asyncio.Transport) -> str | None:
    return source(transport.get_extra_info("peername"))


def _busy(connection: asyncio.Protocol) -> bool:
    return isinstance(connection, ClientConnection) and connection.busy
