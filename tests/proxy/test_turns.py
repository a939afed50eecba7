"""Nobody takes all turns, and who has none is forgotten."""

import asyncio

import pytest

from authz.proxy.turns import Turns
from tests.fakes import until


@pytest.fixture
def turns():
    """Three of all, two of each caller."""
    return Turns(3, 2)


async def test_one_caller_leaves_a_turn_for_others(turns):
    """However many he asks for; his third comes once another one of his has ended."""
    had = []
    go_on = asyncio.Event()

    async def work(caller):
        async with turns.turn(caller):
            had.append(caller)
            await go_on.wait()

    async with asyncio.TaskGroup() as group:
        for caller in ("ann", "ann", "ann", "ben"):
            group.create_task(work(caller))
        await until(lambda: len(had) == 3)
        assert had == ["ann", "ann", "ben"]
        go_on.set()

    assert had == ["ann", "ann", "ben", "ann"]


async def test_who_gives_up_leaves_his_place(turns):
    """A turn is given back, whatever ends it."""
    async with turns.turn("ann"), turns.turn("ann"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), turns.turn("ann"):
                pytest.fail("a third turn was given")

    async with turns.turn("ann"), turns.turn("ann"), turns.turn("ben"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), turns.turn("cid"):
                pytest.fail("a fourth turn was given")


async def test_callers_without_a_turn_are_forgotten(turns):
    """Nothing is kept for each that ever came."""
    for number in range(100):
        async with turns.turn(f"user:{number}"):
            assert len(turns._callers) == 1

    assert len(turns._callers) == 0
