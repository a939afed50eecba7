"""The long form of test_learn.py: hours of real use recorded in shadow mode, and used as a policy.

    python -m tests.e2e.shadow --docker-py DIR [--engine 26.1] [--door plugin] [--repetitions 20]

As root, with the engines of engines.py; DIR is a checkout of docker-py at a release tag. Under the
bundle `observe` in shadow mode run docker-py's own integration tests, the commands of
tests/clients/cli.py but the privileged ones, a compose project, a program, and the steps of
transparency.py so many times. `learn` makes a bundle of the record. Under it, in earnest and at a
fresh daemon, the same is done again, and nothing may be denied; `--privileged` and `-v /:/h` have
to be. Prints the numbers, and ends with 1 where one of these does not hold. A test of another
outcome is told and fails nothing: some of docker-py's pass and fail at random.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from tests.clients import cli, docker_py, doors
from tests.e2e import engines, images, test_learn, transparency
from tests.e2e.conftest import Certificates, short_folder
from tests.e2e.daemon import Dockerd
from tests.e2e.gate import Gate
from tests.e2e.proxy import Front

DANGEROUS = {"--privileged": "privileged:true", "-v /:/h": "bind:/"}
ORDINARY = tuple(
    line for line in cli.COMMANDS if "--privileged" not in line and "-v /:" not in line
)
PROJECT = cli.PROJECT.replace("    privileged: true\n", "").replace(', "/etc:/host:ro"', "")
"""Without what no policy can allow: a mount of /etc, over the gate's own files."""
MEGABYTES = 16
IMAGES = ("alpine:3.10", *images.ORDINARY)


@dataclass(slots=True)
class Behind:
    """A daemon behind a gate. It is what transparency.py knows as a front, by any door."""

    daemon: Dockerd
    gate: Gate
    env: Mapping[str, str]
    ended: dict[str, str] = field(default_factory=dict)

    def way(self, name: str) -> Mapping[str, str]:
        """Return the environment of a CLI; `direct` is the same way here."""
        del name
        return self.env

    def docker(self, way: str, *arguments: str | Path, **options: Any) -> Any:
        """Run the engine's CLI."""
        return self.daemon.docker(*arguments, env=self.way(way), **options)

    def through(self) -> "Through":
        """Return what work that knows one daemon takes for it."""
        return Through(self)


class Through:
    """A daemon that is reached by a gate alone."""

    def __init__(self, place: Behind) -> None:
        self._place = place
        self.socket = Path(place.env["DOCKER_HOST"].removeprefix("unix://"))

    def docker(self, *arguments: str | Path, **options: Any) -> Any:
        """Run the engine's CLI."""
        env = {**options.pop("env", {}), **self._place.env}
        return self._place.daemon.docker(*arguments, env=env, **options)


@contextmanager
def behind(engine: engines.Engine, door: str, bundle: str | Path, mode: str) -> Iterator[Behind]:
    """Start a fresh daemon with its images, and a gate before it."""
    with ExitStack() as stack:
        daemon = stack.enter_context(Dockerd(engine, short_folder(), extra={"experimental": True}))
        images.load(daemon, IMAGES)
        name = bundle if isinstance(bundle, str) else "observe"
        if door == "plugin":
            gate = Gate(daemon, name, "", mode)
        else:
            gate = Front(daemon, Certificates(trustme.CA(), short_folder()), name, "", mode)
        if isinstance(bundle, Path):
            shutil.rmtree(gate.policy)
            shutil.copytree(bundle, gate.policy)
        stack.enter_context(gate)
        if door == "plugin":
            daemon.configure({"authorization-plugins": ["dockgate"]})
            daemon.reload()
        at = gate.front if isinstance(gate, Front) else daemon.socket
        yield Behind(daemon, gate, {"DOCKER_HOST": f"unix://{at}"})


def use(place: Behind, checkout: Path, repetitions: int) -> None:
    """Do a day's work."""
    with tempfile.TemporaryDirectory(prefix="dgs-") as name:
        folder = Path(name)
        _tests(place, checkout, folder)
        _session(place, folder)
        _project(place, folder)
        _transparent(place, folder, repetitions)


def _tests(place: Behind, checkout: Path, folder: Path) -> None:
    at = doors.Place(place.daemon, place.env, place.gate)
    log = folder / "docker-py.log"
    place.ended |= docker_py.outcomes(at, checkout, (), log)
    shutil.copy(log, Path(tempfile.gettempdir()) / "dockgate-shadow.log")


def _session(place: Behind, folder: Path) -> None:
    at = doors.Place(place.daemon, place.env, place.gate)
    project = folder / "session"  # after which compose calls what it makes
    project.mkdir()
    place.ended |= cli.outcomes(at, project, None, ORDINARY, PROJECT)


def _project(place: Behind, folder: Path) -> None:
    project = folder / "project"
    project.mkdir()
    through: Any = place.through()
    test_learn.work(through, project)


