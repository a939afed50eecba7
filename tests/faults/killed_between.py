"""A gate that is killed when a record is written and its answer has not left: ``... CONFIG``.

It ends by itself, as by kill -9, where the first request for such a list would be answered.
"""

from __future__ import annotations

import os
import signal
import sys

from authz.audit.record import AuditRecord
from authz.cli.main import main
from authz.pending import Pending
from tests.faults.service import target

LAST = 3
"""The number of the request behind whose record it ends."""


ended: set[str] = set()
"""Ids of requests behind whose record it ends."""


def record(self: Pending, make=Pending.record) -> AuditRecord:
    """Make a record, and take note of the one that is the last."""
    made = make(self)
    if made.asked and made.asked.target == target(LAST):
        ended.add(made.id)
    return made


def settled(self: Pending, error: Exception | None, answer=Pending.settled) -> None:
    """Answer, unless this is the one."""
    if self.id in ended:
        os.kill(os.getpid(), signal.SIGKILL)
    answer(self, error)


if __name__ == "__main__":
    Pending.record = record
    Pending.settled = settled
    sys.argv = ["dockgate", "serve", "--config", sys.argv[1]]
    main()
