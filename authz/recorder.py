"""Brings records into the sink without holding up the event loop, and has them share a sync.

Whoever is answered waits for his record. A file that nobody waits for is
written to at once; what can wait for a disk or a reader is done in one thread,
which takes all that has come in meanwhile and brings it to the disk together.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import structlog

from authz.audit.chain import Kind
from authz.audit.ledger import now, stamp
from authz.audit.record import AuditRecord
from authz.audit.summary import PERIOD, Summary
from authz.errors import AuditUnavailableError

MOST_WAITING = 1024
"""Records that wait for the thread; more are refused at once."""

LAST_MOMENT = 1.0
"""Seconds that the end waits for what is being written."""

log = structlog.get_logger(__name__)


class Sink(Protocol):
    """Whoever keeps records; ``authz.audit.sink`` has the contracts."""

    @property
    def blocking(self) -> bool:
        """Whether it has to be called in a thread."""

    @property
    def problem(self) -> str:
        """Why nothing can be written."""

    def append(self, record: AuditRecord) -> None:
        """Write a record."""

    def note(self, kind: Kind, members: Mapping[str, Any]) -> None:
        """Write something else."""

    def commit(self) -> None:
        """Bring it to the disk, where that is waited for."""


@dataclass(eq=False, slots=True)
class _Wanted:
    """Something that is to be written, and who waits for it."""

    put: Callable[[], None]
    done: asyncio.Future[None] | None = None
    given_up: bool = False
    begun: bool = False
    finished: bool = False
    error: BaseException | None = None


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
        self._time_limit = time_limit
        self._summary = summary or Summary()
        self._clock = clock
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit")
        self._lock = threading.Lock()
        self._waiting: list[_Wanted] = []
        self._draining = False
        self._job: Future[None] | None = None
        self._late: _Wanted | None = None
        self._summing: asyncio.TimerHandle | None = None
        self._unrecorded = 0
        self._unrecorded_since = ""
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why records cannot be written now; empty where they can."""
        if not self._draining:  # nothing hangs any more; the rest is for the sink to know
            self._problem = ""
        return self._sink.problem or self._problem

    async def write(self, record: AuditRecord) -> None:
        """Write one decision. Raises AuditUnavailableError: then nothing may be answered.

        A refusal above its allowance is counted, and told in a summary later.
        """
        if self._summary.takes(record):
            self._sum_up_later()
            return
        try:
            await self._append(partial(self._sink.append, record))
        except AuditUnavailableError as error:
            self._problem = str(error)
            raise
        self._problem = ""
        if self._unrecorded:
            self._tell_unrecorded()

    def tell(self, kind: Kind, members: Mapping[str, Any]) -> None:
        """Write something that nobody waits for. What cannot be written is told in the log."""
        put = partial(self._sink.note, kind, members)
        if self._sink.blocking:
            if len(self._waiting) < MOST_WAITING:
                self._hand_over(_Wanted(put))
            else:
                log.error("audit.note_lost", kind=kind.value, problem="too many records wait")
            return
        try:
            put()
        except AuditUnavailableError as error:
            log.error("audit.note_lost", kind=kind.value, problem=str(error))  # noqa: TRY400  the disk's fault, a traceback says nothing

    def unrecorded(self) -> None:
        """Count something that was let through without a record, to tell it later."""
        if not self._unrecorded:
            self._unrecorded_since = stamp(self._clock())
        self._unrecorded += 1

    def close(self) -> None:
        """Tell what was counted, and let go of the thread; what it has begun it finishes."""
        if self._summing is not None:
            self._summing.cancel()
        self._sum_up()
        self._writer.shutdown(wait=False)
        if self._job is not None:
            wait({self._job}, timeout=LAST_MOMENT)

    async def _append(self, put: Callable[[], None]) -> None:
        """Write, in a thread where that can wait for a disk.

        INVARIANT: whoever is cancelled while he waits leaves the record to be
        written. One that is too late is not written any more if the thread has
        not begun with it; else the file may tell of a decision that was
        refused, never the other way round. While one hangs, none is queued
        behind it.
        """
        if not self._sink.blocking:
            put()
            return
        if self._late is not None and not self._late.finished:
            raise AuditUnavailableError("an earlier record is still being written")
        if len(self._waiting) >= MOST_WAITING:
            raise AuditUnavailableError("too many records wait to be written")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        wanted = _Wanted(put, done)
        self._hand_over(wanted)
        done.add_done_callback(_retrieve)
        await asyncio.wait({done}, timeout=self._time_limit)
        if not done.done():
            wanted.given_up = True
            if wanted.begun:
                self._late = wanted
            raise AuditUnavailableError("the record was not written in time")
        done.result()

    def _hand_over(self, wanted: _Wanted) -> None:
        with self._lock:
            self._waiting.append(wanted)
            begin, self._draining = not self._draining, True
        if begin:
            self._job = self._writer.submit(self._drain, asyncio.get_running_loop())

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write all that waits, and sync it together; again and again until nothing waits."""
        while True:
            with self._lock:
                batch, self._waiting = self._waiting, []
                if not batch:
                    self._draining = False
                    return
            for each in batch:
                each.begun = not each.given_up
                each.error = _raised(each.put) if each.begun else None
            error = _raised(self._sink.commit)
            for each in batch:
                each.error = each.error or error
                each.finished = True
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(_settle, batch)

    def _sum_up_later(self) -> None:
        if self._summing is None:
            self._summing = asyncio.get_running_loop().call_later(PERIOD, self._sum_up)

    def _sum_up(self) -> None:
        self._summing = None
        for members in self._summary.told():
            self.tell(Kind.SUMMARY, members)

    def _tell_unrecorded(self) -> None:
        count, self._unrecorded = self._unrecorded, 0
        self.tell(Kind.UNRECORDED, {"since": self._unrecorded_since, "count": count})


def _raised(act: Callable[[], None]) -> BaseException | None:
    try:
        act()
    except Exception as error:  # noqa: BLE001  whoever waits gets it
        return error
    return None


def _retrieve(done: asyncio.Future[None]) -> None:
    """Take note of how a write ended, even where nobody waits for it any more."""
    if not done.cancelled():
        done.exception()


def _settle(batch: list[_Wanted]) -> None:
    """Tell those who wait, in the thread of their loop."""
    for each in batch:
        if each.done is None or each.done.done():
            if isinstance(each.error, AuditUnavailableError) and each.done is None:
                log.error("audit.note_lost", problem=str(each.error))
            continue
        if each.error is None:
            each.done.set_result(None)
        else:
            each.done.set_exception(each.error)
