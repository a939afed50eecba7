"""The page of the policy language says what the code does, table by table."""

import re
from pathlib import Path

import pytest

from authz.facts.facts import Fact
from authz.facts.questions import Topic
from authz.identity.identity import Identity
from authz.policy.bundle import load_bundle
from authz.policy.case_file import KEYS as MEMBERS
from authz.policy.case_file import load_cases
from authz.policy.condition import KEYS
from authz.policy.decision import Word
from authz.policy.pattern import known_kinds, parse
from authz.policy.placeholder import fill_for
from authz.policy.snapshot import compile_snapshot
from authz.policy.subject import TYPES, type_of
from authz.tools.proof import run
from tests.policies import a_bundle

PAGE = (Path(__file__).parents[1] / "docs/policies/language.md").read_text()
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROWS, CASES = (dict(FENCE.findall(PAGE))[kind] for kind in ("csv", "toml"))
PEOPLE = "g, user:alice, role:developer, *\n"


def table(head):
    r"""Return the cells of the table whose first line is this one; ``\|`` is no end of a cell."""
    lines = PAGE.split(f"| {head} |\n", 1)[1].splitlines()[1:]
    end = next(number for number, line in enumerate(lines) if not line.startswith("|"))
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines[:end]]
    return [[cell.strip().replace(r"\|", "|") for cell in row] for row in rows]


def quoted(cell):
    """Return what stands in code quotes."""
    return re.findall(r"`([^`]+)`", cell)


PATTERNS = [
    (quoted(pattern)[0], value, fits)
    for pattern, *columns in table("Pattern | Fits | Does not fit")
    for fits, column in zip((True, False), columns, strict=True)
    for value in quoted(column)
]


@pytest.mark.parametrize(("pattern", "value", "fits"), PATTERNS)
def test_a_pattern_fits_what_the_page_says(pattern, value, fits):
    """And not what it says it does not."""
    fact = Fact(*value.split(":", 1))
    answer = parse(pattern, known_kinds()).verdict(fact, fill_for(Identity("user:alice")))

    assert bool(answer) is fits


def test_a_word_has_its_strength():
    """Strongest first."""
    assert [quoted(row[0])[0] for row in table("Word | Strength | Meaning")] == list(Word)


def test_every_key_of_a_condition_is_described():
    """And no other."""
    found = [key for row in table("Key | Is") for key in quoted(row[0])]

    assert sorted(found) == sorted([*KEYS, "label.<key>", "until"])


def test_every_member_of_a_case_is_described():
    """And no other."""
    found = [key for row in table("Member | Says") for key in quoted(row[0])]

    assert sorted(found) == sorted(MEMBERS)


def test_every_type_of_subject_is_described():
    """And no other."""
    found = {type_of(each) for row in table("Subject | Who") for each in quoted(row[0])}

    assert found == set(TYPES)


def test_every_topic_that_can_be_given_is_named():
    """A variant follows from its image."""
    told = PAGE.split("### given\n")[1]

    assert [each for each in Topic if each.value not in told and each != Topic.VARIANT] == []


@pytest.fixture(name="bundle")
def _bundle(tmp_path):
    packs = 'packs = ["core", "sockets"]\n'
    files = {"tests.toml": CASES}
    return a_bundle(tmp_path, policy=ROWS, people=PEOPLE, bundle=packs, files=files)


def test_the_rows_load(bundle):
    """As they stand, without a warning."""
    assert [each.message for each in load_bundle(bundle, thorough=True).warnings] == []


def test_the_case_holds(bundle):
    """Its rows settle it."""
    snapshot = compile_snapshot(load_bundle(bundle))
    results = [run(case, snapshot) for case in load_cases(bundle / "tests.toml")]

    assert [each.complaint for each in results] == [""]
