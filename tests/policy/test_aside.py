"""Work beside the requests: no full collection, short turns, and no end of everything at once."""

from __future__ import annotations

import gc
import sys

import pytest

from authz.policy.aside import SLICE, TURN, aside, drain, let_go


def test_the_collector_rests_while_something_loads():
    """What is there afterwards is taken to stay, and everything else is as before."""
    interval, frozen = sys.getswitchinterval(), gc.get_freeze_count()

    with aside():
        during = gc.isenabled(), sys.getswitchinterval()
        kept = [[] for _ in range(100)]

    assert during == (False, pytest.approx(TURN))
    assert gc.isenabled()
    assert sys.getswitchinterval() == interval
    assert gc.get_freeze_count() >= frozen + len(kept)
    gc.unfreeze()


def _fail() -> None:
    with aside():
        raise ValueError("broken")


def test_a_load_that_fails_leaves_nothing_behind():
    """The collector works again."""
    with pytest.raises(ValueError, match="broken"):
        _fail()

    assert gc.isenabled()
    gc.unfreeze()


def test_parts_go_in_slices():
    """All of them."""
    parts = [[] for _ in range(3 * SLICE + 1)]

    let_go(parts)

    assert parts == []


def test_a_table_is_emptied():
    """Entry by entry."""
    table = dict.fromkeys(range(10))

    drain(table)

    assert table == {}
