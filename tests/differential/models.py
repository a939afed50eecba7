"""The long comparison for other models: ``python -m tests.differential.models``.

``--plant`` plants each known bug instead and says after how many facts it was found. The exit
status is 1 where the index and Casbin differ, or a bug was missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from itertools import count
from pathlib import Path
from time import process_time

from tests.differential.model_compare import ModelMismatch, models_compared
from tests.differential.model_plants import PLANTS

SHOWN = 3
PATIENCE = 60.0
"""Seconds of CPU in which a planted bug must be found."""


def main() -> int:
    """Compare, and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0, help="where to begin")
    parser.add_argument("--plant", action="store_true", help="see that planted bugs are found")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.plant:
            return _planted(options.seed, Path(folder))
        return _long(options.decisions, options.seed, Path(folder))


def first_model_mismatch(seed: int, seconds: float, folder: Path) -> tuple[object, int]:
    """Return the first difference within a time, and how many facts came before it."""
    began, alike = process_time(), 0
    for each in count(seed):
        for result in models_compared(each, folder):
            if isinstance(result, ModelMismatch):
                return result, alike
            alike += 1
        if process_time() - began > seconds:
            break
    return None, alike


def _long(decisions: int, seed: int, folder: Path) -> int:
    began, wrong, alike = process_time(), 0, Counter[str]()
    for each in count(seed):
        for result in models_compared(each, folder):
            if isinstance(result, ModelMismatch):
                wrong += 1
                if wrong <= SHOWN:
                    sys.stdout.write(f"{result}\n\n")
            else:
                alike[result] += 1
        if alike.total() >= decisions:
            break
    seconds = process_time() - began
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(alike.items()))
    sys.stdout.write(
        f"{alike.total()} decisions ({kinds}) by {each - seed + 1} models from seed {seed}: "
        f"{wrong} mismatches; {seconds:.0f} s of CPU\n"
    )
    return 1 if wrong else 0


def _planted(seed: int, folder: Path) -> int:
    missed = 0
    for name, plant in PLANTS.items():
        began = process_time()
        with plant():
            found, alike = first_model_mismatch(seed, PATIENCE, folder)
        missed += found is None
        what = "found" if found else "MISSED"
        seconds = process_time() - began
        sys.stdout.write(f"{name:32} {what} after {alike} decisions, {seconds:.2f} s of CPU\n")
        sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
