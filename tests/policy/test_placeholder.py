"""Placeholders: the caller's own words, as literals, or nothing at all."""

from __future__ import annotations

import pytest

from authz.identity.identity import Identity
from authz.policy.placeholder import (
    Fill,
    fill_for,
    has_placeholder,
    touching,
    unknown_placeholder,
)


@pytest.mark.parametrize(
    ("identity", "values"),
    [
        (Identity("user:ann", uid=1000), {"name": "ann", "uid": "1000"}),
        (Identity("user:ann"), {"name": "ann"}),
        (Identity("cert:ann", uid=1000), {"name": "ann"}),
        (Identity("user:ann", tenant="acme"), {"name": "ann", "tenant": "acme"}),
        (Identity("user:ann@example.com"), {"name": "ann@example.com"}),
        (Identity("user:."), {}),
        (Identity("user:.."), {}),
        (Identity("user:.ssh"), {}),
        (Identity("user:a/b"), {}),
        (Identity("user:a*"), {}),
        (Identity("user:a{name}"), {}),
        (Identity("user:a b"), {}),
        (Identity("user:a\n"), {}),
        (Identity("user:ä"), {}),
        (Identity("user:" + "a" * 65), {}),
        (Identity("user:"), {}),
    ],
)
def test_what_fills_them(identity: Identity, values: dict[str, str]):
    """A name that could mean something in a path or a pattern fills nothing."""
    assert fill_for(identity).values == values


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("/srv/**", "/srv/**"),
        ("/home/{name}/**", "/home/ann/**"),
        ("{name}", "ann"),
        ("{tenant}-{name}", None),
        ("{tenant}-*", None),
        ("{name}-*", "ann-*"),
        ("/home/{uid}", None),
        ("{name}/{uid}", None),
        ("{other}", "{other}"),
    ],
)
def test_filling(text: str, filled: str | None):
    """A value that holds the character after its placeholder would reach too far."""
    fill = Fill({"name": "ann", "tenant": "a-b"})

    assert fill(text) == filled


def test_what_is_a_placeholder():
    """Three words in braces, and nothing else."""
    assert has_placeholder("/home/{name}/x")
    assert not has_placeholder("/home/{user}/{}/{Name}")


@pytest.mark.parametrize(
    ("text", "word"),
    [("{user}/{name}", "user"), ("{name}/{Name}", "Name"), ("{uid}", ""), ("{}", "")],
)
def test_what_looks_like_one(text: str, word: str):
    """A misspelt placeholder would be a literal that nobody has."""
    found = unknown_placeholder(text)

    assert (found[1] if found else "") == word


@pytest.mark.parametrize(
    ("text", "place"), [("{name}{uid}", 6), ("a{name}-{uid}{tenant}", 13), ("{name}-{uid}", -1)]
)
def test_two_in_a_row(text: str, place: int):
    """Nobody could tell where one value ends."""
    assert touching(text) == place
