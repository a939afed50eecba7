"""What goes to the daemon: once, in order, and again where a connection was dead."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from authz.proxy.commands import Dial, EndDaemon, ToDaemon
from authz.proxy.errand import Errand
from authz.proxy.upstream import Daemon


class Sender:
    """Keeps what it is told."""

    def __init__(self):
        self.waits = True
        self.heard = asyncio.Queue()
        self.errand = None

    def daemon_data(self, data):
        """Keep it."""
        self.errand.answered()
        self.heard.put_nowait(data)

    def daemon_ended(self):
        """Send again, or keep that it ended."""
        if not self.errand.again():
            self.heard.put_nowait("ended")

    def daemon_lost(self, _error):
        """Let go."""
        self.errand.link = None

    def daemon_pause(self):
        """Keep that."""
        self.heard.put_nowait("pause")

    def daemon_resume(self):
        """Keep that."""
        self.heard.put_nowait("resume")

    def close(self):
        """Keep that."""
        self.heard.put_nowait("closed")

    def reached(self):
        """Keep that."""
        self.heard.put_nowait("reached")

    def unreachable(self, error):
        """Keep what kind of failure it was."""
        self.heard.put_nowait(type(error))

    async def next(self):
        """Return what was heard, in time."""
        async with asyncio.timeout(5):
            return await self.heard.get()


@dataclass(slots=True)
class Stage:
    """An errand to a daemon that does what ``script`` says; ``got`` is what it read of whom."""

    sender: Sender
    daemon: Daemon
    errand: Errand
    script: Callable | None = None
    got: list[bytes] = field(default_factory=list)


@pytest.fixture
async def stage(tmp_path):
    """Listen, with nothing asked yet."""
    tasks, writers = set(), []

    async def serve(reader, writer):
        writers.append(writer)
        stage.got.append(b"")
        await stage.script(reader, writer, len(stage.got) - 1)
        writer.close()

    def spawn(coroutine, _failed):
        task = asyncio.get_running_loop().create_task(coroutine)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_unix_server(serve, tmp_path / "daemon.sock")
    sender, daemon = Sender(), Daemon(f"unix://{tmp_path}/daemon.sock")
    sender.errand = Errand(daemon, spawn, sender)
    stage = Stage(sender, daemon, sender.errand)
    yield stage
    sender.errand.leave()
    daemon.close()
    server.close()
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0.01)


async def idle(stage):
    """Have a connection that was used before wait for the next request."""
    link = await stage.daemon.connect()
    stage.daemon.keep(link)
    await asyncio.sleep(0.05)


async def test_what_is_sent_before_there_is_a_connection_waits_for_it(stage):
    """In its order, and the end comes last."""

    async def script(reader, writer, number):
        stage.got[number] = await reader.read()
        writer.write(b"whole")

    stage.script = script
    stage.errand.begin(Dial(b"head ", repeatable=False))
    for piece in (ToDaemon(b"one "), ToDaemon(b"two"), EndDaemon()):
        stage.errand.send(piece)

    assert stage.errand.dialing
    assert [await stage.sender.next(), await stage.sender.next()] == ["reached", b"whole"]
    assert stage.got == [b"head one two"]


async def test_nobody_is_told_of_a_connection_that_nobody_waits_for(stage):
    """The client has gone meanwhile."""

    async def script(reader, _writer, number):
        stage.got[number] = await reader.read()

    stage.script = script
    stage.sender.waits = False
    stage.errand.begin(Dial(b"head", repeatable=False))
    await asyncio.sleep(0.1)

    assert (stage.errand.link, stage.sender.heard.empty(), stage.got) == (None, True, [b""])
    assert not stage.errand.dialing


async def test_a_daemon_that_is_not_there_is_told(stage, tmp_path):
    """By the kind of the failure."""
    (tmp_path / "daemon.sock").unlink()
    stage.errand.begin(Dial(b"head", repeatable=False))

    assert await stage.sender.next() is FileNotFoundError
    assert not stage.errand.dialing


async def test_what_only_reads_is_sent_again_once(stage):
    """An idle connection was dead; a new one that dies is a failure."""

    async def script(reader, _writer, number):
        stage.got[number] = await reader.read(4)

    stage.script = script
    await idle(stage)
    stage.errand.begin(Dial(b"head", repeatable=True))

    assert [await stage.sender.next(), await stage.sender.next()] == ["reached", "ended"]
    assert stage.got == [b"head", b"head"]


async def test_the_end_of_a_client_goes_along_when_a_request_is_sent_again(stage):
    """A daemon gives up without a client, which looks like a dead connection: it must once more."""

    async def script(reader, _writer, number):
        stage.got[number] = await reader.read()  # until the client ends

    stage.script = script
    await idle(stage)
    stage.errand.begin(Dial(b"head", repeatable=True))
    stage.errand.send(EndDaemon())

    assert [await stage.sender.next(), await stage.sender.next()] == ["reached", "ended"]
    assert stage.got == [b"head", b"head"]


async def test_what_has_an_answer_is_not_sent_again(stage):
    """Half an answer that breaks off is no dead connection."""

    async def script(reader, writer, number):
        stage.got[number] = await reader.read(4)
        writer.write(b"half")

    stage.script = script
    await idle(stage)
    stage.errand.begin(Dial(b"head", repeatable=True))

    assert [await stage.sender.next(), await stage.sender.next()] == [b"half", "ended"]
    assert stage.got == [b"head"]


async def test_a_connection_is_kept_for_the_next_one(stage):
    """Where its answer was whole."""

    async def script(reader, writer, number):
        while piece := await reader.read(4):
            stage.got[number] += piece
            writer.write(b"whole")

    stage.script = script
    for _ in range(2):
        stage.errand.begin(Dial(b"head", repeatable=True))
        while await stage.sender.next() != b"whole":
            pass
        stage.errand.release(reusable=True)

    assert stage.got == [b"headhead"]
    assert stage.errand.link is None
