"""A real dockerd in namespaces of its own, for one test module or one test.

Knows the daemon's process, its settings and its clients; knows nothing of Dockgate. Nothing of the
machine is touched but cgroup folders under a name of its own: mounts, network, processes, host
name, IPC, /run and /etc/docker are private (sandbox.py), so that any number of daemons run side by
side, and `--pid host` or `--uts host` of a test reach the sandbox only.

Seen on Debian 12 with 2 cores, default bridge and iptables included: `start()` takes 0.2 s on 20.10
and 1.2 s on 26.1 (it waits a second before it dials its containerd again), a second start 0.25 s
more; a graceful `stop()` 1.0 s (the daemon looks once a second whether containerd is gone), 10 s
when a container's first process ignores SIGTERM, as `sh` does; `reload()` 0.01 s, `close()` 0.03 s,
a container 0.2 s.
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
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.e2e.engines import Engine
from tests.e2e.sandbox import (
    DaemonError,
    Sandbox,
    only_child,
    remove_cgroups,
    runc_folder,
    thaw_cgroups,
    wait_for,
)

_CLONE_NEWNET = 0x40000000
_LISTENING = re.compile(rb"API listen on /(?:var/)?run/docker\.sock")
_RELOADED = re.compile(rb"Reloaded configuration")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the daemon's API said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Parse the body as JSON."""
        return json.loads(self.body)


