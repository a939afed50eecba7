"""What one row says: every mistake told, each where it stands."""

from __future__ import annotations

import pytest

from authz.errors import Location, Problem
from authz.policy.decision import Row, Word
from authz.policy.row_check import MAX_NAMED, condition_of, pattern_of, row_of, row_problems
from authz.policy.rule_file import read_rules
from authz.policy.vocabulary import vocabulary
from tests.policies import a_source


def _problems(row: str, excused: frozenset[str] = frozenset()) -> list[Problem]:
    (entry,) = read_rules(a_source(f"# why: because\n{row}\n")).entries
    return row_problems(entry, vocabulary((), excused))


def test_a_row_as_a_value():
    """With what the comment above says of it."""
    text = "# no-etc: not the host's [CIS 5.6]\np, role:a, acme, *, bind:/etc, door=plugin, deny\n"
    (entry,) = read_rules(a_source(text)).entries

    assert row_of(entry) == Row(
        *("role:a", "acme", "*", "bind:/etc", "door=plugin", Word.DENY, "no-etc"),
        Location("policy.csv", 2, 1),
        "not the host's",
        ("CIS 5.6",),
    )


@pytest.mark.parametrize(
    "row",
    [
        "p, *, *, *, **, *, deny",
        "p, user:a b, acme, container.create, image:docker.io/library/**, *, allow",
        "p, group:os/x, *, *.read, on:own|unknown, *, allow",
        "p, role:a, *, container.run, target.bind:/srv/**, door=plugin, allow",
        "p, pack:a, *, *, net:!default|bridge, *, never",
        "p, role:a, *, container.create, bind:/home/{name}/**|bind.rw:/home/{name}/**, *, allow",
        "p, role:a, *, container.create, mem.limit:none|>8g, *, deny",
        "p, role:a, *, container.create, cap.add:NET_ADMIN, until=2027-01-31, except",
        "p, role:a, *, container.create, on:new, image=docker.io/library/**|registry.corp/x, allow",
        "p, role:a, *, container.create, on:new, image=, allow",
        "p, role:a, *, container.create, port:8000-8999/tcp, *, allow",
        "p, role:a, *, system.ping, on:host, *, allow",
    ],
)
def test_what_is_in_order(row: str):
    """Rows as people write them."""
    assert _problems(row) == []


@pytest.mark.parametrize(
    ("row", "column", "width", "message", "suggestion"),
    [
        # who
        (
            *("p, alice, *, *, on:new, *, allow", 4, 5),
            *('"alice" has no known type', "user:alice"),
        ),
        (
            *("p, rol:a, *, *, on:new, *, allow", 4, 5),
            *('"rol:a" has no known type', "role:a"),
        ),
        # where
        (
            *("p, *, a:b, *, on:new, *, allow", 7, 3),
            *('domain is "a:b"; expected * or the name of one tenant', "*"),
        ),
        # what
        (
            *("p, *, *, container.creat, on:new, *, allow", 10, 15),
            *('action is "container.creat"; expected *, an action or a', "container.create"),
        ),
        (
            *("p, *, *, Container.Create, on:new, *, allow", 10, 16),
            *('action is "Container.Create"', "container.create"),
        ),
        (
            *("p, *, *, *, bnd:/x, *, allow", 13, 6),
            *("'bnd' is not a kind of fact", "bind"),
        ),
        (
            *("p, *, *, *, bind:/x|/{nam}/y|/z, *, allow", 22, 7),
            *("'{nam}' is not a placeholder", "{name}"),
        ),
        (
            *("p, *, *, system.ping, bind:/etc, *, deny", 28, 4),
            *('no request of "system.ping" yields "bind" facts', None),
        ),
        (
            *("p, *, *, container.create, exec.privileged:true, *, deny", 44, 4),
            *('no request of "container.create" yields "exec.privileged"', "container.exec"),
        ),
        (
            *("p, *, *, container.*, build.cgroup:/, *, deny", 36, 1),
            *('no request of "container.*" yields', "build.buildkit or build.run"),
        ),
        # values that no request has
        (
            *("p, *, *, *, cap.add:CAP_SYS_ADMIN, *, deny", 21, 13),
            *("CAP_SYS_ADMIN", "SYS_ADMIN"),
        ),
        (
            *("p, *, *, *, target.cap.add:KILL|CAP_KILL, *, deny", 33, 8),
            *("CAP_KILL", "KILL"),
        ),
        (
            *("p, *, *, *, bind:/var/run/docker.sock, *, deny", 18, 20),
            *("/var/run/docker.sock", "/run/docker.sock"),
        ),
        (*("p, *, *, *, bind:/etc/, *, deny", 18, 5), *("/etc/", "/etc")),
        (*("p, *, *, *, bind:/a|bind.rw:/b/, *, deny", 29, 3), *("/b/", "/b")),
        (
            *("p, *, *, *, image:nginx, *, allow", 19, 5),
            *("nginx", "docker.io/library/nginx"),
        ),
        (*("p, *, *, *, port:80, *, allow", 18, 2), *("80", "80/tcp")),
        (*("p, *, *, *, on:onw, *, allow", 16, 3), *("onw", "own")),
        (*("p, *, *, *, privileged:yes, *, deny", 24, 3), *("yes", "true")),
        (*("p, *, *, *, mem.limit:9g-3g, *, deny", 23, 5), *("9g-3g", "3g-9g")),
        (
            *("p, *, *, *, device:unknown, *, deny", 20, 7),
            *("unknown", None),
        ),
        # when
        (
            *("p, *, *, *, on:new, dor=plugin, allow", 21, 10),
            *("'dor' is not a key", "door"),
        ),
        (
            *("p, *, *, *, on:new, door=plugin & tls=non, allow", 39, 3),
            *("'non' is never the value of tls", "none"),
        ),
        (
            *("p, *, *, *, on:new, image=a.b/c|nginx, allow", 33, 5),
            *("nginx", "docker.io/library/nginx"),
        ),
        (
            *("p, *, *, *, on:new, name=x & until=2027-01-31, deny", 30, 16),
            *("a deny row has no end", "take it away"),
        ),
        (
            *("p, *, *, *, on:new, until=2027-01-31, never", 21, 16),
            *("a never row has no end", "take it away"),
        ),
        # the verdict
        (
            *("p, *, *, *, on:new, *, alow", 24, 4),
            *('verdict is "alow"; expected never, except, deny or allow', "allow"),
        ),
        # a list of what is not meant
        (
            *("p, *, *, *, net:!host, *, allow", 17, 1),
            *("'!' stands in deny and never rows only", "write out the values that are meant"),
        ),
    ],
)
def test_one_mistake(row: str, column: int, width: int, message: str, suggestion: str | None):
    """Its place, what is wrong, and what to write instead."""
    (found,) = _problems(row)

    assert (found.location.line, found.location.column, found.width) == (2, column, width)
    assert message in found.message
    if suggestion is not None:
        assert found.suggestion == suggestion


