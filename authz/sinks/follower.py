"""Passes the lines of the audit on, from where it was left, however long that takes.

A follower reads the file; decisions never wait for it, and nothing is lost while
the other side is slow or away: its position is kept in a file beside, and moves
on when the other side has taken what was sent. After a crash some lines may be
sent twice. It knows nothing of protocols.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import uniform
from typing import Protocol

import structlog

from authz.audit.trail import Line, Trail

LOOK = 0.2
"""Seconds between two looks for new lines."""

BATCH = 100
FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0
"""Seconds after an attempt that failed: the first, doubled up to the longest."""

log = structlog.get_logger(__name__)


class Transport(Protocol):
    """Somebody who takes lines. Errors are OSError (TLS's are some)."""

    def send(self, lines: Sequence[Line]) -> int | None:
        """Send lines, connecting where that is needed. Raises OSError.

        Returns how many of them the other side threw away, where it says so.
        """

    def settled(self) -> bool:
        """Say whether the other side has all that was sent. Raises OSError."""

    def close(self) -> None:
        """Hang up."""


class Follower:
    """Sends what is behind the position in ``state`` to a transport, in a thread of its own.

    ``problem`` says why the other side cannot be reached; it is empty where it can.
    ``rejected`` counts the lines that the other side took and threw away.
    """

    def __init__(self, name: str, path: Path, state: Path, transport: Transport) -> None:
        self.name = name
        self._state = state
        self._transport = transport
        self.sent_through = _position(state)
        self._trail = Trail(path, self.sent_through)
        self.problem = ""
        self.rejected = 0
        self._wait = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follower {name}", daemon=True)

    def start(self, count: int) -> None:
        """Begin. ``count`` is how many lines the chain has: one that began anew is sent anew."""
        if self.sent_through > count:
            self._trail.rewind(0)
            self.sent_through = 0
        self._thread.start()

    def stop(self) -> None:
        """End, after one more attempt for what is there."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def step(self) -> bool:
        """Send some lines; say whether there may be more at once. Raises nothing."""
        lines = self._trail.take(BATCH)
        try:
            if lines:
                self.rejected += self._transport.send(lines) or 0
            if self._trail.seq > self.sent_through and self._transport.settled():
                self._keep(self._trail.seq)
        except OSError as error:
            self._give_up(error)
            return False
        if self.problem:
            log.info("audit.forwarding_resumed", to=self.name)
        self.problem, self._wait = "", 0.0
        return len(lines) == BATCH

    def _give_up(self, error: OSError) -> None:
        """Go back to what the other side has for certain, and wait."""
        problem = error.strerror or str(error) or type(error).__name__
        if not self.problem:
            log.error("audit.forwarding_failed", to=self.name, problem=problem)
        self.problem = problem
        self._wait = min(LONGEST_WAIT, self._wait * 2 or FIRST_WAIT)
        self._transport.close()
        self._trail.rewind(self.sent_through)

    def _keep(self, seq: int) -> None:
        part = self._state.with_name(self._state.name + ".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, json.dumps({"seq": seq}).encode() + b"\n")
        finally:
            os.close(descriptor)
        part.replace(self._state)
        self.sent_through = seq

    def _run(self) -> None:
        spread = uniform(1, 1.25)  # noqa: S311  so that gates do not all come back at once
        while not self._ended.wait(self._wait * spread or LOOK):
            while self.step() and not self._ended.is_set():
                pass
        self.step()
        self._transport.close()
        self._trail.close()


def read_through(followers: Sequence[Follower]) -> Callable[[], int | None]:
    """Return what says up to which line all followers have sent; None without any."""
    return lambda: min((each.sent_through for each in followers), default=None)


def _position(state: Path) -> int:
    """Return the number of the last line that was sent; 0 where that is not known."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return int(json.loads(state.read_bytes())["seq"])
    return 0
