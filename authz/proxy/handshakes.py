"""Handshakes one after the other: each computes for milliseconds, and a thousand can come at once.

What waits here has been read already. Between any two slices of time everybody else has a
turn, the sign of life among them.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter

SLICE = 0.02
"""Seconds for handshakes, before others have a turn."""


class Handshakes:
    """The handshakes of one listener, in the order in which they can go on."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._soon = False

    def add(self, step: Callable[[], None]) -> None:
        """Have a step of one done soon. One that raises stops no other."""
        self._waiting.append(step)
        self._go_on_soon()

    def _go_on_soon(self) -> None:
        if self._waiting and not self._soon:
            self._soon = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._soon = False
        until = perf_counter() + SLICE
        try:
            while self._waiting and perf_counter() < until:
                self._waiting.popleft()()
        finally:
            self._go_on_soon()
