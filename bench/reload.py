"""What requests notice while policies load: ``python -m bench.reload [--rows N]... [--json]``.

An event loop judges a create every other millisecond while a thread loads the
bundle again and again. On a busy machine the loop waits for the processor as
well, so two figures are shown: the delay as it was, and how much of it the
loading thread spent computing, which is what loading itself costs a request.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import tempfile
import threading
import time
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, process_time

from authz.facts.facts import Fact, Facts
from authz.identity.identity import Identity, Proof
from authz.policy.current import CurrentPolicy
from bench.policies import a_site
from bench.policy import CONTEXT, POSTURE
from bench.table import document, percentile, show

SIZES = (10_000, 100_000)
EVERY = 0.002
BUDGET = 0.02
CREATE = Facts("container.create", tuple(Fact(*text.split(":", 1)) for text in POSTURE))
ANN = Identity("user:u0", proof=Proof.PEER, uid=1000)


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES)
    parser.add_argument("--reloads", type=int, default=3)
    options = parser.parse_args()
    found = [asyncio.run(_measured(rows, options.reloads)) for rows in options.rows]
    if options.json:
        document(found)
        return
    keys = tuple(found[0])
    rows = [[each[key] for key in keys] for each in found]
    show("Delays of requests, in ms, while policies load", keys, rows)


async def _measured(rows: int, reloads: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        site = a_site(Path(folder), rows)
        policy = CurrentPolicy(str(site))
        gc.collect()
        gc.freeze()
        quiet = [late for late, _ in await _delays(policy, 0, asyncio.sleep(1.5))]
        before = _megabytes()
        with ThreadPoolExecutor(1) as pool:
            clock = pool.submit(_clock).result()
            began, used = perf_counter(), process_time()
            loud = await _delays(policy, clock, _reloading(policy, site, reloads, pool))
            took, cost = perf_counter() - began, process_time() - used
    late = [delay for delay, _ in loud]
    own = [min(delay, spent) for delay, spent in loud]
    return {
        "rows": rows,
        "reloads": reloads,
        "quiet max": max(quiet) * 1e3,
        "p99": percentile(late, 0.99) * 1e3,
        "max": max(late) * 1e3,
        "loading p99": percentile(own, 0.99) * 1e3,
        "loading max": max(own) * 1e3,
        "over 20": sum(delay > BUDGET for delay in own),
        "of": len(loud),
        "s each": took / reloads,
        "CPU s each": cost / reloads,
        "MB before": before,
        "MB after": _megabytes(),
        "MB peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


async def _reloading(
    policy: CurrentPolicy, site: Path, reloads: int, pool: ThreadPoolExecutor
) -> None:
    rules = site / "policy.csv"
    loop = asyncio.get_running_loop()
    for number in range(reloads):
        with rules.open("a") as stream:
            stream.write(f"# {number}\n")
        await loop.run_in_executor(pool, policy.reload)


async def _delays(
    policy: CurrentPolicy, clock: int, work: Awaitable[None]
) -> list[tuple[float, float]]:
    """Return how late each request was answered, and the loader's CPU time meanwhile."""
    running = asyncio.ensure_future(work)
    delays = []
    while not running.done():
        due, spent = perf_counter() + EVERY, _spent(clock)
        await asyncio.sleep(EVERY)
        policy.snapshot.judge(ANN, CREATE, CONTEXT)
        delays.append((perf_counter() - due, _spent(clock) - spent))
    await running
    return delays


def _clock() -> int:
    return time.pthread_getcpuclockid(threading.get_ident())


def _spent(clock: int) -> float:
    return time.clock_gettime(clock) if clock else 0.0


def _megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024 / 1024


if __name__ == "__main__":
    main()
