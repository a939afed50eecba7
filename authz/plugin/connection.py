"""One connection of the daemon: bytes to calls, and answers to bytes.

llhttp (``httptools``) says where a call ends, as strictly as it can. A call that
nobody has to wait for is answered before the event loop goes on: it takes no
task, no timer and no stream. This module knows HTTP, and nothing of what is asked.

Connections stay open while nobody asks: the daemon repeats a call whose
connection broke with an empty body (moby pkg/plugins/client.go).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from http import HTTPStatus
from types import CoroutineType
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, cast

import structlog
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

MEDIA_TYPE: Final = "application/vnd.docker.plugins.v1.2+json"

READING_TIME = 2.0
"""Seconds for a call to arrive. The daemon sends it at once."""

DRAINED = 64 * 1024 * 1024
"""Bytes of a document that are read at most, most of them thrown away."""

MOST_HEAD: Final = 8 * 1024
"""Bytes before the document. The daemon's are below 300."""

log = structlog.get_logger(__name__)


class _LongHeadError(Exception):
    """More than MOST_HEAD bytes come before the document."""


class Fault(NamedTuple):
    """Why the end of a call will not come, and what to answer."""

    status: HTTPStatus
    problem: str


class Call(NamedTuple):
    """What was asked. ``document`` is cut behind the bytes that the door has room for.

    ``last`` says that nothing can follow; ``fault`` that this is half a call, of
    which only the path may be known.
    """

    method: str
    path: str
    document: bytes
    last: bool
    fault: Fault | None = None


class Answer(NamedTuple):
    """What is answered, as it goes over the wire; nothing follows the ``last`` one."""

    written: bytes
    last: bool = False


class Held(Protocol):
    """An answer that may not leave yet."""

    def then(self, take: Callable[[Answer], None]) -> None:
        """Hand it over once it may: later, or before this returns."""


Answering: TypeAlias = Coroutine[Any, Any, Answer | Held]


def answer(document: bytes, status: HTTPStatus = HTTPStatus.OK, *, last: bool = False) -> Answer:
    """Return an answer; the ``last`` one says so."""
    end = "Connection: close\r\n" if last else ""
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {MEDIA_TYPE}\r\n"
        f"Content-Length: {len(document)}\r\n{end}\r\n"
    )
    return Answer(head.encode() + document, last)


class Door(Protocol):
    """Whoever answers calls."""

    def enter(self, connection: Connection, transport: asyncio.Transport) -> None:
        """Take note of a connection."""

    def leave(self, connection: Connection) -> None:
        """Take note that nothing more comes of it."""

    def room(self, path: str) -> int:
        """Return how many bytes of a document are kept."""

    def answer(self, connection: Connection, call: Call) -> Answer | Held | Answering:
        """Answer a call, or say what will."""

    def failed(self, error: BaseException) -> Answer:
        """Answer where a defect of ours is in the way."""


