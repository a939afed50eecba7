"""The engine at growing sizes, next to stock Casbin: ``python -m bench.policy [--json]``.

Each size is measured in a process of its own, so that its memory is its own.
All times are CPU time of the one thread that judges.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import thread_time_ns

import casbin

from authz.facts.facts import Fact, Facts
from authz.identity.identity import Identity, Proof
from authz.policy.bundle import Bundle, load_bundle
from authz.policy.casbin_engine import EFFECTS
from authz.policy.model_file import model_text
from authz.policy.placeholder import fill_for
from authz.policy.row_check import condition_of, pattern_of
from authz.policy.rule import by_strength
from authz.policy.snapshot import Snapshot, compile_snapshot
from authz.policy.vocabulary import vocabulary
from bench.policies import a_site
from bench.table import document, percentile, show

SIZES = (100, 1_000, 10_000, 100_000)
STOCK_UP_TO = 1_000
"""Rows up to which stock Casbin is asked: above, one answer takes a second and more."""
CREATES = 3_000
CONTEXT = {
    "user": "user:u0", "tenant": "", "door": "plugin", "method": "POST", "listener": "",
    "now": "2026-08-01T12:00:00+00:00", "image": "docker.io/library/i1", "name": "", "label.*": "",
}  # fmt: skip
POSTURE = (
    "on:new", "api.version:1.47", "image.tag:latest", "image.digest:none", "image.ref:name",
    "mem.limit:none", "mem.swap:none", "cpu.limit:none", "cpuset:all", "pids.limit:none",
    "blkio.weight:none", "shm.size:67108864", "user:root", "nnp:off", "rootfs:rw",
    "seccomp:default", "apparmor:default", "pid:private", "ipc:private", "uts:private",
    "userns:private", "cgroupns:private", "runtime:default", "cap.keep:CHOWN", "cap.keep:KILL",
    "restart:no", "net:default",
)  # fmt: skip
"""What nearly every create has."""


def main() -> None:
    """Measure every size, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="ROWS")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        document(_measured(options.one))
        return
    found = [_in_a_process(size) for size in options.sizes]
    flatness = found[-1]["create_median_us"] / found[0]["create_median_us"]
    if options.json:
        document({"sizes": found, "flatness": flatness})
        return
    _print(found)
    print(f"\nmedian of the create at {found[-1]['rows']:,} rows: {flatness:.2f} times the first")


def _print(found: list[dict[str, float]]) -> None:
    head = ("rows", "create us", "p99 us", "cold us", "one fact us", "denied us")
    keys = ("create_median_us", "create_p99_us", "cold_us", "fact_us", "denied_us")
    rows = [[f"{each['rows']:,}", *(each[key] for key in keys)] for each in found]
    show("Judging, 33 facts (CPU; denied: with the nearest rows)", head, rows)
    head = ("rows", "create us", "one fact us", "times slower")
    keys = ("stock_create_us", "stock_fact_us", "stock_ratio")
    rows = [[f"{each['rows']:,}", *(each[key] for key in keys)] for each in found]
    show("Stock pycasbin over the same rows", head, rows)
    head = ("rows", "load s", "compile s", "peak MB", "MB of 100,000 fresh callers")
    keys = ("load_s", "compile_s", "peak_mb", "fresh_mb")
    rows = [[f"{each['rows']:,}", *(each[key] for key in keys)] for each in found]
    show("Loading (CPU)", head, rows)


def _in_a_process(size: int) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.policy", "--one", str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  ourselves
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _measured(size: int) -> dict[str, float | None]:
    with tempfile.TemporaryDirectory() as folder:
        site = a_site(Path(folder), size)
        began = thread_time_ns()
        bundle = load_bundle(site)
        loaded = thread_time_ns()
        snapshot = compile_snapshot(bundle)
        compiled = thread_time_ns()
    peak = _megabytes()
    gc.collect()
    gc.freeze()
    creates = list(_creates(CREATES))
    cold = _each(snapshot, creates[:20], fresh=True)
    _each(snapshot, creates[:200])
    warm = _each(snapshot, creates)
    stock_create, stock_fact = _stock(bundle, creates[0]) if size <= STOCK_UP_TO else (None, None)
    median = statistics.median(warm)
    return {
        "rows": len(bundle.rows),
        "load_s": (loaded - began) / 1e9,
        "compile_s": (compiled - loaded) / 1e9,
        "peak_mb": peak,
        "create_median_us": median,
        "create_p99_us": percentile(warm, 0.99),
        "cold_us": statistics.median(cold),
        "fact_us": _repeated(lambda: _judge(snapshot, IDENTITY, ONE)),
        "denied_us": _repeated(lambda: _judge(snapshot, IDENTITY, DENIED)),
        "stock_create_us": stock_create,
        "stock_fact_us": stock_fact,
        "stock_ratio": stock_create / median if stock_create else None,
        "fresh_mb": _fresh(snapshot),
    }


