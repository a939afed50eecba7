"""Connections that a follower sends over: TCP, with TLS or without, and unix datagrams.

TCP has no receipts. What counts as taken is what the other side's kernel has
acknowledged, which Linux tells (tcp(7), SIOCOUTQ); what was under way when a
connection broke is sent again.
"""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from authz.audit.trail import Line
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


class _Connection:
    """A socket that is there while it is needed."""

    def __init__(self) -> None:
        self._sock: socket.socket | None = None

    def close(self) -> None:
        """Hang up."""
        if self._sock is not None:
            with suppress(OSError):
                self._sock.close()
        self._sock = None


class Datagrams(_Connection):
    """Lines to a unix socket such as ``/dev/log``: taken when the call returns."""

    def __init__(self, path: Path, send_one: Callable[[socket.socket, Line], None]) -> None:
        super().__init__()
        self._path = str(path)
        self._send_one = send_one

    def send(self, lines: Sequence[Line]) -> None:
        """Send lines. Raises OSError."""
        if self._sock is None:
            self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._sock.settimeout(10)
            self._sock.connect(self._path)
        for line in lines:
            self._send_one(self._sock, line)

    def settled(self) -> bool:
        """Say that they were taken."""
        return True


class Stream(_Connection):
    """A connection that is made when it is needed."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._address = (host, port)
        self._tls = tls

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
