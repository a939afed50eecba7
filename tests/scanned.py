"""A daemon that answers GET requests out of a table, on a unix socket, in a thread of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

from tests.builders import DAEMON, a_stored_container

VERSION = {"ApiVersion": "1.41"}
WEB = {**a_stored_container(), "Id": "4b" * 32, "Name": "/web"}
SERVICE = {
    "ID": "s1",
    "Spec": {
        "Name": "spy",
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": "busybox",
                "Mounts": [{"Type": "bind", "Source": "/srv", "Target": "/x"}],
            }
        },
        "Mode": {"Replicated": {"Replicas": 1}},
    },
}


def a_daemon(
    *containers: Mapping[str, Any], services: list[Any] | None = None, **more: Any
) -> dict[str, tuple[int, Any]]:
    """Return what a daemon answers, by path; without ``services`` it is no manager of a swarm."""
    swarm = (503, {"message": "This node is not a swarm manager."})
    found = {
        "/version": (200, VERSION),
        "/info": (200, DAEMON),
        "/containers/json?all=1": (
            200,
            [{"Id": each["Id"], "Labels": each["Config"]["Labels"]} for each in containers],
        ),
        "/services": swarm if services is None else (200, services),
    }
    for each in containers:
        found[f"/containers/{each['Id']}/json"] = (200, each)
    return found | more


@contextmanager
def serving(path: Path, table: Mapping[str, tuple[int, Any]]) -> Iterator[str]:
    """Serve, and yield the address. Bytes are sent as they are."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            missing = (404, {"message": f"no such thing: {self.path}"})
            status, document = table.get(self.path, missing)
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingUnixStreamServer(str(path), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()
