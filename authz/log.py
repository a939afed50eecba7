"""The service's own log: one event a line, JSON for a machine, plain on a terminal.

Event names are constant, noun then past verb; what varies is in fields. No
secret, no body and no token goes into a field. The log goes to standard error,
because standard output may be the audit's.
"""

from __future__ import annotations

import logging
import sys

import structlog


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
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries speak through the standard module; only what is wrong is of interest.
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(name)s: %(message)s")
