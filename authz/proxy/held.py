"""The daemon's answer to one request whose entries are judged before the client sees them.

It is a Reply to whoever drives it, and holds back what is not judged yet. What is
no list, such as an error, passes through a Reply as it comes. It knows nothing of
the client's connection and does no I/O.
"""

from collections.abc import Sequence

from authz.docker.forward import Plan
from authz.proxy import rewrite
from authz.proxy.familiar import read_answer
from authz.proxy.framing import LAST_CHUNK, Body, Chunked, Measured, Unbounded, chunk
from authz.proxy.head import AnswerHead, Cutter, FramingError, Head
from authz.proxy.outcome import Flow
from authz.proxy.reply import SWITCHED, Reply, Stage
from authz.proxy.sieve import Batch, Sieve

_OK = 200
_FIRST_REDIRECTION = 300


class Held:
    """Reads one answer. ``batch`` is what is being judged; ``closes`` as a Reply's."""

    def __init__(self, request: Head, plan: Plan, sieve: Sieve, *, closes: bool) -> None:
        self._request = request
        self._sieve = sieve
        self._plain = Reply(request, plan, closes=closes)
        self._passes = False
        self._cutter = Cutter()
        self._before = b""
        self._head: AnswerHead | None = None
        self._body: Body = Unbounded()
        self._left_over = False
        self._whole = False
        self._stage = Stage.NOTHING
        self.batch: Batch | None = None

    @property
    def stage(self) -> Stage:
        """How far the answer has come; up to HEAD the client has got nothing of it."""
        return self._plain.stage if self._passes else self._stage

    @property
    def flow(self) -> Flow:
        """What has passed."""
        return self._plain.flow

    @property
    def closes(self) -> bool:
        """Whether the client's connection ends behind it."""
        return self._plain.closes

    @property
    def reusable(self) -> bool:
        """Whether the daemon's connection can carry another exchange."""
        if self._passes:
            return self._plain.reusable
        usable = self._head is not None and self._head.keep_alive and not self._left_over
        return usable and self._whole and not isinstance(self._body, Unbounded)

    def feed(self, data: bytes) -> bytes:
        """Return what goes to the client at once. Raises FramingError."""
        if self._passes:
            return self._plain.feed(data)
        if self._head is not None:
            self._take(data)
            return b""
        self._stage = Stage.HEAD
        self._before += data
        self._cutter.add(data)
        while (cut := self._cutter.cut()) is not None:
            head = read_answer(cut)
            if head.status >= _OK or head.status == SWITCHED:
                return self._begin(head)
        return b""

    def end(self) -> bool:
        """Take note that the daemon's stream ended; say whether the answer is whole."""
        if self._passes:
            return self._plain.end()
        self._whole = self._whole or (self._head is not None and isinstance(self._body, Unbounded))
        return self._whole

    def due(self) -> Batch | None:
        """Return what is to be judged next, unless something is. Raises FramingError."""
        if self._passes or self.batch is not None or self._head is None:
            return None
        if self._stage is not Stage.WHOLE:
            self.batch = self._sieve.batch(whole=self._whole)
        return self.batch

    def judged(self, shown: Sequence[bool]) -> bytes:
        """Return what of the batch goes to the client at once. Raises FramingError."""
        if self.batch is None or self._head is None:
            raise RuntimeError("nothing was to be judged")
        passed = self._sieve.passed(self.batch, shown)
        self.batch = None
        self.flow.entries, self.flow.hidden = self._sieve.entries, self._sieve.hidden
        return passed if self._request.old else chunk([passed])

    def last(self) -> bytes:
        """Return the end of a stream, or all of a list, once all of it was judged.

        Raises FramingError.
        """
        if self._head is None or not self._whole or self.batch or self._stage is Stage.WHOLE:
            return b""
        if self._sieve.streams:
            self._stage = Stage.WHOLE
            return b"" if self._request.old else LAST_CHUNK
        left = self._sieve.whole_list()
        self._stage = Stage.WHOLE
        framing = [f"Content-Length: {len(left)}"]
        return rewrite.answer(self._head, framing=framing, closes=self.closes) + left

    def _begin(self, head: AnswerHead) -> bytes:
        if head.status != _OK:
            if head.status < _FIRST_REDIRECTION:
                raise FramingError(f"status {head.status} is none of a list")
            self._passes = True
            return self._plain.feed(self._before)
        if any(name.lower() == "content-encoding" for name, _ in head.headers):
            raise FramingError("it is encoded, and nobody asked for that")
        self._head, self._before = head, b""
        self.flow.status = head.status
        if head.length is not None:
            self._body = Measured(head.length)
        elif head.chunked:
            self._body = Chunked(trailers=True)
        begun = self._begun(head) if self._sieve.streams else b""
        self._take(self._cutter.rest())
        return begun

    def _begun(self, head: AnswerHead) -> bytes:
        """Return the head of a stream, which goes ahead of what is judged."""
        self._stage = Stage.BODY
        if self._request.old:
            self._plain.closes = True
        framing = [] if self._request.old else ["Transfer-Encoding: chunked"]
        return rewrite.answer(head, framing=framing, closes=self.closes)

    def _take(self, data: bytes) -> None:
        pieces, rest = self._body.feed(data)
        self._left_over = self._left_over or bool(rest)
        for piece in pieces:
            self.flow.received += len(piece)
            self._sieve.add(bytes(piece))
        self._whole = self._whole or self._body.done
