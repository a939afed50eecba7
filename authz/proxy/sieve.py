"""An answer that tells of many objects: taken apart, and written without those that are not shown.

Whoever judges the objects gets them in batches, as they come: what is hidden is thrown
away at once. It knows bytes and JSON; it knows no connection and does no I/O.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Final

from authz.docker.forward import Forward
from authz.facts.listings import (
    EVENTS,
    LISTINGS,
    Shape,
    Sighting,
    sighted,
    sighted_in_event,
)
from authz.proxy.head import FramingError
from authz.proxy.splitter import OPENING, Entry, Part, Splitter

LONGEST: Final = 16 * 1024 * 1024
"""Bytes of what is shown of a list. One container is about a thousand."""

LONGEST_EVENT: Final = 256 * 1024
MOST_HELD: Final = 32 * 1024 * 1024
"""Bytes of all answers that are held back at once, until their clients have taken them."""

MOST_OF_ONE: Final = MOST_HELD // 2
"""The same for one caller, who may take his time to read."""

_CHOOSING = frozenset({"accept", "accept-encoding"})
"""Headers by which a client could have the daemon write in a form that is not read here."""

_LIMIT = re.compile(r"limit=(?:%2B)?(0*[1-9][0-9]{0,17})", re.ASCII)

NO_LIST: Final = Shape({})

Groups = Sequence[Sequence[Sighting]]


class Room:
    """How much is held back by everybody together, and by each caller."""

    def __init__(self, most: int = MOST_HELD, most_of_one: int = MOST_OF_ONE) -> None:
        self.left = most
        self._most_of_one = most_of_one
        self._held: Counter[str] = Counter()

    def has(self, size: int, caller: str) -> bool:
        """Say whether a caller may hold so much more."""
        return size <= min(self.left, self._most_of_one - self._held[caller])

    def take(self, size: int, caller: str) -> None:
        """Take note that he holds so much more, or less."""
        self.left -= size
        self._held[caller] += size
        if not self._held[caller]:
            del self._held[caller]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Entries that are to be judged, each with the objects that it tells of."""

    groups: Groups
    parts: Sequence[Part] = ()
    """What is written of a list: its entries, and what stands between them."""
    lines: Sequence[bytes] = ()


