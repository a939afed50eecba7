"""`dockgate serve` on sockets that somebody else opened, as systemd does; needs no daemon."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import short_folder
from tests.e2e.gate import call
from tests.e2e.sandbox import wait_for

LAUNCHER = """
import fcntl, os, sys
names, numbers, program = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
aside = [fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, 100) for number in numbers]
for place, number in enumerate(aside, 3):
    os.dup2(number, place)
os.environ |= {
    "LISTEN_PID": str(os.getpid()),
    "LISTEN_FDS": str(len(aside)),
    "LISTEN_FDNAMES": names,
}
os.execv(program[0], program)
"""
"""Becomes the program, so that LISTEN_PID is right; the sockets become descriptors from 3 on."""

ACTIVATED = {"Implements": ["authz"]}


class Manager:
    """Stands in for systemd: it opens sockets, starts the service with them, and hears of it."""

    def __init__(self, folder: Path) -> None:
        self.plugin = folder / "plugin.sock"
        self.admin = folder / "admin.sock"
        self.log = folder / "log"
        self.settings = folder / "dockgate.toml"
        self.started: list[subprocess.Popen[bytes]] = []
        self.news = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.news.bind(str(folder / "notify"))
        self.news.settimeout(15)
        self.settings.write_text(
            f'policy = "builtin:developer"\n[plugin]\nsocket = "{self.plugin}"\n'
            f'[audit]\npath = "audit.jsonl"\n[admin]\naddress = "unix://{self.admin}"\n'
        )

    @property
    def program(self) -> list[str]:
        """The service's command line."""
        return [sys.executable, "-m", "authz", "serve", "--config", str(self.settings)]

    def start(self, **sockets: socket.socket) -> subprocess.Popen[bytes]:
        """Start the service with the sockets, each under its name."""
        return self.start_named(*sockets.items())

    def start_named(self, *sockets: tuple[str, socket.socket]) -> subprocess.Popen[bytes]:
        """Start the service with the sockets, of which some may have the same name."""
        numbers = [each.fileno() for _, each in sockets]
        names = ":".join(name for name, _ in sockets)
        launch = [sys.executable, "-c", LAUNCHER, names, ",".join(map(str, numbers))]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*launch, *self.program],
                env=os.environ | {"NOTIFY_SOCKET": self.news.getsockname()},
                pass_fds=numbers,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        self.started.append(process)
        return process

    def hear(self, wanted: str) -> bool:
        """Wait for one message of the service; signs of life come in between."""
        with suppress(TimeoutError):
            while self.news.recv(100).decode() != wanted:
                pass
            return True
        return False


@pytest.fixture
def manager() -> Iterator[Manager]:
    """Make one with a folder of its own, and end what it started."""
    folder = short_folder()
    made = Manager(folder)
    with closing(made.news):
        yield made
        for process in made.started:
            process.kill()
            process.wait(10)
    shutil.rmtree(folder)


@pytest.fixture
def plugin(manager: Manager) -> Iterator[socket.socket]:
    """Open the plugin's socket as the socket unit does: listening, mode 0600."""
    with opened(manager.plugin) as sock:
        yield sock


