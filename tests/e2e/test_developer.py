"""The developer bundle on a real daemon: ordinary work goes through, the host stays the host's."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Daemons
from tests.e2e.daemon import Dockerd
from tests.e2e.gate import Gate

COMPOSE = """
services:
  web:
    image: busybox
    command: ["sh", "-c", "echo served > /tmp/index.html; exec httpd -f -p 80 -h /tmp"]
    init: true
    stop_grace_period: 0s
    ports: ["8080:80"]
    volumes: ["content:/content"]
volumes:
  content: {}
"""

DENIED = {
    "--privileged": ("privileged:true", "no-privileged"),
    "-v /etc:/x": ("bind:/etc", "no-host-system"),
    "--mount type=bind,src=/,dst=/h": ("bind:/", "no-host-system"),
    (
        "--mount type=volume,volume-driver=local,volume-opt=type=none,volume-opt=o=bind,"
        "volume-opt=device=/,dst=/h"
    ): ("bind:/", "no-host-system"),
    "--cap-add SYS_ADMIN": ("cap.add:SYS_ADMIN", "no-cap-add"),
    "--device /dev/sda": ("device:/dev/sda", "no-devices"),
    "--pid host": ("pid:host", "no-host-namespaces"),
    "--network host": ("net:host", "no-host-namespaces"),
    "--ipc host": ("ipc:host", "no-host-namespaces"),
    "--uts host": ("uts:host", "no-host-namespaces"),
    "--userns host": ("userns:host", "no-host-namespaces"),
    "--cgroupns host": ("cgroupns:host", "no-host-namespaces"),
    "--security-opt seccomp=unconfined": ("seccomp:unconfined", "no-unconfined"),
    "--security-opt apparmor=unconfined": ("apparmor:unconfined", "no-unconfined"),
    "--security-opt systempaths=unconfined": ("proc:unmasked", "no-unconfined"),
    "--volumes-from hostile": ("target.bind", "no-host-system"),
    "-v /var/run/docker.sock:/s": ("bind:/run/docker.sock", ""),
    "--sysctl kernel.msgmax=1": ("sysctl:kernel.msgmax=1", "no row allows it"),
    "-p 80:80": ("port:80/tcp", "no row allows it"),
}
"""Options of `docker run`, and what the refusal must name."""


@pytest.fixture(scope="module")
def gate(module_daemons: Daemons) -> Iterator[Gate]:
    """Run a daemon that asks Dockgate; some containers were made before it was asked."""
    daemon = module_daemons(["dockgate"])
    daemon.configure({"authorization-plugins": []})
    daemon.start()
    daemon.docker("run", "-d", "--name", "privileged", "--privileged", "busybox", "sleep", "900")
    daemon.docker("create", "--name", "stopped", "--privileged", "busybox", "true")
    daemon.docker("create", "--name", "hostile", "-v", "/etc:/x", "busybox", "true")
    with Gate(daemon) as gate:
        daemon.configure({"authorization-plugins": ["dockgate"]})
        daemon.reload()
        yield gate


@pytest.fixture(scope="module")
def daemon(gate: Gate) -> Dockerd:
    """Return the daemon that asks."""
    return gate.daemon


def test_ordinary_containers_run(daemon):
    """The output arrives."""
    done = daemon.docker("run", "--rm", "alpine", "echo", "hello")
    assert done.stdout == "hello\n"


def test_ordinary_options_work(daemon):
    """A named volume, tmpfs, a port, a network, labels, limits, a user and an environment."""
    daemon.docker("network", "create", "app")
    done = daemon.docker(
        *("run", "--rm", "--network", "app", "-p", "127.0.0.1:8099:80", "-v", "stuff:/stuff"),
        *("--tmpfs", "/scratch:size=1m", "-m", "64m", "--cpus", "0.5", "-u", "nobody", "-e", "A=b"),
        *("--label", "a=b", "--read-only", "--cap-drop", "ALL", "--init", "--hostname", "h"),
        *("busybox", "sh", "-c", "id -un; touch /scratch/f; echo $A"),
    )
    assert done.stdout.splitlines() == ["nobody", "b"]
    daemon.docker("volume", "rm", "stuff")
    daemon.docker("network", "rm", "app")


def test_daily_commands_work(daemon):
    """Run, ps, exec, logs, inspect, top, stats, cp out, stop and rm of an ordinary container."""
    daemon.docker(
        "run", "-d", "--init", "--name", "daily", "busybox", "sh", "-c", "echo up; sleep 900"
    )
    assert "daily" in daemon.docker("ps").stdout
    assert daemon.docker("exec", "daily", "echo", "inside").stdout == "inside\n"
    assert daemon.docker("exec", "-i", "daily", "cat", stdin=b"typed").stdout == "typed"
    assert daemon.docker("logs", "daily").stdout == "up\n"
    assert daemon.docker("inspect", "-f", "{{.Name}}", "daily").stdout == "/daily\n"
    assert "sleep" in daemon.docker("top", "daily").stdout
    assert "daily" in daemon.docker("stats", "--no-stream", "daily").stdout
    assert daemon.docker("cp", "daily:/etc/passwd", "-").stdout
    daemon.docker("stop", "-t", "1", "daily")
    daemon.docker("start", "daily")
    daemon.docker("rm", "-f", "daily")
    assert "daily" not in daemon.docker("ps", "-a").stdout


def test_looking_around_works(daemon):
    """Lists, info, version, disk usage, images and events."""
    for command in ("info", "version", "images", "volume ls", "network ls", "system df"):
        assert daemon.docker(*command.split()).stdout
    daemon.docker("events", "--since", "1m", "--until", "0s")


def test_compose_goes_up_and_down(daemon, tmp_path):
    """Compose makes its network and volume, starts the service, shows it and takes it down."""
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    daemon.docker("compose", "up", "-d", cwd=tmp_path)
    assert "web" in daemon.docker("compose", "ps", cwd=tmp_path).stdout
    assert daemon.docker("compose", "exec", "-T", "web", "echo", "x", cwd=tmp_path).stdout == "x\n"
    daemon.docker("compose", "logs", cwd=tmp_path)
    daemon.docker("compose", "down", "-v", cwd=tmp_path)
    assert daemon.docker("ps", "-aq", "--filter", "label=com.docker.compose.project").stdout == ""


@pytest.mark.parametrize("options", DENIED)
def test_the_host_stays_the_hosts(options, daemon):
    """The CLI prints the fact that failed, and the row that denied it or that none allows it."""
    fact, row = DENIED[options]
    done = daemon.docker("run", "--rm", *options.split(), "busybox", "true", check=False)
    assert done.returncode != 0
    assert "dockgate: denied: " in done.stderr
    assert fact in done.stderr
    assert row in done.stderr
    assert "request " in done.stderr


@pytest.mark.parametrize(
    ("command", "fact"),
    [
        ("exec --privileged plain true", "exec.privileged:true"),
        ("exec privileged true", "target.privileged"),
        ("start stopped", "target.privileged"),
        ("restart privileged", "target.privileged"),
        ("cp /etc/hostname plain:/", "body.opaque:archive"),
        ("commit privileged stolen", "target.privileged"),
    ],
)
def test_existing_containers_carry_their_isolation(command, fact, daemon):
    """What a container was allowed to be by somebody else is no door for a developer."""
    if "plain" in command and "plain" not in daemon.docker("ps", "--format", "{{.Names}}").stdout:
        daemon.docker("run", "-d", "--init", "--name", "plain", "busybox", "sleep", "900")
    done = daemon.docker(*command.split(), check=False)
    assert done.returncode != 0
    assert "dockgate: denied: " in done.stderr
    assert fact in done.stderr


def test_a_refused_attach_is_in_the_record(gate, daemon):
    """For a connection that was to be taken over the CLI prints the status alone."""
    done = daemon.docker("attach", "--no-stdin", "privileged", check=False)
    assert "received 403" in done.stderr
    refused = gate.denied()[-1]
    assert refused["request"]["action"] == "container.attach"
    assert "target.privileged:true" in [fact["fact"] for fact in refused["facts"]]


def test_every_refusal_is_in_the_record(gate, daemon):
    """The request id that the CLI prints finds the record with every failing fact."""
    done = daemon.docker("run", "--privileged", "-v", "/etc:/x", "busybox", "true", check=False)
    request_id = done.stderr.split("request ")[1].split()[0].strip(".")
    (record,) = [found for found in gate.records() if found["id"] == request_id]
    failing = {fact["fact"] for fact in record["facts"] if fact["verdict"] in ("deny", "never")}
    assert {"privileged:true", "bind:/etc"} <= failing
    assert record["identity"]["subject"] == "user:anonymous"
    assert record["request"]["action"] == "container.create"
