"""The long comparison of our reader with a daemon that asks nobody.

    python -m tests.differential.daemon --engine 26.1 --bodies 20000 --targets 20000 --seed 1

As root, with the engines of tests/e2e/engines.py. Prints every finding with
the seed and the number that make it again; the exit status is 1 if there is one.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.differential import bodies, targets
from tests.differential.route import Routes
from tests.differential.stage import Stage
from tests.differential.trial import Outcome, Trials
from tests.e2e import engines, images
from tests.e2e.daemon import Dockerd

_MEMORY = Path("/dev/shm")  # noqa: S108  a container costs a dozen fsyncs elsewhere
_EVERY = 1000


@dataclass(slots=True)
class Report:
    """What was counted, and what was found."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[Any, tuple[str, ...]]] = field(default_factory=list)

    def add(self, case: Any, outcome: Outcome) -> None:
        """Count one case."""
        taken = "daemon takes" if outcome.taken else "daemon refuses"
        self.counts[f"{taken}, we {'refuse' if outcome.refused else 'read'}"] += 1
        if outcome.differences:
            self.findings.append((case, outcome.differences))
            line = json.dumps({"case": repr(case), "differences": outcome.differences})
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    def __str__(self) -> str:
        """Print the counts on one line."""
        said = ", ".join(f"{name}: {count}" for name, count in sorted(self.counts.items()))
        return f"{sum(self.counts.values())} requests ({said}); {len(self.findings)} findings"


@contextmanager
def a_stage(engine: engines.Engine) -> Iterator[Stage]:
    """Start a daemon, in memory where there is room for it, with the objects that are named."""
    home = _MEMORY if _MEMORY.is_dir() else None
    with Dockerd(engine, Path(tempfile.mkdtemp(prefix="dg-", dir=home))) as daemon:
        images.load(daemon)
        with closing(Stage(daemon)) as stage:
            yield stage


def compare(
    stage: Stage,
    cases: Iterable[Any],
    trial: Callable[[Stage], Trials | Routes],
    *,
    seconds: float = float("inf"),
    until_found: bool = False,
) -> Report:
    """Put all cases to the daemon over several connections, for so many seconds at most."""
    report, lock = Report(), threading.Lock()
    waiting, failures = iter(cases), []
    deadline = time.monotonic() + seconds

    def work() -> None:
        trials = trial(stage)
        try:
            while time.monotonic() < deadline and not failures:
                with lock:
                    case = next(waiting, None)
                if case is None or (until_found and report.findings):
                    break
                outcome = trials.run(case)
                with lock:
                    report.add(case, outcome)
                    _tell(report)
        except BaseException as error:  # noqa: BLE001  raised by the caller's thread below
            failures.append(error)
        finally:
            trials.close()

    threads = [threading.Thread(target=work) for _ in range(trial.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return report


def _tell(report: Report) -> None:
    if sum(report.counts.values()) % _EVERY == 0:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {report}\n")


def main(arguments: list[str]) -> int:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential.daemon")
    parser.add_argument("--engine", required=True)
    parser.add_argument("--bodies", type=int, default=20_000)
    parser.add_argument("--targets", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    found, missing = engines.survey()
    if given.engine not in found:
        parser.error(f"no engine {given.engine}: {missing.get(given.engine, 'not here')}")
    with a_stage(found[given.engine]) as stage:
        reports = {
            "bodies": compare(
                stage,
                bodies.cases(given.seed, given.bodies, stage.newest, stage.oldest),
                Trials,
            ),
            "targets": compare(
                stage, targets.cases(given.seed, given.targets, stage.newest), Routes
            ),
        }
    for name, report in reports.items():
        sys.stdout.write(f"{given.engine} {name} seed {given.seed}: {report}\n")
    return 1 if any(report.findings for report in reports.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
