"""One connection: where calls end, their order, and what a peer can do to it."""

import asyncio
from http import HTTPStatus

import pytest

from authz.plugin import connection as module
from authz.plugin.connection import MOST_HEAD, Call, Connection, answer

PING = b"POST /ping HTTP/1.1\r\nHost: \r\nContent-Length: 2\r\n\r\n{}"


class Transport:
    """Keeps what is written, and what else is asked of it."""

    def __init__(self):
        self.written = b""
        self.did = []

    def write(self, data):
        """Keep it."""
        self.written += data

    def write_eof(self):
        """Take note."""
        self.did.append("eof")

    def close(self):
        """Take note."""
        self.did.append("close")

    def is_closing(self):
        """Say whether it was closed."""
        return "close" in self.did

    def pause_reading(self):
        """Take note."""
        self.did.append("pause")

    def resume_reading(self):
        """Take note."""
        self.did.append("resume")


class Ready:
    """An answer that may leave at once, as when nobody else is there."""

    def __init__(self, answer):
        self.answer = answer

    def then(self, take):
        """Hand it over."""
        take(self.answer)


class Room:
    """A door that answers with the path, at once or when ``go`` is set."""

    def __init__(self):
        self.calls: list[Call] = []
        self.go = asyncio.Event()
        self.reply = asyncio.get_running_loop().create_future()
        self.left = 0
        self.most = 10

    def enter(self, connection, transport):
        """Do nothing."""

    def leave(self, _connection):
        """Count."""
        self.left += 1

    def room(self, _path):
        """Return the same for all."""
        return self.most

    def answer(self, _connection, call):
        """Answer at once, later, or not at all."""
        self.calls.append(call)
        if call.path == "/slow":
            return self.later(call)
        if call.path == "/asked":
            return self.asked(call)
        if call.path == "/quick":
            return self.quick(call)
        if call.path == "/broken":
            raise ZeroDivisionError
        if call.path == "/held":
            return Ready(answer(call.path.encode()))
        return answer(call.path.encode(), last=call.path == "/last")

    async def later(self, call):
        """Answer when told to."""
        await asyncio.sleep(0)
        await self.go.wait()
        if call.document == b"!!":
            raise ZeroDivisionError
        return answer(call.path.encode())

    async def asked(self, call):
        """Answer when somebody else does; after that, for a long document, when told to."""
        found = await self.reply
        if len(call.document) > len("{}"):
            await asyncio.sleep(0)
            async with asyncio.timeout(1):  # needs a task
                await self.go.wait()
        return answer(found)

    async def quick(self, call):
        """Answer without waiting."""
        return answer(call.path.encode())

    def failed(self, error):
        """Say what it was."""
        return answer(type(error).__name__.encode(), HTTPStatus.INTERNAL_SERVER_ERROR, last=True)


@pytest.fixture
async def line():
    """Return a connection, its transport and its door."""
    room, transport = Room(), Transport()
    connection = Connection(room)
    connection.connection_made(transport)
    yield connection, transport, room
    connection.close()


def call(path, document=b"{}", *, head=""):
    """Write a call."""
    length = len(document)
    return f"POST {path} HTTP/1.1\r\nContent-Length: {length}\r\n{head}\r\n".encode() + document


def bodies(transport):
    """Return the documents of the answers that were written."""
    return [part.partition(b"\r\n\r\n")[2] for part in transport.written.split(b"HTTP/1.1 ")[1:]]


async def test_many_calls_in_one_piece_are_answered_one_after_the_other(line):
    """Not one within the other, which only goes so deep."""
    connection, transport, _ = line
    connection.data_received(call("/held") * 1000)

    assert bodies(transport) == [b"/held"] * 1000


async def test_who_went_away_is_left_behind_his_last_call(line):
    """Each of them is on the record; nobody is forgotten before."""
    connection, _, room = line
    connection.data_received(call("/slow") + call("/held") * 3)
    left = []
    room.leave = lambda _connection: left.append(len(room.calls))
    connection.connection_lost(None)
    room.go.set()
    for _ in range(5):
        await asyncio.sleep(0)

    assert len(room.calls) == 4
    assert set(left) == {4}


