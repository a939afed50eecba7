"""One timer, which a drip of bytes does not wind up again."""

import asyncio

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
    for _ in range(5):
        patience.wait(0.05)
        await asyncio.sleep(0.015)
    assert over == [1]
    patience.wait(0.01)
    patience.wait(None)
    patience.wait(0.01)
    patience.stop()
    await asyncio.sleep(0.03)
    assert over == [1]
