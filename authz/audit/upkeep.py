"""What an audit needs besides its lines: attempts, syncs, compression, deletion, copies.

All of it happens in one thread of its own, so that no decision waits for it.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time

import structlog

from authz.audit.rotation import Retention, compress, expired, family, first_of, to_compress
from authz.audit.sink import Sink
from authz.errors import AuditUnavailableError

EVERY = 1.0
"""Seconds between two rounds, unless the disk is to be synced more often."""

SWEEP = 10.0
"""Seconds between two looks at the closed files."""

MOST_COPIES = 1000
"""Checkpoints that wait for the place elsewhere; the oldest make room."""

log = structlog.get_logger(__name__)


class Elsewhere:
    """Keeps copies of checkpoints in another file, which may be slow or away for a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: deque[bytes] = deque(maxlen=MOST_COPIES)
        self._failed = False

    def take(self, line: bytes) -> None:
        """Keep a line for the next :meth:`deliver`. Waits for nothing."""
        self._waiting.append(line)

    def deliver(self) -> None:
        """Append what waits; what cannot be written waits on. Raises nothing."""
        while self._waiting:
            try:
                self._append(self._waiting[0])
            except OSError as error:
                if not self._failed:
                    log.error(  # noqa: TRY400  the disk's fault, a traceback says nothing
                        "audit.checkpoint_not_copied", path=str(self._path), problem=error.strerror
                    )
                self._failed = True
                return
            self._failed = False
            self._waiting.popleft()

    def _append(self, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(self._path, flags, 0o600)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Chores:
    """What is to be done. ``read_through`` says up to which line all followers have read."""

    compress: bool = True
    keep: Retention = field(default_factory=Retention)
    sync_every: float = 0
    elsewhere: Elsewhere | None = None
    read_through: Callable[[], int | None] = lambda: None


class Upkeep:
    """Looks after a sink from :meth:`start` to :meth:`stop`."""

    def __init__(self, sink: Sink, chores: Chores) -> None:
        self._sink = sink
        self._chores = chores
        self._ended = threading.Event()
        self._swept = 0.0
        self._thread = threading.Thread(target=self._run, name="audit upkeep", daemon=True)

    def start(self) -> None:
        """Begin. The notes of the start are written at once."""
        self.round()
        self._thread.start()

    def stop(self) -> None:
        """End, close the sink, and copy its last checkpoint."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)
        self._sink.close()
        if self._chores.elsewhere:
            self._chores.elsewhere.deliver()

    def round(self) -> None:
        """Do once what is due. Raises nothing."""
        self._sink.upkeep()
        if self._chores.elsewhere:
            self._chores.elsewhere.deliver()
        if monotonic() - self._swept >= SWEEP or not self._swept:
            self._swept = monotonic()
            self.sweep()

    def sweep(self) -> None:
        """Compress closed files, and delete those that need not be kept. Raises nothing."""
        path = self._sink.path
        try:
            if self._chores.compress:
                for each in list(to_compress(path)):
                    compress(each)
            if self._chores.keep:
                self._delete(expired(family(path), self._chores.keep, time()))
        except (OSError, EOFError, zlib.error) as error:
            log.error("audit.sweep_failed", path=str(path), problem=str(error))  # noqa: TRY400  as above
        except AuditUnavailableError:
            return  # what goes must be on the record before

    def _delete(self, files: list[Path]) -> None:
        """Delete the oldest files, after that was recorded; not before all followers read them."""
        closed = family(self._sink.path)
        read = self._chores.read_through()
        gone, through = [], 0
        for each in files:
            index = closed.index(each)
            following = closed[index + 1] if index + 1 < len(closed) else None
            last = (first_of(following) if following else None) or self._sink.first
            if read is not None and read < last - 1:
                break
            gone.append(each)
            through = last - 1
        if gone:
            self._sink.retire([each.name for each in gone], through)
        for each in gone:
            each.unlink(missing_ok=True)

    def _run(self) -> None:
        every = min(EVERY, self._chores.sync_every or EVERY)
        while not self._ended.wait(every):
            self.round()
