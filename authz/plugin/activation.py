"""Sockets that systemd opened and hands over.

It knows the environment variables of the protocol (sd_listen_fds(3)) and the
sockets that the settings expect. Nothing is guessed: a descriptor that does
not fit by name, type and path is a mistake in a unit file, and a service that
ignored it would leave a socket that nobody answers on.
"""

import os
import socket
import stat
from collections.abc import Mapping, MutableMapping
from contextlib import ExitStack
from pathlib import Path

from authz.errors import ConfigurationError
from authz.plugin.socket import Listening

FIRST_DESCRIPTOR = 3
"""SD_LISTEN_FDS_START: the descriptors follow the three standard ones."""

VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def activated(
    expected: Mapping[str, Path],
    environ: MutableMapping[str, str] = os.environ,
    *,
    first: int = FIRST_DESCRIPTOR,
) -> dict[str, Listening]:
    """Take over the sockets that were passed to this process, by their name.

    ``expected`` says which path each name must have. Not every name needs to
    be passed; whoever calls makes the others. The variables are removed, so
    that no child takes the sockets for its own. Raises ConfigurationError for
    a descriptor that is not known, comes twice, is not a listening unix
    socket, has another path, or lets other accounts in.
    """
    names = _names(environ)
    for variable in VARIABLES:
        environ.pop(variable, None)
    sockets: dict[str, Listening] = {}
    with ExitStack() as unless_all_fit:
        for descriptor, name in enumerate(names, first):
            if name not in expected or name in sockets:
                raise _unexpected(descriptor, name, expected)
            sock = unless_all_fit.enter_context(_socket(descriptor, name))
            _check_type(sock, name)
            _check_path(sock, name, expected[name])
            sockets[name] = Listening(sock, expected[name])
        unless_all_fit.pop_all()
    return sockets


def _names(environ: Mapping[str, str]) -> list[str]:
    """Return the name of each descriptor passed; empty where none is meant for us."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    text = environ.get("LISTEN_FDS", "")
    if not (text.isascii() and text.isdecimal()):
        raise ConfigurationError(f"LISTEN_FDS: is {text!r}; expected a number")
    count = int(text)
    names = environ.get("LISTEN_FDNAMES", "").split(":") if count else []
    if len(names) != count:
        raise ConfigurationError(
            f"LISTEN_FDNAMES: names {len(names)} descriptors; expected {count}, as LISTEN_FDS says"
        )
    return names


def _unexpected(descriptor: int, name: str, expected: Mapping[str, Path]) -> ConfigurationError:
    problem = "comes twice" if name in expected else "is not known"
    known = ", ".join(sorted(expected)) or "none"
    return ConfigurationError(
        f"LISTEN_FDNAMES: descriptor {descriptor} named {name!r} {problem}; "
        f"expected at most one of each of: {known}"
    )


def _socket(descriptor: int, name: str) -> socket.socket:
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ConfigurationError(
            f"LISTEN_FDS: descriptor {descriptor} named {name!r} is no socket: {error.strerror}"
        ) from None
    sock.set_inheritable(False)
    return sock


def _check_type(sock: socket.socket, name: str) -> None:
    if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM or not _listens(sock):
        raise ConfigurationError(
            f"LISTEN_FDS: socket {name!r} is {sock.family.name} {sock.type.name}; "
            "expected a listening AF_UNIX SOCK_STREAM"
        )


def _listens(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _check_path(sock: socket.socket, name: str, path: Path) -> None:
    """Compare with links resolved: /var/run and /run are the same folder."""
    bound = sock.getsockname()
    if not isinstance(bound, str) or os.path.realpath(bound) != os.path.realpath(path):
        raise ConfigurationError(
            f"LISTEN_FDS: socket {name!r} listens on {bound!r}; expected {str(path)!r}"
        )
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(
            f"{path}: mode is {mode:04o}; expected 0600 (SocketMode= of the socket unit)"
        )
