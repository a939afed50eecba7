"""Scripted parts: they do what they were told, and remember what they were asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from authz.audit.ledger import Note
from authz.audit.record import AuditRecord
from authz.deadlines import Deadlines
from authz.errors import AuditUnavailableError
from authz.facts.questions import MISSING, Answer, Question, Topic
from tests.builders import DAEMON


async def until(condition: Callable[[], object], seconds: float = 5) -> None:
    """Wait until something is so. Raises AssertionError when it does not become so."""
    for _ in range(int(seconds * 1000)):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not become so in time")


def wait_for(condition: Callable[[], object], seconds: float = 15) -> None:
    """Do the same where there is no event loop."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.005)


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    now: float = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass
class ScriptedLookups:
    """Answers what the script says; an error in it is raised, what is not in it is missing."""

    script: Mapping[Question, Answer | Exception] = field(default_factory=dict)
    hanging: frozenset[Topic] = frozenset()
    """Topics that are never answered."""
    asked: list[Question] = field(default_factory=list)
    waiting: int = 0
    """Questions that hang now."""

    known: frozenset[Topic] = frozenset()
    """Topics that are answered at once."""
    soon: frozenset[Topic] = frozenset()
    """Topics that can be asked about without a task."""
    gone: bool = False
    """Whether that turns out to be wrong."""

    def ready(self, question: Question) -> bool:
        """Say what the script says."""
        return question.topic in self.soon

    async def answer_soon(self, question: Question, limits: Deadlines) -> Answer | None:
        """Answer when the loop comes round, raise or hang."""
        reply = asyncio.get_running_loop().create_future()
        limits.watch(reply)
        if question.topic not in self.hanging:
            asyncio.get_running_loop().call_soon(reply.set_result, None)
        try:
            await reply
        finally:
            limits.end(reply)
        return None if self.gone else await self.answer(question)

    def at_hand(self, questions: tuple[Question, ...]) -> Mapping[Question, Answer]:
        """Answer what is known at once, as the script says."""
        return {each: self.script[each] for each in questions if each.topic in self.known}

    async def answer(self, question: Question) -> Answer:
        """Answer, raise or hang."""
        self.asked.append(question)
        if question.topic in self.hanging:
            self.waiting += 1
            try:
                await asyncio.Event().wait()
            finally:
                self.waiting -= 1
        usual = DAEMON if question.topic is Topic.DAEMON else MISSING
        found = self.script.get(question, usual)
        if isinstance(found, Exception):
            raise found
        return found


@dataclass
class ScriptedSink:
    """Keeps records in memory. ``fault`` is raised instead; ``go`` is waited for."""

    blocking: bool = False
    fault: Exception | None = None
    go: threading.Event = field(default_factory=threading.Event)
    records: list[AuditRecord] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)
    """How many records were written together, each time."""
    notes: list[Note] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    """When the notes came."""
    commits: int = 0
    quick: bool = False
    syncing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Write at once, unless a test holds it up."""
        self.go.set()

    @property
    def problem(self) -> str:
        """Say why nothing can be written."""
        return str(self.fault) if isinstance(self.fault, AuditUnavailableError) else ""

    def append(self, *records: AuditRecord, before: Sequence[Note] = ()) -> None:
        """Keep records and notes, when it may; of these not when they came."""
        self.threads.append(threading.current_thread().name)
        if not self.go.wait(10):
            raise AuditUnavailableError("the test let go of nothing")
        if self.fault is not None:
            raise self.fault
        self.records += records
        for kind, members in before:
            self.times.append(members["time"])
            self.notes.append((kind, {k: v for k, v in members.items() if k != "time"}))
        self.writes.append(len(records))

    def commit(self) -> None:
        """Count, when it may."""
        self.syncing.set()
        if not self.go.wait(10):
            raise AuditUnavailableError("the test let go of nothing")
        self.commits += 1

    def close(self) -> None:
        """Do nothing."""