class Connection(asyncio.Protocol):
    """Reads the calls of one peer, and answers them one after the other."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._transport: asyncio.Transport | None = None
        self._parser = HttpRequestParser(self)
        self._calls: deque[Call] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._deaf = self._broken = self._full = self._held = self._going = False
        self._begin()
        self._begun = False
        self.waiting: asyncio.Future[Any] | None = None
        """What is waited for before there is an answer: a task, or a future that needs none."""
        self.holds = False
        """Whether an answer is held back."""

    # --- the parser says what it finds --------------------------------------------------------

    def on_message_begin(self) -> None:
        """Make room for a call."""
        self._begin()

    def on_url(self, url: bytes) -> None:
        """Take the target, or a piece of it."""
        self._target += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Measure a header; none matters."""
        self._count(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        """Take note that the document follows."""
        self._in_head = False
        self._path = self._target.decode("latin-1").partition("?")[0]
        self._room = self._door.room(self._path)

    def on_body(self, body: bytes) -> None:
        """Keep what there is room for."""
        self._size += len(body)
        if self._room > 0:
            self._pieces.append(body[: self._room])
            self._room -= len(body)

    def on_message_complete(self) -> None:
        """Queue the call."""
        self._begun = False
        method = self._parser.get_method().decode("latin-1")
        last = not self._parser.should_keep_alive()
        self._calls.append(Call(method, self._path, b"".join(self._pieces), last))
        self._pieces.clear()

    # --- the transport says what happens ------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember it."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self._door.enter(self, self._transport)

    def data_received(self, data: bytes) -> None:
        """Read, and answer what is whole."""
        if self._deaf:
            return
        try:
            if self._begun and self._in_head:  # llhttp keeps half a header, however long
                self._count(len(data))
            self._parser.feed_data(data)
        except (_LongHeadError, HttpParserError, HttpParserUpgrade) as error:
            if isinstance(error, HttpParserUpgrade):  # it came as a call, without its document
                self._calls.pop()
            log.warning("plugin.nonsense_received", kind=type(error.__context__ or error).__name__)
            self._break_off(Fault(HTTPStatus.BAD_REQUEST, "is no HTTP"))
            return
        self._go_on()
        if self._begun or self._timer is not None:
            self._wait_for_more()

    def pause_writing(self) -> None:
        """Answer nothing more to a peer that does not read."""
        self._full = True

    def resume_writing(self) -> None:
        """Go on."""
        self._full = False
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """Refuse half a call, for the record; what is being answered is finished."""
        del exc
        self._transport = None
        self._full = False
        if self._begun and not self._deaf:
            self._break_off(Fault(HTTPStatus.BAD_REQUEST, "broke off"))
        self._deaf = True
        self._go_on()
        self._leave()

    # --- the door ends it ---------------------------------------------------------------------

    def close(self) -> None:
        """Take no further call, and end behind what is being answered."""
        self._deaf = True
        self._calls.clear()
        if not self.busy:
            self._end()

    @property
    def busy(self) -> bool:
        """Whether a call is being answered."""
        return self.holds or self.waiting is not None

    # --- one call after the other -------------------------------------------------------------

    def _begin(self) -> None:
        self._begun = self._in_head = True
        self._target = b""
        self._path = ""
        self._pieces: list[bytes] = []
        self._room = self._size = self._head_size = 0

    def _go_on(self) -> None:
        """Answer what can be answered; read no further while calls wait, so that they are few."""
        if self._going:  # what is answered at once comes back here
            return
        self._going = True
        try:
            while self._calls and not self.busy and not self._full:
                self._take(self._calls.popleft())
        finally:
            self._going = False
        holds = bool(self._calls)
        transport = self._transport
        if holds is not self._held and transport is not None and not transport.is_closing():
            self._held = holds
            if holds:
                transport.pause_reading()
            else:
                transport.resume_reading()

    def _take(self, call: Call) -> None:
        if call.last:
            self._deaf = True
        try:
            found = self._door.answer(self, call)
        except Exception as error:  # noqa: BLE001  the daemon waits, and the door tells
            self._fail(error)
            return
        if isinstance(found, CoroutineType):
            self._advance(found)
        else:
            self._give(cast("Answer | Held", found))

    def _advance(self, answering: Answering) -> None:
        """Go as far as that is possible without a task.

        INVARIANT: what waits for a future and needs no task yields that; what
        needs one says so first, by ``asyncio.sleep(0)``, and a task takes over there.
        """
        try:
            waits_for: asyncio.Future[Any] | None = answering.send(None)
        except StopIteration as done:
            self._give(done.value)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  as above
            self._fail(error)
        else:
            if waits_for is None:
                self.waiting = task = asyncio.get_running_loop().create_task(answering)
                task.add_done_callback(self._answered)
            else:
                self.waiting = waits_for
                waits_for.add_done_callback(partial(self._resume, answering))

    def _resume(self, answering: Answering, _awaited: asyncio.Future[Any]) -> None:
        self.waiting = None
        self._advance(answering)
        self._go_on()
        self._leave()

    def _give(self, found: Answer | Held) -> None:
        """Write an answer, or have it written when it may leave: nothing overtakes it."""
        if isinstance(found, Answer):
            self._write(found)
        else:
            self.holds = True
            found.then(self._let_go)

    def _let_go(self, found: Answer) -> None:
        self.holds = False
        self._write(found)
        if self._calls:
            self._go_on()
        if self._transport is None:
            self._leave()

    def _answered(self, task: asyncio.Task[Answer | Held]) -> None:
        self.waiting = None
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            self._give(task.result())
        else:
            self._fail(error)
        self._go_on()
        self._leave()

    def _fail(self, error: BaseException) -> None:
        self._deaf = True
        self._write(self._door.failed(error))

    def _write(self, found: Answer) -> None:
        if found.last:
            self._deaf = True
            self._calls.clear()
        if self._transport is not None:
            self._transport.write(found.written)
        if self._deaf and not self._calls:
            self._end()

    def _end(self) -> None:
        """Close. Who is in the middle of a call may finish, or his kernel drops the answer."""
        self._stop_waiting()
        if self._transport is None:
            return
        if self._broken:
            self._broken = False
            self._transport.write_eof()
            self._timer = asyncio.get_running_loop().call_later(READING_TIME, self._end)
        else:
            self._transport.close()

    def _leave(self) -> None:
        """Be forgotten once nobody is there and nothing is under way."""
        if self._transport is None and not self.busy and not self._calls:
            self._end()
            self._door.leave(self)

    # --- half calls, and what is none ---------------------------------------------------------

    def _count(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MOST_HEAD:
            raise _LongHeadError

    def _wait_for_more(self) -> None:
        """Let the rest of a call come, in time and with measure."""
        if self._deaf:
            return
        if self._size > DRAINED:
            self._break_off(Fault(HTTPStatus.OK, ""))
        elif not self._begun:
            self._stop_waiting()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(READING_TIME, self._late)

    def _late(self) -> None:
        self._timer = None
        self._break_off(Fault(HTTPStatus.REQUEST_TIMEOUT, "did not arrive in time"))

    def _break_off(self, fault: Fault) -> None:
        """Queue half a call: the rest would be taken for another one."""
        self._deaf = self._broken = True
        document = b"".join(self._pieces)
        self._calls.append(Call("POST", self._path, document, last=True, fault=fault))
        self._go_on()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
