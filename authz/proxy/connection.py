"""One client's connection: does what its exchange asks, and passes on what happens.

It knows transports, timers and back-pressure. What is said on the connection is
the business of the exchange, whether it may be is the runner's.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import cast

import structlog

from authz.errors import RefusedError
from authz.gate import Standing, Verdict
from authz.proxy import refusal
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
from authz.proxy.errand import Errand
from authz.proxy.exchange import Exchange, Phase
from authz.proxy.outcome import End, Flow
from authz.proxy.patience import LINGER_TIME, Patience, waiting_time
from authz.proxy.services import Proofs, Services, judge, outgoing
from authz.proxy.sifting import Sifting

log = structlog.get_logger(__name__)


class ClientConnection(asyncio.Protocol):
    """One connection. ``gone`` is called when it is lost."""

    def __init__(self, services: Services, gone: Callable[[ClientConnection], None]) -> None:
        self._services = services
        self._gone = gone
        self._exchange = Exchange(services.max_body)
        self._transport: asyncio.Transport | None = None
        self._proofs: Proofs | None = None
        self._errand = Errand(services.daemon, services.spawn, self)
        self._daemon_full = False
        self._client_full = False
        self._reading = True
        self._patience = Patience(self._time_out)
        self._tunnel = False
        self._client_done = False
        self._daemon_done = False
        self._request = ""
        self._standing: Standing | None = None
        self._flow = Flow()
        self._began: float | None = None
        self._sifting: Sifting | None = None

    # What the client does

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to listen."""
        stream = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self._transport = stream
        self._proofs = self._services.welcome(stream, self)
        if self._proofs is None:
            stream.abort()  # there are too many
            return
        self._pace()

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        if self._tunnel and self._errand.link:
            self._flow.sent += len(data)
            self._errand.link.write(data)
            return
        self._do(self._exchange.from_client(data))

    def eof_received(self) -> bool:
        """Pass on; the other direction stays open."""
        self._client_done = True
        self._do(self._exchange.client_ended())
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up what was asked."""
        del exc
        self._patience.stop()
        self._errand.leave(gently=self._tunnel)
        self._settle(End.WHOLE if self._tunnel and self._daemon_done else End.CLIENT)
        self._client_full = False
        self._let_go()
        self._tunnel = False
        self._transport = None
        self._gone(self)

    def pause_writing(self) -> None:
        """Take no more from the daemon until the client has taken what there is."""
        self._client_full = True
        self._pace_daemon()

    def resume_writing(self) -> None:
        """Go on."""
        self._client_full = False
        self._let_go()
        self._pace_daemon()

    def close(self) -> None:
        """Close at once: the service ends."""
        self._cut(End.STOPPED)

    def cut(self) -> None:
        """Close at once: whoever this is has lost his rights."""
        self._cut(End.CUT)

    def _cut(self, end: End) -> None:
        if self._transport:
            self._flow.end = self._flow.end or end
            self._transport.abort()

    @property
    def busy(self) -> bool:
        """Whether an answer is under way; a tunnel may last for days and does not count."""
        return self._exchange.phase in {Phase.VERDICT, Phase.DAEMON}

    @property
    def lasts(self) -> bool:
        """Whether something is under way that may last."""
        return self._exchange.phase in {Phase.DAEMON, Phase.TUNNEL} and self._standing is not None

    async def check(self) -> None:
        """Cut what may not go on: the policy, the proofs or the time have changed."""
        standing = self._standing
        if standing is None or self._proofs is None:
            return
        try:
            evidence = await self._proofs(standing.raw.headers)
        except RefusedError:
            return  # the names of an account could not be looked up just now
        verdict = await self._services.still(standing, evidence)
        if standing is not self._standing:
            return  # something else is asked by now, and maybe by somebody else
        if verdict is None and self._sifting is not None:
            self._sifting.renew(evidence)
        if verdict is not None:
            log.info("stream.cut", request=self._request, by=verdict.id, reason=verdict.reason)
            self._cut(End.CUT)

    # What the daemon does

    def daemon_data(self, data: bytes) -> None:
        """Pass on."""
        if self._tunnel:
            self._flow.received += len(data)
            if self._transport:
                self._transport.write(data)
            return
        self._errand.answered()
        self._do(self._exchange.from_daemon(data))

    def daemon_ended(self) -> None:
        """Pass on, or try again where an idle connection turns out to be dead."""
        self._daemon_done = True
        if self._errand.again():
            self._daemon_done = self._daemon_full = False
        else:
            self._do(self._exchange.daemon_ended())

    def daemon_lost(self, error: Exception | None) -> None:
        """Pass on. A tunnel that breaks is cut on the other side as well."""
        self._errand.link = None
        if self._tunnel and error is not None:
            self._cut(End.DAEMON)
        elif not self._daemon_done:
            self.daemon_ended()

    def daemon_pause(self) -> None:
        """Take no more from the client until the daemon has taken what there is."""
        self._daemon_full = True
        self._pace()

    def daemon_resume(self) -> None:
        """Go on."""
        self._daemon_full = False
        self._pace()

    # What the exchange asks

    def _do(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case ToClient(data=data):
                    if self._transport:
                        self._transport.write(data)
                case ToDaemon():
                    self._errand.send(command)
                case Judge():
                    self._services.begin(self._judge(command), self.close)
                    if self._exchange.phase is not Phase.VERDICT:
                        return  # judged already, and what came of it is done
                case _:
                    self._turn(command)
        self._pace()

    def _turn(
        self, command: Dial | EndDaemon | Sift | Release | Tunnel | EndClient | Close | Abort
    ) -> None:
        """Begin, change or end what goes on with the daemon."""
        match command:
            case Dial():
                self._daemon_done = self._daemon_full = False
                self._errand.begin(command)
                if self._client_full:
                    self._pace_daemon()
            case EndDaemon():
                self._errand.send(command)
                if self._tunnel:
                    self._ended_both_ways()
            case Sift() if self._sifting is not None:
                self._services.spawn(self._sift(self._sifting, command), self.close)
            case Release(reusable=reusable):
                self._settle(End.WHOLE)
                self._errand.release(reusable=reusable)
            case Tunnel():
                self._begin_tunnel()
            case _:
                self._end(command)

    def _end(self, command: EndClient | Close | Abort | Sift) -> None:
        if self._transport is None:
            return
        match command:
            case EndClient():
                self._end_client(self._transport)
            case Close(linger=linger):
                self._close(self._transport, linger=linger)
            case Abort():
                self._transport.abort()

    async def _judge(self, command: Judge) -> None:
        found = await judge(self._services, self._proofs, command)
        if isinstance(found, Verdict):
            self._judged(command, found)
        else:
            found.then(partial(self._guarded, command))

    def _guarded(self, command: Judge, verdict: Verdict) -> None:
        try:
            self._judged(command, verdict)
        except Exception:
            log.exception("connection.failed")
            self.close()

    def _judged(self, command: Judge, verdict: Verdict) -> None:
        self._request = verdict.id
        if verdict.forward is not None:
            self._flow, self._began = Flow(), monotonic()
        if self._transport is None or self._exchange.phase is not Phase.VERDICT:
            self._settle(End.CLIENT)
            return  # the client has gone
        self._standing = verdict.standing
        if verdict.forward is not None:
            found = outgoing(self._services, verdict.forward, verdict, self._sifting)
            sent, sieve, self._sifting = found
            commands = self._exchange.judged(sent, sieve)
            self._flow = self._exchange.flow or self._flow
            self._do(commands)
            return
        status = command.problem.status if command.problem else refusal.status(verdict.reason)
        self._do(self._exchange.refused(status, verdict.message))

    async def _sift(self, sifting: Sifting, command: Sift) -> None:
        self._pace_daemon()
        commands = await sifting.sift(command.batch, self._exchange)
        if self._transport is not None:
            self._do(commands)
            self._pace_daemon()

    def _let_go(self) -> None:
        """Give back the room of an answer, once the client has taken it."""
        if self._sifting and self._began is None and not self._client_full:
            self._sifting.sieve.let_go()

    @property
    def waits(self) -> bool:
        """Whether there is still somebody who waits for the daemon."""
        return self._transport is not None and self._exchange.phase is Phase.DAEMON

    def reached(self) -> None:
        """Go on."""
        self._pace()
        if self._client_full:
            self._pace_daemon()

    def unreachable(self, error: OSError | ssl.SSLError) -> None:
        """Tell the client."""
        log.warning("daemon.unreachable", problem=str(error))
        message = f"dockgate: failed: the daemon cannot be reached; request {self._request}"
        if self.waits:
            late = isinstance(error, TimeoutError)
            self._do(self._exchange.refused(504 if late else 502, message))

    def _begin_tunnel(self) -> None:
        self._tunnel = True
        self._patience.stop()

    def _end_client(self, transport: asyncio.Transport) -> None:
        if not transport.is_closing():
            transport.write_eof()
        self._ended_both_ways()

    def _ended_both_ways(self) -> None:
        """Close a tunnel when both directions have ended."""
        if self._client_done and self._daemon_done:
            if self._transport:
                self._transport.close()
            self._errand.leave(gently=True)

    def _settle(self, end: End) -> None:
        """Tell how a request that was let through ended, once."""
        if self._began is not None:
            seconds = monotonic() - self._began
            self._began = None
            self._services.ended(self._flow.outcome(self._request, seconds, end))
            self._let_go()

    def _close(self, transport: asyncio.Transport, *, linger: bool) -> None:
        self._patience.stop()
        if linger and not transport.is_closing():
            transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER_TIME, transport.abort)
        else:
            transport.close()

    # Pace and time

    def _pace(self) -> None:
        """Read from the client if it is of use, and set the timer of the phase."""
        transport = self._transport
        if transport is None:
            return
        wants = self._exchange.wants_client and not self._daemon_full and not self._errand.dialing
        if wants is not self._reading and not transport.is_closing():
            self._reading = wants
            if wants:
                transport.resume_reading()
            else:
                transport.pause_reading()
        if self._exchange.phase is not Phase.CLOSED:
            self._patience.wait(waiting_time(self._exchange))

    def _pace_daemon(self) -> None:
        """Read from the daemon while the client takes it, and nothing waits to be judged."""
        if self._errand.link:
            self._errand.link.read(wanted=not (self._client_full or self._exchange.sifting))

    def _time_out(self) -> None:
        self._do(self._exchange.timed_out())