async def test_a_call_is_answered_before_this_returns(line):
    """In one piece, or byte by byte; the query is no part of the path."""
    connection, transport, room = line
    written = call("/a?b=c", b"document")

    connection.data_received(written)
    for place in range(len(written)):
        connection.data_received(written[place : place + 1])

    assert bodies(transport) == [b"/a", b"/a"]
    assert room.calls == [Call("POST", "/a", b"document", last=False)] * 2
    assert connection._timer is None


async def test_calls_wait_for_the_one_before(line):
    """And nothing more is read while some do."""
    connection, transport, room = line

    connection.data_received(call("/slow") + call("/b") + call("/c"))
    assert (bodies(transport), transport.did) == ([], ["pause"])
    room.go.set()
    await asyncio.sleep(0.01)

    assert bodies(transport) == [b"/slow", b"/b", b"/c"]
    assert transport.did == ["pause", "resume"]


async def test_a_peer_that_does_not_read_gets_no_further_answers(line):
    """What is written for him takes memory."""
    connection, transport, room = line

    connection.pause_writing()
    connection.data_received(call("/a"))
    assert (transport.written, room.calls) == (b"", [])
    connection.resume_writing()

    assert bodies(transport) == [b"/a"]


async def test_a_document_is_cut_behind_the_room_for_it(line):
    """However many pieces it comes in."""
    connection, _, room = line
    written = call("/a", b"x" * 40)

    for place in range(0, len(written), 7):
        connection.data_received(written[place : place + 7])

    assert room.calls[0].document == b"x" * 10


@pytest.mark.parametrize("head", ["Connection: close\r\n", ""])
async def test_the_last_call_closes_the_connection(line, head):
    """Whoever says so, peer or door."""
    connection, transport, room = line

    connection.data_received(call("/a" if head else "/last", head=head))
    connection.data_received(call("/b"))

    assert transport.did == ["close"]
    assert len(room.calls) == 1


@pytest.mark.parametrize("path", ["/broken", "/slow"])
async def test_a_defect_is_answered_and_closes(line, path):
    """At once or later."""
    connection, transport, room = line
    room.go.set()

    connection.data_received(call(path, b"!!"))
    await asyncio.sleep(0.01)

    assert transport.written.startswith(b"HTTP/1.1 500 ")
    assert bodies(transport) == [b"ZeroDivisionError"]
    assert transport.did == ["close"]


@pytest.mark.parametrize(
    "written",
    [
        b"\x00",
        b"POST /a HTTP/1.1\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        call("/a", head="X: " + "x" * MOST_HEAD + "\r\n"),
        call("/a", head="X: x\r\n" * MOST_HEAD),
        call("/" + "x" * MOST_HEAD),
    ],
    ids=["nonsense", "upgrade", "long header", "many headers", "long target"],
)
async def test_what_is_no_call_is_told_to_the_door(line, written):
    """As half a call; who is still writing may finish, and hears nothing more."""
    connection, transport, room = line

    for place in range(0, len(written), 1000):
        connection.data_received(written[place : place + 1000])

    assert [each.fault.status for each in room.calls] == [400]
    assert transport.did == ["eof"]
    connection._end()
    assert transport.did == ["eof", "close"]


async def test_half_a_header_is_not_kept_for_ever(line):
    """A line without end is refused at the limit."""
    connection, _, room = line

    connection.data_received(b"POST /a HTTP/1.1\r\nX: ")
    for _ in range(20):
        connection.data_received(b"x" * 1000)

    assert [each.fault.problem for each in room.calls] == ["is no HTTP"]


