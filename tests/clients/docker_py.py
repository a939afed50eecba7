"""docker-py's own integration tests, at a daemon directly and then through a door of Dockgate.

    python -m tests.clients.docker_py --checkout DIR --engine 26.1 --door plugin

As root, with the engines of tests/e2e/engines.py. DIR is a checkout of docker-py at a release tag
(its source distribution holds no tests). Everybody is an administrator; whatever passes directly
has to pass through the door. Nothing is fetched: tests that pull from a registry fail either way.
The exit status is 1 where the door is in somebody's way.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import trustme

from tests.clients.compare import Comparison, Outcomes, written
from tests.e2e import engines, images
from tests.e2e.conftest import Certificates, short_folder
from tests.e2e.daemon import Dockerd
from tests.e2e.gate import Gate
from tests.e2e.proxy import Front

PATIENCE = 120
"""Seconds for one test; those of services wait for their tasks."""

_WITHIN = Path(__file__).parent / "within"
_IMAGES = ("alpine:3.10", *images.ORDINARY)
_EVERYBODY = "g, user:anonymous, role:admin, *\n"


def outcomes(
    daemon: Dockerd, env: Mapping[str, str], checkout: Path, chosen: Sequence[str], log: Path
) -> Outcomes:
    """Run the suite against the daemon that `env` names; `log` keeps what pytest printed."""
    folder = Path(tempfile.mkdtemp(dir=daemon.root))
    (folder / "pytest.ini").write_text("[pytest]\n")
    version = daemon.api("GET", "/version").json()["ApiVersion"]
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{daemon.engine.path}",
        "HOME": str(folder),
        "PYTHONPATH": f"{checkout}:{_WITHIN}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "DOCKER_TEST_API_VERSION": version,
        "DOCKGATE_OUTCOMES": str(folder / "outcomes"),
        "DOCKGATE_PATIENCE": str(PATIENCE),
        "DOCKER_HOST": f"unix://{daemon.socket}",
        **env,
    }
    command = [sys.executable, "-m", "pytest", "-p", "outcomes", "-p", "no:cacheprovider"]
    options = ["-c", str(folder / "pytest.ini"), "--rootdir", str(checkout), "-q", "--tb=short"]
    with log.open("wb") as file:
        subprocess.run(
            [*command, *options, *(chosen or ["tests/integration"])],
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            check=False,
        )
    return written(folder / "outcomes")


def _at(engine: engines.Engine, door: str, checkout: Path, chosen: Sequence[str]) -> Outcomes:
    """Run the suite at a fresh daemon, directly or through a door."""
    log = Path(tempfile.gettempdir()) / f"dockgate-docker-py-{engine.name}-{door}.log"
    with ExitStack() as stack:
        daemon = stack.enter_context(Dockerd(engine, short_folder(), extra={"experimental": True}))
        images.load(daemon, _IMAGES)
        gate = _DOORS[door](stack, daemon) if door in _DOORS else None
        way = gate.way("unix") if isinstance(gate, Front) else {}
        sys.stderr.write(f"{engine.name} {door}: what pytest says is in {log}\n")
        found = outcomes(daemon, way, checkout, chosen, log)
        if gate is not None:
            with log.open("a", encoding="utf-8") as file:
                file.writelines(f"{_told(record)}\n" for record in gate.denied())
        return found


def _plugin(stack: ExitStack, daemon: Dockerd) -> Gate:
    gate = stack.enter_context(Gate(daemon, "admin", _EVERYBODY))
    daemon.configure({"authorization-plugins": ["dockgate"]})
    daemon.reload()
    return gate


def _proxy(stack: ExitStack, daemon: Dockerd) -> Gate:
    front = Front(daemon, Certificates(trustme.CA(), short_folder()))
    stack.callback(front.close)
    return stack.enter_context(front)


def _told(record: Mapping[str, Any]) -> str:
    asked = record["request"] or {}
    facts = [fact["fact"] for fact in record["facts"] if fact["verdict"] != "allow"]
    said = (record["verdict"], asked.get("method"), asked.get("target"), record["reason"])
    return f"{' '.join(map(str, said))} {record.get('detail', '')} {facts}"


_DOORS = {"plugin": _plugin, "proxy": _proxy}


def main(arguments: Sequence[str]) -> int:
    """Run the suite twice, and print what differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients.docker_py")
    parser.add_argument("--checkout", type=Path, required=True)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--door", choices=_DOORS, default="plugin")
    parser.add_argument("tests", nargs="*", help="only these, as pytest names them")
    given = parser.parse_args(arguments)
    found, missing = engines.survey()
    if given.engine not in found or os.geteuid() != 0:
        parser.error(f"no engine {given.engine}: {missing.get(given.engine, 'root is needed')}")
    if not (given.checkout / "tests/integration").is_dir():
        parser.error(f"{given.checkout} is no checkout of docker-py: it has no tests/integration")
    checkout = given.checkout.resolve()
    direct, gated = (
        _at(found[given.engine], door, checkout, given.tests) for door in ("direct", given.door)
    )
    result = Comparison(direct, gated)
    sys.stdout.write(f"docker-py at engine {given.engine}, {given.door}\n{result}\n")
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
