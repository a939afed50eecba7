"""Brings records into the sink without holding up the event loop; they share writes and syncs.

What is decided in turns of the event loop that follow each other is written in one
piece, behind the first one that brings nothing more, and whoever is answered waits
for that. A file that nobody waits for is written to there; what can wait for a disk
or a reader is done in one thread, which takes all that has come in meanwhile and
brings it to the disk together. What nobody waits for at all goes along with the next
decision, if there is one soon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeAlias

import structlog

from authz.audit.chain import Kind
from authz.audit.ledger import Note, now
from authz.audit.record import AuditRecord
from authz.audit.stamp import stamp
from authz.audit.summary import PERIOD, Summary
from authz.errors import AuditUnavailableError
from authz.policy.decision import Effect
from authz.worker import Worker

MOST_WAITING = 1024
"""Records that wait for the thread; more are refused at once."""

MOST_OF_A_TURN = 256
"""Records that are held back for turns of the event loop; more begin another write."""

SOON = 0.1
"""Seconds for which what nobody waits for is held back, to share the write of a decision."""

LAST_MOMENT = 1.0
"""Seconds that the end waits for what is being written."""

log = structlog.get_logger(__name__)


class Sink(Protocol):
    """Whoever keeps records; ``authz.audit.sink`` has the contracts."""

    @property
    def blocking(self) -> bool:
        """Whether it has to be called in a thread."""

    @property
    def quick(self) -> bool:
        """Whether of all its calls only ``commit`` has to be."""

    @property
    def problem(self) -> str:
        """Why nothing can be written."""

    def append(self, *records: AuditRecord, before: Sequence[Note] = ()) -> None:
        """Write records, and notes ``before`` them that say their time: all of it, or nothing."""

    def commit(self) -> None:
        """Bring it to the disk, where that is waited for."""


class Recordable(Protocol):
    """A decision that is to be written, and whoever waits for that."""

    def record(self) -> AuditRecord:
        """Return what is written."""

    def settled(self, error: Exception | None) -> None:
        """Hear once that it is written, or why it is not: AuditUnavailableError, or a defect."""


Errors: TypeAlias = list[Exception | None]
"""What became of each of several that were written together."""


class Recorder:
    """Writes records of one process. ``time_limit`` is in seconds, for one record."""

    def __init__(
        self,
        sink: Sink,
        time_limit: float,
        summary: Summary | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._sink = sink
        self._summary = summary or Summary()
        self._clock = clock
        self._turn: list[Recordable] = []
        self._notes: list[_Note] = []
        self._ends = False
        self._seen = 0
        self._worker: Worker[Errors] = Worker("audit", time_limit)
        self._summing: asyncio.TimerHandle | None = None
        self._telling: asyncio.TimerHandle | None = None
        self._unrecorded = 0
        self._unrecorded_since = ""
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why records cannot be written now; empty where they can."""
        if not self._worker.busy:  # nothing hangs any more; the rest is for the sink to know
            self._problem = ""
        return self._sink.problem or self._problem

    @property
    def waiting(self) -> int:
        """How many records are held back: for the thread, or for the end of the turn."""
        return len(self._turn) + len(self._notes)

    def hold(self, one: Recordable) -> None:
        """Write a decision with those that come close to it, and tell it.

        INVARIANT: whoever was told nothing yet answers nothing, and who was told
        of an error answers a refusal. A refusal above its allowance is counted,
        and told in a summary later.
        """
        self._take(one)
        if not self._ends:
            self._end_later()

    def put(self, one: Recordable) -> None:
        """Do so at once where that waits for nobody: for those who are not cheaply held back."""
        if self._sink.blocking:
            self.hold(one)
        else:
            self._take(one)
            self.flush()

    async def write(self, record: AuditRecord) -> None:
        """Write one decision. Raises AuditUnavailableError: then nothing may be answered."""
        one = _Awaited(record)
        self.put(one)
        await one.done

    async def state(self, kind: Kind, members: Mapping[str, Any]) -> None:
        """Write something else that must be there. Raises AuditUnavailableError."""
        done = _future()
        self._notes.append(_Note(self._now(kind, members), done))
        if self._sink.blocking:
            self._end_later()
        else:
            self.flush()
        await done

    def tell(self, kind: Kind, members: Mapping[str, Any]) -> None:
        """Write something that nobody waits for: with the next decision, or soon.

        It says the time of now. What cannot be written is told in the log. A process
        that is killed takes with it what it has not written; one that ends does not.
        """
        if len(self._notes) >= MOST_OF_A_TURN and not self._has_room():
            log.error("audit.note_lost", kind=kind.value, problem="too many records wait")
            return
        self._notes.append(_Note(self._now(kind, members)))
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(SOON, self._tell)

    def unrecorded(self) -> None:
        """Count something that was let through without a record, to tell it later."""
        if not self._unrecorded:
            self._unrecorded_since = stamp(self._clock())
        self._unrecorded += 1

    def flush(self) -> None:
        """Write what is held back, in one piece: notes are older than decisions. Raises nothing.

        INVARIANT: what the thread has begun goes first, and it comes back for the
        rest. Whoever goes while he waits leaves the record to be written. While
        a write hangs, what is held back is refused and never written; else the
        file may tell of a decision that was refused, never the other way round.
        """
        if not self.waiting:
            return
        if self._worker.busy:
            if self._worker.hangs:
                self._refuse("an earlier record is still being written")
            return
        turn, self._turn = self._turn, []
        told, records = self._to_write(turn) if turn else ([], [])
        notes, self._notes = self._notes, []
        wanted: list[Recordable | _Note] = [*notes, *told]
        if not wanted:
            return
        put = partial(_put, self._sink, [each.note for each in notes], records)
        if not self._sink.blocking:
            self._told(wanted, put())
            return
        if self._sink.quick:  # then the thread has nothing to do but to sync
            put = partial(list, put())
        self._worker.begin(partial(_committed, self._sink, put), partial(self._done, wanted))

    def close(self) -> None:
        """Tell what was counted, and let go of the thread; what it has begun it finishes."""
        if self._summing is not None:
            self._summing.cancel()
        self._sum_up()
        self._worker.wait(LAST_MOMENT)
        self.flush()
        self._worker.wait(LAST_MOMENT)

    def _take(self, one: Recordable) -> None:
        if len(self._turn) >= MOST_OF_A_TURN and not self._has_room():
            self._told([one], [AuditUnavailableError("too many records wait to be written")])
        else:
            self._turn.append(one)

    def _end_later(self) -> None:
        self._ends = True
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        """Write what is held back, unless this turn brought some: then the next one may as well."""
        held = self.waiting
        if self._seen < held < MOST_OF_A_TURN:
            self._seen = held
            asyncio.get_running_loop().call_soon(self._end)
            return
        self._ends = False
        self._seen = 0
        self.flush()

    def _tell(self) -> None:
        self._telling = None
        self.flush()

    def _now(self, kind: Kind, members: Mapping[str, Any]) -> Note:
        return kind, {"time": stamp(self._clock()), **members}

    def _has_room(self) -> bool:
        """Make room, and say whether there is some."""
        self.flush()
        return self.waiting < MOST_WAITING

    def _to_write(self, turn: list[Recordable]) -> tuple[list[Recordable], list[AuditRecord]]:
        """Return what is to be written, and its records; the others are told.

        One that cannot be put down fails alone.
        """
        wanted = []
        records = []
        for one in turn:
            try:
                record = one.record()
                counted = record.verdict is not Effect.ALLOW and self._summary.takes(record)
            except Exception as error:  # noqa: BLE001  whoever waits gets it
                self._told([one], [error])
                continue
            if counted:
                self._sum_up_later()
                self._told([one], [None])
            else:
                wanted.append(one)
                records.append(record)
        return wanted, records

    def _done(self, wanted: list[Recordable | _Note], errors: Errors | None) -> None:
        """Go on behind what the thread did, or refuse with it what waits for it."""
        if errors is None:
            problem = "the record was not written in time"
            self._told(wanted, [AuditUnavailableError(problem)] * len(wanted))
            self._refuse(problem)
        else:
            self._told(wanted, errors)
            if self.waiting and not self._ends:
                self._end_later()

    def _refuse(self, problem: str) -> None:
        """Write nothing of what is held back."""
        held: list[Recordable | _Note] = [*self._turn, *self._notes]
        self._turn, self._notes = [], []
        self._told(held, [AuditUnavailableError(problem)] * len(held))

    def _told(self, wanted: Sequence[Recordable | _Note], errors: Errors) -> None:
        problem = ""
        for one, error in zip(wanted, errors, strict=True):
            if isinstance(error, AuditUnavailableError):
                problem = str(error)
            try:
                one.settled(error)
            except Exception:
                log.exception("audit.answer_failed")
        self._problem = problem
        if self._unrecorded and not problem:
            count, self._unrecorded = self._unrecorded, 0
            self.tell(Kind.UNRECORDED, {"since": self._unrecorded_since, "count": count})

    def _sum_up_later(self) -> None:
        if self._summing is None:
            self._summing = asyncio.get_running_loop().call_later(PERIOD, self._sum_up)

    def _sum_up(self) -> None:
        self._summing = None
        for members in self._summary.told():
            self.tell(Kind.SUMMARY, members)


