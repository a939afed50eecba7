"""One client's own tests, at a daemon directly and then through a door, for every client.

Knows how the two runs are set up and compared; what a client's tests need, and how they are run, is
the business of a module for each client. The tests run inside the daemon's network, so that they
reach the ports that it publishes, and outside of its other namespaces, like a person's shell.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.clients import doors
from tests.clients.compare import Comparison, Outcomes
from tests.e2e import engines
from tests.e2e.daemon import Dockerd

WITHIN = Path(__file__).parent / "within"
"""Plugins for the pytest of a client."""

LONGEST = 1200
"""Seconds for a run."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a suite runs: a daemon, the way to it, the client's checkout, a folder to use."""

    daemon: Dockerd
    host: str
    checkout: Path
    folder: Path
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """What every client is told."""
        return {
            "PATH": f"{self.folder / 'venv/bin'}:{self.daemon.engine.path}",
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.daemon.root / "client"),
            "DOCKER_HOST": self.host,
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def inside(self, *command: str | Path) -> list[str | Path]:
        """Return a command that runs in the daemon's network."""
        return [*self.daemon._inside().entry("--net"), *command]

    def run(
        self, command: Sequence[str | Path], more: Mapping[str, str], cwd: Path | None = None
    ) -> None:
        """Run the tests in the checkout, however they end, and keep what they say."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, cwd=cwd or self.checkout, env=self.environment | more,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
            try:
                process.wait(LONGEST)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@dataclass(frozen=True, slots=True)
class Suite:
    """A client: its name, a file by which its checkout is known, and what to do.

    `prepare` loads images. `install` brings what the tests import into a folder, once, with the
    client's ordinary package tool. `run` runs those that were chosen, all without a choice.
    """

    client: str
    landmark: str
    prepare: Callable[[Dockerd], None]
    install: Callable[[Path, Path], None]
    run: Callable[[Place, Sequence[str]], Outcomes]


def main(suite: Suite, arguments: Sequence[str]) -> int:
    """Run the suite twice, and print what differs: 1 where the door is in somebody's way."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.clients.{suite.client}")
    parser.add_argument("--checkout", type=Path, required=True, help=f"of {suite.client}")
    parser.add_argument("--engine", default=engines.NAMES[-1])
    parser.add_argument("--door", choices=doors.DOORS, default="proxy")
    parser.add_argument("tests", nargs="*", help="only these")
    given = parser.parse_args(arguments)
    found, missing = engines.survey()
    if given.engine not in found or os.geteuid() != 0:
        parser.error(f"no engine {given.engine}: {missing.get(given.engine, 'root is needed')}")
    checkout = given.checkout.resolve()
    if not (checkout / suite.landmark).exists():
        parser.error(f"{checkout} is no checkout of {suite.client}: it has no {suite.landmark}")
    with tempfile.TemporaryDirectory(prefix="dgc-") as name:
        folder = Path(name)
        suite.install(folder, checkout)
        at = partial(_at, suite, found[given.engine], checkout, folder)
        direct, gated = at(doors.DIRECT, given.tests), at(given.door, given.tests)
        result = Comparison(direct, gated)
        sys.stdout.write(f"{suite.client} at engine {given.engine}, {given.door}\n{result}\n")
        if result.broken:
            result = Comparison(direct, {**gated, **at(given.door, result.broken)})
            sys.stdout.write(f"after another try of those\n{result}\n")
    return 0 if result.holds else 1


def _at(  # noqa: PLR0913, PLR0917  the first four are bound once
    suite: Suite,
    engine: engines.Engine,
    checkout: Path,
    folder: Path,
    way: str,
    chosen: Sequence[str],
) -> Outcomes:
    """Run the suite at a fresh daemon."""
    log = Path(tempfile.gettempdir()) / f"dockgate-{suite.client}-{engine.name}-{way}.log"
    with doors.at(engine, way) as behind:
        _address(behind.daemon)
        suite.prepare(behind.daemon)
        sys.stderr.write(f"{suite.client} {engine.name} {way}: what it says is in {log}\n")
        place = Place(behind.daemon, behind.env["DOCKER_HOST"], checkout, folder, log)
        found = suite.run(place, chosen)
        with log.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in behind.refusals())
        return found


def _address(daemon: Dockerd) -> None:
    """Give the daemon's network an address besides the loopback, as a swarm wants one."""
    for words in (
        ("link", "add", "outside", "type", "bridge"),
        ("addr", "add", "192.0.2.1/24", "dev", "outside"),
        ("link", "set", "outside", "up"),
    ):
        daemon.enter("busybox", "ip", *words)


def of_junit(file: Path) -> Outcomes:
    """Read what pytest wrote with `--junitxml`, by the name of each test."""
    found: dict[str, str] = {}
    if not file.exists():
        return found
    for case in ET.parse(file).iter("testcase"):  # noqa: S314  written by a process of ours
        name = f"{case.get('classname')}::{case.get('name')}"
        kinds = {child.tag for child in case}
        failed = bool(kinds & {"failure", "error"})
        found[name] = "failed" if failed else "skipped" if "skipped" in kinds else "passed"
    return found


def pytest(place: Place, chosen: Sequence[str], more: Mapping[str, str], *options: str) -> Outcomes:
    """Run tests of a checkout by the pytest of its environment."""
    report = place.folder / "report.xml"
    report.unlink(missing_ok=True)
    place.log.write_bytes(b"")
    command = place.inside(
        place.folder / "venv/bin/python", "-m", "pytest", "-q", "--tb=short",
        "-o", "addopts=", "-o", "xfail_strict=true", "-p", "no:cacheprovider", "-W", "default",
        "--timeout=60",
        "--continue-on-collection-errors", f"--junitxml={report}", *options,
        *map(_pytest_name, chosen),
    )  # fmt: skip
    place.run(command, more)
    return of_junit(report)


def _pytest_name(name: str) -> str:
    module, _, test = name.partition("::")
    if module.endswith(".py") or not test:
        return name
    parts = module.split(".")
    classes = [part for part in parts if part[:1].isupper()]
    path = "/".join(part for part in parts if part not in classes)
    return "::".join([f"{path}.py", *classes, test])


def pip(folder: Path, packages: Sequence[str]) -> None:
    """Make an environment of packages in a folder."""
    called([sys.executable, "-m", "venv", folder / "venv"], folder)
    called([folder / "venv/bin/python", "-m", "pip", "install", "--quiet", *packages], folder)


def called(command: Sequence[str | Path], cwd: Path) -> None:
    """Run a command that has to work; ends the run with what it said where it does not."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