class Dockerd:
    """One daemon under `root` (short: a unix socket's path has 107 bytes), not started yet.

    `authz` are the names under "authorization-plugins", `extra` more keys of daemon.json. Between
    construction and `start()` plugin sockets can be put into `plugins`. `close()` ends everything
    and removes `root`; as a context manager it starts on entry and closes on exit.
    """

    def __init__(
        self,
        engine: Engine,
        root: Path,
        authz: Sequence[str] = (),
        extra: Mapping[str, object] | None = None,
    ) -> None:
        self.engine = engine
        self.root = root
        self.socket = root / "run/docker.sock"
        self.plugins = root / "run/docker/plugins"
        self.data = root / "data"
        self.log = root / "dockerd.log"
        self.config = root / "etc/daemon.json"
        self._sandbox: Sandbox | None = None
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
        """Close."""
        self.close()

    # The process

    def start(self, timeout: float = 40) -> None:
        """Start the daemon and wait until it serves. Raises DaemonError with the log's end.

        Readiness is read from the log: a `_ping` would be put to the plugins under test. A plugin
        that cannot be found fails the start after 15 s of retries by the daemon.
        """
        if self.running:
            raise DaemonError("the daemon runs already")
        if self._sandbox is None:
            self._sandbox = Sandbox(self.root)
        mark = self.log.stat().st_size
        path = f"{runc_folder(self.root / 'bin', self.engine)}{self.engine.path}"
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
        """End by SIGTERM, after `timeout` seconds by SIGKILL; sandbox and data stay."""
        self._end(signal.SIGTERM, timeout)

    def kill(self) -> None:
        """Kill the daemon alone, as in a crash: its containers and containerd go on."""
        self._end(signal.SIGKILL, 10)

    def restart(self, timeout: float = 40) -> None:
        """`stop()` and `start()`."""
        self.stop()
        self.start(timeout)

    def reload(self, timeout: float = 40) -> None:
        """Send SIGHUP and wait until daemon.json was taken.

        Raises DaemonError when the daemon ended of it, as it does (after 15 s) when a plugin in the
        list cannot be found.
        """
        mark = self.log.stat().st_size
        os.kill(self.pid, signal.SIGHUP)
        self._await_log(_RELOADED, mark, timeout)

    def configure(self, changes: Mapping[str, object]) -> None:
        """Merge `changes` into daemon.json (None removes a key), for the next start or reload."""
        settings: dict[str, object] = {
            "data-root": str(self.data),
            "cgroup-parent": f"/{_cgroup(self.root)}",
        }
        if self.config.exists():
            settings = json.loads(self.config.read_bytes())
        settings.update(changes)
        kept = {key: value for key, value in settings.items() if value is not None}
        self.config.write_text(json.dumps(kept, indent=2) + "\n")

    def close(self) -> None:
        """Kill all that runs in the sandbox and remove everything the daemon had, at once."""
        if self._sandbox is not None:
            thaw_cgroups(_cgroup(self.root))
            self._sandbox.close()
            self._sandbox = None
        if self._process is not None:
            self._process.wait(10)
            self._process = None
        self.clear(self.root)

    @staticmethod
    def clear(root: Path) -> None:
        """Remove cgroups and files of a daemon that is gone, also of one whose tests died."""
        remove_cgroups(_cgroup(root))
        if root.exists():  # a test may have closed it before its fixture does
            shutil.rmtree(root)

    @property
    def running(self) -> bool:
        """Whether the daemon's process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The daemon's process id as seen from outside the sandbox."""
        if self._process is None:
            raise DaemonError("the daemon is not running")
        return only_child(self._process.pid)

    def log_tail(self, lines: int = 20) -> str:
        """Return the end of the daemon's log; nothing after `close()`."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # Clients

    def docker(  # noqa: PLR0913  the options of subprocess.run and one more, all with defaults
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

        With `tls` (a folder with ca.pem, cert.pem and key.pem) it talks to tcp://127.0.0.1:2376
        from inside the daemon's network. Raises DaemonError, output included, when it fails and
        `check` is set, and always when it takes longer than `timeout` seconds.
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
        sent = stdin.encode() if isinstance(stdin, str) else stdin or b""
        environment |= dict(env or {})
        return _run(command, check=check, timeout=timeout, input=sent, cwd=cwd, env=environment)

    def enter(
        self, *command: str | Path, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside all the daemon's namespaces, such as a client of its ports."""
        whole = [*self._inside().entry(), *command]
        return _run(whole, check=check, timeout=timeout, input=b"")

    def connect(self, port: int, host: str = "127.0.0.1", timeout: float = 10) -> socket.socket:
        """Open a TCP connection that begins inside the daemon's network; the caller closes it."""
        return self._in_network(lambda: socket.create_connection((host, port), timeout))

    def listen(self) -> socket.socket:
        """Listen on a port of the daemon's own 127.0.0.1; the caller closes it."""
        return self._in_network(lambda: socket.create_server(("127.0.0.1", 0)))

    def _in_network(self, make: Callable[[], socket.socket]) -> socket.socket:
        """Make a socket inside the daemon's network, where it stays."""
        network = Path(f"/proc/{self._inside().pid}/ns/net")

        def work() -> socket.socket:
            libc = ctypes.CDLL(None, use_errno=True)
            with network.open("rb") as namespace:
                if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot enter {network}")
            return make()

        # A namespace belongs to a thread: this one ends with the call.
        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(work).result()

    def api(
        self,
        method: str,
        target: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> Answer:
        """Put one API request to the unix socket; a body that is not bytes is sent as JSON."""
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

        Put `Connection: close` among the headers, or it raises TimeoutError after `timeout` s. The
        daemon may answer and close before it has read everything; then the rest is not sent, and
        the answer may be cut off or lost.
        """
        answer = bytearray()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(str(self.socket))
            with suppress(BrokenPipeError):
                connection.sendall(request)
            with suppress(ConnectionResetError):
                while part := connection.recv(65536):
                    answer += part
        return bytes(answer)

    # Within

    def _inside(self) -> Sandbox:
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

        if not wait_for(lambda: written() or not self.running, timeout) or not self.running:
            state = "is still starting or reloading" if self.running else "ended"
            raise DaemonError(
                f"dockerd {self.engine.version} {state}; its log ends:\n{self.log_tail()}"
            )


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _cgroup(root: Path) -> str:
    return f"dockgate-{root.name}"


def _write_client_settings(folder: Path, engine: Engine) -> None:
    extra = [str(engine.cli_plugins)] if engine.cli_plugins else []
    (folder / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": extra}))


def _run(
    command: Sequence[str | Path],
    *,
    check: bool,
    timeout: float,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    line = " ".join(map(str, command))
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False, **options)
    except subprocess.TimeoutExpired as error:
        said = _text(error.stdout) + _text(error.stderr)
        raise DaemonError(f"{line}\nstill runs after {timeout} s\n{said}") from None
    out, err = _text(done.stdout), _text(done.stderr)
    if check and done.returncode != 0:
        raise DaemonError(f"{line}\nexit {done.returncode}\n{out}{err}")
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def _text(output: bytes | str | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
