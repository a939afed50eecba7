"""A slice of the comparison with Casbin; ``python -m tests.differential.run`` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.differential.compare import Mismatch, compared, stock_compared
from tests.differential.plants import PLANTS
from tests.differential.run import first_mismatch

POLICIES = 250
OVER_FILES = 40


def test_both_engines_say_the_same():
    """Verdict word, row, error and nearest rows of random requests for random policies."""
    alike = 0
    for seed in range(POLICIES):
        for result in compared(seed):
            assert not isinstance(result, Mismatch), str(result)
            alike += result

    assert alike > 50 * POLICIES


def test_stock_casbin_over_files_says_the_same(tmp_path: Path):
    """With the shipped model, its own reader, and its own role managers."""
    alike = 0
    for seed in range(OVER_FILES):
        same, _, wrong = stock_compared(seed, tmp_path)
        assert wrong == []
        alike += same

    assert alike > 40 * OVER_FILES


@pytest.mark.parametrize("name", PLANTS)
def test_planted_bugs_are_found(name: str):
    """The comparison is not blind."""
    with PLANTS[name]():
        found, _ = first_mismatch(0, 10.0)

    assert found is not None
