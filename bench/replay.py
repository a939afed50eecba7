"""How long `dockgate replay` takes over many records, and how much memory.

python -m bench.replay [RECORDS] writes an audit of creates, starts and lists by many callers, then
runs the command on it. Every tenth record is unlike all others.
"""

from __future__ import annotations

import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from authz.audit.record import as_json
from authz.shipped import shipped
from tests.records import a_create, a_record, a_snapshot

RECORDS = 100_000
PEOPLE = 50


def write(path: Path, policy: Path, records: int) -> int:
    """Write an audit and return its size in bytes."""
    chance = random.Random(7)
    snapshot = a_snapshot(policy)
    kinds = [
        a_record(snapshot, body=a_create(Binds=["/srv/data:/data"], Memory=1 << 29)),
        a_record(snapshot, body=a_create(Privileged=True)),
        a_record(snapshot, "GET", "/v1.47/containers/json"),
        a_record(snapshot, "POST", "/v1.47/containers/web/start"),
    ]
    documents = [as_json(kind) for kind in kinds]
    with path.open("w") as file:
        for number in range(records):
            document = chance.choice(documents)
            document["id"] = f"01J{number:023}"
            document["identity"]["subject"] = f"user:p{chance.randrange(PEOPLE)}"
            facts = document["facts"]
            if number % 10 == 0:
                facts = [*facts, {**facts[0], "fact": f"dns:host-{number}"}]
            file.write(json.dumps(document | {"facts": facts}, separators=(",", ":")) + "\n")
    return path.stat().st_size


def policies(folder: Path) -> tuple[Path, Path]:
    """Return the developer bundle with everybody in it, and one that also allows /srv."""
    old, new = folder / "old", folder / "new"
    for each in (old, new):
        shutil.copytree(shipped("policies", "developer"), each)
        with (each / "people.csv").open("a") as file:
            file.writelines(f"g, user:p{number}, role:developer, *\n" for number in range(PEOPLE))
    with (new / "policy.csv").open("a") as file:
        file.write("p, role:developer, *, *, bind:/srv/**|bind.rw:/srv/**, *, allow\n")
    return old, new


def main() -> None:
    """Measure and print one line."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "audit.jsonl")
        old, new = policies(Path(folder))
        size = write(path, old, records)
        command = [sys.executable, "-m", "authz", "replay", str(path), "--json"]
        began = time.perf_counter()
        done = subprocess.run(  # noqa: S603  this very program
            [*command, "--policy", str(new), "--against", str(old)],
            capture_output=True,
            check=False,
        )
        took = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    memory, busy = used.ru_maxrss // 1024, used.ru_utime + used.ru_stime
    result = json.loads(done.stdout)
    print(
        f"{records} records, {size >> 20} MiB: {took:.1f} s, {busy:.1f} s of CPU, "
        f"{memory} MiB at most, "
        f"{result['judged']} judged, {result['changed']} changed, exit {done.returncode}"
    )


if __name__ == "__main__":
    main()
