"""The watchdog: it ends what stands still, and nothing else."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from structlog.testing import capture_logs

from authz.service import heartbeat
from authz.service.heartbeat import EXIT_STATUS, Heartbeat, die, notify

BEAT = 0.02
STALLED = 0.4


@pytest.fixture(autouse=True)
def _nobody_listens(monkeypatch):
    """Whoever runs the tests may have a manager of his own."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)


@pytest.fixture
def manager(tmp_path):
    """Return a socket as systemd opens it, on a path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


async def beating(watch: Heartbeat, seconds: float, *, blocked: float = 0) -> None:
    """Let a heart beat for a while, and block the loop in the middle."""
    task = asyncio.create_task(watch.beat())
    await asyncio.sleep(seconds)
    time.sleep(blocked)  # noqa: ASYNC251  this is what must be noticed
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# --- telling systemd -----------------------------------------------------------------------------


def test_the_manager_is_told_on_a_path(manager):
    """One datagram with the message."""
    assert notify("READY=1", {"NOTIFY_SOCKET": manager.getsockname()})

    assert manager.recv(100) == b"READY=1"


def test_the_manager_is_told_on_an_abstract_address():
    """An @ stands for the zero byte (sd_notify(3))."""
    name = f"dockgate-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        sock.settimeout(5)

        assert notify("STOPPING=1", {"NOTIFY_SOCKET": f"@{name}"})
        assert sock.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_where_nobody_wants_to_be_told_nothing_happens(environ):
    """Without systemd the service runs all the same."""
    assert notify("READY=1", environ)


@pytest.mark.parametrize("address", ["/nowhere", "@nobody", "/" + "x" * 200, "@", "/dev/null"])
def test_a_bad_address_raises_nothing(address):
    """It is news, not work."""
    assert not notify("READY=1", {"NOTIFY_SOCKET": address})


def test_a_manager_that_reads_nothing_is_not_waited_for(manager):
    """The event loop tells it, and must not stand still for that."""
    environ = {"NOTIFY_SOCKET": manager.getsockname()}

    told = [notify("WATCHDOG=1", environ) for _ in range(5000)]

    assert told[0]
    assert not told[-1]


# --- watching the loop ---------------------------------------------------------------------------


async def test_a_loop_that_runs_is_left_alone(manager, monkeypatch):
    """And the manager hears of it."""
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    ended: list[str] = []

    await beating(Heartbeat(stalled=2.0, beat=BEAT, end=lambda: ended.append("end")), 0.4)

    assert ended == []
    assert manager.recv(100) == b"WATCHDOG=1"
    assert manager.recv(100) == b"WATCHDOG=1"


async def test_a_manager_that_has_gone_is_told_of_once():
    """Two lines a second would be a flood."""
    with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
        patch.setenv("NOTIFY_SOCKET", "/nowhere")
        await beating(Heartbeat(stalled=STALLED, beat=BEAT, end=lambda: None), 0.1)

    assert [line["event"] for line in logs] == ["service.manager_unreachable"]


async def test_a_loop_that_stands_still_is_ended():
    """From a thread, as nothing else runs any more; once is enough."""
    ended: list[str] = []
    watch = Heartbeat(
        stalled=STALLED, beat=BEAT, end=lambda: ended.append(threading.current_thread().name)
    )

    await beating(watch, 0.05, blocked=STALLED + 0.3)

    assert ended == ["heartbeat"]


async def test_a_short_stop_is_no_stall():
    """Work may take a moment."""
    ended: list[str] = []

    await beating(
        Heartbeat(stalled=1.0, beat=BEAT, end=lambda: ended.append("end")), 0.05, blocked=0.2
    )

    assert ended == []


async def test_a_loop_that_has_ended_is_not_watched():
    """A clean stop takes the watchdogs away."""
    ended: list[str] = []

    await beating(Heartbeat(stalled=STALLED, beat=BEAT, end=lambda: ended.append("end")), 0.05)
    await asyncio.sleep(STALLED + 0.1)

    assert ended == []
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


# --- the end -------------------------------------------------------------------------------------

SCRIPT = """
import asyncio, re, sys, time
from authz.service.heartbeat import Heartbeat
async def main():
    task = asyncio.create_task(Heartbeat(stalled=0.4, beat=0.05).beat())
    await asyncio.sleep(0.1)
    print("beating", flush=True)
    {block}
asyncio.run(main())
"""


def start(block: str, **options: object) -> subprocess.Popen[bytes]:
    """Start a process whose loop will stand still."""
    return subprocess.Popen([sys.executable, "-c", SCRIPT.format(block=block)], **options)


def test_a_process_whose_loop_stands_still_ends():
    """With a status of its own, and a trace that shows where it stood."""
    with start("time.sleep(30)", stderr=subprocess.PIPE) as process:
        _, said = process.communicate(timeout=10)

    assert process.returncode == EXIT_STATUS
    assert b"the event loop stands still" in said
    assert b"in main" in said


def test_a_process_that_never_lets_go_of_the_interpreter_ends():
    """No thread can watch a regular expression; the kernel can."""
    with start("re.match('(a*)*b', 'a' * 60)", stderr=subprocess.PIPE) as process:
        process.communicate(timeout=10)

    assert process.returncode == -signal.SIGPROF


def test_a_reader_of_the_log_who_sleeps_does_not_hold_up_the_end(tmp_path):
    """The loop may stand still because nobody reads standard error."""
    with (
        (tmp_path / "out").open("wb") as out,
        start("sys.stderr.write('x' * 1_000_000)", stdout=out, stderr=subprocess.PIPE) as process,
    ):
        status = process.wait(timeout=10)

    assert status == -signal.SIGALRM


def test_a_process_that_was_stopped_has_not_stalled():
    """A debugger or a sleeping virtual machine stops the watch as well."""
    with start("await asyncio.sleep(0.6)", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.8)
        process.send_signal(signal.SIGCONT)

        assert process.wait(10) == 0


def test_the_end_comes_whatever_happens_to_the_last_words(monkeypatch, capfd):
    """The trace goes to standard error, and the process ends even where that is closed."""
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)

    die()
    monkeypatch.setattr(heartbeat, "STANDARD_ERROR", -1)
    with pytest.raises(OSError, match="descriptor"):
        die()
    signal.alarm(0)

    assert statuses == [EXIT_STATUS, EXIT_STATUS]
    assert "the event loop stands still" in capfd.readouterr().err
