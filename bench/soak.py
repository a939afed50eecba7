"""What may not grow, and who may not stop whom: ``python -m bench.soak [--short] [--json]``.

One proxy with everything on stands before a scripted daemon, and gets in turn: a gigabyte that is
loaded and one that is saved, a reader that never reads, two hundred followed logs, a hundred
thousand connections, and a thousand clients that never finish a request beside a quick one. Each
part says how the memory of the proxy's process went. The exit status is 1 where it grew by more
than ``ROOM``, or where something was lost or late.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.process import await_socket, forget_peak, memory, module, peak, started
from bench.proxy import LIST, a_gate, connected, load, save
from bench.table import document, percentile, show
from bench.upstream import LAST, MEGABYTE

ROOM = 16.0
"""Megabytes by which the proxy may grow in a part: buffers on their way, and what malloc keeps."""

PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
FOLLOW = (
    b"GET /v1.47/containers/web/logs?follow=1&stdout=1&tail=all HTTP/1.1\r\nHost: docker\r\n\r\n"
)
HALF = b"GET /v1.47/containers/json HTTP/1.1\r\nHost: do"
FRAME = 8
"""Bytes before each line of a log, of which the fourth to the last say its length."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    megabytes: int = 1024
    logs: int = 200
    seconds: float = 30.0
    connections: int = 100_000
    slow: int = 1000
    late: float = 1.0
    """Seconds in which a quick client has its answer, whatever slow ones do, once they came in."""
    waits: bool = True
    """Whether to wait until the slow ones are turned away."""


SHORT = Sizes(32, 20, 1.0, 400, 100, late=2.0, waits=False)
"""A slice, for a machine that does other things as well."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part as it went. ``problem`` is empty where all is well."""

    name: str
    before: float
    peak: float
    after: float
    said: str = ""
    problem: str = ""


def main() -> None:
    """Run every part, and print how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true", help="a slice of it, in seconds")
    options = parser.parse_args()
    parts = soak(SHORT if options.short else Sizes())
    if options.json:
        document([{name: getattr(part, name) for name in part.__slots__} for part in parts])
    else:
        rows = [
            [each.name, each.before, each.peak, each.after, f"{each.problem or each.said}"]
            for each in parts
        ]
        show("MB of the proxy", ("part", "before", "peak", "after", ""), rows)
    sys.exit(1 if any(part.problem for part in parts) else 0)


def soak(sizes: Sizes) -> list[Part]:
    """Start a proxy, and put everything to it in turn."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed[1], allowed[1]))
    with tempfile.TemporaryDirectory(prefix="dgs-") as name, ExitStack() as stack:
        root = Path(name)
        daemon, door = root / "daemon.sock", root / "door.sock"
        await_socket(daemon, stack.enter_context(started(module("bench.upstream", daemon))))
        settings = a_gate(root, daemon, door)
        proxy = stack.enter_context(started(module("authz", "serve", "--config", settings)))
        await_socket(door, proxy)
        asyncio.run(_connections(door, 500))  # what is made once
        parts: dict[str, Callable[[], str]] = {
            "load": lambda: _stream(door, load, sizes.megabytes),
            "save": lambda: _stream(door, save, sizes.megabytes),
            "a reader that does not read": lambda: _unread(door, sizes.megabytes),
            f"{sizes.logs} logs": lambda: asyncio.run(_logs(door, sizes)),
            f"{sizes.connections:,} connections": lambda: asyncio.run(
                _connections(door, sizes.connections)
            ),
            f"{sizes.slow:,} slow clients": lambda: asyncio.run(_slow(door, sizes)),
        }
        return [_part(each, work, proxy.pid) for each, work in parts.items()]


def _part(name: str, work: Callable[[], str], pid: int) -> Part:
    forget_peak(pid)
    before, began, said, problem = memory(pid), time.monotonic(), "", ""
    try:
        said = work()
    except SoakError as error:
        problem = str(error)
    said = f"{said}; {time.monotonic() - began:.1f} s"
    most = peak(pid)
    if not problem and most - before > ROOM:
        problem = f"grew by {most - before:.1f} MB; expected at most {ROOM}"
    return Part(name, before, most, memory(pid), said, problem)


