"""A client of the daemon that can GET, over connections that are kept.

Each request with an image or a container costs a look-up, so this is as little
as it can be: one write, one read, llhttp (``httptools``) for where the answer
ends. An answer without a length that only the connection's end would end is
none. It knows HTTP, and nothing of what is asked.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Final, NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from authz.deadlines import Deadlines

FINAL: Final = 200
"""The first status that is no interim one."""

PIECE: Final = 64 * 1024
"""Bytes of a stream that are read at once."""


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
    """One connection to the daemon, for one question at a time.

    ``context`` is what it was secured with.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._reply: asyncio.Future[Reply] | None = None
        self._pieces: list[bytes] = []
        self._room = 0
        self._heard = False
        self._asked = 0
        self.usable = True

    async def ask(self, written: bytes, most: int, limits: Deadlines | None = None) -> Reply:
        """Send a request and return its answer, within a limit if there is one.

        It waits for one future and needs no task. Raises BrokenAnswerError, TimeoutError.
        """
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        if limits is not None:
            limits.watch(reply)
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
            if limits is not None:
                limits.end(reply)
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


class _Opened:
    """What the parser finds of a stream."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.begun = self.ended = False

    def on_headers_complete(self) -> None:
        """Take note that the answer begins."""
        self.begun = True

    def on_body(self, body: bytes) -> None:
        """Keep a piece."""
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        """Take note of the end."""
        self.ended = True


class Client:
    """The connections to one daemon: at a path, or at a host and port."""

    def __init__(
        self,
        path: str = "",
        host: str = "",
        port: int = 0,
        *,
        tls: Callable[[], ssl.SSLContext] | None = None,
        most: int,
    ) -> None:
        """Take note of the address; at most so many connections are made, when they are needed.

        ``tls`` returns the context of the next one.
        """
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
                try:
                    reply = await line.ask(self._written(target, header()), most)
                except BrokenAnswerError as error:
                    if error.stale:
                        continue
                    raise
                self._keep(line)
                return reply

    @property
    def ready(self) -> bool:
        """Whether a connection is kept and free, as far as that can be told."""
        return bool(self._idle) and not self._room.locked()

    async def get_soon(
        self, target: str, header: Callable[[], str], most: int, limits: Deadlines
    ) -> Reply | None:
        """Do what :meth:`get` does over a kept connection, without a task.

        None where there is none, or it turns out to be closed. Raises
        BrokenAnswerError, and TimeoutError by the limits.
        """
        line = self._kept()
        if line is None:
            return None
        await self._room.acquire()  # at once: there is room
        try:
            reply = await line.ask(self._written(target, header()), most, limits)
        except BrokenAnswerError as error:
            if error.stale:
                return None
            raise
        finally:
            self._room.release()
        self._keep(line)
        return reply

    async def stream(self, target: str, header: Callable[[], str]) -> AsyncGenerator[bytes, None]:
        """Yield nothing once an answer begins, and then its pieces as they come, to its end.

        It has a connection of its own. Raises BrokenAnswerError for any status
        but 200 too.
        """
        opened = _Opened()
        parser = HttpResponseParser(opened)
        reader, writer = await self._open()
        try:
            writer.write(self._written(target, header()))
            while not opened.ended:
                silent = not opened.begun
                opened.pieces.clear()
                data = await reader.read(PIECE)
                if not data:
                    raise BrokenAnswerError("the connection ended")
                parser.feed_data(data)
                if opened.begun and parser.get_status_code() != FINAL:
                    raise BrokenAnswerError(f"status {parser.get_status_code()}")
                if silent and opened.begun:
                    yield b""
                for piece in tuple(opened.pieces):
                    yield piece
        except (HttpParserError, HttpParserUpgrade, OSError) as error:
            raise BrokenAnswerError(str(error) or type(error).__name__) from error
        finally:
            writer.close()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> Line | None:
        """Return an idle connection; none of before the certificates were read again."""
        context = self._context()
        while self._idle:
            line = self._idle.pop()
            if line.usable and line.context is context:
                return line
            line.close()
        return None

    def _keep(self, line: Line) -> None:
        if line.usable:
            self._idle.append(line)
        else:
            line.close()

    def _written(self, target: str, header: str) -> bytes:
        head = f"GET {target} HTTP/1.1\r\nHost: {self._name}\r\n{header}\r\n"
        return f"{head}Accept-Encoding: identity\r\n\r\n".encode("ascii")

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            if self._path:
                return await asyncio.open_unix_connection(self._path)
            return await asyncio.open_connection(self._host, self._port, ssl=self._context())
        except OSError as error:
            raise self._unreachable(error) from error

    async def _connect(self) -> Line:
        loop = asyncio.get_running_loop()
        context = self._context()
        made = partial(Line, context)
        try:
            if self._path:
                _, line = await loop.create_unix_connection(made, self._path)
            else:
                _, line = await loop.create_connection(made, self._host, self._port, ssl=context)
        except OSError as error:  # an ssl.SSLError is one
            raise self._unreachable(error) from error
        return line

    def _context(self) -> ssl.SSLContext | None:
        return self._tls() if self._tls else None

    def _unreachable(self, error: OSError) -> BrokenAnswerError:
        where = self._path or self._name
        return BrokenAnswerError(f"cannot connect to {where}: {error.strerror or error}")
