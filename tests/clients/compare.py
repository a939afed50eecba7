"""What a client's suite did directly beside what it did through a door.

Knows outcomes by the name of a test, from whatever client; does not know how a suite is run. What
passes directly has to pass through the door. What fails directly says nothing about the door, and
what passes only through it is worth a look.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PASSED = "passed"

Outcomes = Mapping[str, str]
"""How each test ended, by its name: `passed`, `failed`, `skipped`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs of one suite."""

    direct: Outcomes
    gated: Outcomes

    @property
    def broken(self) -> tuple[str, ...]:
        """What passed directly and not through the door, tests that never ran there included."""
        return tuple(
            test
            for test, outcome in sorted(self.direct.items())
            if outcome == PASSED and self.gated.get(test) != PASSED
        )

    @property
    def mended(self) -> tuple[str, ...]:
        """What passed through the door alone."""
        return tuple(
            test
            for test, outcome in sorted(self.gated.items())
            if outcome == PASSED and self.direct.get(test) != PASSED
        )

    @property
    def holds(self) -> bool:
        """Whether the door is in nobody's way; a suite of which nothing passes proves nothing."""
        return not self.broken and PASSED in self.direct.values()

    def __str__(self) -> str:
        """Print the counts of both, and each test that ended in another way."""
        lines = [f"direct: {_counts(self.direct)}", f"gated:  {_counts(self.gated)}"]
        for title, tests in (("BROKEN", self.broken), ("only gated", self.mended)):
            lines += [
                f"{title}: {test} ({self.direct.get(test)} / {self.gated.get(test)})"
                for test in tests
            ]
        return "\n".join(lines)


def _counts(outcomes: Outcomes) -> str:
    found = Counter(outcomes.values())
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.items())) or "nothing"


def written(file: Path) -> Outcomes:
    """Read the lines that `within/outcomes.py` wrote; the worst of a test's phases counts."""
    found: dict[str, str] = {}
    for text in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        line = json.loads(text)
        if found.get(line["test"], PASSED) == PASSED:
            found[line["test"]] = line["outcome"]
    return found
