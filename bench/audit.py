"""What the audit costs the plugin, setting by setting: ``python -m bench.audit [--json]``.

One server for each setting, all of them alive at once and asked in turns, so
that the load of others falls on all alike. Throughput is that of the best
turn; a share is the median over the turns of throughput to that without an
audit in the same turn, and of CPU time the other way round: where whoever asks
is as busy as the server, throughput alone flatters. A list is the cheapest
question that is no ping, so that a record weighs most there. Outcomes are off,
as the daemon's second call is not made.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from authz import keeping, recorder
from authz.audit.ledger import Note
from authz.audit.record import AuditRecord
from authz.cli.main import main as dockgate
from bench.plugin import ASKED, _asked, _cpu, _site, _started, _until
from bench.table import document, percentile, show

OFF = "off"
SETTINGS = {
    OFF: "",
    "file": "",
    "file, signed": 'checkpoint_key = "signing.pem"\n',
    "interval": 'durability = "interval"\n',
    "fsync": 'durability = "fsync"\n',
}
QUESTIONS = ("list", "mixed", "create")
BUDGETS = {"file": 0.9, "fsync": 0.75}
"""The least share of throughput that is left."""


class Nowhere:
    """A sink that keeps nothing: the yardstick. No setting leads here."""

    blocking = False
    quick = True
    problem = ""
    path = Path("/nowhere/audit.jsonl")

    def __init__(self, _path: str, _custody: object) -> None:
        """Open nothing."""

    def append(self, *records: AuditRecord) -> None:
        """Forget records."""

    def note(self, *notes: Note) -> None:
        """Forget notes."""

    def commit(self) -> None:
        """Do nothing."""

    def upkeep(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _settled(_recorder: recorder.Recorder, one: recorder.Recordable) -> None:
    """Let a decision go, without a record."""
    one.settled(None)


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--requests", type=int, default=3_000, help="of each setting in a turn")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--folder", type=Path, help="where the files go: the disk that is meant")
    parser.add_argument("--serve-without", metavar="CONFIG", help=argparse.SUPPRESS)
    parser.add_argument("--serve-unwritten", metavar="CONFIG", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve_without or options.serve_unwritten:
        keeping.Sink = Nowhere  # type: ignore[assignment,misc]
        if options.serve_without:
            recorder.Recorder.hold = recorder.Recorder.put = _settled
        config = options.serve_without or options.serve_unwritten
        sys.argv = ["dockgate", "serve", "--config", config]
        dockgate()
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = asyncio.run(_measured(Path(folder), options))
    if options.json:
        document(found)
        return
    rows = [
        [each["asked"], each["audit"], each["per_s"], each["cpu_us"], each["p50_us"],
         each["p99_us"], each["share"], each["cpu_share"], each["budget"]]
        for each in found
    ]  # fmt: skip
    head = ("asked", "audit", "per second", "CPU us", "p50 us", "p99 us", "share of off",
            "by CPU", "budget")  # fmt: skip
    show(f"Plugin, {options.connections} connections at once", head, rows)


async def _measured(root: Path, options: argparse.Namespace) -> list[dict[str, object]]:
    daemon = root / "daemon.sock"
    pids: dict[str, int] = {}
    with ExitStack() as started:
        started.enter_context(_started("bench.fakes", "daemon", str(daemon)))
        await _until(daemon)
        for name, extra in SETTINGS.items():
            config = _configured(root / name.replace(", ", "-"), daemon, extra)
            arguments = ["authz", "serve", "--config", str(config)]
            if name == OFF:
                arguments = ["bench.audit", "--serve-without", str(config)]
            pids[name] = started.enter_context(_started(*arguments)).pid
            await _listens(config.parent / "plugin.sock")
            for question in QUESTIONS:
                await _asked(config.parent / "plugin.sock", ASKED[question], 500, 1)
        turns = {
            question: [
                await _turn(root, pids, ASKED[question], options) for _ in range(options.turns)
            ]
            for question in QUESTIONS
        }
    return [
        _summed_up(question, name, turns[question]) for question in QUESTIONS for name in SETTINGS
    ]


async def _listens(path: Path) -> None:
    """Wait until somebody accepts connections: a path is there before that."""
    await _until(path)
    for _ in range(500):
        try:
            _, writer = await asyncio.open_unix_connection(str(path))
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


async def _turn(
    root: Path, pids: Mapping[str, int], questions: list[bytes], options: argparse.Namespace
) -> dict[str, dict[str, float]]:
    found = {}
    for name, pid in pids.items():
        socket = root / name.replace(", ", "-") / "plugin.sock"
        used, began = _cpu(pid), time.perf_counter()
        taken = await _asked(socket, questions, options.requests, options.connections)
        seconds = time.perf_counter() - began
        found[name] = {
            "per_s": len(taken) / seconds,
            "cpu_us": (_cpu(pid) - used) / len(taken) * 1e6,
            "p50_us": percentile(taken, 0.5),
            "p99_us": percentile(taken, 0.99),
        }
    return found


def _summed_up(
    question: str, name: str, turns: list[dict[str, dict[str, float]]]
) -> dict[str, object]:
    mine = [turn[name] for turn in turns]
    shares = [turn[name]["per_s"] / turn[OFF]["per_s"] for turn in turns]
    costs = [turn[OFF]["cpu_us"] / turn[name]["cpu_us"] for turn in turns]
    return {
        "asked": question,
        "audit": name,
        "per_s": max(each["per_s"] for each in mine),
        **{key: min(each[key] for each in mine) for key in ("cpu_us", "p50_us", "p99_us")},
        "share": percentile(shares, 0.5),
        "cpu_share": percentile(costs, 0.5),
        "budget": BUDGETS.get(name),
    }


def _configured(folder: Path, daemon: Path, extra: str) -> Path:
    """Write settings, a policy and a signing key."""
    config = _site(folder, 0, daemon)
    key = Ed25519PrivateKey.generate()
    path = folder / "signing.pem"
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with config.open("a") as stream:
        stream.write("outcomes = false\n" + extra)
    return config


if __name__ == "__main__":
    os.umask(0o077)
    main()
