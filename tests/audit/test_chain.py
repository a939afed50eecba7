"""The chain: numbers, digests, and what is no link."""

import hashlib
import json

import pytest

from authz.audit.chain import GENESIS, Link, body, digest, is_link, link_of


def test_a_line_carries_number_and_digest_of_the_one_before():
    """As sha256sum would print it, over the whole line."""
    first = Link().line("started", body({"pid": 1}))
    second = Link().after(first).line("decision", b'{"id":"a"}\n')

    assert json.loads(first) == {"seq": 1, "prev": GENESIS, "kind": "started", "pid": 1}
    assert json.loads(second) == {
        "seq": 2,
        "prev": hashlib.sha256(first).hexdigest(),
        "kind": "decision",
        "id": "a",
    }
    assert second.endswith(b'"id":"a"}\n')


def test_a_line_that_was_read_says_where_the_chain_stands():
    """Whoever starts anew goes on from it."""
    line = Link(6, "a" * 64).line("decision", b'{"id":"a"}\n')

    assert link_of(line) == Link(7, digest(line))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b'{"seq":1',
        b'{"seq":1}\n',
        b"[1]\n",
        b"\x00\x00\n",
        b"[" * 100_000 + b"\n",
        b'{"seq":true,"prev":"' + b"0" * 64 + b'"}\n',
        b'{"seq":0,"prev":"' + b"0" * 64 + b'"}\n',
        b'{"seq":1,"prev":"0"}\n',
        b'{"seq":1,"prev":1}\n',
    ],
)
def test_what_is_no_link_is_none(line: bytes):
    """Half lines, zeros of a power cut, other people's JSON."""
    assert link_of(line) is None


def test_numbers_are_numbers():
    """True is none, whatever Python says."""
    assert not is_link({"seq": True, "prev": GENESIS})
    assert is_link({"seq": 1, "prev": GENESIS})
