"""The fact column: kinds, alternatives, negation, and what stays unknown."""

from __future__ import annotations

import pytest

from authz.facts.facts import Fact
from authz.policy.comparison import Shape
from authz.policy.pattern import PatternError, known_kinds, parse, written_out
from authz.policy.placeholder import Fill

KINDS = {
    "bind": Shape.TEXT,
    "bind.rw": Shape.TEXT,
    "net": Shape.TEXT,
    "image": Shape.TEXT,
    "on": Shape.TEXT,
    "mem.limit": Shape.BYTES,
    "port": Shape.PORT,
    "field.unknown": Shape.TEXT,
    "body.opaque": Shape.TEXT,
}
ALICE = Fill({"name": "alice"})


def _verdict(text: str, fact: str) -> bool | None:
    return parse(text, KINDS).verdict(Fact(*fact.split(":", 1)), ALICE)


@pytest.mark.parametrize(
    ("text", "fact", "verdict"),
    [
        ("bind:/srv/**", "bind:/srv/x", True),
        ("bind:/srv/**", "bind.rw:/srv/x", False),
        ("bind:/a|/b", "bind:/b", True),
        ("bind:/a|bind.rw:/b", "bind.rw:/b", True),
        ("bind:/a|bind.rw:/b|/c", "bind.rw:/c", True),
        ("bind:/a|bind.rw:/b|/c", "bind:/c", False),
        ("net:container:*", "net:container:own", True),
        ("net:container:own|container:tenant", "net:container:tenant", True),
        ("bind:/home/{name}/**", "bind:/home/alice/x", True),
        ("bind:/home/{uid}/**", "bind:/home/alice/x", None),
        ("bind:/home/{uid}/**|/home/*/x", "bind:/home/alice/x", True),
        ("bind:/home/{uid}/**", "net:x", False),
        ("mem.limit:>8g|none", "mem.limit:none", True),
        ("mem.limit:>8g", "mem.limit:much", None),
        ("port:8000-8999/tcp", "port:8080/tcp", True),
        # any value but these
        ("net:!default|bridge", "net:host", True),
        ("net:!default|bridge", "net:bridge", False),
        ("net:!{uid}", "net:host", None),
        ("net:!default|bridge", "bind:/x", False),
        # everything
        ("**", "net:x", True),
        ("**", "target.net:x", True),
        ("**", "field.unknown:HostConfig.Foo", False),
        ("**", "body.opaque:build", False),
        ("field.unknown:**", "field.unknown:HostConfig.Foo", True),
        ("body.opaque:build", "body.opaque:build", True),
        # what nobody knows is matched where it is written only
        ("**", "net:unknown", False),
        ("net:**", "net:unknown", False),
        ("net:*", "net:unknown", False),
        ("net:unk*", "net:unknown", False),
        ("net:!default", "net:unknown", False),
        ("net:!unknown", "net:unknown", False),
        ("net:a|unknown", "net:unknown", True),
        ("mem.limit:unknown", "mem.limit:unknown", True),
        ("on:own|net:unknown", "on:unknown", False),
    ],
)
def test_what_matches(text: str, fact: str, verdict: bool | None):  # noqa: FBT001  a table
    """None is "cannot be known"."""
    assert _verdict(text, fact) is verdict


def test_what_a_pattern_reaches():
    """Rows of other kinds need not be looked at."""
    assert parse("**", KINDS).reaches("net")
    assert not parse("**", KINDS).reaches("body.opaque")
    assert parse("bind:/a|net:b", KINDS).reaches("net")
    assert not parse("bind:/a|net:b", KINDS).reaches("image")


def test_what_it_knows_of_itself():
    """Kinds, places and literals, for whoever checks a row."""
    pattern = parse("bind:!/a|/b*|/{name}", KINDS)

    assert pattern.kinds == {"bind"}
    assert (pattern.negated, pattern.everything) == (True, False)
    assert [(each.text, each.offset, each.literal) for each in pattern.alternatives] == [
        ("/a", 6, True),
        ("/b*", 9, False),
        ("/{name}", 13, False),
    ]


def test_places_after_a_change_of_kind():
    """The offset is that of the value, not of its kind."""
    pattern = parse("bind:/a|bind.rw:/b", KINDS)

    assert [(each.kind, each.offset) for each in pattern.alternatives] == [
        ("bind", 5),
        ("bind.rw", 16),
    ]


@pytest.mark.parametrize(
    ("text", "message", "offset", "suggestion"),
    [
        ("", "'' is not a kind of fact", 0, ""),
        ("*", "'*' is not a kind of fact", 0, "**"),
        (
            "**|body.opaque:build",
            "** stands alone; what it does not cover needs a row of its own",
            *(0, "**"),
        ),
        ("bnd:/x", "'bnd' is not a kind of fact", 0, "bind"),
        ("bind", "'bind' lacks a value; expected kind:value", 0, "bind:**"),
        ("bind:", "an empty value of bind; write ** for any", 5, ""),
        ("bind:/a||/b", "an empty value of bind", 8, ""),
        ("bind:/a|", "an empty value of bind", 8, ""),
        ("bind: /a", "' /a' has space around it", 5, "/a"),
        ("bind:/a |/b", "'/a ' has space around it", 5, "/a"),
        ("bind:/a|!/b", "'!' stands once, before the first value", 8, "/b"),
        ("bind:!!/a", "'!' stands once, before the first value", 6, "/a"),
        ("bind:!/a|net:b", "a list after '!' cannot change its kind", 9, ""),
        ("bind:/a|bind.rq:/b", "'bind.rq' is not a kind of fact", 8, "bind.rw"),
        ("bind:/a|Bind.rw:/b", "'Bind.rw' is not a kind of fact", 8, "bind.rw"),
        ("bind:/{user}", "'{user}' is not a placeholder; expected {name}, {uid} or", 6, ""),
        ("bind:/{nam}", "'{nam}' is not a placeholder", 6, "{name}"),
        ("bind:/{name}{uid}", "two placeholders need a character between them", 12, ""),
        ("mem.limit:8q", "mem.limit: '8q' is not a number", 10, ""),
        ("mem.limit:1g|9-3", "mem.limit: the range '9-3' is empty", 13, "3-9"),
        ("port:80", "port: the port '80' lacks its protocol", 5, "80/tcp"),
    ],
)
def test_what_cannot_be_read(text: str, message: str, offset: int, suggestion: str):
    """Each mistake is told at the value that has it."""
    with pytest.raises(PatternError) as caught:
        parse(text, KINDS)

    assert message in caught.value.message
    assert (caught.value.offset, caught.value.suggestion) == (offset, suggestion)


def test_the_kinds_of_the_catalogue():
    """Target kinds are kinds of their own and compare alike."""
    kinds = known_kinds()

    assert kinds["mem.limit"] is Shape.BYTES
    assert kinds["target.port"] is kinds["port"] is Shape.PORT
    assert "target.mem.limit" not in kinds


@pytest.mark.parametrize(
    ("fact", "wanted"),
    [
        (Fact("bind", "unknown"), "bind:unknown"),
        (Fact("field.unknown", "HostConfig.New"), "field.unknown:"),
        (Fact("bind", "/srv"), ""),
    ],
)
def test_what_is_not_known_is_written_out(fact: Fact, wanted: str):
    """Patterns that are wider pass over it."""
    assert written_out(fact) == wanted
