"""The client of the daemon: what counts as an answer, and when a connection is used again."""

import asyncio

import pytest

from authz.lookups.client import BrokenAnswerError, Client, Line

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Transport:
    """Keeps what is written."""

    def __init__(self):
        self.written = []
        self.aborted = False

    def write(self, data):
        """Keep it."""
        self.written.append(data)

    def abort(self):
        """Take note."""
        self.aborted = True


@pytest.fixture
async def line():
    """Return a line and its transport."""
    found, transport = Line(), Transport()
    found.connection_made(transport)
    return found, transport


async def asked(line, *pieces, most=10):
    """Ask, let the pieces arrive, and return the answer."""
    asking = asyncio.create_task(line.ask(b"GET", most))
    await asyncio.sleep(0)
    for piece in pieces:
        if piece is None:
            line.connection_lost(None)
        else:
            line.data_received(piece)
    return await asyncio.wait_for(asking, 1)


async def test_an_answer_in_pieces_is_one_answer(line):
    """And the line is good for another."""
    found, transport = line

    for _ in range(2):
        assert await asked(found, OK[:5], OK[5:-1], OK[-1:]) == (200, b"{}")
    assert (found.usable, transport.written) == (True, [b"GET", b"GET"])


async def test_more_than_is_wanted_is_not_waited_for(line):
    """One byte more than that tells."""
    found, _ = line
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"

    assert await asked(found, head + b"x" * 30, most=10) == (200, b"x" * 11)
    found.data_received(b"x" * 30)
    assert not found.usable


@pytest.mark.parametrize(
    "written",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_a_line_that_ends_is_not_used_again(line, written):
    """Nor one on which something else may still come."""
    found, _ = line

    await asked(found, written)

    assert not found.usable


async def test_what_nobody_asked_for_ends_the_line(line):
    """Behind an answer, or before any question."""
    found, transport = line
    await asked(found, OK + OK)

    assert (found.usable, transport.aborted) == (False, True)


@pytest.mark.parametrize(
    ("pieces", "problem", "stale"),
    [
        ([b"nonsense"], "no HTTP", False),
        ([OK[:-1], None], "the connection ended", False),
        ([None], "the connection ended", False),
        ([b"HTTP/1.1 200 OK\r\n\r\n{}", None], "the connection ended", False),
    ],
)
async def test_half_an_answer_is_none(line, pieces, problem, stale):
    """Neither is one that only the connection's end would end."""
    found, _ = line

    with pytest.raises(BrokenAnswerError, match=problem) as caught:
        await asked(found, *pieces)

    assert (caught.value.stale, found.usable) == (stale, False)


async def test_a_kept_line_that_was_closed_may_be_replaced(line):
    """Not a byte came: the daemon did not see the question."""
    found, _ = line
    await asked(found, OK)

    with pytest.raises(BrokenAnswerError) as caught:
        await asked(found, None)

    assert caught.value.stale


async def test_who_gives_up_ends_the_line(line):
    """The answer may come later, and nobody would know to what."""
    found, transport = line
    asking = asyncio.create_task(found.ask(b"GET", 10))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert (found.usable, transport.aborted) == (False, True)


async def test_a_closed_kept_connection_is_replaced_with_a_new_header(tmp_path):
    """A pass is good once."""
    heads, count = [], 0

    async def serve(reader, writer):
        nonlocal count
        count += 1
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        if count == 1:
            writer.write(OK)
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.transport.abort()
            return
        writer.write(OK)
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "s")
    client = Client(str(tmp_path / "s"), most=1)
    numbers = iter(range(9))

    for _ in range(2):
        reply = await client.get("/x", lambda: f"N: {next(numbers)}", 10)
        assert reply == (200, b"{}")
    client.close()
    await asyncio.sleep(0.05)
    server.close()

    assert [head.split(b"N: ")[1][:1] for head in heads] == [b"0", b"1", b"2"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("::1", b"[::1]:2375"), ("a.example", b"a.example:2375"), ("", b"docker")],
)
def test_the_host_is_named_as_urls_do(host, expected):
    """With brackets around an address of IPv6."""
    assert Client(host=host, port=2375, most=1)._name.encode() == expected
