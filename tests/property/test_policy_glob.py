"""Globs against a matcher that tries everything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.policy.glob import glob_matches

pytestmark = pytest.mark.property

GLOBS = st.text(alphabet="ab/.*?", max_size=10) | st.lists(
    st.sampled_from(["*", "**", "/**", "?", "/", "a", "b", "ab", "a/b"]), max_size=8
).map("".join)
VALUES = st.text(alphabet="ab/.", max_size=12)


def naive(glob: str, value: str) -> bool:
    """Match by trying every way to share the value out among the stars."""
    stem = glob.rstrip("*")
    if (
        stem.endswith("/")
        and stem != "/"
        and len(glob) - len(stem) > 1
        and _tried(stem[:-1], value)
    ):
        return True
    return _tried(glob, value)


def _tried(glob: str, value: str) -> bool:
    ends = {0}
    index = 0
    while index < len(glob):
        stars = len(glob[index:]) - len(glob[index:].lstrip("*"))
        after: set[int] = set()
        for end in ends:
            if stars:
                after |= _swallowed(value, end, deep=stars > 1)
            elif end < len(value) and _same(glob[index], value[end]):
                after.add(end + 1)
        ends = after
        index += stars or 1
    return len(value) in ends


def _same(char: str, other: str) -> bool:
    return other != "/" if char == "?" else char == other


def _swallowed(value: str, start: int, *, deep: bool) -> set[int]:
    found = {start}
    for index in range(start, len(value)):
        if value[index] == "/" and not deep:
            break
        found.add(index + 1)
    return found


@settings(max_examples=1500, deadline=None)
@given(GLOBS, VALUES)
def test_globs_agree_with_a_naive_matcher(glob: str, value: str):
    """Taking the first place that fits loses nothing."""
    assert glob_matches(glob, value) is naive(glob, value)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20))
def test_every_text_is_a_glob(text: str):
    """Nothing is raised, and a text without wildcards matches itself alone."""
    if "*" not in text and "?" not in text:
        assert glob_matches(text, text)
        assert not glob_matches(text, text + "x")
    else:
        glob_matches(text, text)
