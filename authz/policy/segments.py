"""Intervals, indexed: those that hold a number, without asking each of them.

The ends of all intervals cut the line of numbers into points and the gaps
between them; a tree over these pieces holds each interval at the few nodes
that make it up (a segment tree). A number lies in one piece, and the nodes
above it hold all its intervals.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from decimal import Decimal

from authz.policy.entry import Entries, Entry, sealed
from authz.policy.number import Interval


class Segments:
    """Entries by the intervals in which they count."""

    __slots__ = ("_ends", "_nodes", "_size")

    def __init__(self, intervals: Iterable[tuple[Interval, Entry]]) -> None:
        given = list(intervals)
        ends = sorted({end for interval, _ in given for end in (interval.low, interval.high)})
        self._ends: list[Decimal] = ends
        self._size = 2 * len(ends)
        nodes: dict[int, list[Entry]] = {}
        for interval, entry in given:
            first = 2 * bisect_left(ends, interval.low) + interval.open_low
            last = 2 * bisect_left(ends, interval.high) - interval.open_high
            for node in self._cover(first, last):
                nodes.setdefault(node, []).append(entry)
        self._nodes: dict[int, Entries] = {node: sealed(found) for node, found in nodes.items()}

    def at(self, number: Decimal) -> list[Entries]:
        """Return the entries whose interval holds the number, in several parts."""
        place = bisect_left(self._ends, number)
        exact = place < len(self._ends) and self._ends[place] == number
        piece = 2 * place if exact else 2 * place - 1
        if not 0 <= piece < self._size:
            return []
        found = []
        node = piece + self._size
        while node:
            if entries := self._nodes.get(node):
                found.append(entries)
            node >>= 1
        return found

    def _cover(self, first: int, last: int) -> Iterator[int]:
        """Return the fewest nodes that make up the pieces from first to last."""
        low, high = first + self._size, last + self._size + 1
        while low < high:
            if low & 1:
                yield low
                low += 1
            if high & 1:
                high -= 1
                yield high
            low >>= 1
            high >>= 1
