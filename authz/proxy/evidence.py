"""What a connection offers as proof: the kernel's word on a peer, a certificate, a token.

It reads sockets, ``/proc`` and the account database, and believes nothing: that
is the business of ``authz.identity``.

A pid can be used again while it is looked at. Where the kernel gives a handle of
the process (SO_PEERPIDFD) that handle must still be of a living process behind
the reading; elsewhere its start time must be the same before and behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import grp
import os
import pwd
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from authz.errors import Reason, RefusedError
from authz.proxy.head import Headers
from authz.wire.evidence import PeerCredentials

NAMES_TIME = 1.0
"""Seconds for the names of one account: a directory service may be asked for them."""

NAMES_LAST = 60.0
"""Seconds for which they are believed."""

MOST_THREADS = 8
MOST_NAMES = 4096

_NS_GET_OWNER_UID = 0xB704
_SO_PEERGROUPS = 59
_SO_PEERPIDFD = 77
_UCRED = struct.Struct("iII")
_GID = struct.Struct("I")
_USUAL_GROUPS = 256
_MOST_GROUPS = 65_536
"""What the kernel lets a process have (NGROUPS_MAX of limits.h)."""

_OVERFLOW = 65_534
_CONTAINER = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_NAMESPACES = ("pid", "user")
_START_TIME = 19
"""Index of ``starttime`` behind the name in /proc/PID/stat (proc_pid_stat(5), field 22)."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A process as the kernel knows it, and the numbers of its groups."""

    credentials: PeerCredentials
    gids: tuple[int, ...] = ()


def read_peer(sock: socket.socket, proc: Path = Path("/proc")) -> Peer:
    """Ask the kernel who connected. Raises nothing: what cannot be told is a problem."""
    try:
        pid, uid, gid = _UCRED.unpack(
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        )
        gids = _groups(sock)
    except (OSError, struct.error) as error:
        return Peer(PeerCredentials(_OVERFLOW, _OVERFLOW, 0, problem=f"is not known: {error}"))
    found = PeerCredentials(uid, gid, pid)
    if pid <= 0:
        return Peer(replace(found, problem="is not seen from here: it has no process id"))
    if _OVERFLOW in (uid, gid):
        return Peer(replace(found, problem="is not seen from here: its account has no number"))
    try:
        with _handle(sock) as alive:
            container = _container(proc, pid, alive)
    except (OSError, ValueError, IndexError) as error:
        return Peer(replace(found, problem=f"cannot be looked at: {error}"))
    return Peer(replace(found, container=container), (gid, *(g for g in gids if g != gid)))


def bearer(headers: Headers) -> str | None:
    """Return the token of an ``Authorization`` header; empty for one of another form."""
    for name, value in headers:
        if name.lower() == "authorization":
            scheme, _, token = value.partition(" ")
            return token.strip(" ") if scheme.lower() == "bearer" else ""
    return None


def source(peername: Sequence[object] | None) -> str | None:
    """Return a client's address on the network, None where the connection has gone.

    One of IPv4 on a socket for both is written as ever.
    """
    if not peername:
        return None
    address = str(peername[0])
    return address.removeprefix("::ffff:") if "." in address else address


def certificates(tls: ssl.SSLObject | None) -> tuple[str, ...]:
    """Return the client's certificate, which was verified in the handshake."""
    der = tls.getpeercert(binary_form=True) if tls else None
    return (ssl.DER_cert_to_PEM_cert(der),) if der else ()


_Names: TypeAlias = tuple[float, str | None, tuple[str, ...]]
"""Until when they are believed, the account's name and those of its groups."""


