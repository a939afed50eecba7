"""Whoever is killed in the middle: nobody hangs, and half of something is nothing."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from tests.e2e import registry
from tests.e2e.conftest import Certificates, Daemons
from tests.e2e.proxy import Front
from tests.e2e.sandbox import wait_for

PATIENCE = 15
"""Seconds after which a client counts as hanging."""

STREAMS = {
    "logs": ("logs", "-f", "talker"),
    "attach": ("attach", "--no-stdin", "talker"),
    "exec": ("exec", "-i", "sleeper", "cat"),
    "run": ("run", "-i", "--rm", "busybox", "cat"),
    "events": ("events",),
    "wait": ("wait", "sleeper"),
    "save": ("save", "large"),
    "load": ("load",),
    "build": ("build", "-"),
    "pull": ("pull", "{stalling}"),
}
"""What is under way: each kind of stream, in each direction."""

DOCKERFILE = b"FROM busybox\nRUN echo begun; sleep 30\n"

LARGE = "FROM busybox\nRUN head -c 30000000 /dev/urandom > /large\n"
"""More than all buffers on the way hold."""

OPERATIONS = {
    "ContainerLogs",
    "ContainerAttach",
    "ExecStart",
    "ContainerCreate",
    "SystemEvents",
    "ContainerWait",
    "ImageGetAll",
    "ImageLoad",
    "ImageBuild",
    "ImageCreate",
}


@pytest.fixture(scope="module")
def front(module_daemons: Daemons, certificates: Certificates) -> Iterator[Front]:
    """Run a daemon that keeps its containers when it dies, and the proxy before it."""
    daemon = module_daemons(live_restore=True)
    daemon.start()
    daemon.docker("run", "-d", "--init", "--name", "sleeper", "busybox", "sleep", "900")
    talk = "while sleep 0.1; do echo said; done"
    daemon.docker("run", "-d", "--init", "--name", "talker", "busybox", "sh", "-c", talk)
    daemon.docker("build", "-t", "large", "-", stdin=LARGE, env={"DOCKER_BUILDKIT": "0"})
    front = Front(daemon, certificates)
    with front:
        yield front


@pytest.fixture(scope="module")
def stalling(front: Front) -> Iterator[str]:
    """Return the name of an image whose pull never ends."""
    with registry.stalling(front.daemon.listen()) as name:
        yield name


@dataclass(frozen=True, slots=True)
class Material:
    """What clients send and ask for."""

    archive: bytes
    stalling: str


class Clients:
    """One client for each kind of stream, all of them in the middle of it."""

    def __init__(self, front: Front, way: str, material: Material, stack: ExitStack) -> None:
        """Start them, and wait until their streams flow."""
        self._front, self._way = front, way
        self._typing: dict[str, IO[bytes]] = {}
        self.processes: Mapping[str, subprocess.Popen[bytes]] = {
            name: self._begin(
                name, [word.format(stalling=material.stalling) for word in words], stack
            )
            for name, words in STREAMS.items()
        }
        for name in ("exec", "run"):
            self._say(name, b"typed\n")
        self._say("load", material.archive[: len(material.archive) // 2])
        self._say("build", DOCKERFILE)
        self._typing["build"].close()
        for name in ("logs", "attach", "exec", "run", "build", "pull"):
            self._hear(name)
        time.sleep(0.5)  # for those that say nothing

    def ends(self) -> dict[str, int]:
        """Wait for all of them, and return their exit statuses.

        A `load` reads on although nobody listens, until its own input ends.
        """
        time.sleep(0.5)
        self._typing["load"].close()
        found = {}
        until = time.monotonic() + PATIENCE
        for name, process in self.processes.items():
            try:
                process.communicate(timeout=max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise AssertionError(f"{name} by {self._way} hangs") from None
            found[name] = process.returncode
        return found

    def kill(self) -> None:
        """End them as the kernel would."""
        for process in self.processes.values():
            process.kill()
            process.communicate()

    def _begin(self, name: str, words: list[str], stack: ExitStack) -> subprocess.Popen[bytes]:
        client = str(self._front.daemon.root / "client")
        process = subprocess.Popen(
            [self._front.daemon.engine.docker, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={
                "PATH": self._front.daemon.engine.path,
                "HOME": client,
                "DOCKER_CONFIG": client,
                "DOCKER_BUILDKIT": "0",
                "DOCKER_HOST": f"unix://{self._front.daemon.socket}",
                **self._front.way(self._way),
            },
        )
        assert process.stdin is not None
        self._typing[name] = stack.enter_context(process.stdin)
        process.stdin = None  # who waits for the end must not end what is typed
        stack.callback(_reap, process)
        return process

    def _say(self, name: str, data: bytes) -> None:
        self._typing[name].write(data)
        self._typing[name].flush()

    def _hear(self, name: str) -> None:
        stream = self.processes[name].stdout
        assert stream is not None
        assert os.read(stream.fileno(), 4096)


def _reap(process: subprocess.Popen[bytes]) -> None:
    """End a client, and read no more of it."""
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


@pytest.fixture(scope="module")
def material(front: Front, stalling: str, tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Save an image under a name that the daemon then forgets."""
    path: Path = tmp_path_factory.mktemp("archive") / "a.tar"
    front.daemon.docker("build", "-t", "half:1", "-", stdin="FROM busybox\nLABEL half=1\n")
    front.daemon.docker("save", "-o", path, "half:1")
    front.daemon.docker("rmi", "half:1")
    return Material(path.read_bytes(), stalling)


