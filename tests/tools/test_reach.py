"""Which rows speak to a caller: those he holds, those near, those of others."""

import pytest

from authz.facts.facts import Fact
from authz.identity.identity import Identity
from authz.tools.reach import Reach
from tests.policies import a_bundle
from tests.records import ALICE, a_snapshot

ROWS = """\
# create: new ones
p, role:dev, *, container.create, on:new|image:docker.io/**, *, allow
# homes: their own
p, role:dev, *, *, bind:/home/{name}/**, *, allow
# no-etc: never
p, *, *, *, bind:/etc/**, image=docker.io/library/nginx, deny
# ops: anything
p, role:ops, *, *, **, *, allow
# red: of another tenant
p, role:dev, red, container.create, volume:**, label.a=b & door=plugin, allow
"""
PEOPLE = "g, user:alice, role:dev, *\ng, user:olga, role:ops, *\n"


@pytest.fixture(scope="module")
def reach(tmp_path_factory):
    """Load the rows."""
    folder = a_bundle(tmp_path_factory.mktemp("p"), policy=ROWS, people=PEOPLE, bundle="packs = []")
    return Reach(a_snapshot(folder))


def ids(rows):
    """Return the names of rows."""
    return [row.id for row in rows]


def test_rows_reach_by_subject_tenant_and_action(reach):
    """And by nothing else."""
    assert ids(reach.rows(ALICE, "container.create")) == ["create", "homes", "no-etc"]
    assert ids(reach.rows(ALICE, "container.start")) == ["homes", "no-etc"]
    assert ids(reach.rows(Identity("user:alice", tenant="red"), "container.create"))[-1] == "red"


def test_near_rows_allow_something_of_the_kind(reach):
    """Rows that take away are not near, nor are those for any fact."""
    assert ids(reach.near(ALICE, "container.create", Fact("bind", "/srv"))) == ["homes"]
    assert ids(reach.near(ALICE, "container.create", Fact("port", "80/tcp"))) == []


def test_rows_elsewhere_would_match(reach):
    """Were their role held."""
    assert ids(reach.elsewhere(ALICE, "container.create", Fact("bind", "/srv"))) == ["ops"]
    assert ids(reach.elsewhere(ALICE, "container.create", Fact("volume", "v"))) == ["ops", "red"]


def test_readers_look_at_values(reach):
    """A row for any value of a kind does not."""
    assert ids(reach.readers(ALICE, "container.create", "bind")) == ["homes", "no-etc"]
    red = Identity("user:alice", tenant="red")
    assert ids(reach.readers(red, "container.create", "volume")) == []


def test_askers_ask_for_a_key(reach):
    """In their condition."""
    assert ids(reach.askers(ALICE, "container.create", "image")) == ["no-etc"]
    assert reach.keys() == ("door", "image", "label.a")


def test_a_pretender_holds_nothing(reach):
    """No rows but those for everybody."""
    eve = Identity("role:dev")
    assert reach.held(eve) == frozenset()
    assert ids(reach.rows(eve, "container.create")) == ["no-etc"]
