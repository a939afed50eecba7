"""What became of each request that was let through, told once, at its end."""

import asyncio
import socket
import struct
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from authz.proxy.listener import log_stream
from authz.proxy.outcome import MOST_KEPT, End, Flow, Outcome
from tests.fakes import ScriptedLookups, until
from tests.proxy.scripted import a_stage, answering
from tests.proxy.test_connection import ATTACH, GET, LAST, LOAD, SWITCHED, echoing

LOGS = b"GET /containers/a/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\none\n\n\r\n"


def holding(beginning):
    """Return a script that sends this and then waits for the proxy to go."""

    def made(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            writer.write(beginning)
            await reader.read()

        return script

    return made


def dying(beginning):
    """Return a script that sends this and ends."""

    def made(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            writer.write(beginning)

        return script

    return made


def kinds(stage):
    """Return how each request ended, and what the client was told."""
    return [(outcome.end, outcome.status) for outcome in stage.outcomes]


async def test_each_request_has_an_outcome(tmp_path):
    """In the order of the answers, by the id of its decision; what was refused has none."""
    refused = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
    async with a_stage(tmp_path) as stage:
        await stage.ask(GET + refused + LAST)

    first, _, last = stage.sink.records
    assert [outcome.request for outcome in stage.outcomes] == [first.id, last.id]
    for outcome in stage.outcomes:
        assert (outcome.end, outcome.status) == (End.WHOLE, 200)
        assert (outcome.sent, outcome.received, outcome.taken_over) == (0, 2, False)
        assert 0 < outcome.seconds < 5


async def test_bodies_are_counted_without_their_framing(tmp_path):
    """What the daemon gets and sends: a judged document, a stream, chunks."""

    def taking(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            await reader.readuntil(b"0\r\n\r\n" if daemon.connections == 1 else b"}")
            writer.write(CHUNKED + b"0\r\n\r\n")
            await reader.read()

        return script

    load = LOAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\nabcd\r\n0\r\n\r\n"
    create = (
        b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b'Connection: close\r\nContent-Length: 16\r\n\r\n{ "Image" : "a"}'
    )
    async with a_stage(tmp_path, taking) as stage:
        await stage.ask(load + create)

    assert [(outcome.sent, outcome.received) for outcome in stage.outcomes] == [(7, 5), (13, 5)]


async def test_a_tunnel_is_counted_in_both_directions(tmp_path):
    """From the first byte that was sent ahead to the last one behind the client's end."""
    async with a_stage(tmp_path, echoing) as stage:
        reader, writer = await stage.connect()
        writer.write(ATTACH + b"ahead")
        await reader.readuntil(b"ahead")
        writer.write(b"x" * 100_000)
        writer.write_eof()
        async with asyncio.timeout(5):
            rest = await reader.read()
        writer.close()
        await until(lambda: stage.outcomes)

    outcome = stage.outcomes[0]
    assert rest.endswith(b"end 100005")
    assert (outcome.end, outcome.status, outcome.taken_over) == (End.WHOLE, 101, True)
    assert (outcome.sent, outcome.received) == (100_005, 100_005 + len("end 100005"))


@pytest.mark.parametrize(
    ("request_", "answer", "expected"),
    [
        (GET, b"", (End.CLIENT, 502)),
        (LOGS, CHUNKED, (End.CLIENT, 200)),
        (LOAD + b"Content-Length: 9\r\n\r\nab", b"", (End.CLIENT, 0)),
        (ATTACH, SWITCHED, (End.WHOLE, 101)),
    ],
)
async def test_a_client_that_goes_has_ended_it(request_, answer, expected, tmp_path):
    """Before, in the middle of and during the answer.

    On a unix socket nobody can tell it from one that only sends no more: the daemon ends a tunnel.
    """
    async with a_stage(tmp_path, holding(answer)) as stage:
        reader, writer = await stage.connect()
        writer.write(request_)
        await until(lambda: stage.daemon.heads)
        if answer:
            await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        await until(lambda: stage.outcomes)

    assert kinds(stage) == [expected]


async def test_a_client_that_breaks_a_tunnel_has_ended_it(tmp_path):
    """A connection that is reset is no end of what was typed."""

    def pouring(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            writer.write(SWITCHED + b"x" * 100_000)
            await asyncio.sleep(5)

        return script

    async with a_stage(tmp_path, pouring, tcp=True) as stage:
        reader, writer = await stage.connect()
        writer.write(ATTACH)
        await reader.readuntil(b"\r\n\r\n")
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await until(lambda: stage.outcomes)

    assert kinds(stage) == [(End.CLIENT, 101)]


async def test_a_connection_that_is_lost_while_it_is_judged_asked_nothing(tmp_path):
    """It was allowed, and nothing was sent to the daemon."""
    go = asyncio.Event()

    @dataclass
    class Waiting(ScriptedLookups):
        async def answer(self, question):
            found = await super().answer(question)
            await go.wait()
            return found

    lookups = Waiting()
    async with a_stage(tmp_path, lookups=lookups) as stage:
        _, writer = await stage.connect()
        writer.write(b"GET /containers/a/json HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: lookups.asked)
        next(iter(stage.server._connections)).close()
        await until(lambda: not stage.server._connections)
        go.set()
        await until(lambda: stage.outcomes)
        writer.close()

    assert stage.sink.records[0].verdict.value == "allow"
    assert kinds(stage) == [(End.CLIENT, 0)]
    assert stage.daemon.connections == 0


async def test_broken_framing_of_a_stream_is_the_clients_doing(tmp_path):
    """Both sides were cut off."""
    async with a_stage(tmp_path, holding(b"")) as stage:
        await stage.ask(LOAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")

    assert kinds(stage) == [(End.CLIENT, 0)]


@pytest.mark.parametrize(
    ("beginning", "status"),
    [
        (b"", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Le", 502),
        (b"nonsense\r\n\r\n", 502),
        (CHUNKED, 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 200),
    ],
)
async def test_a_daemon_that_breaks_off_has_ended_it(beginning, status, tmp_path):
    """The client was told so, or cut off where it had a part of the answer."""
    async with a_stage(tmp_path, dying(beginning)) as stage:
        await stage.ask(LAST)

    assert kinds(stage) == [(End.DAEMON, status)]


async def test_a_daemon_that_is_not_there_has_ended_it(tmp_path):
    """With what the client was told."""
    async with a_stage(tmp_path) as stage:
        stage.daemon.path.unlink()
        await stage.ask(LAST)

    assert kinds(stage) == [(End.DAEMON, 502)]


async def test_an_answer_that_ends_with_its_connection_is_whole(tmp_path):
    """As the daemon sends an archive to an old client."""
    async with a_stage(tmp_path, dying(b"HTTP/1.1 200 OK\r\n\r\nabc")) as stage:
        await stage.ask(GET)

    assert kinds(stage) == [(End.WHOLE, 200)]
    assert stage.outcomes[0].received == 3


@pytest.mark.parametrize("end", [End.CUT, End.STOPPED])
async def test_the_end_of_the_service_and_of_rights_is_told(end, tmp_path):
    """A followed log that may go on no longer, and one that is stopped."""
    async with a_stage(tmp_path, holding(CHUNKED)) as stage:
        reader, writer = await stage.connect()
        writer.write(LOGS)
        await reader.readuntil(b"one\n\n\r\n")
        connection = next(iter(stage.server._connections))
        if end is End.CUT:
            (stage.bundle / "policy.csv").write_text("p, *, *, system.ping, **, *, allow\n")
            stage.policy.reload()
            await connection.check()
        else:
            connection.close()
        await until(lambda: stage.outcomes)
        writer.close()

    assert kinds(stage) == [(end, 200)]


@pytest.mark.parametrize(
    ("body", "created"),
    [
        (b'{"Id":"4b4b","Warnings":[]}', "4b4b"),
        (b'{"ID":"0a1b"}', "0a1b"),
        (b'{"Name":"data","Driver":"local"}', "data"),
        (b'{"Id":7,"Name":""}', ""),
        (b"[]", ""),
        (b"{", ""),
        (b'{"Id":"4b","x":"%s"}' % (b"x" * MOST_KEPT), ""),
    ],
)
async def test_a_new_object_is_named(body, created, tmp_path):
    """By what the daemon answered."""
    answer = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with a_stage(tmp_path, answering(answer + body)) as stage:
        await stage.ask(LAST)

    assert stage.outcomes[0].created == created


def test_no_more_is_kept_than_an_id_needs():
    """An answer may be as long as it likes."""
    flow = Flow(status=201)
    for _ in range(100):
        flow.keep(b"x" * 1000)

    assert len(flow.kept) <= MOST_KEPT + 1000
    assert flow.outcome("01", 0.5, End.WHOLE).created == ""


def test_streams_are_told_in_the_log():
    """With their bytes; ordinary requests are not."""
    with capture_logs() as lines:
        log_stream(Outcome("01", 200, 1, 2, 0.5, End.WHOLE))
        log_stream(Outcome("02", 101, 3, 4, 0.12345, End.CLIENT, taken_over=True))

    assert lines == [
        {
            "event": "stream.closed",
            "log_level": "info",
            "request": "02",
            "end": "client",
            "sent": 3,
            "received": 4,
            "seconds": 0.123,
        }
    ]