def images(front: Front) -> set[str]:
    """Return the names that the daemon has, without registries and tags."""
    names = front.docker("direct", "images", "--format", "{{.Repository}}").stdout.split()
    return {name.rpartition("/")[2] for name in names}


def processes(front: Front) -> str:
    """Return what runs in the container that clients started something in."""
    return front.docker("direct", "top", "sleeper", "-o", "pid,args").stdout


def nobody_is_connected(front: Front) -> bool:
    """Say whether the proxy has no connection of a client."""
    return b"dockgate_proxy_connections 0.0" in front.ask("GET", "/metrics").body


def test_a_killed_daemon_ends_every_client(front, material):
    """With the exit status that it has without a proxy.

    But for that of an exec: newer clients make 255 of a daemon that cannot be connected to, and
    the proxy can.
    """
    ends: dict[str, dict[str, int]] = {}
    for way in ("direct", "unix", "certificate"):
        before = len(front.records())
        with ExitStack() as stack:
            clients = Clients(front, way, material, stack)
            front.daemon.kill()
            ends[way] = clients.ends()
        front.daemon.start()
        front.daemon.docker("restart", "-t", "0", "sleeper", "talker")  # it lost what was typed
        if way != "direct":
            made = {record["request"]["operation"] for record in front.records()[before:]}
            assert made >= OPERATIONS
        assert {"half", "stalling"}.isdisjoint(images(front))
    for found in ends.values():
        assert found.pop("exec") in {1, 255}
    assert ends["unix"] == ends["certificate"] == ends["direct"]


def test_killed_clients_leave_nothing_half(front, material):
    """What they typed into ends, what they sent half of is not there, nobody waits for them."""
    for way in ("unix", "certificate"):
        with ExitStack() as stack:
            clients = Clients(front, way, material, stack)
            assert "cat" in processes(front)
            clients.kill()
        assert wait_for(lambda: "cat" not in processes(front), 10), way
        assert {"half", "stalling"}.isdisjoint(images(front))
        assert wait_for(lambda: nobody_is_connected(front), 10), way


def test_a_killed_proxy_ends_every_client(front, material):
    """Nobody takes a part for the whole; every decision that was answered is in the file."""
    before = len(front.records())
    with ExitStack() as stack:
        clients = Clients(front, "certificate", material, stack)
        assert front.kill() == -signal.SIGKILL
        ends = clients.ends()
        assert all(ends.values()), ends
    assert wait_for(lambda: "cat" not in processes(front), 10)
    assert {"half", "stalling"}.isdisjoint(images(front))
    made = {record["request"]["operation"] for record in front.records()[before:]}
    assert made >= OPERATIONS
    front.start()
    assert front.docker("unix", "run", "--rm", "busybox", "echo", "on").stdout == "on\n"
