"""globMatch; tests/policy/models/test_functions.py compares it with Casbin."""

import pytest

from authz.policy.models.globs import Glob
from authz.policy.pattern import PatternError


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("bind:/x/*", "bind:/x/a", True),
        ("bind:/x/*", "bind:/x/a/b", False),
        ("bind:/x/*", "bind:/x/.a", False),
        ("bind:/x/*", "bind:/x", False),
        ("bind:/x/a?", "bind:/x/ab", True),
        ("bind:/x/**", "bind:/x", True),
        ("bind:/x/**", "bind:/x/a/b", True),
        ("bind:/x/**", "bind:/x/a/.b", False),
        ("bind:/**/y", "bind:/a/b/y", True),
        ("bind:/x", "bind://x/", True),
        ("bind:/x", "bind:/x/y", False),
        ("*", "", False),
        ("*", "/", False),
    ],
)
def test_a_glob_means(text, value, expected):
    """Names between slashes; a leading dot is no name for a wildcard."""
    assert Glob(text).fits(value) is expected


@pytest.mark.parametrize("text", ["", "a[b]", "{a,b}", "a\\*", "/x", "x/", "x//y", "**/x", "a**"])
def test_what_is_not_supported_is_refused(text):
    """Whatever Casbin's library might read in another way."""
    with pytest.raises(PatternError):
        Glob(text)


def test_the_index_looks_at_the_text_before_the_first_wildcard_or_slash():
    """Slashes in a row are one, so that what follows them has no place of its own."""
    assert Glob("bind:/x/*").prefix == "bind:"
    assert Glob("container.*").prefix == "container."
