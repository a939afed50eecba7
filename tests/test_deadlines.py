"""Limits that share a timer."""

import asyncio

import pytest

from authz.deadlines import Deadlines

SOON = 0.05


async def waiting(deadlines, seconds):
    """Wait for so long within a limit."""
    limit = deadlines.begin()
    try:
        async with limit:
            await asyncio.sleep(seconds)
    finally:
        deadlines.end(limit)


async def test_each_ends_in_its_own_time():
    """The first one first, and whoever is in time is left alone."""
    deadlines = Deadlines(SOON)
    loop = asyncio.get_running_loop()
    took = []

    async def one(after, seconds):
        await asyncio.sleep(after)
        began = loop.time()
        try:
            await waiting(deadlines, seconds)
        except TimeoutError:
            took.append(loop.time() - began)

    await asyncio.gather(one(0, 9), one(0, 0.01), one(0.03, 9), one(0.03, 0.01), one(0.06, 9))

    assert len(took) == 3
    assert all(SOON - 0.01 < each < 5 * SOON for each in took)
    assert not deadlines._open


async def test_the_timer_is_set_again_after_a_pause():
    """However often nobody waited any more when it came."""
    deadlines = Deadlines(SOON)

    for _ in range(2):
        await waiting(deadlines, 0)
        await asyncio.sleep(2 * SOON)
        assert deadlines._timer is None
        with pytest.raises(TimeoutError):
            await waiting(deadlines, 9)


async def test_what_is_awaited_without_a_task_ends_as_well():
    """In its turn among the others; what has come in time is left alone."""
    deadlines = Deadlines(SOON)
    loop = asyncio.get_running_loop()
    late, done, given_up = loop.create_future(), loop.create_future(), loop.create_future()
    for each in (late, done, given_up):
        deadlines.watch(each)
    done.set_result(1)
    deadlines.end(given_up)

    with pytest.raises(TimeoutError):
        await waiting(deadlines, 9)

    assert isinstance(late.exception(), TimeoutError)
    assert (done.result(), given_up.done(), len(deadlines._open)) == (1, False, 0)


async def test_many_waits_take_one_timer():
    """That is what they share it for."""
    deadlines = Deadlines(SOON)
    await waiting(deadlines, 0)
    timer = deadlines._timer
    await asyncio.gather(*(waiting(deadlines, 0) for _ in range(9)))

    assert timer is not None
    assert deadlines._timer is timer


async def test_a_cancellation_by_somebody_else_is_none_of_its_own():
    """And it leaves nothing behind."""
    deadlines = Deadlines(SOON)
    task = asyncio.create_task(waiting(deadlines, 9))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert not deadlines._open
