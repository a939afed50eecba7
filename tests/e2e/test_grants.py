"""A grant for a while, on a real daemon: given, used, ended, and on the record."""

import subprocess
import sys

import pytest

from tests.e2e.gate import Gate
from tests.e2e.sandbox import wait_for


@pytest.fixture
def gate(daemons):
    """Run a daemon that asks a gate which keeps its grants."""
    daemon = daemons(["dockgate"])
    gate = Gate(daemon)
    gate.settings.write_text('grants = "grants.json"\n' + gate.settings.read_text())
    with gate:
        daemon.start()
        yield gate


@pytest.fixture
def alone(daemons):
    """Run a gate without its daemon, once: what is granted needs none."""
    if daemons.engine.name != "26.1":
        pytest.skip("one is enough")
    with Gate(daemons()) as gate:
        yield gate


def dockgate(gate, *words, status=0):
    """Run a command on the gate's settings, and return what it says."""
    command = [sys.executable, "-m", "authz", *words, "--config", gate.settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def capable(gate):
    """Say whether a container with a capability more can be made."""
    words = ["create", "--cap-add", "NET_ADMIN", "busybox"]
    return gate.daemon.docker(*words, check=False).returncode == 0


def test_a_grant_is_used_named_and_ended(gate):
    """It survives a restart, ends when it is revoked, and lifts no never row."""
    facts = [
        "cap.add:NET_ADMIN",
        "bind:**",
        "bind.rw:**",
        "bind.over:/run/docker|/run/docker/plugins",
    ]
    assert not capable(gate)
    said = dockgate(gate, "grant", "user:anonymous", "container.create", *facts,
                    "--for", "30m", "--reason", "INC-1: the VPN")  # fmt: skip
    name = said.split()[0]
    allowed = capable(gate)
    socket = gate.daemon.docker("create", "-v", "/run/docker/plugins:/x", "busybox", check=False)
    gate.stop()
    gate.start()
    kept = capable(gate)
    listed = dockgate(gate, "grants")
    warned = gate.ask("GET", "/readyz").json()["warnings"]
    dockgate(gate, "revoke", name)
    after = capable(gate)
    dockgate(gate, "revoke", name, status=1)

    assert (allowed, kept, after) == (True, True, False)
    assert "dockgate: denied: " in socket.stderr
    assert "never" in {fact["verdict"] for each in gate.denied() for fact in each["facts"]}
    assert name in listed
    assert any(name in each for each in warned)
    used = [
        fact["at"]
        for record in gate.records()
        for fact in record["facts"]
        if fact["row"] == name and record["verdict"] == "allow"
    ]
    assert set(used) == {f"grant:{name}"}
    events = [each["event"] for each in gate.records("grant")]
    assert events == ["granted", "revoked"]


def test_a_grant_ends_by_itself(alone):
    """And that is on the record as well."""
    dockgate(alone, "grant", "user:anonymous", "container.rename", "on:unowned",
             "--for", "2s", "--reason", "a moment")  # fmt: skip

    def ended():
        return [each["event"] for each in alone.records("grant")] == ["granted", "expired"]

    assert wait_for(ended, 10)
    assert "Nothing is granted." in dockgate(alone, "grants")


def test_what_is_no_grant_is_told(alone):
    """As the loader tells of a row."""
    said = dockgate(alone, "grant", "alice", "container.creat", "**",
                    "--for", "9h", "--reason", "x", status=1)  # fmt: skip

    assert '"alice" has no known type' in said
    assert "try: user:alice" in said
    assert "at most 8 h" in said
