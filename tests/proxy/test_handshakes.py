"""Handshakes take turns."""

import asyncio
import socket
import ssl
import time

from authz.proxy.handshakes import SLICE, Handshakes
from authz.proxy.tls import TlsTransport
from tests.proxy.test_tls import Recorder, contexts, settle


async def test_others_have_a_turn_in_between():
    """However many there are; each is done once, in their order."""
    done, seen, handshakes = [], [], Handshakes()
    for number in range(20):
        handshakes.add(lambda number=number: (time.sleep(SLICE / 4), done.append(number)))
    while len(done) < 20:
        await asyncio.sleep(0)
        seen.append(len(done))

    assert done == [*range(20)]
    assert len(seen) >= 5


async def test_a_step_that_fails_stops_no_other():
    """The loop tells of it."""
    done, told, handshakes = [], [], Handshakes()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    handshakes.add(lambda: 1 // 0)
    handshakes.add(lambda: done.append(1))
    await settle(lambda: done)

    assert len(told) == 1


async def test_a_handshake_waits_for_its_turn():
    """And what came with it is not lost."""
    server_context, client_context = contexts()
    left, right = socket.socketpair()
    server, client, steps = Recorder(), Recorder(), []

    class Later(Handshakes):
        def add(self, step) -> None:
            """Remember it."""
            steps.append(step)

    one = TlsTransport(server, server_context, server_side=True, handshakes=Later())
    other = TlsTransport(client, client_context, server_side=False, server_name="localhost")
    loop = asyncio.get_running_loop()
    await loop.connect_accepted_socket(lambda: one, left)
    await loop.connect_accepted_socket(lambda: other, right)
    await settle(lambda: len(steps) == 1)
    assert not one._tls.version() or not server.made.done()
    steps[0]()
    await client.made
    client.transport.write(b"question")
    await settle(lambda: len(steps) == 2)
    assert not server.made.done()
    steps[1]()
    await settle(lambda: server.data == b"question")

    assert isinstance(server.transport.get_extra_info("ssl_object"), ssl.SSLObject)
    one.abort()
    await asyncio.gather(server.lost, client.lost)
