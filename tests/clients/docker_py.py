"""docker-py's own integration tests, at a daemon directly and then through a door of Dockgate.

    python -m tests.clients.docker_py --checkout DIR --engine 26.1 --door plugin

As root, with the engines of tests/e2e/engines.py. DIR is a checkout of docker-py at a release tag
(its source distribution holds no tests). Everybody is an administrator; whatever passes directly
has to pass through the door. Some of these tests depend on time, so that what differs is tried
again at both ends: see `compare.steady`. Nothing is fetched: tests that pull from a registry fail
either way, and so do those that need websocket-client, unless it is on PYTHONPATH. The exit status
is 1 where the door is in somebody's way.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.clients import doors
from tests.clients.compare import Comparison, Outcomes, steady, written
from tests.e2e import engines, images

PATIENCE = 120
"""Seconds for one test; those of services wait for their tasks."""

AGAIN = 6
"""How often a test is tried again that fails behind the door alone."""

_WITHIN = Path(__file__).parent / "within"
_IMAGES = ("alpine:3.10", *images.ORDINARY)
_ALL = ("tests/integration", "--ignore=tests/integration/credentials")
"""Stores of credentials ask no daemon, and their tests empty the environment for all others."""


def outcomes(place: doors.Place, checkout: Path, chosen: Sequence[str], log: Path) -> Outcomes:
    """Run the suite; `log` keeps what pytest printed."""
    daemon, folder = place.daemon, Path(tempfile.mkdtemp(dir=place.daemon.root))
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / ".docker").mkdir()
    (folder / ".docker/config.json").write_text("{}")  # else contexts land in the checkout
    version = daemon.api("GET", "/version").json()["ApiVersion"]
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{daemon.engine.path}",
        "HOME": str(folder),
        "PYTHONPATH": f"{checkout}:{_WITHIN}:{os.environ.get('PYTHONPATH', '')}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "DOCKER_TEST_API_VERSION": version,
        "DOCKGATE_OUTCOMES": str(folder / "outcomes"),
        "DOCKGATE_PATIENCE": str(PATIENCE),
        **place.env,
    }
    command = [sys.executable, "-m", "pytest", "-p", "outcomes", "-p", "no:cacheprovider"]
    options = ["-c", str(folder / "pytest.ini"), "--rootdir", str(checkout), "-q", "--tb=short"]
    with log.open("wb") as file:
        subprocess.run(
            [*command, *options, *(chosen or _ALL)],
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            check=False,
        )
    return written(folder / "outcomes")


def _at(
    engine: engines.Engine, door: str, checkout: Path, chosen: Sequence[str], note: str = ""
) -> Outcomes:
    """Run the suite at a fresh daemon, directly or through a door; the log's name has the note."""
    log = Path(tempfile.gettempdir()) / f"dockgate-docker-py-{engine.name}-{door}{note}.log"
    with doors.at(engine, door, _IMAGES) as place:
        sys.stderr.write(f"{engine.name} {door}: what pytest says is in {log}\n")
        found = outcomes(place, checkout, chosen, log)
        with log.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in place.refusals())
        return found


def main(arguments: Sequence[str]) -> int:
    """Run the suite twice, and print what differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients.docker_py")
    parser.add_argument("--checkout", type=Path, required=True)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--door", choices=doors.DOORS, default="plugin")
    parser.add_argument("tests", nargs="*", help="only these, as pytest names them")
    given = parser.parse_args(arguments)
    found, missing = engines.survey()
    if given.engine not in found or os.geteuid() != 0:
        parser.error(f"no engine {given.engine}: {missing.get(given.engine, 'root is needed')}")
    if not (given.checkout / "tests/integration").is_dir():
        parser.error(f"{given.checkout} is no checkout of docker-py: it has no tests/integration")
    engine, checkout = found[given.engine], given.checkout.resolve()
    ways = (doors.DIRECT, given.door)
    direct, gated = (_at(engine, door, checkout, given.tests) for door in ways)
    result = Comparison(direct, gated)
    sys.stdout.write(f"docker-py at engine {given.engine}, {given.door}\n{result}\n")
    if result.broken:
        again = [
            Comparison(*(_at(engine, door, checkout, result.broken, "-again") for door in ways))
            for _ in range(AGAIN)
        ]
        unsteady = set(result.broken) - steady(again)
        result = result.without(unsteady)
        sys.stdout.write(
            f"left out, as they pass and fail at random: {sorted(unsteady)}\n{result}\n"
        )
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
