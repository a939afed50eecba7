"""The daemons that run here: their command lines, their settings, and the package they came in.

It knows /proc, the daemon's flags and ``daemon.json``, and judges nothing.
"""

from __future__ import annotations

import gzip
import json
import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAME = "dockerd"
USUAL = Path("/etc/docker/daemon.json")

LISTS = {"host": "hosts", "authorization-plugin": "authorization-plugins"}
"""Flags that can come several times, and how the file calls them."""

SHORT = {"-H": "host", "-D": "debug", "-l": "log-level", "-g": "data-root", "-b": "bridge"}

_PEER = struct.Struct("iII")
_LONGEST = 8 * 1024 * 1024
_SYS_ADMIN = 21
"""The capability that a daemon needs and a container has not (capabilities(7))."""


@dataclass(frozen=True, slots=True)
class Dockerd:
    """One daemon: how it was started, and what its file says.

    ``settings`` has the flags over what the file says, under the names of the
    file. ``problem`` says why the file cannot be read. ``changes`` is the list
    of changes of the package; empty where there is none, or where the
    program on the disk is not the one that runs.
    """

    pid: int
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    file: Path = USUAL
    settings: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    changes: str = ""

    def switched_on(self, name: str) -> bool:
        """Say whether a setting is true, in the file or as a flag."""
        return self.settings.get(name) in {True, "true"}

    def listed(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; empty where it is something else."""
        found = self.settings.get(name)
        return tuple(map(str, found)) if isinstance(found, list) else ()


def behind(address: str, proc: Path = Path("/proc")) -> list[Dockerd]:
    """Return the daemon that listens on a unix socket, else all that run here.

    Where systemd listens for it the kernel names systemd, so then all count.
    """
    owner = _listener(address) if address.startswith("unix://") else None
    found = running(proc)
    return [each for each in found if each.pid == owner] or found


def running(proc: Path = Path("/proc")) -> list[Dockerd]:
    """Return every daemon that this process can see."""
    pids = sorted(int(each.name) for each in proc.iterdir() if each.name.isdecimal())
    return [read(pid, words, proc) for pid in pids if (words := _words(proc / str(pid)))]


def read(pid: int, words: Sequence[str], proc: Path = Path("/proc")) -> Dockerd:
    """Return one daemon by its command line. Its files are read as it sees them."""
    flags = parse(words[1:])
    file = _seen(Path(flags.get("config-file", [str(USUAL)])[-1]), proc / str(pid))
    settings, problem = _file(file)
    for name, values in flags.items():
        settings[LISTS.get(name, name)] = list(values) if name in LISTS else values[-1]
    return Dockerd(pid, flags, file, settings, problem, _changes(proc / str(pid)))


def _seen(file: Path, process: Path) -> Path:
    """Return where a file of another process lies for us: by its own path where that is it.

    Where we may not look it is left to whoever reads the file to say so. What
    is found by way of the process is gone with it.
    """
    if not file.is_absolute():
        try:
            file = (process / "cwd").readlink() / file
        except OSError:
            return process / "cwd" / file
    inside = process / "root" / file.relative_to("/")
    try:
        ours = not inside.exists() or (file.exists() and file.samefile(inside))
    except OSError:
        ours = False
    return file if ours else inside


def parse(words: Sequence[str]) -> dict[str, list[str]]:
    """Read flags as the daemon does; one without a value is ``true``."""
    flags: dict[str, list[str]] = {}
    waiting = iter(words)
    for word in waiting:
        name, equals, value = word.partition("=")
        short = SHORT.get(name[:2]) if not name.startswith("--") else None
        if short is None and not name.startswith("--"):
            continue
        if short and len(name) > len("-H"):
            value, equals, name = word[2:], "=", name[:2]
        name = short or name.removeprefix("--")
        flags.setdefault(name, []).append(value if equals else _value(name, waiting))
    return flags


def _value(name: str, waiting: Iterator[str]) -> str:
    return "true" if name in _SWITCHES else next(waiting, "true")


_SWITCHES = frozenset(
    (  # noqa: SIM905  the words of a table
        "debug experimental icc init ip-forward ip-masq iptables ip6tables ipv6 live-restore "
        "no-new-privileges no-proxy raw-logs rootless selinux-enabled tls tlsverify "
        "userland-proxy validate version help allow-direct-routing swarm-ipv6"
    ).split()
)
"""Flags that take no value, or one behind an equals sign only."""


def _words(folder: Path) -> list[str]:
    """Return the command line of a process that is a daemon; of any other nothing."""
    try:
        words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
    return words[:-1] if Path(words[0]).name == NAME and _is_of_this_host(folder) else []


def _is_of_this_host(folder: Path) -> bool:
    """Say whether whoever runs it could do what we can: root, and not that of a container.

    INVARIANT: anybody can call a program dockerd. What is taken for the daemon
    says which file is rewritten, and which program checks it.
    """
    try:
        status = (folder / "status").read_text(encoding="utf-8", errors="replace")
        parts = [line.partition(":") for line in status.split("\n")]
        words = {name: rest.split() for name, _, rest in parts}
        accounts = set(words.get("Uid", ()))
        if os.geteuid() != 0:
            return accounts in ({"0"}, {str(os.geteuid())})
        mighty = int(words["CapEff"][0], 16) >> _SYS_ADMIN & 1
        here = (folder / "ns" / "user").readlink() == Path("/proc/self/ns/user").readlink()
    except (OSError, LookupError, ValueError):
        return False
    return accounts == {"0"} and bool(mighty) and here


def _file(path: Path) -> tuple[dict[str, Any], str]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError, RecursionError) as error:
        return {}, getattr(error, "strerror", None) or f"is not JSON: {error}"
    return (found, "") if isinstance(found, dict) else ({}, "is not a JSON object")


def _changes(folder: Path) -> str:
    """Read what Debian's package says of its repairs, where the program runs that it brought."""
    try:
        program = (folder / "exe").readlink()
        above = [parent for parent in program.parents if parent.name == "usr"]
        if str(program).endswith("(deleted)") or not above:
            return ""
        found = above[-1] / "share" / "doc" / "docker.io" / "changelog.Debian.gz"
        with gzip.open(found, "rt", encoding="utf-8", errors="replace") as text:
            return text.read(_LONGEST)
    except (OSError, EOFError):
        return ""


def _listener(address: str) -> int | None:
    """Ask the kernel who listens (unix(7), SO_PEERCRED)."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(2)
        try:
            sock.connect(address.removeprefix("unix://"))
            found = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        except OSError:
            return None
    pid: int = _PEER.unpack(found)[0]
    return pid
