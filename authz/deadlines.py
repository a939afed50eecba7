"""Time limits of one length for many that wait, on one timer.

Nearly every wait ends long before its limit, and to set a timer and take it back
costs an event loop more than a look at a table. Whoever began first is late first.
It knows nothing of what is waited for.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Deadlines:
    """Limits of ``seconds`` each, for the waits of one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._open: dict[asyncio.Timeout | asyncio.Future[Any], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> asyncio.Timeout:
        """Return a limit from now on, for one ``async with``, which raises TimeoutError when late.

        INVARIANT: while a limit is open the timer is set, for the oldest one or earlier.
        """
        limit = asyncio.timeout(None)
        self._set(limit, asyncio.get_running_loop())
        return limit

    def watch(self, awaited: asyncio.Future[Any]) -> None:
        """Let who awaits this get a TimeoutError when it is late. That needs no task."""
        self._set(awaited, awaited.get_loop())

    def end(self, limit: asyncio.Timeout | asyncio.Future[Any]) -> None:
        """Forget a limit behind its ``async with``, or what was awaited, however that ended."""
        self._open.pop(limit, None)

    def _set(
        self, limit: asyncio.Timeout | asyncio.Future[Any], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._open[limit] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look)

    def _look(self) -> None:
        """End what is late, and come back for the next."""
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for limit, until in tuple(self._open.items()):
            if until > now:
                self._timer = loop.call_at(until, self._look)
                return
            del self._open[limit]
            if isinstance(limit, asyncio.Timeout):
                limit.reschedule(now)
            elif not limit.done():
                limit.set_exception(TimeoutError())
