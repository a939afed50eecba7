"""A real `dockgate serve` beside a daemon: the policy in a folder, the plugin's socket in place.

Knows the process and its files; knows nothing of what a policy should say.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from tests.e2e.daemon import Answer, Dockerd
from tests.e2e.sandbox import wait_for

POLICIES = Path(__file__).parents[2] / "policies"
EVERYBODY_DEVELOPS = "g, user:anonymous, role:developer, *\n"


class Gate:
    """One `dockgate serve` for one daemon, in a folder of the daemon's; not started yet.

    The policy is a copy of a shipped bundle with `people` added: shipped bundles grant
    `user:anonymous` nothing but ping.
    """

    def __init__(
        self,
        daemon: Dockerd,
        bundle: str = "developer",
        people: str = EVERYBODY_DEVELOPS,
        mode: str = "enforce",
    ) -> None:
        self.daemon = daemon
        self.folder = daemon.root / "gate"
        self.folder.mkdir()
        self.policy = self.folder / "policy"
        self.audit = self.folder / "audit.jsonl"
        self.admin = self.folder / "admin.sock"
        self.plugin = daemon.plugins / "dockgate.sock"
        self.log = self.folder / "log"
        shutil.copytree(POLICIES / bundle, self.policy)
        with (self.policy / "people.csv").open("a") as file:
            file.write(people)
        self._write_settings(mode)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, however it ended."""
        if self.running:
            self.stop()

    def start(self, timeout: float = 15) -> None:
        """Start, and wait until both sockets answer. Raises RuntimeError with the log."""
        self.launch()
        if not wait_for(lambda: not self.running or self._answers(), timeout) or not self.running:
            raise RuntimeError(f"dockgate serve does not answer:\n{self.log.read_text()}")

    def launch(self, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start, and wait for nothing."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env
            )
        return self._process

    @property
    def command(self) -> list[str]:
        """The command line of the gate."""
        return [sys.executable, "-m", "authz", "serve", "--config", str(self.settings)]

    def wait(self, timeout: float = 10) -> int:
        """Wait for its end, and return its exit status."""
        assert self._process is not None
        return self._process.wait(timeout)

    def stop(self, timeout: float = 10) -> int:
        """End it as systemd would, and return its exit status."""
        return self._end(signal.SIGTERM, timeout)

    def kill(self) -> int:
        """End it as the kernel would."""
        return self._end(signal.SIGKILL, 10)

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def records(self, kind: str = "decision") -> list[dict[str, Any]]:
        """Read the records of a kind in the audit file; a line that is no JSON is an error."""
        found = [json.loads(line) for line in self.audit.read_text().splitlines()]
        return [record for record in found if record["kind"] == kind]

    def denied(self) -> list[dict[str, Any]]:
        """Return the records of what was not allowed."""
        return [record for record in self.records() if record["verdict"] != "allow"]

    def ask(self, method: str, path: str) -> Answer:
        """Put a question to the admin socket."""
        return call(self.admin, method, path)

    def question(self, document: object, path: str = "/AuthZPlugin.AuthZReq") -> dict[str, Any]:
        """Ask as the daemon does, and return the plugin's answer."""
        body = json.dumps(document).encode()
        found: dict[str, Any] = call(self.plugin, "POST", path, body).json()
        return found

    def _write_settings(self, mode: str) -> None:
        self.settings = self.folder / "dockgate.toml"
        self.settings.write_text(
            f'policy = "policy"\nmode = "{mode}"\ndaemon = "unix://{self.daemon.socket}"\n'
            f'[plugin]\nsocket = "{self.plugin}"\n'
            f'[audit]\npath = "{self.audit}"\n'
            f'[admin]\naddress = "unix://{self.admin}"\n'
        )

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/healthz").status == http.client.OK and self.plugin.exists()
        except OSError:
            return False

    def _end(self, how: signal.Signals, timeout: float) -> int:
        assert self._process is not None
        os.kill(self._process.pid, how)
        return self.wait(timeout)


def call(
    path: Path,
    method: str,
    target: str,
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    """Send one request to a unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        client = http.client.HTTPConnection("localhost")
        client.sock = connection
        client.request(method, target, body, dict(headers))
        response = client.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
