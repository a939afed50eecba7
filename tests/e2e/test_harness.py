"""The harness itself: ordinary Docker work is possible on each engine, and a plugin gets asked."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import pytest

from tests.e2e.conftest import Certificates, Daemons
from tests.e2e.daemon import Dockerd
from tests.e2e.engines import Engine
from tests.e2e.sandbox import DaemonError, wait_for

COMPOSE = """
services:
  web:
    image: busybox
    command: ["sh", "-c", "echo served > /tmp/index.html; httpd -f -p 80 -h /tmp"]
    stop_grace_period: 0s
    ports: ["8080:80"]
"""


STARTS_AND_DIES = """
import os, signal, sys
from pathlib import Path
from tests.e2e import engines, images
from tests.e2e.daemon import Dockerd
daemon = Dockerd(engines.survey()[0][sys.argv[1]], Path(sys.argv[2]))
daemon.start()
images.load(daemon)
daemon.docker("run", "-d", "busybox", "sleep", "600")
print(os.readlink(f"/proc/{daemon.pid}/ns/pid"), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


class YesServer(ThreadingUnixStreamServer):
    """An authorization plugin that allows all and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.asked: list[dict[str, object]] = []
        super().__init__(str(path), YesAnswer)


class YesAnswer(BaseHTTPRequestHandler):
    """One connection from the daemon, kept alive."""

    protocol_version = "HTTP/1.1"
    server: YesServer

    def do_POST(self) -> None:
        """Answer an activation, a request or a response."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        answer: dict[str, object] = {"Implements": ["authz"]}
        if self.path.startswith("/AuthZPlugin."):
            self.server.asked.append(json.loads(body))
            answer = {"Allow": True}
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Stay quiet: a unix socket has no client address to log."""


@contextmanager
def yes_plugin(path: Path) -> Iterator[YesServer]:
    """Run a YesServer on `path`."""
    with YesServer(path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def namespaces_in_use() -> Iterator[str]:
    """Name the process id namespace of every process of this machine."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield str((folder / "ns/pid").readlink())


def test_an_ordinary_container_runs(dockerd: Dockerd) -> None:
    """A container starts, prints and goes."""
    done = dockerd.docker("run", "--rm", "busybox", "echo", "hi")

    assert done.stdout == "hi\n"


def test_compose_brings_a_service_up_and_down(dockerd: Dockerd, tmp_path: Path) -> None:
    """A one-service project gets its own network and a published port, and leaves nothing."""
    (tmp_path / "compose.yaml").write_text(COMPOSE)

    dockerd.docker("compose", "up", "-d", "--wait", cwd=tmp_path)
    page = dockerd.enter("busybox", "wget", "-qO-", "http://127.0.0.1:8080/").stdout
    with dockerd.connect(8080) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        line = connection.makefile("rb").readline()
    dockerd.docker("compose", "down", cwd=tmp_path)

    assert page == "served\n"
    assert b" 200 " in line
    assert dockerd.docker("ps", "-aq").stdout == ""


def test_buildx_builds_an_image(dockerd: Dockerd, tmp_path: Path) -> None:
    """A Dockerfile with a RUN line is built, by the daemon's own BuildKit."""
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo built > /made\n")

    dockerd.docker("buildx", "build", "-t", "made", ".", cwd=tmp_path)

    assert dockerd.docker("run", "--rm", "made", "cat", "/made").stdout == "built\n"


def test_a_privileged_container_runs(dockerd: Dockerd) -> None:
    """The daemon takes --privileged and the container really has more capabilities."""
    show = ("busybox", "grep", "CapEff", "/proc/self/status")

    ordinary = dockerd.docker("run", "--rm", *show).stdout
    privileged = dockerd.docker("run", "--rm", "--privileged", *show).stdout
    dockerd.docker("create", "--privileged", "--name", "strong", "busybox")
    answer = dockerd.api("GET", "/containers/strong/json").json()
    dockerd.docker("rm", "strong")

    assert int(privileged.split()[1], 16) > int(ordinary.split()[1], 16)
    assert answer["HostConfig"]["Privileged"] is True


def test_exec_in_a_privileged_container_runs(dockerd: Dockerd) -> None:
    """A privileged exec works, also where root lacks a capability."""
    dockerd.docker("run", "-d", "--name", "sleeper", "busybox", "sleep", "600")

    done = dockerd.docker("exec", "--privileged", "sleeper", "id", "-u")
    dockerd.docker("rm", "-f", "sleeper")

    assert done.stdout == "0\n"


def test_the_sandbox_is_not_the_machine(dockerd: Dockerd) -> None:
    """Host namespaces of a container are the sandbox's, not this machine's."""
    here = {str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("pid", "net")}

    script = "readlink /proc/self/ns/pid; readlink /proc/self/ns/net"
    host = ("--pid", "host", "--net", "host")
    there = dockerd.docker("run", "--rm", *host, "busybox", "sh", "-c", script).stdout.split()

    assert len(there) == 2
    assert not here & set(there)


def test_a_plugin_outside_is_asked(daemons: Daemons) -> None:
    """A plugin socket made outside the sandbox is found at start and sees request and response."""
    daemon = daemons(["yes"])

    with yes_plugin(daemon.plugins / "yes.sock") as plugin:
        daemon.start()
        assert daemon.docker("run", "--rm", "busybox", "echo", "hi").stdout == "hi\n"

    creates = [a for a in plugin.asked if str(a["RequestUri"]).endswith("/containers/create")]
    assert ["ResponseStatusCode" in asked for asked in creates] == [False, True]


def test_a_plugin_is_switched_on_by_reload(daemons: Daemons) -> None:
    """SIGHUP takes a changed list of plugins."""
    daemon = daemons()
    daemon.start()

    with yes_plugin(daemon.plugins / "yes.sock") as plugin:
        daemon.configure({"authorization-plugins": ["yes"]})
        daemon.reload()
        status = daemon.api("GET", "/_ping").status

    assert status == 200
    assert plugin.asked[0]["RequestUri"] == "/_ping"


def test_a_failed_start_shows_the_log(daemons: Daemons) -> None:
    """A daemon that ends is seen at once, and the error has the daemon's own words."""
    daemon = daemons(storage_driver="absent")

    with pytest.raises(DaemonError, match=r"(?s)ended; its log ends:.*absent"):
        daemon.start()


def test_a_client_certificate_is_told_to_the_plugin(
    daemons: Daemons, certificates: Certificates
) -> None:
    """A TLS client inside the sandbox's network is known to the plugin by its common name."""
    daemon = daemons(["yes"], **certificates.server())

    with yes_plugin(daemon.plugins / "yes.sock") as plugin:
        daemon.start()
        daemon.docker("version", tls=certificates.client("alice"))

    assert {"alice"} == {asked.get("User") for asked in plugin.asked}


def test_containers_survive_a_crash_with_live_restore(daemons: Daemons) -> None:
    """The sandbox outlives its daemon, which finds the container again."""
    daemon = daemons(live_restore=True)
    daemon.start()
    daemon.docker("run", "-d", "--name", "survivor", "busybox", "sleep", "600")
    before = daemon.docker("inspect", "-f", "{{.State.Pid}}", "survivor").stdout

    daemon.kill()
    daemon.start()

    assert daemon.docker("inspect", "-f", "{{.State.Pid}}", "survivor").stdout == before


def test_a_killed_test_leaves_no_process(engine: Engine, tmp_path: Path) -> None:
    """When the process that started a daemon is killed, the kernel ends daemon and container."""
    script = tmp_path / "starts_and_dies.py"
    script.write_text(STARTS_AND_DIES)
    root = Path(tempfile.mkdtemp(prefix="dg-"))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    words = [sys.executable, str(script), engine.name, str(root)]
    died = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    inside = died.stdout.strip()
    ended = wait_for(lambda: inside not in set(namespaces_in_use()), 10)
    Dockerd.clear(root)

    assert died.returncode == -signal.SIGKILL
    assert inside.startswith("pid:[")
    assert ended
    assert not root.exists()


def test_close_leaves_nothing(daemons: Daemons) -> None:
    """No process, mount, folder or cgroup stays, not even of a paused container."""
    daemon = daemons()
    daemon.start()
    daemon.docker("run", "-d", "busybox", "sleep", "31337")
    daemon.docker("run", "-d", "--name", "paused", "busybox", "sleep", "31337")
    daemon.docker("pause", "paused")
    inside = str(Path(f"/proc/{daemon.pid}/ns/pid").readlink())

    daemon.close()

    assert not daemon.root.exists()
    assert daemon.root.name not in Path("/proc/self/mountinfo").read_text()
    assert not list(Path("/sys/fs/cgroup").glob(f"**/*{daemon.root.name}*"))
    assert inside not in set(namespaces_in_use())
