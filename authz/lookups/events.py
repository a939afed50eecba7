"""Follows the daemon's events, so that answers can be kept.

It knows the stream and how it ends; what an event means is the business of the
cache. While it is not connected the cache knows, and so it does where this
process stood still: events may wait in the socket that nobody has read yet.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

import structlog

from authz.errors import LookupFailedError
from authz.lookups.cache import Cache
from authz.lookups.targets import events

AGAIN = 1.0
"""Seconds before the next attempt to connect."""

TICK = 0.1
"""Seconds between two signs of life."""

LONGEST_LINE = 256 * 1024
"""Bytes of an event; what is longer is none."""

log = structlog.get_logger(__name__)


class Streams(Protocol):
    """Whoever opens a stream at the daemon."""

    def stream(self, where: str) -> AsyncGenerator[bytes, None]:
        """Yield nothing once it is open, and then pieces. Raises LookupFailedError."""


class Events:
    """Keeps a cache told."""

    def __init__(
        self,
        streams: Streams,
        cache: Cache,
        *,
        again: float = AGAIN,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._streams = streams
        self._cache = cache
        self._again = again
        self._wall = wall

    async def follow(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick())
            told = False
            while True:
                try:
                    await self._read()
                except LookupFailedError as error:
                    if not told:
                        log.warning("events.lost", problem=str(error))
                    told = True
                else:
                    told = False
                await asyncio.sleep(self._again)

    async def _read(self) -> None:
        """Read one stream to its end. Raises LookupFailedError."""
        rest = b""
        try:
            async with aclosing(self._streams.stream(events(int(self._wall())))) as pieces:
                async for piece in pieces:
                    if not piece:
                        self._cache.follow()
                        continue
                    *lines, rest = (rest + piece).split(b"\n")
                    self._cache.tell([line for line in lines if line.strip()])
                    if len(rest) > LONGEST_LINE:
                        raise LookupFailedError(f"an event is longer than {LONGEST_LINE} bytes")
        finally:
            self._cache.lose()

    async def _tick(self) -> None:
        """Give signs of life."""
        while True:
            self._cache.live()
            await asyncio.sleep(TICK)
