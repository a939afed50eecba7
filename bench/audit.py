"""What the audit costs the plugin, setting by setting: ``python -m bench.audit [--json]``.

One server for each setting, all of them alive at once and asked in turns, so
that the load of others falls on all alike. ``off`` is a server that makes no
record and holds no answer back, ``forgotten`` one that makes them and writes
none: no setting leads to either. A share is the median
over the turns of throughput to that of ``off`` in the same turn; of CPU time it
is the other way round. The budgets are for a plugin that has as much to do as
it can: below so many connections throughput is a matter of how long an answer
takes, which a busy machine or a disk decides. The CPU time says how many answers
a processor has in it. A list is the cheapest question that is no ping; the line
of a create is six times as long. Outcomes are off, as the daemon's second call
is not made.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from authz import recorder
from authz.audit.ledger import Note
from authz.audit.record import AuditRecord
from authz.cli.main import main as dockgate
from authz.pending import Pending
from authz.service import keeping
from bench.asking import ask
from bench.plugin import ASKED, _site
from bench.process import await_socket, cpu, module, started
from bench.table import document, percentile, show

OFF = "off"
FORGOTTEN = "forgotten"
SETTINGS = {
    OFF: "",
    FORGOTTEN: "",
    "file": "",
    "file, signed": 'checkpoint_key = "signing.pem"\n',
    "interval": 'durability = "interval"\n',
    "fsync": 'durability = "fsync"\n',
}
QUESTIONS = ("list", "mixed", "create")
BUDGETS = {"file": (0.9, 32), "fsync": (0.75, 128)}
"""The least share of throughput that is left, and from how many connections on."""


class Nowhere:
    """A sink that keeps nothing: the yardstick. No setting leads here."""

    blocking = False
    quick = True
    problem = ""
    path = Path("/nowhere/audit.jsonl")

    def __init__(self, _path: str, _custody: object) -> None:
        """Open nothing."""

    def append(self, *records: AuditRecord, before: Sequence[Note] = ()) -> None:
        """Forget records and notes."""

    def commit(self) -> None:
        """Do nothing."""

    def upkeep(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _settled(_recorder: recorder.Recorder, one: recorder.Recordable) -> None:
    """Let a decision go, without a record."""
    one.settled(None)


def _kept(_pending: Pending) -> None:
    """Let a request wait, without a record: it does not wait."""


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--requests", type=int, default=2_000, help="of each setting in a turn")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--connections", type=int, nargs="+", default=(1, 4, 32, 128))
    parser.add_argument("--questions", nargs="+", choices=QUESTIONS, default=QUESTIONS)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=tuple(SETTINGS))
    parser.add_argument("--folder", type=Path, help="where the files go: the disk that is meant")
    parser.add_argument("--serve", nargs=2, metavar=("SETTING", "CONFIG"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        setting, config = options.serve
        keeping.Sink = Nowhere  # type: ignore[assignment,misc]
        if setting == OFF:
            recorder.Recorder.hold = _settled  # type: ignore[method-assign]
            Pending.let_go_of_the_request = _kept  # type: ignore[assignment, method-assign]
        sys.argv = ["dockgate", "serve", "--config", config]
        dockgate()
        return
    options.settings = [OFF, *(each for each in options.settings if each != OFF)]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = _measured(Path(folder), options)
    if options.json:
        document(found)
        return
    keys = ("connections", "audit", "per_s", "cpu_us", "asker_us", "p50_us", "p99_us",
            "share", "cpu_share", "budget")  # fmt: skip
    head = ("connections", "audit", "per second", "CPU us", "asker's", "p50 us", "p99 us",
            "share of off", "by CPU", "budget")  # fmt: skip
    for question in options.questions:
        rows = [[each[key] for key in keys] for each in found if each["asked"] == question]
        show(f"The plugin, asked for: {question}", head, rows)


def _measured(root: Path, options: argparse.Namespace) -> list[dict[str, object]]:
    daemon = root / "daemon.sock"
    pids: dict[str, int] = {}
    with ExitStack() as servers:
        fake = servers.enter_context(started(module("bench.fakes", "daemon", daemon)))
        await_socket(daemon, fake)
        for name in options.settings:
            config = _configured(root / _folder(name), daemon, SETTINGS[name])
            arguments = ["authz", "serve", "--config", str(config)]
            if name in {OFF, FORGOTTEN}:
                arguments = ["bench.audit", "--serve", name, str(config)]
            process = servers.enter_context(started(module(*arguments)))
            await_socket(config.parent / "plugin.sock", process)
            pids[name] = process.pid
            for question in options.questions:
                ask(config.parent / "plugin.sock", ASKED[question], 500, 1)
        cells = [(question, many) for question in options.questions for many in options.connections]
        turns: dict[tuple[str, int], list[dict[str, dict[str, float]]]] = {}
        for _ in range(options.turns):
            for question, many in cells:
                found = _turn(root, pids, ASKED[question], options.requests, many)
                turns.setdefault((question, many), []).append(found)
    return [_summed_up(cell, name, turns[cell]) for cell in cells for name in options.settings]


def _folder(name: str) -> str:
    return name.replace(", ", "-")


def _turn(
    root: Path, pids: Mapping[str, int], questions: list[bytes], count: int, connections: int
) -> dict[str, dict[str, float]]:
    found = {}
    for name, pid in pids.items():
        socket = root / _folder(name) / "plugin.sock"
        used, own, began = cpu(pid), time.process_time(), time.perf_counter()
        taken = ask(socket, questions, count, connections)
        seconds = time.perf_counter() - began
        found[name] = {
            "per_s": len(taken) / seconds,
            "cpu_us": (cpu(pid) - used) / len(taken) * 1e6,
            "asker_us": (time.process_time() - own) / len(taken) * 1e6,
            "p50_us": percentile(taken, 0.5),
            "p99_us": percentile(taken, 0.99),
        }
    return found


def _summed_up(
    cell: tuple[str, int], name: str, turns: list[dict[str, dict[str, float]]]
) -> dict[str, object]:
    question, connections = cell
    shares = [turn[name]["per_s"] / turn[OFF]["per_s"] for turn in turns]
    costs = [turn[OFF]["cpu_us"] / turn[name]["cpu_us"] for turn in turns]
    least, many = BUDGETS.get(name, (None, 0))
    mine = {key: percentile([turn[name][key] for turn in turns], 0.5) for key in turns[0][name]}
    return {
        "asked": question,
        "connections": connections,
        "audit": name,
        **mine,
        "share": percentile(shares, 0.5),
        "cpu_share": percentile(costs, 0.5),
        "budget": least if connections >= many else None,
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