class Sieve:
    """Holds one answer. ``limit`` is how many of a list's entries the client wants.

    ``entries`` counts them so far, ``hidden`` those that the caller may not
    inspect. Raises FramingError where an answer is not what the daemon answers, or too long.
    """

    def __init__(
        self,
        operation: str,
        room: Room,
        limit: int | None = None,
        *,
        shows_all: bool = False,
        caller: str = "",
    ) -> None:
        self.streams = operation == EVENTS
        self.entries = self.hidden = 0
        self._room, self._caller = room, caller
        self._limit = limit
        self._shows_all = shows_all
        self._taken = 0
        self._given_up = self._overlong = False
        self._held = bytearray()
        self._shape = LISTINGS[operation] if not self.streams else NO_LIST
        self._splitter = Splitter(self._shape)
        self._left: list[bytes] = []
        self._size = 0
        self._shown = 0
        self._fresh = True

    def add(self, data: bytes) -> None:
        """Hold a piece of the body.

        An event that is too long is left out: it can be so by the labels of others.
        """
        if self._overlong:
            end = data.find(b"\n") + 1
            data, self._overlong = data[end:] if end else b"", not end
        self._take(len(data))
        self._held += data
        begun = self._held.rfind(b"\n") + 1
        if self.streams and len(self._held) - begun > LONGEST_EVENT:
            del self._held[begun:]
            self._overlong = True
            self.entries += 1
            self.hidden += 1

    def batch(self, *, whole: bool) -> Batch | None:
        """Return what can be judged now; ``whole`` says that nothing more comes."""
        return self._events(whole=whole) if self.streams else self._list(whole=whole)

    def passed(self, batch: Batch, shown: Sequence[bool]) -> bytes:
        """Take what was judged of a batch. Return what is left of events; a list is kept."""
        self.entries += len(shown)
        self.hidden += len(shown) - sum(shown)
        if self._shows_all:
            shown = [True] * len(shown)
        if self.streams:
            return b"".join(compress(batch.lines, shown))
        self._write(batch.parts, iter(shown))
        return b""

    def whole_list(self) -> bytes:
        """Return what is left of a list that is whole and judged."""
        if not self._splitter.done:
            raise FramingError("it is no JSON")
        return b"".join((*self._left, b"\n"))

    def let_go(self) -> None:
        """Give the room back. Nothing is held any more, and nothing will be."""
        self._hold(0)
        self._given_up = True
        self._held.clear()
        self._left.clear()

    def _take(self, size: int) -> None:
        if self._given_up:
            return
        if size and not self._room.has(size, self._caller):
            raise FramingError("too many long lists are being filtered just now")
        self._room.take(size, self._caller)
        self._taken += size

    def _hold(self, size: int) -> None:
        """Hold as much as this from here on, and no more."""
        self._room.take(-self._taken, self._caller)
        self._taken = 0
        self._take(size)

    def _events(self, *, whole: bool) -> Batch | None:
        end = len(self._held) if whole else self._held.rfind(b"\n") + 1
        found = bytes(self._held[:end]).splitlines(keepends=True)
        lines = [each for each in found if each.strip()]
        del self._held[:end]
        self._hold(len(self._held))
        return Batch([_in_line(line) for line in lines], lines=lines) if lines else None

    def _list(self, *, whole: bool) -> Batch | None:
        parts = self._splitter.feed(bytes(self._held), last=whole)
        self._held.clear()
        groups = [self._in_entry(part) for part in parts if isinstance(part, Entry)]
        if groups:
            return Batch(groups, parts=parts)
        self._write(parts, iter(()))
        return None

    def _in_entry(self, entry: Entry) -> tuple[Sighting, ...]:
        found = sighted(self._shape.places[entry.place], entry.value)
        return (found,) if found else ()

    def _write(self, parts: Iterable[Part], shown: Iterator[bool]) -> None:
        """Keep what is shown, in the words of the daemon."""
        for part in parts:
            if isinstance(part, str):
                self._keep(part)
                self._fresh = part == OPENING
            elif next(shown) and self._shown != self._limit:
                self._keep(part.text if self._fresh else f",{part.text}")
                self._fresh = False
                self._shown += 1
        self._hold(self._size + self._splitter.waiting)

    def _keep(self, text: str) -> None:
        written = text.encode()
        self._left.append(written)
        self._size += len(written)
        if self._size > LONGEST:
            raise FramingError(f"what is shown of it is longer than {LONGEST} bytes")


def wanted_whole(forward: Forward, operation: str) -> tuple[Forward, int | None]:
    """Return a request for all of a list, and how many of it the client wants.

    The daemon would count what the client may not see, and so tell him of it.
    """
    headers = tuple((n, v) for n, v in forward.headers if n.lower() not in _CHOOSING)
    path, _, query = forward.target.partition("?")
    pairs = query.split("&")
    limit = next((pair for pair in pairs if pair.startswith("limit=")), "")
    found = _LIMIT.fullmatch(limit) if operation == "ContainerList" else None
    if found is None:
        return forward._replace(headers=headers), None
    rest = [pair for pair in pairs if pair.partition("=")[0] not in {"limit", "all"}]
    # A limit is one of all containers, whether they run or not (moby daemon/list.go).
    target = f"{path}?{'&'.join(['all=1', *rest])}"
    return forward._replace(target=target, headers=headers), int(found[1])


def _in_line(line: bytes) -> tuple[Sighting, ...]:
    """Return what an event tells of; nothing where it cannot be read."""
    try:
        return sighted_in_event(json.loads(line))
    except (ValueError, RecursionError):
        return ()
