"""What was used, by whom, how often and when: the values that learning works with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


class Holder(NamedTuple):
    """Who used something, and in which tenant (``*`` without one)."""

    subject: str
    domain: str


class Use(NamedTuple):
    """One thing that somebody used: what a row could allow."""

    action: str
    kind: str
    pattern: str


@dataclass(slots=True)
class Seen:
    """How often and on which days something was used, and what is dangerous in it.

    ``led`` counts the requests in which it was the first of its kind, so that the
    sum of it over a kind is a number of requests.
    """

    count: int = 0
    led: int = 0
    first: str = ""
    last: str = ""
    dangers: dict[str, None] = field(default_factory=dict)

    def add(self, day: str, found: Iterable[str], *, leads: bool = True) -> None:
        """Count one use."""
        self.count += 1
        self.led += leads
        self.first = min(self.first or day, day)
        self.last = max(self.last, day)
        self.dangers.update(dict.fromkeys(found))

    def merged(self, other: Seen) -> Seen:
        """Return both together."""
        return Seen(
            self.count + other.count,
            self.led + other.led,
            min(self.first or other.first, other.first or self.first),
            max(self.last, other.last),
            self.dangers | other.dangers,
        )
