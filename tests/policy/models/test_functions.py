"""The keyMatch family is Casbin's, for every pattern that is accepted."""

import random

import pytest
from casbin.util import builtin_operators as stock

from authz.policy.models.functions import FUNCTIONS, pattern_of
from authz.policy.pattern import PatternError

STOCK = {
    "keyMatch": stock.key_match,
    "keyMatch2": stock.key_match2,
    "keyMatch3": stock.key_match3,
    "keyMatch4": stock.key_match4,
    "keyMatch5": stock.key_match5,
    "globMatch": stock.glob_match,
    "regexMatch": stock.regex_match,
}
NAMED = ["a", "b", "/", "{x}", "{y}", "*", "/*", "\\.", "-", ":", "?"]
PIECES = {
    "keyMatch": ["a", "b", "/", "*", ":", "."],
    "keyMatch2": ["a", "b", "/", ":x", "/:y", "*", "/*", "\\.", "-", ":"],
    "keyMatch3": NAMED,
    "keyMatch4": NAMED,
    "keyMatch5": NAMED,
    "globMatch": ["a", "b", "/", "*", "?", "/**", ".", "/a", ":", "x"],
    "regexMatch": ["a", "b", ".*", "[ab]", "[^/]+", "\\.", "(a|bc)", "(ab|b)?", "a?", "b{1,2}"],
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_values_fit_as_in_casbin(function):
    """Random patterns, and values near them; what begins otherwise than the index says is none."""
    dice = random.Random(7)  # noqa: S311  repeatable, not secret
    compared = 0
    for _ in range(4000):
        text = "".join(dice.choice(PIECES[function]) for _ in range(dice.randint(1, 7)))
        text += "$" if function == "regexMatch" else ""
        try:
            pattern = pattern_of(function, text)
        except PatternError:
            continue
        near = text.replace("**", "a/b").replace("*", "b").replace("{x}", "a").replace(":x", "a")
        values = [near, pattern.prefix + "".join(dice.choices("ab/.:\n", k=dice.randint(0, 4)))]
        values.append("".join(dice.choices("ab/.:-x?\u00e9\n", k=dice.randint(0, 8))))
        for value in values:
            if value.endswith("\n"):
                continue
            compared += 1
            fits = pattern.fits(value)
            assert fits == STOCK[function](value, text), (text, value)
            assert value.startswith(pattern.prefix) or not fits
            assert not pattern.settled or fits == value.startswith(pattern.prefix)
    assert compared > 1000


@pytest.mark.parametrize(
    ("function", "text", "value", "expected"),
    [
        ("keyMatch", "bind:/srv/*", "bind:/srv/a/b", True),
        ("keyMatch", "bind:/srv", "bind:/srv/a", False),
        ("keyMatch2", "bind:/home/:user/*", "bind:/home/ann/x", True),
        ("keyMatch2", "bind:/home/:user", "bind:/home/ann/x", False),
        ("keyMatch2", "*", "anything", True),
        ("keyMatch3", "image:registry\\.corp/{team}/app", "image:registry.corp/a/app", True),
        ("keyMatch3", "image:registry\\.corp/{team}/app", "image:registry-corp/a/app", False),
        ("keyMatch4", "bind:/home/{u}/{u}", "bind:/home/ann/ann", True),
        ("keyMatch4", "bind:/home/{u}/{u}", "bind:/home/ann/bob", False),
        ("keyMatch4", "bind:/home/{u}/{u}", "bind:/srv", False),
        ("keyMatch5", "bind:/srv/{x}", "bind:/srv/a?b", True),
        ("globMatch", "bind:/home/**", "bind:/home/ann/x", True),
        ("globMatch", "bind:/home/**", "bind:/home/ann/.ssh", False),
        ("regexMatch", "^port:80[0-9]{2}/tcp$", "port:8042/tcp", True),
        ("regexMatch", "^port:80[0-9]{2}/tcp$", "port:8042/tcpx", False),
    ],
)
def test_a_pattern_means(function, text, value, expected):
    """What the reference says of each function."""
    assert pattern_of(function, text).fits(value) is expected
    assert STOCK[function](value, text) is expected


def test_a_colon_is_no_variable():
    """``:docker`` looks like a name, and keyMatch2 takes it for any."""
    assert stock.key_match2("image:evil/x", "image:docker/*")
    with pytest.raises(PatternError, match="reads ':d"):
        pattern_of("keyMatch2", "image:docker/*")
