"""An answer that tells of many objects: taken apart, and written without those that are not shown.

Whoever judges the objects gets them in batches: all of a list at once, events as
they come. It knows bytes and JSON; it knows no connection and does no I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any, Final

from authz.docker.forward import Forward
from authz.facts.listings import EVENTS, LISTINGS, Sighting, sighted, sighted_in_event
from authz.facts.members import is_table
from authz.proxy.head import FramingError

LONGEST: Final = 16 * 1024 * 1024
"""Bytes of a list. One container is about a thousand."""

LONGEST_EVENT: Final = 256 * 1024
MOST_HELD: Final = 64 * 1024 * 1024
"""Bytes of all answers that are held back at once, until their clients have taken them."""

_CHOOSING = frozenset({"accept", "accept-encoding"})
"""Headers by which a client could have the daemon write in a form that is not read here."""

_LIMIT = re.compile(r"limit=(?:%2B)?(0*[1-9][0-9]{0,17})", re.ASCII)

Groups = Sequence[Sequence[Sighting]]
_Place = tuple[str, ...]


class Room:
    """How much is held back by everybody together."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self.left = most


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Entries that are to be judged, each with the objects that it tells of."""

    groups: Groups
    document: Any = None
    lists: tuple[tuple[_Place, Sequence[Any]], ...] = ()
    lines: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Sieve:
    """Holds one answer. ``limit`` is how many of a list's entries the client wants.

    Raises FramingError where an answer is not what the daemon answers, or too long.
    """

    operation: str
    room: Room
    limit: int | None = None
    shows_all: bool = False
    entries: int = 0
    hidden: int = 0
    """Entries so far, and those among them that the caller may not inspect."""
    _held: bytearray = field(default_factory=bytearray)
    _taken: int = 0

    @property
    def streams(self) -> bool:
        """Whether the answer is a stream of events."""
        return self.operation == EVENTS

    def add(self, data: bytes) -> None:
        """Hold a piece of the body."""
        self._take(len(data))
        self._held += data
        most = LONGEST_EVENT if self.streams else LONGEST
        if not self.streams and len(self._held) > most:
            raise FramingError(f"it is longer than {most} bytes, more than is filtered")
        if self.streams and len(self._held) - self._held.rfind(b"\n") > most:
            raise FramingError(f"an event is longer than {most} bytes")

    def batch(self, *, whole: bool) -> Batch | None:
        """Return what can be judged now; ``whole`` says that nothing more comes."""
        if self.streams:
            return self._events(whole=whole)
        return self._list() if whole else None

    def passed(self, batch: Batch, shown: Sequence[bool]) -> bytes:
        """Return what is left of a batch."""
        self.entries += len(shown)
        self.hidden += len(shown) - sum(shown)
        if self.shows_all:
            shown = [True] * len(shown)
        if batch.lines:
            return b"".join(compress(batch.lines, shown))
        return self._written(batch, shown)

    def let_go(self) -> None:
        """Give the room back. Nothing is held any more."""
        self.room.left += self._taken
        self._taken = 0
        self._held.clear()

    def _take(self, size: int) -> None:
        if size > self.room.left:
            raise FramingError("too many long lists are being filtered just now")
        self.room.left -= size
        self._taken += size

    def _events(self, *, whole: bool) -> Batch | None:
        end = len(self._held) if whole else self._held.rfind(b"\n") + 1
        lines = tuple(
            each for each in bytes(self._held[:end]).splitlines(keepends=True) if each.strip()
        )
        rest = self._held[end:]
        self.let_go()
        self._take(len(rest))
        self._held += rest
        return Batch([_in_line(line) for line in lines], lines=lines) if lines else None

    def _list(self) -> Batch:
        document = _parsed(self._held)
        shape = LISTINGS[self.operation]
        if () not in shape.places:
            document = _stripped(document, shape.places, shape.kept)
        lists = tuple((place, _list_at(document, place)) for place in shape.places)
        groups = [
            [found] if (found := sighted(shape.places[place], entry)) else []
            for place, entries in lists
            for entry in entries
        ]
        return Batch(groups, document, lists)

    def _written(self, batch: Batch, shown: Sequence[bool]) -> bytes:
        if all(shown) and self.limit is None and () in LISTINGS[self.operation].places:
            return bytes(self._held)  # byte by byte what the daemon wrote
        document, at = batch.document, 0
        for place, entries in batch.lists:
            kept = list(compress(entries, shown[at : at + len(entries)]))
            at += len(entries)
            if entries:
                document = _with(document, place, kept[: self.limit])
        return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


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
        return replace(forward, headers=headers), None
    rest = [pair for pair in pairs if pair.partition("=")[0] not in {"limit", "all"}]
    # A limit is one of all containers, whether they run or not (moby daemon/list.go).
    target = f"{path}?{'&'.join(['all=1', *rest])}"
    return replace(forward, target=target, headers=headers), int(found[1])


def _parsed(data: bytes | bytearray) -> Any:  # noqa: ANN401  any JSON
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise FramingError("it is no JSON") from None


def _in_line(line: bytes) -> tuple[Sighting, ...]:
    """Return what an event tells of; nothing where it cannot be read."""
    try:
        return sighted_in_event(_parsed(line))
    except FramingError:
        return ()


def _stripped(document: object, places: Iterable[_Place], kept: frozenset[str]) -> dict[str, Any]:
    """Return an object without the lists and objects in it that nobody has judged."""
    if not is_table(document):
        raise FramingError("it is not made of JSON objects")
    further = {name: [place[1:] for place in places if place[0] == name] for name in document}
    found = {}
    for name, value in document.items():
        if () in further[name] or name in kept or not isinstance(value, (dict, list)):
            found[name] = value
        elif further[name]:
            found[name] = _stripped(value, further[name], frozenset())
    return found


def _list_at(document: Any, place: _Place) -> Sequence[Any]:  # noqa: ANN401  any JSON
    """Return a list; none is an empty one."""
    for name in place:
        if document is not None and not is_table(document):
            raise FramingError(f"{'.'.join(place)} is not in a JSON object")
        document = (document or {}).get(name)
    if document is not None and not isinstance(document, list):
        raise FramingError(f"{'.'.join(place) or 'it'} is no list")
    return document or []


def _with(document: Any, place: _Place, entries: list[Any]) -> Any:  # noqa: ANN401  any JSON
    """Return a document with another list at a place."""
    if not place:
        return entries
    return {**document, place[0]: _with(document[place[0]], place[1:], entries)}