def opened(path: Path) -> socket.socket:
    """Bind and listen, for this account only."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    path.chmod(0o600)
    sock.listen()
    return sock


def test_a_question_that_waits_starts_and_is_answered(manager, plugin):
    """The daemon may connect before the service runs; the manager hears when it is ready."""
    with socket.socket(socket.AF_UNIX) as early:
        early.settimeout(15)
        early.connect(str(manager.plugin))
        early.sendall(b"POST /Plugin.Activate HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n\r\n")
        manager.start(plugin=plugin)
        answer = http.client.HTTPResponse(early)
        answer.begin()
        said = json.loads(answer.read())

    assert said == ACTIVATED
    assert manager.hear("READY=1")
    assert manager.hear("WATCHDOG=1")


def test_the_socket_outlives_the_service(manager, plugin):
    """Its file stays when the service stops or is killed, and the next one answers on it."""
    first = manager.start(plugin=plugin)
    assert manager.hear("READY=1")
    first.send_signal(signal.SIGTERM)
    assert (first.wait(10), manager.plugin.exists()) == (0, True)
    assert manager.hear("STOPPING=1")

    second = manager.start(plugin=plugin)
    assert manager.hear("READY=1")
    second.kill()
    second.wait(10)
    manager.start(plugin=plugin)

    assert call(manager.plugin, "POST", "/Plugin.Activate", b"").json() == ACTIVATED


def test_both_sockets_can_be_handed_over(manager, plugin):
    """Each is known by its name, whatever the order."""
    with opened(manager.admin) as admin:
        manager.start(admin=admin, plugin=plugin)
        health = call(manager.admin, "GET", "/healthz")
        activated = call(manager.plugin, "POST", "/Plugin.Activate", b"")

    assert health.status == 200
    assert activated.json() == ACTIVATED


@pytest.mark.parametrize(
    ("name", "where", "mode", "said"),
    [
        ("dockgate.socket", "plugin.sock", 0o600, "is not known"),
        ("plugin", "elsewhere.sock", 0o600, "listens on"),
        ("plugin", "plugin.sock", 0o660, "mode is 0660"),
    ],
)
def test_a_socket_that_does_not_fit_is_a_failure(name, where, mode, said, manager):
    """A mistake in a unit file ends the start; ignored, nobody would answer on the socket."""
    path = manager.settings.with_name(where)
    with opened(path) as sock:
        path.chmod(mode)
        status = manager.start(**{name: sock}).wait(15)

    assert status == 2
    assert said in manager.log.read_text()


@pytest.fixture
def port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        found: int = sock.getsockname()[1]
        return found


def a_proxy(manager: Manager, port: int) -> Path:
    """Write settings of a proxy with two listeners, and return the path of the first."""
    path = manager.settings.with_name("proxy.sock")
    manager.settings.write_text(
        'policy = "builtin:admin"\ndaemon = "unix:///nowhere/docker.sock"\n'
        f'[[proxy.listen]]\naddress = "unix://{path}"\ninsecure = true\n'
        'socket = { mode = "0660" }\n'
        f'[[proxy.listen]]\naddress = "tcp://127.0.0.1:{port}"\ninsecure = true\n'
        '[audit]\npath = "audit.jsonl"\n'
    )
    return path


def refused(sock: socket.socket) -> bytes:
    """Ask for what nobody may have, also before the service runs; return what came."""
    sock.settimeout(15)
    sock.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    found = b""
    while piece := sock.recv(65536):
        found += piece
    return found


def test_a_proxy_that_restarts_turns_nobody_away(manager, port):
    """Whoever connects while it is stopped, or killed, waits and is answered by the next one."""
    path = a_proxy(manager, port)
    with opened(path) as unix, socket.create_server(("127.0.0.1", port)) as tcp:
        path.chmod(0o660)
        for end in (signal.SIGTERM, signal.SIGKILL):
            process = manager.start_named(("proxy", unix), ("proxy", tcp))
            assert manager.hear("READY=1")
            with socket.create_connection(("127.0.0.1", port)) as client:
                assert b" 403 " in refused(client)
            process.send_signal(end)
            process.wait(10)
            assert path.exists()
            with socket.socket(socket.AF_UNIX) as early, socket.socket() as other:
                early.connect(str(path))
                other.connect(("127.0.0.1", port))
                next_one = manager.start_named(("proxy", tcp), ("proxy", unix))
                assert b" 403 " in refused(early)
                assert b" 403 " in refused(other)
            next_one.kill()
            next_one.wait(10)


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="systemd is not installed"
)
def test_systemds_own_launcher_fits_the_proxy(manager, port):
    """Two sockets of one name, as a socket unit with two ListenStream= passes them."""
    path = a_proxy(manager, port)
    words = ["systemd-socket-activate", "--fdname=proxy:proxy", f"--listen={path}"]
    with manager.log.open("ab") as log:
        launched = [*words, f"--listen=127.0.0.1:{port}", *manager.program]
        manager.started.append(subprocess.Popen(launched, stderr=log))
    assert wait_for(path.exists, 10)
    path.chmod(0o660)

    with socket.create_connection(("127.0.0.1", port)) as client:
        assert b" 403 " in refused(client)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert b" 403 " in refused(client)


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="systemd is not installed"
)
def test_systemds_own_launcher_fits(manager):
    """What really sets the variables and the descriptors is understood."""
    words = ["systemd-socket-activate", "--fdname=plugin", f"--listen={manager.plugin}"]
    with manager.log.open("ab") as log:
        manager.started.append(subprocess.Popen([*words, *manager.program], stderr=log))
    assert wait_for(manager.plugin.exists, 10)
    manager.plugin.chmod(0o600)  # the launcher has no option for it, as a socket unit has

    answer = call(manager.plugin, "POST", "/Plugin.Activate", b"")

    assert answer.json() == ACTIVATED
