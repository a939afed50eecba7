"""Servers of a benchmark as processes: started, waited for, and what they use of the machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

READY = 20.0
"""Seconds for a server to listen."""

END = 10.0


@contextmanager
def started(
    command: Sequence[str | Path], env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command, and end it by its id afterwards."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=env, **quiet) as process:  # noqa: S603  ourselves
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(END)
            except subprocess.TimeoutExpired:
                process.kill()


def module(name: str, *arguments: str | Path) -> list[str | Path]:
    """Return the command that runs one of our modules."""
    return [sys.executable, "-m", name, *arguments]


def await_socket(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server takes connections. Ends the benchmark where it does not."""
    ended = time.monotonic() + READY
    while not _listens(path):
        if time.monotonic() > ended or process.poll() is not None:
            raise SystemExit(f"{path} does not answer")
        time.sleep(0.01)


def _listens(path: Path) -> bool:
    """Say whether somebody answers there: a path is there a moment before that."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(str(path))
        except OSError:
            return False
    return True


def cpu(pid: int) -> float:
    """Return seconds on a processor of all threads, to the nanosecond (proc(5), schedstat)."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e9


def memory(pid: int) -> float:
    """Return the megabytes that a process holds now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def peak(pid: int) -> float:
    """Return the most megabytes that a process ever held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1.024e-3


def forget_peak(pid: int) -> None:
    """Let the peak begin anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
