"""Connections to the daemon, kept for the next exchange.

An idle connection carries nothing: whatever arrives on it, or ends it, throws it
away. What is sent and read is the business of whoever holds it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from typing import Protocol, cast

from authz.lookups.daemon import parse_address
from authz.proxy.tls import TlsTransport

CONNECT_TIME = 10.0
"""Seconds for a connection. An answer has no limit: a daemon may be asked to wait."""

MOST_IDLE = 64
IDLE_TIME = 30.0
"""Seconds for which an idle connection is kept."""


class Holder(Protocol):
    """Whoever uses a connection to the daemon, and is told what happens on it."""

    def daemon_data(self, data: bytes) -> None:
        """Take bytes."""

    def daemon_ended(self) -> None:
        """Take note that the daemon sends nothing more."""

    def daemon_lost(self, error: Exception | None) -> None:
        """Take note that the connection is gone."""

    def daemon_pause(self) -> None:
        """Send no more for now."""

    def daemon_resume(self) -> None:
        """Go on sending."""


class Link(asyncio.Protocol):
    """One connection to the daemon.

    ``context`` is that of its TLS, if it has one.
    """

    def __init__(self) -> None:
        self.holder: Holder | None = None
        self.transport: asyncio.Transport | None = None
        self.dead = False
        self.since = 0.0
        self.context: ssl.SSLContext | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember it."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            _notice_death(sock)
        if not self.ready.done():
            self.ready.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        if self.holder:
            self.holder.daemon_data(data)
        else:
            self.drop()

    def eof_received(self) -> bool:
        """Pass on; the other direction stays open while somebody uses it."""
        if self.holder:
            self.dead = True
            self.holder.daemon_ended()
            return True
        self.drop()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on."""
        self.dead = True
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionResetError("connection lost"))
        holder, self.holder = self.holder, None
        if holder:
            holder.daemon_lost(exc)

    def pause_writing(self) -> None:
        """Pass on."""
        if self.holder:
            self.holder.daemon_pause()

    def resume_writing(self) -> None:
        """Pass on."""
        if self.holder:
            self.holder.daemon_resume()

    def write(self, data: bytes) -> None:
        """Send, if there is anybody to send to."""
        if self.transport and not self.transport.is_closing():
            self.transport.write(data)

    def write_eof(self) -> None:
        """Send nothing more."""
        if self.transport and not self.transport.is_closing():
            self.transport.write_eof()

    def pause_reading(self) -> None:
        """Take no more for now."""
        if self.transport and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        if self.transport and not self.transport.is_closing():
            self.transport.resume_reading()

    def read(self, *, wanted: bool) -> None:
        """Take more, or no more for now."""
        if wanted:
            self.resume_reading()
        else:
            self.pause_reading()

    def finish(self) -> None:
        """Close once everything is sent, and hear nothing more of it."""
        self.dead = True
        self.holder = None
        if self.transport:
            self.transport.close()

    def drop(self) -> None:
        """Close at once, and hear nothing more of it."""
        self.dead = True
        self.holder = None
        if self.transport:
            self.transport.abort()


def _notice_death(sock: socket.socket) -> None:
    """Have the kernel find out that a host is gone, within a minute or so of silence."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


class Daemon:
    """Where the daemon is, and the connections to it that nobody uses just now."""

    def __init__(
        self,
        address: str,
        *,
        tls: Callable[[], ssl.SSLContext] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take note of ``unix:///path`` or ``tcp://host:port``. Raises ConfigurationError."""
        self._path, self._host, self._port = parse_address(address)
        self._tls = tls
        self._clock = clock
        self._idle: list[Link] = []

    def idle(self) -> Link | None:
        """Return a connection that was used before, seems to live, and would be made today."""
        context = self._tls() if self._tls else None
        while self._idle:
            link = self._idle.pop()
            fits = not link.dead and link.context is context
            if fits and link.since > self._clock() - IDLE_TIME:
                return link
            link.drop()
        return None

    async def connect(self) -> Link:
        """Make a connection. Raises OSError, TimeoutError or ssl.SSLError."""
        loop = asyncio.get_running_loop()
        link = Link()
        async with asyncio.timeout(CONNECT_TIME):
            if self._path:
                await loop.create_unix_connection(lambda: self._protocol(link), self._path)
            else:
                await loop.create_connection(lambda: self._protocol(link), self._host, self._port)
            await link.ready
        return link

    def keep(self, link: Link) -> None:
        """Take back a connection whose exchange is over."""
        link.holder = None
        link.since = self._clock()
        # Who only asks for what must not be done twice gives back and never takes.
        while self._idle and self._idle[0].since <= link.since - IDLE_TIME:
            self._idle.pop(0).drop()
        if link.dead or len(self._idle) >= MOST_IDLE:
            link.drop()
            return
        link.resume_reading()
        self._idle.append(link)

    def close(self) -> None:
        """Close what nobody uses."""
        while self._idle:
            self._idle.pop().drop()

    def _protocol(self, link: Link) -> asyncio.Protocol:
        if self._tls is None:
            return link
        link.context = self._tls()
        return TlsTransport(
            link,
            link.context,
            server_side=False,
            server_name=self._host or None,
            failed=link.connection_lost,
        )