def test_few_actions_are_named():
    """A suggestion is short, or there is none."""
    (found,) = _problems("p, *, *, system.ping, on:own|cap.add:KILL, *, allow")

    assert found.suggestion.count(",") < MAX_NAMED


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ("p, *, *, *, on:new, until=2027-01-31, except", ["an exception names its actions"]),
        ("p, *, *, container.create, **, until=2027-01-31, except", ["names its facts"]),
        ("p, *, *, container.create, on:new, *, except", ["an exception ends"]),
        ("p, *, *, *, **, *, except", ["names its actions", "names its facts", "exception ends"]),
        (
            "p, *, *, container.create, net:!host, until=2027-01-31, except",
            ["'!' stands in deny and never rows only"],
        ),
    ],
)
def test_an_exception_is_narrow_and_ends(row: str, messages: list[str]):
    """It outweighs deny rows, so it must not be wide."""
    found = " ".join(sorted(problem.message for problem in _problems(row)))

    for message in messages:
        assert message in found
    assert len(_problems(row)) == len(messages)


@pytest.mark.parametrize(
    ("when", "suggestion"),
    [("*", "until=YYYY-MM-DD"), ("door=plugin", "door=plugin & until=YYYY-MM-DD")],
)
def test_an_exception_is_told_how_to_end(when: str, suggestion: str):
    """The condition as it would be."""
    (found,) = _problems(f"p, *, *, container.create, on:new, {when}, except")

    assert found.suggestion == suggestion


def test_an_exception_needs_a_reason():
    """The comment above it says why."""
    text = "p, *, *, container.create, on:new, until=2027-01-31, except\n"
    (entry,) = read_rules(a_source(text)).entries

    (found,) = row_problems(entry, vocabulary(()))

    assert "an exception needs a reason in the comment above it" in found.message


def test_all_mistakes_of_a_row_are_told():
    """At once, not one after the other."""
    found = _problems("p, alice, a:b, containr.create, bnd:/x, tls=non, alow")

    assert len(found) == 6


def test_words_of_unreadable_rows_are_not_missed_as_well():
    """A group whose g2 row is broken is told there."""
    row = "p, *, *, site.x, on:new, *, allow"

    assert len(_problems(row)) == 1
    assert _problems(row, frozenset({"site.x"})) == []


def test_columns_are_parsed_once():
    """The check, the warnings and the engine share what was parsed."""
    assert pattern_of("bind:/x") is pattern_of("bind:/x")
    assert condition_of("name=x") is condition_of("name=x")
