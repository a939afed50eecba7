"""What another gate grants, as a bundle."""

import pytest

from authz.docker.routes import load_operations
from authz.policy.bundle import load_bundle
from authz.policy.decision import Effect
from authz.policy.snapshot import compile_snapshot
from authz.tools.drafts.rows import Draft
from authz.tools.importers.grants import Grant, Imported, role_of, subject_of
from tests.records import ALICE, a_create, a_record

ROLE = "role:old"


@pytest.fixture
def loaded(tmp_path):
    """Return a function that writes a bundle and loads it without a warning."""

    def made(imported):
        imported.links.append((ALICE.subject, ROLE))
        imported.folder().write(tmp_path / "b")
        bundle = load_bundle(tmp_path / "b")
        assert bundle.warnings == ()
        return compile_snapshot(bundle)

    return made


def granted(*operations, word="allow"):
    """Return what grants these."""
    return Imported("a test", [Grant(ROLE, frozenset(operations), "X=1", word)])


def test_every_operation_can_be_granted(loaded):
    """And the rows load."""
    snapshot = loaded(granted(*(each.name for each in load_operations())))
    assert {row.action for row in snapshot.bundle.own_rows()} == {
        each.action for each in load_operations()
    }


def test_a_read_is_granted_by_whose_it_is(loaded):
    """Nothing else can be said of it."""
    snapshot = loaded(granted("ContainerList"))
    (row,) = snapshot.bundle.own_rows()
    assert row.fact == "on:own|tenant|foreign|unowned|new|list|host|unknown"
    assert (row.id, row.message) == ("old.container.list", "allowed there by X=1")
    record = a_record(snapshot, "GET", "/v1.47/containers/json")
    assert record.verdict is Effect.ALLOW


def test_a_create_is_granted_whatever_it_says(loaded):
    """As there; but not the paths of the daemon, which is said."""
    imported = granted("ContainerCreate")
    snapshot = loaded(imported)
    assert a_record(snapshot, body=a_create(Privileged=True)).verdict is Effect.ALLOW
    socket = a_record(snapshot, body=a_create(Binds=["/run/docker.sock:/s"]))
    assert socket.verdict is Effect.DENY
    assert any('the pack "sockets" is attached' in text for text in imported.left)


def test_bodies_that_nobody_reads_are_named(loaded):
    """A wide row does not reach them."""
    rows = loaded(granted("ImageBuild")).bundle.own_rows()
    assert [row.fact for row in rows] == ["**", "on:unknown", "body.opaque:build"]


def test_a_denial_is_carried_over(loaded):
    """Over every permission, of which nothing is written then."""
    imported = granted("ContainerCreate", "ImageCreate")
    imported.grants.append(Grant(ROLE, frozenset({"ContainerCreate"}), "no", "deny"))
    snapshot = loaded(imported)
    assert a_record(snapshot, body=a_create()).verdict is Effect.DENY
    assert [row.word for row in snapshot.bundle.own_rows()] == ["allow", "deny"]
    assert "role:old: container.create was allowed and denied; here it is denied" in imported.left


def test_what_comes_with_an_action_is_told(loaded):
    """Where the other gate told operations apart that are one action here."""
    imported = granted("ContainerExec", "SystemPing")
    loaded(imported)
    assert "role:old: container.exec is one here, and includes ExecResize, ExecStart" in (
        imported.left
    )
    assert not any("system.ping" in text for text in imported.left)


def test_a_row_that_does_not_load_is_left(loaded):
    """With what the loader says; what is lost stands at the top, whatever is in it."""
    imported = granted("ContainerList")
    imported.rows = [Draft(ROLE, "x.y", "on:own"), Draft(ROLE, "image.pull", "on:new")]
    imported.left.append("odd\u202e" + "x" * 5000)
    snapshot = loaded(imported)
    assert len(snapshot.bundle.own_rows()) == 2
    assert any(text.startswith('the row p, role:old, *, x.y, on:own, *, allow: action is "x.y"')
               for text in imported.left)  # fmt: skip
    assert "# Not carried over: odd\\u202ex" in (snapshot.bundle.root / "policy.csv").read_text()


def test_names_become_roles_and_callers():
    """Those with a type keep it."""
    assert role_of("Policy 1!") == "role:policy-1"
    assert role_of("") == "role:everybody"
    assert subject_of("alice") == "cert:alice"
    assert subject_of("user:alice") == "user:alice"
    assert role_of("role:A_B") == "role:a-b"


def test_a_role_that_grants_nothing_is_left(loaded):
    """With who had it; one that grants by another role is not."""
    imported = granted("ContainerList")
    imported.links += [("cert:bob", "role:lost"), ("cert:eve", "role:new"), ("role:new", ROLE)]
    loaded(imported)
    assert "role:lost: nothing that it grants can be carried over" in imported.left
    people = imported.folder().people
    assert "role:lost" not in people
    assert "g, cert:eve, role:new, *\n" in people