class SoakError(Exception):
    """Something was lost, wrong or late."""


def _stream(door: Path, stream: Callable[[socket.socket, int], None], megabytes: int) -> str:
    with connected(door) as connection:
        stream(connection, megabytes * MEGABYTE)
    return f"{megabytes} MB"


def _unread(door: Path, megabytes: int) -> str:
    """Ask for an image and read nothing for a while, then all of it."""
    with connected(door) as connection:
        save(connection, megabytes * MEGABYTE, wait=1.0)
    return f"{megabytes} MB, after a second"


async def _logs(door: Path, sizes: Sizes) -> str:
    """Follow so many logs at once; each line has to come, in its order."""
    until = time.monotonic() + sizes.seconds
    counts = await asyncio.gather(*(_followed(door, until) for _ in range(sizes.logs)))
    if not min(counts):
        raise SoakError("a log that is followed has no lines")
    return f"{sum(counts):,} lines, none lost"


async def _followed(door: Path, until: float) -> int:
    reader, writer = await asyncio.open_unix_connection(str(door))
    writer.write(FOLLOW)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise SoakError(f"a log is refused: {head!r}")
    count = 0
    while time.monotonic() < until:
        size = int(await reader.readuntil(b"\r\n"), 16)
        chunk = (await reader.readexactly(size + 2))[:-2]
        for at in range(0, size, FRAME + 12):
            if int(chunk[at + FRAME : at + FRAME + 11]) != count:
                raise SoakError(f"line {count} of a log is lost: {chunk[at : at + FRAME + 12]!r}")
            count += 1
    writer.close()
    return count


async def _connections(door: Path, count: int) -> str:
    """Connect, ping and close, eight at a time."""
    taken: list[float] = []

    async def some(share: int) -> None:
        for _ in range(share):
            began = time.perf_counter()
            reader, writer = await asyncio.open_unix_connection(str(door))
            writer.write(PING)
            answer = await reader.read()
            writer.close()
            taken.append(time.perf_counter() - began)
            if not answer.endswith(b"\r\n\r\nOK"):
                raise SoakError(f"a ping is not answered: {answer!r}")

    await asyncio.gather(*(some(count // 8) for _ in range(8)))
    return f"p99 {percentile(taken, 0.99) * 1e3:.1f} ms"


async def _slow(door: Path, sizes: Sizes) -> str:
    """Let many stop in the middle of their heads; a quick one is served meanwhile."""
    slow = [await asyncio.open_unix_connection(str(door)) for _ in range(sizes.slow)]
    for _, writer in slow:
        writer.write(HALF)
    reader, quick = await asyncio.open_unix_connection(str(door))
    taken = []
    for number in range(300):
        began = time.perf_counter()
        quick.write(LIST)
        answer = await reader.readuntil(LAST)
        taken.append(time.perf_counter() - began)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise SoakError(f"the quick client is refused: {answer[:200]!r}")
        slow[number % sizes.slow][1].write(b"c")
    first, late, usual = taken[0], max(taken[1:]), percentile(taken, 0.5)
    said = (
        f"the quick one waits for {usual * 1e3:.1f} ms, {late * 1e3:.0f} ms at most, and"
        f" {first * 1e3:.0f} ms behind their connecting"
    )
    if late > sizes.late:
        raise SoakError(f"{said}; expected {sizes.late} s at most")
    if sizes.waits:
        answers = [await asyncio.wait_for(reader.read(), 30) for reader, _ in slow]
        if not all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers):
            raise SoakError("a slow client is not told that it is too slow")
        said += ", the others are told 408"
    for _, writer in (*slow, (reader, quick)):
        writer.close()
    return said


if __name__ == "__main__":
    main()
