"""Connections on real sockets: what reaches the daemon, and what the client sees."""

import asyncio
from contextlib import suppress

import pytest

from authz.facts.questions import Topic
from authz.proxy import patience
from tests.fakes import ScriptedLookups, until
from tests.proxy.scripted import OK, a_stage
from tests.proxy.test_exchange import SMUGGLED

GET = b"GET /info HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
ATTACH = (
    b"POST /containers/a/attach?stream=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
    b"Upgrade: tcp\r\nContent-Length: 0\r\n\r\n"
)
SWITCHED = (
    b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
    b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
)
LOAD = b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\n"


def echoing(daemon):
    """Return a script that switches, echoes until the client's end, and says how much there was."""

    async def script(reader, writer):
        await daemon.head(reader)
        writer.write(SWITCHED)
        size = 0
        while piece := await reader.read(65536):
            size += len(piece)
            writer.write(piece)
            await writer.drain()
        writer.write(b"end %d" % size)
        writer.write_eof()
        await reader.read()

    return script


async def test_an_answer_comes_back_and_the_daemons_connection_is_used_again(tmp_path):
    """One connection of the client, one to the daemon, two exchanges, two records."""
    async with a_stage(tmp_path) as stage:
        answer = await stage.ask(GET + LAST)

    assert answer.startswith(OK)
    assert answer.endswith(b"Connection: close\r\n\r\nhi")
    assert stage.daemon.connections == 1
    assert len(stage.daemon.heads) == 2
    assert len(stage.sink.records) == 2


@pytest.mark.parametrize("form", SMUGGLED)
async def test_nothing_is_smuggled(form, tmp_path):
    """The daemon sees no connection, the client an answer, the file a record."""
    async with a_stage(tmp_path) as stage:
        answer = await stage.ask(SMUGGLED[form] + GET)

    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
    assert b"dockgate: refused: " in answer
    assert stage.daemon.connections == 0
    assert [record.reason.value for record in stage.sink.records] == ["unreadable_request"]


