"""Work in a thread: one piece at a time, and the loop is told once how it ended."""

import asyncio
import threading

import pytest

from authz.worker import Worker
from tests.fakes import until


@pytest.fixture
async def worker():
    """Return one with a short limit, and what makes its work end."""
    one, go = Worker("work", 0.1), threading.Event()
    yield one, go
    go.set()
    one.wait(5)


async def test_it_is_done_in_a_thread_and_told_here(worker):
    """One after the other, in the same thread."""
    one, _ = worker
    told = []
    for number in range(2):
        one.begin(lambda: threading.current_thread().name, told.append)
        assert one.busy
        await until(lambda wanted=number + 1: len(told) == wanted)
        assert (one.busy, one.hangs) == (False, False)

    assert told == ["work", "work"]


async def test_what_is_late_is_told_once(worker):
    """It keeps this busy until it has ended."""
    one, go = worker
    told = []

    one.begin(lambda: go.wait(10), told.append)
    await until(lambda: told)
    late = (list(told), one.busy, one.hangs)
    go.set()
    await until(lambda: not one.busy)

    assert late == ([None], True, True)
    assert told == [None]


async def test_the_end_is_waited_for(worker):
    """Without the loop; what is told later is nothing new. It can begin again."""
    one, go = worker
    told = []
    one.begin(lambda: go.wait(10), told.append)
    one.wait(0.01)
    early = (list(told), one.busy)
    go.set()
    one.wait(5)
    await until(lambda: told)
    one.begin(lambda: 7, told.append)
    one.wait(5)
    await asyncio.sleep(0.01)

    assert early == ([], True)
    assert told == [True, 7]


def test_a_loop_that_has_ended_is_not_told():
    """The work is done all the same."""
    one, done = Worker("work", 5), []
    go = threading.Event()

    async def begin():
        one.begin(lambda: (go.wait(10), done.append(1)), done.append)

    asyncio.run(begin())
    go.set()
    one.wait(5)

    assert done[0] == 1