class Accounts:
    """Names of accounts and groups, looked up in a few threads and believed for a minute."""

    def __init__(
        self,
        look_up: Callable[[int, tuple[int, ...]], tuple[str | None, tuple[str, ...]]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        time_limit: float = NAMES_TIME,
    ) -> None:
        self._look_up = look_up or names
        self._clock = clock
        self._time_limit = time_limit
        self._room = threading.BoundedSemaphore(MOST_THREADS)
        self._known: dict[tuple[int, tuple[int, ...]], _Names] = {}

    async def resolve(self, peer: Peer, last: PeerCredentials | None = None) -> PeerCredentials:
        """Return the peer with its names. Raises RefusedError (LOOKUP_FAILED).

        ``last`` is what came out for the same peer before, and comes out again where it holds.
        """
        found = peer.credentials
        if found.problem or found.container:
            return found
        key = (found.uid, peer.gids)
        known = self._known.pop(key, None)
        if known is None or known[0] <= self._clock():
            await asyncio.sleep(0)  # as before any wait, so that a door needs no task up to here
            known = (self._clock() + NAMES_LAST, *await self._ask(*key))
        self._known[key] = known
        if len(self._known) > MOST_NAMES:
            del self._known[next(iter(self._known))]
        _, account, groups = known
        if last is not None and last.account is account and last.groups is groups:
            return last
        return PeerCredentials(found.uid, found.gid, found.pid, account, groups)

    async def _ask(self, uid: int, gids: tuple[int, ...]) -> tuple[str | None, tuple[str, ...]]:
        loop = asyncio.get_running_loop()
        result: asyncio.Future[tuple[str | None, tuple[str, ...]]] = loop.create_future()
        if not self._room.acquire(blocking=False):
            raise _failed("too many accounts are being looked up")
        thread = threading.Thread(
            target=self._work, args=(uid, gids, loop, result), name="accounts", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            self._room.release()
            raise _failed(f"the account was not looked up: {error}") from error
        try:
            async with asyncio.timeout(self._time_limit):
                return await result
        except TimeoutError:
            raise _failed("the account's names were not found in time") from None

    def _work(
        self,
        uid: int,
        gids: tuple[int, ...],
        loop: asyncio.AbstractEventLoop,
        result: asyncio.Future[tuple[str | None, tuple[str, ...]]],
    ) -> None:
        def settle(answer: tuple[str | None, tuple[str, ...]] | RefusedError) -> None:
            if result.done():  # given up
                return
            if isinstance(answer, RefusedError):
                result.set_exception(answer)
            else:
                result.set_result(answer)

        answer: tuple[str | None, tuple[str, ...]] | RefusedError
        try:
            answer = self._look_up(uid, gids)
        except (OSError, ValueError) as error:
            answer = _failed(f"the account was not looked up: {error}")
        finally:
            self._room.release()
        with contextlib.suppress(RuntimeError):  # the loop has ended in the meantime
            loop.call_soon_threadsafe(settle, answer)


def names(uid: int, gids: tuple[int, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Return the account's name, None where it has none, and those of the groups."""
    account: str | None
    try:
        account = pwd.getpwuid(uid).pw_name
    except KeyError:
        account = None
    return account, tuple(map(_group, gids))


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"#{gid}"


def _groups(sock: socket.socket) -> tuple[int, ...]:
    """Return the supplementary groups at the time of the connection (unix(7)). Raises OSError."""
    try:
        found = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GID.size * _USUAL_GROUPS)
    except OSError as error:
        if error.errno != errno.ERANGE:
            raise
        found = _many_groups(sock.fileno())
    return tuple(gid for (gid,) in _GID.iter_unpack(found))


def _many_groups(descriptor: int) -> bytes:
    """Return more of them than Python's own getsockopt has room for, which is 1 KiB."""
    room = ctypes.c_uint32(_GID.size * _MOST_GROUPS)
    found = ctypes.create_string_buffer(room.value)
    libc = ctypes.CDLL(None, use_errno=True)
    words = (descriptor, socket.SOL_SOCKET, _SO_PEERGROUPS, found, ctypes.byref(room))
    if libc.getsockopt(*words):
        problem = ctypes.get_errno()
        raise OSError(problem, os.strerror(problem))
    return found.raw[: room.value]


@contextlib.contextmanager
def _handle(sock: socket.socket) -> Iterator[Callable[[], bool] | None]:
    """Give a function that says whether the process lives; None where the kernel has no handles.

    Raises OSError where it has them and gives none: then the process has ended, and
    nothing that is read under its number need be of it.
    """
    try:
        descriptor = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            raise
        yield None
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        yield lambda: not poll.poll(0)
    finally:
        os.close(descriptor)


def _container(proc: Path, pid: int, alive: Callable[[], bool] | None) -> str:
    """Return the container of a process, or nothing; ValueError for what is neither.

    A process that lives behind its handle at the end had the number all the time.
    Without one its start has to be the same before and after.
    """
    folder = proc / str(pid)
    before = "" if alive else _started(folder)
    control = (folder / "cgroup").read_text(encoding="ascii", errors="replace")
    found = _CONTAINER.findall(control)
    elsewhere = [
        name
        for name in _NAMESPACES
        if (folder / "ns" / name).readlink() != (proc / "self" / "ns" / name).readlink()
    ]
    if not alive() if alive else _started(folder) != before:
        raise ValueError("it has ended")
    if found:
        _check_container(folder, elsewhere)
        return str(found[-1])
    if elsewhere:
        raise ValueError(f"it lives in another {elsewhere[0]} namespace and in no known container")
    return ""


def _check_container(folder: Path, elsewhere: list[str]) -> None:
    """Raise ValueError where anybody could be in a cgroup of that name.

    Whoever may make cgroups can call one like any container. Only root makes a
    namespace of processes without one of users, and those of users of root.
    """
    if not elsewhere:
        raise ValueError("it lives in the namespaces of the host and in a container's cgroup")
    if "user" in elsewhere and _maker(folder / "ns" / "user") not in {0, os.geteuid()}:
        raise ValueError("it lives in a user namespace that somebody else made")


def _maker(namespace: Path) -> int:
    """Return the account that made a user namespace (ioctl_ns(2)). Raises OSError."""
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = fcntl.ioctl(descriptor, _NS_GET_OWNER_UID, bytes(_GID.size))
    finally:
        os.close(descriptor)
    uid: int = _GID.unpack(found)[0]
    return uid


def _started(folder: Path) -> str:
    stat = (folder / "stat").read_text(encoding="ascii", errors="replace")
    return stat.rpartition(")")[2].split()[_START_TIME]


def _failed(detail: str) -> RefusedError:
    return RefusedError(Reason.LOOKUP_FAILED, detail)
