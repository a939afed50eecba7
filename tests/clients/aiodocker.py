"""aiodocker's own tests, at a daemon directly and then through a door.

    python -m tests.clients.aiodocker --checkout DIR [--engine 26.1] [--door proxy] [TEST...]

DIR is a checkout of aiodocker. As root, with the engines of tests/e2e/engines.py. What it imports
is installed by pip for the time of the run. Tests that pull from a registry fail either way; those
that would start Docker inside of Docker get the daemon itself.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.clients import stand_ins
from tests.clients.compare import Outcomes
from tests.clients.suite import WITHIN, Place, Suite, main, pip, pytest
from tests.e2e.daemon import Dockerd

NEEDS = ("aiodocker", "pytest", "pytest-asyncio", "pytest-timeout", "testcontainers",
         "packaging", "async-timeout", "asyncssh", "paramiko")  # fmt: skip


IMAGES = ("python:3.13-alpine", "python:3.14-alpine")
KEPT = "kept"


def prepare(daemon: Dockerd) -> None:
    """Load the images that the tests name."""
    stand_ins.debian(daemon, (KEPT, "python:latest", *IMAGES), '["python3"]')


def install(folder: Path, checkout: Path) -> None:
    """Install what the tests import; the client itself is that of the checkout."""
    del checkout
    pip(folder, NEEDS)


def run(place: Place, chosen: Sequence[str]) -> Outcomes:
    """Run them all, or those chosen."""
    more = {
        "PYTHONPATH": f"{place.checkout}:{WITHIN}",
        "TESTCONTAINERS_RYUK_DISABLED": "true",
        "DOCKGATE_SOCKET": str(place.daemon.socket),
        "DOCKGATE_IMAGES": " ".join(f"{image}={KEPT}" for image in IMAGES),
    }
    return pytest(place, chosen or ["tests"], more, "-p", "own_daemon")


SUITE = Suite("aiodocker", "tests/test_containers.py", prepare, install, run)

if __name__ == "__main__":
    sys.exit(main(SUITE, sys.argv[1:]))
