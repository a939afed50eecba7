"""The image, built without a registry and without an index, and the managed plugin made of it."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e import engines
from tests.e2e.conftest import Daemons
from tests.e2e.daemon import Dockerd
from tests.e2e.gate import EVERYBODY_DEVELOPS, POLICIES, call
from tests.e2e.sandbox import wait_for

ROOT = POLICIES.parent
LOCKS = [ROOT / "requirements" / name for name in ("build.txt", "run.txt")]
PYTHON = "/opt/dockgate/bin/python"
OFFLINE = ("PIP_NO_INDEX=1", "PIP_FIND_LINKS=requirements/wheels")
LOOK_INSIDE = """
import authz, importlib.util, os
print(os.path.exists(authz.__cached__), *map(importlib.util.find_spec, ("pip", "hatchling")))
"""
MOST_OF_ITS_OWN = 90_000_000
"""Bytes that the image may have beyond its base."""


@dataclass(frozen=True, slots=True)
class Host:
    """What the gate in a container is given of its host: a policy, and a place for its record."""

    policy: Path
    audit: Path


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Make both folders; everybody is a developer."""
    shutil.copytree(POLICIES / "developer", tmp_path / "policy")
    with (tmp_path / "policy" / "people.csv").open("a") as file:
        file.write(EVERYBODY_DEVELOPS)
    (tmp_path / "audit").mkdir()
    return Host(tmp_path / "policy", tmp_path / "audit")


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy this checkout as a build context, with the wheels that the Dockerfile tells to fetch."""
    folder = tmp_path_factory.mktemp("context")
    for name in ("authz", "deploy", "docs", "policies", "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(wheels(), folder / "requirements/wheels", dirs_exist_ok=True)
    return folder


def wheels() -> Path:
    """Download what the locks name, for the base's Python; once for each state of the locks."""
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in LOCKS)).hexdigest()
    folder = engines.cached(f"wheels-{digest[:16]}")
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            words = [word for lock in LOCKS for word in ("-r", str(lock))]
            subprocess.run(
                [
                    *(sys.executable, "-m", "pip", "download", "-qq", "--require-hashes"),
                    *("--only-binary", ":all:", "--python-version", "3.11", "-d"),
                    *(f"{scratch}/wheels", *words),
                ],
                check=True,
            )
            Path(f"{scratch}/wheels").rename(folder)
    return folder


@pytest.fixture(scope="module")
def daemon(module_daemons: Daemons, context: Path) -> Iterator[Dockerd]:
    """Run a daemon that has the image: built by its own classic builder, with no network."""
    daemon = module_daemons()
    daemon.start()
    tree = engines.debian_with_python()
    packed = subprocess.run(["tar", "-C", tree, "-c", "."], stdout=subprocess.PIPE, check=True)
    daemon.docker("import", "-", "base", stdin=packed.stdout)
    chosen = [word for each in ("BASE=base", *OFFLINE) for word in ("--build-arg", each)]
    build = ("build", "-t", "dockgate", "--network", "none", *chosen, ".")
    daemon.docker(*build, cwd=context, env={"DOCKER_BUILDKIT": "0"}, timeout=300)
    return daemon


def test_the_image_holds_the_gate_and_no_tools(daemon: Dockerd) -> None:
    """It is small, its bytecode is made already, and what built it stayed behind."""
    sizes = [
        int(daemon.docker("image", "inspect", "-f", "{{.Size}}", name).stdout)
        for name in ("dockgate", "base")
    ]
    words = ("--entrypoint", PYTHON, "dockgate", "-c", LOOK_INSIDE)
    said = daemon.docker("run", "--rm", *words).stdout
    checked = daemon.docker("run", "--rm", "dockgate", "check", "builtin:developer").stdout

    assert said.split() == ["True", "None", "None"]
    assert sizes[0] - sizes[1] < MOST_OF_ITS_OWN
    assert "0 errors" in checked


