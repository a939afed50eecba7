"""The service's own log: one event a line, JSON for a machine, plain on a terminal.

Event names are constant, noun then past verb; what varies is in fields. No
secret, no body and no token goes into a field. The log goes to standard error,
because standard output may be the audit's.

The log may be lost, unlike the audit: whoever reads it may have gone or fallen
asleep, and the event loop must neither wait for him nor fail because of him.
"""

from __future__ import annotations

import json
import logging
import os
import select
import sys
from typing import Final, TextIO, cast

import structlog

PIECE: Final = 4096
"""Bytes that a pipe or socket takes without waiting, when it says that it can be written."""

log = structlog.get_logger(__name__)


class Lossy:
    """A stream of lines that neither waits nor raises: a line that finds no room is lost.

    How many were lost stands in a line of its own, before the next one that
    finds room.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lost = 0
        self._torn = False

    def write(self, text: str) -> int:
        """Write one line, with its end."""
        line = text.encode(errors="backslashreplace")
        if self._lost:
            line = _loss(self._lost) + line
        if self._torn:
            line = b"\n" + line
        rest = self._written(line)
        if not rest:
            self._lost, self._torn = 0, False
        else:
            self._lost += 1
            self._torn = self._torn or len(rest) < len(line)
        return len(text)

    def flush(self) -> None:
        """Do nothing: what is written has left."""

    def _written(self, line: bytes) -> bytes:
        """Write as much as there is room for, and return the rest."""
        try:
            while line and self._poll.poll(0):
                line = line[os.write(self._descriptor, line[:PIECE]) :]
        except OSError:  # nobody reads any more
            pass
        return line


class Libraries(logging.Handler):
    """Gives what libraries say through the standard module the form of the log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it again, as an event."""
        log.error(
            "library.complained",
            library=record.name,
            problem=record.getMessage(),
            exc_info=record.exc_info,
        )


def configure() -> None:
    """Set the log up for this process; whoever does not call this logs as structlog does."""
    terminal = sys.stderr.isatty()
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", Lossy(sys.stderr.fileno()))),
    )
    # Only what is wrong is of interest.
    logging.basicConfig(handlers=[Libraries()], level=logging.ERROR)


def _loss(lines: int) -> bytes:
    event = {"event": "log.lines_lost", "level": "warning", "lines": lines}
    return json.dumps(event).encode() + b"\n"
