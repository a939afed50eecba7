"""`dockgate doctor` on a deliberately bad set-up, and on a good one."""

import json
import os
import subprocess
import sys

from tests.e2e.gate import Gate

PLANTED = {
    "icc",
    "insecure-registry",
    "no-new-privileges",
    "live-restore",
    "userns",
    "tcp-open",
    "experimental",
    "debug",
    "plugin-missing",
    "plugin-silent",
    "socket-open",
    "policy-writable",
    "key-open",
    "audit-open",
    "config-writable",
    "shadow",
}
HOLES_OF = {"20.10": {"CVE-2026-34040", "CVE-2026-33997"}}
"""What Debian's packages of these engines have not repaired, by their own lists of changes."""

UNCONFINED = {"20.10": {}}
"""Engine 20.10 knows no such word in its settings."""

SERVES_GRPC = (29, 2)
"""From here on a socket that others reach is guarded by no plugin."""


def examined(daemon, gate):
    """Run the command, and return its exit status and the ids of its findings."""
    host = f"unix://{daemon.socket}"
    command = [sys.executable, "-m", "authz", "doctor", "--json", "--host", host]
    done = subprocess.run(
        [*command, "--config", str(gate.settings)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.returncode, {each["id"] for each in json.loads(done.stdout)["findings"]}


def with_key(gate):
    """Give the gate a key for its passes, so that a command can ask past the policy."""
    gate.settings.write_text('pass_key = "pass.key"\n' + gate.settings.read_text())


def remapped(daemon):
    """Start again with user namespaces: the ids that they take are in files of its sandbox only."""
    for name in ("subuid", "subgid"):
        file = daemon.root / name
        file.write_text("daemon:100000:65536\n")
        daemon.enter("mount", "--bind", file, f"/etc/{name}")
    daemon.root.chmod(0o711)
    daemon.configure({"userns-remap": "daemon"})
    daemon.restart()


def test_every_planted_fault_is_named(daemons):
    """Sixteen of them, and nothing but what was planted and what the engine lacks."""
    name, version = daemons.engine.name, tuple(map(int, daemons.engine.name.split(".")))
    unconfined = UNCONFINED.get(name, {"seccomp_profile": "unconfined"})
    daemon = daemons(
        hosts=["unix:///run/docker.sock", "tcp://127.0.0.1:2375"],
        insecure_registries=["registry.test:5000"],
        **unconfined,
        experimental=True,
        debug=True,
    )
    gate = Gate(daemon, mode="shadow")
    with_key(gate)
    with gate:
        pass  # it makes its key and its file, and is gone then
    daemon.start()
    daemon.root.chmod(0o755)
    daemon.socket.chmod(0o666)
    (gate.folder / "pass.key").chmod(0o644)
    gate.audit.chmod(0o640)
    gate.policy.chmod(0o777)
    gate.settings.chmod(0o666)

    status, found = examined(daemon, gate)

    assert status == 4
    more = {"seccomp"} if unconfined else set()
    more |= {"engine-grpc"} if version >= SERVES_GRPC else set()
    assert found == PLANTED | more | HOLES_OF.get(name, set())


def test_a_good_set_up_has_no_findings(daemons):
    """On a running daemon that asks a running gate."""
    daemon = daemons(
        ["dockgate"],
        icc=False,
        live_restore=True,
        no_new_privileges=True,
    )
    gate = Gate(daemon)
    with_key(gate)
    with gate:
        daemon.start()
        remapped(daemon)
        os.chown(daemon.socket, 0, 0)
        daemon.socket.chmod(0o600)
        status, found = examined(daemon, gate)

    assert found == HOLES_OF.get(daemon.engine.name, set())
    assert status == (4 if found else 0)
