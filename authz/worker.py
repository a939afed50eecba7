"""Work that may wait for a disk, one piece at a time, in one thread, within a time.

The event loop is told when it has ended, or when it is late. It knows nothing of
what is done.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Job(Generic[T]):
    """A piece of work; ``done`` is called with what it returned, or with None: it is late."""

    work: Callable[[], T]
    done: Callable[[T | None], None]
    loop: asyncio.AbstractEventLoop
    timer: asyncio.TimerHandle | None = None
    result: T | None = None


class Worker(Generic[T]):
    """Does one thing at a time. ``time_limit`` is in seconds, for one of them."""

    def __init__(self, name: str, time_limit: float) -> None:
        self._name = name
        self._time_limit = time_limit
        self._queue: SimpleQueue[_Job[T] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._job: _Job[T] | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being done, however late."""
        return self._job is not None

    @property
    def hangs(self) -> bool:
        """Whether it is late."""
        return self._job is not None and self._job.timer is None

    def begin(self, work: Callable[[], T], done: Callable[[T | None], None]) -> None:
        """Do something that raises nothing; ``done`` is told once, in this loop.

        It is told None where it takes too long: it goes on then, and until it has
        ended this is busy. Nothing else may be under way.
        """
        loop = asyncio.get_running_loop()
        job = self._job = _Job(work, done, loop)
        job.timer = loop.call_later(self._time_limit, self._late, job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._queue.put(job)

    def wait(self, seconds: float) -> None:
        """Let what is being done end, for so long, and the thread with it."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._queue.put(None)
        thread.join(seconds)
        if self._job is not None and not thread.is_alive():
            self._ended(self._job)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            job.result = job.work()
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                job.loop.call_soon_threadsafe(self._ended, job)

    def _ended(self, job: _Job[T]) -> None:
        if job is not self._job:
            return
        self._job = None
        if job.timer is not None:
            job.timer.cancel()
            job.done(job.result)

    def _late(self, job: _Job[T]) -> None:
        job.timer = None
        job.done(None)
