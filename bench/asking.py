"""Questions over unix sockets as fast as one process can put them: the load of a benchmark.

It costs about a fifth of what the plugin spends on the cheapest question, so that it is the
plugin that is measured. Answers are looked at, and nothing more is done with them.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter_ns

ALLOWED = b'"Allow":true'
PATIENCE = 20.0


def ask(path: Path, questions: Sequence[bytes], count: int, connections: int) -> list[float]:
    """Put so many questions over so many connections; return microseconds of each."""
    taken: list[float] = []
    with ExitStack() as opened:
        poll = opened.enter_context(select.epoll())
        socks: dict[int, socket.socket] = {}
        for _ in range(connections):
            sock = opened.enter_context(socket.socket(socket.AF_UNIX))
            sock.connect(str(path))
            socks[sock.fileno()] = sock
            poll.register(sock, select.EPOLLIN)
        began = {}
        put = 0
        for number, sock in socks.items():
            began[number] = perf_counter_ns()
            sock.sendall(questions[put % len(questions)])
            put += 1
        while len(taken) < count:
            ready = poll.poll(PATIENCE)
            if not ready:
                raise SystemExit(f"{path} does not answer")
            for number, _ in ready:
                sock = socks[number]
                answer = sock.recv(65536)
                now = perf_counter_ns()
                if ALLOWED not in answer.replace(b" ", b""):
                    raise SystemExit(f"the benchmark expects an allow: {answer!r}")
                taken.append((now - began[number]) / 1e3)
                if put < count:
                    began[number] = now
                    sock.send(questions[put % len(questions)])
                    put += 1
    return taken
