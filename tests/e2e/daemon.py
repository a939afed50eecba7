"""A real dockerd in namespaces of its own, for one test module or one test.

Knows namespaces, cgroups, the daemon's process and its CLI; knows nothing of Dockgate. Nothing of the
machine is touched but cgroup folders under a name of its own: mounts, network, processes, host name, IPC,
/run and /etc/docker are private, so that any number of daemons run side by side, and `--pid host` or
`--uts host` of a test reach the sandbox only.

Everything hangs on one pipe. The sandbox's first process reads it; when the test process closes it, or
dies in whatever way, that process ends and the kernel kills all the others (daemon, containerd, shims,
containers) and drops their mounts and interfaces.

Seen on Debian 12 with 2 cores, default bridge and iptables included: `start()` takes 0.2 s on 20.10 and
1.2 s on 26.1 (it waits a second before it dials its containerd again), a second start 0.25 s more; a graceful
`stop()` 1.0 s (the daemon looks once a second whether containerd is gone), and 10 s when a container's first
process ignores SIGTERM, as `sh` does; `reload()` 0.01 s, `close()` 0.03 s, a container 0.2 s.
"""

import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.engines import Engine

type_of_settings = Mapping[str, object]

_CGROUPS = Path("/sys/fs/cgroup")
_CLONE_NEWNET = 0x40000000
# /run is private, so the daemon's sockets stand at their usual places, and outside under root/run.
# The cgroup file systems stay shared: runc needs their real paths.
_FIRST_PROCESS = """
set -e
mount --bind "$1/run" /run
if [ -d /etc/docker ]; then mount --bind "$1/etc" /etc/docker; fi
busybox ip link set lo up
echo ready
cat >/dev/null
exit 0
"""
_UNSHARE = "--mount --propagation private --net --uts --ipc --pid --fork --mount-proc --kill-child"
_LISTENING = re.compile(rb"API listen on /(?:var/)?run/docker\.sock")
_RELOADED = re.compile(rb"Reloaded configuration")
# In the order of linux/capability.h.
_CAPABILITIES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
PERFMON BPF CHECKPOINT_RESTORE
""".split()


class DaemonError(AssertionError):
    """The daemon, or a command given to it, did not do what the test needs; carries the output."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the daemon's API said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """The body as JSON."""
        return json.loads(self.body)


class Dockerd:
    """One daemon under `root` (short: a unix socket's path has 107 bytes), not started yet.

    `authz` are the names under "authorization-plugins", `extra` more keys of daemon.json. Between
    construction and `start()` plugin sockets can be put into `plugins`. `close()` ends everything and
    removes `root`; as a context manager it starts on entry and closes on exit.
    """

    def __init__(
        self,
        engine: Engine,
        root: Path,
        authz: Sequence[str] = (),
        extra: type_of_settings | None = None,
    ) -> None:
        self.engine = engine
        self.root = root
        self.socket = root / "run/docker.sock"
        self.plugins = root / "run/docker/plugins"
        self.data = root / "data"
        self.log = root / "dockerd.log"
        self.config = root / "etc/daemon.json"
        self._cgroup = f"dockgate-{root.name}"
        self._sandbox: _Sandbox | None = None
        self._process: subprocess.Popen[bytes] | None = None
        for folder in ("run/lock", "etc", "data", "bin", "client"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        self.plugins.mkdir(parents=True, mode=0o700)
        self.log.touch()
        _write_client_settings(root / "client", engine)
        self.configure({"authorization-plugins": list(authz), **(extra or {})})

    def __enter__(self) -> Self:
        """Start, and leave nothing behind when that fails."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # The process

    def start(self, timeout: float = 40) -> None:
        """Start the daemon and wait until it serves. Raises DaemonError with the log's end.

        Readiness is read from the log: a `_ping` would be put to the plugins under test. A plugin that
        cannot be found fails the start after 15 s of retries by the daemon.
        """
        if self._process is not None:
            raise DaemonError("the daemon was started already")
        if self._sandbox is None:
            self._sandbox = _Sandbox(self.root)
        mark = self.log.stat().st_size
        path = f"{_runc_folder(self.root / 'bin', self.engine)}{self.engine.path}"
        command = [*self._sandbox.entry(), "env", f"PATH={path}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, self.engine.dockerd, "--config-file", self.config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the tests, which then stop the daemon
            )
        self._await_log(_LISTENING, mark, timeout)

    def stop(self, timeout: float = 30) -> None:
        """SIGTERM, then SIGKILL after `timeout` seconds; the sandbox and all data stay for `start()`."""
        self._end(signal.SIGTERM, timeout)

    def kill(self) -> None:
        """SIGKILL the daemon alone, as in a crash: containers go on, and so does its containerd."""
        self._end(signal.SIGKILL, 10)

    def restart(self, timeout: float = 40) -> None:
        """`stop()` and `start()`."""
        self.stop()
        self.start(timeout)

    def reload(self, timeout: float = 40) -> None:
        """SIGHUP, and wait until daemon.json was taken. Raises DaemonError when the daemon ended of it.

        It does end when a plugin in the list cannot be found (after 15 s).
        """
        mark = self.log.stat().st_size
        os.kill(self.pid, signal.SIGHUP)
        self._await_log(_RELOADED, mark, timeout)

    def configure(self, changes: type_of_settings) -> None:
        """Merge `changes` into daemon.json (None removes a key); `reload()` or `restart()` applies it."""
        settings: dict[str, object] = {
            "data-root": str(self.data),
            "cgroup-parent": f"/{self._cgroup}",
        }
        if self.config.exists():
            settings = json.loads(self.config.read_bytes())
        settings.update(changes)
        kept = {key: value for key, value in settings.items() if value is not None}
        self.config.write_text(json.dumps(kept, indent=2) + "\n")

    def close(self) -> None:
        """Kill all that runs in the sandbox and remove everything the daemon had. Never waits long."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None
        if self._process is not None:
            self._process.wait(10)
            self._process = None
        _remove_cgroups(self._cgroup)
        if self.root.exists():  # a test may have closed it before its fixture does
            shutil.rmtree(self.root)

    @property
    def running(self) -> bool:
        """Whether the daemon's process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The daemon's process id as seen from outside the sandbox."""
        if self._process is None:
            raise DaemonError("the daemon is not running")
        return _only_child(self._process.pid)

    def log_tail(self, lines: int = 20) -> str:
        """The end of the daemon's log; empty after `close()`."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # Clients

    def docker(
        self,
        *arguments: str | Path,
        check: bool = True,
        timeout: float = 60,
        stdin: bytes | str | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        tls: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the engine's own CLI (`compose` and `buildx` included) against this daemon.

        With `tls` (a folder with ca.pem, cert.pem and key.pem) it talks to tcp://127.0.0.1:2376 from
        inside the daemon's network. Raises DaemonError, output included, when it fails and `check` is
        set, and always when it takes longer than `timeout` seconds.
        """
        environment = {
            "PATH": self.engine.path,
            "HOME": str(self.root / "client"),
            "DOCKER_CONFIG": str(self.root / "client"),
            "DOCKER_HOST": f"unix://{self.socket}",
        }
        command: list[str | Path] = [self.engine.docker, *arguments]
        if tls is not None:
            environment |= {"DOCKER_HOST": "tcp://127.0.0.1:2376", "DOCKER_TLS_VERIFY": "1"}
            environment["DOCKER_CERT_PATH"] = str(tls)
            command = [*self._inside().entry("--net"), *command]
        return self._run(command, check, timeout, stdin, cwd, environment | dict(env or {}))

    def enter(
        self, *command: str | Path, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside all the daemon's namespaces, for example a client of a published port."""
        whole = [*self._inside().entry(), *command]
        return self._run(whole, check, timeout, None, None, dict(os.environ))

    def connect(self, port: int, host: str = "127.0.0.1", timeout: float = 10) -> socket.socket:
        """A TCP connection that begins inside the daemon's network; the caller closes it."""
        network = f"/proc/{self._inside().pid}/ns/net"

        def dial() -> socket.socket:
            libc = ctypes.CDLL(None, use_errno=True)
            with open(network, "rb") as namespace:
                if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot enter {network}")
            return socket.create_connection((host, port), timeout)

        # A namespace belongs to a thread: this one ends with the call.
        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(dial).result()

    def api(
        self,
        method: str,
        target: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> Answer:
        """One API request on the unix socket, the target as given. What is not bytes is sent as JSON."""
        sent: dict[str, str] = {}
        if body is not None and not isinstance(body, bytes):
            body, sent = json.dumps(body).encode(), {"Content-Type": "application/json"}
        connection = _UnixConnection(self.socket, timeout)
        try:
            connection.request(method, target, body, sent | dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())
        finally:
            connection.close()

    def raw(self, request: bytes, timeout: float = 30) -> bytes:
        """Send these very bytes and return all that comes back until the daemon closes.

        Put `Connection: close` among the headers, or it takes `timeout` seconds and raises TimeoutError.
        """
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(str(self.socket))
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    # Within

    def _inside(self) -> "_Sandbox":
        if self._sandbox is None:
            raise DaemonError("the daemon was never started")
        return self._sandbox

    def _end(self, how: signal.Signals, timeout: float) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError, DaemonError):  # it may have ended by itself
            os.kill(self.pid, how)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            self._process.wait(10)
        self._process = None

    def _await_log(self, pattern: re.Pattern[bytes], mark: int, timeout: float) -> None:
        def written() -> bool:
            with self.log.open("rb") as log:
                log.seek(mark)
                return pattern.search(log.read()) is not None

        if not _wait_for(lambda: written() or not self.running, timeout) or not self.running:
            state = "is still starting or reloading" if self.running else "ended"
            raise DaemonError(
                f"dockerd {self.engine.version} {state}; its log ends:\n{self.log_tail()}"
            )

    def _run(
        self,
        command: Sequence[str | Path],
        check: bool,  # noqa: FBT001  mirrors subprocess.run
        timeout: float,
        stdin: bytes | str | None,
        cwd: Path | None,
        environment: Mapping[str, str],
    ) -> subprocess.CompletedProcess[str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin or b""
        line = " ".join(map(str, command))
        try:
            done = subprocess.run(
                command,
                input=data,
                cwd=cwd,
                env=environment,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            said = f"{_text(error.stdout)}{_text(error.stderr)}"
            raise DaemonError(f"{line}\nstill runs after {timeout} s\n{said}") from None
        out, err = _text(done.stdout), _text(done.stderr)
        if check and done.returncode != 0:
            raise DaemonError(f"{line}\nexit {done.returncode}\n{out}{err}")
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)


class _Sandbox:
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
        self.pid = _only_child(self._process.pid)

    def entry(self, *which: str) -> list[str]:
        """The words before a command that is to run inside; `which` limits the namespaces entered."""
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


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _write_client_settings(folder: Path, engine: Engine) -> None:
    extra = [str(engine.cli_plugins)] if engine.cli_plugins else []
    (folder / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": extra}))


def _only_child(pid: int) -> int:
    """The process that unshare or nsenter started: they stay outside and wait for it."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found: list[str] = []

    def looked() -> bool:
        with suppress(OSError):
            found[:] = children.read_text().split()
        return bool(found)

    if not _wait_for(looked, 5):
        raise DaemonError(f"process {pid} has no child: it ended")
    return int(found[0])


def _wait_for(condition: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _remove_cgroups(name: str) -> None:
    """Remove the empty cgroups left under `name`, in every hierarchy of version 1, and of version 2."""
    for top in (_CGROUPS / name, *_CGROUPS.glob(f"*/{name}")):
        for folder, _, _ in os.walk(top, topdown=False):
            # The kernel may take a moment to see that the last process is gone.
            _wait_for(lambda folder=folder: _removed(folder), 2)  # type: ignore[misc]


def _removed(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _runc_folder(folder: Path, engine: Engine) -> str:
    """A PATH entry (with colon) for a runc that asks only for capabilities that this machine has.

    Engines up to 20.10 give a privileged container every capability that the kernel knows; where root lacks
    one (SYS_RESOURCE, on some virtual machines) runc then cannot start it: "unable to apply caps". Nothing is
    written where root has all.
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


def _text(output: bytes | str | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
