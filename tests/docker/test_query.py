"""Queries."""

import pytest

from authz.docker.query import decode, parse_query
from authz.errors import Reason, RefusedError


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", ()),
        ("&", ()),
        ("&&a=1&", (("a", "1"),)),
        ("a", (("a", ""),)),
        ("a=", (("a", ""),)),
        ("=a", (("", "a"),)),
        ("a=b=c", (("a", "b=c"),)),
        ("a=1&a=2", (("a", "1"), ("a", "2"))),
        ("b=1&a=2&B=3", (("b", "1"), ("a", "2"), ("B", "3"))),
        ("a=x+y&b+c=%2B", (("a", "x y"), ("b c", "+"))),
        ("%61=%3D%26%3b%23", (("a", "=&;#"),)),
        ("a=%2525", (("a", "%25"),)),
        ("a=%C3%a9", (("a", "é"),)),
        ("force=True", (("force", "True"),)),
        ("a=%00%0a", (("a", "\0\n"),)),
        ("a=?x", (("a", "?x"),)),
    ],
)
def test_a_query_is_split_and_decoded_once(text, pairs):
    """Pairs keep their order and their repetitions; a plus is a blank."""
    assert parse_query(text) == pairs


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("networkmode=none;x&networkmode=host", "query has a semicolon"),
        (";", "query has a semicolon"),
        (
            "networkmode=none%zz&networkmode=host",
            'query.networkmode has the bad percent escape "%zz"',
        ),
        ("a=%", 'query.a has the bad percent escape "%"'),
        ("a=%4", 'query.a has the bad percent escape "%4"'),
        ("a=secret%g0secret", r'query.a has the bad percent escape "%g0"; expected % and two'),
        ("a%=1", 'query has the bad percent escape "%"'),
        ("a-b=%+1", 'query has the bad percent escape "% 1"'),
        ("%ff=1", "query is not UTF-8"),
        ("a=%ff", "query.a is not UTF-8"),
        ("a=%ed%a0%80", "query.a is not UTF-8"),
        ("a=%c0%af", "query.a is not UTF-8"),
    ],
)
def test_what_two_readers_take_in_two_ways_is_refused(text, problem):
    """A pair that the daemon may drop in silence never gets through."""
    with pytest.raises(RefusedError, match=problem) as refusal:
        parse_query(text)

    assert refusal.value.reason is Reason.UNREADABLE_REQUEST


def test_a_refused_value_is_not_shown():
    """Parameters such as buildargs hold secrets, and a refusal is written down."""
    with pytest.raises(RefusedError) as refusal:
        parse_query("buildargs=hunter2%zzhunter2")

    assert "hunter2" not in refusal.value.detail


def test_text_without_escapes_is_left_alone():
    """A plus is a blank in queries only."""
    assert decode("a+b", "path") == "a+b"
