"""Rows that give a range, indexed: numbers, ports and user ids.

It knows how a value of each is read; a number that cannot be read is a doubt,
a port or a uid that is none is simply in no range.
"""

from __future__ import annotations

from collections.abc import Iterable

from authz.policy.comparison import Numbers, Ports, Users, uid_of
from authz.policy.entry import Entries, Entry, sealed, unknowable
from authz.policy.number import Interval, read_number, read_port
from authz.policy.rule import TAKING
from authz.policy.segments import Segments

Range = Numbers | Ports | Users


class Ranges:
    """All ranges of one kind, by what they are ranges of."""

    __slots__ = ("_doubts", "_numbers", "_ports", "_users", "given")

    def __init__(self, given: Iterable[tuple[Range, Entry]]) -> None:
        self.given = tuple(given)
        numbers: list[tuple[Interval, Entry]] = []
        users: list[tuple[Interval, Entry]] = []
        ports: dict[str, list[tuple[Interval, Entry]]] = {}
        for each, entry in self.given:
            if isinstance(each, Numbers):
                numbers.append((each.interval, entry))
            elif isinstance(each, Users):
                users.append((each.interval, entry))
            else:
                ports.setdefault(each.ports.protocol, []).append((each.ports.ports, entry))
        self._numbers = Segments(numbers) if numbers else None
        self._users = Segments(users) if users else None
        self._ports = {protocol: Segments(found) for protocol, found in ports.items()}
        self._doubts: Entries = sealed(
            (order, unknowable, when, row)
            for _, (order, _match, when, row) in numbers
            if row.word in TAKING
        )

    def at(self, value: str) -> list[Entries]:
        """Return the entries whose range holds the value, or of which that cannot be known."""
        found: list[Entries] = []
        if self._numbers:
            number = read_number(value)
            found += [self._doubts] if number is None else self._numbers.at(number)
        if self._users and (uid := uid_of(value)) is not None:
            found += self._users.at(uid)
        if self._ports and (port := read_port(value)):
            number, protocol = port
            for name in (protocol, "*"):
                if segments := self._ports.get(name):
                    found += segments.at(number)
        return found