def _transparent(place: Behind, folder: Path, repetitions: int) -> None:
    """Take the steps of transparency.py, in which `direct` is the way through the gate, too."""
    front: Any = place
    through: Any = place.through()
    through.docker("run", "-d", "--init", "--name", "sleeper", "busybox", "sleep", "90000")
    steps: Mapping[str, Callable[[Any, str, int], None]] = {
        "typed": transparency.typed,
        "both_ways": transparency.both_ways,
    }
    for name, step in steps.items():
        for number in range(repetitions):
            step(front, "gate", number)
        place.ended[f"{repetitions} times {name}"] = cli.PASSED
    archive = transparency.make(through, MEGABYTES, folder)
    for _ in range(max(1, repetitions // 10)):
        transparency.image(front, "gate", archive)
    place.ended["image"] = cli.PASSED


def main(arguments: Sequence[str]) -> int:
    """Record, learn, do it again, and try what is dangerous."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.shadow")
    parser.add_argument("--docker-py", type=Path, required=True, help="a checkout")
    parser.add_argument("--engine", default=engines.NAMES[-1])
    parser.add_argument("--door", choices=doors.DOORS, default="plugin")
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="a new folder for the records and the bundle")
    given = parser.parse_args(arguments)
    found, missing = engines.survey()
    if given.engine not in found or os.geteuid() != 0:
        parser.error(f"no engine {given.engine}: {missing.get(given.engine, 'root is needed')}")
    checkout = given.docker_py.resolve()
    if not (checkout / "tests/integration").is_dir():
        parser.error(f"{checkout} is no checkout of docker-py: it has no tests/integration")
    with tempfile.TemporaryDirectory(prefix="dgs-") as name:
        folder = given.keep or Path(name)
        folder.mkdir(exist_ok=True)
        return _round(found[given.engine], given.door, checkout, folder, given.repetitions)


def _round(
    engine: engines.Engine, door: str, checkout: Path, folder: Path, repetitions: int
) -> int:
    with behind(engine, door, "observe", "shadow") as place:
        began = time.monotonic()
        use(place, checkout, repetitions)
        place.gate.stop()
        _tell("recorded", place, began)
        shutil.copy(place.gate.audit, folder / "first.jsonl")
        first = dict(place.ended)
    policy = folder / "learned"
    done = test_learn.dockgate("learn", str(folder / "first.jsonl"), "--into", str(policy))
    _say(f"learn: {done.returncode}\n{done.stderr.rstrip()}")
    _say(f"{_rows(policy)} rows in {sum(1 for _ in policy.glob('*.csv'))} files")
    for command in ("check", "test"):
        again = test_learn.dockgate(command, str(policy))
        _say(f"{command}: {again.returncode} {again.stdout.strip().splitlines()[-1:]}")
    with behind(engine, door, policy, "enforce") as place:
        began = time.monotonic()
        use(place, checkout, repetitions)
        _tell("again", place, began)
        shutil.copy(place.gate.audit, folder / "again.jsonl")
        denied = place.gate.denied()
        denials = [record for record in denied if record["verdict"] == "deny"]
        refused = {option: _tried(place, option) for option in DANGEROUS}
    _say("".join(f"  {line}\n" for line in _causes(denied)) + f"{len(denials)} denials")
    otherwise = sorted(name for name in first if first[name] != place.ended.get(name))
    _say(f"ended otherwise: {otherwise}")
    for option, how in refused.items():
        _say(f"docker run {option}: {how}")
    return 0 if not denials and all(how == "denied" for how in refused.values()) else 1


def _tell(what: str, place: Behind, began: float) -> None:
    records = place.gate.records()
    counts = dict(Counter(record["verdict"] for record in records))
    ended = dict(Counter(place.ended.values()))
    took = time.monotonic() - began
    kinds = len({record["request"]["operation"] for record in records if record["request"]})
    _say(f"{what}: {len(records)} decisions {counts} of {kinds} operations, {ended}, {took:.0f} s")


def _rows(policy: Path) -> int:
    lines = (policy / "policy.csv").read_text(encoding="utf-8").splitlines()
    return sum(line.startswith("p,") for line in lines)


def _causes(denials: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what was denied: verdict, action, the facts that no row allowed, and how often."""
    found: Counter[str] = Counter()
    for record in denials:
        lacking = [each["fact"] for each in record["facts"] if each["verdict"] != "allow"]
        action = (record["request"] or {}).get("action")
        found[f"{record['verdict']} {action} {record.get('detail', '')} {lacking}"] += 1
    yield from (f"{count} times {what}" for what, count in found.most_common())


def _tried(place: Behind, option: str) -> str:
    """Try a dangerous command, and say how it ended."""
    words = ("run", "--rm", *option.split(), "busybox", "true")
    done = place.docker("gate", *words, check=False)
    facts = [each for record in place.gate.denied()[-1:] for each in record["facts"]]
    lacking = {each["fact"] for each in facts if each["verdict"] != "allow"}
    denied = "dockgate: denied: " in done.stderr and DANGEROUS[option] in lacking
    return "denied" if done.returncode and denied else f"{done.returncode} {done.stderr}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
