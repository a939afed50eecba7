"""Lists of rows that may match: their order, and which of them can never settle anything."""

from __future__ import annotations

import pytest

from authz.policy.entry import Glob, sealed, unknowable
from authz.policy.glob import glob_matches
from tests.policies import some_rows

ALLOW, DENY = some_rows("*, *, *, bind:/a, *, allow", "*, *, *, bind:/a, *, deny")
GLOB = Glob("/a*")


def test_a_glob_is_compiled_once():
    """And when it is first asked."""
    glob = Glob("/a*")

    assert not glob("/b")
    assert glob._fits is None
    assert glob("/ab")
    fits = glob._fits
    assert not glob("/a/")
    assert glob._fits is fits


@pytest.mark.parametrize(
    "text", ["*", "?*?", "/*/x/**", "/*/x/**y", "a*bcd*e", "**/x", "*/x/*", "x?/**"]
)
def test_a_glob_is_the_glob_of_policies(text: str):
    """What it tells without an expression is what the expression says."""
    values = [
        "",
        "/",
        "/a/x",
        "/a/x/",
        "/a/x/zy",
        "abcde",
        "axbcdxe",
        "xy",
        "xy/",
        "x/x/y",
        "a*bcd*e",
    ]

    assert list(map(Glob(text), values)) == [glob_matches(text, value) for value in values]


def test_nothing_is_known_of_some_rows():
    """Whatever the value."""
    assert unknowable("/a") is None


@pytest.mark.parametrize(
    ("entries", "kept"),
    [
        ([], []),
        # in order
        ([(2, GLOB, None, ALLOW), (1, GLOB, "door=x", ALLOW)], [1, 2]),
        # what always matches hides what comes after it
        ([(1, None, None, ALLOW), (2, None, "door=x", ALLOW)], [1]),
        ([(1, None, "door=x", ALLOW), (2, None, None, ALLOW), (3, GLOB, None, DENY)], [1, 2]),
        # the same match and condition
        ([(1, GLOB, "door=x", ALLOW), (2, GLOB, "door=x", ALLOW)], [1]),
        ([(1, GLOB, "door=x", ALLOW), (2, GLOB, "door=y", ALLOW)], [1, 2]),
        ([(1, GLOB, None, ALLOW), (2, Glob("/a*"), None, ALLOW)], [1, 2]),
        # one that gives may be disabled where one that takes away refuses
        ([(1, GLOB, "door=x", ALLOW), (2, GLOB, "door=x", DENY)], [1, 2]),
    ],
)
def test_what_is_kept(entries: list, kept: list[int]):
    """Nothing that could settle a value is lost."""
    assert [order for order, *_ in sealed(entries)] == kept
