"""The order of strength, and what of a row is in doubt."""

from __future__ import annotations

from itertools import permutations

import pytest

from authz.facts.facts import Fact
from authz.policy.asking import Asking
from authz.policy.placeholder import Fill
from authz.policy.rule import by_strength, rule_of
from tests.policies import some_rows

ALICE = Asking(frozenset({"user:alice"}), "acme", frozenset({"x"}), Fill({}), {"door": "plugin"})


def test_the_strongest_come_first():
    """By word, then by place, whatever their order was."""
    words = ("never", "except", "deny", "deny", "allow")
    rows = some_rows(*(f"*, *, *, bind:/a, *, {word}" for word in words))

    for shuffled in permutations(rows):
        assert by_strength(shuffled) == rows


@pytest.mark.parametrize(("word", "takes"), [("never", True), ("deny", True), ("except", False)])
def test_some_rows_take_away(word: str, takes: bool):  # noqa: FBT001  a table
    """Only those refuse in doubt."""
    (row,) = some_rows(f"*, *, *, bind:/a, *, {word}")

    assert rule_of(row).takes is takes


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("bind:/a, *", ""),
        ("bind:{name}, *", 'the row\'s fact "bind:{name}" cannot be compared for this caller'),
        ("bind:/a, tls=none", 'the row\'s condition "tls=none" cannot be known'),
        ("bind:{name}|/a, tls=none", 'the row\'s condition "tls=none" cannot be known'),
    ],
)
def test_doubts(text: str, doubt: str):
    """The fact comes before the condition."""
    (row,) = some_rows(f"*, *, *, {text}, deny")

    assert rule_of(row).doubt(Fact("bind", "/a"), ALICE) == doubt
