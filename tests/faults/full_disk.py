"""Fills the disk under the audit file, and frees it again: ``python -m tests.faults.full_disk``.

It mounts a small file system, so it wants a mount namespace of its
own: ``unshare --mount --propagation private``. What was seen is printed as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from authz.audit.reader import read, whole
from authz.audit.verify import verify
from tests.faults.service import Service, target

MOST = 5000
"""Questions that such a disk cannot take."""

OK = 200
PATIENCE = 10.0


def run(folder: Path, *, on_failure: str) -> dict[str, Any]:
    """Fill the disk and free it; return what was seen."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160k", "none", str(disk)]
    subprocess.run(mount, check=True)
    ballast = disk / "ballast"
    ballast.write_bytes(b"\0" * 64 * 1024)
    service = Service(folder, f'on_failure = "{on_failure}"\n', disk / "audit.jsonl")
    allowed: list[int] = []
    with service:
        asker = service.asker()
        refused = None
        for number in range(MOST):
            answer = asker.ask(number)
            asked = on_failure != "refuse" and number % 10 == 0
            if not answer["Allow"] or (asked and service.ready()[0] != OK):
                refused = answer
                break
            allowed.append(number)
        during = [asker.ask(MOST + number)["Allow"] for number in range(20)]
        unready = service.ready()
        ballast.unlink()
        recovered = _until_ready(service)
        after = asker.ask(2 * MOST)
        asker.close()
    files = whole([service.audit])
    report = verify(files)
    records = [entry.record for entry in read(files)]
    recorded = {each["request"]["target"] for each in records if each["kind"] == "decision"}
    return {
        "allowed": len(allowed),
        "refused": refused,
        "during": during,
        "unready": unready,
        "recovered_s": recovered,
        "after": after,
        "lost": [number for number in allowed if target(number) not in recorded],
        "problems": [str(problem) for problem in report.problems],
        "kinds": report.kinds,
        "notes": [note.message for note in report.notes],
        "unrecorded": [each["count"] for each in records if each["kind"] == "unrecorded"],
    }


def _until_ready(service: Service) -> float:
    """Wait without asking for anything: it has to find out by itself."""
    began = time.monotonic()
    while service.ready()[0] != OK and time.monotonic() - began < PATIENCE:
        time.sleep(0.05)
    return time.monotonic() - began


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        found = run(Path(temporary), on_failure=sys.argv[1])
    print(json.dumps(found, indent=2))  # noqa: T201  a command
