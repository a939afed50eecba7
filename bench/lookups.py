"""Kept answers next to none: ``python -m bench.lookups [--json]``; root, the tests' engines.

A real daemon, the proxy before it on a unix socket, one client on one
connection. CPU time is that of the proxy's process and of the daemon's.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import trustme

from bench.table import document, show
from tests.e2e import engines, images
from tests.e2e.conftest import Certificates, short_folder
from tests.e2e.daemon import Dockerd
from tests.e2e.proxy import Front

REQUESTS = 1500
EXECS = 60
TICK = os.sysconf("SC_CLK_TCK")

Work = Callable[[http.client.HTTPConnection], int]


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("docker")
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))

    def ask(self, method: str, target: str, body: object = None) -> bytes:
        """Send a request, and return the answer's body."""
        sent = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        self.request(method, target, sent, headers)
        answer = self.getresponse()
        text = answer.read()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{method} {target}: {answer.status} {text!r}")
        return text


def polls(container: str) -> Work:
    """Return work that inspects one container."""

    def work(client: Connection) -> int:
        for _ in range(REQUESTS):
            client.ask("GET", f"/containers/{container}/json")
        return REQUESTS

    return work


def execs(container: str) -> Work:
    """Return work that runs something and looks at it, five requests each."""

    def work(client: Connection) -> int:
        for _ in range(EXECS):
            made = client.ask("POST", f"/containers/{container}/exec", {"Cmd": ["true"]})
            id_ = json.loads(made)["Id"]
            client.ask("POST", f"/exec/{id_}/start", {"Detach": True})
            for _ in range(3):
                client.ask("GET", f"/exec/{id_}/json")
        return EXECS * 5

    return work


def cpu(pid: int) -> float:
    """Return the seconds that a process has spent."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def measured(front: Front, work: Work, *, kept: bool) -> tuple[float, float, float]:
    """Return requests a second, and microseconds of the proxy and of the daemon for each."""
    front.launch({**os.environ, "DOCKGATE_PROXY__CACHE": "true" if kept else "false"})
    while not front.front.exists():
        time.sleep(0.1)
    time.sleep(3)  # until what is kept is believed
    client = Connection(front.front)
    try:
        work(client)  # warm
        before = cpu(front.pid), cpu(front.daemon.pid), time.perf_counter()
        count = work(client)
        after = cpu(front.pid), cpu(front.daemon.pid), time.perf_counter()
    finally:
        client.close()
        front.stop()
    ours, its, seconds = (b - a for a, b in zip(before, after, strict=True))
    return count / seconds, ours / count * 1e6, its / count * 1e6


def main() -> None:
    """Print a table, or one document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    engine = next(iter(engines.survey()[0].values()))
    rows = []
    with Dockerd(engine, short_folder()) as daemon:
        images.load(daemon)
        daemon.docker("run", "-d", "--name", "web", "busybox", "sleep", "900")
        id_ = daemon.docker("inspect", "-f", "{{.Id}}", "web").stdout.strip()
        front = Front(daemon, Certificates(trustme.CA(), short_folder()))
        try:
            for name, work in (
                ("inspect by id", polls(id_)),
                ("inspect by name", polls("web")),
                ("exec by id", execs(id_)),
                ("exec by name", execs("web")),
            ):
                for kept in (False, True):
                    found = measured(front, work, kept=kept)
                    rows.append((name, "kept" if kept else "asked", *map(round, found)))
        finally:
            front.close()
    head = ("work", "answers", "requests/s", "proxy us", "daemon us")
    if words.json:
        document([dict(zip(head, row, strict=True)) for row in rows])
    else:
        show("Kept answers next to none", head, rows)


if __name__ == "__main__":
    main()
