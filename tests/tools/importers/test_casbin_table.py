"""Casbin's table of rules."""

import sqlite3
from contextlib import closing

import pytest

from authz.errors import ConfigurationError
from authz.tools.importers.casbin_table import EVERYBODY, read, read_file

HOLDERS = ("group:os/docker",)


def operations(*rows):
    """Return what is granted to whom."""
    found = {}
    for grant in read(rows, HOLDERS).grants:
        found.setdefault(grant.holder, set()).update(grant.operations)
    return found


@pytest.mark.parametrize(
    ("path", "method", "expected"),
    [
        ("/v1.27/images/json", "GET", {"ImageList"}),
        ("/_ping", "GET", {"SystemPing"}),
        ("/containers/*/start", "POST", {"ContainerStart"}),
        ("/v1.41/containers/:id/start", "POST", {"ContainerStart"}),
        ("/containers/{id}/(json)", "GET", set()),
        ("/secrets*", "(GET)|(DELETE)", {"SecretList", "SecretInspect", "SecretDelete"}),
        ("/info", "*", {"SystemInfo"}),
        ("/info", ".*", {"SystemInfo"}),
    ],
)
def test_paths_and_methods_are_operations(path, method, expected):
    """The version aside; the holder is whoever could connect."""
    found = read([["p", path, method]], HOLDERS)
    assert set().union(*(grant.operations for grant in found.grants)) == expected
    assert found.links == [("group:os/docker", EVERYBODY)]
    assert bool(found.left) is not bool(expected)


def test_subjects_are_roles_of_those_who_have_them():
    """Groups are followed, and a subject that nobody has is a caller."""
    rows = [
        ["p", "ops", "/containers/*", "GET"],
        ["p", "alice", "/info", "GET", "allow"],
        ["p", "alice", "/info", "GET", "deny", ""],
        ["g", "bob", "ops"],
        ["g", "alice", "none"],
        ["g2", "data1", "group"],
        ["g", "carol", "ops", "domain"],
        ["p2", "x"],
    ]
    found = read(rows, HOLDERS)
    assert found.links == [("cert:bob", "role:ops"), ("cert:alice", "role:alice")]
    assert [grant.word for grant in found.grants] == ["allow", "allow", "deny"]
    assert len(found.left) == 4


def test_subjects_that_become_one_role_are_told():
    """What is granted to a name must not go to everybody, or to another one, unseen."""
    found = read([["p", "/info", "GET"], ["p", "everybody", "/version", "GET"]], HOLDERS)

    assert "role:everybody: '' and 'everybody' become one, and each gets all" in found.left


def test_our_own_rows_are_taken_as_they_are():
    """A table may hold them."""
    (draft,) = read([["p", "role:dev", "*", "image.pull", "on:new", "*", "allow"]], ()).rows
    assert draft.row == "p, role:dev, *, image.pull, on:new, *, allow"


@pytest.mark.parametrize(
    "row",
    [
        ["p", "alice", "data1", "read"],
        ["p", "alice", "/info"],
        ["p", "/info", "GET", "maybe"],
        ["p", "a", "b", "c", "d", "e"],
        ["p"],
        ["p", "a*", "/info", "GET"],
        ["p", "/nowhere", "GET"],
    ],
)
def test_what_means_something_else_is_left(row):
    """Word for word."""
    assert len(read([row], HOLDERS).left) == 1


def test_a_dump_is_read_with_or_without_names(tmp_path):
    """Other columns do not matter."""
    path = tmp_path / "dump.csv"
    path.write_text('id,ptype,v0,v1,v2\n1,p,"/info",GET,\n2,p\n')
    assert [grant.said for grant in read_file(path, HOLDERS).grants] == ["p, /info, GET"]
    path.write_text("# a comment\n\np, /info, GET\n")
    assert [grant.said for grant in read_file(path, HOLDERS).grants] == ["p, /info, GET"]
    path.write_text("")
    assert read_file(path, HOLDERS).grants == []


def test_a_sqlite_file_is_read(tmp_path):
    """As the adapters of Casbin write it."""
    path = tmp_path / "rules.db"
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE casbin_rule (id INTEGER PRIMARY KEY, ptype, v0, v1, v2)")
        base.execute("INSERT INTO casbin_rule VALUES (1, 'p', 'alice', '/info', 'GET')")
        base.execute("INSERT INTO casbin_rule VALUES (2, 'g', 'bob', 'alice', NULL)")
        base.commit()
    found = read_file(path, HOLDERS)
    assert found.links == [("cert:bob", "role:alice")]
    with closing(sqlite3.connect(path)) as base:
        base.execute("DROP TABLE casbin_rule")
        base.commit()
    with pytest.raises(ConfigurationError, match="has no table casbin_rule"):
        read_file(path, HOLDERS)
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 5000)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_file(path, HOLDERS)


def test_a_file_of_another_kind_is_told(tmp_path):
    """Neither one nor the other."""
    path = tmp_path / "x"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="is neither SQLite nor CSV"):
        read_file(path, HOLDERS)
