"""One timer, which a drip of bytes does not wind up again."""

import asyncio
from time import monotonic

from authz.proxy.exchange import Exchange
from authz.proxy.patience import BODY_TIME, HEAD_TIME, IDLE_TIME, Patience, waiting_time


def test_each_phase_has_its_time():
    """Nothing, a head, a document; whatever streams has none."""
    exchange = Exchange(1000)
    assert waiting_time(exchange) == IDLE_TIME
    exchange.from_client(b"POST /containers/create HTTP/1.1\r\n")
    assert waiting_time(exchange) == HEAD_TIME
    exchange.from_client(b"Host: x\r\nContent-Length: 2\r\n\r\n")
    assert waiting_time(exchange) == BODY_TIME
    exchange.from_client(b"{}")
    assert waiting_time(exchange) is None


async def test_the_same_wait_is_one_wait():
    """However often it is asked for; another one begins anew, and stopping ends it."""
    over = []
    patience = Patience(lambda: over.append(1))
    async with asyncio.timeout(5):
        while not over:
            patience.wait(0.05)
            await asyncio.sleep(0.01)
    assert over == [1]
    patience.wait(0.01)
    patience.wait(None)
    patience.wait(0.01)
    patience.stop()
    await asyncio.sleep(0.03)
    assert over == [1]


async def test_a_timer_that_runs_is_used_again():
    """It rings for what was waited for before, and then at the right time."""
    over = asyncio.Event()
    patience = Patience(over.set)
    began = monotonic()
    patience.wait(0.05)
    await asyncio.sleep(0.03)
    patience.wait(None)
    patience.wait(0.06)
    async with asyncio.timeout(5):
        await over.wait()
    assert monotonic() - began >= 0.085


async def test_a_shorter_wait_is_not_late():
    """The timer that runs would end too late."""
    over = asyncio.Event()
    patience = Patience(over.set)
    patience.wait(60)
    patience.wait(None)
    patience.wait(0.01)
    async with asyncio.timeout(5):
        await over.wait()
    assert over.is_set()


async def test_a_timer_that_nobody_waits_for_rings_for_nothing():
    """What streams has all the time there is."""
    over = []
    patience = Patience(lambda: over.append(1))
    patience.wait(0.01)
    patience.wait(None)
    await asyncio.sleep(0.03)
    assert over == []