IDENTITY = Identity("user:u0", proof=Proof.PEER, uid=1000)
ONE = Facts("system.ping", (Fact("on", "host"),))
DENIED = Facts("container.create", (Fact("on", "new"), Fact("bind", "/nowhere")))


def _creates(count: int) -> list[Facts]:
    """Return creates of 33 facts each, no two alike."""
    random = Random(2)
    found = []
    for _ in range(count):
        n = random.randrange(100_000)
        own = (
            f"image:docker.io/library/i{n}", f"bind:/srv/p{n}/data", f"bind:/data/d{n}",
            f"volume:v{n}-data", f"port:{1024 + n % 60_000}/tcp", f"mem.limit:{n % 64 + 1}g",
        )  # fmt: skip
        facts = tuple(Fact(*text.split(":", 1)) for text in (*POSTURE, *own))
        found.append(Facts("container.create", facts))
    return found


def _judge(snapshot: Snapshot, identity: Identity, facts: Facts) -> None:
    snapshot.judge(identity, facts, CONTEXT)


def _each(snapshot: Snapshot, creates: list[Facts], *, fresh: bool = False) -> list[float]:
    """Return microseconds of each create; ``fresh`` gives each a caller of its own."""
    taken = []
    for number, facts in enumerate(creates):
        identity = Identity(f"user:u{number}") if fresh else IDENTITY
        began = thread_time_ns()
        snapshot.judge(identity, facts, CONTEXT)
        taken.append((thread_time_ns() - began) / 1e3)
    return taken


def _repeated(work: Callable[[], object], times: int = 2_000) -> float:
    """Return the microseconds of one turn."""
    work()
    began = thread_time_ns()
    for _ in range(times):
        work()
    return (thread_time_ns() - began) / 1e3 / times


def _fresh(snapshot: Snapshot) -> float:
    """Return by how much the memory grows over callers that were never seen before."""
    for number in range(5_000):
        _judge(snapshot, Identity(f"user:before{number}"), ONE)
    before = _megabytes()
    for number in range(100_000):
        _judge(snapshot, Identity(f"user:fresh{number}"), ONE)
    return _megabytes() - before


def _stock(bundle: Bundle, facts: Facts) -> tuple[float, float]:
    """Ask Casbin, as it comes, about the same rows: microseconds of a create, and of one fact."""
    enforcer = _enforcer(bundle)
    began = thread_time_ns()
    for fact in facts.facts:
        enforcer.enforce(IDENTITY.subject, IDENTITY.domain, facts.action, fact, CONTEXT)
    taken = (thread_time_ns() - began) / 1e3
    return taken, taken / len(facts.facts)


def _enforcer(bundle: Bundle) -> casbin.Enforcer:
    model = casbin.Model()
    model.load_model_from_text(model_text())
    enforcer = casbin.Enforcer(model, enable_log=False)
    fill = fill_for(IDENTITY)
    enforcer.add_function("fact", lambda fact, text, _: bool(pattern_of(text).verdict(fact, fill)))
    enforcer.add_function("when", lambda context, text: bool(condition_of(text).verdict(context)))
    enforcer.add_policies(
        [row.subject, row.domain, row.action, row.fact, row.when, EFFECTS[row.word]]
        for row in by_strength(bundle.rows)
    )
    for link in bundle.links:
        enforcer.add_grouping_policy(link.member, link.role, IDENTITY.domain)
    for action, names in vocabulary(bundle.groups).names().items():
        for name in names:
            enforcer.add_named_grouping_policy("g2", action, name)
    return enforcer


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
