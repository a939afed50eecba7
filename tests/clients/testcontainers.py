"""The core tests of testcontainers for Python, at a daemon directly and then through a door.

    python -m tests.clients.testcontainers --checkout DIR [--engine 26.1] [--door proxy] [TEST...]

DIR is a checkout of testcontainers-python. As root, with the engines of tests/e2e/engines.py. What
it imports is installed by pip for the time of the run. Its reaper (Ryuk) is one that reaps nothing;
what needs another image of a registry, or a module of one of the many databases, fails either way.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.clients import stand_ins
from tests.clients.compare import Outcomes
from tests.clients.suite import Place, Suite, main, pip, pytest
from tests.e2e.daemon import Dockerd

NEEDS = ("testcontainers", "docker", "urllib3", "wrapt", "typing-extensions", "python-dotenv",
         "requests", "bcrypt", "pytest", "pytest-mock", "pytest-asyncio",
         "pytest-timeout")  # fmt: skip
NGINX = ("nginx:latest", "nginx:alpine", "nginx:alpine-slim", "nginx:1.25.4-alpine-slim")


def prepare(daemon: Dockerd) -> None:
    """Load the images that the tests name."""
    stand_ins.nginx(daemon, NGINX)
    stand_ins.hello(daemon, ("hello-world:latest",))
    stand_ins.debian(daemon, ("ubuntu:latest", "bash:latest", "python:3.11"))
    stand_ins.reaper(daemon, ("testcontainers/ryuk:0.8.1",), "python:3.11")
    stand_ins.sleeper(daemon, ("postgres:latest",))


def install(folder: Path, checkout: Path) -> None:
    """Install what the tests import; the client itself is that of the checkout."""
    del checkout
    pip(folder, NEEDS)


def run(place: Place, chosen: Sequence[str]) -> Outcomes:
    """Run the core tests, or those chosen."""
    more = {"PYTHONPATH": str(place.checkout / "src")}
    return pytest(place, chosen or ["tests/core"], more)


SUITE = Suite("testcontainers", "tests/core/test_container.py", prepare, install, run)

if __name__ == "__main__":
    sys.exit(main(SUITE, sys.argv[1:]))