async def test_the_rest_of_a_call_comes_in_time(line, monkeypatch):
    """Or it is refused."""
    monkeypatch.setattr(module, "READING_TIME", 0.02)
    connection, transport, room = line

    connection.data_received(call("/a")[:-1])
    await asyncio.sleep(0.05)

    assert [each.fault.status for each in room.calls] == [408]
    await asyncio.sleep(0.05)
    assert transport.did == ["eof", "close"]


async def test_a_document_without_end_is_cut_off(line, monkeypatch):
    """Whatever length it announces."""
    monkeypatch.setattr(module, "DRAINED", 100)
    connection, _, room = line

    connection.data_received(call("/a", b"x" * 1000)[:500])

    assert [each.fault.status for each in room.calls] == [200]


async def test_who_has_gone_is_forgotten_when_nothing_is_under_way(line):
    """What is being answered is finished; half a call is told to the door."""
    connection, transport, room = line
    connection.data_received(call("/slow") + call("/a")[:-1])

    connection.connection_lost(None)
    assert room.left == 0
    room.go.set()
    await asyncio.sleep(0.01)

    assert room.left == 1
    assert [each.fault for each in room.calls if each.fault] == [(400, "broke off")]
    assert transport.written == b""


async def test_a_door_that_closes_lets_the_answer_out(line):
    """And takes no further call."""
    connection, transport, room = line
    connection.data_received(call("/slow") + call("/b"))

    connection.close()
    connection.data_received(call("/c"))
    assert transport.did == ["pause"]
    room.go.set()
    await asyncio.sleep(0.01)

    assert bodies(transport) == [b"/slow"]
    assert transport.did[-1] == "close"


async def test_a_task_that_is_cancelled_is_a_defect(line):
    """The peer still gets an answer."""
    connection, transport, _ = line
    connection.data_received(call("/slow"))

    connection.waiting.cancel()
    await asyncio.sleep(0.01)

    assert bodies(transport) == [b"CancelledError"]


async def test_what_does_not_wait_is_answered_at_once(line):
    """A coroutine as well."""
    connection, transport, _ = line

    connection.data_received(call("/quick"))

    assert bodies(transport) == [b"/quick"]
    assert connection.waiting is None


async def test_what_waits_for_somebody_else_takes_no_task(line):
    """The calls behind it are answered after it, in their order."""
    connection, transport, room = line
    tasks = asyncio.all_tasks()
    connection.data_received(call("/asked") + call("/b"))
    assert (connection.waiting, asyncio.all_tasks(), bodies(transport)) == (room.reply, tasks, [])

    room.reply.set_result(b"found")
    await asyncio.sleep(0.01)

    assert bodies(transport) == [b"found", b"/b"]
    assert transport.did == ["pause", "resume"]


async def test_what_waits_twice_may_go_on_in_a_task(line):
    """Where it says so, and not before."""
    connection, transport, room = line
    connection.data_received(call("/asked", b"long"))
    room.reply.set_result(b"found")
    await asyncio.sleep(0.01)
    assert (isinstance(connection.waiting, asyncio.Task), bodies(transport)) == (True, [])

    room.go.set()
    await asyncio.sleep(0.01)

    assert bodies(transport) == [b"found"]


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda reply: reply.set_exception(ZeroDivisionError()), b"ZeroDivisionError"),
        (lambda reply: reply.cancel(), b"CancelledError"),
    ],
)
async def test_what_somebody_else_breaks_is_a_defect(line, end, said):
    """The peer still gets an answer, the last one."""
    connection, transport, room = line
    connection.data_received(call("/asked"))

    end(room.reply)
    await asyncio.sleep(0.01)

    assert bodies(transport) == [said]
    assert transport.did[-1] == "close"


async def test_who_leaves_while_somebody_else_is_asked_is_forgotten_after_it(line):
    """The record is written; the answer has nowhere to go."""
    connection, transport, room = line
    connection.data_received(call("/asked"))
    connection.connection_lost(None)
    assert room.left == 0

    room.reply.set_result(b"found")
    await asyncio.sleep(0.01)

    assert (room.left, bodies(transport)) == (1, [])
