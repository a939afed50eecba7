"""How long a client may take for what, and the one timer of a connection."""

import asyncio
from collections.abc import Callable
from time import monotonic

from authz.proxy.exchange import Exchange, Phase

IDLE_TIME = 300.0
"""Seconds for which a connection is kept on which nothing is asked."""

HEAD_TIME = 10.0
BODY_TIME = 30.0
"""Seconds for a head, and for a body that belongs to the judgement.

There is no limit for what streams, in either direction: an image can be loaded
from a slow line, and a log be followed for days.
"""

LINGER_TIME = 2.0
"""Seconds for which a client may go on sending what nobody wants."""


def waiting_time(exchange: Exchange) -> float | None:
    """Return the seconds for what the exchange waits for; None where the client has no hurry."""
    if exchange.phase is Phase.HEAD:
        return IDLE_TIME if exchange.idle else HEAD_TIME
    return BODY_TIME if exchange.phase is Phase.BODY else None


class Patience:
    """A timer that goes on while the same is waited for, and begins anew for something else.

    A timer that runs already and ends in time is left alone: each request of a
    connection would wind up another one, and cancel it.
    """

    def __init__(self, over: Callable[[], None]) -> None:
        """Take what is called when the time is over."""
        self._over = over
        self._seconds: float | None = None
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._rings = 0.0

    def wait(self, seconds: float | None) -> None:
        """Wait for so long from now, unless that is what is waited for already."""
        if seconds == self._seconds:
            return
        self._seconds = seconds
        if seconds is None:
            return
        self._due = monotonic() + seconds
        if self._timer is None or self._rings > self._due:
            self._ring_at(self._due)

    def stop(self) -> None:
        """Wait for nothing."""
        self._seconds = None
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _ring_at(self, due: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._rings = due
        self._timer = asyncio.get_running_loop().call_later(due - monotonic(), self._end)

    def _end(self) -> None:
        self._timer = None
        if self._seconds is None:
            return
        if self._due > monotonic():
            self._ring_at(self._due)
            return
        self._seconds = None
        self._over()
