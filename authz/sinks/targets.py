"""Where lines can be sent to, as settings name it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from authz.errors import ConfigurationError
from authz.sinks.follower import Follower, Transport
from authz.sinks.journald import SOCKET, Journal
from authz.sinks.output import Output
from authz.sinks.streams import Stream, Trust, context
from authz.sinks.syslog import Counted, Datagrams

EXPECTED = (
    "expected stdout, journald, syslog:///path/to.sock, syslog+tcp://host:port or "
    "syslog+tls://host:port"
)
_REMOTE = re.compile(r"syslog\+(tcp|tls)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_UNIX = re.compile(r"(syslog|journald)://(/.+)")


def transport(to: str, trust: Trust) -> Transport:
    """Return what sends there; nothing is connected yet. Raises ConfigurationError."""
    if to == "stdout":
        return Output()
    if to == "journald":
        return Journal(SOCKET)
    if local := _UNIX.fullmatch(to):
        path = Path(local[2])
        return Datagrams(path) if local[1] == "syslog" else Journal(path)
    remote = _REMOTE.fullmatch(to)
    if remote is None:
        raise ConfigurationError(f"audit.forward: to is {to!r}; {EXPECTED}")
    tls = context(trust) if remote[1] == "tls" else None
    return Counted(Stream(remote[2].strip("[]"), int(remote[3]), tls))


def follower(audit: Path, to: str, trust: Trust) -> Follower:
    """Return who sends an audit there; its position is kept beside the file."""
    name = hashlib.sha256(to.encode()).hexdigest()[:12]
    state = audit.with_name(f"{audit.name}.{name}.position")
    return Follower(to, audit, state, transport(to, trust))
