"""Says that the service is alive, and ends it when it is not.

The daemon waits for a plugin without any limit, so a process whose event loop
stands still must go away: the daemon then refuses, and systemd starts it anew.
It knows the protocol of sd_notify(3) and nothing of requests.

An end in the middle can leave a torn last line in the audit file, which the
next start cuts off; a record whose decision was answered is whole by then.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping

import structlog

STALLED = 5.0
"""Seconds without a sign of life from the event loop, after which the process ends."""

BEAT = 0.5
"""Seconds between two signs of life."""

EXIT_STATUS = 70
"""EX_SOFTWARE of sysexits.h: a defect of the program itself."""

LAST_WORDS = 2
"""Seconds for the traces on standard error, whose reader may be what everything waits for."""

STANDARD_ERROR = 2

log = structlog.get_logger(__name__)


def notify(message: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell systemd, where it wants to be told, without waiting.

    Raises nothing: it is news, not work. Returns False where systemd should
    have been told and could not be.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return True
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.setblocking(False)  # noqa: FBT003  the name of the method says what
        try:
            sock.connect(address)
            sock.send(message.encode())
        except OSError:
            return False
    return True


def die() -> None:
    """End the process at once, showing where every thread stands.

    The loop may stand still because nobody reads standard error, and holds the
    locks of ``sys.stderr`` then. So it is written to directly, and the kernel
    ends the process (SIGALRM) when that takes too long.
    """
    signal.alarm(LAST_WORDS)
    try:
        os.write(STANDARD_ERROR, b"dockgate: the event loop stands still; the process ends\n")
        faulthandler.dump_traceback(file=STANDARD_ERROR, all_threads=True)
    finally:
        os._exit(EXIT_STATUS)


class Heartbeat:
    """Watches an event loop from a thread.

    Silence is counted in the thread's own beats. So a process that was stopped
    as a whole, by a debugger or with its virtual machine, has not stalled.
    """

    def __init__(
        self, *, stalled: float = STALLED, beat: float = BEAT, end: Callable[[], None] = die
    ) -> None:
        self._stalled = stalled
        self._beat = beat
        self._end = end
        self._silent = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="heartbeat", daemon=True)

    async def beat(self) -> None:
        """Give signs of life until cancelled."""
        self._thread.start()
        told = True
        try:
            while True:
                self._silent = 0
                _guard(2 * self._stalled)
                before, told = told, notify("WATCHDOG=1")
                if before and not told:
                    log.warning("service.manager_unreachable")
                await asyncio.sleep(self._beat)
        finally:
            _guard(0)
            self._stop.set()

    def _watch(self) -> None:
        while not self._stop.wait(self._beat):
            self._silent += 1
            if self._silent * self._beat > self._stalled:
                self._end()
                return


def _guard(seconds: float) -> None:
    """Have the kernel end the process (SIGPROF) after so much time on the processor.

    A thread cannot watch a loop that computes without ever letting go of the
    interpreter, as a regular expression does.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)
