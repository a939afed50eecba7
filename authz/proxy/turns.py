"""Turns at work that is shared: so many at once, and fewer of any one caller.

Whoever asks for much waits behind himself, and the others find a turn free.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """``most`` turns of all, ``own`` of one caller. Each is given in the order of asking."""

    def __init__(self, most: int, own: int) -> None:
        self._all = asyncio.Semaphore(most)
        self._own = own
        # Who neither has a turn nor waits for one is forgotten: callers can be many.
        self._callers: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        """Wait for a turn, and hold it."""
        own = self._callers.get(caller)
        if own is None:
            own = self._callers[caller] = asyncio.Semaphore(self._own)
        async with own, self._all:
            yield
