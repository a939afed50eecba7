"""Regular expressions that cannot explode."""

import time

import pytest

from authz.policy.models.regex import compile_safe
from authz.policy.pattern import PatternError


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("^bind:/srv/.*$", "bind:/srv/"),
        ("on:(own|list)$", "on:"),
        ("a\\.b$", "a.b"),
        ("^ab?c$", "a"),
        ("^a{2}$", ""),
        ("$", ""),
        ("^[a-c\u00e9-\u00fc-]+/[^/]*$", ""),
    ],
)
def test_what_is_accepted(text, prefix):
    """With what every value begins with."""
    assert compile_safe(text)[1] == prefix


@pytest.mark.parametrize(
    "text",
    [
        "^(a+)+$",
        "^(a|a)*$",
        "^a*a*a*$",
        "^.*.*.*x$",
        "^a?a?a?aaa$",
        "^[^/]+[a-z]+x$",
        "^(ab)?ab?$",
        "^[\u00e9]+\u00e9+b$",
        "^a{1,3}a{1,3}a$",
    ],
)
def test_what_could_explode_is_refused(text):
    """Each leaves a choice that may have to be taken back."""
    with pytest.raises(PatternError):
        compile_safe(text)


@pytest.mark.parametrize(
    "text", ["^a", "^a\\$", "a|b$", "(?=a)b$", "\\d$", "(a)(?P<x>b)$", "\\1$", "a^b$", "[$"]
)
def test_what_is_not_supported_is_refused(text):
    """Look-around, references, classes with names, and what has no end."""
    with pytest.raises(PatternError):
        compile_safe(text)


@pytest.mark.parametrize("text", ["^[^/]*/[^/]*/.*x$", "^a*b*c*d$", "^[a-y]+/[0-9]*!.*x$"])
def test_time_grows_with_the_length_alone(text):
    """A value that nearly fits, of a hundred thousand characters."""
    expression, _ = compile_safe(text)
    value = "a" * 50_000 + "/b/" + "c" * 50_000
    began = time.process_time()
    assert expression.match(value) is None
    assert time.process_time() - began < 0.5
