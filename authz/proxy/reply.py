"""The daemon's answer to one request, from its first byte to its end.

It reads the answer and says what of it goes to the client, and how it ends. It
knows nothing of the client's connection and does no I/O.
"""

from collections.abc import Sequence
from enum import Enum, auto

from authz.docker.forward import Plan
from authz.proxy import rewrite
from authz.proxy.familiar import read_answer
from authz.proxy.framing import LAST_CHUNK, Body, Chunked, Measured, Unbounded, framed
from authz.proxy.head import AnswerHead, Cutter, FramingError, Head
from authz.proxy.outcome import CREATED, Flow

SWITCHED = 101
_OK = 200
_BODILESS = frozenset({204, 304})
_FIRST_FINAL = 200

_RAW = frozenset({"application/vnd.docker.raw-stream", "application/vnd.docker.multiplexed-stream"})
"""Content types under which the daemon takes a connection over without a switch."""

_UNBOUNDED = Unbounded()


class Stage(Enum):
    """How far an answer has come."""

    NOTHING = auto()
    """Not one byte: as far as anybody can tell, the daemon did not see the request."""
    HEAD = auto()
    BODY = auto()
    WHOLE = auto()
    TUNNEL = auto()


class Reply:
    """Reads one answer. ``closes`` says that the client's connection ends behind it.

    ``flow`` counts what passes.
    """

    def __init__(self, request: Head, plan: Plan, *, closes: bool) -> None:
        self._request = request
        self._plan = plan
        self._cutter = Cutter()
        self._head: AnswerHead | None = None
        self._body: Body = _UNBOUNDED
        self._chunks: Chunked | None = None
        self._left_over = False
        self.stage = Stage.NOTHING
        self.closes = closes
        self.flow = Flow()

    @property
    def reusable(self) -> bool:
        """Whether the daemon's connection can carry another exchange."""
        return (
            self.stage is Stage.WHOLE
            and self._head is not None
            and self._head.keep_alive
            and not self._left_over
            and not isinstance(self._body, Unbounded)
        )

    def feed(self, data: bytes) -> bytes:
        """Return what goes to the client. Raises FramingError where no client could rely on it."""
        if self.stage is Stage.BODY or self.stage is Stage.TUNNEL:
            return self._content(data)
        if self.stage is Stage.WHOLE:
            self._left_over = True
            return b""
        self.stage = Stage.HEAD
        self._cutter.add(data)
        while (head := self._cutter.cut()) is not None:
            self._head = read_answer(head)
            if self._head.status >= _FIRST_FINAL or self._head.status == SWITCHED:
                begun = self._begin(self._head)
                return self._content(self._cutter.rest(), begun)
        return b""

    def end(self) -> bool:
        """Take note that the daemon's stream ended; say whether the answer is whole."""
        if self.stage is Stage.BODY and isinstance(self._body, Unbounded):
            self.stage = Stage.WHOLE
        return self.stage is Stage.WHOLE

    def _begin(self, head: AnswerHead) -> bytes:
        self.flow.status = head.status
        if self._switches(head):
            self.stage = Stage.TUNNEL
            self.flow.taken_over = True
            words = ["Connection: Upgrade", f"Upgrade: {self._plan.switch}"]
            lines = words if head.status == SWITCHED else []
            return rewrite.answer(head, framing=lines, closes=False)
        if head.status == SWITCHED:
            raise FramingError("the daemon switched protocols without being asked to")
        self.stage = Stage.BODY
        framing = self._frame(head)
        if self._body.done:
            self.stage = Stage.WHOLE
        return rewrite.answer(head, framing=framing, closes=self.closes)

    def _switches(self, head: AnswerHead) -> bool:
        """Say whether the daemon took the connection over: 101, or 200 with a raw stream."""
        if head.status == SWITCHED:
            asked = self._request.upgrade
            return bool(asked) and asked == self._plan.switch == head.upgrade
        framed = head.chunked or head.length is not None
        if framed or not self._plan.bare or head.status != _OK:
            return False
        media = next((value for name, value in head.headers if name.lower() == "content-type"), "")
        return media.partition(";")[0].strip().lower() in _RAW

    def _frame(self, head: AnswerHead) -> Sequence[str]:
        """Choose how the body is read, and say how it is framed for the client."""
        if self._request.method == "HEAD" or head.status in _BODILESS:
            self._body = Measured(0)
            stated = head.length is not None and head.status not in _BODILESS
            return [f"Content-Length: {head.length}"] if stated else []
        if head.length is not None:
            self._body = Measured(head.length)
            return [f"Content-Length: {head.length}"]
        if head.chunked and not self._request.old:
            self._body = self._chunks = Chunked(trailers=True)
            return ["Transfer-Encoding: chunked"]
        self._body = Chunked(trailers=True) if head.chunked else Unbounded()
        self.closes = True
        return []

    def _content(self, data: bytes, begun: bytes = b"") -> bytes:
        """Return what goes to the client of the answer's content, behind what was ``begun``."""
        if self.stage is Stage.TUNNEL or not data:
            self.flow.received += len(data)
            return begun + data if begun else data
        if self._chunks and self.flow.status != CREATED and (size := self._chunks.alone(data)):
            self.flow.received += size
            self.stage = Stage.WHOLE
            return begun + data
        pieces, rest = self._body.feed(data)
        size = sum(map(len, pieces))
        self.flow.received += size
        if self.flow.status == CREATED:
            self.flow.keep(b"".join(pieces))
        self._left_over = self._left_over or bool(rest)
        ends = self._body.done and self.stage is Stage.BODY
        if ends:
            self.stage = Stage.WHOLE
        if self._chunks is None:
            return b"".join((begun, *pieces))
        return b"".join((begun, *framed(pieces, size), LAST_CHUNK if ends else b""))
