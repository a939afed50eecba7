"""A client of the daemon that can GET, over connections that are kept.

Each request with an image or a container costs a look-up, so this is as little
as it can be: one write, one read, llhttp (``httptools``) for where the answer
ends. An answer without a length that only the connection's end would end is
none. It knows HTTP, and nothing of what is asked.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

FINAL: Final = 200
"""The first status that is no interim one."""


class BrokenAnswerError(Exception):
    """There is no whole answer; the message says why. ``stale`` where it may be asked anew."""

    def __init__(self, problem: str, *, stale: bool = False) -> None:
        super().__init__(problem)
        self.stale = stale


class Reply(NamedTuple):
    """An answer. ``body`` is cut behind one byte more than was wanted."""

    status: int
    body: bytes


class Line(asyncio.Protocol):
    """One connection to the daemon, for one question at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._reply: asyncio.Future[Reply] | None = None
        self._pieces: list[bytes] = []
        self._room = 0
        self._heard = False
        self._asked = 0
        self.usable = True

    async def ask(self, written: bytes, most: int) -> Reply:
        """Send a request and return its answer. Raises BrokenAnswerError."""
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._reply = reply
        self._pieces.clear()
        self._room, self._heard = most + 1, False
        self._asked += 1
        if self._transport is not None:
            self._transport.write(written)
        try:
            return await reply
        finally:
            self._reply = None
            if not reply.done() or reply.cancelled() or reply.exception() is not None:
                self.close()

    def close(self) -> None:
        """End it."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    # --- the transport ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember it."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        """Read a piece of an answer. What nobody asked for ends the connection."""
        self._heard = True
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._give_up(f"no HTTP ({type(error).__name__})")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        self._transport = None
        self._give_up(f"the connection ended{f': {exc}' if exc else ''}")

    # --- the parser ---------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Take only what was asked for."""
        if self._reply is None or self._reply.done():
            self.close()

    def on_body(self, body: bytes) -> None:
        """Keep what is wanted; nothing that is longer will do."""
        if self._room <= 0:
            return
        self._pieces.append(body[: self._room])
        self._room -= len(body)
        if self._room <= 0:
            self.usable = False
            self._answer()

    def on_message_complete(self) -> None:
        """Hand the answer over."""
        if self._parser.get_status_code() < FINAL or not self._parser.should_keep_alive():
            self.usable = False
        self._answer()

    def _answer(self) -> None:
        if self._reply is not None and not self._reply.done():
            status = self._parser.get_status_code()
            self._reply.set_result(Reply(status, b"".join(self._pieces)))

    def _give_up(self, problem: str) -> None:
        self.close()
        if self._reply is not None and not self._reply.done():
            stale = self._asked > 1 and not self._heard
            self._reply.set_exception(BrokenAnswerError(problem, stale=stale))


class Client:
    """The connections to one daemon: at a path, or at a host and port."""

    def __init__(
        self,
        path: str = "",
        host: str = "",
        port: int = 0,
        *,
        tls: ssl.SSLContext | None = None,
        most: int,
    ) -> None:
        """Take note of the address; at most so many connections are made, when they are needed."""
        self._path, self._host, self._port, self._tls = path, host, port, tls
        written = f"[{host}]" if ":" in host else host
        self._name = f"{written}:{port}" if host else "docker"
        self._room = asyncio.Semaphore(most)
        self._idle: list[Line] = []

    async def get(self, target: str, header: Callable[[], str], most: int) -> Reply:
        """Ask for a target, with a header line of its own, for at most so many bytes.

        A kept connection that turns out to be closed is replaced by a new one,
        with a new header. Raises BrokenAnswerError.
        """
        async with self._room:
            while True:
                line = self._kept() or await self._connect()
                written = (
                    f"GET {target} HTTP/1.1\r\nHost: {self._name}\r\n{header()}\r\n"
                    "Accept-Encoding: identity\r\n\r\n"
                )
                try:
                    reply = await line.ask(written.encode("ascii"), most)
                except BrokenAnswerError as error:
                    if error.stale:
                        continue
                    raise
                if line.usable:
                    self._idle.append(line)
                else:
                    line.close()
                return reply

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> Line | None:
        while self._idle:
            line = self._idle.pop()
            if line.usable:
                return line
        return None

    async def _connect(self) -> Line:
        loop = asyncio.get_running_loop()
        try:
            if self._path:
                _, line = await loop.create_unix_connection(Line, self._path)
            else:
                _, line = await loop.create_connection(Line, self._host, self._port, ssl=self._tls)
        except OSError as error:  # an ssl.SSLError is one
            problem = error.strerror or str(error)
            where = self._path or self._name
            raise BrokenAnswerError(f"cannot connect to {where}: {problem}") from error
        return line
