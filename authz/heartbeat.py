"""Says that the service is alive, and ends it when it is not.

The daemon waits for a plugin without any limit, so a process whose event loop
stands still must go away: the daemon then refuses, and systemd starts it anew.
It knows the protocol of sd_notify(3) and nothing of requests.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, MutableMapping

STALLED = 5.0
"""Seconds without a sign of life from the event loop, after which the process ends."""

BEAT = 0.5
"""Seconds between two signs of life."""

EXIT_STATUS = 70
"""EX_SOFTWARE of sysexits.h: a defect of the program itself."""


def notify(message: str, environ: MutableMapping[str, str] = os.environ) -> None:
    """Tell systemd, where it wants to be told. Raises nothing: it is news, not work."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.connect(address)
            sock.send(message.encode())
        except OSError as error:
            sys.stderr.write(f"dockgate: systemd cannot be told: {error.strerror}\n")


def die() -> None:
    """End the process at once, showing where every thread stands."""
    sys.stderr.write("dockgate: the event loop stands still; the process ends\n")
    faulthandler.dump_traceback(all_threads=True)
    os._exit(EXIT_STATUS)


class Heartbeat:
    """Watches an event loop from a thread."""

    def __init__(self, *, stalled: float = STALLED, end: Callable[[], None] = die) -> None:
        self._stalled = stalled
        self._end = end
        self._last = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="heartbeat", daemon=True)

    async def beat(self) -> None:
        """Give signs of life until cancelled."""
        self._last = time.monotonic()
        self._thread.start()
        try:
            while True:
                self._last = time.monotonic()
                notify("WATCHDOG=1")
                await asyncio.sleep(BEAT)
        finally:
            self._stop.set()

    def _watch(self) -> None:
        while not self._stop.wait(BEAT):
            if time.monotonic() - self._last > self._stalled:
                self._end()
                return
