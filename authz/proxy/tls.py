"""TLS over a plain transport, with ends of streams in each direction.

asyncio's own TLS transports drop everything behind the peer's close_notify, so
that ``echo hi | docker run -i`` over TLS prints nothing. Here an end is what it
is without TLS: the peer's close_notify is an ``eof_received``, and
``write_eof`` sends one and goes on reading.

A TCP stream that ends without close_notify was cut off: it is no end of a
stream, the connection is lost.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from itertools import islice
from time import monotonic
from typing import Any, cast

from authz.proxy.handshakes import Handshakes
from authz.proxy.records import Records

HANDSHAKE_TIME = 10.0
"""Seconds for a handshake."""

MOST_EMPTY = 64
"""Records without data that a peer may send, such as requests for new keys; one more a minute.

Each costs as much as the decryption of many kilobytes, and asks for an answer.
"""

_RECORD = 16 * 1024
"""What OpenSSL decrypts at once. Room for more would be made, and thrown away, each time."""

_IN_A_TURN = 16
"""Pieces of so many records that are decrypted before others have a turn.

A hundred thousand records of one byte take a second, and all connections wait.
"""


class TlsTransport(asyncio.Protocol, asyncio.Transport):
    """The protocol of a plain transport, and the transport of an ordinary protocol."""

    def __init__(  # noqa: PLR0913  two sides, and what each can be told
        self,
        protocol: asyncio.Protocol,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_name: str | None = None,
        handshakes: Handshakes | None = None,
        arrived: Callable[[asyncio.Transport], bool] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Take the protocol that speaks inside; it is connected behind the handshake.

        Where there is none, ``failed`` is told why. ``arrived`` says whether there is
        to be a handshake at all, and it takes turns with the other ``handshakes``.
        """
        asyncio.Transport.__init__(self)
        self._app = protocol
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_name
        )
        self._raw: asyncio.Transport | None = None
        self._ready = False
        self._paused = False
        self._held: list[bytes] = []
        self._records = Records()
        self._pieces: Iterator[tuple[bytes, int]] = iter(())
        self._more = False
        self._empty = 0
        self._began = monotonic()
        self._peer_ended = False
        self._told_end = False
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None
        self._handshakes = handshakes
        self._arrived = arrived
        self._failed = failed
        self.problem: Exception | None = None
        """Why the handshake failed."""

    # What the plain transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._raw = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        if self._arrived and not self._arrived(self._raw):
            self._raw.abort()
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(HANDSHAKE_TIME, self._too_slow)
        self._shake()

    def data_received(self, data: bytes) -> None:
        """Decrypt all that can be, so that nothing waits inside of OpenSSL."""
        self._pieces = self._records.cut(data)
        if self._ready or self._handshakes is None:
            self._go_on()
        elif self._raw:
            self._more = True
            self._raw.pause_reading()
            self._handshakes.add(self._go_on_later)

    def eof_received(self) -> bool:
        """Tell a proper end from a cut."""
        if not self._peer_ended:
            self._fail(ConnectionResetError("TLS stream was cut off"))
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on, if there was a connection."""
        if self._timer:
            self._timer.cancel()
        if self._ready:
            self._app.connection_lost(self.problem or exc)
        elif self._failed:
            self._failed(self.problem or exc or ConnectionResetError("connection lost"))

    def pause_writing(self) -> None:
        """Pass it on."""
        if self._ready:
            self._app.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        if self._ready:
            self._app.resume_writing()

    # What the inner protocol asks

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  asyncio's own
        """Know ``ssl_object`` besides what the plain transport knows."""
        if name == "ssl_object":
            return self._tls
        return self._raw.get_extra_info(name, default) if self._raw else default

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Encrypt and send."""
        if self._ended or not data:
            return
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()

    def write_eof(self) -> None:
        """Send close_notify; what the peer sends still arrives."""
        if self._ended:
            return
        self._ended = True
        try:
            self._tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLSyscallError):
            pass  # its own end has not come yet
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()

    def can_write_eof(self) -> bool:
        """Say yes: this is the point."""
        return True

    def pause_reading(self) -> None:
        """Deliver nothing; what is decrypted already is held, and that is one read at most."""
        self._paused = True
        if self._raw and not self._raw.is_closing():
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        self._paused = False
        self._read_on()
        self._deliver()

    def is_reading(self) -> bool:
        """Say whether bytes are delivered."""
        return not self._paused

    def close(self) -> None:
        """Say goodbye and close once everything is sent."""
        self.write_eof()
        if self._raw:
            self._raw.close()

    def abort(self) -> None:
        """Close at once."""
        if self._raw:
            self._raw.abort()

    def is_closing(self) -> bool:
        """Say whether it is closed or about to be."""
        return self._raw is None or self._raw.is_closing()

    def get_write_buffer_size(self) -> int:
        """Return what waits in the plain transport."""
        return self._raw.get_write_buffer_size() if self._raw else 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set those of the plain transport."""
        if self._raw:
            self._raw.set_write_buffer_limits(high, low)

    # Within

    def _go_on(self) -> None:
        """Decrypt what has come; of very many records some, and the rest when others had a turn.

        What comes behind the peer's end is nobody's, and thrown away.
        """
        if self._raw is None or self._raw.is_closing():
            return
        turn = list(islice(self._pieces, _IN_A_TURN))
        for piece, records in turn:
            if self._peer_ended:
                break
            self._incoming.write(piece)
            if self._ready:
                self._decrypt(records)
            elif self._shake():
                self._decrypt(0)
            if self.problem:
                return
        self._flush()  # answers to requests for new keys
        more, self._more = self._more, len(turn) == _IN_A_TURN
        if self._more and not self._raw.is_closing():
            self._raw.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on_later)
        elif more:
            self._read_on()
        self._deliver()

    def _go_on_later(self) -> None:
        """Do so outside of what the loop calls for a connection, and ends where that fails."""
        try:
            self._go_on()
        except Exception as error:
            self._fail(error)
            raise

    def _read_on(self) -> None:
        """Read from the plain transport, unless there is enough to do."""
        if self._raw and not (self._paused or self._more or self._raw.is_closing()):
            self._raw.resume_reading()

    def _shake(self) -> bool:
        """Go on with the handshake; say whether it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except (ssl.SSLError, ssl.CertificateError) as error:
            self._flush()  # the alert that says why
            self._fail(error)
            return False
        self._flush()
        self._ready = True
        if self._timer:
            self._timer.cancel()
        self._app.connection_made(self)
        return True

    def _decrypt(self, records: int) -> None:
        """Decrypt what is there, in which so many records end."""
        found = len(self._held)
        try:
            while piece := self._tls.read(_RECORD):
                self._held.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._peer_ended = True
        except ssl.SSLError as error:
            self._fail(error)
            return
        else:
            self._peer_ended = True
        self._empty += max(0, records - (len(self._held) - found))
        if self._empty > MOST_EMPTY + (monotonic() - self._began) / 60:
            self._fail(ConnectionAbortedError("TLS stream has too many records without data"))

    def _deliver(self) -> None:
        if self._held and not self._paused:
            data = b"".join(self._held)
            self._held.clear()
            self._app.data_received(data)
        if self._peer_ended and not self._held and not self._paused and not self._told_end:
            self._told_end = True
            if not self._app.eof_received():
                self.close()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data and self._raw and not self._raw.is_closing():
            self._raw.write(data)

    def _too_slow(self) -> None:
        self._fail(TimeoutError("TLS handshake took too long"))

    def _fail(self, error: Exception) -> None:
        self.problem = self.problem or error
        if not self._raw:
            return
        if self._ready:
            self._raw.abort()
        else:
            self._raw.close()  # so that the alert gets out
