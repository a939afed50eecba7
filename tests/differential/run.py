"""The long comparison: ``python -m tests.differential.run --decisions 1000000``.

``--plant`` plants each known bug instead and says after how many decisions it
was found. The exit status is 1 where the engines differ, or a bug was missed.
"""

from __future__ import annotations

import argparse
import sys
from itertools import count
from time import process_time

from tests.differential.compare import Mismatch, compared
from tests.differential.plants import PLANTS

SHOWN = 3
PATIENCE = 60.0
"""Seconds of CPU in which a planted bug must be found."""


def main() -> int:
    """Compare, and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0, help="where to begin")
    parser.add_argument("--plant", action="store_true", help="see that planted bugs are found")
    options = parser.parse_args()
    return _planted(options.seed) if options.plant else _long(options.decisions, options.seed)


def first_mismatch(seed: int, seconds: float) -> tuple[Mismatch | None, int]:
    """Return the first difference within a time, and how many decisions came before it."""
    began, alike = process_time(), 0
    for each in count(seed):
        for result in compared(each):
            if isinstance(result, Mismatch):
                return result, alike
            alike += result
        if process_time() - began > seconds:
            break
    return None, alike


def _long(decisions: int, seed: int) -> int:
    began, alike, wrong = process_time(), 0, 0
    for each in count(seed):
        for result in compared(each):
            if isinstance(result, Mismatch):
                wrong += 1
                if wrong <= SHOWN:
                    sys.stdout.write(f"{result}\n\n")
            else:
                alike += result
        if alike >= decisions:
            break
    seconds = process_time() - began
    sys.stdout.write(
        f"{alike} decisions over {each - seed + 1} policies from seed {seed}: "
        f"{wrong} mismatches; {seconds:.0f} s of CPU\n"
    )
    return 1 if wrong else 0


def _planted(seed: int) -> int:
    missed = 0
    for name, plant in PLANTS.items():
        began = process_time()
        with plant():
            found, alike = first_mismatch(seed, PATIENCE)
        missed += found is None
        what = "found" if found else "MISSED"
        seconds = process_time() - began
        sys.stdout.write(f"{name:32} {what} after {alike} decisions, {seconds:.2f} s of CPU\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
