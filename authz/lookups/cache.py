"""Answers that are still good, for as long as the daemon would tell of a change.

Only what is asked by its whole id is kept: an id never means another object.
Of that, only what does not change, or not without an event: networks and execs,
and containers while they run. Whatever is not certain is asked afresh: without a
stream of events, with one that is behind, with a process that stood still.

The reasons, and what was looked at in the daemon, are in docs/decisions/0011.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from authz.facts.questions import Answer, Question, Topic

MOST_ENTRIES = 256
MOST_BYTES = 2 * 1024 * 1024
"""Bound of what is kept, counted as the daemon wrote it."""

LONGEST = 64 * 1024
"""Bytes of one document; larger ones are not kept."""

LASTS = 5.0
"""Seconds for which an answer is believed although no event said otherwise."""

ALIVE = 0.5
"""Seconds since the last sign of life, after which events may wait that nobody has read."""

BEHIND = 1.0
"""Seconds that an event may be old, and for which nothing is believed after one that was older."""

MOST_AT_ONCE = 256
"""Events in one piece of the stream. The daemon drops some for a reader that falls far behind."""

_ID = re.compile("[0-9a-f]{64}")
KEPT = frozenset({Topic.CONTAINER, Topic.EXEC, Topic.NETWORK})
_IDS = {Topic.CONTAINER: "Id", Topic.EXEC: "ID", Topic.NETWORK: "Id"}

_HARMLESS = frozenset(
    {
        "archive-path",
        "attach",
        "commit",
        "copy",
        "detach",
        "exec_create",
        "exec_detach",
        "exec_die",
        "exec_start",
        "export",
        "extract-to-dir",
        "health_status",
        "resize",
        "top",
    }
)
"""What happens to a container without changing what is judged of it; all else drops it."""


class Source(Protocol):
    """Whoever asks the daemon."""

    async def sized(self, question: Question) -> tuple[Answer, int]:
        """Return the answer, and how long it was. Raises LookupFailedError."""


@dataclass(frozen=True, slots=True)
class _Entry:
    answer: Mapping[str, Any]
    size: int
    until: float
    container: str


class Cache:
    """Asks the source, unless it knows. Whoever reads events tells it of them."""

    def __init__(
        self,
        source: Source,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._clock = clock
        self._wall = wall
        self._entries: dict[Question, _Entry] = {}
        self._size = 0
        self._follows = False
        self._alive = 0.0
        self._not_before = 0.0
        self._changes = 0

    async def answer(self, question: Question) -> Answer:
        """Return what is known, or what the daemon says. Raises LookupFailedError."""
        entry = self._entries.get(question)
        if entry is not None and self.current and self._clock() < entry.until:
            return entry.answer
        changes = self._changes
        answer, size = await self._source.sized(question)
        # INVARIANT: what an event overtook is not kept. It may be from before the change.
        if changes == self._changes and self.current:
            self._keep(question, answer, size)
        return answer

    @property
    def current(self) -> bool:
        """Whether events arrive, and without delay."""
        now = self._clock()
        return self._follows and now >= self._not_before and now - self._alive <= ALIVE

    def live(self) -> None:
        """Take a sign of life: the process does not stand still."""
        if self._clock() - self._alive > ALIVE:
            self.forget()
        self._alive = self._clock()

    def follow(self) -> None:
        """Take note that events are going to arrive.

        The daemon says so just before it is so (getEvents of system_routes.go), so
        that nothing is believed for a moment.
        """
        self.forget()
        self._follows = True

    def lose(self) -> None:
        """Take note that no events arrive any more."""
        self.forget()
        self._follows = False

    def forget(self) -> None:
        """Drop everything, and believe nothing for a moment: something may have been missed."""
        self._entries.clear()
        self._size = 0
        self._changes += 1
        self._not_before = self._clock() + BEHIND

    def tell(self, lines: list[bytes]) -> None:
        """Take the events that arrived together. What cannot be read may mean anything."""
        if len(lines) > MOST_AT_ONCE:
            self.forget()
            return
        for line in lines:
            try:
                self._take(json.loads(line))
            except (ValueError, RecursionError, AttributeError, TypeError, LookupError):
                self.forget()

    def _take(self, event: dict[str, Any]) -> None:
        """Drop what an event is about. Raises LookupError and the like for what is none."""
        if self._wall() - event.get("timeNano", 0) / 1e9 > BEHIND:
            self.forget()
            return
        action = event.get("Action", "").partition(":")[0].strip()
        if event.get("Type") == "container" and action in _HARMLESS:
            return
        actor = event["Actor"]
        self._drop(actor["ID"])
        self._drop(actor.get("Attributes", {}).get("container"))

    def _drop(self, id_: str | None) -> None:
        self._changes += 1
        for question, entry in list(self._entries.items()):
            if id_ in (question.key, entry.container):
                self._remove(question)

    def _keep(self, question: Question, answer: Answer, size: int) -> None:
        """Keep an answer by the id of its object, whatever it was asked by."""
        if not isinstance(answer, Mapping) or question.topic not in KEPT or size > LONGEST:
            return
        id_ = answer.get(_IDS[question.topic])
        if not isinstance(id_, str) or not _ID.fullmatch(id_) or not _lasts(question, answer):
            return
        place = Question(question.topic, id_)
        if place in self._entries:
            self._remove(place)
        container = answer.get("ContainerID", "") if question.topic is Topic.EXEC else id_
        self._entries[place] = _Entry(answer, size, self._clock() + LASTS, container)
        self._size += size
        while len(self._entries) > MOST_ENTRIES or self._size > MOST_BYTES:
            self._remove(next(iter(self._entries)))

    def _remove(self, question: Question) -> None:
        self._size -= self._entries.pop(question).size


def _lasts(question: Question, answer: Mapping[str, Any]) -> bool:
    """Say whether the daemon would tell of a change.

    A container that does not run joins networks without an event, and one that
    restarts can stop without one (ConnectToNetwork, handleContainerExit). A
    swarm's networks are changed elsewhere.
    """
    if question.topic is Topic.CONTAINER:
        state = answer.get("State")
        if not isinstance(state, Mapping):
            return False
        return state.get("Running") is True and state.get("Restarting") is False
    return question.topic is not Topic.NETWORK or answer.get("Scope") == "local"