def test_the_gate_serves_from_a_container(daemon: Dockerd, host: Host) -> None:
    """Its health check passes, its socket answers on the host, and a stop ends it cleanly."""
    daemon.docker(
        *("run", "-d", "--name", "gate", "--network", "none", "--health-interval", "1s"),
        *("--read-only", "--tmpfs", "/run/dockgate", "--cap-drop", "ALL"),
        *("--cap-add", "DAC_READ_SEARCH", "-v", f"{host.policy}:/etc/dockgate/policy:ro"),
        *("-v", f"{host.audit}:/var/log/dockgate", "-v", "/run/docker/plugins:/run/docker/plugins"),
        *("-v", "/:/host:ro,rslave", "dockgate"),
    )
    health = ("inspect", "-f", "{{.State.Health.Status}}", "gate")
    healthy = wait_for(lambda: daemon.docker(*health).stdout == "healthy\n", 15)
    answer = call(daemon.plugins / "dockgate.sock", "POST", "/Plugin.Activate")
    logs = daemon.docker("logs", "gate")
    daemon.docker("stop", "gate")
    status = daemon.docker("inspect", "-f", "{{.State.ExitCode}}", "gate").stdout
    daemon.docker("rm", "gate")

    assert healthy, logs.stderr
    assert answer.json() == {"Implements": ["authz"]}
    assert status == "0\n"
    assert not (daemon.plugins / "dockgate.sock").exists()


def test_a_program_gets_a_socket_of_its_own(daemon: Dockerd, tmp_path: Path) -> None:
    """By the files of deploy/compose: what the program needs works, and nothing else does."""
    folder = tmp_path / "front"
    shutil.copytree(ROOT / "deploy/compose", folder)
    shutil.copytree(POLICIES / "traefik", folder / "policy")
    with (folder / "policy" / "people.csv").open("a") as file:
        file.write("g, user:anonymous, role:traefik, *\n")
    daemon.docker("compose", "up", "-d", "--wait", "dockgate", cwd=folder, timeout=60)
    where = ("volume", "inspect", "-f", "{{.Mountpoint}}", "front_traefik-socket")
    socket = Path(daemon.docker(*where).stdout.strip()) / "docker.sock"
    through = ("-H", f"unix://{socket}")

    listed = daemon.docker(*through, "ps", "--format", "{{.Names}}").stdout
    refused = daemon.docker(*through, "run", "--rm", "busybox", "true", check=False)
    audit = ("exec", "dockgate", "dockgate", "audit", "query")
    denied = daemon.docker(
        *("compose", *audit, "/var/log/dockgate/audit.jsonl", "--verdict", "deny"), cwd=folder
    )
    daemon.docker("compose", "down", "-v", cwd=folder)

    assert listed == "front-dockgate-1\n"
    assert "dockgate: denied: " in refused.stderr
    assert "container.create" in denied.stdout


def test_the_managed_plugin_guards_its_daemon(daemon: Dockerd, host: Host) -> None:
    """Made, enabled and switched on, it allows, refuses, records, and is there after a restart."""
    environment = {
        "PATH": daemon.engine.path,
        "DOCKER_HOST": f"unix://{daemon.socket}",
    }
    subprocess.run([ROOT / "deploy/docker-plugin/build"], env=environment, check=True, timeout=120)
    daemon.docker("plugin", "set", "dockgate", f"policy.source={host.policy}")
    daemon.docker("plugin", "set", "dockgate", f"audit.source={host.audit}")
    daemon.docker("plugin", "enable", "dockgate")
    daemon.configure({"authorization-plugins": ["dockgate"]})
    daemon.reload()

    allowed = daemon.docker("run", "--rm", "busybox", "echo", "hello")
    refused = daemon.docker("run", "--rm", "--privileged", "busybox", "true", check=False)
    disabled = daemon.docker("plugin", "disable", "--force", "dockgate", check=False)
    daemon.restart()
    again = daemon.docker("run", "--rm", "-v", "/etc:/x", "busybox", "true", check=False)
    recorded = (host.audit / "audit.jsonl").read_text()

    assert allowed.stdout == "hello\n"
    assert "dockgate: denied: privileged:true" in refused.stderr
    assert "dockgate: denied: " in disabled.stderr
    assert "dockgate: denied: bind" in again.stderr
    assert "privileged:true" in recorded
