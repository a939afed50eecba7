"""What happens on one client's connection, as a state machine without I/O.

Bytes and ends of streams come in, commands go out: a head is cut, a body that
belongs to the judgement is read to a limit, the request is judged, the
canonical one goes to the daemon, the answer comes back, and the connection goes
on, ends, or becomes a tunnel. Every step is a plain call, so that each form of
smuggling is a test of a few lines.

INVARIANT: no byte of a request reaches the daemon before it was judged, and a
tunnel opens only when the daemon has switched.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum, auto

from authz.docker.forward import Forward, Plan
from authz.proxy import refusal, rewrite
from authz.proxy.commands import (
    Abort,
    Close,
    Command,
    Dial,
    EndClient,
    EndDaemon,
    Judge,
    Release,
    Sift,
    ToClient,
    ToDaemon,
    Tunnel,
)
from authz.proxy.familiar import Asked, read_request
from authz.proxy.framing import LAST_CHUNK, Body, Chunked, Measured, chunk
from authz.proxy.head import Cutter, FramingError, Head
from authz.proxy.held import Held
from authz.proxy.outcome import End, Flow
from authz.proxy.reply import Reply, Stage
from authz.proxy.sieve import Batch, Sieve
from authz.wire.raw import BodyState

MOST_WAITING = 64 * 1024
"""Bytes that a client may send ahead of its turn."""

_NO_PLAN = Plan()
_REPEATABLE = frozenset({"GET", "HEAD"})


class Phase(Enum):
    """What the exchange waits for."""

    HEAD = auto()
    BODY = auto()
    VERDICT = auto()
    DAEMON = auto()
    TUNNEL = auto()
    CLOSED = auto()


class Exchange:
    """The exchanges of one connection, one at a time. ``phase`` is for whoever sets timers."""

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body
        self._cutter = Cutter()
        self._client_ended = False
        self.phase = Phase.HEAD
        self._reset()

    def _reset(self) -> None:
        self._head: Head | None = None
        self._plan = _NO_PLAN
        self._body: Body | None = None
        self._kept = bytearray()
        self._size = 0
        self._reply: Reply | Held | None = None
        self._broken = False

    @property
    def idle(self) -> bool:
        """Whether nothing of a next request has arrived."""
        return self.phase is Phase.HEAD and not len(self._cutter)

    @property
    def flow(self) -> Flow | None:
        """What has passed of the request that was judged last; None before it was."""
        return self._reply.flow if self._reply else None

    @property
    def sifting(self) -> bool:
        """Whether entries of an answer are being judged."""
        return isinstance(self._reply, Held) and self._reply.batch is not None

    @property
    def wants_client(self) -> bool:
        """Whether more of the client's bytes are of use now."""
        if self.phase is Phase.VERDICT or (self.phase is Phase.DAEMON and self._received):
            return len(self._cutter) < MOST_WAITING
        return True

    @property
    def _received(self) -> bool:
        """Whether the request has arrived as a whole."""
        return self._body is None or self._body.done

    # What the client does

    def from_client(self, data: bytes) -> list[Command]:
        """Take bytes of the client."""
        if self.phase is Phase.TUNNEL:
            return [ToDaemon(data)]
        if self.phase is Phase.CLOSED:
            return []
        if self.phase is Phase.DAEMON and not self._received:
            return self._guarded(lambda: self._stream(data))
        self._cutter.add(data)
        return self._advance()

    def client_ended(self) -> list[Command]:
        """Take note that the client sends nothing more; it may still read."""
        self._client_ended = True
        if self.phase is Phase.TUNNEL or (self.phase is Phase.DAEMON and self._received):
            # As if it had called the daemon itself, which then gives up or goes on.
            return [EndDaemon()]
        if self.phase is Phase.VERDICT:
            return []
        # Half a request is none: the daemon must not take it for a whole.
        return [*self._release(End.CLIENT), *self._close()]

    def timed_out(self) -> list[Command]:
        """End what has waited for the client for too long."""
        if self.phase not in {Phase.HEAD, Phase.BODY} or self.idle:
            return [*self._release(End.CLIENT), *self._close()]
        return self._break(FramingError("request did not arrive in time", 408))

    # What the gate says

    def judged(self, forward: Forward, sieve: Sieve | None = None) -> list[Command]:
        """Send the request that was judged. With a sieve the answer's entries are judged, too."""
        head = self._required()
        if (forward.body is None) == self._plan.reads:
            raise RuntimeError("a body is read before the judgement, or it streams behind it")
        closes = not head.keep_alive or self._client_ended
        if sieve is None:
            self._reply = Reply(head, self._plan, closes=closes)
        else:
            self._reply = Held(head, self._plan, sieve, closes=closes)
        self.phase = Phase.DAEMON
        commands: list[Command] = []
        if forward.body is not None:
            self._body = None
            self._reply.flow.sent = len(forward.body)
        elif head.expects and self._body is not None:
            commands.append(ToClient(rewrite.CONTINUE))
        repeatable = forward.method in _REPEATABLE and not head.upgrade
        commands.append(Dial(rewrite.request(forward, head), repeatable))
        if not self._received:
            waiting = self._cutter.rest()
            if self._client_ended:
                return [*self._release(End.CLIENT), *self._close()]
            commands += self._guarded(lambda: self._stream(waiting))
        elif self._client_ended:
            commands.append(EndDaemon())
        return commands

    def refused(self, status: int, message: str) -> list[Command]:
        """Tell the client no, or that it failed. The connection goes on if nothing is unread."""
        whole = self._received and not self._broken
        closes = not whole or self._client_ended or self._head is None or not self._head.keep_alive
        if self._head is not None and self._head.upgrade and len(self._cutter):
            closes = True
        bodiless = self._head is not None and self._head.method == "HEAD"
        if self._reply is not None:
            self._reply.flow.status = status
        commands: list[Command] = [
            *self._release(self._fault),
            ToClient(refusal.answer(status, message, closes=closes, bodiless=bodiless)),
        ]
        return commands + (self._close(linger=True) if closes else self._next())

    # What the daemon does

    def from_daemon(self, data: bytes) -> list[Command]:
        """Take bytes of the daemon."""
        if self.phase is Phase.TUNNEL:
            return [ToClient(data)]
        if self._reply is None:
            return []
        try:
            out = self._reply.feed(data)
        except FramingError as error:
            return self._fail(f"the daemon's answer cannot be read: {error.detail}")
        commands: list[Command] = [ToClient(out)] if out else []
        if self._reply.stage is Stage.TUNNEL:
            return commands + self._tunnel()
        if isinstance(self._reply, Held):
            return commands + self._sift(self._reply)
        whole = self._reply.stage is Stage.WHOLE
        return commands + self._finish(self._reply) if whole else commands

    def daemon_ended(self) -> list[Command]:
        """Take note that the daemon sends nothing more."""
        if self.phase is Phase.TUNNEL:
            return [EndClient()]
        reply = self._reply
        if reply is None:
            return []
        if reply.end():
            return self._sift(reply) if isinstance(reply, Held) else self._finish(reply)
        return self._fail("the daemon ended the connection before its answer was whole")

    # What was judged of an answer

    def sifted(self, batch: Batch, shown: Sequence[bool]) -> list[Command]:
        """Pass on what may be seen of a batch."""
        held = self._waiting_for(batch)
        return self._sift(held, shown) if held else []

    def unsifted(self, batch: Batch, problem: str) -> list[Command]:
        """Fail: nobody could tell what may be seen."""
        return self._fail(problem) if self._waiting_for(batch) else []

    def _waiting_for(self, batch: Batch) -> Held | None:
        """Return the answer that waits; None where it was cut off meanwhile."""
        held = self._reply if self.phase is Phase.DAEMON else None
        return held if isinstance(held, Held) and held.batch is batch else None

    def _sift(self, held: Held, shown: Sequence[bool] | None = None) -> list[Command]:
        """Have judged what can be, or end; ``shown`` is what came out for the batch before."""
        if held.batch is not None and shown is None:
            return []
        try:
            passed = b"" if shown is None else held.judged(shown)
            batch = held.due()
            passed += b"" if batch else held.last()
        except FramingError as error:
            return self._fail(f"the daemon's answer cannot be read: {error.detail}")
        commands: list[Command] = [ToClient(passed)] if passed else []
        if batch is not None:
            return [*commands, Sift(batch)]
        return commands + self._finish(held) if held.stage is Stage.WHOLE else commands

    def _fail(self, problem: str) -> list[Command]:
        """Tell the client, or cut it off where it has half of an answer already."""
        if self._reply is not None and self._reply.stage in {Stage.NOTHING, Stage.HEAD}:
            return self.refused(502, f"dockgate: failed: {problem}")
        return self._cut(self._fault)

    @property
    def _fault(self) -> End:
        """Whose doing it is that there is no whole answer: a daemon gives up without a client."""
        return End.CLIENT if self._client_ended else End.DAEMON

    # Within

    def _required(self) -> Head:
        if self._head is None or self.phase is not Phase.VERDICT or self._broken:
            raise RuntimeError("nothing was to be judged that could go on")
        return self._head

    def _advance(self) -> list[Command]:
        """Read heads and inspected bodies as far as they have arrived."""
        if self.idle:
            return []
        try:
            if self.phase is Phase.HEAD:
                found = self._cutter.cut()
                return [] if found is None else self._begin(read_request(found))
            if self.phase is Phase.BODY:
                return self._collect()
        except FramingError as error:
            return self._break(error)
        return []

    def _begin(self, asked: Asked) -> list[Command]:
        """Decide what of a request is needed before it is judged."""
        head, handling = asked
        self._head = head
        readable = handling is not None  # else the gate will say why
        if head.has_body:
            self._body = Chunked() if head.chunked else Measured(head.length)
        if handling is not None:
            self._plan = handling
            _check_switch(head, handling)
        if not head.has_body:
            return self._judge(b"", BodyState.COMPLETE)
        if not readable or not (self._plan.reads or head.upgrade):
            return self._judge(b"", BodyState.UNSEEN)
        if head.length > self._max_body:
            return self._judge(b"", BodyState.TOO_LARGE)
        self.phase = Phase.BODY
        return [*([ToClient(rewrite.CONTINUE)] if head.expects else []), *self._collect()]

    def _collect(self) -> list[Command]:
        """Read a body that belongs to the judgement."""
        if self._body is None:
            return []
        pieces, rest = self._body.feed(self._cutter.rest())
        self._cutter.add(rest)
        for piece in pieces:  # a chunk of one byte must not be kept as more than that
            self._size += len(piece)
            self._kept += piece
        if self._size and not self._plan.reads:
            raise FramingError("request asks for an upgrade and has a body that streams")
        if self._size > self._max_body:
            return self._judge(b"", BodyState.TOO_LARGE)
        if not self._body.done:
            return []
        if not self._plan.reads and self._head:
            # Node announces chunks with each switch, and then sends none (seen with dockerode).
            self._head, self._body = replace(self._head, chunked=False), None
        return self._judge(bytes(self._kept), BodyState.COMPLETE)

    def _judge(self, body: bytes, state: BodyState) -> list[Command]:
        self.phase = Phase.VERDICT
        self._kept = bytearray()
        self._broken = state is BodyState.TOO_LARGE
        return [Judge(self._head, body, state)]

    def _break(self, problem: FramingError) -> list[Command]:
        """Have broken framing recorded; the connection cannot go on."""
        self.phase = Phase.VERDICT
        self._broken = True
        return [Judge(self._head, problem=problem)]

    def _guarded(self, step: Callable[[], list[Command]]) -> list[Command]:
        """Do a step of a body that streams: where its framing breaks, both sides are cut off."""
        try:
            return step()
        except FramingError:
            return self._cut(End.CLIENT)

    def _cut(self, end: End) -> list[Command]:
        """Cut both sides off."""
        released = self._release(end)
        self.phase = Phase.CLOSED
        return [*released, Abort()]

    def _stream(self, data: bytes) -> list[Command]:
        """Pass on a body that nobody reads, in framing of our own."""
        if self._body is None or not data:
            return []
        pieces, rest = self._body.feed(data)
        self._cutter.add(rest)
        if self._reply is not None:
            self._reply.flow.sent += sum(map(len, pieces))
        if not isinstance(self._body, Chunked):
            return [ToDaemon(b"".join(pieces))] if pieces else []
        out = chunk(pieces) + (LAST_CHUNK if self._body.done else b"")
        return [ToDaemon(out)] if out else []

    def _tunnel(self) -> list[Command]:
        """Open it; what the client sent ahead was meant for it."""
        self.phase = Phase.TUNNEL
        ahead = self._cutter.rest()
        commands: list[Command] = [Tunnel()]
        if ahead and self._reply is not None:
            self._reply.flow.sent += len(ahead)
            commands.append(ToDaemon(ahead))
        return commands

    def _finish(self, reply: Reply | Held) -> list[Command]:
        """End an exchange whose answer is whole."""
        received = self._received
        head = self._head
        # Bytes behind a switch that did not come about were meant for nobody.
        strays = head is not None and bool(head.upgrade) and len(self._cutter) > 0
        usable = reply.reusable and received and not self._client_ended
        released = Release(reusable=usable)
        if reply.closes or self._client_ended or strays or not received:
            return [released, *self._close(linger=not received or strays)]
        return [released, *self._next()]

    def _next(self) -> list[Command]:
        self._reset()
        self.phase = Phase.HEAD
        return self._advance()

    def _release(self, end: End) -> list[Command]:
        if self.phase is not Phase.DAEMON:
            return []
        if self._reply is not None:
            self._reply.flow.end = end
        return [Release(reusable=False)]

    def _close(self, *, linger: bool = False) -> list[Command]:
        self.phase = Phase.CLOSED
        return [Close(linger=linger and not self._client_ended)]


def _check_switch(head: Head, handling: Plan) -> None:
    """Refuse a switch where the daemon makes none, and what only comes with one elsewhere."""
    if head.upgrade and head.upgrade != handling.switch:
        raise FramingError("Upgrade is asked for where the daemon switches to nothing like it")
    if head.upgrade and head.length and not handling.reads:
        raise FramingError("request asks for an upgrade and has a body that streams")
    if head.without_host and not head.upgrade:
        # Docker's own client sends none with a switch over a unix socket (seen with 20.10).
        raise FramingError("Host is empty")
