"""What runs on a real daemon, judged as if it were created now."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Daemons
from tests.e2e.daemon import Dockerd

ORDINARY = (
    *("-m", "64m", "--cpus", "0.5", "-u", "nobody", "-e", "A=b", "--label", "a=b", "--init"),
    *("-v", "stuff:/stuff", "--tmpfs", "/scratch:size=1m", "--restart", "on-failure:3"),
    *("-p", "8099:80", "--network", "app", "--ulimit", "nofile=64:64", "--hostname", "h"),
)


@pytest.fixture(scope="module")
def daemon(module_daemons: Daemons) -> Dockerd:
    """Run a daemon that nobody guards, with containers of all sorts and one service."""
    daemon = module_daemons()
    daemon.start()
    daemon.docker("network", "create", "app")
    daemon.docker("create", "--name", "ordinary", *ORDINARY, "busybox", "true")
    daemon.docker("create", "--name", "other", "busybox", "true")
    daemon.docker("create", "--name", "linked", "--link", "other:db", "busybox", "true")
    daemon.docker("create", "--name", "privileged", "--privileged", "busybox", "true")
    daemon.docker("create", "--name", "hostile", "-v", "/etc:/x", "--pid", "host", "busybox")
    daemon.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    daemon.docker("service", "create", "-d", "--name", "spy", "--mount", BIND, "busybox")
    return daemon


BIND = "type=bind,src=/srv,dst=/x"


def scan(daemon: Dockerd, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command against the daemon."""
    host = f"unix://{daemon.socket}"
    command = [sys.executable, "-m", "authz", "scan", "--host", host, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_findings_name_control_object_and_fact(daemon, tmp_path):
    """By the pack of the Pod Security Standards: nothing of what is ordinary, all that is not."""
    done = scan(
        *(daemon, "--policy", "policies/packs/pss-baseline", "--json"),
        *("--sarif", str(tmp_path / "scan.sarif")),
    )
    assert done.returncode == 4, done.stderr
    found = {(each["name"], each["fact"]) for each in json.loads(done.stdout)}
    assert {
        ("privileged", "privileged:true"),
        ("hostile", "bind:/etc"),
        ("hostile", "pid:host"),
        ("spy", "bind:/srv"),
        ("ordinary", "port:8099/tcp"),
    } <= found
    assert {name for name, _ in found} == {"privileged", "hostile", "spy", "ordinary"}
    assert {fact for name, fact in found if name == "ordinary"} == {"port:8099/tcp"}
    rules = {each["rule"] for each in json.loads(done.stdout)}
    assert {"PSS Privileged", "PSS HostPath", "PSS HostNamespaces", "PSS HostPorts"} <= rules
    run = json.loads((tmp_path / "scan.sarif").read_text())["runs"][0]
    assert {each["ruleId"] for each in run["results"]} == rules


def test_what_a_role_may_create_has_no_findings(daemon):
    """What was made of ordinary options is read back as those options."""
    done = scan(
        *(daemon, "--policy", "builtin:developer", "--as", "user:alice"),
        *("--role", "role:developer", "--json"),
    )
    assert {each["name"] for each in json.loads(done.stdout)} == {"privileged", "hostile", "spy"}
    assert done.returncode == 4


def test_an_administrator_may_have_everything(daemon):
    """Exit status 0."""
    done = scan(daemon, "--policy", "builtin:admin", "--role", "role:admin")
    assert done.returncode == 0, done.stdout
    assert "5 containers and 1 services judged, 0 with findings" in done.stdout


def test_a_daemon_that_is_not_there_is_told(tmp_path: Path):
    """In one line."""
    command = [sys.executable, "-m", "authz", "scan", "--policy", "builtin:admin"]
    host = f"unix://{tmp_path}/none.sock"
    done = subprocess.run([*command, "--host", host], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"dockgate: {host}: ")
    assert len(done.stderr.splitlines()) == 1
