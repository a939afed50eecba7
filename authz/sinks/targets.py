"""Where lines can be sent to, as settings name it."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from pathlib import Path

from authz.errors import ConfigurationError
from authz.sinks.follower import Follower, Transport
from authz.sinks.journald import SOCKET, send_entry
from authz.sinks.otlp import Collector
from authz.sinks.output import Output
from authz.sinks.posting import Endpoint, Place
from authz.sinks.streams import Datagrams, Stream, Trust, context
from authz.sinks.syslog import Counted, host_name, send_message

EXPECTED = (
    "expected stdout, journald, syslog:///path/to.sock, syslog+tcp://host:port, "
    "syslog+tls://host:port, otlp+http://host:port/v1/logs or otlp+https://host:port/v1/logs"
)
_REMOTE = re.compile(
    r"(?:syslog\+(?P<stream>tcp|tls)|otlp\+(?P<web>https?))"
    r"://(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})"
    r"(?P<path>(?(web)/[A-Za-z0-9._~%/-]*))"
)
_LAST_PORT = 65535
_UNIX = re.compile(r"(syslog|journald)://(/.+)")


def transport(to: str, trust: Trust) -> Transport:
    """Return what sends there; nothing is connected yet. Raises ConfigurationError."""
    if to == "stdout":
        return Output()
    if to == "journald":
        return Datagrams(SOCKET, send_entry)
    if local := _UNIX.fullmatch(to):
        send = partial(send_message, host_name()) if local[1] == "syslog" else send_entry
        return Datagrams(Path(local[2]), send)
    remote = _REMOTE.fullmatch(to)
    if remote is None or not 0 < int(remote["port"]) <= _LAST_PORT:
        raise ConfigurationError(f"audit.forward: to is {to!r}; {EXPECTED}")
    host, port = remote["host"].strip("[]"), int(remote["port"])
    tls = context(trust) if remote["stream"] == "tls" or remote["web"] == "https" else None
    if remote["web"]:
        return Collector(to, Endpoint(Place(host, port, remote["path"]), tls))
    return Counted(Stream(host, port, tls))


def follower(audit: Path, to: str, trust: Trust) -> Follower:
    """Return who sends an audit there; its position is kept beside the file."""
    name = hashlib.sha256(to.encode()).hexdigest()[:12]
    state = audit.with_name(f"{audit.name}.{name}.position")
    return Follower(to, audit, state, transport(to, trust))
