"""Connections that a follower sends over: TCP, with TLS or without.

TCP has no receipts. What counts as taken is what the other side's kernel has
acknowledged, which Linux tells (tcp(7), SIOCOUTQ); what was under way when a
connection broke is sent again.
"""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from authz.errors import ConfigurationError

CONNECTING = 10.0
SENDING = 30.0
"""Seconds until a connection, or a batch, is given up."""

_SIOCOUTQ = 0x5411


@dataclass(frozen=True, slots=True)
class Trust:
    """Who is believed at the other end, and who we are to it. Without ``ca``: the system's."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def context(trust: Trust) -> ssl.SSLContext:
    """Return what makes TLS of a connection. Raises ConfigurationError."""
    try:
        made = ssl.create_default_context(cafile=str(trust.ca) if trust.ca else None)
        if trust.certificate:
            made.load_cert_chain(trust.certificate, trust.key, password=_no_password)
    except (OSError, ValueError) as error:  # what TLS has to say is an OSError
        raise ConfigurationError(f"audit.forward: TLS files cannot be used: {error}") from None
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def _no_password() -> str:
    raise ValueError("the key is encrypted; expected one without a password")


class Stream:
    """A connection that is made when it is needed."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._address = (host, port)
        self._tls = tls
        self._sock: socket.socket | None = None

    def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError."""
        sock = self._sock = self._sock or connected(self._address, self._tls)
        _check(sock)
        sock.settimeout(SENDING)
        sock.sendall(data)

    def settled(self) -> bool:
        """Say whether all that was sent was acknowledged. Raises OSError."""
        sock = self._sock
        if sock is None:
            return True
        _check(sock)
        (left,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), _SIOCOUTQ, b"\0" * 4))
        return bool(left == 0)

    def close(self) -> None:
        """Hang up."""
        if self._sock is not None:
            with suppress(OSError):
                self._sock.close()
        self._sock = None


def connected(address: tuple[str, int], tls: ssl.SSLContext | None = None) -> socket.socket:
    """Return a connection, with TLS where a context is given. Raises OSError."""
    try:
        sock = socket.create_connection(address, CONNECTING)
    except UnicodeError:  # before anybody is asked for it
        raise OSError(f"{address[0]!r} is no name of a host") from None
    if tls is None:
        return sock
    try:
        return tls.wrap_socket(sock, server_hostname=address[0])
    except BaseException:
        sock.close()
        raise


def _check(sock: socket.socket) -> None:
    """Notice that the other side has gone, before anything is sent to nobody. Raises OSError."""
    sock.settimeout(0)
    try:
        gone = sock.recv(4096) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return
    if gone:
        raise ConnectionResetError("the other side has closed the connection")
