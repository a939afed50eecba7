"""Grants for a while: what they lift, what they never lift, and when they end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from authz.errors import PolicyError
from authz.facts.facts import Fact, Facts
from authz.identity.identity import Identity
from authz.policy.bundle import load_bundle
from authz.policy.decision import Effect, Word
from authz.policy.explain import place
from authz.policy.grants import LONGEST, LONGEST_REASON, Grant, Grants, granted
from authz.policy.snapshot import compile_snapshot
from authz.policy.vocabulary import vocabulary
from tests.fakes import Clock
from tests.policies import a_bundle
from tests.policy.models.samples import files_of

BEGAN = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = """
p, role:dev, *, container.create, on:new, *, allow
# no-etc: not the host's configuration
p, role:dev, *, *, bind:/etc/**, *, deny
# tenant: a deny row that may not be told for everybody
p, *, *, container.create, volume:{tenant}-*, *, deny
# no-run: never the daemon's own
p, *, *, *, bind:/run/docker.sock, *, never
p, *, *, *, net:{tenant}-*, *, never
g2, container.exec, site.enter
"""
ALICE = Identity("user:alice")
GRANT = Grant(
    "01J", "user:alice", "container.create", ("bind:/etc/**",), "INC-1", "user:root",
    BEGAN, BEGAN + HOUR,
)  # fmt: skip
WORDS = vocabulary(())


@pytest.fixture
def judged(tmp_path):
    """Return what judges facts of a create, at a time, with grants."""
    bundle = load_bundle(a_bundle(tmp_path, policy=POLICY))

    def judge(*facts, grants=(), identity=ALICE, now=BEGAN, count=100.0, action=""):
        held = Grants(Clock(count))
        words = vocabulary(bundle.groups)
        held.granted = tuple(granted(each, 100.0 + HOUR.total_seconds(), words) for each in grants)
        snapshot = replace(compile_snapshot(bundle), grants=held)
        found = tuple(Fact(*fact.split(":", 1)) for fact in facts)
        context = {"now": now if isinstance(now, str) else now.isoformat(timespec="seconds")}
        return snapshot.judge(identity, Facts(action or "container.create", found), context)

    return judge


def test_a_grant_lifts_a_deny_row_and_says_so(judged):
    """The record names it where a row's place would stand; what a row allows needs no grant."""
    assert judged("on:new", "bind:/etc/x").effect is Effect.DENY

    decision = judged("on:new", "bind:/etc/x", grants=[GRANT])

    assert decision.effect is Effect.ALLOW
    own, lifted = decision.outcomes
    assert own.word is Word.ALLOW
    assert (lifted.word, lifted.row.id, lifted.row.at) == (Word.EXCEPT, "01J", "grant:01J")
    assert lifted.row.message == "INC-1"
    assert place(lifted.row) == "01J (grant:01J)"


def test_a_grant_allows_what_no_row_does(judged):
    """And only that."""
    grant = replace(GRANT, facts=("privileged:true", "cap.add:SYS_ADMIN|NET_ADMIN"))

    assert judged("privileged:true", "cap.add:NET_ADMIN", grants=[grant]).effect is Effect.ALLOW
    assert judged("privileged:true", "cap.add:SYS_TIME", grants=[grant]).effect is Effect.DENY


@pytest.fixture
def brought(tmp_path):
    """Return what judges facts of a create by a model of the bundle's own, with a grant."""
    rows = "p, user:alice, container.create, on:new, allow\n"
    rows += "p, user:alice, container.create, bind:/etc/x, deny\n"
    matcher = 'r.sub == p.sub && r.act == p.act && r.obj == p.obj && r.ctx.door == "proxy"'
    written = {"rows": rows, "r": "sub, act, obj, ctx", "m": matcher}
    snapshot = compile_snapshot(load_bundle(a_bundle(tmp_path, **files_of(written))))
    grant = replace(GRANT, facts=("bind:/etc/**", "on:new"))
    snapshot.grants.granted = (granted(grant, HOUR.total_seconds(), WORDS),)

    def judge(*facts, **context):
        found = tuple(Fact(*fact.split(":", 1)) for fact in facts)
        return snapshot.judge(
            ALICE, Facts("container.create", found), {"now": BEGAN.isoformat(), **context}
        )

    return judge


def test_a_grant_fills_what_a_model_of_its_own_leaves_open(brought):
    """Its facts are written as ever, whatever the bundle's model says."""
    decision = brought("bind:/etc/y", "on:new", door="proxy")
    assert decision.effect is Effect.ALLOW
    assert [each.row.id for each in decision.outcomes] == ["01J", "policy.csv:1"]


def test_a_deny_row_of_another_model_stands(brought):
    """Such a model has no never rows: what it denies may be what nobody is to lift."""
    decision = brought("bind:/etc/x", "on:new", door="proxy")
    assert decision.effect is Effect.DENY
    assert decision.outcomes[0].row.id == "policy.csv:2"


@pytest.mark.parametrize("fact", ["bind:/etc/x", "on:new", "bind:/etc/y\n"])
def test_what_another_model_could_not_judge_stands(brought, fact):
    """A deny row may be behind it."""
    context = {"door": "proxy"} if "\n" in fact else {}
    assert brought(fact, **context).effect is Effect.REFUSE


def test_a_never_row_holds(judged):
    """Also one that cannot be told."""
    grant = replace(GRANT, facts=("bind:/run/**", "net:acme-*", "volume:acme-*"))

    never = judged("bind:/run/docker.sock", grants=[grant])
    doubtful = judged("net:acme-x", grants=[grant])
    lifted = judged("volume:acme-x", grants=[grant])

    assert (never.effect, never.outcomes[0].row.id) == (Effect.DENY, "no-run")
    assert doubtful.effect is Effect.REFUSE
    assert lifted.effect is Effect.ALLOW


@pytest.mark.parametrize(
    ("identity", "action", "effect"),
    [
        (ALICE, "container.create", Effect.ALLOW),
        (Identity("user:bob"), "container.create", Effect.DENY),
        (Identity("cert:alice"), "container.create", Effect.DENY),
        (ALICE, "container.start", Effect.DENY),
    ],
)
def test_it_is_for_one_caller_and_one_action(judged, identity, action, effect):
    """Whoever has another type of name is somebody else."""
    grant = replace(GRANT, facts=("on:unowned",))

    assert judged("on:unowned", grants=[grant], identity=identity, action=action).effect is effect


def test_it_can_be_for_a_group_and_a_group_of_actions(judged):
    """Those of the site included."""
    carol = Identity("user:carol", ("group:os/ops",))
    grant = replace(GRANT, subject="group:os/ops", action="site.enter", facts=("on:foreign",))

    found = judged("on:foreign", grants=[grant], identity=carol, action="container.exec")

    assert found.effect is Effect.ALLOW


@pytest.mark.parametrize(
    ("now", "count", "effect"),
    [
        (BEGAN, 100.0, Effect.ALLOW),
        (BEGAN + HOUR - timedelta(seconds=1), 3699.0, Effect.ALLOW),
        (BEGAN + HOUR, 101.0, Effect.DENY),
        (BEGAN + timedelta(days=9), 101.0, Effect.DENY),
        (BEGAN, 3700.0, Effect.DENY),
        (BEGAN - timedelta(days=9), 3700.0, Effect.DENY),
        (BEGAN - timedelta(days=9), 101.0, Effect.ALLOW),
        ("2026-11-28T12:30:00", 100.0, Effect.ALLOW),
        ("2026-11-28T13:30:00", 100.0, Effect.DENY),
        ("noon", 100.0, Effect.DENY),
    ],
)
def test_it_ends_by_whichever_clock_is_first(judged, now, count, effect):
    """A clock that is set back prolongs nothing; a time that is none grants nothing."""
    assert judged("bind:/etc/x", grants=[GRANT], now=now, count=count).effect is effect


def test_the_first_that_fits_counts(judged):
    """Where two do; where none does the old answer stays."""
    other = replace(GRANT, id="02J", facts=("bind:/srv",))

    both = judged("bind:/etc/x", grants=[other, GRANT, replace(GRANT, id="03J")])
    none = judged("bind:/etc/x", grants=[other])

    assert both.outcomes[0].row.id == "01J"
    assert none.outcomes[0].row.id == "no-etc"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subject": "alice"}, "has no known type"),
        ({"subject": "*"}, "has no known type"),
        ({"subject": "role:dev"}, "cannot stand here"),
        ({"subject": "user:a\np, user:b"}, "holds a line break"),
        ({"subject": "user:a, b"}, "columns after p"),
        ({"action": "*"}, "an exception names its actions"),
        ({"action": "container.creat"}, 'action is "container.creat"'),
        ({"action": "system.ping"}, 'no request of "system.ping" yields'),
        ({"facts": ()}, "names no fact"),
        ({"facts": ("**",)}, "an exception names its facts"),
        ({"facts": ("bind:!/etc",)}, "'!' stands in deny and never rows only"),
        ({"facts": ("binds:/etc",)}, "binds"),
        ({"facts": ("bind:/etc/",)}, "it has one spelling"),
        ({"facts": ('"bind:/etc"',)}, "quotes mean nothing"),
        ({"facts": ("bind:/a\np, user:eve, *, *, *, *, allow",)}, "holds a line break"),
        ({"reason": " "}, "has no reason on one line"),
        ({"reason": "a\nb"}, "has no reason on one line"),
        ({"reason": "x" * (LONGEST_REASON + 1)}, "has a reason above"),
        ({"ends": BEGAN}, "lasts 0 seconds"),
        ({"ends": BEGAN + LONGEST + timedelta(seconds=1)}, "at most 8 h"),
        ({"action": "container.create # x"}, "a comment stands on a line of its own"),
    ],
)
def test_what_no_row_could_say_is_no_grant(change, said):
    """The loader's own rules, and those of grants."""
    with pytest.raises(PolicyError) as caught:
        granted(replace(GRANT, **change), 0.0, WORDS)

    assert any(said in problem.message for problem in caught.value.problems)


def test_eight_hours_are_not_too_long():
    """A shift is the limit, not beyond it."""
    assert granted(replace(GRANT, ends=BEGAN + LONGEST), 0.0, WORDS).grant.ends == BEGAN + LONGEST


def test_a_reason_is_a_reason_whatever_it_says():
    """It cannot be taken for an id or for controls."""
    found = granted(replace(GRANT, reason="deny: all [CIS 5.5] # x"), 0.0, WORDS)

    assert (found.row.id, found.row.message) == ("01J", "deny: all [CIS 5.5] # x")
