"""One HTTP request over a unix socket or TCP, for commands that ask and go.

It knows how to connect and to wait no longer than it was told, and nothing
about who answers. The service itself has clients that do not block.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authz.errors import AuthzError

TIME_LIMIT = 10.0
"""Seconds to connect, and for each piece of an answer."""

UNIX = "unix://"
TCP = "tcp://"


class UnreachableError(AuthzError):
    """Nobody answers there, or not in HTTP. The message says where and why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered."""

    status: int
    body: bytes

    def document(self) -> dict[str, Any]:
        """Return the JSON object that was answered; an empty one for anything else."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def message(self) -> str:
        """What an error says, in the form of the daemon and of Dockgate; else nothing."""
        return str(self.document().get("message", ""))


def ask(  # noqa: PLR0913  a request, part by part
    address: str,
    method: str,
    target: str,
    *,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    time_limit: float = TIME_LIMIT,
) -> Reply:
    """Put one request to ``unix:///path`` or ``tcp://host:port``; a body is sent as JSON.

    Raises UnreachableError.
    """
    text = b"" if body is None else json.dumps(body).encode()
    sent = {"Connection": "close", **(headers or {})}
    if body is not None:
        sent["Content-Type"] = "application/json"
    try:
        sock = _connected(address, tls, time_limit)
        with sock:
            client = http.client.HTTPConnection("localhost")
            client.sock = sock
            client.request(method, target, text or None, sent)
            answer = client.getresponse()
            return Reply(answer.status, answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(f"{address}: {_cause(error)}") from error


def _connected(address: str, tls: ssl.SSLContext | None, time_limit: float) -> socket.socket:
    if address.startswith(UNIX):
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(time_limit)
            sock.connect(address.removeprefix(UNIX))
        except BaseException:
            sock.close()
            raise
        return sock
    host, _, port = address.removeprefix(TCP).rpartition(":")
    if not address.startswith(TCP) or not host or not port.isdecimal():
        raise UnreachableError(
            f"{address!r} is no address; expected unix:///path/to.sock or tcp://host:port"
        )
    host = host.strip("[]")
    plain = socket.create_connection((host, int(port)), time_limit)
    return plain if tls is None else tls.wrap_socket(plain, server_hostname=host)


def _cause(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or "no answer in HTTP"
