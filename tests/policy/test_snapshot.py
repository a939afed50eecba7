"""A compiled policy: who, in which tenant, with which roles, and what is near."""

from __future__ import annotations

from pathlib import Path

import pytest

from authz.errors import Reason, RefusedError
from authz.facts.facts import Fact, Facts
from authz.identity.identity import Identity, Proof
from authz.policy.bundle import load_bundle
from authz.policy.decision import Effect, Word
from authz.policy.snapshot import MAX_NEAREST, Snapshot, compile_snapshot
from tests.policies import a_bundle

NOW = {"now": "2026-08-01T12:00:00+00:00"}
NEW = Fact("on", "new")
POLICY = """
# may-create: new ones
p, role:dev, *, container.create, on:new, *, allow
# may-bind: their own folders
p, role:dev, *, container.create, bind:/home/{name}/**, *, allow
# no-etc: not the host's configuration
p, role:dev, *, *, bind:/etc/**, *, deny
# tenant-net: networks of the tenant
p, role:member, acme, *, net:{tenant}-*, *, allow
# late: for a while
p, user:alice, *, container.create, bind:/etc/vpn, until=2026-08-31, except
p, role:ops, *, site.touch, on:own, *, allow
g2, container.start, site.touch
"""
PEOPLE = """
g, user:alice, role:dev, *
g, group:os/ops, role:ops, *
g, user:alice, role:member, acme
"""


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """Compile a small policy of a site."""
    return compile_snapshot(load_bundle(a_bundle(tmp_path, policy=POLICY, people=PEOPLE)))


def _judge(snapshot: Snapshot, identity: Identity, *facts: str, action: str = "container.create"):
    found = tuple(Fact(*fact.split(":", 1)) for fact in facts)
    return snapshot.judge(identity, Facts(action, found), NOW)


ALICE = Identity("user:alice")


def test_it_carries_its_bundle(snapshot: Snapshot):
    """Records name the policy by the digest."""
    assert snapshot.digest == snapshot.bundle.digest
    assert len(snapshot.digest) == 64


def test_an_ordinary_request_is_allowed(snapshot: Snapshot):
    """Every fact by a row."""
    decision = _judge(snapshot, ALICE, "on:new", "bind:/home/alice/src")

    assert (decision.effect, decision.reason) == (Effect.ALLOW, Reason.RULE)
    assert [outcome.row.id for outcome in decision.outcomes if outcome.row] == [
        "may-create",
        "may-bind",
    ]
    assert decision.nearest == ()


def test_a_denied_fact_denies_the_request(snapshot: Snapshot):
    """The decision names each fact."""
    decision = _judge(snapshot, ALICE, "on:new", "bind:/etc/passwd")

    assert (decision.effect, decision.reason) == (Effect.DENY, Reason.RULE)
    assert [outcome.word for outcome in decision.outcomes] == [Word.ALLOW, Word.DENY]


def test_what_no_row_allows_is_told_with_what_is_near(snapshot: Snapshot):
    """Allow rows of the same kind, for the same caller."""
    decision = _judge(snapshot, ALICE, "on:new", "bind:/srv")

    assert (decision.effect, decision.reason) == (Effect.DENY, Reason.NO_RULE)
    assert [row.id for row in decision.nearest] == ["may-bind"]


def test_nearest_rows_are_few(tmp_path: Path):
    """A person reads them."""
    rows = "".join(f"p, *, *, *, bind:/{n}, *, allow\n" for n in range(2 * MAX_NEAREST))
    snapshot = compile_snapshot(load_bundle(a_bundle(tmp_path, policy=rows, people="")))

    assert len(_judge(snapshot, ALICE, "bind:/srv").nearest) == MAX_NEAREST


def test_an_exception_outweighs_a_deny_until_it_ends(snapshot: Snapshot):
    """The time of the judgement is part of the context."""
    facts = Facts("container.create", (Fact("bind", "/etc/vpn"),))

    august = snapshot.judge(ALICE, facts, {"now": "2026-08-31T23:00:00+00:00"})
    september = snapshot.judge(ALICE, facts, {"now": "2026-09-01T00:00:00+00:00"})

    assert (august.effect, september.effect) == (Effect.ALLOW, Effect.DENY)


