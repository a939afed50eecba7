"""Request ids: they sort by time, and no two are the same.

A ULID is 48 bits of milliseconds and 80 random bits in Crockford's base 32.
"""

import os
import time
from collections.abc import Callable

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_RANDOM_BYTES = _RANDOM_BITS // 8
_POOL = 32 * _RANDOM_BYTES
"""Bytes that are taken from the kernel at once: each time is a system call."""

_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_SHIFTS = tuple(range(120, -1, -10))


class Ulids:
    """Makes ids that only ever grow, even where the clock is set back."""

    def __init__(
        self,
        clock: Callable[[], int] = time.time_ns,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._last = 0
        self._pool = b""

    def next(self) -> str:
        """Return a new id of 26 letters and digits."""
        milliseconds = self._clock() // 1_000_000
        if not self._pool:
            self._pool = self._entropy(_POOL)
        random = int.from_bytes(self._pool[:_RANDOM_BYTES])
        self._pool = self._pool[_RANDOM_BYTES:]
        self._last = max(milliseconds << _RANDOM_BITS | random, self._last + 1)
        return "".join([_PAIRS[self._last >> shift & 1023] for shift in _SHIFTS])