async def test_a_denial_names_its_fact(tmp_path):
    """In the daemon's format; nothing is asked of the daemon."""
    body = b'{"Image":"a","HostConfig":{"Privileged":true}}'
    create = (
        b"POST /v1.41/containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    async with a_stage(tmp_path) as stage:
        answer = await stage.ask(create)

    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"privileged:true for user:anonymous" in answer
    assert stage.daemon.connections == 0


async def test_a_tunnel_carries_three_megabytes_and_ends_each_way(tmp_path):
    """Half-close in both directions, nothing lost."""
    data = bytes(range(256)) * 12_000
    async with a_stage(tmp_path, echoing) as stage:
        reader, writer = await stage.connect()
        writer.write(ATTACH)
        assert await reader.readuntil(b"\r\n\r\n") == SWITCHED
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(10):
            back = await reader.read()
        writer.close()

    assert back == data + b"end %d" % len(data)


async def test_a_reader_that_does_not_read_holds_the_daemon_up(tmp_path):
    """Memory stays bounded: what nobody takes is not taken from the daemon."""
    sent = 0

    def flooding(daemon):
        async def script(reader, writer):
            nonlocal sent
            await daemon.head(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            while True:
                writer.write(b"x" * 100_000)
                await writer.drain()
                sent += 100_000

        return script

    async with a_stage(tmp_path, flooding) as stage:
        _, writer = await stage.connect()
        writer.transport.pause_reading()
        writer.write(GET)
        await until(lambda: sent)
        await asyncio.sleep(0.3)
        before = sent
        await asyncio.sleep(0.2)
        assert sent == before
        assert sent < 20_000_000
        writer.transport.abort()
        await asyncio.sleep(0.01)


async def test_a_daemon_that_does_not_read_holds_the_client_up(tmp_path):
    """The same the other way."""

    def deaf(daemon):
        async def script(reader, writer):
            del writer
            await daemon.head(reader)
            reader._transport.pause_reading()
            await asyncio.sleep(2)

        return script

    async with a_stage(tmp_path, deaf) as stage:
        _, writer = await stage.connect()
        writer.write(LOAD + b"Content-Length: 100000000\r\n\r\n")
        sent = 0

        async def flood():
            nonlocal sent
            while True:
                writer.write(b"x" * 100_000)
                await writer.drain()
                sent += 100_000

        flooding = asyncio.create_task(flood())
        await asyncio.sleep(0.4)
        before = sent
        await asyncio.sleep(0.2)
        flooding.cancel()
        writer.transport.abort()
        await asyncio.sleep(0.01)

    assert 0 < sent == before < 20_000_000


async def test_a_dead_idle_connection_is_replaced(tmp_path):
    """A GET is asked again on a new one; the client sees one answer."""

    def once(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            writer.write(OK)
            if daemon.connections == 1:
                await daemon.head(reader)  # takes the next one, and dies of it

            else:
                await asyncio.sleep(5)

        return script

    async with a_stage(tmp_path, once) as stage:
        reader, writer = await stage.connect()
        for _ in range(2):
            writer.write(GET)
            async with asyncio.timeout(5):
                assert await reader.readexactly(len(OK)) == OK
        writer.close()

    assert stage.daemon.connections == 2


async def test_what_changes_something_is_never_sent_twice(tmp_path):
    """It gets a new connection, and an error if that dies."""

    def dying(daemon):
        async def script(reader, _writer):
            await daemon.head(reader)

        return script

    start = b"POST /containers/a/start HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    async with a_stage(tmp_path, dying) as stage:
        answer = await stage.ask(start + b"Content-Length: 0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert len(stage.daemon.heads) == 1


async def test_a_daemon_that_is_not_there_is_told(tmp_path):
    """502 with a sentence; the connection goes on."""
    async with a_stage(tmp_path) as stage:
        stage.daemon.path.unlink()
        reader, writer = await stage.connect()
        writer.write(GET)
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()

    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"Connection: close" not in head


async def test_a_client_that_goes_takes_its_request_along(tmp_path):
    """The daemon sees the end of its connection."""
    gone = asyncio.Event()

    def waiting(daemon):
        async def script(reader, _writer):
            await daemon.head(reader)
            await reader.read()
            gone.set()

        return script

    async with a_stage(tmp_path, waiting) as stage:
        _, writer = await stage.connect()
        writer.write(GET)
        await until(lambda: stage.daemon.heads)
        writer.transport.abort()
        async with asyncio.timeout(5):
            await gone.wait()


async def test_a_client_that_goes_while_it_is_judged_asks_nothing(tmp_path):
    """The verdict comes too late."""
    lookups = ScriptedLookups(hanging=frozenset({Topic.CONTAINER}))
    async with a_stage(tmp_path, lookups=lookups) as stage:
        _, writer = await stage.connect()
        writer.write(b"GET /containers/a/json HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: lookups.waiting)
        writer.transport.abort()
        await until(lambda: stage.sink.records)

    assert stage.daemon.connections == 0


async def test_a_refused_stream_can_read_its_refusal(tmp_path):
    """Although it goes on sending for a while."""
    async with a_stage(tmp_path) as stage:
        reader, writer = await stage.connect()
        writer.write(b"POST //images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n")
        for _ in range(90):
            writer.write(b"x" * 10_000)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()

    assert answer.startswith(b"HTTP/1.1 403 ")


async def test_slow_clients_are_sent_away(tmp_path, monkeypatch):
    """In the middle of a head, of a body, and before either."""
    monkeypatch.setattr(patience, "HEAD_TIME", 0.05)
    monkeypatch.setattr(patience, "BODY_TIME", 0.06)
    monkeypatch.setattr(patience, "IDLE_TIME", 0.07)
    create = b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
    async with a_stage(tmp_path) as stage:
        assert (await stage.ask(b"GET /in")).startswith(b"HTTP/1.1 408 ")
        assert (await stage.ask(create)).startswith(b"HTTP/1.1 408 ")
        assert await stage.ask(b"") == b""
        assert (await stage.ask(GET)).startswith(OK)


async def test_half_an_answer_is_no_answer(tmp_path):
    """The client's connection breaks where the daemon's did."""

    def breaking(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
            await writer.drain()

        return script

    async with a_stage(tmp_path, breaking) as stage:
        answer = await stage.ask(GET)

    assert not answer.endswith(b"0\r\n\r\n")


async def test_a_stream_flows_before_it_ends(tmp_path):
    """A followed log arrives line by line."""

    def logging(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\none\n\n\r\n")
            await reader.read()

        return script

    async with a_stage(tmp_path, logging) as stage:
        reader, writer = await stage.connect()
        writer.write(b"GET /containers/a/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            await reader.readuntil(b"one\n\n\r\n")
        writer.close()


async def test_a_tunnel_that_breaks_at_the_daemon_breaks_for_the_client(tmp_path):
    """A killed daemon is no end of the output."""

    def breaking(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            writer.write(SWITCHED)
            await reader.readexactly(3)
            writer.transport.abort()  # with bytes unread: the peer sees a reset

        return script

    async with a_stage(tmp_path, breaking) as stage:
        reader, writer = await stage.connect()
        writer.write(ATTACH)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"abc" + b"x" * 10_000)
        async with asyncio.timeout(5):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


async def test_what_a_client_sent_before_it_went_arrives(tmp_path):
    """A tunnel's last bytes are not thrown away with it."""
    received = bytearray()
    ended = asyncio.Event()

    def sink(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            writer.write(SWITCHED)
            await asyncio.sleep(0.1)
            while piece := await reader.read(65536):
                received.extend(piece)
            ended.set()

        return script

    async with a_stage(tmp_path, sink) as stage:
        reader, writer = await stage.connect()
        writer.write(ATTACH)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"x" * 1_000_000)
        writer.close()
        async with asyncio.timeout(5):
            await ended.wait()

    assert len(received) == 1_000_000


async def test_a_slow_reader_of_a_tunnel_loses_nothing(tmp_path):
    """Both ends are over long before he has read everything."""

    def pouring(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            writer.write(SWITCHED + b"y" * 3_000_000)
            writer.write_eof()
            await reader.read()

        return script

    async with a_stage(tmp_path, pouring) as stage:
        reader, writer = await stage.connect()
        writer.write(ATTACH)
        writer.write_eof()
        await reader.readuntil(b"\r\n\r\n")
        size = 0
        async with asyncio.timeout(10):
            while piece := await reader.read(65536):
                size += len(piece)
                await asyncio.sleep(0.005)
        writer.close()

    assert size == 3_000_000


async def test_a_client_that_does_not_read_holds_a_tunnel_up(tmp_path):
    """And goes on where it stopped."""

    def pouring(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            writer.write(SWITCHED)
            for _ in range(300):
                writer.write(b"y" * 10_000)
                await writer.drain()
            writer.write_eof()
            await reader.read()

        return script

    async with a_stage(tmp_path, pouring) as stage:
        reader, writer = await stage.connect()
        writer.transport.pause_reading()
        writer.write(ATTACH)
        await asyncio.sleep(0.3)
        writer.transport.resume_reading()
        await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(10):
            assert len(await reader.read()) == 3_000_000
        writer.close()