@pytest.mark.parametrize(("tenant", "effect"), [("acme", "allow"), ("", "deny"), ("other", "deny")])
def test_tenants_are_domains(snapshot: Snapshot, tenant: str, effect: str):
    """Roles and rows of a tenant count in it alone, and fill its name."""
    alice = Identity("user:alice", tenant=tenant)

    assert _judge(snapshot, alice, "net:acme-front").effect == effect


def test_groups_bring_roles_and_sites_group_actions(snapshot: Snapshot):
    """The caller is one set, and an action has many names."""
    operator = Identity("user:bob", ("group:os/ops",))

    assert _judge(snapshot, operator, "on:own", action="container.start").effect == "allow"
    assert _judge(snapshot, operator, "on:own", action="container.stop").effect == "deny"


def test_an_action_that_nobody_knows_matches_no_name(snapshot: Snapshot):
    """Rows for every action speak of it, others do not."""
    assert _judge(snapshot, ALICE, "on:new", action="container.fly").reason is Reason.NO_RULE
    assert _judge(snapshot, ALICE, "bind:/etc", action="container.fly").reason is Reason.RULE


def test_no_facts_are_never_allowed(snapshot: Snapshot):
    """A request that yields nothing was not understood."""
    assert _judge(snapshot, ALICE).effect is Effect.DENY


def test_a_row_that_cannot_be_evaluated_refuses(tmp_path: Path):
    """A deny for {uid} and a caller without one."""
    policy = "p, *, *, *, on:new, *, allow\np, *, *, *, bind:/run/user/{uid}/**, *, deny\n"
    snapshot = compile_snapshot(load_bundle(a_bundle(tmp_path, policy=policy, people="")))

    decision = _judge(snapshot, ALICE, "on:new", "bind:/srv")

    assert (decision.effect, decision.reason) == (Effect.REFUSE, Reason.RULE_ERROR)


def test_what_was_decided_is_not_decided_again(snapshot: Snapshot):
    """For the same caller and the same facts, denied ones with what is near."""
    for facts in (("on:new",), ("on:new", "bind:/home/bob/src")):
        first = _judge(snapshot, ALICE, *facts)

        assert _judge(snapshot, ALICE, *facts) is first
        assert _judge(snapshot, Identity("user:bob"), *facts) != first


def test_what_a_condition_has_a_part_in_is_decided_each_time(snapshot: Snapshot):
    """The same facts are denied later."""
    facts = Facts("container.create", (NEW, Fact("bind", "/etc/vpn")))
    later = {"now": "2026-09-01T12:00:00+00:00"}

    assert snapshot.judge(ALICE, facts, NOW).effect is Effect.ALLOW
    assert snapshot.judge(ALICE, facts, later).effect is Effect.DENY
    assert snapshot.judge(ALICE, facts, NOW).effect is Effect.ALLOW


@pytest.mark.parametrize(
    "identity",
    [
        Identity("role:dev"),
        Identity("alice"),
        Identity("group:os/ops"),
        Identity("pack:core", proof=Proof.ASSUMED),
        Identity("user:a", ("role:dev",)),
        Identity("user:a", ("pack:core",), proof=Proof.CERTIFICATE),
        Identity("user:a", ("user:alice",), proof=Proof.ASSUMED),
        Identity("user:a", ("ops",)),
    ],
)
def test_nobody_can_be_a_role(snapshot: Snapshot, identity: Identity):
    """Roles and packs exist in policies only, and subjects are no groups."""
    with pytest.raises(RefusedError, match="is no name that a caller can have") as caught:
        _judge(snapshot, identity, "on:new")

    assert caught.value.reason is Reason.BAD_CREDENTIAL


def test_a_rehearsal_may_lend_a_role(snapshot: Snapshot):
    """Nothing is proved there, so nothing is forged."""
    guest = Identity("user:guest", ("role:dev",), proof=Proof.ASSUMED)

    assert _judge(snapshot, guest, "on:new").effect is Effect.ALLOW
