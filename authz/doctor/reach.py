"""Who reaches the daemon without the gate: its unix socket and its TCP ports.

It knows files, accounts and the daemon's settings, and nothing of Dockgate's
policies. Whether a stranger can connect is tried, where this account may try.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from authz.doctor.finding import Finding, Weight
from authz.doctor.holes import version_of
from authz.doctor.processes import Dockerd

NOBODY = 65534
"""The uid and gid of nobody, on every Linux."""

ROOT = 0

GRPC = (29, 2, 0)
"""From this engine on, BuildKit's gRPC is served before any plugin is asked."""


@dataclass(frozen=True, slots=True)
class RawSocket:
    """The daemon's own socket: its owner, its mode, and who can connect."""

    path: Path
    owner: str
    group: str
    mode: int
    members: tuple[str, ...]
    stranger: bool
    """Whether an account without any rights can connect."""

    @property
    def others(self) -> bool:
        """Whether anybody but root can connect."""
        return self.stranger or bool(self.members) or self.owner != "root"

    def __str__(self) -> str:
        """Print as ``ls`` would."""
        return f"{self.path} ({self.owner}:{self.group}, mode {self.mode:04o})"


def look(path: Path) -> RawSocket | None:
    """Look at the socket; None where there is none."""
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except OSError:
        return None
    mode = stat.S_IMODE(status.st_mode)
    writable = mode & stat.S_IWGRP
    return RawSocket(
        real,
        _user(status.st_uid),
        _group(status.st_gid),
        mode,
        members(status.st_gid) if writable else (),
        _stranger_connects(real, mode),
    )


def members(gid: int) -> tuple[str, ...]:
    """Return the accounts in a group, root aside, whether it is their first one or another."""
    if gid == ROOT:
        return ()
    try:
        named = set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        named = set()
    named |= {each.pw_name for each in pwd.getpwall() if each.pw_gid == gid}
    return tuple(sorted(named - {"root"}))


def socket_findings(raw: RawSocket, version: str, *, proxied: bool) -> list[Finding]:
    """Say who gets past the gate by the daemon's own socket."""
    found = []
    if raw.stranger:
        found.append(
            Finding(
                "socket-open",
                Weight.CRITICAL,
                f"every account of this host can connect to {raw}",
                "mode 0600 of root" if proxied else "mode 0660 of root and a group",
                "SocketMode=0600 in a drop-in of docker.socket, then restart it",
                "CIS 3.16",
            )
        )
    if raw.owner != "root":
        found.append(
            Finding(
                "socket-owner",
                Weight.CRITICAL,
                f"{raw.owner} owns {raw}",
                "it belongs to root",
                f"chown root {raw.path}",
                "CIS 3.15",
            )
        )
    if raw.members:
        found.append(_group_finding(raw, proxied=proxied))
    numbers = version_of(version)
    if numbers and numbers >= GRPC and raw.others:
        found.append(
            Finding(
                "engine-grpc",
                Weight.CRITICAL,
                f"engine {version} serves BuildKit on {raw.path} without asking any plugin",
                "nobody but root can connect to it",
                "let people in through the proxy only, and make the socket 0600 of root",
            )
        )
    return found


def _group_finding(raw: RawSocket, *, proxied: bool) -> Finding:
    who = ", ".join(raw.members)
    if proxied:
        return Finding(
            "socket-group",
            Weight.HIGH,
            f"members of group {raw.group} go around the proxy, by {raw}: {who}",
            "nobody but root can connect to it",
            f"SocketGroup=root in a drop-in of docker.socket, or take them out of {raw.group}",
            "CIS 1.1.2",
        )
    return Finding(
        "socket-group",
        Weight.MEDIUM,
        f"members of group {raw.group} are all user:anonymous to a plugin, by {raw}: {who}",
        "nobody but root can connect to it, and people come through the proxy",
        f"install the proxy, and take them out of {raw.group}",
        "CIS 1.1.2",
    )


def tcp_findings(daemons: Sequence[Dockerd], *, proxied: bool) -> list[Finding]:
    """Say who gets past the gate, or unproved to it, by the daemon's TCP ports."""
    return [
        finding
        for daemon in daemons
        for host in daemon.listed("hosts")
        if host.startswith(("tcp://", "http://")) or _is_bare(host)
        for finding in _tcp(host, daemon, proxied=proxied)
    ]


def _is_bare(host: str) -> bool:
    """Say whether it is an address without a scheme, which is TCP to the daemon."""
    return bool(host) and "://" not in host


def _tcp(host: str, daemon: Dockerd, *, proxied: bool) -> list[Finding]:
    where = "the command line of dockerd" if "host" in daemon.flags else str(daemon.file)
    if not daemon.switched_on("tlsverify"):
        return [
            Finding(
                "tcp-open",
                Weight.CRITICAL,
                f"the daemon listens on {host} and asks nobody for a certificate",
                "no TCP, or tlsverify with certificates of your own authority",
                f'take {host} out of {where}, or add "tlsverify": true and its files',
                "CIS 2.7",
            )
        ]
    if proxied:
        return [
            Finding(
                "tcp-around",
                Weight.HIGH,
                f"the daemon listens on {host}, so that certificates go around the proxy",
                "only the proxy listens on TCP",
                f"take {host} out of {where}",
            )
        ]
    return []


def _stranger_connects(path: Path, mode: int) -> bool:
    """Try as nobody, where we may; else go by the mode, which folders above may narrow."""
    if os.geteuid() != ROOT:
        return bool(mode & stat.S_IWOTH)
    child = os.fork()
    if child == 0:
        _try_as_nobody(path)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _try_as_nobody(path: Path) -> NoReturn:
    """Connect without any rights, in a process of its own; its exit status says whether it did."""
    status = 1
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(2)
            status = min(1, sock.connect_ex(str(path)))
    finally:
        os._exit(status)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
