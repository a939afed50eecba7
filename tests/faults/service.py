"""A gate of its own, without any daemon: it is started, asked, killed and started again."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from authz.plugin.server import REQUEST
from tests.policies import a_bundle

ROWS = "p, *, *, container.list, on:list, *, allow\n"
STARTING = 30.0


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = str(path)

    def connect(self) -> None:
        """Connect to the path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Service:
    """``dockgate serve`` in a folder; ``audit`` are lines for that table of the settings.

    ``module`` is what is run, its last argument left out: the settings.
    """

    def __init__(
        self,
        folder: Path,
        audit: str = "",
        path: Path | None = None,
        module: tuple[str, ...] = ("authz", "serve", "--config"),
    ) -> None:
        self.audit = path or folder / "log" / "audit.jsonl"
        self.plugin = folder / "plugin.sock"
        self.admin = folder / "admin.sock"
        self.log = folder / "log.txt"
        self._settings = folder / "dockgate.toml"
        policy = a_bundle(folder / "policy", policy=ROWS, people="")
        self._settings.write_text(
            f'policy = "{policy}"\ndaemon = "unix:///nowhere/docker.sock"\n'
            f'[plugin]\nsocket = "{self.plugin}"\n[admin]\naddress = "unix://{self.admin}"\n'
            f'[audit]\npath = "{self.audit}"\n{audit}'
        )
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, however it ended."""
        self.stop()

    def start(self) -> None:
        """Start, and wait until it answers."""
        arguments = [sys.executable, "-m", *self._module, str(self._settings)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(arguments, stdout=log, stderr=log)
        ended = time.monotonic() + STARTING
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > ended:
                raise RuntimeError(f"the service does not start:\n{self.log.read_text()}")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it as the kernel would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def stop(self) -> int:
        """End it as systemd would; return its exit status."""
        if self._process is None:
            return 0
        self._process.terminate()
        return self._process.wait(20)

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Ask whether it can work."""
        connection = UnixConnection(self.admin)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def asker(self) -> Asker:
        """Return somebody who asks."""
        return Asker(self.plugin)

    def _answers(self) -> bool:
        try:
            return self.ready()[0] in (200, 503)
        except (OSError, http.client.HTTPException):
            return False


class Asker:
    """The daemon's side: one connection, which is made anew where it broke."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: UnixConnection | None = None

    def ask(self, number: int) -> dict[str, Any]:
        """Ask for a list; the number finds the record. Raises OSError and HTTPException."""
        document = {"RequestMethod": "GET", "RequestUri": target(number), "RequestHeaders": {}}
        self._connection = self._connection or UnixConnection(self._path)
        try:
            self._connection.request("POST", REQUEST, json.dumps(document))
            found: dict[str, Any] = json.loads(self._connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            raise
        return found

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def target(number: int) -> str:
    """Return the target of a question."""
    return f"/v1.41/containers/json?limit={number}"
