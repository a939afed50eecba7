"""Work beside the requests: a big load in a thread must not keep the event loop waiting.

Threads of Python share one lock. What holds it for long is not the loading
itself, which can be interrupted between any two steps, but what happens in one
step: a full garbage collection over a million rows, and the end of a
million objects at once. So while a policy loads there is no full collection,
threads take turns more often, and what is no longer needed goes in slices.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

TURN: Final = 0.0005
"""Seconds after which a thread that wants to run may."""

SLICE: Final = 200
"""Objects that are let go in one step; each may hold a few more."""


@contextmanager
def aside() -> Iterator[None]:
    """Load something big; what is there at the end is taken to stay.

    The collector looks at young objects as ever, so that what requests leave
    behind goes. At the end everything is frozen: no collection walks through
    the policy again, and it still ends when nobody refers to it.
    """
    interval = sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.freeze()
        gc.enable()


def drain(table: dict[Any, Any]) -> None:
    """Empty a big table entry by entry."""
    while table:
        table.popitem()


def let_go(parts: list[Any], *, after: float = 0.0) -> None:
    """Drop references slice by slice; the caller must have no others.

    ``after`` are seconds to wait before, for whoever still uses what they belong to.
    """
    time.sleep(after)
    while parts:
        del parts[-SLICE:]
        time.sleep(0)
