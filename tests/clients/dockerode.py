"""dockerode's own tests, at a daemon directly and then through a door.

    python -m tests.clients.dockerode --checkout DIR [--engine 26.1] [FILE...]

DIR is a checkout of dockerode; a file is named like `test/container.js`. As root, with Node and the
engines of tests/e2e/engines.py. What it needs is installed by npm for the time of the run, into a
copy. Each file of tests gets a process of its own. Tests that pull from a registry fail either way.
"""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.clients import stand_ins
from tests.clients.compare import Outcomes
from tests.clients.suite import Place, Suite, called, main
from tests.e2e.daemon import Dockerd

PATIENCE = 30_000
"""Milliseconds for a test that names no time of its own."""


def prepare(daemon: Dockerd) -> None:
    """Load the image that the tests name."""
    stand_ins.debian(daemon, ("ubuntu:latest",))


def install(folder: Path, checkout: Path) -> None:
    """Copy the checkout, and bring what it needs into the copy."""
    copy = folder / "copy"
    shutil.copytree(checkout, copy, ignore=shutil.ignore_patterns("node_modules", ".git"))
    called(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], copy)


def run(place: Place, chosen: Sequence[str]) -> Outcomes:
    """Run all files of tests, or those of which some were chosen."""
    copy = place.folder / "copy"
    files = sorted({name.partition("::")[0] for name in chosen}) or sorted(
        f"test/{path.name}" for path in (copy / "test").glob("*.js")
    )
    place.log.write_bytes(b"")
    found: dict[str, str] = {}
    for file in files:
        report = place.folder / "report.json"
        report.unlink(missing_ok=True)
        options = ("--exit", f"--timeout={PATIENCE}", "--reporter=json")
        mocha = ("node", "node_modules/mocha/bin/mocha.js", *options)
        command = place.inside(*mocha, f"--reporter-option=output={report}", file)
        # With this variable it uses DOCKER_HOST, and not a socket at a fixed place.
        place.run(command, {"DOCKER_SOCKET": "none"}, copy)
        if not report.exists():
            continue  # it broke off, and nothing is known
        told = json.loads(report.read_text())
        found |= dict(_read(file, told))
        with place.log.open("a", encoding="utf-8") as log:
            log.writelines(
                f"FAILED {each['fullTitle']}: {each['err'].get('message')}\n"
                for each in told["failures"]
            )
    return found


def _read(file: str, told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Read how each test of a file ended."""
    for key, outcome in (("passes", "passed"), ("pending", "skipped"), ("failures", "failed")):
        for test in told[key]:
            yield f"{file}::{test['fullTitle']}", outcome


SUITE = Suite("dockerode", "test/container.js", prepare, install, run)

if __name__ == "__main__":
    sys.exit(main(SUITE, sys.argv[1:]))
