"""From nothing to a policy: record real use in shadow mode, learn, and work under the result."""

import io
import secrets
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.e2e.conftest import Daemons
from tests.e2e.daemon import Dockerd
from tests.e2e.gate import Gate

pytestmark = pytest.mark.parametrize("engine", ["26.1"], indirect=True, scope="session")
"""Recording takes its time; what is recorded does not depend on the engine's age."""

COMPOSE = """
name: shop
services:
  web:
    image: busybox
    command: ["sh", "-c", "echo served > /tmp/index.html; exec httpd -f -p 80 -h /tmp"]
    init: true
    stop_grace_period: 0s
    ports: ["8080:80"]
    volumes: ["content:/content"]
  job:
    image: busybox
    command: ["true"]
    depends_on: [web]
volumes:
  content: {}
"""


def work(daemon: Dockerd, folder: Path) -> None:
    """Do what people do: a session of the CLI, a compose project, a program with docker-py."""
    _session(daemon)
    _compose(daemon, folder)
    client = docker.DockerClient(f"unix://{daemon.socket}", timeout=60)
    try:
        _program(client)
    finally:
        client.close()


def _session(daemon: Dockerd) -> None:
    assert daemon.docker("run", "--rm", "alpine", "echo", "hello").stdout == "hello\n"
    daemon.docker("network", "create", "app")
    daemon.docker(
        *("run", "-d", "--init", "--name", "daily", "--network", "app", "-p", "127.0.0.1:8099:80"),
        *("-v", "stuff:/stuff", "-v", "/srv:/data:ro", "-m", "64m", "busybox", "sleep", "900"),
    )
    for command in ("ps", "images", "info", "volume ls", "network ls", "system df"):
        daemon.docker(*command.split())
    assert daemon.docker("exec", "daily", "echo", "inside").stdout == "inside\n"
    daemon.docker("logs", "daily")
    daemon.docker("inspect", "daily")
    daemon.docker("cp", "daily:/etc/passwd", "-")
    daemon.docker("rename", "daily", "nightly")
    daemon.docker("stop", "-t", "0", "nightly")
    daemon.docker("rm", "-v", "nightly")
    daemon.docker("volume", "rm", "stuff")
    daemon.docker("network", "rm", "app")


def _compose(daemon: Dockerd, folder: Path) -> None:
    (folder / "compose.yaml").write_text(COMPOSE)
    daemon.docker("compose", "up", "-d", cwd=folder)
    assert "web" in daemon.docker("compose", "ps", cwd=folder).stdout
    daemon.docker("compose", "exec", "-T", "web", "true", cwd=folder)
    daemon.docker("compose", "logs", cwd=folder)
    daemon.docker("compose", "down", "-v", cwd=folder)


def _program(client: docker.DockerClient) -> None:
    assert client.containers.run("busybox", ["echo", "hello"], remove=True) == b"hello\n"
    client.networks.create(f"test_{secrets.token_hex(8)}").remove()  # another one each time
    shelf = client.volumes.create("shelf", labels={"a": "b"})
    made = client.containers.create(
        "busybox",
        ["sleep", "600"],
        init=True,
        nano_cpus=500_000_000,
        volumes={"shelf": {"bind": "/data", "mode": "rw"}},
        ports={"80/tcp": None},
        restart_policy={"Name": "on-failure", "MaximumRetryCount": 3},
    )
    made.start()
    assert made.exec_run(["id", "-u"]).output == b"0\n"
    data, _ = made.get_archive("/etc/passwd")
    with tarfile.open(fileobj=io.BytesIO(b"".join(data))) as archive:
        assert archive.getnames() == ["passwd"]
    made.update(mem_limit="96m", memswap_limit="192m")
    made.remove(force=True, v=True)
    shelf.remove()


def dockgate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the gate."""
    return subprocess.run(
        [sys.executable, "-m", "authz", *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def learned(module_daemons: Daemons, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """Record work in shadow mode, learn from it, and let the daemon ask by the result."""
    daemon = module_daemons(["dockgate"])
    with Gate(daemon, "observe", people="", mode="shadow") as gate:
        daemon.start()
        work(daemon, tmp_path_factory.mktemp("project"))
        gate.stop()
        shutil.rmtree(gate.policy)
        done = dockgate("learn", str(gate.audit), "--into", str(gate.policy))
        assert done.returncode == 0, done.stderr
        assert ", 0 still denied" in done.stderr
        gate.audit.rename(gate.folder / "first.jsonl")
        gate._write_settings("enforce")
        gate.start()
        yield gate


def test_what_was_learned_checks_and_passes_its_tests(learned):
    """A policy that somebody can go on with."""
    for command in ("check", "test"):
        done = dockgate(command, str(learned.policy))
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_work_is_denied_nothing(learned, tmp_path):
    """Every request of it is allowed by a row, in earnest."""
    work(learned.daemon, tmp_path)
    assert learned.denied() == []
    assert {record["mode"] for record in learned.records()} == {"enforce"}


@pytest.mark.parametrize(
    ("options", "fact"), [("--privileged", "privileged:true"), ("-v /:/h", "bind:/")]
)
def test_what_nobody_did_is_denied(options, fact, learned):
    """Nobody was privileged, nobody mounted the host."""
    done = learned.daemon.docker("run", "--rm", *options.split(), "busybox", "true", check=False)
    assert done.returncode != 0
    assert "dockgate: denied: " in done.stderr
    found = [each["fact"] for each in learned.denied()[-1]["facts"] if each["verdict"] != "allow"]
    assert fact in found
