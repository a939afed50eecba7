"""The namespaces, cgroups and runc that a dockerd under test is given.

Knows Linux and what of it a machine may lack; knows nothing of the daemon's settings or clients.

Everything hangs on one pipe. The sandbox's first process reads it; when the test process closes it,
or dies in whatever way, that process ends and the kernel kills all the others (daemon, containerd,
shims, containers) and drops their mounts and interfaces.

Machines with cgroups of version 1 (hybrid included) were tried. On version 2 alone, inside a
container, runc needs the processes moved out of the root cgroup first; that is not done here.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.e2e.engines import Engine

_CGROUPS = Path("/sys/fs/cgroup")
# /run is private, so the daemon's sockets stand at their usual places, and outside under root/run.
# The cgroup file systems stay shared: runc needs their real paths. Mounts propagate within the
# sandbox, as they do on a machine with systemd, and never out of it.
_FIRST_PROCESS = """
set -e
mount --make-rshared /
mount --bind "$1/run" /run
if [ -d /etc/docker ]; then mount --bind "$1/etc" /etc/docker; fi
busybox ip link set lo up
echo ready
cat >/dev/null
exit 0
"""
_UNSHARE = "--mount --propagation private --net --uts --ipc --pid --fork --mount-proc --kill-child"
# In the order of linux/capability.h.
_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
)


class DaemonError(AssertionError):
    """The daemon, or a command given to it, did not do what the test needs; carries the output."""


class Sandbox:
    """The namespaces of one daemon, alive as long as this process keeps the pipe open."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            ["unshare", *_UNSHARE.split(), "sh", "-c", _FIRST_PROCESS, "sandbox", root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        first = self._process.stdout.readline()
        if first != b"ready\n":
            said = first + self._process.stdout.read()
            self.close()
            raise DaemonError(f"no namespaces for a daemon (root is needed): {said.decode()}")
        self.pid = only_child(self._process.pid)

    def entry(self, *which: str) -> list[str]:
        """Return the words before a command to run inside; `which` limits the namespaces."""
        spaces = which or ("--mount", "--net", "--uts", "--ipc", "--pid")
        return ["nsenter", "--target", str(self.pid), *spaces, "--"]

    def close(self) -> None:
        """Close the pipe; the wait ends when the last process inside is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()  # --kill-child takes the first process along
            self._process.wait(10)


def only_child(pid: int) -> int:
    """Find the process that unshare or nsenter started: they stay outside and wait for it."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found: list[str] = []

    def looked() -> bool:
        with suppress(OSError):
            found[:] = children.read_text().split()
        return bool(found)

    if not wait_for(looked, 5):
        raise DaemonError(f"process {pid} has no child: it ended")
    return int(found[0])


def wait_for(condition: Callable[[], bool], timeout: float) -> bool:
    """Poll until `condition` holds; False when it does not within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def thaw_cgroups(name: str) -> None:
    """Let what is paused under `name` go on: a frozen process cannot even be killed."""
    for top in (_CGROUPS / name, *_CGROUPS.glob(f"*/{name}")):
        for file, word in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
            for found in top.glob(f"**/{file}"):
                with suppress(OSError):  # it is going, or the root of its kind
                    found.write_text(word)


def remove_cgroups(name: str) -> None:
    """Remove the empty cgroups left under `name`, in every hierarchy of either version."""
    for top in (_CGROUPS / name, *_CGROUPS.glob(f"*/{name}")):
        for folder, _, _ in os.walk(top, topdown=False):
            # The kernel may take a moment to see that the last process is gone.
            wait_for(partial(_removed, Path(folder)), 2)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def runc_folder(folder: Path, engine: Engine) -> str:
    """Return a PATH entry (with colon) of a runc that asks only for capabilities there are.

    Engines up to 20.10 give a privileged container every capability that the kernel knows; where
    root lacks one (SYS_RESOURCE, on some virtual machines) runc then cannot start it: "unable to
    apply caps". Nothing is written, and the entry is empty, where root has all.
    """
    lacking = _lacking_capabilities()
    if not lacking:
        return ""
    edits = " ".join(f"""-e 's/"CAP_{name}",//g;s/,"CAP_{name}"//g'""" for name in lacking)
    script = folder / "runc"
    runc = str(shutil.which("runc", path=engine.path))
    script.write_text(_RUNC.replace("EDITS", edits).replace("RUNC", runc))
    script.chmod(0o755)
    return f"{folder}:"


_RUNC = """#!/bin/sh
# create has --bundle FOLDER, exec has --process FILE
last=
for word in "$@"; do
    case $last in
        --bundle) sed -i EDITS "$word/config.json" ;;
        --process) sed -i EDITS "$word" ;;
    esac
    last=$word
done
exec RUNC "$@"
"""


def _lacking_capabilities() -> Iterable[str]:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            bounding = int(line.split()[1], 16)
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    return [name for bit, name in enumerate(_CAPABILITIES[: last + 1]) if not bounding >> bit & 1]
