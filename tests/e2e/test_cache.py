"""Kept answers and a real daemon's events: what changes is asked afresh."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress

from authz.facts.questions import Question, Topic
from authz.lookups.cache import Cache
from authz.lookups.daemon import DaemonLookups
from authz.lookups.events import Events
from authz.lookups.lookup_pass import KEY_BYTES, Passes
from tests.e2e.proxy import Front
from tests.e2e.sandbox import wait_for
from tests.fakes import until


@asynccontextmanager
async def following(daemon):
    """Run a cache that is told of the daemon's events."""
    asked = DaemonLookups(f"unix://{daemon.socket}", Passes(b"k" * KEY_BYTES))
    cache = Cache(asked)
    task = asyncio.create_task(Events(asked, cache, again=0.05).follow())
    try:
        yield cache
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await asked.close()


async def kept(cache, question):
    """Ask; say whether the answer is kept, and return it."""
    answer = await cache.answer(question)
    return question in cache._entries, answer


async def docker(daemon, *words):
    """Run the CLI without standing still."""
    return (await asyncio.to_thread(daemon.docker, *words)).stdout.strip()


async def test_events_end_what_is_kept(dockerd):
    """A network that is joined, a name that is given away, an end; an exec changes nothing."""
    id_ = await docker(dockerd, "run", "-d", "--init", "--name", "kept", "busybox", "sleep", "900")
    await docker(dockerd, "network", "create", "joined")
    question = Question(Topic.CONTAINER, id_)
    try:
        async with following(dockerd) as cache:
            await until(lambda: cache.current)
            assert (await kept(cache, question))[0]
            assert (await kept(cache, Question(Topic.CONTAINER, "kept")))[0] is False
            await docker(dockerd, "exec", "kept", "true")
            assert question in cache._entries

            await docker(dockerd, "network", "connect", "joined", "kept")
            await until(lambda: question not in cache._entries)
            found, answer = await kept(cache, question)
            assert found
            assert sorted(answer["NetworkSettings"]["Networks"]) == ["bridge", "joined"]

            await docker(dockerd, "rename", "kept", "renamed")
            await until(lambda: question not in cache._entries)
            assert (await kept(cache, question))[1]["Name"] == "/renamed"

            network = json.loads(await docker(dockerd, "network", "inspect", "joined"))[0]["Id"]
            assert (await kept(cache, Question(Topic.NETWORK, network)))[0]
            await docker(dockerd, "kill", "renamed")
            await until(lambda: question not in cache._entries)
            assert (await kept(cache, question))[0] is False
    finally:
        await docker(dockerd, "rm", "-f", id_)
        await docker(dockerd, "network", "rm", "joined")


async def test_a_daemon_that_restarts_ends_all_of_it(daemons):
    """Nothing is kept without its events; with them again, something is."""
    daemon = daemons(live_restore=True)
    await asyncio.to_thread(daemon.start)
    id_ = await docker(daemon, "run", "-d", "--init", "busybox", "sleep", "900")
    question = Question(Topic.CONTAINER, id_)
    async with following(daemon) as cache:
        await until(lambda: cache.current)
        assert (await kept(cache, question))[0]
        await asyncio.to_thread(daemon.kill)
        await until(lambda: not cache.current)
        assert cache._entries == {}
        await asyncio.to_thread(daemon.start)
        await until(lambda: cache.current, 10)
        assert (await kept(cache, question))[0]


def test_the_plugin_admits_the_proxys_stream_of_events(daemons, certificates):
    """With both doors in one process the daemon asks about it, and finds its pass."""
    daemon = daemons(["dockgate"])
    front = Front(daemon, certificates, with_plugin=True)
    with front:
        daemon.start()
        admitted = 'dockgate_passes_total{outcome="admitted"}'
        assert wait_for(lambda: admitted in front.ask("GET", "/metrics").body.decode(), 10)
        assert front.denied() == []
