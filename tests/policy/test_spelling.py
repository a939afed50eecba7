"""What somebody probably meant to write."""

from __future__ import annotations

import pytest

from authz.policy.spelling import listed, nearest


@pytest.mark.parametrize(
    ("word", "meant"),
    [("dney", "deny"), ("Deny", "deny"), ("ALLOW", "allow"), ("zebra", ""), ("", "")],
)
def test_the_nearest_word(word: str, meant: str):
    """A slip of letters or case finds its word; something else finds none."""
    assert nearest(word, ["allow", "deny", "never"]) == meant


def test_a_huge_word_takes_no_time():
    """Only the beginning is compared."""
    assert nearest("deny" * 100_000, ["deny"]) == ""


@pytest.mark.parametrize(
    ("words", "text"), [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_words_in_a_sentence(words: list[str], text: str):
    """The last one is joined by a word."""
    assert listed(words) == text
