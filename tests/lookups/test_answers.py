"""Each question goes to whoever can answer it."""

import asyncio
from pathlib import Path

import pytest

from authz.deadlines import Deadlines
from authz.errors import LookupFailedError
from authz.facts.questions import MISSING, Question, Topic
from authz.lookups.answers import Lookups
from authz.lookups.cache import Cache
from authz.lookups.daemon import DaemonLookups
from authz.lookups.lookup_pass import Passes, load_key
from authz.lookups.paths import PathLookups


@pytest.fixture
async def lookups(tmp_path):
    """Return both, with a daemon that calls every object ``4b``."""

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"Id":"4b"}')
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "docker.sock")
    daemon = DaemonLookups(f"unix://{tmp_path}/docker.sock", Passes(load_key(None)))
    both = Lookups(daemon, PathLookups(host_root=Path("/")))
    yield both
    await both.close()
    server.close()


@pytest.mark.parametrize("topic", [topic for topic in Topic if topic is not Topic.PATH])
async def test_the_daemon_tells_about_its_objects(lookups, topic):
    """And about itself."""
    key = "linux/amd64 x" if topic is Topic.VARIANT else "x"
    assert await lookups.answer(Question(topic, key)) == {"Id": "4b"}


async def test_what_is_kept_is_not_asked_again(tmp_path):
    """With a cache; paths are always looked at."""
    asked = []

    class Known:
        async def answer(self, question):
            asked.append(question)
            return {"Id": "kept"}

    daemon = DaemonLookups(f"unix://{tmp_path}/nowhere.sock", Passes(load_key(None)))
    both = Lookups(daemon, PathLookups(host_root=Path("/")), Known())

    assert await both.answer(Question(Topic.CONTAINER, "x")) == {"Id": "kept"}
    (tmp_path / "link").symlink_to("/etc")
    assert await both.answer(Question(Topic.PATH, f"{tmp_path}/link")) == {"path": "/etc"}
    assert asked == [Question(Topic.CONTAINER, "x")]


async def test_the_file_system_tells_about_paths(lookups, tmp_path):
    """The daemon is not asked."""
    (tmp_path / "link").symlink_to("/etc")

    assert await lookups.answer(Question(Topic.PATH, f"{tmp_path}/link")) == {"path": "/etc"}


async def test_a_failure_of_either_is_a_failure(lookups):
    """Nothing is made up on the way."""
    for question in (Question(Topic.PATH, "etc"), Question(Topic.VOLUME, "..")):
        with pytest.raises(LookupFailedError):
            await lookups.answer(question)


async def test_closing_ends_the_connections(lookups):
    """A question afterwards makes new ones."""
    await lookups.answer(Question(Topic.DAEMON, ""))
    await lookups.close()

    assert await lookups.answer(Question(Topic.CONTAINER, "x")) == {"Id": "4b"}


async def test_what_the_daemon_said_of_itself_is_at_hand(lookups):
    """Nothing else is."""
    both = (Question(Topic.DAEMON, ""), Question(Topic.CONTAINER, "x"))
    for question in both:
        await lookups.answer(question)

    assert lookups.at_hand(both) == {both[0]: {"Id": "4b"}}


async def test_a_kept_connection_is_ready_for_what_only_the_daemon_knows(tmp_path):
    """Not for a path, nor for what is kept."""
    container, image = Question(Topic.CONTAINER, "x"), Question(Topic.IMAGE, "x")
    cached = Cache(asked := kept(tmp_path))
    for both, ready in (
        (Lookups(asked, PathLookups(host_root=Path("/"))), {container, image}),
        (Lookups(asked, PathLookups(host_root=Path("/")), cached), {image}),
    ):
        asking = (container, image, Question(Topic.PATH, "/etc"), Question(Topic.DAEMON, ""))

        assert {question for question in asking if both.ready(question)} == ready
        assert await both.answer_soon(image, Deadlines(1)) is MISSING


def kept(tmp_path):
    """Return a daemon that has nothing, over a connection that is always there."""

    class Daemon(DaemonLookups):
        def ready(self, question):
            return question.topic is not Topic.DAEMON

        async def answer_soon(self, _question, _limits):
            return MISSING

    return Daemon(f"unix://{tmp_path}/docker.sock", Passes(load_key(None)))
