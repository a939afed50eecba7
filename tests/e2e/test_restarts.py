"""Restarts of the plugin under continuous `docker ps`, on a socket that systemd's launcher holds.

A few in every run; `DOCKGATE_RESTARTS=20` does as many as the service is held to.
"""

import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.gate import Gate
from tests.e2e.sandbox import wait_for

RESTARTS = int(os.environ.get("DOCKGATE_RESTARTS", "3"))
CALLERS = 2

SERVICE = 'while :; do sh -c "LISTEN_PID=\\$\\$; export LISTEN_PID; exec {command}"; done'
"""Starts the gate again whenever it ends; the socket stays with the shell, as with systemd."""

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="systemd is not installed"
)


class Activated(Gate):
    """A gate whose socket is held by somebody else, who starts it again when it ends."""

    def launch(self, env=None):
        """Let systemd's launcher open the socket and start the shell; what waits is answered."""
        service = SERVICE.format(command=shlex.join(self.command))
        words = ["systemd-socket-activate", "--fdname=plugin", f"--listen={self.plugin}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*words, "sh", "-c", service],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                start_new_session=True,
            )
        assert wait_for(self.plugin.exists, 10)
        self.plugin.chmod(0o600)
        self.question({"RequestMethod": "GET", "RequestUri": "/_ping"})  # wakes the launcher
        return self._process

    def service(self):
        """Return the process of the gate itself; None between two."""
        found = subprocess.run(
            ["pgrep", "-s", str(self.pid), "-f", "authz serve"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        pids = [int(each) for each in found if _is_python(int(each))]
        return pids[0] if len(pids) == 1 else None

    def stop(self, timeout=10):
        """End the shell first, so that it starts nothing again."""
        os.killpg(self.pid, signal.SIGKILL)
        return self.wait(timeout)


def _is_python(pid):
    try:
        return b"python" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return False


def test_restarts_fail_no_command(daemons):
    """Whoever asks while the gate is away waits for the next one; who is being answered is."""
    if daemons.engine.name != "26.1":
        pytest.skip("one engine is enough")
    daemon = daemons(["dockgate"])
    failures, done, ended = [], [0] * CALLERS, threading.Event()

    def ask(caller):
        while not ended.is_set():
            found = daemon.docker("ps", check=False, timeout=60)
            if found.returncode:
                failures.append(found.stderr)
            done[caller] += 1

    with Activated(daemon) as gate:
        daemon.start()
        callers = [threading.Thread(target=ask, args=(each,)) for each in range(CALLERS)]
        for caller in callers:
            caller.start()
        try:
            for _ in range(RESTARTS):
                before = gate.service()
                os.kill(before, signal.SIGTERM)
                assert wait_for(lambda old=before: gate.service() not in {None, old}, 15)
                assert wait_for(gate._answers, 15)
                time.sleep(0.3)
        finally:
            ended.set()
            for caller in callers:
                caller.join()

    assert failures == []
    assert sum(done) > RESTARTS
