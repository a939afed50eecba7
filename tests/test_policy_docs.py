"""The pages for authors of policies: whoever pastes what is in them gets what they say."""

import re
from pathlib import Path

import pytest

from authz.policy.bundle import load_bundle
from authz.policy.case_file import load_cases
from authz.policy.snapshot import compile_snapshot
from authz.proof import run, untested
from tests.policies import a_bundle

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "policies"
PACKS = 'packs = ["core", "sockets", "pss-baseline"]\n'
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def recipes():
    """Return the recipes of the cookbook by their heading."""
    parts = re.split(r"^### ", (PAGES / "cookbook.md").read_text(), flags=re.MULTILINE)[1:]
    return {part.splitlines()[0]: dict(FENCE.findall(part)) for part in parts}


RECIPES = recipes()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_does_what_it_says(name, tmp_path):
    """Its rows load, its cases pass, and each of its rows settles one of them."""
    blocks = RECIPES[name]
    files = {"tests.toml": blocks["toml"]}
    root = a_bundle(tmp_path, policy=blocks["csv"], people="", bundle=PACKS, files=files)
    bundle = load_bundle(root)
    told = [each.message for each in bundle.warnings if "nobody holds" not in each.message]
    assert told == []
    snapshot = compile_snapshot(bundle)
    results = [run(case, snapshot) for case in load_cases(root / "tests.toml")]
    assert [each.complaint for each in results if each.complaint] == []
    assert [row.id for row in untested(results, bundle)] == []
    assert {each.case.expect.value for each in results} >= {"allow", "deny"}


def test_there_are_thirty_tasks():
    """Numbered as they stand."""
    numbers = [int(name.split(".")[0]) for name in RECIPES]
    assert numbers == list(range(1, 31))