class _Awaited:
    """A record that a task waits for."""

    def __init__(self, record: AuditRecord) -> None:
        self._record = record
        self.done = _future()

    def record(self) -> AuditRecord:
        """Return it."""
        return self._record

    def settled(self, error: Exception | None) -> None:
        """Let the task go on."""
        _set(self.done, error)


@dataclass(frozen=True, slots=True)
class _Note:
    """Something else that is written; where nobody waits, the log is told what is lost."""

    note: Note
    done: asyncio.Future[None] | None = None

    def settled(self, error: Exception | None) -> None:
        """Let a task go on."""
        if self.done is not None:
            _set(self.done, error)
        elif error is not None:
            log.error("audit.note_lost", kind=self.note[0].value, problem=str(error))


def _put(sink: Sink, notes: list[Note], records: list[AuditRecord]) -> Errors:
    """Write everything in one piece, and say what became of each.

    Where one has a defect, each is written by itself, so that it fails alone.
    """
    size = len(notes) + len(records)
    try:
        sink.append(*records, before=notes)
    except AuditUnavailableError as error:
        return [error] * size
    except Exception as error:  # noqa: BLE001  whoever waits gets it
        if size == 1:
            return [error]
        single = [_put(sink, [each], []) for each in notes]
        return [errors[0] for errors in single + [_put(sink, [], [each]) for each in records]]
    return [None] * size


def _committed(sink: Sink, put: Callable[[], Errors]) -> Errors:
    """Write, and bring it to the disk; what is not there for certain has failed."""
    errors = put()
    try:
        sink.commit()
    except Exception as error:  # noqa: BLE001  whoever waits gets it
        return [each or error for each in errors]
    return errors


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


def _set(done: asyncio.Future[None], error: Exception | None) -> None:
    """Say how a write ended, unless nobody waits for it any more."""
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
