"""A slice of the comparison with Casbin; ``python -m tests.differential.run`` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.differential.compare import Mismatch, compared, stock_compared
from tests.differential.model_compare import ModelMismatch, models_compared
from tests.differential.model_plants import PLANTS as MODEL_PLANTS
from tests.differential.models import first_model_mismatch
from tests.differential.plants import PLANTS
from tests.differential.run import first_mismatch

POLICIES = 250
OVER_FILES = 40
MODELS = 60
SEEDS = {
    "query counts in keyMatch5": 48,
    "glob matches dot files": 50,
    "priority sorted as text": 38,
    "negation lost": 35,
}
"""Where to begin with bugs of functions that few models have."""


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


def test_other_models_say_the_same(tmp_path: Path):
    """Verdict, explaining row and failure, of random models within the subset."""
    seen: dict[str, int] = {}
    for seed in range(MODELS):
        for result in models_compared(seed, tmp_path):
            assert not isinstance(result, ModelMismatch), str(result)
            seen[result] = seen.get(result, 0) + 1

    assert sum(seen.values()) > 40 * MODELS
    assert {kind for kind, count in seen.items() if count > MODELS} == {
        "allow",
        "deny",
        "failed",
        "none",
    }


@pytest.mark.parametrize("name", MODEL_PLANTS)
def test_planted_bugs_in_other_models_are_found(name: str, tmp_path: Path):
    """One at least for each family."""
    with MODEL_PLANTS[name]():
        found, _ = first_model_mismatch(SEEDS.get(name, 0), 30.0, tmp_path)

    assert found is not None
