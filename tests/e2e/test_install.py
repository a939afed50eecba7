"""`dockgate install plugin` on a running daemon: switched on, taken back, switched off."""

import json
import subprocess
import sys

import pytest

from tests.e2e.gate import Gate
from tests.scripted_http import scripted

HIDE = """
for each in /etc/systemd /run/systemd; do
    if [ -d $each ]; then mount -t tmpfs none $each; fi
done
exec "$@"
"""
"""Becomes a command that sees no systemd: units of the machine are none of a test's business."""

DENIAL = b'{"Allow":false,"Msg":"dockgate: not I"}'


def dockgate(gate, *words):
    """Run a command on the gate's settings and its daemon."""
    host = f"unix://{gate.daemon.socket}"
    alone = ["unshare", "--mount", "--propagation", "private", "sh", "-c", HIDE, "sh"]
    command = [sys.executable, "-m", "authz", *words, "--config", gate.settings, "--host", host]
    return subprocess.run(
        [*alone, *command], capture_output=True, text=True, check=False, timeout=120
    )


def plugins(daemon):
    """Return what the daemon's file says."""
    return json.loads(daemon.config.read_text()).get("authorization-plugins")


def test_a_plugin_is_switched_on_and_off(daemons):
    """The daemon goes on all the time, and asks from one moment to the other."""
    daemon = daemons()
    daemon.configure({"authorization-plugins": None, "debug": False})
    before = daemon.config.read_text()
    daemon.start()
    with Gate(daemon) as gate:
        dry = dockgate(gate, "install", "plugin", "--dry-run")
        assert (dry.returncode, daemon.config.read_text()) == (0, before), dry.stderr
        installed = dockgate(gate, "install", "plugin", "--root", "/")
        asked = plugins(daemon)
        denied = daemon.docker("create", "--privileged", "busybox", check=False)
        again = dockgate(gate, "install", "plugin")
        gone = dockgate(gate, "uninstall", "plugin")
        allowed = daemon.docker("create", "--privileged", "busybox", check=False)

    assert installed.returncode == again.returncode == gone.returncode == 0, installed.stderr
    assert "the daemon asks dockgate, which allows and denies" in installed.stdout
    assert asked == ["dockgate"]
    assert "dockgate: denied: " in denied.stderr
    assert "is as it should be" in again.stdout
    assert allowed.returncode == 0
    assert json.loads(daemon.config.read_text()) == json.loads(before)
    kept = [each.read_text() for each in daemon.config.parent.glob("*.before-dockgate-*")]
    assert before in kept


def test_a_gate_that_lets_nobody_work_is_not_switched_on(daemons):
    """What it says to a question is tried before the daemon is told."""
    if daemons.engine.name != "26.1":
        pytest.skip("one engine is enough: it is not asked")
    daemon = daemons()
    daemon.start()
    before = daemon.config.read_text()
    with Gate(daemon, people="") as gate:
        done = dockgate(gate, "install", "plugin")

    assert done.returncode == 1
    assert "GET /version is not allowed, so that nobody could work" in done.stderr
    assert daemon.config.read_text() == before


def test_a_daemon_that_cannot_work_gets_its_settings_back(daemons):
    """It asks another plugin of that name, which denies everything."""
    daemon = daemons()
    daemon.start()
    before = daemon.config.read_text()
    script = {
        "POST /Plugin.Activate": (200, b'{"Implements":["authz"]}'),
        "POST /AuthZPlugin.AuthZReq": (200, DENIAL),
    }
    gate = elsewhere(daemon)
    with gate, scripted(daemon.plugins / "dockgate.sock", script):
        done = dockgate(gate, "install", "plugin")
        works = daemon.docker("version", check=False)

    assert done.returncode == 1
    assert "the change was taken back" in done.stderr
    assert daemon.config.read_text() == before
    assert works.returncode == 0, works.stderr


def test_a_daemon_that_ends_finds_its_old_settings(daemons):
    """A plugin that is not there ends it, after fifteen seconds; the next start works."""
    if daemons.engine.name != "26.1":
        pytest.skip("one engine is enough: each waits for fifteen seconds")
    daemon = daemons()
    daemon.start()
    before = daemon.config.read_text()
    with elsewhere(daemon) as gate:
        done = dockgate(gate, "install", "plugin")

    assert done.returncode == 1
    assert "the daemon ended when it read its settings; the change was taken back" in done.stderr
    assert daemon.config.read_text() == before
    daemon.stop()
    daemon.start()


def elsewhere(daemon):
    """Make a gate that answers where the daemon does not look."""
    gate = Gate(daemon)
    gate.plugin = gate.folder / "dockgate.sock"
    gate._write_settings("enforce")
    return gate
