"""Kills the gate at random moments under load: ``python -m tests.faults.kills [--decisions N]``.

Several callers ask without a pause; the gate is killed (-9) about once a second
and started again. After each start the chain has to verify, and in the end the
record of every question that was answered has to be there.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from authz.audit.reader import read, whole
from authz.audit.verify import verify
from tests.faults.service import Service, target

ROTATING = "rotate_mib = 1\ncheckpoint_lines = 100\n"


@dataclass
class Result:
    """What was seen."""

    answered: int = 0
    recorded: int = 0
    kills: int = 0
    torn: int = 0
    files: int = 0
    missing: list[int] = field(default_factory=list)
    unanswered: int = 0
    problems: list[str] = field(default_factory=list)

    def is_good(self, callers: int) -> bool:
        """Whether nothing was lost: what was recorded and not answered was being answered."""
        return not self.missing and not self.problems and self.unanswered <= callers * self.kills


class Callers:
    """Threads that ask, each question once."""

    def __init__(self, service: Service, decisions: int, count: int) -> None:
        self._service = service
        self._left = iter(range(decisions))
        self._turn = threading.Lock()
        self.answered: set[int] = set()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    @property
    def busy(self) -> bool:
        """Whether questions are left."""
        return any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        asker = self._service.asker()
        while (number := self._next()) is not None:
            try:
                answer = asker.ask(number)
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.01)  # it was killed: what was under way is not asked again
                continue
            if answer["Allow"]:
                with self._turn:
                    self.answered.add(number)
        asker.close()

    def _next(self) -> int | None:
        with self._turn:
            return next(self._left, None)


def run(  # noqa: PLR0913  what the command and its tests differ in
    folder: Path,
    decisions: int,
    *,
    callers: int = 4,
    every: float = 1.0,
    audit: str = "",
    seed: int | None = None,
) -> Result:
    """Have so many questions answered, with a kill about every so many seconds."""
    moments = random.Random(seed)  # noqa: S311  what is random has to be repeatable
    service = Service(folder, ROTATING + audit)
    result = Result()
    service.start()
    asking = Callers(service, sys.maxsize, callers)
    try:
        while len(asking.answered) < decisions:
            time.sleep(moments.uniform(0.5, 1.5) * every)
            service.kill()
            result.kills += 1
            service.start()
            report = verify(whole([service.audit]))
            result.problems += [str(problem) for problem in report.problems]
    finally:
        asking._left = iter(())
        while asking.busy:
            time.sleep(0.01)
        service.stop()
    _compare(service, asking.answered, result)
    return result


def _compare(service: Service, answered: set[int], result: Result) -> None:
    files = whole([service.audit])
    report = verify(files)
    result.problems += [str(problem) for problem in report.problems]
    result.torn = sum("crash" in note.message for note in report.notes)
    result.files = len(files)
    recorded = set()
    for entry in read(files):
        if entry.kind == "decision":
            recorded.add(entry.record["request"]["target"])
    result.answered, result.recorded = len(answered), len(recorded)
    result.missing = sorted(number for number in answered if target(number) not in recorded)
    result.unanswered = len(recorded) - len(answered) + len(result.missing)


def main() -> None:
    """Run, and print what was seen; the exit status says whether it was good."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=10_000)
    parser.add_argument("--callers", type=int, default=4)
    parser.add_argument("--durability", default="write")
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        audit = f'durability = "{options.durability}"\n'
        found = run(
            Path(folder),
            options.decisions,
            callers=options.callers,
            every=options.every,
            audit=audit,
            seed=options.seed,
        )
    print(json.dumps(asdict(found), indent=2))  # noqa: T201  a command
    sys.exit(0 if found.is_good(options.callers) else 1)


if __name__ == "__main__":
    main()
