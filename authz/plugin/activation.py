"""Sockets that systemd opened and hands over.

It knows the environment variables of the protocol (sd_listen_fds(3)) and the
sockets that the settings expect. Nothing is guessed: a descriptor that does
not fit by name, type and path is a mistake in a unit file, and a service that
ignored it would leave a socket that nobody answers on.
"""

import os
import socket
import stat
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from authz.errors import ConfigurationError
from authz.plugin.socket import PRIVATE, Listening

FIRST_DESCRIPTOR = 3
"""SD_LISTEN_FDS_START: the descriptors follow the three standard ones."""

VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one of several sockets of a name is: ``unix:///path`` or ``tcp://host:port``.

    ``mode`` and ``group`` are those of the file of a unix socket; any group
    will do where none is named.
    """

    address: str
    mode: int = PRIVATE
    group: int | None = None


_NONE: Mapping[str, Sequence[Place]] = MappingProxyType({})


def activated(
    expected: Mapping[str, Path],
    environ: MutableMapping[str, str] = os.environ,
    *,
    several: Mapping[str, Sequence[Place]] = _NONE,
    first: int = FIRST_DESCRIPTOR,
) -> dict[str, Listening]:
    """Take over the sockets that were passed to this process, by their name.

    ``expected`` says which path each name must have, ``several`` which places
    the sockets of a name can have that may come more than once; those are
    returned by their address. Not every socket needs to be passed; whoever
    calls makes the others. The variables are removed, so that no child takes
    the sockets for its own. Raises ConfigurationError for a descriptor that is
    not known, comes twice, does not listen, is elsewhere, or lets other
    accounts in.
    """
    names = _names(environ)
    for variable in VARIABLES:
        environ.pop(variable, None)
    sockets: dict[str, Listening] = {}
    with ExitStack() as unless_all_fit:
        for descriptor, name in enumerate(names, first):
            if name not in several and (name not in expected or name in sockets):
                raise _unexpected(descriptor, name, {**expected, **several})
            sock = unless_all_fit.enter_context(_socket(descriptor, name))
            if name in several:
                place = _place(sock, name, several[name])
                if place.address in sockets:
                    raise _unexpected(descriptor, name, {**expected, **several})
                sockets[place.address] = Listening(sock, Path(place.address))
                continue
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


def _place(sock: socket.socket, name: str, places: Sequence[Place]) -> Place:
    """Return the place that this socket has."""
    bound = sock.getsockname()
    if sock.type != socket.SOCK_STREAM or not _listens(sock):
        raise ConfigurationError(
            f"LISTEN_FDS: socket {name!r} is {sock.family.name} {sock.type.name}; "
            "expected a listening SOCK_STREAM"
        )
    for place in places:
        path = place.address.removeprefix("unix://")
        if path == place.address:
            if isinstance(bound, tuple) and bound[:2] in _resolved(place.address):
                return place
        elif isinstance(bound, str) and os.path.realpath(bound) == os.path.realpath(path):
            _check_mode(Path(path), place.mode, place.group)
            return place
    known = ", ".join(place.address for place in places) or "none"
    raise ConfigurationError(
        f"LISTEN_FDS: socket {name!r} listens on {bound!r}; expected one of: {known}"
    )


def _resolved(address: str) -> list[tuple[object, ...]]:
    """Return host and port of ``tcp://host:port`` as a socket tells them."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConfigurationError(f"{address}: cannot be resolved: {error}") from None
    return [tuple(entry[4][:2]) for entry in found]


def _unexpected(descriptor: int, name: str, expected: Mapping[str, object]) -> ConfigurationError:
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
    _check_mode(path, PRIVATE, None)


def _check_mode(path: Path, expected: int, group: int | None) -> None:
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO) & ~expected:
        raise ConfigurationError(
            f"{path}: mode is {mode:04o}; expected {expected:04o} (SocketMode= of the socket unit)"
        )
    if group is not None and found.st_gid != group:
        raise ConfigurationError(
            f"{path}: group is {found.st_gid}; expected {group} (SocketGroup= of the socket unit)"
        )
