"""Memory while callers come who were never seen before: ``python -m bench.callers [--json]``.

Each asks the plugin once: every other one for a list, which is allowed, the others for a create,
which no row of theirs allows. Everything is on, and each question is recorded. The exit status
is 1 where the process grew by more than ``ROOM`` after the first tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.plugin import CREATE, question
from bench.policies import a_site
from bench.process import await_socket, cpu, memory, module, peak, started
from bench.table import document, show

ROOM = 8.0
"""Megabytes by which the process may grow once its caches are full."""

PARTS = 10
CONNECTIONS = 4
LISTS = "p, *, *, container.list, on:list, *, allow\n"


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--callers", type=int, default=1_000_000)
    options = parser.parse_args()
    found = measured(options.callers)
    if options.json:
        document(found)
    else:
        keys = tuple(found[0])
        show("MB of the plugin", keys, [[each[key] for key in keys] for each in found])
    sys.exit(1 if found[-1]["peak MB"] - found[0]["MB"] > ROOM else 0)


def measured(callers: int) -> list[dict[str, float]]:
    """Start a plugin, and put the questions of so many callers to it; return each tenth."""
    with tempfile.TemporaryDirectory(prefix="dgc-") as name, ExitStack() as stack:
        root = Path(name)
        process = stack.enter_context(started(module("authz", "serve", "--config", _site(root))))
        door = root / "plugin.sock"
        await_socket(door, process)
        found = []
        for part in range(PARTS):
            share, used = callers // PARTS, cpu(process.pid)
            asyncio.run(_part(door, part * share, share))
            found.append(
                {
                    "callers": float((part + 1) * share),
                    "MB": memory(process.pid),
                    "peak MB": peak(process.pid),
                    "CPU us": (cpu(process.pid) - used) / share * 1e6,
                }
            )
        return found


async def _part(door: Path, first: int, count: int) -> None:
    share = count // CONNECTIONS
    starts = range(first, first + share * CONNECTIONS, share)
    await asyncio.gather(*(_some(door, start, share) for start in starts))


async def _some(door: Path, first: int, count: int) -> None:
    reader, writer = await asyncio.open_unix_connection(str(door))
    for number in range(first, first + count):
        writer.write(_asked(number))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        answer = json.loads(await reader.readexactly(length))
        if answer["Allow"] is not (number % 2 == 0):
            raise SystemExit(f"caller {number} was judged otherwise than expected: {answer}")
    writer.close()


def _asked(number: int) -> bytes:
    """Return the only question of a caller."""
    user = f"caller-{number}"
    if number % 2 == 0:
        return question("GET", "/v1.47/containers/json", user=user)
    return question("POST", "/v1.47/containers/create", CREATE, user=user)


def _site(root: Path) -> Path:
    """Write settings, and a policy by which everybody may list."""
    site = a_site(root / "policy", 1000)
    with (site / "policy.csv").open("a") as stream:
        stream.write(LISTS)
    config = root / "dockgate.toml"
    config.write_text(
        f'policy = "policy"\ndaemon = "unix://{root}/none.sock"\n'
        '[plugin]\nsocket = "plugin.sock"\n'
        '[audit]\npath = "audit.jsonl"\nrotate_mib = 64\nkeep_files = 1\n'
    )
    return config


if __name__ == "__main__":
    main()
